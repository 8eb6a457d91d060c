#include "tools/tune/Bench.h"

#include "codegen/ElementType.h"
#include "ir/NNOps.h"
#include "runtime/SessionState.h"
#include "runtime/format/Half.h"
#include "tools/SplitMix.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fmt/format.h>

using namespace mlir;

namespace nnc::tune {
namespace {

/// Numbers repeat after so many: they are there to be read, not to be looked at.
constexpr size_t Period = 65'521;

/// Nearly normal floats that are never 0, small integers, bools.
class RandomBytes {
public:
  std::vector<std::byte> make(DType type, size_t elements) {
    size_t width = dtypeBytes(type);
    std::vector<std::byte> block(std::min(elements, Period) * width);
    for (size_t i = 0; i < block.size() / width; ++i)
      write(type, block.data() + i * width);
    std::vector<std::byte> bytes(elements * width);
    for (size_t at = 0; at < bytes.size(); at += block.size())
      std::memcpy(bytes.data() + at, block.data(), std::min(block.size(), bytes.size() - at));
    return bytes;
  }

private:
  void write(DType type, std::byte *to) {
    constexpr uint64_t Most = 8;
    if (format::isConvertibleFloat(type)) {
      float drawn = random.normal(), value = drawn == 0 ? 1 : drawn;
      format::convertFloats(DType::F32, &value, type, to, 1);
      return;
    }
    uint64_t value = random.next() % (type == DType::Bool ? 2 : Most);
    if (type == DType::F8E4M3 || type == DType::F8E5M2)
      value = 0x30 + value;                    // numbers about 1
    std::memcpy(to, &value, dtypeBytes(type)); // little endian
  }

  SplitMix random{1};
};

Result<void> addWeights(ModuleOp module, RandomBytes &random, codegen::WeightStore &store) {
  for (auto global : module.getOps<nn::GlobalOp>()) {
    RankedTensorType type = global.getTensorType();
    std::optional<DType> dtype = codegen::dtypeOf(type.getElementType());
    if (!dtype || !type.hasStaticShape())
      return Error{fmt::format("`{}` has no fixed type", global.getSymName().str())};
    std::vector<std::byte> bytes = random.make(*dtype, size_t(type.getNumElements()));
    codegen::WeightTensor tensor{*dtype, type.getShape().vec(), {}};
    store.addOwned(global.getSymName(), std::move(tensor), std::move(bytes));
  }
  return {};
}

/// A tensor of the device with these bytes.
Result<Tensor> upload(rt::SessionState &session, DType type, std::span<const int64_t> shape,
                      std::span<const std::byte> bytes) {
  Result<Tensor> host = Tensor::empty(type, shape);
  if (!host)
    return host;
  std::memcpy(host->data(), bytes.data(), host->bytes());
  return session.toDevice(*host);
}

/// The shape of a port without open sizes.
Result<std::vector<int64_t>> shapeOf(const format::PortT &port, const format::EntryT &entry) {
  std::vector<int64_t> shape, none(entry.dims.size(), 0);
  for (uint32_t expr : port.shape) {
    Result<int64_t> size = format::evaluate(*entry.exprs[expr], none);
    if (!size)
      return size.error();
    shape.push_back(*size);
  }
  return shape;
}

/// Results as numbers, or as bytes where they are none.
struct Outcome {
  std::vector<std::vector<float>> floats;
  std::vector<std::vector<std::byte>> others;
};

class Runner {
public:
  explicit Runner(rt::SessionState &session) : session(session) {}

  Result<Timing> time(const format::EntryT &entry, Outcome &outcome) {
    Result<TensorMap> inputs = inputsOf(entry), outputs = poisonedOutputs(entry);
    if (!inputs || !outputs)
      return inputs ? outputs.error() : inputs.error();
    if (Result<void> ran = session.runInto(entry.name, *inputs, *outputs); !ran)
      return ran.error();
    if (Result<void> read = readAll(*outputs, outcome); !read)
      return read.error();
    constexpr unsigned Samples = 21;
    Result<std::vector<double>> times = session.measure(entry.name, *inputs, *outputs, Samples);
    if (!times)
      return times.error();
    std::ranges::sort(*times);
    return Timing{(*times)[times->size() / 2], {}};
  }

private:
  /// The same for all candidates.
  Result<TensorMap> inputsOf(const format::EntryT &entry) {
    if (kept.size() > 0 || entry.inputs.empty())
      return kept;
    RandomBytes random;
    for (const std::unique_ptr<format::PortT> &port : entry.inputs) {
      Result<std::vector<int64_t>> shape = shapeOf(*port, entry);
      if (!shape)
        return shape.error();
      size_t elements = 1;
      for (int64_t size : *shape)
        elements *= size_t(size);
      std::vector<std::byte> bytes = random.make(DType(port->dtype), elements);
      bool isScalar = shape->empty() && !format::isConvertibleFloat(DType(port->dtype));
      if (isScalar)
        std::ranges::fill(bytes, std::byte(0));
      Result<Tensor> tensor = shape->empty() ? hostTensor(DType(port->dtype), bytes)
                                             : upload(session, DType(port->dtype), *shape, bytes);
      if (!tensor)
        return tensor.error();
      kept.add(port->name, std::move(*tensor));
    }
    return kept;
  }

