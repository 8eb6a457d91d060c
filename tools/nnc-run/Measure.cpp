#include "tools/nnc-run/Measure.h"
#include "tools/nnc-run/TensorFiles.h"

#include "tools/Say.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>

using namespace nnc;

namespace {

using Clock = std::chrono::steady_clock;

double millisecondsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

/// A call that may find the session's states used up, as a full cache: then they start over.
Result<void> callAgain(Session &session, const std::string &entry, const TensorMap &inputs,
                       const TensorMap &outputs) {
  Result<void> ran = session.runInto(entry, inputs, outputs);
  if (ran)
    return ran;
  if (Result<void> done = session.reset(); !done)
    return done;
  return session.runInto(entry, inputs, outputs);
}

/// Times calls for about a second, after two that prepare and warm up.
Result<std::vector<double>> timeCalls(Session &session, const std::string &entry,
                                      const TensorMap &inputs, const TensorMap &outputs) {
  constexpr int WarmUps = 2;
  constexpr size_t Least = 5, Most = 10'000;
  constexpr double Budget = 1000;
  for (int i = 0; i < WarmUps; ++i)
    if (Result<void> ran = callAgain(session, entry, inputs, outputs); !ran)
      return ran.error();
  std::vector<double> times;
  Clock::time_point begin = Clock::now();
  while (times.size() < Least || (millisecondsSince(begin) < Budget && times.size() < Most)) {
    Clock::time_point start = Clock::now();
    if (Result<void> ran = callAgain(session, entry, inputs, outputs); !ran)
      return ran.error();
    times.push_back(millisecondsSince(start));
  }
  return times;
}

Result<void> benchWhere(Session &session, const std::string &entry, const TensorMap &inputs,
                        Device where) {
  Result<TensorMap> outputs = session.makeOutputs(entry, inputs, where);
  if (!outputs)
    return outputs.error();
  Result<std::vector<double>> times = timeCalls(session, entry, inputs, *outputs);
  if (!times)
    return times.error();
  std::ranges::sort(*times);
  double sum = 0;
  for (double time : *times)
    sum += time;
  say("{} on {}, tensors on {}: median {:.4f} ms, min {:.4f} ms, mean {:.4f} ms, {} calls\n", entry,
      session.device().text(), where.text(), (*times)[times->size() / 2], times->front(),
      sum / static_cast<double>(times->size()), times->size());
  return {};
}

/// Inputs in the types that the entry takes, so that no call converts them.
Result<TensorMap> asTaken(const format::EntryT &entry, const TensorMap &inputs) {
  TensorMap taken;
  for (const NamedTensor &input : inputs) {
    auto port = std::ranges::find(entry.inputs, input.name, &format::PortT::name);
    DType type = input.tensor.dtype();
    if (port != entry.inputs.end())
      type = static_cast<DType>((*port)->dtype);
    bool isNarrowed =
        input.tensor.dtype() == DType::F32 && (type == DType::F16 || type == DType::BF16);
    Result<Tensor> tensor = isNarrowed ? run::convertTo(type, input.tensor) : input.tensor;
    if (!tensor)
      return tensor.error();
    taken.add(input.name, std::move(*tensor));
  }
  return taken;
}

} // namespace

Result<void> run::bench(Session &session, const format::EntryT &entry, const TensorMap &inputs) {
  Result<TensorMap> taken = asTaken(entry, inputs);
  if (!taken)
    return taken.error();
  Result<void> done = benchWhere(session, entry.name, *taken, Device::cpu());
  if (!done || session.device().kind == Device::Kind::Cpu)
    return done;
  TensorMap onDevice;
  for (const NamedTensor &input : *taken) {
    Result<Tensor> copy = session.toDevice(input.tensor);
    if (!copy)
      return copy.error();
    onDevice.add(input.name, std::move(*copy));
  }
  return benchWhere(session, entry.name, onDevice, session.device());
}
