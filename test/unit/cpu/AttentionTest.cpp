//===- AttentionTest.cpp - attention on the cpu against its definition ----===//

#include "Harness.h"

#include "test/unit/AttentionText.h"

#include <cmath>
#include <fmt/format.h>
#include <gtest/gtest.h>

using namespace nnc;
using namespace nnc::test;
using namespace mlir;

namespace {

struct Case {
  AttentionShape shape;
  std::string element = "f32";
  bool transposed = false; ///< operands and result are [B, position, head, place]
  bool masked = false;     ///< by [B, S]
  std::string cpu = "native";
  bool keepsSums = false; ///< of the softmax: the second result
};

/// A function on tensors whose T and S are dimensions of the entry.
std::string makeText(const Case &test) {
  const AttentionShape &s = test.shape;
  auto tensor = [&](int64_t heads, const char *positions, bool transposed) {
    return tensorOfHeads(s, heads, positions, test.element, transposed);
  };
  std::string q = tensor(s.heads, "s0", false), k = tensor(s.keyHeads, "s1", false);
  std::string q0 = tensor(s.heads, "s0", test.transposed);
  std::string k0 = tensor(s.keyHeads, "s1", test.transposed);
  std::string mask = keyMaskText(s), all = maskText(s);
  std::string also = test.keepsSums ? ", " + tensorOfRows(s) : "";
  std::string text = fmt::format("func.func @f(%q: {}, %k: {}, %v: {}, %m: {}, %o: tensor<i32>) -> "
                                 "({}{}) attributes {{nn.entry, nn.dims = [\"T\", \"S\"]}} {{\n",
                                 q0, k0, k0, mask, q0, also);
  const char *second = test.keepsSums ? ", %s" : "";
  std::string names[] = {"%q", "%k", "%v"};
  if (test.transposed)
    for (std::string &name : names) {
      text += fmt::format("{}t = nn.transpose {} {{permutation = array<i64: 0, 2, 1, 3>}} : {} -> "
                          "{}\n",
                          name, name, name == "%q" ? q0 : k0, name == "%q" ? q : k);
      name += "t";
    }
  if (test.masked)
    text += fmt::format("%b = nn.broadcast %m {{dims = array<i64: 0, 3>}} : {} -> {}\n", mask, all);
  text += fmt::format("%r{} = nn.attention {}, {}, {}{}{}{} : ({}, {}, {}{}{}) -> ({}{})\n", second,
                      names[0], names[1], names[2], test.masked ? " mask %b" : "",
                      s.causal ? " offset %o" : "", s.causal ? " {causal}" : "", q, k, k,
                      test.masked ? ", " + all : "", s.causal ? ", tensor<i32>" : "", q, also);
  if (test.transposed)
    text += fmt::format(
        "%u = nn.transpose %r {{permutation = array<i64: 0, 2, 1, 3>}} : {} -> {}\n", q, q0);
  return text +
         fmt::format("return {}{} : {}{}\n}}\n", test.transposed ? "%u" : "%r", second, q0, also);
}

Array asArray(const std::vector<double> &values, std::vector<int64_t> shape) {
  return {std::move(shape), values};
}

void check(const Case &test) {
  const AttentionShape &s = test.shape;
  Model model = makeModel(makeText(test));
  ASSERT_EQ(model.kernels.size(), 1u) << "the operands' views are read by strides\n"
                                      << makeText(test);
  Result<codegen::CpuObject> object = codegen::compileForCpu(model.kernels, {test.cpu});
  ASSERT_TRUE(object) << object.error().message;
  Result<rt::LoadedObject> loaded = rt::LoadedObject::load(std::as_bytes(std::span(object->elf)));
  ASSERT_TRUE(loaded) << loaded.error().message;

  nn::KernelOp kernel = model.kernels[0];
  // Results come in the order of the body, where the transpose of the first is behind the second.
  unsigned resultNumber = test.keepsSums && test.transposed;
  Type element = getElementTypeOrSelf(kernel->getResult(resultNumber).getType());
  auto type = RankedTensorType::get({1}, element);
  std::vector<double> q = randomArray(type, {int64_t(s.querySize())}, 1).data;
  std::vector<double> k = randomArray(type, {int64_t(s.keySize())}, 2).data;
  std::vector<double> v = randomArray(type, {int64_t(s.keySize())}, 3).data;
  std::vector<char> shown = drawMask(s, s.batch);
  std::vector<char> mask = test.masked ? stretchMask(s, shown) : std::vector<char>();
  std::vector<float> want = referenceAttention(s, q, k, v, mask);
  auto stored = [&](const std::vector<double> &values, int64_t heads, int64_t positions) {
    return test.transposed ? swapMiddle(values, heads, positions, s.headSize) : values;
  };
  std::vector<Array> operands = {asArray(stored(q, s.heads, s.queries), {int64_t(q.size())}),
                                 asArray(stored(k, s.keyHeads, s.keys), {int64_t(k.size())}),
                                 asArray(stored(v, s.keyHeads, s.keys), {int64_t(v.size())})};
  if (test.masked)
    operands.push_back(asArray({shown.begin(), shown.end()}, {int64_t(shown.size())}));
  if (s.causal)
    operands.push_back(asArray({double(s.offset)}, {}));
  ASSERT_EQ(operands.size(), kernel.getNumOperands());
  std::vector<Array> results =
      runKernel(kernel, *object, 0, *loaded, operands, {s.queries, s.keys});
  std::vector<double> got = results[resultNumber].data;
  if (test.transposed)
    got = swapMiddle(got, s.queries, s.heads, s.headSize);
  double allowed = element.isBF16() ? 1.0 / 100 : element.isF16() ? 1.0 / 800 : 2e-5;
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    if (std::isnan(got[i]) && std::isnan(want[i]))
      continue;
    ASSERT_LE(std::fabs(got[i] - want[i]), allowed * (1 + std::fabs(want[i])))
        << "element " << i << ": " << got[i] << ", not " << want[i] << "\n"
        << makeText(test);
  }
  if (test.keepsSums) {
    std::vector<float> sums = referenceSums(s, q, k, mask);
    for (size_t i = 0; i < sums.size(); ++i)
      if (double found = results[1 - resultNumber].data[i]; found != sums[i])
        ASSERT_NEAR(found, sums[i], 1e-5 * (1 + std::fabs(sums[i]))) << "row " << i;
  }
}

