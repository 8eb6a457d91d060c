//===- CpuTarget.cpp - kernels to one x86-64 object -----------------------===//
//
// Distinct kernels are emitted into one module, which is lowered, optimized and written as one
// object.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/CpuTarget.h"

#include "codegen/cpu/AttentionEmitter.h"
#include "codegen/cpu/AttentionGradEmitter.h"
#include "codegen/cpu/KernelEmitter.h"
#include "codegen/cpu/Lower.h"
#include "codegen/cpu/ScatterEmitter.h"
#include "ir/NNOps.h"
#include "passes/KernelKey.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"

#include <fmt/format.h>

using namespace mlir;
using namespace nnc;
using namespace nnc::codegen;

/// A name for the object's symbol table: number and what of the kernel's name fits there.
static std::string makeSymbol(size_t number, StringRef name) {
  std::string symbol = fmt::format("k{}_", number);
  for (char c : name.take_front(48))
    symbol += llvm::isAlnum(c) ? c : '_';
  return symbol;
}

static void loadDialects(MLIRContext &context) {
  context
      .loadDialect<arith::ArithDialect, cf::ControlFlowDialect, func::FuncDialect,
                   LLVM::LLVMDialect, math::MathDialect, scf::SCFDialect, vector::VectorDialect>();
}

static Result<CpuKernel> emitKernel(nn::KernelOp kernel, size_t number, ModuleOp module,
                                    const CpuFeatures &features) {
  OpBuilder builder(module.getContext());
  KernelSource source = getKernelSource(kernel);
  std::string symbol = makeSymbol(number, kernel.getKernelName());
  if (nn::parseAnchor(kernel.getAnchor()) == nn::FusionRole::Attention) {
    nn::AttentionAccess access = nn::getAttentionAccess(kernel);
    AttentionEmitter emitter(kernel, access, source.numSymbols, features, builder);
    return CpuKernel{symbol, emitter.emit(module, symbol + bodySuffix)};
  }
  if (nn::parseAnchor(kernel.getAnchor()) == nn::FusionRole::AttentionGrad) {
    nn::AttentionGradAccess access = nn::getAttentionGradAccess(kernel);
    AttentionGradEmitter emitter(kernel, access, source.numSymbols, features, builder);
    return CpuKernel{symbol, emitter.emit(module, symbol + bodySuffix)};
  }
  if (nn::parseAnchor(kernel.getAnchor()) == nn::FusionRole::Scatter) {
    ScatterEmitter emitter(kernel, source.numSymbols, features, builder);
    return CpuKernel{symbol, emitter.emit(module, symbol + bodySuffix)};
  }
  KernelEmitter emitter(source, features, builder);
  AffineMap grid = emitter.emit(module, symbol + bodySuffix);
  if (!grid)
    return Error{fmt::format("kernel '{}' cannot be compiled for the cpu: {}",
                             kernel.getKernelName().str(), emitter.getFailure())};
  return CpuKernel{symbol, grid};
}

Result<CpuObject> codegen::compileForCpu(ArrayRef<nn::KernelOp> kernels,
                                         const CpuOptions &options) {
  Result<CpuFeatures> features = getCpuFeatures(options.cpu);
  if (!features)
    return features.error();
  CpuObject object;
  object.triple = getTargetTriple();
  object.cpu = features->cpu;
  object.features = features->features;
  if (kernels.empty())
    return object;
  MLIRContext &context = *kernels.front()->getContext();
  loadDialects(context);
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(&context));
  llvm::StringMap<size_t> known;
  for (nn::KernelOp kernel : kernels) {
    auto [at, isNew] = known.try_emplace(kernelKey(kernel), object.kernels.size());
    if (!isNew) {
      object.kernels.push_back(CpuKernel(object.kernels[at->second]));
      continue;
    }
    Result<CpuKernel> emitted = emitKernel(kernel, known.size() - 1, *module, *features);
    if (!emitted)
      return emitted.error();
    object.kernels.push_back(std::move(*emitted));
  }
  llvm::LLVMContext llvmContext;
  Result<std::unique_ptr<llvm::Module>> lowered = lowerToLLVM(*module, *features, llvmContext);
  if (!lowered)
    return lowered.error();
  addKernelWrappers(**lowered);
  Result<std::string> elf =
      options.cache ? emitObjectCached(**lowered, *features) : emitObject(**lowered, *features);
  if (!elf)
    return elf.error();
  object.elf = std::move(*elf);
  return object;
}
