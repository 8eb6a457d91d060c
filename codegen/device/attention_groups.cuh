// Attention of 16-bit elements on sm_90a's tensor cores, with the interface of attention.cuh, after
// J. Shah et al., "FlashAttention-3" (2024). The last four warps of a block bring keys and values,
// each in their own time; every group of four warps before them has 64 rows, and one multiplies
// while another computes weights. A group may also let its own products run while it computes the
// weights of the scores before. A block takes tile after tile: the next one's queries, keys and
// values come while the last one's result leaves.

/// Starts the products of the group's rows with each of the step's others: queries with keys.
template <class Tile, class T>
NNC_INLINE void attentionGroupProducts(float (&products)[Tile::KeyTiles][4], GroupOperand rows,
                                       GroupOperand others) {
  NNC_UNROLL
  for (int depth = 0; depth < Tile::Depths; ++depth) {
    const int offset = depth % 4 * 32, block = depth / 4;
    const GroupOperand a = rows.movedBy(block * (64 * 128) + offset);
    const GroupOperand b = others.movedBy(block * (Tile::Keys * 128) + offset);
    if (depth == 0)
      multiplyGroupRows<T, false>(products, a, b);
    else
      multiplyGroupRows<T, true>(products, a, b);
  }
  commitGroup();
}

/// Starts to add weights times the others: values.
template <class Tile, class T>
NNC_INLINE void attentionGroupSums(float (&sums)[Tile::PlaceTiles][4],
                                   const unsigned (&weights)[Tile::Keys / 16][4],
                                   GroupOperand others) {
  NNC_UNROLL
  for (int k = 0; k < Tile::Keys / 16; ++k)
    multiplyGroupColumns<T>(sums, weights[k], others.movedBy(k * (16 * 128)));
  commitGroup();
}

/// What a thread's two rows are, of the tile that a group works on.
template <class Index> struct AttentionGroupRows {
  Index positions[2], heads[2];
  Index visible[2]; ///< of a row that does not exist: nothing
  Index everySeen;  ///< keys that all rows of the warp see
  Index end;        ///< of the keys that any row of the tile sees
};

/// Hides the scores of keys that rows do not see.
template <class Tile, class Index, class Mask>
NNC_INLINE void hideAttentionScores(float (&scores)[Tile::KeyTiles][4],
                                    const AttentionGroupRows<Index> &rows, Index key0, Index batch,
                                    Mask mask) {
  const int column = threadIdx.x % 4 * 2;
  constexpr int Words = (Tile::Keys + 31) / 32;
  unsigned shown[Words]; // of a mask of keys: bit 0 is that of the thread's
                         // first column
  if constexpr (IsKeyMask<Mask>) {
    NNC_UNROLL
    for (int i = 0; i < Words; ++i) {
      const Index other = key0 + i * 32 + threadIdx.x % 32;
      shown[i] = lanesWhere(other < rows.end && mask(batch, 0, 0, other)) >> column;
    }
  }
  NNC_UNROLL
  for (int j = 0; j < Tile::KeyTiles; ++j) {
    NNC_UNROLL
    for (int part = 0; part < 4; ++part) {
      const Index other = key0 + j * 8 + column + part % 2;
      const int i = part / 2;
      bool isShown = other < rows.visible[i];
      if constexpr (IsKeyMask<Mask>)
        isShown = isShown && (shown[j / 4] >> (j % 4 * 8 + part % 2) & 1);
      else
        isShown = isShown && mask(batch, rows.heads[i], rows.positions[i], other);
      if (!isShown)
        scores[j][part] = -infinity();
    }
  }
}

/// Turns scores into weights; sums so far are to be multiplied by `corrections`.
template <class Tile>
NNC_INLINE void weighAttentionScores(float (&scores)[Tile::KeyTiles][4],
                                     RunningSoftmax (&softmax)[2], float (&corrections)[2],
                                     float toLog2) {
  NNC_UNROLL
  for (int i = 0; i < 2; ++i) {
    float most = scores[0][i * 2], shift;
    NNC_UNROLL
    for (int j = 0; j < Tile::KeyTiles; ++j)
      most = maximum(most, maximum(scores[j][i * 2], scores[j][i * 2 + 1]));
    most = lanesReduce<4>(most, largerOf) * toLog2;
    corrections[i] = softmax[i].raise(most, shift, powerOfTwo);
    NNC_UNROLL
    for (int j = 0; j < Tile::KeyTiles; ++j) {
      NNC_UNROLL
      for (int part = 0; part < 2; ++part) {
        float &score = scores[j][i * 2 + part];
        score = powerOfTwo(fmaf(score, toLog2, -shift));
        softmax[i].sum += score;
      }
    }
  }
}

