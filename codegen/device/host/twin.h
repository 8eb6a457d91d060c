// The host half of the device prelude: what a kernel sees when it is compiled for the CPU. Threads
// of a block are fibers of one OS thread (Twin.cpp); this file gives them their indices, barriers,
// shuffles, shared memory and arithmetic. Embedded, and put in place of the prelude's #include.
#ifndef NNC_DEVICE_HOST_TWIN_H
#define NNC_DEVICE_HOST_TWIN_H

#include "host/state.h"

#define __global__
#define __device__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __restrict__ __restrict
#define NNC_CLUSTER(...)
#define NNC_UNROLL
#define NNC_UNROLL_BY(N)
#define NNC_INLINE inline __attribute__((always_inline))
#define NNC_ASSUME(WHAT) __builtin_assume(WHAT)
// Blocks run one after another (those of a cluster use no static memory), so it is a block's; the
// section lets it be poisoned, which the compiler must not outwit.
#define __shared__ static __attribute__((section("nnc_shared"), used))

extern "C" {
float expf(float), exp2f(float), expm1f(float), logf(float), log1pf(float), log2f(float);
float sqrtf(float), sinf(float), cosf(float), tanf(float), tanhf(float), erff(float);
float floorf(float), ceilf(float), rintf(float), roundf(float), truncf(float), fabsf(float);
float powf(float, float), fmaxf(float, float), fminf(float, float), fmaf(float, float, float);
float copysignf(float, float), atanf(float), atan2f(float, float), fmodf(float, float);
float log10f(float);
double exp(double), exp2(double), expm1(double), log(double), log1p(double), log2(double);
double sqrt(double), sin(double), cos(double), tan(double), tanh(double), erf(double);
double floor(double), ceil(double), rint(double), round(double), trunc(double), fabs(double);
double pow(double, double), fmax(double, double), fmin(double, double), fma(double, double, double);
double copysign(double, double), atan(double), atan2(double, double), fmod(double, double);
double log10(double);

NncTwinState *nncTwin;
extern char __start_nnc_shared[] __attribute__((weak, visibility("hidden")));
extern char __stop_nnc_shared[] __attribute__((weak, visibility("hidden")));
char *nncTwinSharedBegin() { return __start_nnc_shared; }
char *nncTwinSharedEnd() { return __stop_nnc_shared; }
}

#define threadIdx (nncTwin->thread)
#define blockIdx (nncTwin->block)
#define blockDim (nncTwin->blockSize)
#define gridDim (nncTwin->gridSize)

NNC_INLINE void barrier() { nncTwin->barrier(); }
NNC_INLINE void joinWarp() { nncTwin->warpBarrier(); }
template <class V> NNC_INLINE void keepHere(V &) {}
NNC_INLINE void gridBarrier(unsigned *) { nncTwin->gridBarrier(); }
template <class T> NNC_INLINE T *dynamicShared() {
  return reinterpret_cast<T *>(nncTwin->dynamicShared);
}
constexpr bool HasClusters = true;
inline void letNextStart() {}
inline void waitForKernels() {}
inline void bringNear(const void *) {}
template <class T> inline T peek(const T *address) { return *address; }
inline int clusterRankOf() { return (int)(blockIdx.x % nncTwin->clusterSize); }
NNC_INLINE void waitForCluster() { nncTwin->gridBarrier(); }
NNC_INLINE void endCluster() { nncTwin->gridBarrier(); }
template <class T> inline const T *sharedOf(const T *here, int rank) {
  return (const T *)((const char *)here + (rank - clusterRankOf()) * (long)nncTwin->sharedStride);
}
/// Threads take turns only at barriers, so nothing can come between.
template <class T> NNC_INLINE void addAtomically(T *place, T value) { *place += value; }
NNC_INLINE unsigned countArrival(unsigned *counter) { return (*counter)++; }

/// All lanes put their values down, wait for each other, and read one. A lane can be one shuffle
/// ahead of another at most, so two slots suffice.
template <class T> inline T nncTwinExchange(T value, unsigned lane) {
  static_assert(sizeof(T) <= 8, "shuffles move eight bytes at most");
  const unsigned self = nncTwin->linearThread, warp = self / 32 * 32;
  const unsigned slot = nncTwin->parity[self] ^= 1;
  __builtin_memcpy(&nncTwin->exchange[self * 2 + slot], &value, sizeof(T));
  nncTwin->warpBarrier();
  T result;
  __builtin_memcpy(&result, &nncTwin->exchange[(warp + lane) * 2 + slot], sizeof(T));
  return result;
}
template <class T> inline T shuffleXor(T value, int lanes) {
  return nncTwinExchange(value, nncTwin->linearThread % 32 ^ (unsigned)lanes);
}
template <class T> inline T shuffleDown(T value, int distance) {
  const unsigned lane = nncTwin->linearThread % 32;
  return nncTwinExchange(value, lane + distance < 32 ? lane + distance : lane);
}
template <class T> inline T shuffleFrom(T value, int lane) { return nncTwinExchange(value, lane); }
inline unsigned lanesWhere(bool value) {
  unsigned bits = (unsigned)value << nncTwin->linearThread % 32;
  for (int lanes = 1; lanes < 32; lanes *= 2)
    bits |= shuffleXor(bits, lanes);
  return bits;
}

inline float floatFromBits(unsigned bits) { return __builtin_bit_cast(float, bits); }
inline unsigned bitsOfFloat(float value) { return __builtin_bit_cast(unsigned, value); }
inline float f16ToFloat(unsigned short bits) { return (float)__builtin_bit_cast(_Float16, bits); }
inline unsigned short floatToF16(float value) {
  return __builtin_bit_cast(unsigned short, (_Float16)value);
}
inline float bf16ToFloat(unsigned short bits) { return floatFromBits((unsigned)bits << 16); }
inline unsigned short floatToBf16(float value) {
  const unsigned bits = __builtin_bit_cast(unsigned, value);
  if (value != value)
    return 0x7fff;
  return (unsigned short)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
inline float roundToBf16(float value) { return bf16ToFloat(floatToBf16(value)); }
template <class T> inline unsigned packPair(float low, float high) {
  return T(low).bits | (unsigned)T(high).bits << 16;
}
inline float reciprocal(float value) { return 1.0f / value; }
inline float powerOfTwo(float value) { return value < -126 ? 0 : exp2f(value); }
inline float maximum(float a, float b) { return a > b || a != a ? a : b; }
inline float minimum(float a, float b) { return a < b || a != a ? a : b; }

/// Calls a kernel with its parameters as cuLaunchKernel gets them: one pointer to each.
template <class... P> struct NncTwinCaller {
  static void call(void (*kernel)(P...), void **params) {
    unpack(kernel, params, __make_integer_seq<Sequence, unsigned, sizeof...(P)>());
  }
  template <class T, T... I> struct Sequence {};
  template <unsigned... I>
  static void unpack(void (*kernel)(P...), void **params, Sequence<unsigned, I...>) {
    kernel(*static_cast<P *>(params[I])...);
  }
};
template <class... P> inline void nncTwinInvoke(void (*kernel)(P...), void **params) {
  NncTwinCaller<P...>::call(kernel, params);
}

/// The number of a kernel's parameters, and the size of each.
template <class... P> inline unsigned nncTwinSizes(void (*)(P...), const unsigned long **sizes) {
  static const unsigned long known[] = {sizeof(P)..., 0};
  *sizes = known;
  return sizeof...(P);
}

#endif // NNC_DEVICE_HOST_TWIN_H
