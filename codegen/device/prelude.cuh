// The device prelude: everything that a kernel may use of the machine, and nothing of CUDA's
// headers, so that NVRTC needs a few milliseconds for it. Kernels and templates call intrinsics
// only through the first part of this file; its host twin (host/twin.h) offers the same names, so
// that the very same kernel source also compiles for the CPU and runs there, thread by thread.

#ifdef __CUDACC__

#define NNC_UNROLL _Pragma("unroll")
#define NNC_UNROLL_BY(N) _Pragma(NNC_STRING(unroll N))
#define NNC_STRING(TEXT) #TEXT
#define NNC_INLINE __device__ __forceinline__
#define NNC_ASSUME(WHAT) __builtin_assume(WHAT)

/// Waits until every thread of the block is here; makes shared memory written before visible.
NNC_INLINE void barrier() { __syncthreads(); }

/// Waits until every thread of the grid is here; makes what they wrote before visible to all. The
/// grid has only x, all its blocks run at once (cooperative launch), and at a launch `arrived` is
/// as the last one left it, or 0. Every block adds 1, the first as much as makes the sum 2^31, so
/// that the highest bit turns over when all have come and the rest is as before.
NNC_INLINE void gridBarrier(unsigned *arrived) {
  __syncthreads();
  if (threadIdx.x == 0) {
    const unsigned own = blockIdx.x == 0 ? 0x80000000u - (gridDim.x - 1) : 1;
    unsigned before, now;
    asm volatile("atom.add.acq_rel.gpu.global.u32 %0, [%1], %2;"
                 : "=r"(before)
                 : "l"(arrived), "r"(own)
                 : "memory");
    do
      asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(now) : "l"(arrived) : "memory");
    while (((before ^ now) & 0x80000000u) == 0);
  }
  __syncthreads();
}

/// Counts one more, and gives how many there were. Whoever is told a number sees what those who got
/// smaller ones, and their blocks up to their last barrier, had written.
NNC_INLINE unsigned countArrival(unsigned *counter) {
  unsigned before;
  asm volatile("atom.add.acq_rel.gpu.global.u32 %0, [%1], 1;"
               : "=r"(before)
               : "l"(counter)
               : "memory");
  return before;
}

// Clusters: blocks that run at once and read each other's dynamic shared memory. A kernel says
// NNC_CLUSTER(Blocks) behind its bounds. Where there are none (before sm_90), the first block of
// each cluster does the work of all; the others have nothing to do.
#if __CUDA_ARCH__ >= 900
#define NNC_CLUSTER(BLOCKS) __cluster_dims__(BLOCKS, 1, 1)
constexpr bool HasClusters = true;
NNC_INLINE int clusterRankOf() {
  int rank;
  asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}
NNC_INLINE void waitForCluster() {
  asm volatile("barrier.cluster.arrive.aligned;\n\tbarrier.cluster.wait.aligned;" ::: "memory");
}
NNC_INLINE void endCluster() {
  asm volatile("barrier.cluster.arrive.relaxed.aligned;\n\tbarrier.cluster.wait.aligned;" ::
                   : "memory");
}
template <class T> NNC_INLINE const T *sharedOf(const T *here, int rank) {
  const T *there;
  asm("mapa.u64 %0, %1, %2;" : "=l"(there) : "l"(here), "r"(rank));
  return there;
}
#else
#define NNC_CLUSTER(BLOCKS)
constexpr bool HasClusters = false;
NNC_INLINE int clusterRankOf() { return 0; }
NNC_INLINE void waitForCluster() { __syncthreads(); }
NNC_INLINE void endCluster() { __syncthreads(); }
template <class T> NNC_INLINE const T *sharedOf(const T *here, int) { return here; }
#endif

// Kernels that start early: launched while the one before them in the stream still runs, if that
// has let them. Neither does anything before sm_90, nor where nothing is launched so.

/// Lets the next kernel start when all blocks are here.
NNC_INLINE void letNextStart() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}
/// Waits until all kernels before this one have ended, and sees what they wrote. Before it only
/// weights may be read, and nothing be written.
NNC_INLINE void waitForKernels() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
/// Brings the 128 bytes around an address as near as the L2 cache, which they may all the same
/// change in: that may be done before the wait.
NNC_INLINE void bringNear(const void *address) {
#if __CUDA_ARCH__ >= 900
  asm volatile("prefetch.global.L2 [%0];" ::"l"(address));
#endif
}
/// What stands at an address that kernels before this one may still write to.
template <class T> NNC_INLINE T peek(const T *address) { return *(const volatile T *)address; }

