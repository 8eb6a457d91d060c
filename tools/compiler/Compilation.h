// One compilation, phase by phase: what `nnc`, the C++ API and tests drive. Every phase leaves its
// product in the open.
#pragma once

#include "codegen/Weights.h"
#include "codegen/cpu/CpuTarget.h"
#include "codegen/cuda/CudaTarget.h"
#include "frontend/Frontend.h"
#include "frontend/syntax/Diagnostics.h"
#include "frontend/syntax/Source.h"
#include "passes/Pipelines.h"
#include "runtime/format/Container.h"
#include "tools/compiler/BuildTactics.h"
#include "tools/compiler/Compile.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <functional>
#include <memory>
#include <vector>

namespace mlir {
class PassManager;
}

namespace nnc {

/// In the order in which they run.
enum class Phase {
  Check,    ///< parse, evaluate, check shapes, emit the nn dialect
  Weights,  ///< map the checkpoint and match its keys, or initialize
  Optimize, ///< passes on the nn dialect
  Prepare,  ///< run once what depends on weights only
  Kernels,  ///< form kernels and lower their bodies
  Assemble, ///< generate code, plan memory, lay out model.bin
};
const char *phaseName(Phase phase);

/// What a container is made of. Weights are not copied: they point into the WeightStore.
struct Assembly {
  std::unique_ptr<format::ModelT> plan;
  std::vector<codegen::CudaKernel> cudaKernels; ///< distinct ones
  std::vector<std::byte> cpuObject, cubins, source;
  std::vector<format::Piece> weights;
  /// Of WeightPlace::Memory: by index of the plan's weights.
  std::vector<std::span<const std::byte>> given;

  /// The sections in the order of the file.
  format::ContainerWriter writer(std::span<const std::byte> planBytes) const;
  /// The bytes of a model.bin.
  std::vector<std::byte> toMemory() const;
};

/// Where a model's weights are when it is loaded.
enum class WeightPlace {
  Section,  ///< in model.bin
  External, ///< in the checkpoint's files, where it holds them as they are needed; else in
            ///< model.bin
  Memory,   ///< in this process
};

/// Generates code for every kernel of a module at level 2 and plans its entry points. `store` holds
/// the data of every global that is read; `name` is the model's; `tactics` chooses tiles, without
/// it the cost model.
Result<Assembly> assembleModule(mlir::ModuleOp module, const std::string &name, Target target,
                                codegen::WeightStore &store, const CompileOptions &options,
                                WeightPlace place, codegen::TacticBook *tactics = nullptr);

class Compilation {
public:
  Compilation(syntax::SourceManager &sources, syntax::Diagnostics &diags, CompileOptions options);
  ~Compilation();

  /// Runs all phases up to and including `last`; false after errors, which are in the diagnostics.
  bool run(syntax::FileId file, Phase last = Phase::Assemble);

  mlir::ModuleOp module() { return *moduleRef; }
  const codegen::WeightStore &weightStore() const { return weights; }
  const frontend::ModelInfo &info() const { return modelInfo; }
  const Assembly &assembly() const { return product; }
  Target target() const { return chosenTarget; }
  /// What there was to choose.
  const codegen::TacticBook &tacticBook() const { return tactics.book; }
  /// With what was found out: the architectures, for example.
  const CompileOptions &chosenOptions() const { return options; }
  /// After Phase::Assemble.
  Result<void> write(const std::string &path) const;
  std::vector<std::byte> toMemory() const { return product.toMemory(); }

  struct PhaseTime {
    Phase phase;
    double milliseconds;
  };
  const std::vector<PhaseTime> &times() const { return phaseTimes; }

  /// Called on every pass manager before it runs (timing, dumps).
  std::function<void(mlir::PassManager &)> configurePasses;
  /// Called behind every phase that succeeded; false ends the compilation as an error does.
  std::function<bool(Phase)> afterPhase;
  /// For what asks about code alone: weights are zeros, nothing is computed from them, and CUDA
  /// code is not compiled.
  bool withoutData = false;
  /// Choices are the cost model's, even if there is a lock file,
  bool ignoresLock = false;
  /// or those of `lock` for an architecture.
  void useLock(codegen::LockFile lock, const std::string &arch) {
    ignoresLock = true;
    tactics.book = codegen::TacticBook(std::move(lock), arch);
  }

private:
  bool runPhase(Phase phase, syntax::FileId file);
  bool check(syntax::FileId file);
  bool loadWeights(syntax::FileId file);
  bool optimize();
  bool prepare();
  Result<TensorMap> runOnce(mlir::ModuleOp program, const std::string &function);
  bool formKernels();
  bool assemble();

  bool chooseTarget();
  bool loadLock(syntax::FileId file);
  bool runPasses(mlir::ModuleOp module, Target target,
                 void (*build)(mlir::OpPassManager &, const PipelineOptions &));
  void adoptPrepared(const TensorMap &outputs);
  bool addZeros();
  bool fail(const Error &error);

  syntax::SourceManager &sources;
  syntax::Diagnostics &diags;
  CompileOptions options;
  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> moduleRef;
  frontend::ModelInfo modelInfo;
  codegen::WeightStore weights;
  Target chosenTarget = Target::Cpu;
  BuildTactics tactics;
  Assembly product;
  std::vector<PhaseTime> phaseTimes;
};

} // namespace nnc
