// The CUDA source of every kernel, executed on the CPU, against the cpu target: each nn.kernel that
// the example models become for cuda is made a model of its own, for both targets, and run on the
// same random inputs.
#include "frontend/syntax/Render.h"
#include "ir/Dims.h"
#include "ir/EntryAttrs.h"
#include "ir/NNOps.h"
#include "passes/KernelKey.h"
#include "runtime/format/Plan.h"
#include "tools/compiler/Compilation.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <fstream>
#include <random>
#include <set>

using namespace nnc;
using namespace mlir;

namespace {

struct Example {
  const char *file;
  const char *model;
  std::map<std::string, int64_t> fixed;                       ///< --dim
  std::vector<std::pair<std::string, int64_t>> sizes;         ///< of run-time dimensions, in order
  std::vector<std::pair<std::string, std::string>> sets = {}; ///< --set
};

void PrintTo(const Example &example, std::ostream *out) {
  *out << example.file << " " << example.model;
}

struct Tolerance {
  double relative, absolute;
};

Tolerance readTolerance() {
  std::ifstream file(NNC_TEST_TOLERANCES);
  nlohmann::json entry = nlohmann::json::parse(file)["twin_f32"];
  return {entry["rtol"], entry["atol"]};
}

/// A module whose entry point is `kernel` alone. Its first argument, which nothing reads, has the
/// dimensions as its sizes: those of the operands are formulas of them. Run-time scalars follow,
/// then the operands.
OwningOpRef<ModuleOp> wrap(nn::KernelOp kernel, func::FuncOp entry) {
  OwningOpRef<ModuleOp> module = ModuleOp::create(kernel.getLoc());
  OpBuilder builder = OpBuilder::atBlockEnd(module->getBody());
  llvm::SmallVector<AffineExpr> sizes;
  llvm::SmallVector<Type> arguments(1);
  llvm::SmallVector<Attribute> sources;
  for (auto [i, symbol] : llvm::enumerate(nn::getEntrySymbols(entry))) {
    llvm::SmallVector<NamedAttribute> source;
    if (symbol.kind == nn::SymbolKind::Dim) {
      sizes.push_back(builder.getAffineSymbolExpr(i));
    } else {
      source.push_back(builder.getNamedAttr("input", builder.getI64IntegerAttr(arguments.size())));
      arguments.push_back(RankedTensorType::get({}, symbol.element));
    }
    sources.push_back(builder.getDictionaryAttr(source));
  }
  size_t first = arguments.size();
  arguments[0] = nn::getTensorType(sizes, builder.getI1Type());
  llvm::append_range(arguments, kernel->getOperandTypes());
  auto type = builder.getFunctionType(arguments, kernel->getResultTypes());
  auto function = builder.create<func::FuncOp>(kernel.getLoc(), "forward", type);
  for (StringRef name : {"nn.entry", "nn.dims", "nn.kinds", "nn.ranges"})
    if (Attribute attribute = entry->getAttr(name))
      function->setAttr(name, attribute);
  if (entry->hasAttr("nn.kinds"))
    function->setAttr("nn.sources", builder.getArrayAttr(sources));
  builder.setInsertionPointToEnd(function.addEntryBlock());
  Operation *copy = builder.clone(*kernel);
  copy->setOperands(function.getArguments().drop_front(first));
  builder.create<func::ReturnOp>(kernel.getLoc(), copy->getResults());
  return module;
}

/// Normal floats, small integers that are valid indices, coin flips; 1 for scalars, which may be
/// positions.
void fillRandom(const Tensor &tensor, std::mt19937 &random) {
  std::normal_distribution<float> normal;
  if (tensor.rank() == 0 && tensor.dtype() == DType::I32) {
    tensor.values<int32_t>()[0] = 1;
    return;
  }
  for (size_t i = 0; i < tensor.elements(); ++i) {
    switch (tensor.dtype()) {
    case DType::F32:
      tensor.values<float>()[i] = normal(random);
      break;
    case DType::I32:
      tensor.values<int32_t>()[i] = random() % 1000;
      break;
    case DType::I64:
      tensor.values<int64_t>()[i] = random() % 1000;
      break;
    default:
      tensor.values<uint8_t>()[i] = random() % 2;
    }
  }
}

TensorMap randomInputs(const format::EntryT &entry, const std::vector<int64_t> &dims) {
  std::mt19937 random(7);
  TensorMap inputs;
  for (const auto &port : entry.inputs) {
    std::vector<int64_t> shape;
    for (uint32_t expr : port->shape)
      shape.push_back(*format::evaluate(*entry.exprs[expr], dims));
    Result<Tensor> tensor = Tensor::empty(DType(port->dtype), shape);
    EXPECT_TRUE(tensor);
    fillRandom(*tensor, random);
    inputs.add(port->name, *tensor);
  }
  return inputs;
}

void expectClose(const Tensor &expected, const Tensor &actual, Tolerance tolerance) {
  ASSERT_EQ(expected.elements(), actual.elements());
  if (expected.dtype() != DType::F32) {
    ASSERT_EQ(std::memcmp(expected.data(), actual.data(), expected.bytes()), 0);
    return;
  }
  // Sums of products are compared on the scale of the tensor: terms may cancel.
  float scale = 1;
  for (float value : expected.values<float>())
    scale = std::isfinite(value) ? std::max(scale, std::abs(value)) : scale;
  for (size_t i = 0; i < expected.elements(); ++i) {
    float a = expected.values<float>()[i], b = actual.values<float>()[i];
    if (std::isnan(a) && std::isnan(b))
      continue;
    ASSERT_LE(std::abs(a - b), tolerance.absolute * scale + tolerance.relative * std::abs(a))
        << "element " << i << ": cpu " << a << ", cuda " << b;
  }
}

struct Kernels : testing::TestWithParam<Example> {
  static void SetUpTestSuite() { setenv("NNC_CUDA_TWIN", NNC_TEST_TWIN, 1); }

