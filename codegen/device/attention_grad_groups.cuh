// The gradients of attention of 16-bit elements on sm_90a's tensor cores, with the interface of
// attention_grad.cuh, after J. Shah et al., "FlashAttention-3" (2024). The last four warps of a
// block bring the others, several steps ahead; every group of four warps before them has 64 own
// rows. Its p and e are sums of products, and as these lie in registers they are left operands of
// the next ones. Nothing but what was brought is read from shared memory.

/// Head size, groups of 64 own rows, others of a step, how many steps there is memory for, and how
/// many blocks a multiprocessor has. Loads are of 8 elements.
template <int D_, int Groups_, int Keys_, int Stages_, int Blocks_> struct AttentionGradGroupTile {
  static constexpr int D = D_, Groups = Groups_, Keys = Keys_, Stages = Stages_, Blocks = Blocks_;
  static constexpr int Bringers = 128; ///< threads, half of them for what comes second
  static constexpr int Rows = Groups * 64, Threads = Groups * 128 + Bringers;
  static constexpr int Depths = (D + 15) / 16, Columns = (D + 63) / 64;
  static constexpr int PlaceTiles = Depths * 2, KeyTiles = Keys / 8;
  static constexpr int OwnBytes = 64 * Columns * 128, OtherBytes = Keys * Columns * 128;
  static constexpr int StageBytes = 2 * OtherBytes, NumberBytes = 2 * Keys * (int)sizeof(float);
  static constexpr int NumbersAt = 2 * Groups * OwnBytes + Stages * StageBytes;
  static constexpr int ArrivalsAt = NumbersAt + Stages * NumberBytes;
  static constexpr int SharedBytes = ArrivalsAt + Stages * 2 * (int)sizeof(Arrivals);
  static_assert(Keys % 64 == 0 && D % 8 == 0, "threads bring a number each, loads take 8");

  static constexpr int Registers = 65536 / (Threads * Blocks) / 8 * 8, OfBringers = 40;
  static constexpr int Free = (Registers * Threads - OfBringers * Bringers) / (Groups * 128);
  static constexpr int OfGroups = Free < 240 ? Free / 8 * 8 : 240;
};

/// Which steps' memory is full, and which is empty.
template <class Tile> struct AttentionGradArrivals {
  Arrivals full[Tile::Stages], empty[Tile::Stages];
  NNC_INLINE void prepare() {
    if (threadIdx.x < Tile::Stages) {
      prepareArrivals(full + threadIdx.x, Tile::Bringers);
      prepareArrivals(empty + threadIdx.x, Tile::Groups * 4);
    }
    barrier();
  }
};

/// Half of the warps that bring: what comes first, or second, of all steps, and with it a number
/// for each query: its lse, or its delta.
template <class Tile, class T, class Block>
NNC_INLINE void bringAttentionGradOthers(const Block &block, bool isSecond, char *others,
                                         float *numbers, AttentionGradArrivals<Tile> &arrivals) {
  using Chunks = AttentionGroupChunks<Tile, Tile::Bringers / 2>;
  const int thread = threadIdx.x % (Tile::Bringers / 2);
  const Chunks chunks(thread);
  Turn<Tile::Stages> turn, brought;
  auto show = [&] {
    showToGroups();
    arrive(arrivals.full + brought.stage());
    ++brought.count;
  };
  for (auto other0 = block.first; other0 < block.end; other0 += Tile::Keys, ++turn.count) {
    char *to = others + turn.stage() * Tile::StageBytes + isSecond * Tile::OtherBytes;
    waitForArrivals(arrivals.empty + turn.stage(), turn.parity() ^ 1);
    NNC_UNROLL_BY(4)
    for (int r = chunks.row; r < Tile::Keys; r += Chunks::Step) {
      const bool exists = other0 + r < block.end && chunks.exists();
      const auto other = exists ? other0 + r : other0;
      const T *from = isSecond ? block.otherSecond(other) : block.otherFirst(other);
      if (!chunks.isIdle())
        copyAsyncIf(exists, to + chunks.template place<Tile::Keys>(r), from + chunks.chunk * 8);
    }
    for (int r = thread; Block::WalksOverQueries && r < Tile::Keys; r += Tile::Bringers / 2)
      if (other0 + r < block.end)
        copyAsyncWord(numbers + (turn.stage() * 2 + isSecond) * Tile::Keys + r,
                      block.numberOf(isSecond, other0 + r));
    commitCopies();
    if (turn.count > 0) {
      waitForCopies<1>();
      show();
    }
  }
  if (turn.count > 0) {
    waitForCopies<0>();
    show();
  }
}

