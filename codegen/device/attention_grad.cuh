// The gradients of attention without ever holding its weights (T. Dao et al., "FlashAttention",
// 2022, section B.4): with p = exp(scale * query . key - lse) and
// e = p * (gradient . value - delta), a query's gradient is the sum of scale * e * key over keys, a
// key's that of scale * e * query over queries, a value's that of p * gradient.
//
// A block owns rows of one kind and walks over the others in tiles: a tile of the keys of a head
// over the queries of all heads that share it, or a tile of these queries over the keys. So both
// compute p and e for themselves, no two blocks add to one place, and sums have one order. What is
// said of a block here is of either kind: `OfKeys` says of which. First come all blocks that own
// keys. All arithmetic is f32; attention_grad_mma.cuh has the same interface.

/// What is read and written; of gradients, what nothing asks for is null.
template <class T, class Index> struct AttentionGradTensors {
  AttentionTensor<const T, Index> query, key, value, gradient;
  AttentionNumbers<const float, Index> lse, delta;
  AttentionTensor<T, Index> queryGrad, keyGrad, valueGrad;
};

/// Which rows a block owns, and over which others it walks. Rows of queries are numbered as in
/// AttentionBlock.
template <bool OfKeys, int Rows, class T, class Index> struct AttentionGradBlock {
  static constexpr bool WalksOverQueries = OfKeys;
  const AttentionGradTensors<T, Index> &tensors;
  AttentionSizes<Index> sizes;
  Index batch, head, row0, first, end;
  int count; ///< of rows that exist

  /// Block `number` of those of its kind. What walks furthest begins first.
  template <class Seen>
  NNC_INLINE AttentionGradBlock(Index number, Index heads,
                                const AttentionGradTensors<T, Index> &tensors,
                                AttentionSizes<Index> sizes, Seen seen)
      : tensors(tensors), sizes(sizes) {
    const Index rows = OfKeys ? sizes.keys : sizes.queries * sizes.groups;
    const Index tiles = (rows + Rows - 1) / Rows, tile = number / heads;
    batch = number % heads / sizes.keyHeads;
    head = number % heads % sizes.keyHeads;
    row0 = (OfKeys ? tile : tiles - 1 - tile) * Rows;
    count = (int)minimum(rows - row0, (Index)Rows);
    first = beginOf(0, seen);
    end = endOf(count - 1, seen);
  }

  /// Which others there are that are a query that sees the own key r, or a key that the own query r
  /// sees, whatever the mask: from here on
  template <class Seen> NNC_INLINE Index beginOf(int r, Seen seen) const {
    if (!OfKeys)
      return 0;
    Index low = 0, high = sizes.queries; // what queries see does not decrease
    while (low < high) {
      const Index middle = low + (high - low) / 2;
      if (seen(middle) > row0 + r)
        high = middle;
      else
        low = middle + 1;
    }
    return low * sizes.groups;
  }
  /// and before that.
  template <class Seen> NNC_INLINE Index endOf(int r, Seen seen) const {
    return OfKeys ? sizes.queries * sizes.groups : seen(positionOf(row0 + r));
  }
  /// Whether the mask shows that.
  template <class Mask> NNC_INLINE bool isShown(int r, Index other, Mask mask) const {
    const Index row = OfKeys ? other : row0 + r, key = OfKeys ? row0 + r : other;
    return mask(batch, headOf(row), positionOf(row), key);
  }

  NNC_INLINE Index positionOf(Index row) const { return row / sizes.groups; }
  NNC_INLINE Index headOf(Index row) const { return head * sizes.groups + row % sizes.groups; }
  template <class Tensor> NNC_INLINE auto atQuery(const Tensor &tensor, Index row) const {
    return tensor.at(batch, headOf(row), positionOf(row));
  }
  /// The lse of a query, or its delta.
  NNC_INLINE const float *numberOf(bool isDelta, Index row) const {
    const auto &numbers = isDelta ? tensors.delta : tensors.lse;
    return &numbers.at(batch, headOf(row), positionOf(row));
  }
  NNC_INLINE float lseOf(Index row) const { return *numberOf(false, row); }
  NNC_INLINE float deltaOf(Index row) const { return *numberOf(true, row); }

  /// What scores are products of, and what is multiplied for e: queries and gradients, or keys and
  /// values.
  NNC_INLINE const T *ownFirst(int r) const {
    return OfKeys ? tensors.key.at(batch, head, row0 + r) : atQuery(tensors.query, row0 + r);
  }
  NNC_INLINE const T *ownSecond(int r) const {
    return OfKeys ? tensors.value.at(batch, head, row0 + r) : atQuery(tensors.gradient, row0 + r);
  }
  NNC_INLINE const T *otherFirst(Index other) const {
    return OfKeys ? atQuery(tensors.query, other) : tensors.key.at(batch, head, other);
  }
  NNC_INLINE const T *otherSecond(Index other) const {
    return OfKeys ? atQuery(tensors.gradient, other) : tensors.value.at(batch, head, other);
  }
  /// Where the sums of e go, and those of p.
  NNC_INLINE T *firstGrad(int r) const {
    if constexpr (OfKeys)
      return tensors.keyGrad.data ? tensors.keyGrad.at(batch, head, row0 + r) : nullptr;
    else
      return atQuery(tensors.queryGrad, row0 + r);
  }
  NNC_INLINE T *secondGrad(int r) const {
    return tensors.valueGrad.data ? tensors.valueGrad.at(batch, head, row0 + r) : nullptr;
  }
};

