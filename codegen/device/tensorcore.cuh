// Tensor cores of sm_80 and later: matrix fragments, and copies to shared memory that run beside
// the arithmetic. The host half of each intrinsic does the same by the definition in the PTX ISA
// (sections "Matrix multiply-accumulate: mma.sync", "ldmatrix", "cp.async").
//
// A fragment covers 32 bytes of the depth: 16 elements of 16 bits, or 8 of tf32.
//
// sm_90a has tensor cores that four warps use together and that read shared memory themselves
// (section "Asynchronous warpgroup level matrix instructions"): there HasGroups is true.

/// Where 16 bytes, `chunk` of 8, of row `row` of an operand lie in shared memory, in bytes from its
/// start, which is a multiple of 1024: eight rows of one chunk are in different banks. It is what
/// the machine calls 128-byte swizzling.
NNC_INLINE int swizzled(int row, int chunk) { return row * 128 + (chunk ^ row & 7) * 16; }

/// Whether an operand gives addresses of its elements, not values.
template <class V> struct IsAddress {
  static constexpr bool value = false;
};
template <class V> struct IsAddress<V *> {
  static constexpr bool value = true;
};

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
/// The same, zeros unless it `exists`: `from` need point nowhere then.
NNC_INLINE void copyAsyncIf(bool exists, void *to, const void *from) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(sharedAddress(to)), "l"(from),
               "r"(exists ? 16 : 0)
               : "memory");
}
/// The same, of what other warps of the block read as well.
NNC_INLINE void copyAsyncCached(void *to, const void *from) {
  const int bytes = from ? 16 : 0;
  asm volatile("cp.async.ca.shared.global [%0], [%1], 16, %2;" ::"r"(sharedAddress(to)),
               "l"(from ? from : (const void *)0), "r"(bytes)
               : "memory");
}
/// Starts a copy of 4 bytes to shared memory.
NNC_INLINE void copyAsyncWord(void *to, const void *from) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(sharedAddress(to)), "l"(from)
               : "memory");
}
/// Loads 16 bytes that other blocks may have written before the last barrier of the grid; zeros if
/// `from` is null.
NNC_INLINE void loadFresh(unsigned (&to)[4], const void *from) {
  to[0] = to[1] = to[2] = to[3] = 0;
  if (from)
    asm volatile("ld.global.cg.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "l"(from));
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

#ifdef __CUDA_ARCH_FEAT_SM90_ALL
constexpr bool HasGroups = true;

/// Makes what this thread wrote to shared memory visible to the tensor cores of groups.
NNC_INLINE void showToGroups() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
/// Before multiplyGroup when sums were touched, after the last of a step, and to wait for all but
/// the last `Pending` steps.
NNC_INLINE void beginGroup() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
NNC_INLINE void commitGroup() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int Pending> NNC_INLINE void waitForGroup() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Pending) : "memory");
}

/// An operand whose rows of 128 bytes are swizzled, from byte `offset` of them on.
NNC_INLINE unsigned long long describeOperand(const char *start, int offset) {
  constexpr unsigned long long EightRows = 1024 >> 4, Swizzle128 = 1;
  const unsigned long long address = (sharedAddress(start) + offset & 0x3ffff) >> 4;
  return address | 1ull << 16 | EightRows << 32 | Swizzle128 << 62;
}

#define NNC_SUMS4(I) "+f"(sums[I][0]), "+f"(sums[I][1]), "+f"(sums[I][2]), "+f"(sums[I][3])
#define NNC_SUMS16(I) NNC_SUMS4(I), NNC_SUMS4(I + 1), NNC_SUMS4(I + 2), NNC_SUMS4(I + 3)
#define NNC_SUMS32(I) NNC_SUMS16(I), NNC_SUMS16(I + 4)
#define NNC_SUMS64(I) NNC_SUMS32(I), NNC_SUMS32(I + 8)
#define NNC_SUMS128(I) NNC_SUMS64(I), NNC_SUMS64(I + 16)
#define NNC_LIST16 "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15"
#define NNC_LIST32                                                                                 \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, "               \
  "%18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define NNC_LIST64                                                                                 \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, "               \
  "%18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, "               \
  "%34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, "               \
  "%50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define NNC_LIST128                                                                                \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, "               \
  "%18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, "               \
  "%34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, "               \
  "%50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, %64, %65, "               \
  "%66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, %80, %81, "               \
  "%82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, %96, %97, "               \
  "%98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, "             \
  "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, "           \
  "%126, %127"

