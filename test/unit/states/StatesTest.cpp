// What sessions keep: small models compiled from text for the cpu and for the twin of a GPU, called
// several times. Expected numbers are those of the same statements in Python.
#include "States.h"
#include "runtime/cuda/CudaDevice.h"

using namespace nnc;

namespace {

TEST_P(States, CountFromTheirInitialValue) {
  open(R"(
  state n: i32[] = 5
  state sum: f32[3] = 0.5
  fn forward(x: f32[3]) -> f32[3] {
    n <- n + 2
    sum <- sum + x * f32(n)
    return sum
  })");
  TensorMap inputs = {{"x", counting({3})}};
  EXPECT_EQ(call(inputs), (Floats{7.5, 14.5, 21.5}));
  EXPECT_EQ(call(inputs), (Floats{16.5, 32.5, 48.5}));
  ASSERT_TRUE(session->reset());
  EXPECT_EQ(call(inputs), (Floats{7.5, 14.5, 21.5}));
  reopen();
  EXPECT_EQ(call(inputs), (Floats{7.5, 14.5, 21.5}));
}

TEST_P(States, AreReadAsTheyAreAtEachPlace) {
  open(R"(
  state a: f32[2] = 1
  fn forward(x: f32[2]) -> f32[6] {
    before = a
    a <- x
    between = a
    a[1] <- 9
    return concat([before, between, a], axis=0)
  })");
  EXPECT_EQ(call({{"x", floats({2}, {3, 4})}}), (Floats{1, 1, 3, 4, 3, 9}));
  EXPECT_EQ(call({{"x", floats({2}, {5, 6})}}), (Floats{3, 9, 5, 6, 5, 9}));
}

TEST_P(States, AreSwapped) {
  open(R"(
  state a: f32[2] = 1
  state b: f32[2] = 2
  fn forward(x: f32[2]) -> f32[4] {
    old = a
    a <- b
    b <- old
    return concat([a + x, b + x], axis=0)
  })");
  TensorMap zero = {{"x", floats({2}, {0, 0})}};
  EXPECT_EQ(call(zero), (Floats{2, 2, 1, 1}));
  EXPECT_EQ(call(zero), (Floats{1, 1, 2, 2}));
  EXPECT_EQ(call(zero), (Floats{2, 2, 1, 1}));
}

TEST_P(States, TakeOnlyAReshapeOfWhatAStepMakes) {
  open(R"(
  state row: f32[4]
  state count: i32[]
  fn forward(x: f32[2, 4], n: i32[3]) -> f32[4] {
    row <- (x * 2)[1]
    count <- (n + 1)[1]
    return x[0] + row * f32(count)
  })");
  Result<Tensor> n = Tensor::empty(DType::I32, std::array<int64_t, 1>{3});
  std::iota(n->values<int32_t>().begin(), n->values<int32_t>().end(), 1);
  EXPECT_EQ(call({{"x", counting({2, 4})}, {"n", *n}}), (Floats{31, 38, 45, 52}));
}

TEST_P(States, ShiftWithinThemselves) {
  open(R"(
  state line: f32[5]
  fn forward(x: f32[1]) -> f32[5] {
    line[1:] <- line[:-1]
    line[0:1] <- x
    return line
  })");
  EXPECT_EQ(call({{"x", floats({1}, {1})}}), (Floats{1, 0, 0, 0, 0}));
  EXPECT_EQ(call({{"x", floats({1}, {2})}}), (Floats{2, 1, 0, 0, 0}));
  EXPECT_EQ(call({{"x", floats({1}, {3})}}), (Floats{3, 2, 1, 0, 0}));
}

TEST_P(States, KeepWhatSlicesLeaveOut) {
  open(R"(
  state grid: f32[3, 4] = -1
  fn forward(x: f32[2, 2], row: i32[]) -> f32[3, 4] requires row <= 1 {
    grid[row : row + 2, ::2] <- x
    return grid
  })");
  EXPECT_EQ(call({{"x", counting({2, 2})}, {"row", scalar(1)}}),
            (Floats{-1, -1, -1, -1, 1, -1, 2, -1, 3, -1, 4, -1}));
  EXPECT_EQ(call({{"x", counting({2, 2}, 10)}, {"row", scalar(0)}}),
            (Floats{10, -1, 20, -1, 30, -1, 40, -1, 3, -1, 4, -1}));
}

constexpr const char *Cache = R"(
  state kept: f32[B, 6, 2]
  state pos: i32[] = 0
  fn forward(x: f32[B, T, 2]) -> f32[B, 6, 2]
  requires B in 1..=4, T in 1..=6, pos + T <= 6: "the cache is full" {
    kept[:, pos : pos + T] <- x
    pos <- pos + T
    return kept
  }
  fn last(x: f32[B, 2]) -> f32[B, 2] requires B in 1..=4, pos >= 1, pos <= 6 {
    return kept[:, pos - 1] + x
  })";