/// The block of one kind.
template <class Tile, bool OfKeys, class T, class Index, class Seen, class Mask>
NNC_INLINE void attentionGradOf(Index number, Index heads, AttentionSizes<Index> sizes,
                                const AttentionGradTensors<T, Index> &tensors, float scale,
                                Seen seen, Mask mask) {
  constexpr int TM = Tile::RowsPerThread, TN = Tile::KeysPerThread, Stride = Tile::Stride;
  constexpr int Columns = Tile::Columns;
  float *first = dynamicShared<float>(), *second = first + Tile::Rows * Stride;
  float *otherFirst = second + Tile::Rows * Stride, *otherSecond = otherFirst + Tile::Keys * Stride;
  float *errors = otherSecond + Tile::Keys * Stride;
  float *weights = errors + Tile::Rows * Tile::WeightStride;
  const AttentionGradBlock<OfKeys, Tile::Rows, T, Index> block(number, heads, tensors, sizes, seen);
  loadAttentionRows<Tile, Tile::Rows>(first, block.count, [&](int r) { return block.ownFirst(r); });
  loadAttentionRows<Tile, Tile::Rows>(second, block.count,
                                      [&](int r) { return block.ownSecond(r); });

  const int column = threadIdx.x % 16, firstRow = threadIdx.x / 16 * TM;
  Index from[TM], to[TM]; // of a row that does not exist: nothing
  NNC_UNROLL
  for (int i = 0; i < TM; ++i) {
    const bool exists = firstRow + i < block.count;
    from[i] = exists ? block.beginOf(firstRow + i, seen) : 0;
    to[i] = exists ? block.endOf(firstRow + i, seen) : 0;
  }
  float firstSums[TM][Columns][4] = {}, secondSums[TM][Columns][4] = {};
  for (Index other0 = block.first; other0 < block.end; other0 += Tile::Keys) {
    const int present = (int)minimum(block.end - other0, (Index)Tile::Keys);
    barrier(); // the step before has been worked on
    loadAttentionRows<Tile, Tile::Keys>(otherFirst, present,
                                        [&](int r) { return block.otherFirst(other0 + r); });
    loadAttentionRows<Tile, Tile::Keys>(otherSecond, present,
                                        [&](int r) { return block.otherSecond(other0 + r); });
    barrier();
    float scores[TM][TN] = {}, products[TM][TN] = {};
    attentionScores<Tile>(scores, first + firstRow * Stride, otherFirst + column * Stride);
    attentionScores<Tile>(products, second + firstRow * Stride, otherSecond + column * Stride);
    NNC_UNROLL
    for (int i = 0; i < TM; ++i) {
      NNC_UNROLL
      for (int j = 0; j < TN; ++j) {
        const int r = firstRow + i, place = r * Tile::WeightStride + column + 16 * j;
        const Index other = other0 + column + 16 * j;
        float weight = 0, error = 0;
        if (other >= from[i] && other < to[i] && block.isShown(r, other, mask)) {
          const Index row = OfKeys ? other : block.row0 + r;
          weight = expf(scores[i][j] * scale - block.lseOf(row));
          error = weight * (products[i][j] - block.deltaOf(row));
        }
        errors[place] = error;
        if constexpr (OfKeys)
          weights[place] = weight;
      }
    }
    barrier();
    const int ofRows = firstRow * Tile::WeightStride;
    attentionSums<Tile>(firstSums, errors + ofRows, otherFirst, column * 4);
    if constexpr (OfKeys)
      attentionSums<Tile>(secondSums, weights + ofRows, otherSecond, column * 4);
  }

  NNC_UNROLL
  for (int i = 0; i < TM; ++i) {
    if (firstRow + i >= block.count)
      continue;
    T *toFirst = block.firstGrad(firstRow + i);
    T *toSecond = OfKeys ? block.secondGrad(firstRow + i) : nullptr;
    NNC_UNROLL
    for (int c = 0; c < Columns; ++c) {
      NNC_UNROLL
      for (int lane = 0; lane < 4; ++lane) {
        const int place = column * 4 + 64 * c + lane;
        if (place < Tile::D && toFirst)
          toFirst[place] = (T)(firstSums[i][c][lane] * scale);
        if (place < Tile::D && toSecond)
          toSecond[place] = (T)secondSums[i][c][lane];
      }
    }
  }
}

/// Block `number`: one of the `keyBlocks` that own keys, or of those behind them that own queries.
/// `heads` are those of keys, in all batches; for `seen` and `mask` see attention.cuh.
template <class Tile, class T, class Index, class Seen, class Mask>
NNC_INLINE void
attentionGrad(Index number, Index keyBlocks, Index heads, AttentionSizes<Index> sizes,
              const AttentionGradTensors<T, Index> &tensors, float scale, Seen seen, Mask mask) {
  if (number < keyBlocks)
    attentionGradOf<Tile, true>(number, heads, sizes, tensors, scale, seen, mask);
  else
    attentionGradOf<Tile, false>(number - keyBlocks, heads, sizes, tensors, scale, seen, mask);
}
