#include "runtime/NanSearch.h"
#include "runtime/SessionState.h"
#include "runtime/format/Half.h"

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace nnc;
using namespace nnc::format;
using namespace nnc::rt;

std::vector<uint32_t> rt::buffersAfter(const StepT &step) {
  if (const LaunchT *launch = step.what.AsLaunch())
    return launch->buffers;
  if (const GemmT *gemm = step.what.AsGemm())
    return {gemm->d};
  if (const CopyT *copy = step.what.AsCopy())
    return {copy->dst};
  std::vector<uint32_t> buffers;
  const LoopT &loop = *step.what.AsLoop();
  for (const std::unique_ptr<CarriedT> &carried : loop.carried)
    buffers.push_back(carried->result);
  for (const std::unique_ptr<StackedT> &stacked : loop.stacked)
    buffers.push_back(stacked->result);
  return buffers;
}

bool rt::hasNan(DType type, std::span<const std::byte> elements) {
  constexpr size_t Chunk = 1024;
  size_t bytes = dtypeBytes(type), count = elements.size() / bytes;
  for (size_t at = 0; at < count; at += Chunk) {
    size_t part = std::min(Chunk, count - at);
    if (type == DType::F64) {
      std::array<double, Chunk> values;
      std::memcpy(values.data(), elements.data() + at * bytes, part * bytes);
      if (std::any_of(values.begin(), values.begin() + part, [](double v) { return v != v; }))
        return true;
    } else if (isConvertibleFloat(type)) {
      std::array<float, Chunk> values;
      convertFloats(type, elements.data() + at * bytes, DType::F32, values.data(), part);
      if (std::any_of(values.begin(), values.begin() + part, [](float v) { return v != v; }))
        return true;
    } else {
      return false;
    }
  }
  return false;
}

static bool hasNanIn(const Tensor &host) {
  return hasNan(host.dtype(), {static_cast<const std::byte *>(host.data()), host.bytes()});
}

Result<std::optional<NanSource>> SessionState::findNan(std::string_view entry,
                                                       const TensorMap &inputs) {
  using Found = std::optional<NanSource>;
  for (const NamedTensor &input : inputs) {
    Result<Tensor> host = toHost(input.tensor);
    if (!host)
      return host.error();
    if (hasNanIn(*host))
      return Found({NanSource::Kind::Input, input.name, ""});
  }
  for (const Slot &known : slots()) {
    if (!known.isFixed)
      continue;
    Result<Tensor> value = slot(known.name);
    if (!value)
      return value.error();
    if (hasNanIn(*value))
      return Found({NanSource::Kind::Slot, known.name, ""});
  }
  Result<TensorMap> outputs = makeOutputs(entry, inputs, Device::cpu());
  if (!outputs)
    return outputs.error();
  Result<size_t> index = prepare(entry, inputs, *outputs);
  if (!index)
    return index.error();
  Result<std::optional<size_t>> step = executor->findNan(nextCall(*index));
  EntryState &state = entries[*index];
  state.release();
  if (!step)
    return step.error();
  if (!*step)
    return Found();
  const StepT &made = *state.entry.steps[**step];
  return Found({NanSource::Kind::Step, made.name, locationText(made.location.get())});
}
