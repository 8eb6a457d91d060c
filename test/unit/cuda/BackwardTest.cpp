// Kernels of backward passes as CUDA on the twin, against the interpreter.
#include "codegen/cuda/CudaTarget.h"
#include "codegen/device/host/Twin.h"
#include "ir/KernelAttrs.h"
#include "passes/Passes.h"
#include "test/unit/BackwardModels.h"
#include "test/unit/cpu/Interpreter.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringMap.h"

#include <gtest/gtest.h>

using namespace nnc;
using namespace nnc::test;
using namespace mlir;

static std::vector<Array> launch(nn::KernelOp kernel, const codegen::CudaKernel &code,
                                 twin::Module &library, const std::vector<Array> &operands,
                                 std::vector<int64_t> dims) {
  std::vector<std::vector<char>> memory;
  std::vector<Array> results;
  for (auto [operand, array] : llvm::zip(kernel.getOperands(), operands)) {
    Type element = cast<RankedTensorType>(operand.getType()).getElementType();
    memory.emplace_back(array.data.size() * elementBytes(element) + 16);
    writeElements(memory.back().data(), element, array.data);
  }
  for (Type type : kernel.getResultTypes()) {
    auto tensor = cast<RankedTensorType>(type);
    Array &array = results.emplace_back(Array{shapeOf(tensor, dims), {}});
    size_t count = 1;
    for (int64_t size : array.shape)
      count *= size_t(size);
    array.data.resize(count);
    memory.emplace_back(count * elementBytes(tensor.getElementType()) + 16, char(0xff));
  }
  std::vector<void *> pointers, params;
  for (std::vector<char> &buffer : memory)
    pointers.push_back(buffer.data());
  for (void *&pointer : pointers)
    params.push_back(&pointer);
  std::array<unsigned, 3> grid = {1, 1, 1};
  SmallVector<AffineExpr> symbols;
  for (int64_t dim : dims)
    symbols.push_back(getAffineConstantExpr(dim, kernel.getContext()));
  for (auto [i, expr] : llvm::enumerate(code.grid.getResults()))
    grid[i] =
        unsigned(cast<AffineConstantExpr>(simplifyAffineExpr(expr.replaceSymbols(symbols), 0, 0))
                     .getValue());
  for (int64_t &dim : dims)
    params.push_back(&dim);
  auto done = library.launch(code.symbol, grid, code.block, code.sharedBytes, params.data());
  EXPECT_TRUE(bool(done)) << done.error().message;
  for (auto [i, type] : llvm::enumerate(kernel.getResultTypes())) {
    Type element = cast<RankedTensorType>(type).getElementType();
    results[i].data =
        readElements(memory[operands.size() + i].data(), element, results[i].data.size());
  }
  return results;
}

static void check(nn::KernelOp kernel, const codegen::CudaKernel &code, twin::Module &library,
                  const std::vector<int64_t> &dims) {
  std::vector<Array> operands;
  for (Value operand : kernel.getOperands()) {
    auto type = cast<RankedTensorType>(operand.getType());
    operands.push_back(randomArray(type, shapeOf(type, dims), unsigned(operands.size() + 1)));
  }
  std::vector<Array> want = interpret(kernel, operands, dims);
  std::vector<Array> got = launch(kernel, code, library, operands, dims);
  for (size_t i = 0; i < got.size(); ++i)
    expectClose(got[i], want[i],
                cast<RankedTensorType>(kernel->getResult(i).getType()).getElementType(),
                kernel.getKernelName().str() + ", result " + std::to_string(i));
}

TEST(Backward, Kernels) {
  DialectRegistry registry;
  nn::registerAllDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  for (const BackwardModel &model : backwardModels()) {
    SCOPED_TRACE(model.name);
    auto module = parseSourceString<ModuleOp>(model.text, &context);
    ASSERT_TRUE(module);
    PassManager passes(&context);
    buildNNPipeline(passes, {Target::Cuda});
    buildKernelPipeline(passes, {Target::Cuda});
    ASSERT_TRUE(succeeded(passes.run(*module)));
    SmallVector<nn::KernelOp> kernels;
    module->walk([&](nn::KernelOp kernel) {
      kernel->removeAttr(nn::kLaunchAttr); // one by one
      kernels.push_back(kernel);
    });
    auto emitted = codegen::emitCuda(kernels, {});
    ASSERT_TRUE(bool(emitted)) << emitted.error().message;
    std::vector<int64_t> dims;
    if (std::string_view(model.text).find("\"B\"") != std::string_view::npos)
      dims = {2, 5};
    llvm::StringMap<std::shared_ptr<twin::Module>> libraries; // equal kernels share one
    for (auto [kernel, code] : llvm::zip_equal(kernels, *emitted)) {
      std::shared_ptr<twin::Module> &library = libraries[code.symbol];
      if (!library) {
        auto image = twin::compile(codegen::translationUnit(code.source));
        ASSERT_TRUE(bool(image)) << image.error().message << "\n" << code.source;
        auto loaded = twin::Module::load(*image);
        ASSERT_TRUE(bool(loaded)) << loaded.error().message;
        library = *loaded;
      }
      check(kernel, code, *library, dims);
    }
  }
}
