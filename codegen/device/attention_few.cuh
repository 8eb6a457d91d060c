// Attention of a few rows over many keys, as when a token is decoded: the interface of
// attention.cuh, but the keys are shared out.
//
// There is nothing to gain from tiles here: keys and values are read once for all rows of their
// head, straight into registers, by as many threads as there are. Blocks of a cluster, their warps
// and groups of lanes take every so-manieth key, each with a softmax of its own (as in
// "Flash-Decoding", T. Dao et al., 2023); in the end these are combined in a fixed order.

/// Head size D, rows of a block, how many elements of a head are loaded at once, warps, and blocks
/// that share the keys.
template <int D_, int Rows_, int Lanes_, int Warps_, int Split_> struct AttentionFewTile {
  static constexpr int D = D_, Rows = Rows_, Lanes = Lanes_, Warps = Warps_, Split = Split_;
  static constexpr int Threads = Warps * 32, Loads = D / Lanes;
  static NNC_INLINE constexpr int groupOf(int loads) {
    int lanes = 1;
    while (lanes < loads && lanes < 32)
      lanes *= 2;
    return lanes;
  }
  static constexpr int Group = groupOf(Loads); ///< lanes that share a key
  static constexpr int Pieces = (Loads + Group - 1) / Group, Slots = 32 / Group;
  static constexpr int AtOnce = Rows > 4 ? 2 : 4; ///< keys that a lane has in flight
  static constexpr int Step =
      BlocksAtWork<Split> * Warps * Slots; ///< keys that lanes have together
  static constexpr int Stride = D + 2; ///< of a row's sums, its maximum and the sum of its weights
  static constexpr int SharedBytes = (Warps + 1) * Rows * Stride * 4;
  static_assert(D % Lanes == 0, "whole loads make a head");
};

/// What a lane has of a head: `Lanes` places from (piece * Group + its number in the group) * Lanes
/// on; zeros behind the head.
template <class Tile, class T> struct AttentionPieces {
  Vector<T, Tile::Lanes> pieces[Tile::Pieces];
  static NNC_INLINE int placeOf(int piece) {
    return (piece * Tile::Group + (int)threadIdx.x % Tile::Group) * Tile::Lanes;
  }
  NNC_INLINE void load(const T *head) {
    NNC_UNROLL
    for (int p = 0; p < Tile::Pieces; ++p) {
      if (placeOf(p) < Tile::D) {
        pieces[p] = loadVector<Tile::Lanes>(head + placeOf(p));
      } else {
        NNC_UNROLL
        for (int i = 0; i < Tile::Lanes; ++i)
          pieces[p][i] = T(0.0f);
      }
    }
  }
  NNC_INLINE float at(int i) const { return (float)pieces[i / Tile::Lanes][i % Tile::Lanes]; }
};

/// The softmax of a row that `Count` parts have taken keys of, and its result at `place`; `at(i)`
/// are the sums of part i.
template <class Tile, int Count, class At>
NNC_INLINE float combineAttention(int place, At at, float &highest, float &sum) {
  highest = -infinity();
  NNC_UNROLL
  for (int i = 0; i < Count; ++i)
    highest = maximum(highest, at(i)[Tile::D]);
  const float shift = highest == -infinity() ? 0.0f : highest;
  float value = 0;
  sum = 0;
  NNC_UNROLL
  for (int i = 0; i < Count; ++i) {
    const float weight = expf(at(i)[Tile::D] - shift);
    sum += weight * at(i)[Tile::D + 1];
    value += weight * at(i)[place];
  }
  return value;
}

/// Before the kernels before this one have ended: what the cluster reads first of `count` keys and
/// values comes as near as the L2 cache, which others need as well. The last of them may not be
/// written yet.
template <class Tile, class T, class Index>
NNC_INLINE void approachKeys(Index number, AttentionSizes<Index> sizes,
                             AttentionTensor<const T, Index> key,
                             AttentionTensor<const T, Index> value, Index count) {
  constexpr int PerLine = 128 / sizeof(T), Lines = (Tile::D + PerLine - 1) / PerLine;
  const AttentionBlock<Tile::Rows, Index> block(number, sizes);
  const Index near = minimum(count, (Index)(2 * Tile::AtOnce * Tile::Step));
  for (Index i = clusterRank<Tile::Split>() * Tile::Threads + threadIdx.x; i < near * Lines;
       i += BlocksAtWork<Tile::Split> * Tile::Threads) {
    const int place = (int)(i % Lines) * PerLine;
    bringNear(key.at(block.batch, block.head, i / Lines) + place);
    bringNear(value.at(block.batch, block.head, i / Lines) + place);
  }
}

