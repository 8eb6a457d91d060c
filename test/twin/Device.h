// What the parts of the twin ask of each other.
#ifndef NNC_TEST_TWIN_DEVICE_H
#define NNC_TEST_TWIN_DEVICE_H

#include <cuda.h>

#include <cstddef>
#include <functional>

// The functions that the runtime looks up.
#define NNC_TWIN_API extern "C" __attribute__((visibility("default")))

namespace nnc::twin {

/// Whether the calling thread has a current context, which most calls need.
bool hasContext();

/// Prints why a call fails: the runtime's error names only the status.
CUresult refuse(CUresult status, const char *why);

/// Whether [address, address + bytes) lies in one allocation of the device.
bool isDeviceMemory(CUdeviceptr address, size_t bytes);

/// False, with a message, if something has written around an allocation.
bool guardsAreIntact();

/// Runs `work` now, or adds it to the graph that is being captured from `stream`.
CUresult enqueue(CUstream stream, std::function<CUresult()> work);

} // namespace nnc::twin

#endif
