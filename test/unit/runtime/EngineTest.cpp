// Running entry points, and every way in which a call can be wrong.
#include "TestModel.h"

#include "runtime/format/Half.h"

#include <cstdlib>
#include <gtest/gtest.h>
#include <thread>

using namespace nnc;

static Tensor rows(int64_t count) {
  Tensor x = zeros(DType::F32, {count, 4});
  for (size_t i = 0; i < x.elements(); ++i)
    x.values<float>()[i] = static_cast<float>(i);
  return x;
}

TEST(Engine, runsAtAnySizeOfTheRange) {
  Engine engine = loadTestModel();
  Result<Session> session = engine.session();
  ASSERT_TRUE(session) << session.error().message;
  for (int64_t b : {1, 1024, 7, 64}) {
    Result<TensorMap> out = session->run("forward", {{"x", rows(b)}});
    ASSERT_TRUE(out) << out.error().message;
    ASSERT_EQ((*out)["sums"].shape()[0], b);
    for (int64_t row = 0; row < b; ++row) {
      // x = 4 row + (0, 1, 2, 3), times (1, 2, 3, 4)
      EXPECT_EQ((*out)["sums"].values<float>()[static_cast<size_t>(row)], 40 * row + 20);
      EXPECT_EQ((*out)["scaled"].values<float>()[static_cast<size_t>(row * 4 + 3)], 16 * row + 12);
    }
  }
}

TEST(Engine, readsTheCallersMemoryAndWritesIt) {
  Engine engine = loadTestModel();
  Result<Session> session = engine.session();
  ASSERT_TRUE(session);
  float x[4] = {1, 1, 1, 1}, scaled[4], sums[1];
  const int64_t wide[] = {1, 4}, narrow[] = {1};
  Result<void> ran = session->runInto("forward", {{"x", *Tensor::view(DType::F32, wide, x)}},
                                      {{"scaled", *Tensor::view(DType::F32, wide, scaled)},
                                       {"sums", *Tensor::view(DType::F32, narrow, sums)}});
  ASSERT_TRUE(ran) << ran.error().message;
  EXPECT_EQ(scaled[3], 4);
  EXPECT_EQ(sums[0], 10);
}

TEST(Engine, stateBelongsToTheSession) {
  Engine engine = loadTestModel();
  Result<Session> first = engine.session(), second = engine.session();
  for (int64_t n = 1; n <= 3; ++n)
    EXPECT_EQ((*first->run("tick", {}))["n"].values<int64_t>()[0], n);
  EXPECT_EQ((*second->run("tick", {}))["n"].values<int64_t>()[0], 1);
}

TEST(Engine, hostF32IsConvertedForHalfPorts) {
  Engine engine = loadTestModel();
  Result<Session> session = engine.session();
  Tensor x = tensorOf<float>({2}, {1.0f, 1.01f});
  Result<TensorMap> out = session->run("halves", {{"x", x}});
  ASSERT_TRUE(out) << out.error().message;
  EXPECT_EQ((*out)["y"].dtype(), DType::BF16);
  EXPECT_EQ((*out)["y"].values<uint16_t>()[1], format::bf16FromFloat(1.01f));
  Tensor y = zeros(DType::F32, {2});
  ASSERT_TRUE(session->runInto("halves", {{"x", x}}, {{"y", y}}));
  EXPECT_EQ(y.values<float>()[1], 1.0078125f);
  EXPECT_TRUE(session->run("halves", {{"x", zeros(DType::BF16, {0})}}));
}

TEST(Engine, solvesForDimensionsOfSums) {
  Engine engine = loadTestModel();
  Result<Session> session = engine.session();
  Result<TensorMap> out = session->run(
      "pair", {{"a", zeros(DType::F32, {5, 3})}, {"ids", tensorOf<int32_t>({4}, {1, 2, 3, 4})}});
  ASSERT_TRUE(out) << out.error().message;
  EXPECT_EQ(valuesOf<int32_t>((*out)["y"]), (std::vector<int32_t>{1, 2, 3, 4}));
}

