// Loading host libraries with kernels, and launching those.
#include "codegen/device/host/Fibers.h"
#include "codegen/device/host/Twin.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fmt/format.h>
#include <mutex>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

using namespace nnc;
using namespace nnc::twin;

namespace {

/// One launch at a time: kernels keep shared memory and indices in static variables.
std::mutex launching;

ThreadOrder initialOrder() {
  const char *order = std::getenv("NNC_TWIN_ORDER");
  return order && std::string_view(order) == "reverse" ? ThreadOrder::Reverse
                                                       : ThreadOrder::Forward;
}

std::atomic<ThreadOrder> threadOrder = initialOrder();

/// What no kernel may rely on: NaN in every float type.
void poison(char *begin, char *end) {
  if (begin && end > begin)
    std::memset(begin, 0xff, end - begin);
}

uint64_t volume(const std::array<unsigned, 3> &size) {
  return uint64_t(size[0]) * size[1] * size[2];
}

} // namespace

void twin::setThreadOrder(ThreadOrder order) { threadOrder = order; }

Result<std::shared_ptr<Module>> Module::load(std::string_view image) {
  int file = memfd_create("nnc-twin", MFD_CLOEXEC);
  if (file < 0 || write(file, image.data(), image.size()) != static_cast<ssize_t>(image.size())) {
    if (file >= 0)
      close(file);
    return Error{"cannot keep a library in memory"};
  }
  void *library = dlopen(fmt::format("/proc/self/fd/{}", file).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    std::string why = dlerror();
    close(file);
    return Error{fmt::format("cannot load the image: {}", why)};
  }
  return std::shared_ptr<Module>(new Module(library, file));
}

Module::~Module() {
  dlclose(library);
  close(file);
}

bool Module::has(const std::string &symbol) const {
  return dlsym(library, ("nncTwinEntry_" + symbol).c_str()) != nullptr;
}

std::vector<size_t> Module::parameterBytes(const std::string &symbol) const {
  auto query = reinterpret_cast<unsigned (*)(const unsigned long **)>(
      dlsym(library, ("nncTwinSizes_" + symbol).c_str()));
  const unsigned long *sizes = nullptr;
  unsigned count = query ? query(&sizes) : 0;
  return std::vector<size_t>(sizes, sizes + count);
}

Result<void> Module::launch(const std::string &symbol, std::array<unsigned, 3> grid,
                            std::array<unsigned, 3> block, unsigned sharedBytes, void **params,
                            bool isCooperative) {
  auto entry =
      reinterpret_cast<void (*)(void **)>(dlsym(library, ("nncTwinEntry_" + symbol).c_str()));
  auto **current = static_cast<NncTwinState **>(dlsym(library, "nncTwin"));
  auto begin = reinterpret_cast<char *(*)()>(dlsym(library, "nncTwinSharedBegin"));
  auto end = reinterpret_cast<char *(*)()>(dlsym(library, "nncTwinSharedEnd"));
  if (!entry || !current || !begin || !end)
    return Error{fmt::format("the module has no kernel {}", symbol)};
  if (volume(grid) == 0 || volume(block) == 0 || volume(block) > 1024)
    return Error{fmt::format("{} is launched with {} blocks of {} threads", symbol, volume(grid),
                             volume(block))};

  auto clusterOf =
      reinterpret_cast<unsigned (*)()>(dlsym(library, ("nncTwinCluster_" + symbol).c_str()));
  const unsigned cluster = clusterOf ? clusterOf() : 1;
  if (grid[0] % cluster != 0 || (cluster > 1 && isCooperative))
    return Error{fmt::format("{} is launched with {} blocks in clusters of {}", symbol,
                             volume(grid), cluster)};

  std::lock_guard lock(launching);
  static BlockRunner runner;
  static std::vector<std::max_align_t> dynamicShared;
  constexpr size_t MostShared = 227 << 10;
  if (sharedBytes > MostShared)
    return Error{fmt::format("{} asks for {} bytes of shared memory", symbol, sharedBytes)};
  // Blocks that wait for each other keep their dynamic shared memory meanwhile.
  const uint64_t atOnce = isCooperative ? volume(grid) : cluster;
  NncTwinState state{};
  state.blockSize = {block[0], block[1], block[2]};
  state.gridSize = {grid[0], grid[1], grid[2]};
  state.clusterSize = cluster;
  state.sharedStride = (sharedBytes + 127) / 128 * 128;
  dynamicShared.resize(atOnce * state.sharedStride / sizeof(std::max_align_t));
  char *allShared = reinterpret_cast<char *>(dynamicShared.data());
  *current = &state;
  std::function<void()> body = [&] { entry(params); };
  auto enterBlock = [&](unsigned number, bool isFirst) {
    state.dynamicShared = allShared + (atOnce > 1 ? number * state.sharedStride : 0);
    if (cluster == 1 || isFirst) // others of a cluster read it
      poison(begin(), end());
    if (isFirst)
      poison(state.dynamicShared, state.dynamicShared + sharedBytes);
  };
  bool reverse = threadOrder == ThreadOrder::Reverse;
  for (uint64_t i = 0; i < volume(grid); i += atOnce) {
    Result<void> done = runner.run(state, body, reverse, i, unsigned(atOnce), enterBlock);
    if (!done)
      return Error{fmt::format("{}, block {}: {}", symbol, i, done.error().message)};
  }
  return {};
}