/// The value of the lane whose number differs in the bits of `lanes`. All 32 lanes take part.
template <class T> NNC_INLINE T shuffleXor(T value, int lanes) {
  return __shfl_xor_sync(0xffffffffu, value, lanes);
}

/// The value of the lane `distance` further on; of the own lane where there is none.
template <class T> NNC_INLINE T shuffleDown(T value, int distance) {
  return __shfl_down_sync(0xffffffffu, value, distance);
}

/// The value of lane `lane`.
template <class T> NNC_INLINE T shuffleFrom(T value, int lane) {
  return __shfl_sync(0xffffffffu, value, lane);
}

/// Waits until all lanes of the warp are here; makes shared memory written before visible to them.
NNC_INLINE void joinWarp() { __syncwarp(); }

/// A bit for each lane: whether it is true there. All 32 lanes take part.
NNC_INLINE unsigned lanesWhere(bool value) { return __ballot_sync(0xffffffffu, value); }

/// Keeps the compiler from computing or loading the value later than here.
template <class V> NNC_INLINE void keepHere(V &value) {
  static_assert(sizeof(V) % 4 == 0, "it is whole registers");
  unsigned *words = reinterpret_cast<unsigned *>(&value);
  NNC_UNROLL
  for (int i = 0; i < (int)sizeof(V) / 4; ++i)
    asm volatile("" : "+r"(words[i]));
}

/// The block's shared memory whose size the launch gives, from a multiple of 1024 on.
template <class T> NNC_INLINE T *dynamicShared() {
  extern __shared__ __align__(1024) char bytes[];
  return reinterpret_cast<T *>(bytes);
}

/// *place += value, as one step. The order among threads is not determined.
template <class T> NNC_INLINE void addAtomically(T *place, T value) { atomicAdd(place, value); }

/// Conversions of the 16-bit storage types, rounding to nearest even.
NNC_INLINE float f16ToFloat(unsigned short bits) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
  return value;
}
NNC_INLINE unsigned short floatToF16(float value) {
  unsigned short bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
}
NNC_INLINE float bf16ToFloat(unsigned short bits) { return __uint_as_float((unsigned)bits << 16); }
NNC_INLINE unsigned short floatToBf16(float value) {
  unsigned short bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
}
/// A float with the fraction of a bf16, by one instruction.
NNC_INLINE float roundToBf16(float value) {
  unsigned bits;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(value), "f"(0.0f));
  return __uint_as_float(bits);
}

/// Two of them, rounded, the first one in the lower half.
template <class T> NNC_INLINE unsigned packPair(float low, float high);
template <> NNC_INLINE unsigned packPair<struct bf16>(float low, float high) {
  unsigned bits;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
  return bits;
}
template <> NNC_INLINE unsigned packPair<struct f16>(float low, float high) {
  unsigned bits;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
  return bits;
}

/// 2 to the power of `value`, within two units of the last place; 0 where that is no normal number.
NNC_INLINE float powerOfTwo(float value) {
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(value));
  return result;
}

/// 1 / value, within one unit of the last place.
NNC_INLINE float reciprocal(float value) {
  float result;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(value));
  return result;
}

/// The larger and the smaller of two numbers; NaN if either is.
NNC_INLINE float maximum(float a, float b) {
  float result;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(result) : "f"(a), "f"(b));
  return result;
}
NNC_INLINE float minimum(float a, float b) {
  float result;
  asm("min.NaN.f32 %0, %1, %2;" : "=f"(result) : "f"(a), "f"(b));
  return result;
}

NNC_INLINE float floatFromBits(unsigned bits) { return __uint_as_float(bits); }
NNC_INLINE unsigned bitsOfFloat(float value) { return __float_as_uint(value); }

#else
#include "host/twin.h"
#endif

/// How many blocks really share the work of a cluster of so many.
template <int Blocks> constexpr int BlocksAtWork = HasClusters ? Blocks : 1;

/// The block's number in its cluster.
template <int Blocks> NNC_INLINE int clusterRank() {
  if constexpr (Blocks > 1)
    return clusterRankOf();
  else
    return 0;
}
/// Waits until every thread of the cluster is here; makes shared memory written before visible.
template <int Blocks> NNC_INLINE void clusterBarrier() {
  if constexpr (Blocks > 1)
    waitForCluster();
  else
    barrier();
}
/// The last thing that a block does of which others read: waits until all have.
template <int Blocks> NNC_INLINE void leaveCluster() {
  if constexpr (Blocks > 1)
    endCluster();
}
/// What is at `here` in the dynamic shared memory of block `rank` of the cluster.
template <int Blocks, class T> NNC_INLINE const T *inCluster(const T *here, int rank) {
  if constexpr (Blocks > 1)
    return sharedOf(here, rank);
  else
    return here;
}

