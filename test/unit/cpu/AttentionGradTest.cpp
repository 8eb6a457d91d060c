//===- AttentionGradTest.cpp - gradients of attention on the cpu ----------===//

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
  bool transposed = false; ///< tensors of heads are [B, position, head, place]
  bool masked = false;     ///< by [B, S]
  std::string cpu = "native";
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
  std::string rows = tensorOfRows(s), mask = keyMaskText(s), all = maskText(s);
  std::string text = fmt::format(
      "func.func @f(%q: {0}, %k: {1}, %v: {1}, %g: {0}, %l: {2}, %d: {2}, %m: {3}, %o: "
      "tensor<i32>) -> ({0}, {1}, {1}) attributes {{nn.entry, nn.dims = [\"T\", \"S\"]}} {{\n",
      q0, k0, rows, mask);
  const char *swap = "{permutation = array<i64: 0, 2, 1, 3>}";
  std::string suffix = test.transposed ? "t" : "";
  for (const char *name : {"q", "k", "v", "g"})
    if (bool isQuery = *name == 'q' || *name == 'g'; test.transposed)
      text += fmt::format("%{0}t = nn.transpose %{0} {1} : {2} -> {3}\n", name, swap,
                          isQuery ? q0 : k0, isQuery ? q : k);
  if (test.masked)
    text += fmt::format("%b = nn.broadcast %m {{dims = array<i64: 0, 3>}} : {} -> {}\n", mask, all);
  text += fmt::format("%rq, %rk, %rv = nn.attention_grad %q{0}, %k{0}, %v{0}, %g{0}, %l, %d{1}{2}"
                      "{3} : ({4}, {5}, {5}, {4}, {6}, {6}{7}{8}) -> ({4}, {5}, {5})\n",
                      suffix, test.masked ? " mask %b" : "", s.causal ? " offset %o" : "",
                      s.causal ? " {causal}" : "", q, k, rows, test.masked ? ", " + all : "",
                      s.causal ? ", tensor<i32>" : "");
  for (const char *name : {"q", "k", "v"})
    if (bool isQuery = *name == 'q'; test.transposed)
      text += fmt::format("%r{0}t = nn.transpose %r{0} {1} : {2} -> {3}\n", name, swap,
                          isQuery ? q : k, isQuery ? q0 : k0);
  return text + fmt::format("return %rq{0}, %rk{0}, %rv{0} : {1}, {2}, {2}\n}}\n", suffix, q0, k0);
}

Array flat(const std::vector<double> &values) { return {{int64_t(values.size())}, values}; }

void check(const Case &test) {
  const AttentionShape &s = test.shape;
  Model model = makeModel(makeText(test));
  ASSERT_EQ(model.kernels.size(), 1u) << "views are read and written by strides\n"
                                      << makeText(test);
  Result<codegen::CpuObject> object = codegen::compileForCpu(model.kernels, {test.cpu});
  ASSERT_TRUE(object) << object.error().message;
  Result<rt::LoadedObject> loaded = rt::LoadedObject::load(std::as_bytes(std::span(object->elf)));
  ASSERT_TRUE(loaded) << loaded.error().message;

  nn::KernelOp kernel = model.kernels[0];
  Type element = getElementTypeOrSelf(kernel->getResult(0).getType());
  auto type = RankedTensorType::get({1}, element);
  std::vector<double> q = randomArray(type, {int64_t(s.querySize())}, 1).data;
  std::vector<double> k = randomArray(type, {int64_t(s.keySize())}, 2).data;
  std::vector<double> v = randomArray(type, {int64_t(s.keySize())}, 3).data;
  std::vector<double> g = randomArray(type, {int64_t(s.querySize())}, 4).data;
  std::vector<char> shown = drawMask(s, s.batch);
  std::vector<char> mask = test.masked ? stretchMask(s, shown) : std::vector<char>();
  AttentionGradReference want = referenceAttentionGrad(s, q, k, v, g, mask);
  auto stored = [&](const std::vector<double> &values, int64_t heads, int64_t positions) {
    return flat(test.transposed ? swapMiddle(values, heads, positions, s.headSize) : values);
  };
  std::vector<Array> operands = {stored(q, s.heads, s.queries),
                                 stored(k, s.keyHeads, s.keys),
                                 stored(v, s.keyHeads, s.keys),
                                 stored(g, s.heads, s.queries),
                                 flat(want.lse),
                                 flat(want.delta)};
  if (test.masked)
    operands.push_back(flat({shown.begin(), shown.end()}));
  if (s.causal)
    operands.push_back({{}, {double(s.offset)}});
  ASSERT_EQ(operands.size(), kernel.getNumOperands());
  std::vector<Array> results =
      runKernel(kernel, *object, 0, *loaded, operands, {s.queries, s.keys});
  double allowed = element.isBF16() ? 1.0 / 60 : element.isF16() ? 1.0 / 500 : 3e-5;
  const std::vector<double> *wanted[] = {&want.query, &want.key, &want.value};
  for (int n = 0; n < 3; ++n) {
    std::vector<double> got = results[n].data;
    if (test.transposed)
      got = swapMiddle(got, n ? s.keys : s.queries, n ? s.keyHeads : s.heads, s.headSize);
    ASSERT_EQ(got.size(), wanted[n]->size());
    for (size_t i = 0; i < got.size(); ++i)
      ASSERT_LE(std::fabs(got[i] - (*wanted[n])[i]), allowed * (1 + std::fabs((*wanted[n])[i])))
          << "result " << n << ", element " << i << ": " << got[i] << ", not " << (*wanted[n])[i]
          << "\n"
          << makeText(test);
  }
}

TEST(CpuAttentionGrad, AnyLengthAndHeadSize) {
  for (int64_t d : {1, 3, 20, 64, 80, 128})
    check({{2, 3, 3, 7, 9, d}});
  for (int64_t t : {1, 31, 33, 65})
    for (int64_t keys : {1, 63, 64, 65, 130})
      check({{1, 2, 2, t, keys, 16}});
}

TEST(CpuAttentionGrad, CausalWithOffsets) {
  for (int64_t offset : {0, 3, 40, 200, -30}) // the last hides all keys from some rows
    check({{1, 2, 2, 70, 75, 16, true, offset}});
}

TEST(CpuAttentionGrad, GroupsMasksAndTransposedOperands) {
  check({{2, 6, 2, 11, 37, 24}});
  check({{2, 6, 2, 50, 70, 24, true, 5}, "f32", true, true});
}

TEST(CpuAttentionGrad, ElementsAndVectors) {
  for (const char *element : {"f16", "bf16"})
    check({{1, 4, 2, 20, 70, 32, true, 40}, element, true, true});
  for (const char *cpu : {"x86-64", "x86-64-v3"})
    check({{1, 4, 2, 20, 70, 36, true, 40}, "f32", true, true, cpu});
}

} // namespace