/// Rounds weights to what is multiplied with values: sums of a product are laid out as the left
/// operand of the next one.
template <class Tile, class T>
NNC_INLINE void packAttentionWeights(unsigned (&weights)[Tile::Keys / 16][4],
                                     const float (&scores)[Tile::KeyTiles][4]) {
  NNC_UNROLL
  for (int k = 0; k < Tile::Keys / 16; ++k) {
    NNC_UNROLL
    for (int part = 0; part < 4; ++part) {
      const float(&pair)[4] = scores[2 * k + part / 2];
      weights[k][part] = packPair<T>(pair[part % 2 * 2], pair[part % 2 * 2 + 1]);
    }
  }
}

/// Of four lanes, lane i gives word j of lane j its word i.
NNC_INLINE void transposeWords(unsigned (&words)[4]) {
  NNC_UNROLL
  for (int bit = 1; bit < 4; bit *= 2) {
    const bool isSet = threadIdx.x & bit;
    NNC_UNROLL
    for (int i = 0; i < 4; ++i) {
      if (i & bit)
        continue;
      unsigned &low = words[i], &high = words[i + bit];
      const unsigned got = shuffleXor(isSet ? low : high, bit);
      (isSet ? low : high) = got;
    }
  }
}

/// Stores row `i` of the thread's two: each lane 8 neighbours of every 32.
template <class Tile, class T>
NNC_INLINE void storeAttentionRow(T *row, const float (&sums)[Tile::PlaceTiles][4], int i,
                                  float factor, bool exists) {
  NNC_UNROLL
  for (int p = 0; p < Tile::PlaceTiles; p += 4) {
    unsigned words[4];
    NNC_UNROLL
    for (int j = 0; j < 4; ++j)
      words[j] = p + j < Tile::PlaceTiles
                     ? packPair<T>(sums[p + j][i * 2] * factor, sums[p + j][i * 2 + 1] * factor)
                     : 0;
    transposeWords(words);
    const int place = (p + (int)threadIdx.x % 4) * 8;
    if (exists && place < Tile::D)
      storeVector(reinterpret_cast<unsigned *>(row + place),
                  Vector<unsigned, 4>{words[0], words[1], words[2], words[3]});
  }
}

