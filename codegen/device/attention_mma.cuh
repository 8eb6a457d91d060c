// Attention of 16-bit elements on tensor cores (sm_80 and later), with the interface of
// attention.cuh. Products are of 16-bit operands with sums in f32; weights are rounded to the
// element type for the second one. Keys and values arrive by asynchronous copies: the next keys
// while weights and result are computed, the next values while scores are. attention_groups.cuh is
// for sm_90a.

/// Head size, rows and keys of a step, elements of a load; a warp has 16 rows.
template <int D_, int Rows_, int Keys_, int Lanes_> struct AttentionMmaTile {
  static constexpr int D = D_, Rows = Rows_, Keys = Keys_, Lanes = Lanes_;
  static constexpr int Threads = Rows * 2;
  static constexpr int Depths = (D + 15) / 16; ///< steps of the first product
  static constexpr int Chunks = Depths * 2;    ///< of 8 elements in a row
  static constexpr int Stride =
      (Chunks + 1) * 8; ///< odd in chunks: eight rows are in different banks
  static_assert(Rows % 16 == 0 && Keys % 16 == 0 && D % Lanes == 0, "fragments are 16 x 16");
};

/// Starts to bring `count` rows of D elements to shared memory, with zeros around them.
template <class Tile, int Rows, class T, class Row>
NNC_INLINE void fetchAttentionRows(T *shared, int count, Row row) {
  for (int i = threadIdx.x; i < Rows * Tile::Chunks; i += Tile::Threads) {
    const int r = i / Tile::Chunks, place = i % Tile::Chunks * 8;
    T *to = shared + r * Tile::Stride + place;
    if constexpr (Tile::Lanes == 8) {
      copyAsync(to, r < count && place < Tile::D ? row(r) + place : (const T *)nullptr);
    } else {
      Vector<T, 8> chunk;
      const T *from = r < count ? row(r) + place : nullptr;
      NNC_UNROLL
      for (int lane = 0; lane < 8; ++lane)
        chunk[lane] = r < count && place + lane < Tile::D ? from[lane] : T(0.0f);
      storeVector<8>(to, chunk);
    }
  }
}

/// One step of depth of a warp's 16 rows, as a left operand.
template <class Tile, class T>
NNC_INLINE void loadAttentionRows(unsigned (&to)[4], const T *rows, int depth) {
  const int lane = threadIdx.x % 32;
  loadMatrices(to, rows + lane % 16 * Tile::Stride + (depth * 2 + lane / 16) * 8);
}

/// Adds that step's products of the 16 rows with each of the tile's others.
template <class Tile, class T>
NNC_INLINE void attentionMmaStep(float (&products)[Tile::Keys / 8][4], const unsigned (&a)[4],
                                 const T *others, int depth) {
  const int lane = threadIdx.x % 32;
  NNC_UNROLL
  for (int j = 0; j < Tile::Keys / 16; ++j) {
    unsigned b[4];
    loadMatrices(b, others + (j * 16 + lane % 8 + lane / 16 * 8) * Tile::Stride +
                        (depth * 2 + lane / 8 % 2) * 8);
    multiplyAdd<T>(products[2 * j], a, {b[0], b[1]});
    multiplyAdd<T>(products[2 * j + 1], a, {b[2], b[3]});
  }
}

/// The warp's 16 rows of queries times the tile's keys.
template <class Tile, class T>
NNC_INLINE void attentionMmaScores(float (&scores)[Tile::Keys / 8][4], const T *queries,
                                   const T *keys) {
  NNC_UNROLL
  for (int depth = 0; depth < Tile::Depths; ++depth) {
    unsigned a[4];
    loadAttentionRows<Tile>(a, queries, depth);
    attentionMmaStep<Tile>(scores, a, keys, depth);
  }
}

/// Adds weights times values: sums of a product are laid out as the left operand of the next one.
template <class Tile, class T>
NNC_INLINE void attentionMmaSums(float (&sums)[Tile::Depths * 2][4],
                                 const float (&weights)[Tile::Keys / 8][4], const T *values) {
  const int lane = threadIdx.x % 32;
  NNC_UNROLL
  for (int k = 0; k < Tile::Keys / 16; ++k) {
    const float(&low)[4] = weights[2 * k], (&high)[4] = weights[2 * k + 1];
    const unsigned a[4] = {packPair<T>(low[0], low[1]), packPair<T>(low[2], low[3]),
                           packPair<T>(high[0], high[1]), packPair<T>(high[2], high[3])};
    NNC_UNROLL
    for (int p = 0; p < Tile::Depths; ++p) {
      unsigned b[4];
      loadMatricesTransposed(b, values + (k * 16 + lane % 16) * Tile::Stride +
                                    (2 * p + lane / 16) * 8);
      multiplyAdd<T>(sums[2 * p], a, {b[0], b[1]});
      multiplyAdd<T>(sums[2 * p + 1], a, {b[2], b[3]});
    }
  }
}

