#include "test/unit/cuda/KernelTest.h"

#include "codegen/cuda/CudaTarget.h"
#include "codegen/cuda/Tactics.h"
#include "codegen/device/host/Twin.h"
#include "codegen/device/host/state.h"
#include "ir/NNOps.h"
#include "ir/TacticAttr.h"
#include "passes/Passes.h"
#include "runtime/cuda/Driver.h"
#include "runtime/format/Counters.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>
#include <random>

using namespace nnc;
using namespace nnc::test;

std::vector<float> test::randomFloats(size_t count, unsigned seed) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<float> distribution(-1, 1);
  std::vector<float> values(count);
  for (float &value : values)
    value = distribution(engine);
  return values;
}

void test::expectNear(const std::vector<float> &actual, const std::vector<float> &expected,
                      float relative) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    if (std::isnan(expected[i]) && std::isnan(actual[i]))
      continue;
    if (actual[i] == expected[i])
      continue;
    ASSERT_NEAR(actual[i], expected[i], relative * std::max(1.0f, std::abs(expected[i])))
        << "at element " << i;
  }
}

struct KernelTest::Impl {
  mlir::DialectRegistry registry;
  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  nn::KernelOp kernel;
  codegen::CudaKernel emitted;
  std::shared_ptr<twin::Module> library;
};

KernelTest::KernelTest() : impl(std::make_unique<Impl>()) {
  nn::registerAllDialects(impl->registry);
  impl->context = std::make_unique<mlir::MLIRContext>(impl->registry);
  impl->context->disableMultithreading();
}

KernelTest::~KernelTest() = default;

const std::string &KernelTest::source() const { return impl->emitted.source; }

static void compileForDevices(const std::string &source) {
  if (!rt::nvrtcApi())
    return; // the tests of NVRTC say that they are skipped
  std::string sources[] = {source}, archs[] = {"sm_80", "sm_90a"};
  auto cubins = codegen::compileCubins(sources, archs);
  ASSERT_TRUE(bool(cubins)) << cubins.error().message << "\n" << source;
  for (const codegen::Cubin &cubin : *cubins)
    EXPECT_EQ(cubin.bytes.substr(1, 3), "ELF");
}

void KernelTest::build(const std::string &arguments, const std::string &kernel) {
  std::string text = "func.func @f(" + arguments +
                     ") attributes {nn.entry, nn.dims = [\"B\", \"T\"], nn.ranges = "
                     "[array<i64: 1, 64>, array<i64: 1, 512>]} {\n" +
                     kernel + "\n  return\n}\n";
  impl->module = mlir::parseSourceString<mlir::ModuleOp>(text, impl->context.get());
  ASSERT_TRUE(impl->module) << text;
  mlir::PassManager passes(impl->context.get());
  passes.addPass(createLowerToLinalg());
  passes.addPass(createSimplifyKernels());
  ASSERT_TRUE(mlir::succeeded(passes.run(*impl->module)));
  impl->module->walk([&](nn::KernelOp op) { impl->kernel = op; });
  ASSERT_TRUE(impl->kernel);

  codegen::TacticBook book; // for a kernel that names its tile
  codegen::CudaOptions options;
  if (impl->kernel->hasAttr(nn::kTacticAttr))
    options.tactics = &book;
  auto kernels = codegen::emitCuda(impl->kernel, options);
  if (!kernels)
    impl->kernel.dump();
  ASSERT_TRUE(bool(kernels)) << kernels.error().message;
  impl->emitted = kernels->front();
  if (std::getenv("NNC_TEST_PRINT"))
    llvm::errs() << impl->emitted.source;
  compileForDevices(impl->emitted.source);
  std::string unit = codegen::translationUnit(impl->emitted.source);
  constexpr std::string_view Groups = "constexpr bool HasGroups = true;";
  for (size_t at = 0; withoutGroups && (at = unit.find(Groups, at)) != unit.npos;)
    unit.replace(at, Groups.size(), "constexpr bool HasGroups = false;");
  auto image = twin::compile(unit);
  ASSERT_TRUE(bool(image)) << image.error().message << "\n" << impl->emitted.source;
  auto library = twin::Module::load(*image);
  ASSERT_TRUE(bool(library)) << library.error().message;
  impl->library = *library;
}

static int64_t evaluate(mlir::AffineExpr expr, const std::vector<int64_t> &dims) {
  llvm::SmallVector<mlir::AffineExpr> values;
  for (int64_t dim : dims)
    values.push_back(mlir::getAffineConstantExpr(dim, expr.getContext()));
  auto value = mlir::dyn_cast<mlir::AffineConstantExpr>(
      mlir::simplifyAffineExpr(expr.replaceSymbols(values), 0, 0));
  return value ? value.getValue() : -1;
}

static size_t elementBytes(mlir::Type type) {
  return std::max<size_t>(1, type.getIntOrFloatBitWidth() / 8);
}

