// Attention as one kernel: result = softmax(scale * query . key) . value, without ever holding the
// scores (T. Dao et al., "FlashAttention", 2022).
//
// A block takes one batch, one head of keys and a tile of rows: the queries of all heads that share
// those keys, so that keys and values are read once for all of them. It walks over the keys in
// tiles. A row's running maximum, sum and result are corrected when a tile raises the maximum
// (M. Milakov, N. Gimelshein, 2018). All arithmetic is f32; a tensor's place is given by strides.
// attention_mma.cuh has the same interface.

/// Head size D, rows and keys of a step, how many elements of a head are loaded at once (D and all
/// strides are multiples of it), and the threads of a block: 16 share a row.
template <int D_, int Rows_, int Keys_, int Lanes_, int Threads_> struct AttentionTile {
  static constexpr int D = D_, Rows = Rows_, Keys = Keys_, Lanes = Lanes_, Threads = Threads_;
  static constexpr int PaddedD = (D + 3) / 4 * 4;
  // Rows in shared memory: aligned to 16 bytes, and neighbours in other banks.
  static constexpr int Stride = PaddedD + 4, WeightStride = Keys + 4;
  static constexpr int RowsPerThread = Rows * 16 / Threads, KeysPerThread = Keys / 16;
  static constexpr int Columns = (PaddedD + 63) / 64; ///< groups of four places per thread
  static_assert(Rows * 16 % Threads == 0 && Keys % 16 == 0 && D % Lanes == 0, "threads tile it");
};

/// A tensor [batch, head, position, place]: places are neighbours.
template <class T, class Index> struct AttentionTensor {
  T *data;
  Index batch, head, position;
  NNC_INLINE T *at(Index b, Index h, Index p) const {
    return data + (b * batch + h * head + p * position);
  }
};

/// How many of each there are.
template <class Index> struct AttentionSizes {
  Index keyHeads, groups, queries, keys;
};

/// Which rows a block has: a tile of the queries of all heads that share one head of keys.
template <int Rows, class Index> struct AttentionBlock {
  AttentionSizes<Index> sizes;
  Index row0, head, batch;
  int count; ///< of rows that exist
  NNC_INLINE AttentionBlock(Index block, AttentionSizes<Index> sizes) : sizes(sizes) {
    const Index rows = sizes.queries * sizes.groups, tiles = (rows + Rows - 1) / Rows;
    row0 = (tiles - 1 - block % tiles) * Rows; // what sees most keys begins first
    head = block / tiles % sizes.keyHeads;
    batch = block / tiles / sizes.keyHeads;
    count = (int)minimum(rows - row0, (Index)Rows);
  }
  /// The query's position and its head.
  NNC_INLINE Index positionOf(int row) const { return (row0 + row) / sizes.groups; }
  NNC_INLINE Index headOf(int row) const {
    return head * sizes.groups + (row0 + row) % sizes.groups;
  }
  /// How many of the keys from `first` on are there, of a tile.
  template <int Keys> NNC_INLINE int keysFrom(Index first) const {
    return (int)minimum(sizes.keys - first, (Index)Keys);
  }
  /// What a row's sum is divided by: 0 / 0 where every key is hidden, 0 / 1 where there are none.
  NNC_INLINE float divisorOf(float sum) const { return sizes.keys > 0 ? sum : 1.0f; }
};

/// A number for each row: [batch, head, position].
template <class T, class Index> struct AttentionNumbers {
  T *data;
  Index batch, head, position;
  NNC_INLINE T &at(Index b, Index h, Index p) const {
    return data[b * batch + h * head + p * position];
  }
};

/// Where the logarithms of the sums of exponentials of scores go; nowhere.
template <class Index> struct KeptSums {
  AttentionNumbers<float, Index> to;
  /// Of a row whose exponentials, divided by that of `highest`, add up to `sum`.
  NNC_INLINE void keep(Index b, Index h, Index p, float highest, float sum) const {
    to.at(b, h, p) = highest + logf(sum);
  }
};
struct NoSums {
  template <class Index> NNC_INLINE void keep(Index, Index, Index, float, float) const {}
};

/// As `mask`: every key may be seen.
struct NoMask {
  template <class Index> NNC_INLINE bool operator()(Index, Index, Index, Index) const {
    return true;
  }
};
template <class Mask> constexpr bool HasMask = true;
template <> constexpr bool HasMask<NoMask> = false;

/// As `mask`: all queries and heads see the same keys, those for which shows(b, j) is true.
template <class Shows> struct KeyMask {
  Shows shows;
  template <class Index> NNC_INLINE bool operator()(Index b, Index, Index, Index j) const {
    return shows(b, j);
  }
};
template <class Shows> NNC_INLINE KeyMask<Shows> maskOfKeys(Shows shows) { return {shows}; }
template <class Mask> constexpr bool IsKeyMask = false;
template <class Shows> constexpr bool IsKeyMask<KeyMask<Shows>> = true;

