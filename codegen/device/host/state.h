// What the host twin's launcher (Twin.cpp) and kernels compiled for the host (twin.h) share.
#ifndef NNC_DEVICE_HOST_STATE_H
#define NNC_DEVICE_HOST_STATE_H

struct NncTwinIndex {
  unsigned x, y, z;
};

/// A barrier of some warps of a block.
struct NncTwinMeeting {
  unsigned arrived; ///< of those that will meet next
  unsigned ended;   ///< meetings so far
};

/// What the machine gives the running thread.
struct NncTwinState {
  NncTwinIndex thread, block, blockSize, gridSize;
  unsigned linearThread;        ///< among the threads that run at once
  void (*barrier)();            ///< waits for all threads of the block
  void (*warpBarrier)();        ///< waits for all threads of the warp
  void (*gridBarrier)();        ///< waits for all threads of a cooperative grid, or of a cluster
  void (*waitForArrival)();     ///< waits until `arrivals` has risen
  unsigned long long arrivals;  ///< of threads, at anything that others wait for
  NncTwinMeeting *meetings;     ///< of the block
  unsigned long long *exchange; ///< two slots per thread of the block
  unsigned char *parity;        ///< which slot the thread's next shuffle uses
  char *dynamicShared;          ///< aligned to 16 bytes
  unsigned clusterSize;         ///< blocks of a cluster, 1 without any
  unsigned long sharedStride;   ///< bytes from one block's dynamicShared to the next one's
};

/// What the twin's driver puts into a TensorMap: a matrix of 16-bit elements, one whose rows are
/// dealt, or images with their channels last.
struct NncTwinMap {
  const char *base;
  long sizes[5];                    ///< the innermost first
  long strides[4];                  ///< of the others, in bytes
  unsigned rank;                    ///< 2, 5 if rows are dealt, or 4 for images
  unsigned rows;                    ///< of a box, or pixels
  int lower[2], upper[2], steps[2]; ///< where windows begin, and their steps: of x, of y
};

#endif // NNC_DEVICE_HOST_STATE_H