/// sums += a * b, of 64 rows of `a` and 8 * Columns rows of `b`, over 32 bytes of the depth from
/// byte `offset` of both on, by four warps that begin at a multiple of four. Of warp w of them,
/// lane l has of column tile j what multiplyAdd gives it of rows 16 * w to 16 * w + 15. Runs on by
/// itself.
template <class T, int Columns>
NNC_INLINE void multiplyGroup(float (&sums)[Columns][4], const char *a, const char *b, int offset);

#define NNC_GROUP(TYPE, KIND, COLUMNS, WIDTH, COUNT, A, B)                                         \
  template <>                                                                                      \
  NNC_INLINE void multiplyGroup<TYPE, COLUMNS>(float(&sums)[COLUMNS][4], const char *a,            \
                                               const char *b, int offset) {                        \
    asm volatile("wgmma.mma_async.sync.aligned.m64n" WIDTH "k16.f32." KIND "." KIND                \
                 " {" NNC_LIST##COUNT "}, %" A ", %" B ", 1, 1, 1, 0, 0;"                          \
                 : NNC_SUMS##COUNT(0)                                                              \
                 : "l"(describeOperand(a, offset)), "l"(describeOperand(b, offset)));              \
  }
#define NNC_GROUPS(TYPE, KIND)                                                                     \
  NNC_GROUP(TYPE, KIND, 4, "32", 16, "16", "17")                                                   \
  NNC_GROUP(TYPE, KIND, 8, "64", 32, "32", "33")                                                   \
  NNC_GROUP(TYPE, KIND, 16, "128", 64, "64", "65")                                                 \
  NNC_GROUP(TYPE, KIND, 32, "256", 128, "128", "129")
NNC_GROUPS(bf16, "bf16")
NNC_GROUPS(f16, "f16")
#else
constexpr bool HasGroups = false;
NNC_INLINE void showToGroups() {}
NNC_INLINE void beginGroup() {}
NNC_INLINE void commitGroup() {}
template <int Pending> NNC_INLINE void waitForGroup() {}
template <class T, int Columns>
NNC_INLINE void multiplyGroup(float (&)[Columns][4], const char *, const char *, int) {}
#endif

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
inline void copyAsyncIf(bool exists, void *to, const void *from) {
  copyAsync(to, exists ? from : nullptr);
}
inline void copyAsyncCached(void *to, const void *from) { copyAsync(to, from); }
inline void copyAsyncWord(void *to, const void *from) { __builtin_memcpy(to, from, 4); }
inline void loadFresh(unsigned (&to)[4], const void *from) { copyAsync(to, from); }
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

constexpr bool HasGroups = true;
inline void showToGroups() {}
inline void beginGroup() {}
inline void commitGroup() {}
template <int Pending> inline void waitForGroup() {}

template <class T, int Columns>
inline void multiplyGroup(float (&sums)[Columns][4], const char *a, const char *b, int offset) {
  const unsigned lane = nncTwin->linearThread % 32, warp = nncTwin->linearThread / 32 % 4;
  auto at = [offset](const char *operand, int row, int k) {
    const int byte = offset + k * (int)sizeof(T);
    return (float)*(const T *)(operand + swizzled(row, byte / 16) + byte % 16);
  };
  for (int column = 0; column < Columns; ++column)
    for (int part = 0; part < 4; ++part)
      for (int k = 0; k < 16; ++k)
        sums[column][part] += at(a, warp * 16 + part / 2 * 8 + lane / 4, k) *
                              at(b, column * 8 + lane % 4 * 2 + part % 2, k);
}

inline unsigned roundToTf32(unsigned bits) {
  const bool isFinite = (bits & 0x7f800000u) != 0x7f800000u;
  return isFinite ? (bits + 0x1000u) & ~0x1fffu : bits;
}

#endif