constexpr float NaturalOfTwo = 0.693147181f, TwoOfNatural = 1.44269504f; ///< logarithms

/// A row's softmax so far.
struct RunningSoftmax {
  float highest, sum;
  /// Takes the maximum of more scores in: they are to be lowered by `shift`, and what has been
  /// summed up is to be multiplied by the result. `power` is the exponential function.
  template <class Power> NNC_INLINE float raise(float most, float &shift, Power power) {
    most = maximum(highest, most);
    shift = most == -infinity() ? 0.0f : most; // of -inf alone, differences are NaN
    const float correction = power(highest - shift);
    highest = most;
    sum *= correction;
    return correction;
  }
};

/// `count` rows of D elements to shared memory as floats, zeros behind them; `row(i)` points to the
/// elements of row i.
template <class Tile, int Rows, class Row>
NNC_INLINE void loadAttentionRows(float *shared, int count, Row row) {
  constexpr int Lanes = Tile::Lanes, PerRow = Tile::D / Lanes;
  for (int i = threadIdx.x; i < Rows * PerRow; i += Tile::Threads) {
    const int r = i / PerRow, place = i % PerRow * Lanes;
    float *to = shared + r * Tile::Stride + place;
    if (r < count) {
      const auto values = loadVector<Lanes>(row(r) + place);
      NNC_UNROLL
      for (int lane = 0; lane < Lanes; ++lane)
        to[lane] = (float)values[lane];
    } else {
      NNC_UNROLL
      for (int lane = 0; lane < Lanes; ++lane)
        to[lane] = 0;
    }
  }
  if constexpr (Tile::PaddedD != Tile::D)
    for (int i = threadIdx.x; i < Rows * (Tile::PaddedD - Tile::D); i += Tile::Threads)
      shared[i / (Tile::PaddedD - Tile::D) * Tile::Stride + Tile::D +
             i % (Tile::PaddedD - Tile::D)] = 0;
}

/// Combines the values of `Lanes` neighbouring lanes.
template <int Lanes, class Combine> NNC_INLINE float lanesReduce(float value, Combine combine) {
  NNC_UNROLL
  for (int lanes = Lanes / 2; lanes > 0; lanes >>= 1)
    value = combine(value, shuffleXor(value, lanes));
  return value;
}
NNC_INLINE float largerOf(float a, float b) { return maximum(a, b); }
NNC_INLINE float sumOf(float a, float b) { return a + b; }

/// The products of the thread's rows of queries and of keys `column`, `column` + 16, ...
template <class Tile>
NNC_INLINE void attentionScores(float (&scores)[Tile::RowsPerThread][Tile::KeysPerThread],
                                const float *queries, const float *keys) {
  constexpr int TM = Tile::RowsPerThread, TN = Tile::KeysPerThread;
  NNC_UNROLL_BY(4)
  for (int place = 0; place < Tile::PaddedD; place += 4) {
    Vector<float, 4> left[TM], right[TN];
    NNC_UNROLL
    for (int i = 0; i < TM; ++i)
      left[i] = loadVector<4>(queries + i * Tile::Stride + place);
    NNC_UNROLL
    for (int j = 0; j < TN; ++j)
      right[j] = loadVector<4>(keys + 16 * j * Tile::Stride + place);
    NNC_UNROLL
    for (int i = 0; i < TM; ++i) {
      NNC_UNROLL
      for (int j = 0; j < TN; ++j) {
        NNC_UNROLL
        for (int lane = 0; lane < 4; ++lane)
          scores[i][j] += left[i][lane] * right[j][lane];
      }
    }
  }
}

/// Adds weights times values to the thread's sums: groups of four places from `place` on.
template <class Tile>
NNC_INLINE void attentionSums(float (&sums)[Tile::RowsPerThread][Tile::Columns][4],
                              const float *weights, const float *values, int firstPlace) {
  constexpr int TM = Tile::RowsPerThread;
  NNC_UNROLL_BY(2)
  for (int k = 0; k < Tile::Keys; k += 4) {
    Vector<float, 4> left[TM];
    NNC_UNROLL
    for (int i = 0; i < TM; ++i)
      left[i] = loadVector<4>(weights + i * Tile::WeightStride + k);
    NNC_UNROLL
    for (int c = 0; c < Tile::Columns; ++c) {
      const int place = firstPlace + 64 * c;
      if (place >= Tile::PaddedD)
        break;
      NNC_UNROLL
      for (int step = 0; step < 4; ++step) {
        const auto right = loadVector<4>(values + (k + step) * Tile::Stride + place);
        NNC_UNROLL
        for (int i = 0; i < TM; ++i) {
          NNC_UNROLL
          for (int lane = 0; lane < 4; ++lane)
            sums[i][c][lane] += left[i][step] * right[lane];
        }
      }
    }
  }
}