/// A group: its own rows' weights, errors (e) and sums, step by step. Lane l of a warp has rows l /
/// 4 and l / 4 + 8 of the warp's 16, and of every 8 columns those at 2 * (l % 4).
template <class Tile, bool OfKeys, class T, class Index> struct AttentionGradGroup {
  using Block = AttentionGradBlock<OfKeys, Tile::Rows, T, Index>;
  const Block &block;
  AttentionGradArrivals<Tile> &arrivals;
  GroupOperand first, second; ///< own rows
  const char *others;
  const float *numbers;
  float scale;

  int column = threadIdx.x % 4 * 2, rows[2];
  Index from[2], to[2];   ///< others that are seen; of a row that does not exist: none
  Index allFrom, allTo;   ///< those that all rows of the warp see that exist
  float lse[2], delta[2]; ///< of own queries
  Turn<Tile::Stages> turn;
  float weights[Tile::KeyTiles][4], errors[Tile::KeyTiles][4];
  float firstSums[Tile::PlaceTiles][4] = {}, secondSums[Tile::PlaceTiles][4] = {};
  unsigned weightPairs[Tile::Keys / 16][4], errorPairs[Tile::Keys / 16][4];

  template <class Seen>
  NNC_INLINE AttentionGradGroup(const Block &block, AttentionGradArrivals<Tile> &arrivals,
                                const char *own, const char *others, const float *numbers,
                                float scale, int warpRow, Seen seen)
      : block(block), arrivals(arrivals), first(own, 64 * 128),
        second(own + Tile::OwnBytes, 64 * 128), others(others), numbers(numbers), scale(scale) {
    NNC_UNROLL
    for (int i = 0; i < 2; ++i) {
      rows[i] = warpRow + (int)threadIdx.x % 32 / 4 + 8 * i;
      const bool exists = rows[i] < block.count;
      from[i] = exists ? block.beginOf(rows[i], seen) : 0;
      to[i] = exists ? block.endOf(rows[i], seen) : 0;
      lse[i] = !OfKeys && exists ? block.lseOf(block.row0 + rows[i]) * TwoOfNatural : 0;
      delta[i] = !OfKeys && exists ? block.deltaOf(block.row0 + rows[i]) : 0;
    }
    const int last = block.count - 1;
    allFrom = block.beginOf(minimum(warpRow + 15, last), seen);
    allTo = block.endOf(minimum(warpRow, last), seen);
  }

  NNC_INLINE GroupOperand otherFirst() const {
    return {others + turn.stage() * Tile::StageBytes, Tile::Keys * 128};
  }
  NNC_INLINE GroupOperand otherSecond() const {
    return {others + turn.stage() * Tile::StageBytes + Tile::OtherBytes, Tile::Keys * 128};
  }
  NNC_INLINE Vector<float, 2> numbersAt(bool isDelta, int j) const {
    return loadVector<2>(numbers + (turn.stage() * 2 + isDelta) * Tile::Keys + j * 8 + column);
  }

  /// The products of a step, in two parts.
  NNC_INLINE void startProducts() {
    waitForArrivals(arrivals.full + turn.stage(), turn.parity());
    beginGroup();
    attentionGroupProducts<Tile, T>(weights, first, otherFirst());
    attentionGroupProducts<Tile, T>(errors, second, otherSecond());
  }

  /// Turns the products into weights and errors when they have come, and packs these.
  template <class Mask> NNC_INLINE void weigh(Index other0, Mask mask) {
    const float toLog2 = scale * TwoOfNatural; // weights are powers of two
    waitForGroup<1>();
    holdGroup(weights);
    NNC_UNROLL
    for (int j = 0; j < Tile::KeyTiles; ++j) {
      const Vector<float, 2> ofOthers = OfKeys ? numbersAt(false, j) : Vector<float, 2>();
      NNC_UNROLL
      for (int part = 0; part < 4; ++part) {
        const float ofQuery = OfKeys ? ofOthers[part % 2] * TwoOfNatural : lse[part / 2];
        weights[j][part] = powerOfTwo(fmaf(weights[j][part], toLog2, -ofQuery));
      }
    }
    waitForGroup<0>();
    holdGroup(errors);
    NNC_UNROLL
    for (int j = 0; j < Tile::KeyTiles; ++j) {
      const Vector<float, 2> ofOthers = OfKeys ? numbersAt(true, j) : Vector<float, 2>();
      NNC_UNROLL
      for (int part = 0; part < 4; ++part)
        errors[j][part] =
            weights[j][part] * (errors[j][part] - (OfKeys ? ofOthers[part % 2] : delta[part / 2]));
    }
    if (HasMask<Mask> || other0 < allFrom || other0 + Tile::Keys > allTo)
      hide(other0, mask);
    packAttentionWeights<Tile, T>(errorPairs, errors);
    if constexpr (OfKeys)
      packAttentionWeights<Tile, T>(weightPairs, weights);
  }
  template <class Mask> NNC_INLINE void hide(Index other0, Mask mask) {
    NNC_UNROLL
    for (int j = 0; j < Tile::KeyTiles; ++j) {
      NNC_UNROLL
      for (int part = 0; part < 4; ++part) {
        const int i = part / 2;
        const Index other = other0 + j * 8 + column + part % 2;
        if (other < from[i] || other >= to[i] ||
            (HasMask<Mask> && !block.isShown(rows[i], other, mask)))
          weights[j][part] = errors[j][part] = 0;
      }
    }
  }

  NNC_INLINE void holdSums() {
    holdGroup(firstSums);
    holdGroup(errorPairs);
    if constexpr (OfKeys) {
      holdGroup(secondSums);
      holdGroup(weightPairs);
    }
  }
  /// Adds what errors and weights say of the others.
  NNC_INLINE void startSums() {
    holdSums();
    beginGroup();
    if constexpr (OfKeys)
      attentionGroupSums<Tile, T>(secondSums, weightPairs, otherSecond());
    attentionGroupSums<Tile, T>(firstSums, errorPairs, otherFirst());
  }

  /// All steps.
  template <class Mask> NNC_INLINE void run(Mask mask) {
    for (Index other0 = block.first; other0 < block.end; other0 += Tile::Keys, ++turn.count) {
      startProducts();
      weigh(other0, mask);
      startSums();
      waitForGroup<0>();
      holdSums();
      giveBack(arrivals.empty + turn.stage());
    }
  }

  NNC_INLINE void store() {
    NNC_UNROLL
    for (int i = 0; i < 2; ++i) {
      const bool exists = rows[i] < block.count;
      const int row = exists ? rows[i] : 0;
      T *toFirst = block.firstGrad(row), *toSecond = OfKeys ? block.secondGrad(row) : nullptr;
      storeAttentionRow<Tile>(toFirst, firstSums, i, scale, exists && toFirst);
      if constexpr (OfKeys)
        storeAttentionRow<Tile>(toSecond, secondSums, i, 1, exists && toSecond);
    }
  }
};