/// As `attention`, by all blocks of a cluster together.
template <class Tile, class T, class Index, class Seen, class Mask>
NNC_INLINE void
attentionFew(Index number, AttentionSizes<Index> sizes, AttentionTensor<const T, Index> query,
             AttentionTensor<const T, Index> key, AttentionTensor<const T, Index> value,
             AttentionTensor<T, Index> result, float scale, Seen seen, Mask mask) {
  constexpr int Rows = Tile::Rows, D = Tile::D, Stride = Tile::Stride, AtOnce = Tile::AtOnce;
  constexpr int Places = Tile::Pieces * Tile::Lanes, Blocks = BlocksAtWork<Tile::Split>;
  constexpr int Step = Tile::Step;
  const AttentionBlock<Rows, Index> block(number, sizes);
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, rank = clusterRank<Tile::Split>();
  auto power = [](float x) { return expf(x); };

  AttentionPieces<Tile, T> queries[Rows];
  RunningSoftmax softmax[Rows];
  float sums[Rows][Places] = {};
  Index visible[Rows];
  NNC_UNROLL
  for (int r = 0; r < Rows; ++r) {
    const int row = r < block.count ? r : 0;
    queries[r].load(query.at(block.batch, block.headOf(row), block.positionOf(row)));
    visible[r] = r < block.count ? seen(block.positionOf(row)) : 0;
    softmax[r] = {-infinity(), 0};
  }

  const Index end = seen(block.positionOf(block.count - 1));
  const int slot = lane / Tile::Group;
  for (Index key0 = (rank * Tile::Warps + warp) * Tile::Slots; key0 < end; key0 += AtOnce * Step) {
    AttentionPieces<Tile, T> keys[AtOnce], values[AtOnce];
    NNC_UNROLL
    for (int u = 0; u < AtOnce; ++u) {
      const Index other = minimum((Index)(key0 + u * Step + slot), (Index)(end - 1));
      keys[u].load(key.at(block.batch, block.head, other));
      values[u].load(value.at(block.batch, block.head, other));
    }
    NNC_UNROLL
    for (int r = 0; r < Rows; ++r) {
      float scores[AtOnce], most = -infinity(), shift;
      NNC_UNROLL
      for (int u = 0; u < AtOnce; ++u) {
        float score = 0;
        NNC_UNROLL
        for (int i = 0; i < Places; ++i)
          score += queries[r].at(i) * keys[u].at(i);
        score = lanesReduce<Tile::Group>(score, sumOf);
        const Index other = key0 + u * Step + slot;
        const bool shown =
            other < visible[r] && mask(block.batch, block.headOf(r), block.positionOf(r), other);
        scores[u] = shown ? score * scale : -infinity();
        most = maximum(most, scores[u]);
      }
      const float correction = softmax[r].raise(most, shift, power);
      NNC_UNROLL
      for (int i = 0; i < Places; ++i)
        sums[r][i] *= correction;
      NNC_UNROLL
      for (int u = 0; u < AtOnce; ++u) {
        const float weight = expf(scores[u] - shift);
        softmax[r].sum += weight;
        NNC_UNROLL
        for (int i = 0; i < Places; ++i)
          sums[r][i] += weight * values[u].at(i);
      }
    }
  }

  // The warp's groups, then the block's warps, then the cluster's blocks.
  float *const own = dynamicShared<float>(), *const parts = own + Rows * Stride;
  NNC_UNROLL
  for (int r = 0; r < Rows; ++r) {
    float most = softmax[r].highest, shift;
    NNC_UNROLL
    for (int lanes = Tile::Group; lanes < 32; lanes *= 2)
      most = maximum(most, shuffleXor(most, lanes));
    const float correction = softmax[r].raise(most, shift, power);
    float *const row = parts + (warp * Rows + r) * Stride;
    auto overSlots = [](float sum) {
      NNC_UNROLL
      for (int lanes = Tile::Group; lanes < 32; lanes *= 2)
        sum += shuffleXor(sum, lanes);
      return sum;
    };
    const float weights = overSlots(softmax[r].sum);
    NNC_UNROLL
    for (int i = 0; i < Places; ++i) {
      const float sum = overSlots(sums[r][i] * correction);
      const int place = AttentionPieces<Tile, T>::placeOf(i / Tile::Lanes) + i % Tile::Lanes;
      if (slot == 0 && place < D)
        row[place] = sum;
    }
    if (lane == 0) {
      row[D] = most;
      row[D + 1] = weights;
    }
  }
  barrier();
  for (int i = threadIdx.x; i < Rows * D; i += Tile::Threads) {
    const int r = i / D, place = i % D;
    float highest, sum;
    own[r * Stride + place] = combineAttention<Tile, Tile::Warps>(
        place, [&](int part) { return parts + (part * Rows + r) * Stride; }, highest, sum);
    if (place == 0) {
      own[r * Stride + D] = highest;
      own[r * Stride + D + 1] = sum;
    }
  }
  clusterBarrier<Tile::Split>();
  for (int i = rank * Tile::Threads + threadIdx.x; i < block.count * D;
       i += Blocks * Tile::Threads) {
    const int r = i / D, place = i % D;
    float highest, sum;
    const float total = combineAttention<Tile, Blocks>(
        place, [&](int other) { return inCluster<Tile::Split>(own + r * Stride, other); }, highest,
        sum);
    T *const to = result.at(block.batch, block.headOf(r), block.positionOf(r));
    to[place] = (T)(total / block.divisorOf(sum));
  }
  leaveCluster<Tile::Split>();
}