  /// Guards and sizes may need the values of scalars.
  static Result<Tensor> hostTensor(DType type, std::span<const std::byte> bytes) {
    Result<Tensor> host = Tensor::empty(type, {});
    if (host)
      std::memcpy(host->data(), bytes.data(), host->bytes());
    return host;
  }

  /// Full of NaN, so that what is not written is seen.
  Result<TensorMap> poisonedOutputs(const format::EntryT &entry) {
    TensorMap outputs;
    for (const std::unique_ptr<format::PortT> &port : entry.outputs) {
      Result<std::vector<int64_t>> shape = shapeOf(*port, entry);
      if (!shape)
        return shape.error();
      size_t bytes = dtypeBytes(DType(port->dtype));
      for (int64_t size : *shape)
        bytes *= size_t(size);
      std::byte poison{uint8_t(port->dtype == uint8_t(DType::Bool) ? 2 : 0xff)};
      Result<Tensor> tensor =
          upload(session, DType(port->dtype), *shape, std::vector<std::byte>(bytes, poison));
      if (!tensor)
        return tensor.error();
      outputs.add(port->name, std::move(*tensor));
    }
    return outputs;
  }

  Result<void> readAll(const TensorMap &outputs, Outcome &outcome) {
    for (const NamedTensor &output : outputs) {
      Result<Tensor> host = session.toHost(output.tensor);
      if (!host)
        return host.error();
      if (format::isConvertibleFloat(host->dtype())) {
        std::vector<float> values(host->elements());
        format::convertFloats(host->dtype(), host->data(), DType::F32, values.data(),
                              values.size());
        outcome.floats.push_back(std::move(values));
      } else {
        auto *data = static_cast<const std::byte *>(host->data());
        outcome.others.emplace_back(data, data + host->bytes());
      }
    }
    return {};
  }

  rt::SessionState &session;
  TensorMap kept;
};

/// Sums in another order differ by little of the largest result; anything wrong differs by much.
bool isClose(const std::vector<float> &found, const std::vector<float> &expected) {
  constexpr float OfLargest = 0.02f;
  float largest = 0, distance = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    bool areSame = found[i] == expected[i] || (std::isnan(found[i]) && std::isnan(expected[i]));
    if (std::isfinite(expected[i]))
      largest = std::max(largest, std::abs(expected[i]));
    if (!areSame)
      distance = std::max(distance, std::abs(found[i] - expected[i]));
    if (!areSame && !std::isfinite(found[i] - expected[i]))
      return false;
  }
  return distance <= OfLargest * largest;
}

bool areClose(const Outcome &found, const Outcome &expected) {
  for (size_t i = 0; i < found.floats.size(); ++i)
    if (!isClose(found.floats[i], expected.floats[i]))
      return false;
  return found.others == expected.others;
}

} // namespace

Result<std::vector<Timing>> timeCandidates(ModuleOp module, const CompileOptions &options,
                                           codegen::TacticBook *tactics, std::string &gpu) {
  RandomBytes random;
  codegen::WeightStore store;
  if (Result<void> added = addWeights(module, random, store); !added)
    return added.error();
  Result<Assembly> built =
      assembleModule(module, "tune", Target::Cuda, store, options, WeightPlace::Section, tactics);
  if (!built)
    return built.error();
  Result<format::Container> container = format::Container::fromMemory(built->toMemory(), "tune");
  if (!container)
    return container.error();
  auto engine = rt::EngineState::make(std::move(*container), "the candidates");
  if (!engine)
    return engine.error();
  auto executor = rt::EngineState::makeExecutor(*engine, Device::cuda(0));
  if (!executor)
    return executor.error();
  auto session = rt::SessionState::open(*engine, std::move(*executor), {});
  if (!session)
    return session.error();
  gpu = (*session)->deviceName();
  const format::ModelT &plan = (*engine)->model();
  Runner runner(**session);
  std::vector<Timing> timings;
  Outcome first;
  for (const std::unique_ptr<format::EntryT> &entry : plan.entries) {
    Outcome outcome;
    Result<Timing> timing = runner.time(*entry, outcome);
    if (!timing && timings.empty())
      return timing.error();
    timings.push_back(timing ? *timing : Timing{0, timing.error().message});
    if (timings.size() == 1)
      first = std::move(outcome);
    else if (timing && !areClose(outcome, first))
      timings.back().failure = "computes something else";
  }
  return timings;
}

} // namespace nnc::tune
