// Slots and checkpoints of sessions, on both targets.
#include "States.h"
#include "runtime/format/Safetensors.h"

#include <cmath>
#include <cstdio>
#include <unistd.h>

using namespace nnc;

namespace {

constexpr const char *Counting = R"(
  param scale: f32[2] = 3
  buffer mean: f32[2] = 0.5
  state n: i32[] = 5
  fn forward(x: f32[2]) -> f32[2] {
    n <- n + 1
    mean <- mean + x
    return mean * scale * f32(n)
  })";

class Slots : public States {
protected:
  void TearDown() override { std::remove(path.c_str()); }

  std::string texts() const {
    std::string text;
    for (const Slot &slot : session->slots())
      text += slot.name + " " + tensorText(slot.dtype, slot.shape) + (slot.isFixed ? "; " : "?; ");
    return text;
  }

  Floats valueOf(const char *name) {
    Result<Tensor> value = session->state(name);
    EXPECT_TRUE(value) << value.error().message;
    return value ? Floats(value->values<float>().begin(), value->values<float>().end()) : Floats();
  }

  template <typename T> static std::string message(const Result<T> &result) {
    return result ? "" : result.error().message;
  }

  /// Writes a checkpoint of these tensors of f32[size], and n if it is not 0.
  void write(std::vector<std::pair<std::string, Floats>> tensors, int32_t n = 7) {
    std::vector<format::StoredTensor> stored;
    for (auto &[name, values] : tensors)
      stored.push_back({name,
                        DType::F32,
                        {static_cast<int64_t>(values.size())},
                        std::as_bytes(std::span(values))});
    if (n)
      stored.push_back({"n", DType::I32, {}, std::as_bytes(std::span(&n, 1))});
    ASSERT_TRUE(format::writeSafetensors(path, stored));
  }

  std::string path = testing::TempDir() + "slots" + std::to_string(getpid()) + ".safetensors";
};

TEST_P(Slots, AreWhatCallsChange) {
  open(Counting);
  EXPECT_EQ(texts(), "mean f32[2]; n i32[]; ");
  call({{"x", floats({2}, {1, 2})}});
  EXPECT_EQ(valueOf("mean"), (Floats{1.5, 2.5}));
  EXPECT_EQ(session->state("n")->values<int32_t>()[0], 6);
}

TEST_P(Slots, AreSet) {
  open(Counting);
  ASSERT_TRUE(session->setState("mean", floats({2}, {10, 20})));
  ASSERT_TRUE(session->setState("n", scalar(1)));
  EXPECT_EQ(call({{"x", floats({2}, {0, 1})}}), (Floats{60, 126}));
  ASSERT_TRUE(session->reset());
  EXPECT_EQ(valueOf("mean"), (Floats{0.5, 0.5}));
}

TEST_P(Slots, RefuseWhatDoesNotFit) {
  open(Counting);
  EXPECT_EQ(message(session->state("meen")), "no call changes `meen`; did you mean `mean`?");
  EXPECT_EQ(message(session->state("scale")), "no call changes `scale`; there is `mean`, `n`");
  EXPECT_EQ(message(session->setState("mean", floats({3}, {1, 2, 3}))),
            "`mean`: expected f32[2], found f32[3]");
  EXPECT_EQ(message(session->setState("mean", scalar(1))), "`mean`: expected f32[2], found i32[]");
  open("fn forward(x: f32[2]) -> f32[2] = x");
  EXPECT_EQ(message(session->state("mean")),
            "no call changes `mean`: the model keeps nothing between calls");
}

TEST_P(Slots, GetTheirSizesFromValues) {
  open(R"(
  state kept: f32[B, 2]
  fn forward(x: f32[B, 2]) -> f32[B, 2] requires B in 1..=4 {
    kept <- kept + x
    return kept
  })");
  EXPECT_EQ(texts(), "kept f32[4, 2]?; ");
  EXPECT_EQ(message(session->state("kept")),
            "`kept` has no value: its sizes depend on dimensions that no call has fixed");
  EXPECT_EQ(message(session->setState("kept", counting({5, 2}))),
            "`kept`: expected at most f32[4, 2], found f32[5, 2]");
  ASSERT_TRUE(session->setState("kept", counting({1, 2})));
  EXPECT_EQ(texts(), "kept f32[1, 2]; ");
  EXPECT_EQ(call({{"x", counting({1, 2})}}), (Floats{2, 4}));
  EXPECT_EQ(failure({{"x", counting({2, 2})}}),
            "`forward`: the state `kept` was begun with B = 1, this call has 2; reset the session "
            "first");
  ASSERT_TRUE(session->save(path));
  reopen();
  ASSERT_TRUE(session->load(path));
  EXPECT_EQ(call({{"x", counting({1, 2})}}), (Floats{3, 6}));
}