TEST(Engine, threadsShareIt) {
  Engine engine = loadTestModel();
  std::vector<std::thread> threads;
  std::atomic<int> correct{0};
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&engine, &correct, t] {
      Result<Session> session = engine.session();
      for (int64_t i = 0; i < 50; ++i) {
        int64_t b = 1 + (i * 37 + t * 11) % 512;
        Result<TensorMap> out = session->run("forward", {{"x", rows(b)}});
        correct += (*out)["sums"].values<float>()[static_cast<size_t>(b - 1)] == 40 * b - 20;
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(correct, 400);
}

class EngineErrors : public testing::Test {
protected:
  std::string runError(const char *entry, const TensorMap &inputs) {
    Result<TensorMap> out = session->run(entry, inputs);
    return out ? "" : out.error().message;
  }
  std::string runIntoError(const TensorMap &outputs) {
    Result<void> ran = session->runInto("forward", {{"x", rows(2)}}, outputs);
    return ran ? "" : ran.error().message;
  }

  Engine engine = loadTestModel();
  Result<Session> session = engine.session();
};

TEST_F(EngineErrors, names) {
  EXPECT_EQ(runError("forwrd", {}),
            "tiny.bin has no entry point `forwrd`; did you mean `forward`?");
  EXPECT_EQ(runError("encode", {}), "tiny.bin has no entry point `encode`; there is `forward`, "
                                    "`halves`, `pair`, `tick`");
  EXPECT_EQ(runError("pair", {{"id", rows(2)}}), "`pair` has no input `id`; did you mean `ids`?");
  EXPECT_EQ(runError("forward", {{"image", rows(2)}}),
            "`forward` has no input `image`; there is `x`");
  EXPECT_EQ(runError("tick", {{"x", rows(2)}}), "`tick` has no input `x`; there is none");
  EXPECT_EQ(runError("forward", {}), "`forward` needs the input `x`: f32[B, 4]");
  EXPECT_EQ(runError("forward", {{"x", rows(2)}, {"x", rows(2)}}), "input `x` is given twice");
}

TEST_F(EngineErrors, types) {
  EXPECT_EQ(runError("forward", {{"x", zeros(DType::F64, {2, 4})}}),
            "input `x`: expected f32[B, 4], found f64[2, 4]");
  EXPECT_EQ(runError("pair", {{"a", zeros(DType::F32, {3, 3})}, {"ids", zeros(DType::I64, {2})}}),
            "input `ids`: expected i32[H], found i64[2]");
  EXPECT_EQ(runError("halves", {{"x", zeros(DType::F16, {2})}}),
            "input `x`: expected bf16[N], found f16[2]");
  EXPECT_EQ(runError("forward", {{"x", zeros(DType::F32, {4})}}),
            "input `x`: expected f32[B, 4], found f32[4]");
}

TEST_F(EngineErrors, sizes) {
  EXPECT_EQ(runError("forward", {{"x", zeros(DType::F32, {2, 5})}}),
            "input `x`: axis 1 must be 4; expected f32[B, 4], found f32[2, 5]");
  EXPECT_EQ(runError("forward", {{"x", rows(1025)}}),
            "`forward`: B = 1025 (axis 0 of `x`) is outside 1..=1024");
  EXPECT_EQ(runError("forward", {{"x", zeros(DType::F32, {0, 4})}}),
            "`forward`: B = 0 (axis 0 of `x`) is outside 1..=1024");
  EXPECT_EQ(runError("pair", {{"a", zeros(DType::F32, {4, 3})}, {"ids", zeros(DType::I32, {4})}}),
            "input `a`: axis 0 must be 5, since H = 4 (axis 0 of `ids`); expected f32[H + 1, 3], "
            "found f32[4, 3]");
}

TEST_F(EngineErrors, guards) {
  EXPECT_EQ(runError("pair", {{"a", zeros(DType::F32, {4, 3})}, {"ids", zeros(DType::I32, {3})}}),
            "`pair` requires `H % 2 == 0` with H = 3: rows come in pairs (tiny.nn:9)");
}

TEST_F(EngineErrors, outputs) {
  Tensor scaled = zeros(DType::F32, {2, 4}), sums = zeros(DType::F32, {2});
  EXPECT_EQ(runIntoError({{"scaled", scaled}}), "`forward` needs the output `sums`: f32[B]");
  EXPECT_EQ(runIntoError({{"scaled", scaled}, {"sum", sums}}),
            "`forward` has no output `sum`; did you mean `sums`?");
  EXPECT_EQ(runIntoError({{"scaled", scaled}, {"sums", zeros(DType::F32, {3})}}),
            "output `sums`: expected f32[2], found f32[3]");
  EXPECT_EQ(runIntoError({{"scaled", scaled}, {"sums", zeros(DType::F64, {2})}}),
            "output `sums`: expected f32[2], found f64[2]");
}

TEST_F(EngineErrors, devices) {
  const int64_t shape[] = {2, 4};
  float data[8];
  Tensor elsewhere = *Tensor::view(DType::F32, shape, data, Device::cuda(1));
  EXPECT_EQ(runError("forward", {{"x", elsewhere}}),
            "input `x` is on cuda:1, this session runs on cpu");
  Result<Session> cuda = engine.session(Device::cuda());
  ASSERT_FALSE(cuda);
  EXPECT_EQ(cuda.error().message,
            "tiny.bin is compiled for cpu, not for cuda: compile it with --target cuda");
  Result<TensorMap> outputs = session->makeOutputs("tick", {}, Device::cuda());
  ASSERT_FALSE(outputs);
  EXPECT_EQ(outputs.error().message, "this session runs on cpu, not on cuda:0");
}

static std::string loadError(const format::ModelT &model) {
  Result<Engine> engine = Engine::fromMemory(makeTestBinary(model), "tiny.bin");
  return engine ? "" : engine.error().message;
}

TEST(EngineLoad, machinesItIsNotFor) {
  format::ModelT model = makeTestModel();
  model.cpu->triple = "aarch64-linux-gnu";
  EXPECT_EQ(loadError(model), "cannot load tiny.bin: it is compiled for aarch64-linux-gnu, this "
                              "machine is x86_64");
  model = makeTestModel();
  model.cpu->features = "quantum";
  EXPECT_TRUE(loadError(model).starts_with("cannot load tiny.bin: ")) << loadError(model);
  model.cpu->features = "sse3,ssse3";
  EXPECT_EQ(loadError(model), "");
  model = makeTestModel();
  model.kernels[1]->symbol = "missing";
  EXPECT_EQ(loadError(model), "cannot load tiny.bin: its code lacks the kernel `missing`");
}

TEST(EngineLoad, files) {
  Result<Engine> missing = Engine::load("/nowhere/x.bin");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message, "cannot open /nowhere/x.bin: No such file or directory");
}

