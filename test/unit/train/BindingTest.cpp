// How inputs of entry points find their fields and sizes.
#include "tools/nnc-train/data/Binding.h"
#include "../runtime/TestModel.h"
#include "Files.h"

using namespace nnc;
using namespace nnc::train;

namespace {

/// Fields alone.
class Shapes : public Dataset {
public:
  explicit Shapes(std::vector<Field> fields) : list(std::move(fields)) {}
  const std::string &name() const override { return title; }
  size_t size(int64_t length) const override { return 100 / static_cast<size_t>(length); }
  std::span<const Field> fields() const override { return list; }
  Result<void> read(size_t, size_t, const Target &) const override { return {}; }

private:
  std::string title = "shapes";
  std::vector<Field> list;
};

const Shapes Pictures({{"image", DType::F32, {3, Field::AnySize, Field::AnySize}, true},
                       {"label", DType::I64, {}}});
const Shapes Words({{"tokens", DType::U8, {Field::AnySize}},
                    {"targets", DType::U8, {Field::AnySize}}});

std::string text(const Result<Binding> &binding) {
  if (!binding)
    return binding.error().message;
  std::string text;
  for (const BoundInput &input : binding->inputs)
    text += input.name + " " + tensorText(input.dtype, input.shape) + " of field " +
            std::to_string(input.field) + "; ";
  return text + "length " + std::to_string(binding->length);
}

TEST(Binding, FindsFieldsByNameThenByCommonNames) {
  HandMadeEntry entry("train_step");
  uint32_t b = entry.dim("B", 2, 64), t = entry.dim("T", 1, 50);
  entry.input("ids", DType::I32, {b, t});
  entry.input("targets", DType::I64, {b, t});
  auto made = entry.take();
  EXPECT_EQ(text(bindInputs(Words, *made, {.dims = {{"T", 10}}})),
            "ids i32[10] of field 0; targets i64[10] of field 1; length 10");
  EXPECT_EQ(text(bindInputs(Words, *made, {.fields = {{"ids", "targets"}}, .dims = {{"T", 10}}})),
            "ids i32[10] of field 1; targets i64[10] of field 1; length 10");
  EXPECT_EQ(text(bindInputs(Words, *made, {})),
            "the input `ids` of `train_step` is i32[B, T], and shapes says nothing about T: choose "
            "it with --dim T=50");
  EXPECT_EQ(text(bindInputs(Words, *made, {.dims = {{"T", 51}}})),
            "`train_step` takes T in 1..=50, not 51");
  EXPECT_EQ(text(bindInputs(Words, *made, {.batch = 1, .dims = {{"T", 5}}})),
            "`train_step` takes B in 2..=64, not 1");
  EXPECT_EQ(bindInputs(Words, *made, {.dims = {{"T", 5}}})->leastBatch, 2);
  EXPECT_EQ(text(bindInputs(Pictures, *made, {})),
            "`train_step` takes the input `ids`, and shapes has `image`, `label`: name the field "
            "with --map ids=FIELD");
}

TEST(Binding, TakesImagesOfAnySizeAsFloats) {
  HandMadeEntry entry("train_step");
  uint32_t b = entry.dim("B", 1, 64), h = entry.dim("H", 16, 256);
  entry.input("x", DType::BF16, {b, entry.constant(3), h, entry.constant(24)});
  auto made = entry.take();
  EXPECT_EQ(text(bindInputs(Pictures, *made, {.dims = {{"H", 32}}})),
            "x bf16[3, 32, 24] of field 0; length 1");
  HandMadeEntry other("train_step");
  b = other.dim("B", 1, 64);
  other.input("image", DType::I32, {b, other.constant(3), other.constant(8), other.constant(8)});
  EXPECT_EQ(
      text(bindInputs(Pictures, *other.take(), {})),
      "the input `image` takes i32[3, 8, 8] per example, but `image` of shapes is f32[3, any, "
      "any]");
}

TEST(Binding, WantsOneBatchAxis) {
  HandMadeEntry entry("train_step");
  uint32_t b = entry.dim("B", 1, 64), c = entry.dim("C", 1, 64);
  entry.input("tokens", DType::I32, {b, entry.constant(4)});
  entry.input("targets", DType::I32, {c, entry.constant(4)});
  EXPECT_EQ(text(bindInputs(Words, *entry.take(), {})),
            "the inputs of `train_step` have no common first axis, the batch: tokens is i32[B, 4], "
            "targets is i32[C, 4]");
  HandMadeEntry sum("train_step");
  sum.input("tokens", DType::I32, {sum.plus(sum.dim("B", 1, 64), 1), sum.constant(4)});
  EXPECT_EQ(text(bindInputs(Words, *sum.take(), {})),
            "the first axis of the inputs of `train_step` is B + 1, not a dimension alone");
  HandMadeEntry fixed("train_step");
  fixed.input("tokens", DType::I32, {fixed.constant(8), fixed.constant(4)});
  auto made = fixed.take();
  EXPECT_EQ(text(bindInputs(Words, *made, {.batch = 9})),
            "`train_step` is compiled for batches of 8, not of 9");
  EXPECT_FALSE(bindInputs(Words, *made, {.batch = 8})->leastBatch);
  HandMadeEntry scalar("train_step");
  scalar.input("tokens", DType::I32, {});
  EXPECT_EQ(text(bindInputs(Words, *scalar.take(), {})),
            "the input `tokens` of `train_step` is i32[]; the examples of shapes, one after the "
            "other, have 2 axes");
  EXPECT_EQ(text(bindInputs(Words, *HandMadeEntry("train_step").take(), {})),
            "`train_step` has no inputs that data could go to");
}

} // namespace
