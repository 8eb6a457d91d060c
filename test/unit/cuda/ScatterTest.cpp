#include "test/unit/cuda/KernelTest.h"

#include "runtime/format/Half.h"

#include <algorithm>
#include <fmt/format.h>

using namespace nnc;
using namespace nnc::test;

namespace {

/// B tables of `places` rows of `columns`, from T values each.
class Scatter : public KernelTest {
protected:
  void check(int64_t places, int64_t columns, const std::vector<std::pair<int64_t, int64_t>> &sizes,
             const std::string &element = "f32", int64_t padding = 0) {
    std::string values = fmt::format("tensor<?x?x{0}x{1}, affine_map<()[s0, s1] -> (s0, s1, {0})>>",
                                     columns, element);
    std::string ids = "tensor<?xi64, affine_map<()[s0, s1] -> (s1)>>";
    std::string result =
        fmt::format("tensor<?x{0}x{1}xf32, affine_map<()[s0] -> (s0, {0}, {1})>>", places, columns);
    build(
        "%v: " + values + ", %i: " + ids,
        fmt::format("nn.kernel \"scatter\" (%v, %i : {0}, {1}) -> ({2}) attributes {{anchor = "
                    "\"scatter\"}} {{\n^bb0(%a: {0}, %b: {1}):\n%r = nn.scatter_add %a, %b {{axis "
                    "= 1 : i64}} : {0}, {1} -> {2}\nnn.yield %r : {2}\n}}",
                    values, ids, result));
    for (auto [tables, count] : sizes)
      checkBuilt(tables, places, columns, count, element, padding);
  }

  /// Of so many ids that follow each other, all but one are 1: padding.

  void checkBuilt(int64_t tables, int64_t places, int64_t columns, int64_t count,
                  const std::string &element, int64_t padding) {
    std::vector<float> values = randomFloats(size_t(tables * count * columns));
    std::vector<uint16_t> narrow;
    for (float &value : values) {
      narrow.push_back(format::bf16FromFloat(value));
      if (element == "bf16")
        value = format::floatFromBf16(narrow.back());
    }
    std::vector<int64_t> ids;
    for (int64_t i = 0; i < count; ++i)
      ids.push_back(padding && i % padding ? 1 : i * 7919 % (places + 2) - 1); // also outside
    std::vector<float> wanted(size_t(tables * places * columns), 0);
    for (int64_t t = 0; t < tables; ++t)
      for (int64_t i = 0; i < count; ++i)
        for (int64_t c = 0; c < columns; ++c)
          wanted[size_t(
              (t * places + std::clamp<int64_t>(ids[size_t(i)], 0, places - 1)) * columns + c)] +=
              values[size_t((t * count + i) * columns + c)];
    Bytes bytes = element == "bf16" ? bytesOf(narrow) : bytesOf(values);
    expectNear(valuesOf<float>(run({tables, count}, {bytes, bytesOf(ids)}).at(0)), wanted, 0);
  }
};

} // namespace

TEST_F(Scatter, FewPlaces) { check(3, 5, {{1, 1}, {2, 40}, {3, 300}}); }

/// More columns than threads, more ids than threads, rows that share a block.
TEST_F(Scatter, ManyPlaces) { check(2100, 300, {{1, 512}}); }

TEST_F(Scatter, NarrowValues) { check(17, 33, {{2, 100}}, "bf16"); }

/// Rows that are named again and again share a block with others.
TEST_F(Scatter, Padding) { check(1100, 40, {{1, 500}, {2, 9}}, "f32", 5); }