/// A group: its rows' scores, weights and sums, step by step.
template <class Tile, class T> struct AttentionGroup {
  AttentionGroupArrivals<Tile> &arrivals;
  GroupOperand queries, keys, values;
  Turn<Tile::Stages> keyTurn, valueTurn;
  RunningSoftmax softmax[2]; ///< of the thread's rows
  float corrections[2], scores[Tile::KeyTiles][4], sums[Tile::PlaceTiles][4];
  unsigned weights[Tile::Keys / 16][4];

  NNC_INLINE AttentionGroup(AttentionGroupArrivals<Tile> &arrivals, const char *queries,
                            const char *keys, const char *values)
      : arrivals(arrivals), queries(queries, 64 * 128), keys(keys, Tile::Keys * 128),
        values(values, Tile::Keys * 128) {}

  NNC_INLINE void begin() {
    NNC_UNROLL
    for (int i = 0; i < 2; ++i)
      softmax[i] = {-infinity(), 0};
    NNC_UNROLL
    for (int p = 0; p < Tile::PlaceTiles; ++p) {
      NNC_UNROLL
      for (int part = 0; part < 4; ++part)
        sums[p][part] = 0;
    }
  }

  NNC_INLINE void startScores() {
    waitForArrivals(arrivals.fullKeys + keyTurn.stage(), keyTurn.parity());
    beginGroup();
    attentionGroupProducts<Tile, T>(scores, queries,
                                    keys.movedBy(keyTurn.stage() * Tile::KeyBytes));
  }
  NNC_INLINE void endScores() {
    holdGroup(scores);
    giveBack(arrivals.emptyKeys + keyTurn.stage());
    ++keyTurn.count;
  }
  NNC_INLINE void startSums() {
    waitForArrivals(arrivals.fullValues + valueTurn.stage(), valueTurn.parity());
    holdGroup(sums);
    holdGroup(weights);
    beginGroup();
    attentionGroupSums<Tile, T>(sums, weights, values.movedBy(valueTurn.stage() * Tile::KeyBytes));
  }
  NNC_INLINE void endSums() {
    waitForGroup<0>();
    holdGroup(sums);
    holdGroup(weights);
    giveBack(arrivals.emptyValues + valueTurn.stage());
    ++valueTurn.count;
  }
  NNC_INLINE void correctSums() {
    NNC_UNROLL
    for (int p = 0; p < Tile::PlaceTiles; ++p) {
      NNC_UNROLL
      for (int part = 0; part < 4; ++part)
        sums[p][part] *= corrections[part / 2];
    }
  }

  /// All steps of a tile. `weigh(step)` turns scores into weights, `bringNext()` is called when the
  /// queries have been read.
  template <class Weigh, class BringNext>
  NNC_INLINE void run(int steps, Weigh weigh, BringNext bringNext) {
    if constexpr (Tile::Overlaps) {
      startScores();
      waitForGroup<0>();
      endScores();
      if (steps == 1)
        bringNext();
      weigh(0);
      packAttentionWeights<Tile, T>(weights, scores);
      for (int step = 1; step < steps; ++step) {
        startScores();
        startSums();
        waitForGroup<1>();
        endScores();
        if (step + 1 == steps)
          bringNext();
        weigh(step);
        endSums();
        packAttentionWeights<Tile, T>(weights, scores);
        correctSums();
      }
      startSums();
      endSums();
    } else {
      for (int step = 0; step < steps; ++step) {
        startScores();
        waitForGroup<0>();
        endScores();
        if (step + 1 == steps)
          bringNext();
        weigh(step);
        correctSums();
        packAttentionWeights<Tile, T>(weights, scores);
        startSums();
        endSums();
      }
    }
  }

  /// Takes part in all steps of a tile without rows.
  NNC_INLINE void stand(int steps) {
    for (int step = 0; step < steps; ++step) {
      waitForArrivals(arrivals.fullKeys + keyTurn.stage(), keyTurn.parity());
      endScores();
      waitForArrivals(arrivals.fullValues + valueTurn.stage(), valueTurn.parity());
      endSums();
    }
  }
};

