//===- Harness.h - compiles and runs kernels in tests -----------*- C++ -*-===//
//
// A model in the nn dialect goes through the kernel pipeline and the cpu target; every kernel is
// then run on random operands and compared with the interpreter. Buffers end at a page that cannot
// be read.
//
//===----------------------------------------------------------------------===//
#ifndef NNC_TEST_UNIT_CPU_HARNESS_H
#define NNC_TEST_UNIT_CPU_HARNESS_H

#include "Interpreter.h"
#include "codegen/cpu/CpuTarget.h"
#include "runtime/cpu/ObjectLoader.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include "mlir/Pass/Pass.h"

#include <memory>
#include <string>

namespace nnc::test {

/// Memory of an exact size before a page that is neither readable nor writable.
class GuardedBuffer {
public:
  explicit GuardedBuffer(size_t bytes);
  ~GuardedBuffer();
  GuardedBuffer(const GuardedBuffer &) = delete;
  void *data() const { return start; }

private:
  void *mapping, *start;
  size_t mapped;
};

struct Model {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  llvm::SmallVector<nn::KernelOp> kernels;
};

/// The context that all tests share.
mlir::MLIRContext &testContext();
/// Parses functions of the nn dialect, makes their gradients, runs `pass` if there is one, and
/// forms and lowers their kernels.
Model makeModel(const std::string &text, std::unique_ptr<mlir::Pass> pass = nullptr);
/// Runs kernel `number` of `object` on `operands`, blocks in descending order.
std::vector<Array> runKernel(nn::KernelOp kernel, const codegen::CpuObject &object, size_t number,
                             const rt::LoadedObject &loaded, const std::vector<Array> &operands,
                             const std::vector<int64_t> &dims);
/// Compiles and compares all kernels of the model at each of `sizes`.
void checkModel(const std::string &text, const std::vector<std::vector<int64_t>> &sizes = {{}},
                const std::string &cpu = "native");

} // namespace nnc::test

#endif
