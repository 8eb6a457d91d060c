//===- Harness.cpp - compiles and runs kernels in tests -------------------===//

#include "Harness.h"

#include "passes/Passes.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace mlir;
using namespace nnc;
using namespace nnc::test;

GuardedBuffer::GuardedBuffer(size_t bytes) {
  auto page = size_t(sysconf(_SC_PAGESIZE));
  size_t used = (bytes + page - 1) / page * page;
  mapped = used + page;
  mapping = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(static_cast<char *>(mapping) + used, page, PROT_NONE);
  start = static_cast<char *>(mapping) + (used - bytes);
}

GuardedBuffer::~GuardedBuffer() { munmap(mapping, mapped); }

MLIRContext &test::testContext() {
  static MLIRContext *context = [] {
    DialectRegistry registry;
    nn::registerAllDialects(registry);
    auto *made = new MLIRContext(registry);
    made->loadAllAvailableDialects();
    return made;
  }();
  return *context;
}

Model test::makeModel(const std::string &text, std::unique_ptr<Pass> pass) {
  Model model;
  model.module = parseSourceString<ModuleOp>(text, &testContext());
  if (!model.module)
    return model;
  PassManager passes(&testContext());
  passes.addPass(createDifferentiate());
  if (pass)
    passes.addPass(std::move(pass));
  buildKernelPipeline(passes, {Target::Cpu});
  if (failed(passes.run(*model.module)))
    return model;
  model.module->walk([&](nn::KernelOp kernel) { model.kernels.push_back(kernel); });
  return model;
}

std::vector<Array> test::runKernel(nn::KernelOp kernel, const codegen::CpuObject &object,
                                   size_t number, const rt::LoadedObject &loaded,
                                   const std::vector<Array> &operands,
                                   const std::vector<int64_t> &dims) {
  const codegen::CpuKernel &compiled = object.kernels[number];
  rt::CpuKernelFn function = loaded.find(compiled.symbol);
  if (!function) {
    ADD_FAILURE() << "no symbol " << compiled.symbol;
    return {};
  }
  std::vector<std::unique_ptr<GuardedBuffer>> memory;
  std::vector<void *> buffers;
  std::vector<Array> results;
  auto add = [&](Type type, const Array &array) {
    Type element = cast<RankedTensorType>(type).getElementType();
    memory.push_back(std::make_unique<GuardedBuffer>(array.data.size() * elementBytes(element)));
    buffers.push_back(memory.back()->data());
    writeElements(buffers.back(), element, array.data);
  };
  for (auto [operand, array] : llvm::zip(kernel.getOperands(), operands))
    add(operand.getType(), array);
  for (Value result : kernel->getResults()) {
    Array &array = results.emplace_back();
    array.shape = shapeOf(cast<RankedTensorType>(result.getType()), dims);
    size_t count = 1;
    for (int64_t size : array.shape)
      count *= size_t(size);
    array.data.assign(count, 77);
    add(result.getType(), array);
  }
  SmallVector<AffineExpr> symbols;
  for (int64_t dim : dims)
    symbols.push_back(getAffineConstantExpr(dim, kernel.getContext()));
  AffineExpr blocks = compiled.grid.getResult(0).replaceSymbols(symbols);
  int64_t grid = cast<AffineConstantExpr>(simplifyAffineExpr(blocks, 0, 0)).getValue();
  for (int64_t block = grid; block-- > 0;)
    function(buffers.data(), dims.data(), block);
  for (auto [i, result] : llvm::enumerate(kernel->getResults())) {
    Type element = cast<RankedTensorType>(result.getType()).getElementType();
    results[i].data = readElements(buffers[operands.size() + i], element, results[i].data.size());
  }
  return results;
}

static void checkKernel(nn::KernelOp kernel, const codegen::CpuObject &object, size_t number,
                        const rt::LoadedObject &loaded, const std::vector<int64_t> &dims) {
  std::vector<Array> operands;
  for (Value operand : kernel.getOperands()) {
    auto type = cast<RankedTensorType>(operand.getType());
    operands.push_back(randomArray(type, shapeOf(type, dims), unsigned(operands.size() + 1)));
  }
  std::vector<Array> want = interpret(kernel, operands, dims);
  std::vector<Array> got = runKernel(kernel, object, number, loaded, operands, dims);
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    Type element = cast<RankedTensorType>(kernel->getResult(i).getType()).getElementType();
    std::string where = kernel.getKernelName().str() + ", result " + std::to_string(i);
    for (int64_t dim : dims)
      where += " at " + std::to_string(dim);
    expectClose(got[i], want[i], element, where);
  }
}

void test::checkModel(const std::string &text, const std::vector<std::vector<int64_t>> &sizes,
                      const std::string &cpu) {
  Model model = makeModel(text);
  ASSERT_FALSE(model.kernels.empty()) << "no kernels were formed";
  Result<codegen::CpuObject> object = codegen::compileForCpu(model.kernels, {cpu});
  ASSERT_TRUE(object) << object.error().message;
  Result<rt::LoadedObject> loaded = rt::LoadedObject::load(std::as_bytes(std::span(object->elf)));
  ASSERT_TRUE(loaded) << loaded.error().message;
  for (const std::vector<int64_t> &dims : sizes)
    for (auto [number, kernel] : llvm::enumerate(model.kernels))
      checkKernel(kernel, *object, number, *loaded, dims);
}