TEST_P(States, AreWrittenAtPositionsThatTheyKeep) {
  open(Cache);
  EXPECT_EQ(call({{"x", counting({1, 2, 2})}}), (Floats{1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(call({{"x", counting({1, 1, 2}, 10)}}), (Floats{1, 2, 3, 4, 10, 20, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(call({{"x", floats({1, 2}, {1, 1})}}, "last"), (Floats{11, 21}));
  EXPECT_EQ(call({{"x", counting({1, 3, 2})}}), (Floats{1, 2, 3, 4, 10, 20, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(failure({{"x", counting({1, 1, 2})}}),
            "`forward` requires `pos + T <= 6` with B = 1, T = 1, pos = 6: the cache is full "
            "(model.nn:6)");
  EXPECT_EQ(call({{"x", floats({1, 2}, {0, 0})}}, "last"), (Floats{5, 6}));
  ASSERT_TRUE(session->reset());
  EXPECT_EQ(failure({{"x", floats({1, 2}, {0, 0})}}, "last"),
            "`last` requires `pos >= 1` with B = 1, pos = 0 (model.nn:11)");
}

TEST_P(States, FixTheirDimensionsWithTheFirstCall) {
  open(Cache);
  EXPECT_EQ(call({{"x", counting({2, 1, 2})}}).size(), 24u);
  EXPECT_EQ(failure({{"x", counting({3, 1, 2})}}),
            "`forward`: the state `kept` was begun with B = 2, this call has 3; reset the session "
            "first");
  ASSERT_TRUE(session->reset());
  EXPECT_EQ(call({{"x", counting({3, 1, 2})}}),
            (Floats{1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 4, 0, 0, 0, 0,
                    0, 0, 0, 0, 0, 0, 5, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
}

TEST_P(States, TakeDimensionsOfTheSession) {
  open(Cache);
  reopen({.dims = {{"B", 2}}});
  EXPECT_EQ(failure({{"x", counting({1, 1, 2})}}),
            "`forward`: the session was opened with B = 2, this call has 1");
  EXPECT_EQ(call({{"x", counting({2, 1, 2})}}).size(), 24u);
  Result<Session> wrong = engine->session({.dims = {{"C", 2}}});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message, "no state has a dimension `C`; did you mean `B`?");
  wrong = engine->session({.dims = {{"B", 9}}});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message, "B = 9 is outside 1..=4 of `forward`");
}

TEST_P(States, OfVariantsKeepTheirDimensions) {
  CompileOptions options;
  options.variants = {{"B", {1, 2}}, {"T", {2}}};
  open(Cache, options);
  // One state, whichever code runs: for B = 1 and T = 2, then the general one.
  EXPECT_EQ(call({{"x", counting({1, 2, 2})}}), (Floats{1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(call({{"x", counting({1, 1, 2}, 10)}}), (Floats{1, 2, 3, 4, 10, 20, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(call({{"x", floats({1, 2}, {1, 1})}}, "last"), (Floats{11, 21}));
  std::string begun = "`forward`: the state `kept` was begun with B = 1, this call has ";
  EXPECT_EQ(failure({{"x", counting({2, 2, 2})}}), begun + "2; reset the session first");
  EXPECT_EQ(failure({{"x", counting({3, 1, 2})}}), begun + "3; reset the session first");
  EXPECT_EQ(call({{"x", counting({1, 2, 2})}}), (Floats{1, 2, 3, 4, 10, 20, 1, 2, 3, 4, 0, 0}));
  ASSERT_TRUE(session->reset());
  EXPECT_EQ(call({{"x", counting({3, 1, 2})}}).size(), 36u);
  EXPECT_EQ(failure({{"x", counting({1, 2, 2})}}),
            "`forward`: the state `kept` was begun with B = 3, this call has 1; reset the session "
            "first");
}

TEST_P(States, VariantsTakeDimensionsOfTheSession) {
  CompileOptions options;
  options.variants = {{"B", {1, 2}}, {"T", {2}}};
  open(Cache, options, {.dims = {{"B", 3}}});
  EXPECT_EQ(failure({{"x", counting({1, 2, 2})}}),
            "`forward`: the session was opened with B = 3, this call has 1");
  EXPECT_EQ(failure({{"x", counting({4, 1, 2})}}),
            "`forward`: the session was opened with B = 3, this call has 4");
  EXPECT_EQ(call({{"x", counting({3, 2, 2})}}).size(), 36u);
  EXPECT_EQ(failure({{"x", floats({1, 2}, {1, 1})}}, "last"),
            "`last`: the session was opened with B = 3, this call has 1");
  reopen({.dims = {{"B", 2}}});
  EXPECT_EQ(failure({{"x", counting({1, 2, 2})}}),
            "`forward`: the session was opened with B = 2, this call has 1");
  EXPECT_EQ(call({{"x", counting({2, 2, 2})}}).size(), 24u);
  Result<Session> wrong = engine->session({.dims = {{"T", 2}}});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message, "no state has a dimension `T`; did you mean `B`?");
}

TEST_P(States, FixedWhenCompilingTakeNoDimension) {
  CompileOptions options;
  options.dims = {{"B", 2}};
  open(Cache, options);
  EXPECT_EQ(failure({{"x", counting({1, 2, 2})}}),
            "input `x`: axis 0 must be 2; expected f32[2, T, 2], found f32[1, 2, 2]");
  Result<Session> wrong = engine->session({.dims = {{"B", 1}}});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message, "no state has a dimension `B`");
}

TEST_P(States, RefuseNegativePositions) {
  open(R"(
  state kept: f32[6]
  fn forward(x: f32[2], at: i32[]) -> f32[6] requires at <= 4 {
    kept[at : at + 2] <- x
    return kept
  })");
  EXPECT_EQ(failure({{"x", counting({2})}, {"at", scalar(-1)}}),
            "`forward` requires `at >= 0` with at = -1 (model.nn:5)");
  EXPECT_EQ(call({{"x", counting({2})}, {"at", scalar(4)}}), (Floats{0, 0, 0, 0, 1, 2}));
}

TEST_P(States, GuardsMayOverflow) {
  open(R"(
  state n: i32[]
  fn forward(x: f32[1], k: i32[]) -> f32[1] requires k * k * k * (k + n) <= 100: "too large" {
    n <- n + 1
    return x
  })");
  EXPECT_EQ(call({{"x", counting({1})}, {"k", scalar(3)}}), (Floats{1}));
  EXPECT_EQ(failure({{"x", counting({1})}, {"k", scalar(4)}}),
            "`forward` requires `k * k * k * (k + n) <= 100` with k = 4, n = 1: too large "
            "(model.nn:4)");
  EXPECT_EQ(failure({{"x", counting({1})}, {"k", scalar(2'000'000'000)}}),
            "`forward`: a size is too large");
}

TEST_P(States, ScalarsHave32Bits) {
  open(R"(
  fn forward(x: f32[8], at: i64[]) -> f32[2] requires at <= 6, at <= 5_000_000_000 {
    return x[at : at + 2]
  })");
  Result<Tensor> wide = Tensor::empty(DType::I64, {});
  wide->values<int64_t>()[0] = 6;
  EXPECT_EQ(call({{"x", counting({8})}, {"at", *wide}}), (Floats{7, 8}));
  wide->values<int64_t>()[0] = 6'000'000'000;
  EXPECT_EQ(failure({{"x", counting({8})}, {"at", *wide}}),
            "`forward`: at = 6000000000 does not fit 32 bits");
}

TEST_P(States, AreUpdatedInPlace) {
  open(Cache);
  std::string info = engine->info();
  EXPECT_NE(info.find("updates state kept in place"), std::string::npos) << info;
  EXPECT_NE(info.find("pos is the value of state pos"), std::string::npos) << info;
  // Two copies, of the scalar and of the output: none of the cache.
  EXPECT_NE(info.find("2 copies"), std::string::npos) << info;
}

TEST_P(States, AreCopiedForLaterReaders) {
  open(R"(
  state kept: f32[4] = 7
  fn forward(x: f32[2]) -> f32[8] {
    old = kept
    kept[1:3] <- x
    return concat([kept, old], axis=0)
  })");
  EXPECT_EQ(call({{"x", counting({2})}}), (Floats{7, 1, 2, 7, 7, 7, 7, 7}));
  EXPECT_EQ(call({{"x", counting({2}, 5)}}), (Floats{7, 5, 10, 7, 7, 1, 2, 7}));
}

TEST_P(States, BuffersStartFromTheCheckpoint) {
  CompileOptions options;
  open(R"(
  buffer mean: f32[3] = normal(0, 1)
  fn read(x: f32[3]) -> f32[3] { return mean + x }
  fn forward(x: f32[3]) -> f32[3] {
    mean <- 0.5 * mean + 0.5 * x
    return mean
  })",
       options);
  TensorMap zero = {{"x", floats({3}, {0, 0, 0})}};
  Floats initial = call(zero, "read");
  EXPECT_NE(initial[0], 0);
  Floats halved = initial;
  for (float &value : halved)
    value *= 0.5f;
  EXPECT_EQ(call(zero), halved);
  EXPECT_EQ(call(zero, "read"), halved);
  ASSERT_TRUE(session->reset());
  EXPECT_EQ(call(zero, "read"), initial);
}

TEST_P(States, MayStartRandom) {
  open(R"(
  state noise: f32[4] = uniform(1, 2)
  fn forward(x: f32[4]) -> f32[4] {
    noise <- noise + x
    return noise
  })");
  Floats first = call({{"x", floats({4}, {0, 0, 0, 0})}});
  EXPECT_TRUE(first[0] >= 1 && first[0] <= 2 && first[0] != first[1]);
  Floats second = call({{"x", floats({4}, {1, 1, 1, 1})}});
  EXPECT_EQ(second[3], first[3] + 1);
}

TEST_P(States, BelongToEachInstance) {
  open(R"(
  steps = [Step(2), Step(2), Step(2)]
  fn forward(x: f32[2]) -> f32[2] = x |> steps
}
module Step(n: int) {
  state sum: f32[n]
  state calls: i32[]
  state line: f32[n, 8]
  fn forward(x: f32[n]) -> f32[n] requires calls <= 7 {
    line[:, calls] <- x
    calls <- calls + 1
    sum <- sum + x
    return sum
  })");
  TensorMap inputs = {{"x", floats({2}, {1, 10})}};
  EXPECT_EQ(call(inputs), (Floats{1, 10}));
  EXPECT_EQ(call(inputs), (Floats{4, 40}));
  EXPECT_EQ(call(inputs), (Floats{10, 100}));
}

TEST_P(States, NeedNoNewGraphWhenAScalarChanges) {
  if (!isCuda())
    GTEST_SKIP() << "there are no graphs on the cpu";
  open(R"(
  state pos: i32[]
  state kept: f32[64]
  fn forward(x: f32[1], shift: i32[]) -> f32[64] requires pos + shift <= 63 {
    kept[pos + shift : pos + shift + 1] <- x
    pos <- pos + 1
    return kept
  })");
  static int captures;
  static rt::DriverApi original;
  Result<std::shared_ptr<rt::CudaDevice>> gpu = rt::CudaDevice::open(0);
  ASSERT_TRUE(gpu);
  auto &api = const_cast<rt::DriverApi &>((*gpu)->api());
  original = api;
  captures = 0;
  api.cuStreamBeginCapture = [](CUstream stream, CUstreamCaptureMode mode) {
    ++captures;
    return original.cuStreamBeginCapture(stream, mode);
  };
  Floats expected(64);
  for (int i = 0; i < 20; ++i) {
    auto value = static_cast<float>(i + 1);
    expected[static_cast<size_t>(i + i % 3)] = value;
    EXPECT_EQ(call({{"x", floats({1}, {value})}, {"shift", scalar(i % 3)}}), expected);
  }
  api = original;
  EXPECT_EQ(captures, 1);
}

INSTANTIATE_TEST_SUITE_P(Targets, States, testing::Values("cpu", "cuda"));

} // namespace
