#include "test/unit/cuda/KernelTest.h"

#include "test/unit/AttentionText.h"
#include "test/unit/cuda/Elements.h"

#include <cmath>
#include <fmt/format.h>

using namespace nnc;
using namespace nnc::test;

namespace {

/// B is the number of queries and T of keys of the test's entry point.
class Attention : public KernelTest {
protected:
  struct Case {
    AttentionShape shape;
    std::string element = "f32";
    bool transposed = false; ///< operands and result are [B, position, head, place]
    bool masked = false;     ///< by [B, S]
    bool fixed = false;      ///< the number of queries is known when compiling
    bool perRow = false;     ///< the mask is [B, head, position, S]
    bool keepsSums = false;  ///< of the softmax: the second result
  };

  void build(const Case &test);
  void check(const Case &test);
  void checkBuilt(const Case &test);
};

void Attention::build(const Case &test) {
  const AttentionShape &s = test.shape;
  std::string queries = test.fixed ? std::to_string(s.queries) : "s0";
  auto tensor = [&](int64_t heads, const std::string &positions, bool transposed) {
    return tensorOfHeads(s, heads, positions, test.element, transposed);
  };
  std::string q = tensor(s.heads, queries, false), k = tensor(s.keyHeads, "s1", false);
  std::string q0 = tensor(s.heads, queries, test.transposed);
  std::string k0 = tensor(s.keyHeads, "s1", test.transposed);
  std::string mask = keyMaskText(s), all = maskText(s, queries);
  if (test.perRow)
    mask = all;
  std::string sums = tensorOfRows(s, queries);
  std::string also = test.keepsSums ? ", " + sums : "";
  std::string types = q0 + ", " + k0 + ", " + k0 + ", " + mask + ", tensor<i32>";
  std::string text =
      fmt::format("nn.kernel \"attend\" (%q, %k, %v, %m, %o : {}) -> ({}) attributes "
                  "{{anchor = \"attention\"}} {{\n"
                  "^bb0(%aq: {}, %ak: {}, %av: {}, %am: {}, %ao: tensor<i32>):\n",
                  types, q0 + also, q0, k0, k0, mask);
  std::string names[] = {"%aq", "%ak", "%av"};
  const char *swap = "{permutation = array<i64: 0, 2, 1, 3>}";
  if (test.transposed)
    for (std::string &name : names) {
      bool isQuery = name == "%aq";
      text += fmt::format("{0}t = nn.transpose {0} {1} : {2} -> {3}\n", name, swap,
                          isQuery ? q0 : k0, isQuery ? q : k);
      name += "t";
    }
  if (test.masked && !test.perRow)
    text +=
        fmt::format("%b = nn.broadcast %am {{dims = array<i64: 0, 3>}} : {} -> {}\n", mask, all);
  text += fmt::format("%r{} = nn.attention {}, {}, {}{}{}{} : ({}, {}, {}{}{}) -> ({}{})\n",
                      test.keepsSums ? ", %s" : "", names[0], names[1], names[2],
                      test.perRow   ? " mask %am"
                      : test.masked ? " mask %b"
                                    : "",
                      s.causal ? " offset %ao" : "", s.causal ? " {causal}" : "", q, k, k,
                      test.masked ? ", " + all : "", s.causal ? ", tensor<i32>" : "", q, also);
  if (test.transposed)
    text += fmt::format("%u = nn.transpose %r {} : {} -> {}\n", swap, q, q0);
  text += fmt::format("nn.yield {}{} : {}\n}}\n", test.transposed ? "%u" : "%r",
                      test.keepsSums ? ", %s" : "", q0 + also);
  KernelTest::build(
      "%q: " + q0 + ", %k: " + k0 + ", %v: " + k0 + ", %m: " + mask + ", %o: tensor<i32>", text);
}

void Attention::checkBuilt(const Case &test) {
  const AttentionShape &s = test.shape;
  auto draw = [&](size_t count, unsigned seed) { return drawElements(test.element, count, seed); };
  auto q = draw(s.querySize(), 1), k = draw(s.keySize(), 2), v = draw(s.keySize(), 3);
  std::vector<char> padding = drawMask(s, test.perRow ? s.batch * s.heads * s.queries : s.batch);
  std::vector<char> mask = test.masked ? stretchMask(s, padding) : std::vector<char>();
  auto stored = [&](const std::vector<double> &values, int64_t heads, int64_t positions) {
    auto placed = test.transposed ? swapMiddle(values, heads, positions, s.headSize) : values;
    return storedAs(test.element, placed);
  };
  auto out = run({s.queries, s.keys}, {stored(q, s.heads, s.queries), stored(k, s.keyHeads, s.keys),
                                       stored(v, s.keyHeads, s.keys), bytesOf(padding),
                                       bytesOf(std::vector<int32_t>{int32_t(s.offset)})});
  std::vector<float> got = readAs(test.element, out.at(0));
  if (test.transposed)
    got = swapMiddle(got, s.queries, s.heads, s.headSize);
  std::vector<float> want = referenceAttention(s, q, k, v, mask);
  ASSERT_EQ(got.size(), want.size());
  float allowed = test.element == "f32" ? 1e-5f : test.element == "f16" ? 1e-3f : 1e-2f;
  for (size_t i = 0; i < got.size(); ++i) {
    if (std::isnan(got[i]) && std::isnan(want[i]))
      continue;
    ASSERT_LE(std::fabs(got[i] - want[i]), allowed * std::max(1.0f, std::fabs(want[i])))
        << "element " << i << ": " << got[i] << ", not " << want[i] << "\n"
        << source();
  }
  if (test.keepsSums)
    expectNear(valuesOf<float>(out.at(1)), referenceSums(s, q, k, mask),
               test.element == "f32" ? 1e-5f : 1e-3f);
}

void Attention::check(const Case &test) {
  build(test);
  checkBuilt(test);
}

TEST_F(Attention, HeadSizes) {
  for (int64_t d : {3, 80, 256})
    check({{2, 2, 2, 7, 9, d}});
}

TEST_F(Attention, AnyLength) {
  Case test{{1, 2, 2, 1, 1, 16}};
  build(test);
  EXPECT_NE(source().find("<= 16)"), std::string::npos) << source();
  EXPECT_NE(source().find("attentionFew<"), std::string::npos) << source();
  for (int64_t t : {1, 16, 17, 64})
    for (int64_t keys : {1, 64, 65, 130}) {
      test.shape.queries = t;
      test.shape.keys = keys;
      checkBuilt(test);
    }
}

TEST_F(Attention, Causal) {
  Case test{{1, 2, 2, 60, 60, 16, true}};
  build(test);
  checkBuilt(test);
  test.shape.keys = 140;
  for (int64_t offset : {0, 3, 80, 500}) {
    test.shape.offset = offset;
    checkBuilt(test);
  }
}

TEST_F(Attention, KeepsTheSumsOfTheSoftmax) {
  auto check = [&](Case test) {
    test.keepsSums = true;
    Attention::check(test);
  };
  check({{2, 4, 2, 3, 70, 8, true, 5}, "f32", true, true}); // few rows are not done apart
  EXPECT_EQ(source().find("attentionFew"), std::string::npos) << source();
  check({{1, 1, 1, 5, 4, 8, true, -2}}); // -inf of rows that see nothing
  check({{2, 4, 2, 70, 90, 16, true, 20}, "bf16", true});
  check({{1, 2, 2, 20, 9, 20}, "f16"}); // loads of four elements
}

TEST_F(Attention, RowsThatSeeNothingAreNaN) { check({{1, 1, 1, 5, 4, 8, true, -2}}); }

TEST_F(Attention, GroupsMasksAndTransposedOperands) {
  check({{2, 6, 2, 11, 37, 24}});
  check({{2, 6, 2, 11, 37, 24, true, 5}, "f32", true, true});
}

TEST_F(Attention, HalfPrecisionOnTensorCores) {
  for (const char *element : {"f16", "bf16"}) {
    Case test{{1, 4, 2, 9, 70, 32, true, 61}, element, true, true};
    build(test);
    EXPECT_NE(source().find("attentionOnTensorCores<AttentionGroupTile<32, 2, 128, 2, true>, "
                            "AttentionMmaTile<32, 128, 64, 8>, "),
              std::string::npos)
        << source();
    checkBuilt(test);
    test.shape = {1, 4, 2, 3, 70, 32, true, 5}; // few rows
    checkBuilt(test);
    test.shape = {1, 4, 2, 64, 130, 32, true, 100}; // both groups
    checkBuilt(test);
    test.shape = {1, 4, 2, 100, 300, 32, true, 240}; // several tiles, of several steps
    checkBuilt(test);
  }
  check({{1, 2, 2, 20, 9, 20}, "bf16"});          // loads of four elements
  check({{1, 1, 1, 17, 33, 7}, "f16"});           // and of one
  check({{1, 1, 1, 20, 4, 16, true, -2}, "f16"}); // rows that see nothing
}

TEST_F(Attention, GroupsOfWarps) {
  check({{1, 1, 1, 33, 270, 128}, "bf16"});                // three steps share two places
  check({{1, 2, 2, 70, 40, 72, true, -10}, "bf16", true}); // half of a depth of 16
  check({{1, 2, 1, 20, 90, 96, true, 60}, "f16", false, true});
  check({{1, 1, 1, 150, 80, 192}, "f16"}); // 2 tiles, heads in three blocks
  check({{1, 1, 1, 20, 150, 256}, "bf16"});
  // A head is a tile of four groups, of which two have no rows; blocks take a second tile.
  check({{12, 12, 12, 129, 20, 64}, "bf16", true, false, true});
  EXPECT_NE(source().find("AttentionGroupTile<64, 4, 80, 2, false>"), std::string::npos)
      << source();
  // Rows that see nothing between others: blocks take tiles from both ends.
  check({{6, 24, 24, 130, 33, 16, true, -70}, "f16", false, true, true});
  EXPECT_NE(source().find("AttentionGroupTile<16, 4, 80, 2, false>"), std::string::npos)
      << source();
}

TEST_F(Attention, MasksOfKeysAndOfRows) {
  check({{2, 4, 2, 21, 100, 64}, "bf16", true, true, true});
  EXPECT_NE(source().find("maskOfKeys("), std::string::npos) << source();
  check({{2, 4, 2, 21, 151, 64}, "bf16", false, true, true, true});
  EXPECT_EQ(source().find("maskOfKeys("), std::string::npos) << source();
  check({{1, 4, 2, 35, 70, 16, true, 30}, "f16", false, true, true, true});
}

TEST_F(Attention, SomeOfTheWarpsWhereThereAreNoGroups) {
  withoutGroups = true;
  check({{1, 4, 2, 100, 150, 32, true, 61}, "bf16", true, true});
  check({{12, 12, 12, 17, 20, 64}, "f16", false, false, true}); // tile after tile
}

TEST_F(Attention, FewQueriesShareOutTheKeys) {
  Case test{{2, 6, 2, 1, 300, 24, true, 290}, "f32", true, true, true};
  build(test);
  EXPECT_NE(source().find("AttentionFewTile<24, 4, 4, 4, 8>"), std::string::npos) << source();
  EXPECT_NE(source().find("NNC_CLUSTER(8)"), std::string::npos) << source();
  for (int64_t offset : {0, 1, 100, 299, 400}) {
    test.shape.offset = offset;
    checkBuilt(test);
  }
  for (int64_t keys : {1, 7, 512}) {
    test.shape.keys = keys;
    checkBuilt(test);
  }
  check({{1, 8, 2, 4, 130, 64, true, 70}, "bf16", false, false, true}); // several tiles
  check({{1, 2, 2, 3, 65, 128}, "f16", false, false, true});
  check({{1, 4, 1, 1, 70, 80}, "bf16", false, true, true});          // lanes behind the head
  check({{1, 1, 1, 2, 33, 256}, "f32", false, false, true});         // several loads of a lane
  check({{1, 2, 1, 1, 40, 7}, "f16", false, false, true});           // loads of one element
  check({{1, 1, 1, 2, 4, 16, true, -1}, "f32", false, false, true}); // a row that sees nothing
}

TEST_F(Attention, KeysBehindTheLastVisibleAreNotRead) {
  // The cache's rest is poisoned: NaN there would show.
  AttentionShape s{1, 2, 1, 2, 512, 8, true, 70};
  build({s});
  auto q = randomFloats(s.querySize(), 1), k = randomFloats(s.keySize(), 2);
  auto v = randomFloats(s.keySize(), 3);
  for (size_t i = size_t(128 * s.headSize); i < k.size(); ++i)
    k[i] = v[i] = NAN;
  auto out = run({s.queries, s.keys},
                 {bytesOf(q), bytesOf(k), bytesOf(v), bytesOf(std::vector<char>(512, 1)),
                  bytesOf(std::vector<int32_t>{70})});
  expectNear(valuesOf<float>(out.at(0)), referenceAttention(s, q, k, v, {}));
}

} // namespace