/// The block of one kind.
template <class Tile, bool OfKeys, class T, class Index, class Seen, class Mask>
NNC_INLINE void attentionGradGroupsOf(Index number, Index heads, AttentionSizes<Index> sizes,
                                      const AttentionGradTensors<T, Index> &tensors, float scale,
                                      Seen seen, Mask mask) {
  char *own = dynamicShared<char>(), *others = own + 2 * Tile::Groups * Tile::OwnBytes;
  float *numbers = reinterpret_cast<float *>(own + Tile::NumbersAt);
  auto &arrivals = *reinterpret_cast<AttentionGradArrivals<Tile> *>(own + Tile::ArrivalsAt);
  const AttentionGradBlock<OfKeys, Tile::Rows, T, Index> block(number, heads, tensors, sizes, seen);
  const int warp = shuffleFrom((int)threadIdx.x / 32, 0), group = warp / 4;
  own += 2 * group * Tile::OwnBytes;
  const int row0 = group * 64, count = minimum(block.count - row0, 64);
  if (group < Tile::Groups) {
    bringAttentionQueries<Tile>(own, count, [&](int r) { return block.ownFirst(row0 + r); });
    bringAttentionQueries<Tile>(own + Tile::OwnBytes, count,
                                [&](int r) { return block.ownSecond(row0 + r); });
  }
  arrivals.prepare();
  if (group == Tile::Groups) {
    leaveRegisters<Tile::OfBringers>();
    bringAttentionGradOthers<Tile, T>(block, warp % 4 >= 2, others, numbers, arrivals);
    return;
  }
  takeRegisters<Tile::OfGroups>();
  AttentionGradGroup<Tile, OfKeys, T, Index> work(block, arrivals, own, others, numbers, scale,
                                                  row0 + warp % 4 * 16, seen);
  waitForCopies<0>();
  showToGroups();
  meet<128>(1 + group);
  work.run(mask);
  work.store();
}

/// As attentionGrad.
template <class Tile, class T, class Index, class Seen, class Mask>
NNC_INLINE void attentionGradGroups(Index number, Index keyBlocks, Index heads,
                                    AttentionSizes<Index> sizes,
                                    const AttentionGradTensors<T, Index> &tensors, float scale,
                                    Seen seen, Mask mask) {
  if (number < keyBlocks)
    attentionGradGroupsOf<Tile, true>(number, heads, sizes, tensors, scale, seen, mask);
  else
    attentionGradGroupsOf<Tile, false>(number - keyBlocks, heads, sizes, tensors, scale, seen,
                                       mask);
}

/// As attentionGradGroups: by groups where the machine has them, elsewhere as attentionGradMma by
/// as many of the warps as that needs.
template <class Tile, class Elsewhere, class T, class Index, class Seen, class Mask>
NNC_INLINE void attentionGradOnTensorCores(Index number, Index keyBlocks, Index heads,
                                           AttentionSizes<Index> sizes,
                                           const AttentionGradTensors<T, Index> &tensors,
                                           float scale, Seen seen, Mask mask) {
  static_assert(Tile::Rows == Elsewhere::Rows && Tile::Threads >= Elsewhere::Threads,
                "one launch serves both");
  if constexpr (HasGroups) {
    attentionGradGroups<Tile, T>(number, keyBlocks, heads, sizes, tensors, scale, seen, mask);
  } else {
    if (threadIdx.x < Elsewhere::Threads)
      attentionGradMma<Elsewhere, T>(number, keyBlocks, heads, sizes, tensors, scale, seen, mask);
  }
}