  Result<TensorMap> runOn(Target target, ModuleOp module, const std::vector<int64_t> &dims) {
    CompileOptions options;
    options.archs = {}; // the twin compiles the source that the model carries
    codegen::WeightStore weights;
    Result<Assembly> assembly =
        assembleModule(module, "kernel", target, weights, options, WeightPlace::Section);
    if (!assembly)
      return assembly.error();
    Result<Engine> engine = Engine::fromMemory(assembly->toMemory());
    if (!engine)
      return engine.error();
    Result<Session> session = engine->session();
    if (!session)
      return session.error();
    return session->run("forward", randomInputs(*engine->plan().entries[0], dims));
  }

  void compare(nn::KernelOp kernel, func::FuncOp entry, const std::vector<int64_t> &dims) {
    SCOPED_TRACE(kernel.getKernelName().str());
    OwningOpRef<ModuleOp> module = wrap(kernel, entry);
    Result<TensorMap> expected = runOn(Target::Cpu, *module, dims);
    ASSERT_TRUE(expected) << expected.error().message;
    Result<TensorMap> actual = runOn(Target::Cuda, *module, dims);
    ASSERT_TRUE(actual) << actual.error().message;
    for (const NamedTensor &output : *expected)
      expectClose(output.tensor, (*actual)[output.name], readTolerance());
  }
};

TEST_P(Kernels, agreeWithTheCpuTarget) {
  const Example &example = GetParam();
  CompileOptions options;
  options.target = "cuda";
  options.archs = {"sm_80"};
  options.model = example.model;
  options.dims = example.fixed;
  options.set = example.sets;
  syntax::SourceManager sources;
  syntax::Diagnostics diags;
  auto file = sources.load(std::string(NNC_TEST_EXAMPLES) + example.file, diags);
  Compilation compilation(sources, diags, options);
  ASSERT_TRUE(file && compilation.run(*file, Phase::Kernels)) << syntax::render(sources, diags);

  std::vector<int64_t> dims;
  for (const auto &[name, size] : example.sizes)
    dims.push_back(size);
  dims.resize(dims.size() + 1); // a run-time scalar, if there is one
  std::set<std::string> seen;
  for (auto entry : compilation.module().getOps<func::FuncOp>())
    entry.walk([&](nn::KernelOp kernel) {
      if (seen.insert(kernelKey(kernel)).second)
        compare(kernel, entry, dims);
    });
  EXPECT_GE(seen.size(), 1u);
}

INSTANTIATE_TEST_SUITE_P(
    Examples, Kernels,
    testing::Values(Example{"lenet.nn", "LeNet", {}, {{"B", 3}}},
                    Example{"mlp.nn", "MLP", {}, {{"B", 5}}},
                    Example{"cifarnet.nn", "CifarNet", {}, {{"B", 2}}},
                    Example{"textclassifier.nn", "TextClassifier", {}, {{"B", 3}, {"T", 11}}},
                    Example{"bert.nn",
                            "BertBase",
                            {},
                            {{"B", 2}, {"T", 19}},
                            {{"depth", "1"}, {"dim", "48"}, {"heads", "3"}, {"ffn", "40"}}},
                    Example{"llama.nn",
                            "Llama",
                            {},
                            {{"B", 2}, {"T", 5}},
                            {{"vocab", "50"},
                             {"dim", "48"},
                             {"ffn", "40"},
                             {"depth", "1"},
                             {"heads", "4"},
                             {"kv_heads", "2"},
                             {"max_len", "9"}}},
                    Example{"resnet.nn", "ResNet18", {}, {{"B", 1}, {"H", 37}, {"W", 45}}},
                    Example{"resnet.nn", "ResNet50", {{"H", 33}, {"W", 33}}, {{"B", 1}}}));

} // namespace