/// A cuda model on a machine without the driver (the twin's variable names a file that is none).
TEST(EngineLoad, noGpu) {
  format::ModelT model = makeTestModel();
  model.target = format::Target::Cuda;
  model.cuda = std::make_unique<format::CudaT>();
  model.cuda->modules.push_back(std::make_unique<format::CudaModuleT>());
  Result<Engine> engine = Engine::fromMemory(makeTestBinary(model), "tiny.bin");
  ASSERT_TRUE(engine) << engine.error().message;
  Result<Session> cpu = engine->session(Device::cpu());
  ASSERT_FALSE(cpu);
  EXPECT_EQ(cpu.error().message,
            "tiny.bin is compiled for cuda, not for cpu: compile it with --target cpu");
  ASSERT_EQ(setenv("NNC_CUDA_TWIN", "/nowhere/libcuda.so", 1), 0);
  Result<Session> session = engine->session();
  unsetenv("NNC_CUDA_TWIN");
  ASSERT_FALSE(session);
  EXPECT_TRUE(session.error().message.starts_with("no CUDA device: ")) << session.error().message;
}

TEST(Profile, namesEveryStep) {
  Engine engine = loadTestModel();
  Result<Session> session = engine.session();
  Result<std::vector<StepTime>> steps = session->profile("forward", {{"x", rows(8)}}, 3);
  ASSERT_TRUE(steps) << steps.error().message;
  ASSERT_EQ(steps->size(), 3u);
  EXPECT_EQ((*steps)[0].name, "fc.scale");
  EXPECT_EQ((*steps)[0].what, "scale");
  EXPECT_EQ((*steps)[0].location, "tiny.nn:12:5");
  EXPECT_EQ((*steps)[2].what, "copy");
}
