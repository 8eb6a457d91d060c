// The cuda executor: on a GPU where there is one, else on the twin (NNC_CUDA_TWIN); without either
// the tests are skipped. The models have CUDA source only, so NVRTC compiles it at load.
#include "TestModel.h"

#include "runtime/cuda/Arch.h"
#include "runtime/cuda/CudaDevice.h"
#include "runtime/format/Half.h"

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <gtest/gtest.h>

using namespace nnc;
using namespace nnc::format;

namespace {

constexpr const char *Scale = R"(
#ifndef __CUDACC__
#include "host/twin.h"
#endif
extern "C" __global__ void scale(const float *x, const float *w, float *y, long long B) {
  long long i = (long long)blockIdx.x * 32 + threadIdx.x;
  if (i < B * 4)
    y[i] = x[i] * w[i % 4];
}
)";

constexpr const char *Count = R"(
#ifndef __CUDACC__
#include "host/twin.h"
#endif
extern "C" __global__ void count(long long *state, long long *n) {
  if (threadIdx.x == 0)
    *n = *state += 1;
}
)";

/// The test model's entries that make sense on a GPU: forward (without the sums) and tick.
ModelT makeCudaModel() {
  ModelT model = makeTestModel();
  model.target = Target::Cuda;
  model.cuda = std::make_unique<CudaT>();
  model.cuda->options = {"--std=c++17"};
  HandMadeEntry forward("forward");
  uint32_t b = forward.dim("B", 1, 1024), four = forward.constant(4);
  uint32_t x = forward.input("x", DType::F32, {b, four});
  uint32_t w = forward.weight(0, DType::F32, {four});
  uint32_t scaled = forward.arena(DType::F32, {b, four}, 64, 1024 * 16);
  uint32_t out = forward.output("scaled", DType::F32, {b, four});
  forward.launch("fc.scale", 0, {x, w, scaled}, forward.ceilDiv(b, 8));
  forward.copy(scaled, out);
  std::unique_ptr<EntryT> tick = std::move(model.entries.back());
  tick->steps[0]->what.AsLaunch()->kernel = 1;
  model.entries.clear();
  model.entries.push_back(forward.take());
  model.entries.push_back(std::move(tick));
  model.kernels.clear();
  for (const char *symbol : {"scale", "count"}) {
    auto kernel = std::make_unique<KernelT>();
    kernel->symbol = symbol;
    kernel->cuda_module = static_cast<uint32_t>(model.kernels.size());
    model.kernels.push_back(std::move(kernel));
    model.cuda->modules.push_back(std::make_unique<CudaModuleT>());
    model.cuda->modules.back()->symbol = symbol;
  }
  return model;
}

Result<Engine> loadCuda(ModelT &model, const std::vector<std::string> &sources,
                        const std::string &cubin = "") {
  std::string text;
  for (size_t i = 0; i < sources.size(); ++i) {
    model.cuda->modules[i]->source = Blob(text.size(), sources[i].size());
    text += sources[i];
  }
  std::vector<std::byte> plan = packModel(model);
  const float weights[4] = {1, 2, 3, 4};
  ContainerWriter writer;
  writer.add(section::Plan, plan);
  writer.add(section::Weights, std::as_bytes(std::span(weights)), 4096);
  writer.add(section::Source, std::as_bytes(std::span(text)));
  writer.add(section::Cubins, std::as_bytes(std::span(cubin)));
  return Engine::fromMemory(writer.toMemory(), "tiny.bin");
}

Tensor rows(int64_t count) {
  Tensor x = zeros(DType::F32, {count, 4});
  for (size_t i = 0; i < x.elements(); ++i)
    x.values<float>()[i] = static_cast<float>(i);
  return x;
}

void expectScaled(const Tensor &scaled, int64_t count) {
  ASSERT_EQ(scaled.shape()[0], count);
  for (size_t i = 0; i < scaled.elements(); ++i)
    ASSERT_EQ(scaled.values<float>()[i], static_cast<float>(i * (1 + i % 4))) << i;
}

