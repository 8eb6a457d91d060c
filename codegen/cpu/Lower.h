//===- Lower.h - emitted kernels to an object -------------------*- C++ -*-===//
//
// From the loops and vectors of KernelEmitter to LLVM IR, and from there to ELF.
//
//===----------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CPU_LOWER_H
#define NNC_CODEGEN_CPU_LOWER_H

#include "codegen/cpu/Features.h"
#include "runtime/format/Result.h"

#include "mlir/IR/BuiltinOps.h"

#include <memory>

namespace llvm {
class LLVMContext;
class Module;
} // namespace llvm

namespace nnc::codegen {

/// Suffix of the functions that KernelEmitter emits; the kernel's symbol is a wrapper of it.
inline constexpr const char *bodySuffix = ".body";

/// Lowers all of `module` to the LLVM dialect and translates it. On failure returns why.
Result<std::unique_ptr<llvm::Module>>
lowerToLLVM(mlir::ModuleOp module, const CpuFeatures &features, llvm::LLVMContext &context);
/// Adds `void symbol(void *const *buffers, const int64_t *dims, int64_t block)` for every body.
void addKernelWrappers(llvm::Module &module);
/// Optimizes and emits. Fails if the code calls a function that is not in runtime/cpu/Externs.def.
Result<std::string> emitObject(llvm::Module &module, const CpuFeatures &features);
/// The same, from the user's cache where it was emitted before.
Result<std::string> emitObjectCached(llvm::Module &module, const CpuFeatures &features);

/// The triple of the object.
std::string getTargetTriple();

} // namespace nnc::codegen

#endif
