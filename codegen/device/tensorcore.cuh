// Tensor cores of sm_80 and later: matrix fragments, and copies to shared memory that run beside
// the arithmetic. The host half of each intrinsic does the same by the definition in the PTX ISA
// (sections "Matrix multiply-accumulate: mma.sync", "ldmatrix", "cp.async").
//
// A fragment covers 32 bytes of the depth: 16 elements of 16 bits, or 8 of tf32.

/// The lanes of a warp hold an 8 x 16-byte matrix of every register: lane l has bytes 4 * (l % 4)
/// of row l / 4. Row r of matrix i is what lane 8 * i + r points to.
#ifdef __CUDACC__

NNC_INLINE unsigned sharedAddress(const void *pointer) {
  return (unsigned)__cvta_generic_to_shared(pointer);
}

/// Loads four matrices of 8 rows of 16 bytes, `row` being the lane's row in shared memory.
NNC_INLINE void loadMatrices(unsigned (&to)[4], const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(sharedAddress(row))
               : "memory");
}

/// The same of 16-bit elements with each matrix transposed: lane l has elements (2 * (l % 4), l /
/// 4) and (2 * (l % 4) + 1, l / 4).
NNC_INLINE void loadMatricesTransposed(unsigned (&to)[4], const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(sharedAddress(row))
               : "memory");
}

/// Starts a copy of 16 bytes to shared memory; zeros if `from` is null.
NNC_INLINE void copyAsync(void *to, const void *from) {
  const int bytes = from ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(sharedAddress(to)),
               "l"(from ? from : (const void *)0), "r"(bytes)
               : "memory");
}
/// Ends a group of copies of this thread.
NNC_INLINE void commitCopies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
/// Waits for all but the last `Pending` groups of this thread.
template <int Pending> NNC_INLINE void waitForCopies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
}

/// sums += a * b, of 16 x 8 sums: those of lane l are rows l / 4 and l / 4 + 8, columns
/// 2 * (l % 4) and the next. `a` are the matrices (rows 0-7, 8-15) x (first, second half of the
/// depth), rows first; `b` those of columns 0-7 x (first, second half).
template <class T>
NNC_INLINE void multiplyAdd(float (&sums)[4], const unsigned (&a)[4], const unsigned (&b)[2]);

#define NNC_MMA(TYPE, SHAPE, KIND)                                                                 \
  template <>                                                                                      \
  NNC_INLINE void multiplyAdd<TYPE>(float(&sums)[4], const unsigned(&a)[4],                        \
                                    const unsigned(&b)[2]) {                                       \
    asm volatile("mma.sync.aligned." SHAPE ".row.col.f32." KIND "." KIND                           \
                 ".f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"            \
                 : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])                      \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));              \
  }
NNC_MMA(bf16, "m16n8k16", "bf16")
NNC_MMA(f16, "m16n8k16", "f16")
NNC_MMA(float, "m16n8k8", "tf32")

/// A float as tf32: 10 bits of mantissa, rounded to nearest, ties away from zero.
NNC_INLINE unsigned roundToTf32(unsigned bits) {
  unsigned result;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(result) : "f"(__uint_as_float(bits)));
  return result;
}

#else

/// The values that all lanes of the warp give here, by lane, until the next but one exchange.
struct NncTwinLanes {
  const unsigned long long *slots;
  explicit NncTwinLanes(unsigned long long value) {
    const unsigned self = nncTwin->linearThread, slot = nncTwin->parity[self] ^= 1;
    nncTwin->exchange[self * 2 + slot] = value;
    nncTwin->warpBarrier();
    slots = nncTwin->exchange + self / 32 * 64 + slot;
  }
  unsigned long long operator[](unsigned lane) const { return slots[lane * 2]; }
};

inline void loadMatrices(unsigned (&to)[4], const void *row) {
  const NncTwinLanes rows((unsigned long long)row);
  const unsigned lane = nncTwin->linearThread % 32;
  for (unsigned i = 0; i < 4; ++i)
    __builtin_memcpy(&to[i], (const char *)rows[8 * i + lane / 4] + lane % 4 * 4, 4);
}

inline void loadMatricesTransposed(unsigned (&to)[4], const void *row) {
  const NncTwinLanes rows((unsigned long long)row);
  const unsigned lane = nncTwin->linearThread % 32;
  for (unsigned i = 0; i < 4; ++i)
    for (unsigned part = 0; part < 2; ++part)
      __builtin_memcpy((char *)&to[i] + part * 2,
                       (const char *)rows[8 * i + lane % 4 * 2 + part] + lane / 4 * 2, 2);
}

inline void copyAsync(void *to, const void *from) {
  if (from)
    __builtin_memcpy(to, from, 16);
  else
    __builtin_memset(to, 0, 16);
}
inline void commitCopies() {}
template <int Pending> inline void waitForCopies() {}

inline float nncTwinPart(bf16, unsigned bits, unsigned i) { return bf16ToFloat(bits >> 16 * i); }
inline float nncTwinPart(f16, unsigned bits, unsigned i) { return f16ToFloat(bits >> 16 * i); }
inline float nncTwinPart(float, unsigned bits, unsigned) { return floatFromBits(bits & ~0x1fffu); }

template <class T>
inline void multiplyAdd(float (&sums)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  constexpr unsigned Parts = 4 / sizeof(T);
  const unsigned lane = nncTwin->linearThread % 32, row = lane / 4 * 4, column = lane % 4 * 2 * 4;
  // By half of the depth and lane of four: what this lane's two rows and two columns hold.
  unsigned rows[2][2][4], columns[2][2][4];
  for (unsigned half = 0; half < 2; ++half) {
    const NncTwinLanes given(a[half * 2] | (unsigned long long)a[half * 2 + 1] << 32);
    for (unsigned i = 0; i < 4; ++i) {
      rows[0][half][i] = (unsigned)given[row + i];
      rows[1][half][i] = (unsigned)(given[row + i] >> 32);
    }
  }
  const NncTwinLanes given(b[0] | (unsigned long long)b[1] << 32);
  for (unsigned j = 0; j < 2; ++j)
    for (unsigned i = 0; i < 4; ++i) {
      columns[j][0][i] = (unsigned)given[column + j * 4 + i];
      columns[j][1][i] = (unsigned)(given[column + j * 4 + i] >> 32);
    }
  for (unsigned i = 0; i < 2; ++i)
    for (unsigned j = 0; j < 2; ++j)
      for (unsigned half = 0; half < 2; ++half)
        for (unsigned k = 0; k < 4 * Parts; ++k)
          sums[i * 2 + j] += nncTwinPart(T(), rows[i][half][k / Parts], k % Parts) *
                             nncTwinPart(T(), columns[j][half][k / Parts], k % Parts);
}

inline unsigned roundToTf32(unsigned bits) {
  const bool isFinite = (bits & 0x7f800000u) != 0x7f800000u;
  return isFinite ? (bits + 0x1000u) & ~0x1fffu : bits;
}

#endif