/// The first GPU, or that of the twin.
Result<std::shared_ptr<rt::CudaDevice>> openGpu() {
#ifdef NNC_TEST_TWIN
  if (!std::filesystem::exists(NNC_TEST_TWIN))
    return Error{"needs the twin"};
  setenv("NNC_CUDA_TWIN", NNC_TEST_TWIN, 1);
#endif
  Result<std::shared_ptr<rt::CudaDevice>> opened = rt::CudaDevice::open(0);
  if (!opened)
    return Error{"needs a GPU"};
  return opened;
}

class CudaRun : public testing::Test {
protected:
  void SetUp() override {
    Result<std::shared_ptr<rt::CudaDevice>> opened = openGpu();
    if (!opened)
      GTEST_SKIP() << opened.error().message;
    gpu = *opened;
  }

  std::shared_ptr<rt::CudaDevice> gpu;
};

} // namespace

TEST_F(CudaRun, runsAtAnySizeOfTheRange) {
  ModelT model = makeCudaModel();
  Result<Engine> engine = loadCuda(model, {Scale, Count});
  ASSERT_TRUE(engine) << engine.error().message;
  Result<Session> session = engine->session();
  ASSERT_TRUE(session) << session.error().message;
  EXPECT_EQ(session->device(), Device::cuda(0));
  for (int64_t b : {1, 1024, 7, 7, 1, 1024}) { // the second time from a graph
    Result<TensorMap> out = session->run("forward", {{"x", rows(b)}});
    ASSERT_TRUE(out) << out.error().message;
    expectScaled((*out)["scaled"], b);
  }
}

TEST_F(CudaRun, moreSizesThanGraphsAreKept) {
  ModelT model = makeCudaModel();
  Result<Engine> engine = loadCuda(model, {Scale, Count});
  Result<Session> session = engine->session();
  ASSERT_TRUE(session) << session.error().message;
  for (int round = 0; round < 2; ++round)
    for (int64_t b = 1; b <= 70; ++b) {
      Result<TensorMap> out = session->run("forward", {{"x", rows(b)}});
      ASSERT_TRUE(out) << out.error().message;
      expectScaled((*out)["scaled"], b);
    }
}

TEST_F(CudaRun, deviceTensorsInPlace) {
  ModelT model = makeCudaModel();
  Result<Engine> engine = loadCuda(model, {Scale, Count});
  Result<Session> session = engine->session();
  ASSERT_TRUE(session) << session.error().message;
  Result<Tensor> x = session->toDevice(rows(9));
  ASSERT_TRUE(x) << x.error().message;
  EXPECT_EQ(x->device(), Device::cuda(0));
  Result<TensorMap> out = session->makeOutputs("forward", {{"x", *x}}, Device::cuda(0));
  ASSERT_TRUE(out) << out.error().message;
  for (int call = 0; call < 3; ++call) {
    Result<void> ran = session->runInto("forward", {{"x", *x}}, *out);
    ASSERT_TRUE(ran) << ran.error().message;
    Result<Tensor> host = session->toHost((*out)["scaled"]);
    ASSERT_TRUE(host) << host.error().message;
    expectScaled(*host, 9);
  }
}

namespace {

/// A stream as a caller has them: of the GPU's primary context, not the session's.
class CallersStream {
public:
  explicit CallersStream(const rt::CudaDevice &gpu) : gpu(gpu) {
    rt::ContextScope scope(gpu);
    gpu.api().cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING);
  }
  ~CallersStream() {
    rt::ContextScope scope(gpu);
    gpu.api().cuStreamDestroy(stream);
  }
  CUresult wait() const {
    rt::ContextScope scope(gpu);
    return gpu.api().cuStreamSynchronize(stream);
  }
  void *get() const { return stream; }

private:
  const rt::CudaDevice &gpu;
  CUstream stream = nullptr;
};

} // namespace

