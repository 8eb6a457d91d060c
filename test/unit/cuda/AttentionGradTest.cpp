#include "test/unit/cuda/KernelTest.h"

#include "test/unit/AttentionText.h"
#include "test/unit/cuda/Elements.h"

#include <cmath>
#include <fmt/format.h>

using namespace nnc;
using namespace nnc::test;

namespace {

/// B is the number of queries and T of keys of the test's entry point.
class AttentionGrad : public KernelTest {
protected:
  struct Case {
    AttentionShape shape;
    std::string element = "f32";
    bool transposed = false;     ///< tensors of heads are [B, position, head, place]
    bool masked = false;         ///< by [B, S]
    std::string results = "qkv"; ///< which gradients are asked for
  };

  void build(const Case &test);
  void checkBuilt(const Case &test);
  void check(const Case &test) {
    build(test);
    checkBuilt(test);
  }
};

void AttentionGrad::build(const Case &test) {
  const AttentionShape &s = test.shape;
  auto tensor = [&](int64_t heads, const char *positions, bool transposed) {
    return tensorOfHeads(s, heads, positions, test.element, transposed);
  };
  std::string q = tensor(s.heads, "s0", false), k = tensor(s.keyHeads, "s1", false);
  std::string q0 = tensor(s.heads, "s0", test.transposed);
  std::string k0 = tensor(s.keyHeads, "s1", test.transposed);
  std::string rows = tensorOfRows(s), mask = keyMaskText(s), all = maskText(s);
  std::vector<std::string> types = {q0, k0, k0, q0, rows, rows, mask, "tensor<i32>"};
  const char *names[] = {"q", "k", "v", "g", "l", "d", "m", "o"};
  std::string operands, arguments, list, resultTypes, yielded;
  for (size_t i = 0; i < types.size(); ++i) {
    std::string comma = i ? ", " : "";
    operands += comma + "%" + names[i];
    list += comma + types[i];
    arguments += fmt::format("{}%a{}: {}", comma, names[i], types[i]);
  }
  for (char result : test.results) {
    std::string comma = resultTypes.empty() ? "" : ", ";
    resultTypes += comma + (result == 'q' ? q0 : k0);
    yielded += fmt::format("{}%r{}{}", comma, result, test.transposed ? "t" : "");
  }
  std::string text = fmt::format("nn.kernel \"attend\" ({} : {}) -> ({}) attributes {{anchor = "
                                 "\"attention_grad\"}} {{\n^bb0({}):\n",
                                 operands, list, resultTypes, arguments);
  const char *swap = "{permutation = array<i64: 0, 2, 1, 3>}";
  std::string suffix = test.transposed ? "t" : "";
  if (test.transposed)
    for (size_t i = 0; i < 4; ++i)
      text += fmt::format("%a{0}t = nn.transpose %a{0} {1} : {2} -> {3}\n", names[i], swap,
                          types[i], types[i] == q0 ? q : k);
  if (test.masked)
    text +=
        fmt::format("%b = nn.broadcast %am {{dims = array<i64: 0, 3>}} : {} -> {}\n", mask, all);
  text += fmt::format("%rq, %rk, %rv = nn.attention_grad %aq{0}, %ak{0}, %av{0}, %ag{0}, %al, "
                      "%ad{1}{2}{3} : ({4}, {5}, {5}, {4}, {6}, {6}{7}{8}) -> ({4}, {5}, {5})\n",
                      suffix, test.masked ? " mask %b" : "", s.causal ? " offset %ao" : "",
                      s.causal ? " {causal}" : "", q, k, rows, test.masked ? ", " + all : "",
                      s.causal ? ", tensor<i32>" : "");
  for (char result : test.results)
    if (test.transposed)
      text += fmt::format("%r{0}t = nn.transpose %r{0} {1} : {2} -> {3}\n", result, swap,
                          result == 'q' ? q : k, result == 'q' ? q0 : k0);
  text += fmt::format("nn.yield {} : {}\n}}\n", yielded, resultTypes);
  std::string outer;
  for (size_t i = 0; i < types.size(); ++i)
    outer += fmt::format("{}%{}: {}", i ? ", " : "", names[i], types[i]);
  KernelTest::build(outer, text);
}

void AttentionGrad::checkBuilt(const Case &test) {
  const AttentionShape &s = test.shape;
  auto draw = [&](size_t count, unsigned seed) { return drawElements(test.element, count, seed); };
  auto q = draw(s.querySize(), 1), k = draw(s.keySize(), 2), v = draw(s.keySize(), 3);
  auto g = draw(s.querySize(), 4);
  std::vector<char> padding = drawMask(s, s.batch);
  std::vector<char> mask = test.masked ? stretchMask(s, padding) : std::vector<char>();
  AttentionGradReference want = referenceAttentionGrad(s, q, k, v, g, mask);
  auto stored = [&](const std::vector<double> &values, int64_t heads, int64_t positions) {
    auto placed = test.transposed ? swapMiddle(values, heads, positions, s.headSize) : values;
    return storedAs(test.element, placed);
  };
  auto numbers = [](const std::vector<double> &values) {
    return bytesOf(std::vector<float>(values.begin(), values.end()));
  };
  auto out = run({s.queries, s.keys}, {stored(q, s.heads, s.queries), stored(k, s.keyHeads, s.keys),
                                       stored(v, s.keyHeads, s.keys), stored(g, s.heads, s.queries),
                                       numbers(want.lse), numbers(want.delta), bytesOf(padding),
                                       bytesOf(std::vector<int32_t>{int32_t(s.offset)})});
  float allowed = test.element == "f32" ? 2e-5f : test.element == "f16" ? 2e-3f : 2e-2f;
  for (size_t n = 0; n < test.results.size(); ++n) {
    bool isQuery = test.results[n] == 'q';
    std::vector<float> got = readAs(test.element, out.at(n));
    if (test.transposed)
      got =
          swapMiddle(got, isQuery ? s.queries : s.keys, isQuery ? s.heads : s.keyHeads, s.headSize);
    const std::vector<double> &wanted = isQuery                  ? want.query
                                        : test.results[n] == 'k' ? want.key
                                                                 : want.value;
    ASSERT_EQ(got.size(), wanted.size());
    for (size_t i = 0; i < got.size(); ++i)
      ASSERT_LE(std::fabs(got[i] - wanted[i]), allowed * std::max(1.0, std::fabs(wanted[i])))
          << "gradient of " << test.results[n] << ", element " << i << ": " << got[i] << ", not "
          << wanted[i] << "\n"
          << source();
  }
}

TEST_F(AttentionGrad, HeadSizes) {
  for (int64_t d : {3, 64, 72, 128})
    check({{2, 2, 2, 7, 9, d}});
}

TEST_F(AttentionGrad, AnyLength) {
  Case test{{1, 2, 2, 1, 1, 16}};
  build(test);
  for (int64_t t : {1, 33, 64, 65})
    for (int64_t keys : {1, 32, 66}) {
      test.shape.queries = t;
      test.shape.keys = keys;
      checkBuilt(test);
    }
}

TEST_F(AttentionGrad, Causal) {
  Case test{{1, 2, 2, 60, 60, 16, true}};
  build(test);
  checkBuilt(test);
  test.shape.keys = 140;
  for (int64_t offset : {0, 3, 80, 500, -30}) {
    test.shape.offset = offset;
    checkBuilt(test);
  }
}

TEST_F(AttentionGrad, GroupsMasksAndTransposedOperands) {
  check({{2, 6, 2, 11, 37, 24}});
  check({{2, 6, 2, 11, 37, 24, true, 5}, "f32", true, true});
}

TEST_F(AttentionGrad, OnlyWhatIsAskedFor) {
  check({{1, 4, 2, 20, 35, 16, true, 9}, "f32", false, false, "q"});
  check({{1, 4, 2, 20, 35, 16, true, 9}, "f32", false, false, "v"});
  check({{1, 4, 2, 70, 35, 16, true, 9}, "bf16", true, false, "kq"});
}

TEST_F(AttentionGrad, TensorCores) {
  for (const char *element : {"f16", "bf16"}) {
    Case test{{1, 4, 2, 9, 70, 32, true, 61}, element, true, true};
    build(test);
    EXPECT_NE(source().find("attentionGradOnTensorCores<AttentionGradGroupTile<32, 1, 64, 4, 2>, "
                            "AttentionGradMmaTile<32, 64, 64, 8>, "),
              std::string::npos)
        << source();
    checkBuilt(test);
    test.shape = {1, 4, 2, 64, 130, 32, true, 100}; // tiles that are seen as a whole
    checkBuilt(test);
    test.shape = {1, 4, 2, 100, 300, 32, true, 240}; // more steps than stages
    checkBuilt(test);
    test.shape = {1, 4, 2, 90, 60, 32, true, -40}; // rows that see nothing
    checkBuilt(test);
  }
  check({{1, 2, 2, 70, 200, 64}, "bf16"});
  check({{1, 2, 2, 70, 40, 72, true, -10}, "bf16", true}); // half of a depth of 16
  check({{1, 2, 1, 150, 140, 128, true}, "f16", true});    // two groups, one without rows
}

TEST_F(AttentionGrad, TensorCoresByWarps) {
  check({{1, 2, 2, 70, 90, 20}, "bf16"});                      // loads of four elements
  check({{1, 4, 2, 17, 33, 7, true, 20}, "f16", false, true}); // and of one
  check({{1, 1, 1, 70, 65, 100, true}, "f16"});                // heads that are read in every step
  withoutGroups = true;
  check({{1, 4, 2, 100, 150, 32, true, 61}, "bf16", true, true});
  check({{1, 2, 1, 70, 70, 128, true}, "f16", true});
}

} // namespace