/// The tile of rows number `number`. `seen(t)` is the number of keys that query t may see; it does
/// not decrease with t. `mask(b, h, t, j)` says whether it may see key j. `kept` is NoSums or
/// KeptSums.
template <class Tile, class T, class Index, class Seen, class Mask, class Kept>
NNC_INLINE void
attention(Index number, AttentionSizes<Index> sizes, AttentionTensor<const T, Index> query,
          AttentionTensor<const T, Index> key, AttentionTensor<const T, Index> value,
          AttentionTensor<T, Index> result, float scale, Seen seen, Mask mask, Kept kept) {
  constexpr int TM = Tile::RowsPerThread, TN = Tile::KeysPerThread, Stride = Tile::Stride;
  float *queries = dynamicShared<float>(), *keys = queries + Tile::Rows * Stride;
  float *values = keys + Tile::Keys * Stride, *weights = values + Tile::Keys * Stride;
  const AttentionBlock<Tile::Rows, Index> block(number, sizes);
  loadAttentionRows<Tile, Tile::Rows>(queries, block.count, [&](int r) {
    return query.at(block.batch, block.headOf(r), block.positionOf(r));
  });

  const int column = threadIdx.x % 16, firstRow = threadIdx.x / 16 * TM;
  RunningSoftmax softmax[TM];
  float sums[TM][Tile::Columns][4] = {};
  NNC_UNROLL
  for (int i = 0; i < TM; ++i)
    softmax[i] = {-infinity(), 0};

  const Index end = seen(block.positionOf(block.count - 1));
  for (Index key0 = 0; key0 < end; key0 += Tile::Keys) {
    const int present = block.template keysFrom<Tile::Keys>(key0);
    barrier(); // the step before has been worked on
    loadAttentionRows<Tile, Tile::Keys>(
        keys, present, [&](int r) { return key.at(block.batch, block.head, key0 + r); });
    loadAttentionRows<Tile, Tile::Keys>(
        values, present, [&](int r) { return value.at(block.batch, block.head, key0 + r); });
    barrier();
    float scores[TM][TN] = {};
    attentionScores<Tile>(scores, queries + firstRow * Stride, keys + column * Stride);

    NNC_UNROLL
    for (int i = 0; i < TM; ++i) {
      const int row = firstRow + i;
      const Index position = row < block.count ? block.positionOf(row) : 0;
      const Index visible = row < block.count ? seen(position) : 0;
      float most = -infinity(), shift;
      NNC_UNROLL
      for (int j = 0; j < TN; ++j) {
        const Index other = key0 + column + 16 * j;
        const bool shown = other < visible && mask(block.batch, block.headOf(row), position, other);
        scores[i][j] = shown ? scores[i][j] * scale : -infinity();
        most = maximum(most, scores[i][j]);
      }
      most = lanesReduce<16>(most, largerOf);
      const float correction = softmax[i].raise(most, shift, [](float x) { return expf(x); });
      NNC_UNROLL
      for (int j = 0; j < TN; ++j) {
        const float weight = expf(scores[i][j] - shift);
        softmax[i].sum += weight;
        weights[row * Tile::WeightStride + column + 16 * j] = weight;
      }
      NNC_UNROLL
      for (int c = 0; c < Tile::Columns; ++c) {
        NNC_UNROLL
        for (int lane = 0; lane < 4; ++lane)
          sums[i][c][lane] *= correction;
      }
    }
    barrier();
    attentionSums<Tile>(sums, weights + firstRow * Tile::WeightStride, values, column * 4);
  }

  NNC_UNROLL
  for (int i = 0; i < TM; ++i) {
    const int row = firstRow + i;
    const float sum = lanesReduce<16>(softmax[i].sum, sumOf), divisor = block.divisorOf(sum);
    if (row >= block.count)
      continue;
    if (column == 0)
      kept.keep(block.batch, block.headOf(row), block.positionOf(row), softmax[i].highest, sum);
    T *to = result.at(block.batch, block.headOf(row), block.positionOf(row));
    NNC_UNROLL
    for (int c = 0; c < Tile::Columns; ++c) {
      NNC_UNROLL
      for (int lane = 0; lane < 4; ++lane) {
        const int place = column * 4 + 64 * c + lane;
        if (place < Tile::D)
          to[place] = (T)(sums[i][c][lane] / divisor);
      }
    }
  }
}