TEST_F(CudaRun, queuedCallsAreDoneWhenTheirStreamIs) {
  ModelT model = makeCudaModel();
  Result<Engine> engine = loadCuda(model, {Scale, Count});
  Result<Session> session = engine->session();
  ASSERT_TRUE(session) << session.error().message;
  CallersStream first(*gpu), second(*gpu);
  for (int64_t b : {9, 5}) {
    Result<Tensor> x = session->toDevice(rows(b));
    ASSERT_TRUE(x) << x.error().message;
    for (const CallersStream *stream : {&first, &first, &second, &first}) {
      Result<TensorMap> out = session->makeOutputs("forward", {{"x", *x}}, Device::cuda(0));
      ASSERT_TRUE(out) << out.error().message;
      for (int call = 0; call < 2; ++call) { // the second time from a graph
        Result<void> queued = session->enqueue("forward", {{"x", *x}}, *out, stream->get());
        ASSERT_TRUE(queued) << queued.error().message;
      }
      ASSERT_EQ(stream->wait(), CUDA_SUCCESS);
      Result<Tensor> host = session->toHost((*out)["scaled"]);
      ASSERT_TRUE(host) << host.error().message;
      expectScaled(*host, b);
    }
  }
}

TEST_F(CudaRun, queuedCallsChangeStatesInOrder) {
  ModelT model = makeCudaModel();
  Result<Engine> engine = loadCuda(model, {Scale, Count});
  Result<Session> session = engine->session();
  ASSERT_TRUE(session) << session.error().message;
  CallersStream stream(*gpu);
  Result<TensorMap> out = session->makeOutputs("tick", {}, Device::cuda(0));
  ASSERT_TRUE(out) << out.error().message;
  for (int call = 0; call < 3; ++call)
    ASSERT_TRUE(session->enqueue("tick", {}, *out, stream.get()));
  Result<Tensor> n = session->toHost((*out)["n"]); // waits for them
  ASSERT_TRUE(n) << n.error().message;
  EXPECT_EQ(n->values<int64_t>()[0], 3);
  ASSERT_TRUE(session->enqueue("tick", {}, *out, nullptr));
  Result<TensorMap> last = session->run("tick", {});
  ASSERT_TRUE(last) << last.error().message;
  EXPECT_EQ((*last)["n"].values<int64_t>()[0], 5);
  ASSERT_TRUE(session->enqueue("tick", {}, *out, stream.get()));
  ASSERT_TRUE(session->reset());
  last = session->run("tick", {});
  ASSERT_TRUE(last) << last.error().message;
  EXPECT_EQ((*last)["n"].values<int64_t>()[0], 1);
}

TEST_F(CudaRun, queuedCallsTakeDeviceTensors) {
  ModelT model = makeCudaModel();
  Result<Engine> engine = loadCuda(model, {Scale, Count});
  Result<Session> session = engine->session();
  ASSERT_TRUE(session) << session.error().message;
  Result<Tensor> x = session->toDevice(rows(2));
  Result<TensorMap> out = session->makeOutputs("forward", {{"x", *x}}, Device::cuda(0));
  ASSERT_TRUE(out) << out.error().message;
  Result<void> queued = session->enqueue("forward", {{"x", rows(2)}}, *out, nullptr);
  ASSERT_FALSE(queued);
  EXPECT_EQ(queued.error().message, "input `x` is on cpu, a queued call takes tensors of cuda:0");
  TensorMap onHost = {{"scaled", zeros(DType::F32, {2, 4})}};
  queued = session->enqueue("forward", {{"x", *x}}, onHost, nullptr);
  ASSERT_FALSE(queued);
  EXPECT_EQ(queued.error().message,
            "output `scaled` is on cpu, a queued call takes tensors of cuda:0");
  queued = session->enqueue("forward", {{"y", *x}}, *out, nullptr);
  ASSERT_FALSE(queued);
  EXPECT_EQ(queued.error().message, "`forward` has no input `y`; did you mean `x`?");
}

TEST_F(CudaRun, statesStartAtZeroAndStay) {
  ModelT model = makeCudaModel();
  Result<Engine> engine = loadCuda(model, {Scale, Count});
  Result<Session> session = engine->session();
  ASSERT_TRUE(session) << session.error().message;
  for (int64_t n = 1; n <= 3; ++n) {
    Result<TensorMap> out = session->run("tick", {});
    ASSERT_TRUE(out) << out.error().message;
    EXPECT_EQ((*out)["n"].values<int64_t>()[0], n);
  }
}