/// As `attention`, of all tiles that are this block's.
template <class Tile, class T, class Index, class Seen, class Mask, class Kept>
NNC_INLINE void
attentionGroups(AttentionTiles<Index> tiles, AttentionSizes<Index> sizes,
                AttentionTensor<const T, Index> query, AttentionTensor<const T, Index> key,
                AttentionTensor<const T, Index> value, AttentionTensor<T, Index> result,
                float scale, Seen seen, Mask mask, Kept kept) {
  char *queries = dynamicShared<char>(), *keys = queries + Tile::Groups * Tile::QueryBytes;
  char *values = keys + Tile::Stages * Tile::KeyBytes;
  auto &arrivals = *reinterpret_cast<AttentionGroupArrivals<Tile> *>(queries + Tile::DataBytes);
  using Block = AttentionBlock<Tile::Rows, Index>;
  const int warp = shuffleFrom((int)threadIdx.x / 32, 0), group = warp / 4;
  char *own = queries + group * Tile::QueryBytes;
  const int row0 = group * 64, lane = threadIdx.x % 32, warpRow = warp % 4 * 16;
  auto bringQueries = [&](Index tile) {
    if (!tiles.isIn(tile))
      return;
    const Block block(tile, sizes);
    bringAttentionQueries<Tile>(own, block.count - row0, [&](int r) {
      return query.at(block.batch, block.headOf(row0 + r), block.positionOf(row0 + r));
    });
  };
  if (group < Tile::Groups)
    bringQueries(tiles.now());
  arrivals.prepare();

  if (group == Tile::Groups) {
    leaveRegisters<Tile::OfBringers>();
    AttentionBringer<Tile, T> bringer;
    for (; tiles.isIn(tiles.now()); ++tiles.round) {
      const Block block(tiles.now(), sizes);
      const Index end = seen(block.positionOf(block.count - 1));
      if (warp % 4 < 2)
        bringer.bring(keys, arrivals.fullKeys, arrivals.emptyKeys, key, block.batch, block.head,
                      end);
      else
        bringer.bring(values, arrivals.fullValues, arrivals.emptyValues, value, block.batch,
                      block.head, end);
    }
    return;
  }

  takeRegisters<Tile::OfGroups>();
  const float toLog2 = scale * TwoOfNatural; // weights are powers of two
  AttentionGroup<Tile, T> work(arrivals, own, keys, values);
  for (; tiles.isIn(tiles.now()); ++tiles.round) {
    const Block block(tiles.now(), sizes);
    const int count = block.count - row0;
    AttentionGroupRows<Index> rows;
    rows.end = seen(block.positionOf(block.count - 1));
    rows.everySeen = warpRow + 16 <= count ? seen(block.positionOf(row0 + warpRow)) : 0;
    NNC_UNROLL
    for (int i = 0; i < 2; ++i) {
      const int r = warpRow + lane / 4 + 8 * i;
      const bool exists = r < count;
      rows.positions[i] = block.positionOf(exists ? row0 + r : 0);
      rows.heads[i] = block.headOf(exists ? row0 + r : 0);
      rows.visible[i] = exists ? seen(rows.positions[i]) : 0;
    }
    const int steps = (int)((rows.end + Tile::Keys - 1) / Tile::Keys);
    waitForCopies<0>();
    showToGroups();
    meet<128>(1 + group);
    auto bringNext = [&] {
      if (!tiles.isIn(tiles.next()))
        return;
      meet<128>(1 + group); // all warps of the group have read the last ones
      bringQueries(tiles.next());
    };
    work.begin();
    if (count <= 0) {
      work.stand(steps);
      bringNext();
      continue;
    }
    auto weigh = [&](int step) {
      const Index key0 = (Index)step * Tile::Keys;
      if (warpRow >= count)
        return;
      if (HasMask<Mask> || key0 + Tile::Keys > rows.everySeen)
        hideAttentionScores<Tile>(work.scores, rows, key0, block.batch, mask);
      weighAttentionScores<Tile>(work.scores, work.softmax, work.corrections, toLog2);
    };
    if (steps > 0)
      work.run(steps, weigh, bringNext);
    else
      bringNext();
    NNC_UNROLL
    for (int i = 0; i < 2; ++i) {
      const bool exists = warpRow + lane / 4 + 8 * i < count;
      const float sum = lanesReduce<4>(work.softmax[i].sum, sumOf);
      if (exists && lane % 4 == 0)
        kept.keep(block.batch, rows.heads[i], rows.positions[i],
                  work.softmax[i].highest * NaturalOfTwo, sum);
      storeAttentionRow<Tile>(result.at(block.batch, rows.heads[i], rows.positions[i]), work.sums,
                              i, 1 / block.divisorOf(sum), exists);
    }
  }
}

/// As attentionGroups: by groups where the machine has them, elsewhere as attentionMma by as many
/// of the warps as that needs.
template <class Tile, class Elsewhere, class T, class Index, class Seen, class Mask, class Kept>
NNC_INLINE void
attentionOnTensorCores(AttentionTiles<Index> tiles, AttentionSizes<Index> sizes,
                       AttentionTensor<const T, Index> query, AttentionTensor<const T, Index> key,
                       AttentionTensor<const T, Index> value, AttentionTensor<T, Index> result,
                       float scale, Seen seen, Mask mask, Kept kept) {
  static_assert(Tile::Rows == Elsewhere::Rows && Tile::Threads >= Elsewhere::Threads,
                "one launch serves both");
  if constexpr (HasGroups && Tile::Groups > 0) {
    attentionGroups<Tile, T>(tiles, sizes, query, key, value, result, scale, seen, mask, kept);
  } else {
    if (threadIdx.x >= Elsewhere::Threads)
      return;
    for (; tiles.isIn(tiles.now()); ++tiles.round)
      attentionMma<Elsewhere, T>(tiles.now(), sizes, query, key, value, result, scale, seen, mask,
                                 kept);
  }
}
