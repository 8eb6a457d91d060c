// Operands of mma.cuh whose memory runs along their side (rows of C for the left one, columns for
// the right one), not along the depth, as of a sum over positions of images whose channels lie
// together. They pass through shared memory as they lie: row k of a block has the 128 bytes of the
// side at depth k, swizzled, and another block follows for the next 128 bytes of the side. Tensor
// cores get them transposed: by `ldmatrix`, by single loads of f32, or, for groups, by the machine.

template <class T> struct Across {
  static constexpr int Sides = 128 / sizeof(T), Depth = Sides; ///< of a block
  static constexpr int BlockBytes = Depth * 128;
  /// Where the 16 bytes of the side from `side` on, a multiple of their count, are at depth k.
  /// Lanes that load f32 of four depths find these in different banks.
  static NNC_INLINE int place(int k, int side) {
    constexpr int PerChunk = 16 / sizeof(T);
    const int chunk = side % Sides / PerChunk;
    if constexpr (sizeof(T) == 2)
      return side / Sides * BlockBytes + swizzled(k, chunk);
    else
      return side / Sides * BlockBytes + k * 128 + (chunk ^ k % 4 * 2) * 16;
  }
  static NNC_INLINE unsigned word(const char *buffer, int k, int side) {
    return *reinterpret_cast<const unsigned *>(buffer + place(k, side / 4 * 4) + side % 4 * 4);
  }
};

/// As loadMatrices gives them: 16 rows of the left operand from side `row` on, over 32 bytes of the
/// depth from element `k` on.
template <class T>
NNC_INLINE void loadRowsAcross(unsigned (&to)[4], const char *buffer, int row, int k) {
  const int lane = threadIdx.x % 32;
  if constexpr (sizeof(T) == 2) {
    loadMatricesTransposed(
        to, buffer + Across<T>::place(k + lane / 16 * 8 + lane % 8, row + lane / 8 % 2 * 8));
  } else {
    NNC_UNROLL
    for (int i = 0; i < 4; ++i)
      to[i] = Across<T>::word(buffer, k + i / 2 * 4 + lane % 4, row + i % 2 * 8 + lane / 4);
  }
}

/// The same of 16 columns of the right operand.
template <class T>
NNC_INLINE void loadColumnsAcross(unsigned (&to)[4], const char *buffer, int column, int k) {
  const int lane = threadIdx.x % 32;
  if constexpr (sizeof(T) == 2) {
    loadMatricesTransposed(
        to, buffer + Across<T>::place(k + lane / 8 % 2 * 8 + lane % 8, column + lane / 16 * 8));
  } else {
    NNC_UNROLL
    for (int i = 0; i < 4; ++i)
      to[i] = Across<T>::word(buffer, k + i % 2 * 4 + lane % 4, column + i / 2 * 8 + lane / 4);
  }
}

#ifdef __CUDACC__
#ifdef __CUDA_ARCH_FEAT_SM90_ALL

/// 16 of the depth of an operand that lies across, from a block on, or along the depth.
template <bool IsAcross> NNC_INLINE unsigned long long describeSide(const char *start, int part) {
  if constexpr (IsAcross)
    return describeOperand(start, part * 2048) & ~(0x3fffull << 16) |
           (unsigned long long)(8192 >> 4) << 16;
  return describeOperand(start, part * 32);
}

template <class T, bool AAcross, bool BAcross, int Columns> struct GroupProductAcross;
#define NNC_GROUP_ACROSS(TYPE, KIND, COLUMNS, WIDTH, COUNT, A, B, TA, TB)                          \
  template <bool AAcross, bool BAcross>                                                            \
  struct GroupProductAcross<TYPE, AAcross, BAcross, COLUMNS> {                                     \
    static NNC_INLINE void add(float (&sums)[COLUMNS][4], unsigned long long a,                    \
                               unsigned long long b) {                                             \
      asm volatile("wgmma.mma_async.sync.aligned.m64n" WIDTH "k16.f32." KIND "." KIND              \
                   " {" NNC_LIST##COUNT "}, %" A ", %" B ", 1, 1, 1, %" TA ", %" TB ";"            \
                   : NNC_SUMS##COUNT(0)                                                            \
                   : "l"(a), "l"(b), "n"(AAcross ? 1 : 0), "n"(BAcross ? 1 : 0));                  \
    }                                                                                              \
  };
#define NNC_GROUPS_ACROSS(TYPE, KIND)                                                              \
  NNC_GROUP_ACROSS(TYPE, KIND, 4, "32", 16, "16", "17", "18", "19")                                \
  NNC_GROUP_ACROSS(TYPE, KIND, 8, "64", 32, "32", "33", "34", "35")                                \
  NNC_GROUP_ACROSS(TYPE, KIND, 16, "128", 64, "64", "65", "66", "67")                              \
  NNC_GROUP_ACROSS(TYPE, KIND, 32, "256", 128, "128", "129", "130", "131")
NNC_GROUPS_ACROSS(bf16, "bf16")
NNC_GROUPS_ACROSS(f16, "f16")

template <class T, bool AAcross, bool BAcross, int Columns>
NNC_INLINE void multiplyGroupAcross(float (&sums)[Columns][4], const char *a, const char *b,
                                    int part) {
  GroupProductAcross<T, AAcross, BAcross, Columns>::add(sums, describeSide<AAcross>(a, part),
                                                        describeSide<BAcross>(b, part));
}
#else
template <class T, bool AAcross, bool BAcross, int Columns>
NNC_INLINE void multiplyGroupAcross(float (&)[Columns][4], const char *, const char *, int) {}
#endif
#else

template <class T, bool AAcross, bool BAcross, int Columns>
inline void multiplyGroupAcross(float (&sums)[Columns][4], const char *a, const char *b, int part) {
  const int lane = (int)nncTwin->linearThread % 32, warp = (int)nncTwin->linearThread / 32 % 4;
  auto at = [part](const char *operand, bool isAcross, int side, int depth) {
    const int k = part * 16 + depth, place = isAcross ? side : k;
    return (float)*(
        const T *)(operand + place % 8 * 2 +
                   (isAcross ? Across<T>::place(k, side / 8 * 8) : swizzled(side, k / 8)));
  };
  for (int column = 0; column < Columns; ++column)
    for (int i = 0; i < 4; ++i)
      for (int k = 0; k < 16; ++k)
        sums[column][i] += at(a, AAcross, warp * 16 + i / 2 * 8 + lane / 4, k) *
                           at(b, BAcross, column * 8 + lane % 4 * 2 + i % 2, k);
}

#endif