TEST_F(CudaRun, profileNamesEveryStep) {
  ModelT model = makeCudaModel();
  Result<Engine> engine = loadCuda(model, {Scale, Count});
  Result<Session> session = engine->session();
  ASSERT_TRUE(session) << session.error().message;
  Result<std::vector<StepTime>> steps = session->profile("forward", {{"x", rows(8)}}, 3);
  ASSERT_TRUE(steps) << steps.error().message;
  ASSERT_EQ(steps->size(), 2u);
  EXPECT_EQ((*steps)[0].name, "fc.scale");
  EXPECT_GE((*steps)[0].milliseconds, 0);
}

TEST_F(CudaRun, errorsOfTheSourceCarryTheLog) {
  ModelT model = makeCudaModel();
  Result<Engine> engine = loadCuda(model, {Scale, "this is not CUDA"});
  ASSERT_TRUE(engine) << engine.error().message;
  Result<Session> session = engine->session();
  ASSERT_FALSE(session);
  std::string start = fmt::format("cannot load tiny.bin: NVRTC cannot compile count.cu for {}: ",
                                  rt::nativeArch(gpu->capability()));
  EXPECT_TRUE(session.error().message.starts_with(start)) << session.error().message;
  EXPECT_NE(session.error().message.find("error:"), std::string::npos) << session.error().message;
}

TEST_F(CudaRun, imagesThatDoNotLoadAreCompiledAnew) {
  ModelT model = makeCudaModel();
  auto image = std::make_unique<ImageT>();
  image->arch = rt::nativeArch(gpu->capability());
  image->blob = Blob(0, 64);
  model.cuda->modules[0]->images.push_back(std::move(image));
  Result<Engine> engine = loadCuda(model, {Scale, Count}, std::string(64, 'x'));
  ASSERT_TRUE(engine) << engine.error().message;
  Result<Session> session = engine->session();
  ASSERT_TRUE(session) << session.error().message;
}

TEST_F(CudaRun, tooLittleMemory) {
  ModelT model = makeCudaModel();
  model.entries[0]->arena_bytes = uint64_t{1} << 50;
  for (const std::unique_ptr<BufferT> &buffer : model.entries[0]->buffers)
    if (buffer->kind == BufferKind::Arena)
      buffer->name = "fc" + std::to_string(buffer->offset);
  Result<Engine> engine = loadCuda(model, {Scale, Count});
  ASSERT_TRUE(engine) << engine.error().message;
  Result<Session> session = engine->session();
  ASSERT_FALSE(session);
  std::string start = fmt::format("not enough memory on {} for the arena of tiny.bin: needed "
                                  "1024.0 TiB, free ",
                                  gpu->name());
  const std::string &message = session.error().message;
  EXPECT_TRUE(message.starts_with(start)) << message;
  EXPECT_EQ(message.substr(message.find(';')),
            "; the largest value of `forward` is `fc64` (16.0 KiB), planned for B = 1024: `nnc "
            "--dim` fixes sizes")
      << message;
}

TEST_F(CudaRun, noSuchGpu) {
  ModelT model = makeCudaModel();
  Result<Engine> engine = loadCuda(model, {Scale, Count});
  Result<Session> session = engine->session(Device::cuda(99));
  ASSERT_FALSE(session);
  EXPECT_TRUE(session.error().message.starts_with(
      "no CUDA device: there is no cuda:99, the last one is cuda:"))
      << session.error().message;
}

// Counting what a call asks of the driver.
static int allocatingCalls = 0;
static rt::DriverApi originalApi;

template <auto Function, typename Signature> struct Counted;
template <auto Function, typename... Args> struct Counted<Function, CUresult (*)(Args...)> {
  static CUresult call(Args... args) {
    ++allocatingCalls;
    return (originalApi.*Function)(args...);
  }
};

#define NNC_COUNT(NAME)                                                                            \
  api.NAME = Counted<&rt::DriverApi::NAME, decltype(rt::DriverApi::NAME)>::call

