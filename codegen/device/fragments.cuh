// Sums of matrix fragments to memory without shared memory between: of each 32 columns, four lanes
// store eight neighbours each. Products give a lane pairs of neighbours of four tiles of columns.
// So the lanes exchange them, or the columns are dealt: 8 * j + 2 * q + e is what the products take
// for column 8 * q + 2 * j + e (copyColumns in bulk.cuh), and each lane has its own from the start.
constexpr bool InOrder = false, Dealt = true;

/// Of the four pieces of `Words` words that each of four lanes has, the lane's own of all four.
template <class Word, int Words> NNC_INLINE void exchangeInFours(Word (&pieces)[4][Words]) {
  const int lane = threadIdx.x % 4;
  NNC_UNROLL
  for (int bit = 1; bit < 4; bit *= 2) {
    NNC_UNROLL
    for (int i = 0; i < 4; ++i) {
      if (i & bit)
        continue;
      NNC_UNROLL
      for (int j = 0; j < Words; ++j) {
        Word &low = pieces[i][j], &high = pieces[i | bit][j];
        const Word got = shuffleXor(lane & bit ? low : high, bit);
        (lane & bit ? low : high) = got;
      }
    }
  }
}

/// Row lane / 4 + 8 * part, columns 8 * (lane % 4) on, of the four tiles of columns from `first`
/// on; sums as multiplyAdd gives them. All lanes take part.
template <bool AreDealt = InOrder, int ColumnTiles>
NNC_INLINE void gatherPiece(float (&values)[8], const float (&sums)[ColumnTiles][4], int first,
                            int part) {
  static_assert(ColumnTiles % 4 == 0, "four lanes store four tiles of columns");
  float pairs[4][2];
  NNC_UNROLL
  for (int k = 0; k < 4; ++k) {
    pairs[k][0] = sums[first + k][part * 2];
    pairs[k][1] = sums[first + k][part * 2 + 1];
  }
  if constexpr (!AreDealt)
    exchangeInFours(pairs);
  NNC_UNROLL
  for (int k = 0; k < 8; ++k)
    values[k] = pairs[k / 2][k % 2];
}

/// The same, rounded to a type of 16 bits: half as much to exchange.
template <bool AreDealt = InOrder, class T, int ColumnTiles>
NNC_INLINE void gatherPiece(T (&values)[8], const float (&sums)[ColumnTiles][4], int first,
                            int part) {
  static_assert(ColumnTiles % 4 == 0, "four lanes store four tiles of columns");
  unsigned pairs[4][1];
  NNC_UNROLL
  for (int k = 0; k < 4; ++k)
    pairs[k][0] = packPair<T>(sums[first + k][part * 2], sums[first + k][part * 2 + 1]);
  if constexpr (!AreDealt)
    exchangeInFours(pairs);
  NNC_UNROLL
  for (int k = 0; k < 8; ++k)
    values[k].bits = (unsigned short)(pairs[k / 2][0] >> k % 2 * 16);
}