TEST(CpuAttention, KeepsTheSumsOfTheSoftmax) {
  check({{2, 4, 2, 33, 70, 8, true, -3}, "f32", false, true, "native", true});
  check({{2, 4, 2, 33, 70, 8, true, 5}, "bf16", true, true, "native", true});
}

TEST(CpuAttention, AnyLengthAndHeadSize) {
  for (int64_t d : {1, 3, 8, 20, 64, 80, 128, 256})
    check({{2, 3, 3, 7, 9, d}});
  for (int64_t t : {1, 31, 33, 65})
    for (int64_t keys : {1, 63, 64, 65, 130})
      check({{1, 2, 2, t, keys, 16}});
}

TEST(CpuAttention, OtherMachines) {
  for (const char *cpu : {"x86-64", "x86-64-v3"})
    for (int64_t d : {1, 20, 64})
      check({{1, 2, 1, 5, 70, d}, "f32", false, false, cpu});
}

TEST(CpuAttention, HalfPrecision) {
  for (const char *element : {"f16", "bf16"})
    for (int64_t d : {20, 64})
      check({{1, 4, 2, 9, 40, d, true}, element, true, true});
}

TEST(CpuAttention, Causal) {
  check({{1, 2, 2, 70, 70, 32, true}});
  // A cache: the queries stand behind 11 keys, and what follows them is not there yet.
  check({{2, 4, 2, 5, 128, 16, true, 11}});
  check({{2, 4, 1, 1, 128, 16, true, 127}});
  check({{1, 1, 1, 3, 128, 16, true, 500}}); // more than there is
}

TEST(CpuAttention, RowsThatSeeNothingAreNaN) {
  check({{1, 1, 1, 5, 4, 8, true, -2}});
  check({{1, 1, 1, 2, 1, 8}, "f32", false, true});
}

TEST(CpuAttention, GroupsMasksAndTransposedOperands) {
  for (bool transposed : {false, true})
    for (bool masked : {false, true})
      for (bool causal : {false, true})
        check({{3, 6, 2, 11, 37, 24, causal, 5}, "f32", transposed, masked});
}

TEST(CpuAttention, NoKeysGiveZeros) { check({{1, 2, 2, 3, 0, 8}}); }

} // namespace