TEST_F(CudaRun, noAllocationAfterTheFirstCall) {
  auto &api = const_cast<rt::DriverApi &>(gpu->api());
  originalApi = api;
  NNC_COUNT(cuMemAlloc);
  NNC_COUNT(cuMemHostAlloc);
  NNC_COUNT(cuModuleLoadDataEx);
  NNC_COUNT(cuStreamBeginCapture);
  NNC_COUNT(cuGraphInstantiateWithFlags);
  NNC_COUNT(cuLaunchKernelEx);
  ModelT model = makeCudaModel();
  Result<Engine> engine = loadCuda(model, {Scale, Count});
  Result<Session> session = engine->session();
  if (session) {
    for (int64_t b : {3, 1024, 5}) {
      TensorMap inputs = {{"x", rows(b)}}, outputs = {{"scaled", zeros(DType::F32, {b, 4})}};
      EXPECT_TRUE(session->runInto("forward", inputs, outputs));
      int before = allocatingCalls;
      for (int call = 0; call < 5; ++call)
        EXPECT_TRUE(session->runInto("forward", inputs, outputs));
      EXPECT_EQ(allocatingCalls, before) << "B = " << b;
      Result<Tensor> x = session->toDevice(rows(b));
      Result<TensorMap> queued = session->makeOutputs("forward", {{"x", *x}}, Device::cuda(0));
      EXPECT_TRUE(session->enqueue("forward", {{"x", *x}}, *queued, nullptr));
      before = allocatingCalls;
      for (int call = 0; call < 5; ++call)
        EXPECT_TRUE(session->enqueue("forward", {{"x", *x}}, *queued, nullptr));
      EXPECT_EQ(allocatingCalls, before) << "B = " << b;
    }
  }
  EXPECT_GT(allocatingCalls, 0);
  api = originalApi;
}

namespace {

/// A gemm: sizes, layout and what is added.
struct Product {
  int64_t batch, m, n, k;
  bool transposeA, transposeB, sharedB, bias, residual;
  Epilogue epilogue;
  DType type;
};

double activate(double x, Epilogue epilogue) {
  if (epilogue == Epilogue::Relu)
    return std::max(x, 0.0);
  if (epilogue == Epilogue::Gelu)
    return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
  return x;
}

/// Small numbers that all types hold exactly.
Tensor operand(DType type, std::vector<int64_t> shape, int salt) {
  Result<Tensor> tensor = Tensor::empty(type, shape);
  for (size_t i = 0; i < tensor->elements(); ++i) {
    float value = static_cast<float>(static_cast<int>((i * 7 + static_cast<size_t>(salt)) % 9) - 4);
    convertFloats(DType::F32, &value, type,
                  static_cast<std::byte *>(tensor->data()) + i * dtypeBytes(type), 1);
  }
  return *tensor;
}

double at(const Tensor &tensor, int64_t index) {
  double value = 0;
  convertFloats(tensor.dtype(),
                static_cast<std::byte *>(tensor.data()) +
                    static_cast<size_t>(index) * dtypeBytes(tensor.dtype()),
                DType::F64, &value, 1);
  return value;
}

ModelT makeProduct(const Product &p) {
  ModelT model = makeCudaModel();
  model.kernels.clear();
  model.cuda->modules.clear();
  model.entries.clear();
  HandMadeEntry entry("forward");
  auto c = [&](int64_t value) { return entry.constant(value); };
  std::vector<uint32_t> a = {c(p.batch), c(p.transposeA ? p.k : p.m), c(p.transposeA ? p.m : p.k)};
  std::vector<uint32_t> b = {c(p.sharedB ? 1 : p.batch), c(p.transposeB ? p.n : p.k),
                             c(p.transposeB ? p.k : p.n)};
  std::vector<uint32_t> d = {c(p.batch), c(p.m), c(p.n)};
  GemmT gemm;
  gemm.a = entry.input("a", p.type, a);
  gemm.b = entry.input("b", p.type, b);
  if (p.bias)
    gemm.bias = static_cast<int32_t>(entry.input("bias", p.type, {c(p.n)}));
  if (p.residual)
    gemm.residual = static_cast<int32_t>(entry.input("residual", p.type, d));
  gemm.d = entry.output("d", p.type, d);
  gemm.m = c(p.m);
  gemm.n = c(p.n);
  gemm.k = c(p.k);
  gemm.batch = c(p.batch);
  gemm.stride_a = c(p.m * p.k);
  gemm.stride_b = c(p.sharedB ? 0 : p.k * p.n);
  gemm.stride_d = c(p.m * p.n);
  gemm.transpose_a = p.transposeA;
  gemm.transpose_b = p.transposeB;
  gemm.epilogue = p.epilogue;
  entry.gemm("fc", std::move(gemm));
  model.entries.push_back(entry.take());
  return model;
}

double expected(const Product &p, const TensorMap &in, int64_t batch, int64_t i, int64_t j) {
  double sum = 0;
  for (int64_t l = 0; l < p.k; ++l) {
    int64_t ia = batch * p.m * p.k + (p.transposeA ? l * p.m + i : i * p.k + l);
    int64_t ib = (p.sharedB ? 0 : batch) * p.k * p.n + (p.transposeB ? j * p.k + l : l * p.n + j);
    sum += at(in["a"], ia) * at(in["b"], ib);
  }
  if (p.bias)
    sum += at(in["bias"], j);
  if (p.residual)
    sum += at(in["residual"], (batch * p.m + i) * p.n + j);
  return activate(sum, p.epilogue);
}

class CudaGemm : public testing::TestWithParam<Product> {};

} // namespace

