// Device memory is the host's, poisoned, between two zones that nobody may touch. It takes the
// host's memory only where it is used: an arena that is planned for the largest sizes may be larger
// than that.
#include "test/twin/Device.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <sys/mman.h>

using namespace nnc;

namespace {

constexpr size_t Page = 4096, Zone = Page;
constexpr unsigned char Poison = 0xff;   ///< in the memory: NaN in every float type
constexpr size_t MostPoison = 256 << 20; ///< what lies beyond is zero, because it is not touched
constexpr unsigned char Guard = 0xa5;    ///< around it

std::mutex mutex;
std::map<CUdeviceptr, size_t> allocations; ///< by address, without the zones
size_t used = 0;

size_t capacity() {
  static const size_t bytes = [] {
    const char *chosen = std::getenv("NNC_TWIN_MEMORY");
    return chosen ? std::strtoull(chosen, nullptr, 10) : size_t(64) << 30;
  }();
  return bytes;
}

size_t zonesEnd(size_t bytes) { return (bytes + 2 * Zone + Page - 1) / Page * Page; }

unsigned char *pointerTo(CUdeviceptr address) { return reinterpret_cast<unsigned char *>(address); }

bool isGuard(const unsigned char *begin, const unsigned char *end) {
  return std::all_of(begin, end, [](unsigned char byte) { return byte == Guard; });
}

bool isIntact(CUdeviceptr address, size_t bytes) {
  const unsigned char *begin = pointerTo(address), *all = begin - Zone;
  bool before = isGuard(all, begin), after = isGuard(begin + bytes, all + zonesEnd(bytes));
  if (!before || !after)
    twin::refuse(CUDA_ERROR_ILLEGAL_ADDRESS,
                 ("something was written " + std::string(before ? "after" : "before") +
                  " an allocation of " + std::to_string(bytes) + " bytes")
                     .c_str());
  return before && after;
}

CUresult copy(void *to, const void *from, size_t bytes) {
  std::memcpy(to, from, bytes);
  return CUDA_SUCCESS;
}

} // namespace

bool twin::isDeviceMemory(CUdeviceptr address, size_t bytes) {
  std::lock_guard lock(mutex);
  auto place = allocations.upper_bound(address);
  if (place == allocations.begin())
    return false;
  --place;
  size_t offset = address - place->first;
  return offset <= place->second && bytes <= place->second - offset;
}

bool twin::guardsAreIntact() {
  std::lock_guard lock(mutex);
  return std::all_of(allocations.begin(), allocations.end(),
                     [](const auto &entry) { return isIntact(entry.first, entry.second); });
}

NNC_TWIN_API CUresult cuMemGetInfo(size_t *free, size_t *total) {
  std::lock_guard lock(mutex);
  *total = capacity();
  *free = capacity() - used;
  return CUDA_SUCCESS;
}

NNC_TWIN_API CUresult cuMemAlloc(CUdeviceptr *address, size_t bytes) {
  if (!twin::hasContext())
    return CUDA_ERROR_INVALID_CONTEXT;
  if (bytes == 0)
    return CUDA_ERROR_INVALID_VALUE;
  std::lock_guard lock(mutex);
  if (bytes > capacity() - used)
    return CUDA_ERROR_OUT_OF_MEMORY;
  size_t size = zonesEnd(bytes);
  void *pages = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (pages == MAP_FAILED)
    return CUDA_ERROR_OUT_OF_MEMORY;
  auto *memory = static_cast<unsigned char *>(pages);
  std::memset(memory, Guard, Zone);
  std::memset(memory + Zone, Poison, std::min(bytes, MostPoison));
  std::memset(memory + Zone + bytes, Guard, size - Zone - bytes);
  *address = reinterpret_cast<CUdeviceptr>(memory + Zone);
  allocations[*address] = bytes;
  used += bytes;
  return CUDA_SUCCESS;
}

NNC_TWIN_API CUresult cuMemFree(CUdeviceptr address) {
  if (!twin::hasContext())
    return CUDA_ERROR_INVALID_CONTEXT;
  std::lock_guard lock(mutex);
  auto place = allocations.find(address);
  if (place == allocations.end())
    return twin::refuse(CUDA_ERROR_INVALID_VALUE, "cuMemFree of what was not allocated");
  bool intact = isIntact(place->first, place->second);
  used -= place->second;
  munmap(pointerTo(address) - Zone, zonesEnd(place->second));
  allocations.erase(place);
  return intact ? CUDA_SUCCESS : CUDA_ERROR_ILLEGAL_ADDRESS;
}

NNC_TWIN_API CUresult cuMemHostAlloc(void **memory, size_t bytes, unsigned) {
  if (!twin::hasContext())
    return CUDA_ERROR_INVALID_CONTEXT;
  *memory = std::malloc(bytes);
  return *memory ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

NNC_TWIN_API CUresult cuMemFreeHost(void *memory) {
  std::free(memory);
  return CUDA_SUCCESS;
}

NNC_TWIN_API CUresult cuMemcpyHtoDAsync(CUdeviceptr to, const void *from, size_t bytes,
                                        CUstream stream) {
  if (!twin::isDeviceMemory(to, bytes))
    return twin::refuse(CUDA_ERROR_INVALID_VALUE, "a copy to the device leaves its allocation");
  return twin::enqueue(stream, [=] { return copy(pointerTo(to), from, bytes); });
}

NNC_TWIN_API CUresult cuMemcpyDtoHAsync(void *to, CUdeviceptr from, size_t bytes, CUstream stream) {
  if (!twin::isDeviceMemory(from, bytes))
    return twin::refuse(CUDA_ERROR_INVALID_VALUE, "a copy from the device leaves its allocation");
  return twin::enqueue(stream, [=] { return copy(to, pointerTo(from), bytes); });
}

NNC_TWIN_API CUresult cuMemcpyDtoDAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes,
                                        CUstream stream) {
  if (!twin::isDeviceMemory(to, bytes) || !twin::isDeviceMemory(from, bytes))
    return twin::refuse(CUDA_ERROR_INVALID_VALUE, "a copy on the device leaves its allocation");
  return twin::enqueue(stream, [=] { return copy(pointerTo(to), pointerTo(from), bytes); });
}

NNC_TWIN_API CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t bytes,
                                      CUstream stream) {
  if (!twin::isDeviceMemory(to, bytes))
    return twin::refuse(CUDA_ERROR_INVALID_VALUE, "a memset leaves its allocation");
  return twin::enqueue(stream, [=] {
    std::memset(pointerTo(to), value, bytes);
    return CUDA_SUCCESS;
  });
}