// Storage types. Their arithmetic is float's, rounded once.

/// IEEE half precision.
struct f16 {
  unsigned short bits;
  f16() = default;
  NNC_INLINE explicit f16(float value) : bits(floatToF16(value)) {}
  NNC_INLINE operator float() const { return f16ToFloat(bits); }
};

/// The upper half of a float.
struct bf16 {
  unsigned short bits;
  bf16() = default;
  NNC_INLINE explicit bf16(float value) : bits(floatToBf16(value)) {}
  NNC_INLINE operator float() const { return bf16ToFloat(bits); }
};

/// The value, rounded to a storage type.
template <class T> NNC_INLINE float rounded(float value) { return (float)T(value); }
template <> NNC_INLINE float rounded<bf16>(float value) { return roundToBf16(value); }
/// Of what has been rounded.
template <class T> NNC_INLINE float rounded(T value) { return (float)value; }

/// A float of 8 bits with `Fraction` bits of fraction. What is at least `TooLarge` (bits of a
/// float) becomes `Overflow`; magnitudes above `Largest` are NaN.
template <int Fraction, unsigned Bias, unsigned TooLarge, unsigned Overflow, unsigned Largest>
struct SmallFloat {
  unsigned char bits;
  SmallFloat() = default;
  NNC_INLINE explicit SmallFloat(float value) : bits((unsigned char)round(value)) {}
  NNC_INLINE operator float() const {
    const unsigned magnitude = bits & 0x7fu, sign = (bits & 0x80u) << 24;
    if (magnitude > Largest)
      return floatFromBits(sign | 0x7fc00000u);
    if (Overflow == Largest && magnitude == Largest)
      return floatFromBits(sign | 0x7f800000u);
    const float value =
        floatFromBits(magnitude << (23 - Fraction)) * floatFromBits((254 - Bias) << 23);
    return floatFromBits(sign | bitsOfFloat(value));
  }

private:
  static NNC_INLINE unsigned round(float value) {
    constexpr unsigned Dropped = 23 - Fraction, Rebias = (127 - Bias) << 23;
    constexpr unsigned Unit = (127 - Bias + Dropped + 1) << 23;
    const unsigned all = bitsOfFloat(value), magnitude = all & 0x7fffffffu,
                   sign = all >> 24 & 0x80u;
    if (magnitude > 0x7f800000u)
      return sign | 0x7fu;
    if (magnitude >= TooLarge)
      return sign | Overflow;
    if (magnitude < Rebias + (1u << 23)) // an addition rounds to units, left in the low bits
      return sign | (bitsOfFloat(floatFromBits(magnitude) + floatFromBits(Unit)) - Unit);
    const unsigned rounded = magnitude + (1u << (Dropped - 1)) - 1 + (magnitude >> Dropped & 1);
    return sign | (rounded - Rebias) >> Dropped;
  }
};

/// No infinity: too large is NaN.
using f8e4m3 = SmallFloat<3, 7, 0x43f00000u, 0x7fu, 0x7eu>;
using f8e5m2 = SmallFloat<2, 15, 0x47800000u, 0x7cu, 0x7cu>;

/// Neighbours that are moved together, up to sixteen bytes by one instruction.
template <class T, int N> struct alignas(sizeof(T) * N < 16 ? sizeof(T) * N : 16) Vector {
  T at[N];
  NNC_INLINE T &operator[](int i) { return at[i]; }
  NNC_INLINE const T &operator[](int i) const { return at[i]; }
};

/// N consecutive elements; `pointer` is aligned to all of them, or to 16 bytes.
template <int N, class T> NNC_INLINE Vector<T, N> loadVector(const T *pointer) {
  return *reinterpret_cast<const Vector<T, N> *>(pointer);
}
template <int N, class T> NNC_INLINE void storeVector(T *pointer, const Vector<T, N> &values) {
  *reinterpret_cast<Vector<T, N> *>(pointer) = values;
}

