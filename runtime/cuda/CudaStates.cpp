#include "runtime/cuda/CudaStates.h"

#include "runtime/StateSizes.h"

#include <algorithm>
#include <bit>
#include <fmt/format.h>

using namespace nnc;
using namespace nnc::format;
using namespace nnc::rt;

Result<void> CudaStates::prepare() {
  memory.resize(engine->model().states.size());
  sizes.resize(memory.size());
  if (memory.empty())
    return {};
  void *address = nullptr;
  NNC_CUDA_TRY(gpu->api(), cuMemHostAlloc, &address, memory.size() * sizeof(int64_t), 0);
  shadows = HostMemoryOwner(gpu, address);
  return {};
}

Result<void> CudaStates::start(size_t index, uint64_t bytes, CUstream stream) {
  if (!memory[index].get() || sizes[index] < bytes) {
    memory[index] = DeviceMemory();
    Result<DeviceMemory> kept =
        gpu->allocate(std::max<uint64_t>(bytes, 1), "the state `" + stateOf(index).name + "`");
    if (!kept)
      return kept.error();
    memory[index] = std::move(*kept);
    sizes[index] = bytes;
  }
  if (Result<void> filled = fill(index, bytes, stream); !filled)
    return filled;
  if (static_cast<int64_t>(index) == engine->model().generator)
    numbers.fill({});
  if (Result<void> fetched = fetchScalar(index, stream); !fetched)
    return fetched;
  NNC_CUDA_TRY(gpu->api(), cuStreamSynchronize, stream);
  return {};
}

Result<void> CudaStates::fill(size_t index, uint64_t bytes, CUstream stream) {
  const StateT &state = stateOf(index);
  CUdeviceptr target = address(index);
  if (state.weight >= 0) {
    WeightData::Bytes initial = engine->weight(static_cast<size_t>(state.weight));
    NNC_CUDA_TRY(gpu->api(), cuMemcpyHtoDAsync, target, initial.data(), bytes, stream);
    return {};
  }
  if (state.value == 0 && bytes > 0) {
    NNC_CUDA_TRY(gpu->api(), cuMemsetD8Async, target, 0, bytes, stream);
    return {};
  }
  std::vector<std::byte> repeated, element = initialElement(state);
  size_t chunk = std::min<uint64_t>(bytes, size_t{1} << 20);
  for (size_t at = 0; at < chunk; ++at)
    repeated.push_back(element[at % element.size()]);
  for (uint64_t at = 0; at < bytes; at += chunk)
    NNC_CUDA_TRY(gpu->api(), cuMemcpyHtoDAsync, target + at, repeated.data(),
                 std::min<uint64_t>(chunk, bytes - at), stream);
  NNC_CUDA_TRY(gpu->api(), cuStreamSynchronize, stream); // it has read `repeated`
  return {};
}

int64_t CudaStates::scalar(size_t state) const {
  return scalarValue(static_cast<DType>(stateOf(state).dtype), shadowOf(state));
}

Result<void> CudaStates::fetchScalars(CUstream stream) {
  for (size_t i = 0; i < memory.size(); ++i)
    if (Result<void> fetched = fetchScalar(i, stream); !fetched)
      return fetched;
  return {};
}

Result<void> CudaStates::fetchScalar(size_t index, CUstream stream) {
  const StateT &state = stateOf(index);
  if (state.shape.empty() && address(index))
    NNC_CUDA_TRY(gpu->api(), cuMemcpyDtoHAsync, shadowOf(index), address(index), state.bytes,
                 stream);
  return {};
}

/// In the order of the call's stream: from one call to the next mostly one byte changes. Nothing is
/// copied, so nobody waits for memory of the host.
Result<void> CudaStates::placeGenerator(const Call &call, CUstream stream) {
  if (!call.generator)
    return {};
  auto state = static_cast<size_t>(engine->model().generator);
  if (sizes[state] < numbers.size())
    return Error{fmt::format("the random numbers of {} have no memory", engine->name())};
  auto wanted = std::bit_cast<std::array<std::byte, sizeof(Generator)>>(*call.generator);
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] == numbers[i])
      continue;
    NNC_CUDA_TRY(gpu->api(), cuMemsetD8Async, address(state) + i,
                 std::to_integer<unsigned char>(wanted[i]), 1, stream);
    numbers[i] = wanted[i];
  }
  return {};
}
