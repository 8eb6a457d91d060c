//===- ScatterTest.cpp - sums of rows by number on the cpu ----------------===//

#include "Harness.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

using namespace nnc;
using namespace nnc::test;
using namespace mlir;

/// `tables` tables of `places` rows of `columns`, from `count` values each; ids lie in -8..8.
static void check(int64_t tables, int64_t places, int64_t columns, int64_t count,
                  const std::string &element = "f32") {
  std::string type = fmt::format("tensor<{}x?x{}x{}, affine_map<()[s0] -> ({}, s0, {})>>", tables,
                                 columns, element, tables, columns);
  Model model = makeModel(fmt::format(
      "func.func @f(%v: {0}, %i: tensor<?xi32, affine_map<()[s0] -> (s0)>>) -> "
      "tensor<{1}x{2}x{3}xf32> attributes {{nn.entry, nn.dims = [\"N\"]}} {{\n"
      "%r = nn.scatter_add %v, %i {{axis = 1 : i64}} : {0}, tensor<?xi32, affine_map<()[s0] -> "
      "(s0)>> -> tensor<{1}x{2}x{3}xf32>\nreturn %r : tensor<{1}x{2}x{3}xf32>\n}}",
      type, tables, places, columns));
  ASSERT_EQ(model.kernels.size(), 1u);
  Result<codegen::CpuObject> object = codegen::compileForCpu(model.kernels, {"native"});
  ASSERT_TRUE(object) << object.error().message;
  Result<rt::LoadedObject> loaded = rt::LoadedObject::load(std::as_bytes(std::span(object->elf)));
  ASSERT_TRUE(loaded) << loaded.error().message;
  nn::KernelOp kernel = model.kernels[0];
  auto typeOf = [&](unsigned i) { return cast<RankedTensorType>(kernel.getOperand(i).getType()); };
  std::vector<Array> operands = {randomArray(typeOf(0), {tables, count, columns}, 1),
                                 randomArray(typeOf(1), {count}, 2)};
  std::vector<double> wanted(size_t(tables * places * columns));
  for (int64_t t = 0; t < tables; ++t)
    for (int64_t i = 0; i < count; ++i)
      for (int64_t c = 0; c < columns; ++c) {
        auto row = std::clamp<int64_t>(int64_t(operands[1].data[size_t(i)]), 0, places - 1);
        wanted[size_t((t * places + row) * columns + c)] +=
            operands[0].data[size_t((t * count + i) * columns + c)];
      }
  std::vector<double> found = runKernel(kernel, *object, 0, *loaded, operands, {count})[0].data;
  ASSERT_EQ(found.size(), wanted.size());
  for (size_t i = 0; i < found.size(); ++i)
    ASSERT_NEAR(found[i], wanted[i], 1e-4) << "element " << i;
}

TEST(Scatter, Tables) {
  check(1, 5, 8, 40);
  check(3, 100, 17, 64);
  check(1, 1, 3, 9);
  check(2, 7, 1, 0);
}

TEST(Scatter, NarrowValues) {
  check(1, 6, 21, 33, "bf16");
  check(2, 6, 5, 33, "f16");
}
