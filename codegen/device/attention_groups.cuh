// Attention of 16-bit elements on sm_90a's tensor cores, with the interface of attention.cuh, after
// J. Shah et al., "FlashAttention-3" (2024). The last warps of a block bring keys and values, each
// in its own time; every group of four warps before them has 64 rows. Products of a group run while
// it computes the weights of the scores before, and groups take turns at starting theirs, so that
// the tensor cores have work while a group computes weights.

/// Head size, groups of 64 rows, keys of a step, how many steps' keys and values there is memory
/// for, warps that bring them, blocks that a multiprocessor is to hold, and whether a group's own
/// products run beside its weights. Loads are of 8 elements.
template <int D_, int Groups_, int Keys_, int Stages_, int Bringers_, int Blocks_, bool Overlaps_>
struct AttentionGroupTile {
  static constexpr int D = D_, Groups = Groups_, Keys = Keys_, Stages = Stages_, Blocks = Blocks_;
  static constexpr bool Overlaps = Overlaps_;
  static constexpr int Bringers = Bringers_ * 32; ///< threads
  static constexpr int Rows = Groups * 64, Threads = Groups * 128 + Bringers;
  static constexpr int Depths = (D + 15) / 16;  ///< steps of the first product
  static constexpr int Columns = (D + 63) / 64; ///< blocks of 64 places, 128 bytes
  static constexpr int PlaceTiles = Depths * 2, KeyTiles = Keys / 8;
  static constexpr int QueryBytes = 64 * Columns * 128, KeyBytes = Keys * Columns * 128;
  static constexpr int DataBytes = Groups * QueryBytes + 2 * Stages * KeyBytes;
  static constexpr int SharedBytes = DataBytes + Stages * 4 * (int)sizeof(Arrivals);
  static_assert(Keys % 16 == 0 && D % 8 == 0, "the depth of a product is 16, loads take 8");

  /// Registers of a thread at the start; who brings needs few.
  static constexpr int Registers = 65536 / (Blocks * Threads) / 8 * 8, OfBringers = 32;
  static constexpr int Free = (Registers * Threads - OfBringers * Bringers) / (Groups * 128);
  static constexpr int OfGroups = Free < 240 ? Free / 8 * 8 : 240;
  static constexpr bool MovesRegisters = Bringers == 128 && Registers < OfGroups;
};

/// Which chunks of 8 elements a thread brings, one of `Threads`: always the same of some rows.
template <class Tile, int Threads> struct AttentionGroupChunks {
  static constexpr int PerRow = Tile::Columns == 3 ? 32 : Tile::Columns * 8; // some are idle
  static constexpr int Step = Threads / PerRow;
  static_assert(Threads % PerRow == 0, "threads tile rows");
  int chunk, row;
  NNC_INLINE explicit AttentionGroupChunks(int thread)
      : chunk(thread % PerRow), row(thread / PerRow) {}
  NNC_INLINE bool exists() const { return chunk * 8 < Tile::D; }
  NNC_INLINE bool isIdle() const { return chunk >= Tile::PlaceTiles; }
  /// Where the chunk lies in memory for `Rows` rows: swizzled, in blocks of 64 places.
  template <int Rows> NNC_INLINE int place(int r) const {
    return chunk / 8 * (Rows * 128) + swizzled(r, chunk % 8);
  }
};

/// The group's queries times the step's keys.
template <class Tile, class T>
NNC_INLINE void attentionGroupScores(float (&scores)[Tile::KeyTiles][4], GroupOperand queries,
                                     GroupOperand keys) {
  NNC_UNROLL
  for (int depth = 0; depth < Tile::Depths; ++depth) {
    const int offset = depth % 4 * 32, block = depth / 4;
    const GroupOperand a = queries.movedBy(block * (64 * 128) + offset);
    const GroupOperand b = keys.movedBy(block * (Tile::Keys * 128) + offset);
    if (depth == 0)
      multiplyGroupRows<T, false>(scores, a, b);
    else
      multiplyGroupRows<T, true>(scores, a, b);
  }
  commitGroup();
}

/// Adds weights times values.
template <class Tile, class T>
NNC_INLINE void attentionGroupSums(float (&sums)[Tile::PlaceTiles][4],
                                   const unsigned (&weights)[Tile::Keys / 16][4],
                                   GroupOperand values) {
  NNC_UNROLL
  for (int k = 0; k < Tile::Keys / 16; ++k)
    multiplyGroupColumns<T>(sums, weights[k], values.movedBy(k * (16 * 128)));
  commitGroup();
}

/// What a thread knows of its two rows.
template <class Index> struct AttentionGroupRow {
  Index position, head, visible; ///< of a row that does not exist: nothing is visible
  RunningSoftmax softmax;
};