TEST_P(CudaGemm, agreesWithLoops) {
  if (Result<std::shared_ptr<rt::CudaDevice>> opened = openGpu(); !opened)
    GTEST_SKIP() << opened.error().message;
  const Product &p = GetParam();
  ModelT model = makeProduct(p);
  Result<Engine> engine = loadCuda(model, {});
  ASSERT_TRUE(engine) << engine.error().message;
  Result<Session> session = engine->session();
  ASSERT_TRUE(session) << session.error().message;
  TensorMap in;
  for (const std::unique_ptr<PortT> &port : model.entries[0]->inputs) {
    std::vector<int64_t> shape;
    for (uint32_t expr : port->shape)
      shape.push_back(*evaluate(*model.entries[0]->exprs[expr], {}));
    in.add(port->name, operand(p.type, shape, static_cast<int>(in.size()) * 3));
  }
  for (int call = 0; call < 2; ++call) {
    Result<TensorMap> out = session->run("forward", in);
    ASSERT_TRUE(out) << out.error().message;
    double tolerance = p.type == DType::F32 ? 1e-5 : 1e-2;
    for (int64_t batch = 0; batch < p.batch; ++batch)
      for (int64_t i = 0; i < p.m; ++i)
        for (int64_t j = 0; j < p.n; ++j) {
          double wanted = expected(p, in, batch, i, j);
          EXPECT_NEAR(at((*out)["d"], (batch * p.m + i) * p.n + j), wanted,
                      tolerance * (1 + std::abs(wanted)));
        }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Products, CudaGemm,
    testing::Values(
        Product{1, 8, 16, 32, false, false, false, false, false, Epilogue::None, DType::F32},
        Product{1, 5, 3, 7, false, true, false, true, false, Epilogue::None, DType::F32},
        Product{1, 5, 3, 7, true, false, false, true, false, Epilogue::Relu, DType::F32},
        Product{1, 8, 8, 8, true, true, false, true, true, Epilogue::Relu, DType::F32},
        Product{1, 8, 8, 8, false, true, false, false, true, Epilogue::None, DType::F32},
        Product{1, 8, 8, 8, false, true, false, true, false, Epilogue::Gelu, DType::F32},
        Product{3, 4, 8, 16, false, false, false, false, false, Epilogue::None, DType::F32},
        Product{3, 4, 8, 16, false, true, true, true, true, Epilogue::Relu, DType::F32},
        Product{1, 8, 16, 32, false, true, false, true, false, Epilogue::Relu, DType::BF16},
        Product{2, 8, 16, 32, false, false, false, true, true, Epilogue::None, DType::F16}));
