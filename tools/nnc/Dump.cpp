#include "tools/nnc/Dump.h"

#include "tools/Say.h"

#include "codegen/cuda/Cubin.h"
#include "runtime/format/AtomicFile.h"
#include "runtime/format/PlanText.h"

#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassInstrumentation.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdio>
#include <fmt/format.h>

namespace nnc {

std::optional<Phase> phaseOf(EmitKind kind) {
  switch (kind) {
  case EmitKind::Tokens:
  case EmitKind::Ast:
    return std::nullopt;
  case EmitKind::NN:
    return Phase::Check;
  case EmitKind::Kernels:
    return Phase::Kernels;
  default:
    return Phase::Assemble;
  }
}

namespace {

std::string moduleText(mlir::ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream);
  return text + "\n";
}

/// All kernels, each after a line that names it.
std::string cudaText(const Compilation &compilation) {
  std::string text;
  for (const codegen::CudaKernel &kernel : compilation.assembly().cudaKernels)
    text += fmt::format("//===- {} -===//\n{}\n", kernel.symbol, kernel.source);
  return text;
}

Result<std::string> ptxText(const Compilation &compilation, const CompileOptions &options) {
  std::string arch = options.archs.empty() ? "sm_80" : options.archs.front();
  std::string text;
  for (const codegen::CudaKernel &kernel : compilation.assembly().cudaKernels) {
    Result<std::string> ptx = codegen::compilePtx(kernel.source, arch);
    if (!ptx)
      return ptx;
    text += *ptx;
  }
  return text;
}

class PassDumper : public mlir::PassInstrumentation {
public:
  PassDumper(std::string folder, PassDumps &dumps) : folder(std::move(folder)), dumps(dumps) {}

  void runAfterPass(mlir::Pass *pass, mlir::Operation *op) override {
    if (pass->getArgument().empty())
      return; // the adaptor that holds nested passes
    std::string path =
        fmt::format("{}/{:03}-{}.mlir", folder, dumps.count++, pass->getArgument().str());
    std::string text;
    llvm::raw_string_ostream stream(text);
    op->print(stream);
    Result<void> written = format::writeFile(path, text);
    if (!written && !dumps.failure)
      dumps.failure = written.error();
  }

private:
  std::string folder;
  PassDumps &dumps;
};

} // namespace

Result<std::string> emitText(Compilation &compilation, EmitKind kind,
                             const CompileOptions &options) {
  bool isCuda = compilation.target() == Target::Cuda;
  if ((kind == EmitKind::Cuda || kind == EmitKind::Ptx) && !isCuda)
    return Error{"there is no CUDA code for the target cpu: add --target cuda"};
  switch (kind) {
  case EmitKind::Plan:
    return format::planText(*compilation.assembly().plan, format::PlanDetail::Full);
  case EmitKind::Cuda:
    return cudaText(compilation);
  case EmitKind::Ptx:
    return ptxText(compilation, options);
  default:
    return moduleText(compilation.module());
  }
}

Result<void> dumpPasses(Compilation &compilation, const std::string &folder, PassDumps &dumps) {
  if (std::error_code error = llvm::sys::fs::create_directories(folder))
    return Error{fmt::format("cannot create '{}': {}", folder, error.message())};
  compilation.configurePasses = [folder, &dumps,
                                 next = compilation.configurePasses](mlir::PassManager &passes) {
    if (next)
      next(passes);
    passes.getContext()->disableMultithreading();
    passes.addInstrumentation(std::make_unique<PassDumper>(folder, dumps));
  };
  return {};
}

Result<void> writeText(const std::string &path, std::string_view text) {
  if (path == "-") {
    say("{}", text);
    return flushOutput();
  }
  return format::writeFile(path, text);
}

} // namespace nnc