namespace {
/// Memory with zones around it that nobody may touch, all poisoned.
struct Guarded {
  static constexpr size_t Zone = 256;
  explicit Guarded(size_t size) : size(size), memory(size + 2 * Zone + 64, char(0xff)) {}
  char *data() {
    auto start = reinterpret_cast<uintptr_t>(memory.data() + Zone);
    return reinterpret_cast<char *>((start + 63) / 64 * 64);
  }
  bool zonesAreIntact() {
    auto isPoison = [](char byte) { return byte == char(0xff); };
    return std::all_of(memory.data(), data(), isPoison) &&
           std::all_of(data() + size, memory.data() + memory.size(), isPoison);
  }
  size_t size;
  std::vector<char> memory;
};
} // namespace

/// As the twin's driver makes it.
static NncTwinMap mapOf(const codegen::MappedTensor &mapped, const void *memory,
                        const std::vector<int64_t> &dims) {
  NncTwinMap map{};
  map.base = static_cast<const char *>(memory);
  map.rank = mapped.sizes.getNumResults();
  map.rows = mapped.rows;
  for (auto [i, size] : llvm::enumerate(mapped.sizes.getResults()))
    map.sizes[i] = evaluate(size, dims);
  for (auto [i, stride] : llvm::enumerate(mapped.strides.getResults()))
    map.strides[i] = evaluate(stride, dims) * 2;
  for (int i = 0; mapped.window && i < 2; ++i) {
    map.lower[i] = mapped.window->before[i];
    map.upper[i] = mapped.window->behind[i];
    map.steps[i] = mapped.window->steps[i];
  }
  return map;
}

std::vector<Bytes> KernelTest::run(const std::vector<int64_t> &dims,
                                   const std::vector<Bytes> &inputs) {
  std::vector<Bytes> first;
  if (!impl->library)
    return first;
  std::vector<unsigned> grid(3, 1);
  for (auto [i, expr] : llvm::enumerate(impl->emitted.grid.getResults()))
    grid[i] = evaluate(expr, dims);
  for (auto order : {twin::ThreadOrder::Forward, twin::ThreadOrder::Reverse}) {
    std::vector<Guarded> memory;
    for (const Bytes &input : inputs) {
      memory.emplace_back(input.size());
      std::memcpy(memory.back().data(), input.data(), input.size());
    }
    for (mlir::Type type : impl->kernel.getResultTypes()) {
      auto tensor = mlir::cast<mlir::RankedTensorType>(type);
      size_t bytes = elementBytes(tensor.getElementType());
      for (mlir::AffineExpr dim : nn::getDims(tensor))
        bytes *= evaluate(dim, dims);
      memory.emplace_back(bytes);
    }
    std::vector<void *> pointers, params;
    for (Guarded &buffer : memory)
      pointers.push_back(buffer.data());
    for (void *&pointer : pointers)
      params.push_back(&pointer);
    std::vector<int64_t> sizes = dims;
    for (int64_t &size : sizes)
      params.push_back(&size);
    std::vector<std::array<char, 128>> maps; // of the size of TensorMap
    for (const codegen::MappedTensor &mapped : impl->emitted.maps) {
      NncTwinMap map = mapOf(mapped, pointers[mapped.operand], dims);
      std::memcpy(maps.emplace_back().data(), &map, sizeof map);
    }
    for (auto &map : maps)
      params.push_back(&map);
    bool hasScratch = impl->emitted.scratch && impl->emitted.scratch.getNumResults() > 0;
    Guarded scratch(hasScratch ? 4 * evaluate(impl->emitted.scratch.getResult(0), dims) : 0);
    std::vector<unsigned> arrivals(format::MaxArrivals, 0);
    void *ownMemory[] = {scratch.data(), arrivals.data()};
    if (hasScratch)
      params.insert(params.end(), {&ownMemory[0], &ownMemory[1]});
    if (impl->emitted.persists)
      grid[0] = std::min(grid[0], 2U);
    twin::setThreadOrder(order);
    auto done =
        impl->library->launch(impl->emitted.symbol, {grid[0], grid[1], grid[2]},
                              impl->emitted.block, impl->emitted.sharedBytes, params.data());
    EXPECT_TRUE(bool(done)) << done.error().message;
    EXPECT_TRUE(scratch.zonesAreIntact()) << source();
    EXPECT_EQ(arrivals, std::vector<unsigned>(format::MaxArrivals, 0));
    std::vector<Bytes> outputs;
    for (auto [i, buffer] : llvm::enumerate(memory)) {
      EXPECT_TRUE(buffer.zonesAreIntact()) << "around buffer " << i << "\n" << source();
      Bytes content(buffer.data(), buffer.data() + buffer.size);
      if (i < inputs.size())
        EXPECT_EQ(content, inputs[i]);
      else
        outputs.push_back(std::move(content));
    }
    if (order == twin::ThreadOrder::Forward)
      first = std::move(outputs);
    else
      EXPECT_EQ(first, outputs) << "the order of threads matters\n" << source();
  }
  twin::setThreadOrder(twin::ThreadOrder::Forward);
  return first;
}