/// Turns scores into weights. `everySeen`: all keys of the step are seen by all rows.
template <class Tile, class Index, class Mask>
NNC_INLINE void attentionGroupWeights(float (&scores)[Tile::KeyTiles][4],
                                      AttentionGroupRow<Index> (&rows)[2], float (&corrections)[2],
                                      float toLog2, Index key0, bool everySeen, Mask mask) {
  if (!everySeen) {
    NNC_UNROLL
    for (int j = 0; j < Tile::KeyTiles; ++j) {
      NNC_UNROLL
      for (int part = 0; part < 4; ++part) {
        const AttentionGroupRow<Index> &row = rows[part / 2];
        const Index other = key0 + j * 8 + threadIdx.x % 4 * 2 + part % 2;
        if (!(other < row.visible && mask(row.head, row.position, other)))
          scores[j][part] = -infinity();
      }
    }
  }
  NNC_UNROLL
  for (int i = 0; i < 2; ++i) {
    float most = scores[0][i * 2], shift;
    NNC_UNROLL
    for (int j = 0; j < Tile::KeyTiles; ++j)
      most = maximum(most, maximum(scores[j][i * 2], scores[j][i * 2 + 1]));
    most = lanesReduce<4>(most, largerOf) * toLog2;
    corrections[i] = rows[i].softmax.raise(most, shift, powerOfTwo);
    NNC_UNROLL
    for (int j = 0; j < Tile::KeyTiles; ++j) {
      NNC_UNROLL
      for (int part = 0; part < 2; ++part) {
        float &score = scores[j][i * 2 + part];
        score = powerOfTwo(fmaf(score, toLog2, -shift));
        rows[i].softmax.sum += score;
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

/// Which steps' memory is full, and which is empty.
template <class Tile> struct AttentionGroupArrivals {
  Arrivals fullKeys[Tile::Stages], emptyKeys[Tile::Stages];
  Arrivals fullValues[Tile::Stages], emptyValues[Tile::Stages];

  NNC_INLINE void prepare(int groups) {
    using Chunks = AttentionGroupChunks<Tile, Tile::Bringers / 2>;
    constexpr int Busy = Tile::Bringers / 2 / Chunks::PerRow * Tile::PlaceTiles;
    const int warps = groups * 4; // one lane of each says that it is done
    if (threadIdx.x < Tile::Stages) {
      prepareArrivals(fullKeys + threadIdx.x, Busy);
      prepareArrivals(fullValues + threadIdx.x, Busy);
      prepareArrivals(emptyKeys + threadIdx.x, warps);
      prepareArrivals(emptyValues + threadIdx.x, warps);
    }
    barrier();
  }
};

/// Memory that is used in turn.
template <int Stages> struct Turn {
  int stage = 0;
  unsigned parity = 0;
  NNC_INLINE void next() {
    if (++stage == Stages) {
      stage = 0;
      parity ^= 1;
    }
  }
};

/// The warp has read what is there.
NNC_INLINE void giveBack(Arrivals *empty) {
  joinWarp();
  if (threadIdx.x % 32 == 0)
    arrive(empty);
}

/// Turns of groups at starting products: each waits for the one before, the first one for the last.
struct AttentionGroupTurns {
  int group, groups;
  NNC_INLINE void await(bool isFirst) const {
    if (groups > 1 && !(isFirst && group == 0))
      meet<256>(1 + group);
  }
  NNC_INLINE void pass(bool isLast) const {
    if (groups > 1 && !(isLast && group == groups - 1))
      passBy<256>(group + 1 == groups ? 1 : 2 + group);
  }
};

/// Brings the keys, or the values, of all steps, up to key `end`: by half of the warps that bring.
template <class Tile, class T, class Index>
NNC_INLINE void bringAttentionKeys(char *memory, Arrivals *full, Arrivals *empty,
                                   const AttentionTensor<const T, Index> &from, Index batch,
                                   Index head, Index end) {
  using Chunks = AttentionGroupChunks<Tile, Tile::Bringers / 2>;
  const Chunks chunks(threadIdx.x % (Tile::Bringers / 2));
  if (chunks.isIdle())
    return;
  const T *next = from.at(batch, head, chunks.row) + chunks.chunk * 8;
  const Index step = from.position * Chunks::Step;
  Turn<Tile::Stages> turn;
  for (Index key0 = 0; key0 < end; key0 += Tile::Keys, turn.next()) {
    char *to = memory + turn.stage * Tile::KeyBytes;
    waitForArrivals(empty + turn.stage, turn.parity ^ 1);
    NNC_UNROLL_BY(4)
    for (int r = chunks.row; r < Tile::Keys; r += Chunks::Step, next += step)
      copyAsyncIf(r < end - key0 && chunks.exists(), to + chunks.template place<Tile::Keys>(r),
                  next);
    commitCopies();
    waitForCopies<0>();
    showToGroups();
    arrive(full + turn.stage);
  }
}

/// Starts to bring a group's queries; `row(r)` points to row r of `count` that there are.
template <class Tile, class Row>
NNC_INLINE void bringAttentionQueries(char *queries, int count, Row row) {
  using Chunks = AttentionGroupChunks<Tile, 128>;
  const Chunks chunks(threadIdx.x % 128);
  NNC_UNROLL
  for (int r = chunks.row; r < 64; r += Chunks::Step) {
    const bool exists = r < count && chunks.exists();
    if (!chunks.isIdle())
      copyAsyncIf(exists, queries + chunks.template place<64>(r),
                  row(exists ? r : 0) + chunks.chunk * 8);
  }
  commitCopies();
}

/// As `attention`.
template <class Tile, class T, class Index, class Seen, class Mask>
NNC_INLINE void
attentionGroups(Index number, AttentionSizes<Index> sizes, AttentionTensor<const T, Index> query,
                AttentionTensor<const T, Index> key, AttentionTensor<const T, Index> value,
                AttentionTensor<T, Index> result, float scale, Seen seen, Mask mask) {
  char *allQueries = dynamicShared<char>(), *keys = allQueries + Tile::Groups * Tile::QueryBytes;
  char *values = keys + Tile::Stages * Tile::KeyBytes;
  auto &arrivals = *reinterpret_cast<AttentionGroupArrivals<Tile> *>(allQueries + Tile::DataBytes);
  const AttentionBlock<Tile::Rows, Index> block(number, sizes);
  const Index end = seen(block.positionOf(block.count - 1));
  const int groups = (block.count + 63) / 64;
  arrivals.prepare(groups);
  const int warp = shuffleFrom((int)threadIdx.x / 32, 0), group = warp / 4;
  if (group == Tile::Groups) {
    if constexpr (Tile::MovesRegisters)
      leaveRegisters<Tile::OfBringers>();
    if (warp - Tile::Groups * 4 < Tile::Bringers / 64)
      bringAttentionKeys<Tile>(keys, arrivals.fullKeys, arrivals.emptyKeys, key, block.batch,
                               block.head, end);
    else
      bringAttentionKeys<Tile>(values, arrivals.fullValues, arrivals.emptyValues, value,
                               block.batch, block.head, end);
    return;
  }
  if constexpr (Tile::MovesRegisters)
    takeRegisters<Tile::OfGroups>();
  if (group >= groups)
    return;

  char *queries = allQueries + group * Tile::QueryBytes;
  const int row0 = group * 64, lane = threadIdx.x % 32, count = block.count - row0;
  bringAttentionQueries<Tile>(queries, count, [&](int r) {
    return query.at(block.batch, block.headOf(row0 + r), block.positionOf(row0 + r));
  });
  AttentionGroupRow<Index> rows[2];
  const int warpRow = warp % 4 * 16;
  NNC_UNROLL
  for (int i = 0; i < 2; ++i) {
    const int r = warpRow + lane / 4 + 8 * i;
    const bool exists = r < count;
    rows[i].position = block.positionOf(exists ? row0 + r : 0);
    rows[i].head = block.headOf(exists ? row0 + r : 0);
    rows[i].visible = exists ? seen(rows[i].position) : 0;
    rows[i].softmax = {-infinity(), 0};
  }
  // Keys that all rows of the warp see.
  const Index everySeen = warpRow + 16 <= count ? seen(block.positionOf(row0 + warpRow)) : 0;
  waitForCopies<0>();
  showToGroups();
  meet<128>(1 + Tile::Groups + group);

  const float toLog2 = scale * 1.44269504f; // weights are powers of two
  const AttentionGroupTurns turns{group, groups};
  auto shows = [&](Index h, Index t, Index j) { return mask(block.batch, h, t, j); };
  const GroupOperand queryOperand(queries, 64 * 128), keyOperand(keys, Tile::Keys * 128);
  const GroupOperand valueOperand(values, Tile::Keys * 128);
  Turn<Tile::Stages> keyTurn, valueTurn;
  float scores[Tile::KeyTiles][4], sums[Tile::PlaceTiles][4] = {}, corrections[2];
  unsigned weights[Tile::Keys / 16][4];
  auto weigh = [&](Index key0) {
    if (warpRow >= count)
      return;
    const bool all = !HasMask<Mask> && key0 + Tile::Keys <= everySeen;
    attentionGroupWeights<Tile>(scores, rows, corrections, toLog2, key0, all, shows);
  };
  auto startScores = [&] {
    waitForArrivals(arrivals.fullKeys + keyTurn.stage, keyTurn.parity);
    beginGroup();
    attentionGroupScores<Tile, T>(scores, queryOperand,
                                  keyOperand.movedBy(keyTurn.stage * Tile::KeyBytes));
  };
  auto endScores = [&] {
    holdGroup(scores);
    giveBack(arrivals.emptyKeys + keyTurn.stage);
    keyTurn.next();
  };
  auto startSums = [&] {
    waitForArrivals(arrivals.fullValues + valueTurn.stage, valueTurn.parity);
    holdGroup(sums);
    holdGroup(weights);
    beginGroup();
    attentionGroupSums<Tile, T>(sums, weights,
                                valueOperand.movedBy(valueTurn.stage * Tile::KeyBytes));
  };
  auto endSums = [&] {
    waitForGroup<0>();
    holdGroup(sums);
    holdGroup(weights);
    giveBack(arrivals.emptyValues + valueTurn.stage);
    valueTurn.next();
  };

  auto correctSums = [&] {
    NNC_UNROLL
    for (int p = 0; p < Tile::PlaceTiles; ++p) {
      NNC_UNROLL
      for (int part = 0; part < 4; ++part)
        sums[p][part] *= corrections[part / 2];
    }
  };
  auto scoresAlone = [&](Index key0) {
    turns.await(key0 == 0);
    startScores();
    turns.pass(key0 + Tile::Keys >= end);
    waitForGroup<0>();
    endScores();
    weigh(key0);
  };

  if constexpr (Tile::Overlaps) {
    if (end > 0) {
      scoresAlone(0);
      packAttentionWeights<Tile, T>(weights, scores);
      for (Index key0 = Tile::Keys; key0 < end; key0 += Tile::Keys) {
        turns.await(false);
        startScores();
        startSums();
        turns.pass(key0 + Tile::Keys >= end);
        waitForGroup<1>();
        endScores();
        weigh(key0);
        endSums();
        packAttentionWeights<Tile, T>(weights, scores);
        correctSums();
      }
      startSums();
      endSums();
    }
  } else {
    for (Index key0 = 0; key0 < end; key0 += Tile::Keys) {
      scoresAlone(key0);
      correctSums();
      packAttentionWeights<Tile, T>(weights, scores);
      startSums();
      endSums();
    }
  }

  // The result leaves by the memory of the group's queries, so that neighbouring lanes store
  // neighbouring elements.
  meet<128>(1 + Tile::Groups + group);
  NNC_UNROLL
  for (int i = 0; i < 2; ++i) {
    const float factor = 1 / block.divisorOf(lanesReduce<4>(rows[i].softmax.sum, sumOf));
    NNC_UNROLL
    for (int p = 0; p < Tile::PlaceTiles; ++p) {
      char *to = queries + p / 8 * (64 * 128) + swizzled(warpRow + lane / 4 + 8 * i, p % 8);
      *reinterpret_cast<unsigned *>(to + lane % 4 * 4) =
          packPair<T>(sums[p][i * 2] * factor, sums[p][i * 2 + 1] * factor);
    }
  }
  joinWarp();
  constexpr int Chunks = Tile::D / 8;
  for (int i = lane; i < 16 * Chunks; i += 32) {
    const int r = warpRow + i / Chunks, chunk = i % Chunks;
    if (r < count) {
      const char *from = queries + chunk / 8 * (64 * 128) + swizzled(r, chunk % 8);
      storeVector<8>(result.at(block.batch, block.headOf(row0 + r), block.positionOf(row0 + r)) +
                         chunk * 8,
                     loadVector<8>(reinterpret_cast<const T *>(from)));
    }
  }
}

/// As `attention`: by groups where the machine has them, elsewhere as attentionMma by as many of
/// the warps as that needs.
template <class Tile, class Elsewhere, class T, class Index, class Seen, class Mask>
NNC_INLINE void
attentionOnTensorCores(Index number, AttentionSizes<Index> sizes,
                       AttentionTensor<const T, Index> query, AttentionTensor<const T, Index> key,
                       AttentionTensor<const T, Index> value, AttentionTensor<T, Index> result,
                       float scale, Seen seen, Mask mask) {
  static_assert(Tile::Rows == Elsewhere::Rows && Tile::Threads >= Elsewhere::Threads,
                "one launch serves both");
  if constexpr (HasGroups && Tile::Groups > 0)
    attentionGroups<Tile, T>(number, sizes, query, key, value, result, scale, seen, mask);
  else if (threadIdx.x < Elsewhere::Threads)
    attentionMma<Elsewhere, T>(number, sizes, query, key, value, result, scale, seen, mask);
}