TEST_P(Slots, ContinueFromACheckpoint) {
  open(R"(
  buffer sum: f32[8] = 0
  fn forward(x: f32[8]) -> f32[8] {
    sum <- sum + x * f32(normal([8]))
    return sum
  })",
       {}, {.seed = 42});
  TensorMap inputs = {{"x", counting({8})}};
  call(inputs);
  ASSERT_TRUE(session->save(path, {{"step", "1"}}));
  Floats next = call(inputs), afterwards = call(inputs);
  reopen({.seed = 1});
  call(inputs);
  Result<Metadata> metadata = session->load(path);
  ASSERT_TRUE(metadata) << metadata.error().message;
  EXPECT_EQ(*metadata, (Metadata{{"step", "1"}}));
  EXPECT_EQ(session->generator(), (Generator{42, 1}));
  EXPECT_EQ(call(inputs), next);
  EXPECT_EQ(call(inputs), afterwards);
}

TEST_P(Slots, AreSavedWithTheWeights) {
  open(Counting);
  ASSERT_TRUE(session->save(path));
  Result<format::Checkpoint> file = format::Checkpoint::open(path);
  ASSERT_TRUE(file);
  std::string names;
  for (const format::StoredTensor &tensor : file->tensors())
    names += tensor.name + " ";
  EXPECT_EQ(names, "mean n scale ");
}

TEST_P(Slots, RefuseAnotherModelsCheckpointAndStayAsTheyAre) {
  open(Counting);
  call({{"x", floats({2}, {1, 2})}});
  auto refused = [&](const std::string &what) {
    EXPECT_EQ(message(session->load(path)), path + " does not fit the model: " + what);
    EXPECT_EQ(valueOf("mean"), (Floats{1.5, 2.5}));
  };
  write({{"scale", {3, 3}}});
  refused("it lacks `mean`");
  write({{"mean", {3, 3}}, {"scale", {3, 3}}, {"bias", {1}}});
  refused("it has `bias`, the model has not");
  write({{"mean", {3, 3, 3}}, {"scale", {3, 3}}});
  refused("`mean`: expected f32[2], found f32[3]");
  write({{"mean", {3, 3}}, {"n", {1}}}, 0);
  refused("`n`: expected i32[], found f32[1]");
  write({{"mean", {3, 3}}, {"scale", {3, 4}}});
  refused("`scale` differs from the model's, and no entry point sets it: compile the model with "
          "these weights");
  write({{"mean", {3, 3}}});
  ASSERT_TRUE(session->load(path));
  EXPECT_EQ(valueOf("mean"), (Floats{3, 3}));
}

TEST_P(Slots, TellWhereNumbersEnd) {
  open(R"(
  state kept: f32[2] = 1
  fn forward(x: f32[2]) -> f32[2] {
    kept <- kept * 2
    total = sum(sqrt(x) * kept)
    return kept + total
  })");
  auto find = [&](const Tensor &x) {
    auto found = session->findNan("forward", {{"x", x}});
    if (!found)
      return found.error().message;
    const char *kinds[] = {"input", "slot", "step"};
    return *found ? std::string(kinds[static_cast<int>((*found)->kind)]) + " " + (*found)->name +
                        " " + (*found)->location
                  : "nowhere";
  };
  EXPECT_EQ(find(floats({2}, {1, 4})), "nowhere");
  EXPECT_EQ(valueOf("kept"), (Floats{2, 2}));
  EXPECT_EQ(find(floats({2}, {1, -4})), "step sum model.nn:6:13");
  float nan = std::nanf("");
  EXPECT_EQ(find(floats({2}, {nan, 1})), "input x ");
  ASSERT_TRUE(session->setState("kept", floats({2}, {1, nan})));
  EXPECT_EQ(find(floats({2}, {1, 1})), "slot kept ");
  ASSERT_TRUE(session->reset());
  EXPECT_EQ(find(floats({3}, {1, 1, 1})),
            "input `x`: axis 0 must be 2; expected f32[2], found f32[3]");
}

INSTANTIATE_TEST_SUITE_P(Targets, Slots, testing::Values("cpu", "cuda"));

} // namespace