/// Writes the lane's part of a row: of the sums of its two rows that of `row`, each `finish`ed.
template <class Tile, class T, class Finish>
NNC_INLINE void storeAttentionSums(T *to, const float (&sums)[Tile::Depths * 2][4], int row,
                                   Finish finish) {
  NNC_UNROLL
  for (int p = 0; p < Tile::Depths * 2; ++p) {
    const int place = p * 8 + threadIdx.x % 4 * 2;
    const Vector<T, 2> pair = {T(finish(sums[p][row * 2])), T(finish(sums[p][row * 2 + 1]))};
    if (Tile::Lanes > 1 && place < Tile::D) {
      storeVector<2>(to + place, pair);
    } else {
      NNC_UNROLL
      for (int part = 0; part < 2; ++part)
        if (place + part < Tile::D)
          to[place + part] = pair[part];
    }
  }
}

/// As `attention`. Lane l of a warp has rows l / 4 and l / 4 + 8 of the warp's 16, and of every
/// 8 columns those at 2 * (l % 4).
template <class Tile, class T, class Index, class Seen, class Mask, class Kept>
NNC_INLINE void
attentionMma(Index number, AttentionSizes<Index> sizes, AttentionTensor<const T, Index> query,
             AttentionTensor<const T, Index> key, AttentionTensor<const T, Index> value,
             AttentionTensor<T, Index> result, float scale, Seen seen, Mask mask, Kept kept) {
  constexpr int Stride = Tile::Stride, KeyTiles = Tile::Keys / 8, PlaceTiles = Tile::Depths * 2;
  T *queries = dynamicShared<T>(), *keys = queries + Tile::Rows * Stride;
  T *values = keys + Tile::Keys * Stride;
  const AttentionBlock<Tile::Rows, Index> block(number, sizes);
  auto fetchTile = [&](T *to, const AttentionTensor<const T, Index> &from, Index first) {
    fetchAttentionRows<Tile, Tile::Keys>(
        to, block.template keysFrom<Tile::Keys>(first),
        [&](int r) { return from.at(block.batch, block.head, first + r); });
  };

  const int lane = threadIdx.x % 32, warpRow = threadIdx.x / 32 * 16;
  int rows[2];
  Index positions[2], heads[2], visible[2];
  RunningSoftmax softmax[2];
  NNC_UNROLL
  for (int i = 0; i < 2; ++i) {
    rows[i] = warpRow + lane / 4 + 8 * i;
    const bool exists = rows[i] < block.count;
    positions[i] = block.positionOf(exists ? rows[i] : 0);
    heads[i] = block.headOf(exists ? rows[i] : 0);
    visible[i] = exists ? seen(positions[i]) : 0;
    softmax[i] = {-infinity(), 0};
  }
  float sums[PlaceTiles][4] = {};
  const float toLog2 = scale * TwoOfNatural; // weights are powers of two

  const Index end = seen(block.positionOf(block.count - 1));
  fetchAttentionRows<Tile, Tile::Rows>(queries, block.count, [&](int r) {
    return query.at(block.batch, block.headOf(r), block.positionOf(r));
  });
  if (end > 0)
    fetchTile(keys, key, 0);
  commitCopies();
  if (end > 0)
    fetchTile(values, value, 0);
  commitCopies();

  for (Index key0 = 0; key0 < end; key0 += Tile::Keys) {
    const Index next = key0 + Tile::Keys;
    waitForCopies<1>(); // all but the values
    barrier();
    float scores[KeyTiles][4] = {};
    attentionMmaScores<Tile>(scores, queries + warpRow * Stride, keys);
    barrier(); // the keys have been read
    if (next < end)
      fetchTile(keys, key, next);
    commitCopies();

    NNC_UNROLL
    for (int i = 0; i < 2; ++i) {
      float most = -infinity(), shift;
      NNC_UNROLL
      for (int j = 0; j < KeyTiles; ++j) {
        NNC_UNROLL
        for (int part = 0; part < 2; ++part) {
          const Index other = key0 + j * 8 + lane % 4 * 2 + part;
          const bool shown = other < visible[i] && mask(block.batch, heads[i], positions[i], other);
          float &score = scores[j][i * 2 + part];
          score = shown ? score * toLog2 : -infinity();
          most = maximum(most, score);
        }
      }
      most = lanesReduce<4>(most, largerOf);
      const float correction = softmax[i].raise(most, shift, [](float x) { return exp2f(x); });
      NNC_UNROLL
      for (int j = 0; j < KeyTiles; ++j) {
        NNC_UNROLL
        for (int part = 0; part < 2; ++part) {
          float &score = scores[j][i * 2 + part];
          score = exp2f(score - shift);
          softmax[i].sum += score;
        }
      }
      NNC_UNROLL
      for (int p = 0; p < PlaceTiles; ++p) {
        sums[p][i * 2] *= correction;
        sums[p][i * 2 + 1] *= correction;
      }
    }

    waitForCopies<1>(); // all but the next keys
    barrier();
    attentionMmaSums<Tile>(sums, scores, values);
    barrier(); // the values have been read
    if (next < end)
      fetchTile(values, value, next);
    commitCopies();
  }

  NNC_UNROLL
  for (int i = 0; i < 2; ++i) {
    const float sum = lanesReduce<4>(softmax[i].sum, sumOf), divisor = block.divisorOf(sum);
    if (rows[i] >= block.count)
      continue;
    if (lane % 4 == 0)
      kept.keep(block.batch, heads[i], positions[i], softmax[i].highest * NaturalOfTwo, sum);
    storeAttentionSums<Tile>(result.at(block.batch, heads[i], positions[i]), sums, i,
                             [&](float x) { return x / divisor; });
  }
}