/// The error function, with an error of 2 in the last place and without branches, which a dozen of
/// them side by side would have to take one by one: x * P(x^2) up to 1, and 1 - 2^Q(|x|) up to 4,
/// where it is 1; P and Q are least maximum fits.
NNC_INLINE float errorFunction(float x) {
  const float size = fabsf(x);
  const bool isLarge = size >= 1.0f;
  const float y = isLarge ? fminf(size, 4.0f) : x * x;
  float sum = isLarge ? -3.12878474e-05f : -9.64150422e-06f;
  sum = fmaf(sum, y, isLarge ? 0.000636717945f : 0.00011256944f);
  sum = fmaf(sum, y, isLarge ? -0.00606592186f : -0.000848282827f);
  sum = fmaf(sum, y, isLarge ? 0.0363678858f : 0.00522094546f);
  sum = fmaf(sum, y, isLarge ? -0.156415045f : -0.0268654004f);
  sum = fmaf(sum, y, isLarge ? -0.913543105f : 0.112837821f);
  sum = fmaf(sum, y, isLarge ? -1.62963724f : -0.376126379f);
  sum = fmaf(sum, y, isLarge ? 0.000271295779f : 1.12837923f);
  return isLarge ? copysignf(1.0f - powerOfTwo(sum), x) : sum * x;
}

NNC_INLINE double errorFunction(double x) { return erf(x); }

/// 1 + erf(x), with an error of 3e-7: 2^Q(|x|) is 1 - erf(|x|), Q a least maximum fit up to 4 that
/// falls to minus infinity from there. Small results keep five digits down to -3, which the sum
/// with 1 loses.
NNC_INLINE float errorFunctionAndOne(float x) {
  const float y = fabsf(x);
  float sum = -1.46062603e-05f;
  sum = fmaf(sum, y, 0.000170212763f);
  sum = fmaf(sum, y, -0.000511728518f);
  sum = fmaf(sum, y, -0.00253698486f);
  sum = fmaf(sum, y, 0.0299651977f);
  sum = fmaf(sum, y, -0.149357319f);
  sum = fmaf(sum, y, -0.918203413f);
  sum = fmaf(sum, y, -1.62792766f);
  const float rest = powerOfTwo(fmaf(sum, y, 2.78936483e-07f));
  return x < 0 ? rest : 2 - rest;
}

/// 1 + tanh(x) = 2 / (1 + exp(-2 * x)), with an error of some units in the last place.
NNC_INLINE float tanhAndOne(float x) { return 2 * reciprocal(1 + powerOfTwo(-2.88539008f * x)); }

NNC_INLINE double maximum(double a, double b) { return a > b || a != a ? a : b; }
NNC_INLINE double minimum(double a, double b) { return a < b || a != a ? a : b; }
NNC_INLINE int maximum(int a, int b) { return a > b ? a : b; }
NNC_INLINE int minimum(int a, int b) { return a < b ? a : b; }
NNC_INLINE long long maximum(long long a, long long b) { return a > b ? a : b; }
NNC_INLINE long long minimum(long long a, long long b) { return a < b ? a : b; }
NNC_INLINE unsigned maximum(unsigned a, unsigned b) { return a > b ? a : b; }
NNC_INLINE unsigned minimum(unsigned a, unsigned b) { return a < b ? a : b; }

/// Quotient rounded to minus infinity and its remainder, which has the divisor's sign.
template <class T> NNC_INLINE T floorDiv(T a, T b) {
  T quotient = a / b;
  return quotient * b != a && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}
template <class T> NNC_INLINE T floorMod(T a, T b) { return a - floorDiv(a, b) * b; }
template <class T> NNC_INLINE T ceilDiv(T a, T b) { return -floorDiv(-a, b); }

/// An index that a tensor holds; what an index cannot hold stays out of every range.
template <class Index> NNC_INLINE Index toIndex(long long value) {
  if constexpr (sizeof(Index) == 8)
    return value;
  else
    return (Index)maximum(minimum(value, 0x7fffffffll), -0x80000000ll);
}

/// `base` to an integer power; 0 for a negative one unless `base` is 1 or -1.
template <class T> NNC_INLINE T integerPower(T base, T exponent) {
  if (exponent < 0)
    return base == 1 ? 1 : base == -1 ? (exponent & 1 ? -1 : 1) : 0;
  T result = 1;
  for (; exponent; exponent >>= 1, base *= base)
    if (exponent & 1)
      result *= base;
  return result;
}

/// Numbers that have no literal.
NNC_INLINE float infinity() { return floatFromBits(0x7f800000u); }
NNC_INLINE float notANumber() { return floatFromBits(0x7fc00000u); }
