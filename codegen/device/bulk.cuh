// Copies to shared memory that the machine makes by itself from tensor maps (sm_90a: PTX ISA,
// section "cp.async.bulk.tensor"), whose bytes arrive (arrivals.cuh): a phase ends when all threads
// and all bytes that were announced have come. The host half copies at once.

#ifdef __CUDACC__
#define NNC_MAP_ALIGNMENT alignas(64)
#define NNC_MAP_PARAMETER const __grid_constant__ TensorMap
#else
#define NNC_MAP_ALIGNMENT
#define NNC_MAP_PARAMETER const TensorMap
#endif

/// What the driver encodes about a tensor for copies of its parts: an operand of 16-bit elements
/// in global memory. A kernel gets it as a parameter.
struct NNC_MAP_ALIGNMENT TensorMap {
  unsigned long long words[16];
};

#ifdef __CUDACC__
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
constexpr bool HasPipelines = true;

/// Shows arrivals that this thread prepared to the machine's copies.
NNC_INLINE void showArrivals() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
/// Arrives and says how many bytes will come in this phase besides.
NNC_INLINE void arriveExpecting(Arrivals *arrivals, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared.b64 _, [%0], %1;" ::"r"(sharedAddress(arrivals)),
               "r"(bytes)
               : "memory");
}
/// Starts to copy a box of a matrix to shared memory, from element `k` of row `row` on; zeros where
/// it is outside. It lies there as `swizzled` says, and its bytes arrive.
NNC_INLINE void copyBox(char *to, const TensorMap *map, int k, int row, Arrivals *arrivals) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes"
               " [%0], [%1, {%3, %4}], [%2];" ::"r"(sharedAddress(to)),
               "l"(map), "r"(sharedAddress(arrivals)), "r"(k), "r"(row)
               : "memory");
}
/// The same of rows that are the columns of a product, from one of a multiple of 32 on, dealt as
/// fragments.cuh says. The map has the five sizes of that.
NNC_INLINE void copyColumns(char *to, const TensorMap *map, int k, int column, Arrivals *arrivals) {
  asm volatile("cp.async.bulk.tensor.5d.shared::cluster.global.mbarrier::complete_tx::bytes"
               " [%0], [%1, {%3, %4, %4, %4, %5}], [%2];" ::"r"(sharedAddress(to)),
               "l"(map), "r"(sharedAddress(arrivals)), "r"(k), "r"(0), "r"(column / 32)
               : "memory");
}
/// The same of images, channels last: the window's element (dx, dy) of neighbouring positions of
/// the window, the first of which begins at pixel (x, y) of image n; zeros around the images.
NNC_INLINE void copyPixels(char *to, const TensorMap *map, int channel, int x, int y, int n, int dx,
                           int dy, Arrivals *arrivals) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes"
               " [%0], [%1, {%3, %4, %5, %6}], [%2], {%7, %8};" ::"r"(sharedAddress(to)),
               "l"(map), "r"(sharedAddress(arrivals)), "r"(channel), "r"(x), "r"(y), "r"(n),
               "h"((unsigned short)dx), "h"((unsigned short)dy)
               : "memory");
}
#else
constexpr bool HasPipelines = false;
NNC_INLINE void showArrivals() {}
NNC_INLINE void arriveExpecting(Arrivals *, int) {}
NNC_INLINE void copyBox(char *, const TensorMap *, int, int, Arrivals *) {}
NNC_INLINE void copyColumns(char *, const TensorMap *, int, int, Arrivals *) {}
NNC_INLINE void copyPixels(char *, const TensorMap *, int, int, int, int, int, int, Arrivals *) {}
#endif

#else

#ifdef NNC_TWIN_ELSEWHERE
constexpr bool HasPipelines = false;
#else
constexpr bool HasPipelines = true;
#endif

inline void showArrivals() {}

// The twin's Arrivals have 23 bits left for bytes to come, from bit 41 on.
inline void arriveExpecting(Arrivals *arrivals, int bytes) {
  ++nncTwin->arrivals;
  *arrivals += ((Arrivals)bytes << 41) - 1;
}
inline void nncTwinBytesCame(Arrivals *arrivals, int bytes) {
  ++nncTwin->arrivals;
  *arrivals -= (Arrivals)bytes << 41;
  if ((*arrivals & 0xfffff) == 0 && *arrivals >> 41 == 0)
    *arrivals = (*arrivals ^ 1ull << 40) | (*arrivals >> 20 & 0xfffff);
}

/// A row of 64 elements to shared memory, those behind `count` as zeros.
inline void nncTwinCopyRow(char *to, int row, const char *from, long count) {
  for (int i = 0; i < 64; ++i) {
    char *place = to + swizzled(row, i / 8) + i % 8 * 2;
    if (i < count)
      __builtin_memcpy(place, from + i * 2, 2);
    else
      __builtin_memset(place, 0, 2);
  }
}

inline void copyBox(char *to, const TensorMap *parameter, int k, int row, Arrivals *arrivals) {
  const NncTwinMap &map = *(const NncTwinMap *)parameter;
  for (int i = 0; i < (int)map.rows; ++i) {
    const bool isInside = row + i >= 0 && row + i < map.sizes[1];
    nncTwinCopyRow(to, i, map.base + (row + i) * map.strides[0] + k * 2l,
                   isInside ? map.sizes[0] - k : 0);
  }
  nncTwinBytesCame(arrivals, (int)map.rows * 128);
}

inline void copyColumns(char *to, const TensorMap *parameter, int k, int column,
                        Arrivals *arrivals) {
  const NncTwinMap &map = *(const NncTwinMap *)parameter;
  for (int i = 0; i < (int)map.rows; ++i) {
    const long last = column / 32 + i / 32;
    const char *row = map.base + i % 2 * map.strides[0] + i / 2 % 4 * map.strides[1] +
                      i / 8 % 4 * map.strides[2] + last * map.strides[3];
    nncTwinCopyRow(to, i, row + k * 2l, last < map.sizes[4] ? map.sizes[0] - k : 0);
  }
  nncTwinBytesCame(arrivals, (int)map.rows * 128);
}

inline void copyPixels(char *to, const TensorMap *parameter, int channel, int x, int y, int n,
                       int dx, int dy, Arrivals *arrivals) {
  const NncTwinMap &map = *(const NncTwinMap *)parameter;
  for (int i = 0; i < (int)map.rows; ++i) {
    const long px = x + dx, py = y + dy;
    const bool isInside =
        px >= 0 && px < map.sizes[1] && py >= 0 && py < map.sizes[2] && n >= 0 && n < map.sizes[3];
    nncTwinCopyRow(to, i,
                   map.base + px * map.strides[0] + py * map.strides[1] + n * map.strides[2] +
                       channel * 2l,
                   isInside ? map.sizes[0] - channel : 0);
    x += map.steps[0];
    if (x < map.sizes[1] + map.upper[0])
      continue;
    x = map.lower[0];
    y += map.steps[1];
    if (y < map.sizes[2] + map.upper[1])
      continue;
    y = map.lower[1];
    ++n;
  }
  nncTwinBytesCame(arrivals, (int)map.rows * 128);
}

#endif
