// The gradients of attention of 16-bit elements on tensor cores (sm_80 and later), with the
// interface of attention_grad.cuh. Products are of 16-bit operands with sums in f32; p and e are
// rounded to the element type for the sums over them. The next others arrive by asynchronous copies
// while a block works on the last ones.

/// Head size, own rows, others of a step, elements of a load; a warp has 16 rows. Heads of up to 64
/// places stay in registers.
template <int D_, int Rows_, int Keys_, int Lanes_>
struct AttentionGradMmaTile : AttentionMmaTile<D_, Rows_, Keys_, Lanes_> {
  using Base = AttentionMmaTile<D_, Rows_, Keys_, Lanes_>;
  static constexpr bool Keeps = D_ <= 64;
  static constexpr int Stages = 2, PlaceTiles = Base::Depths * 2, KeyTiles = Keys_ / 8;
  static constexpr int OwnSize = Rows_ * Base::Stride, OtherSize = Keys_ * Base::Stride;
};

/// A warp's 16 rows as left operands of products over their places.
template <class Tile, class T> struct AttentionGradRows {
  const T *rows;
  unsigned kept[Tile::Keeps ? Tile::Depths : 1][4];

  NNC_INLINE void keep() {
    if constexpr (Tile::Keeps) {
      NNC_UNROLL
      for (int depth = 0; depth < Tile::Depths; ++depth)
        loadAttentionRows<Tile>(kept[depth], rows, depth);
    }
  }
  NNC_INLINE const unsigned (&pick(const unsigned (&loaded)[4], int depth) const)[4] {
    if constexpr (Tile::Keeps)
      return kept[depth];
    else
      return loaded;
  }
  /// Their products with each of the others.
  NNC_INLINE void multiply(float (&products)[Tile::KeyTiles][4], const T *others) const {
    NNC_UNROLL
    for (int depth = 0; depth < Tile::Depths; ++depth) {
      unsigned loaded[4];
      if constexpr (!Tile::Keeps)
        loadAttentionRows<Tile>(loaded, rows, depth);
      attentionMmaStep<Tile>(products, pick(loaded, depth), others, depth);
    }
  }
};

/// The block of one kind. Lane l of a warp has rows l / 4 and l / 4 + 8 of the warp's 16, and of
/// every 8 columns those at 2 * (l % 4).
template <class Tile, bool OfKeys, class T, class Index, class Seen, class Mask>
NNC_INLINE void attentionGradMmaOf(Index number, Index heads, AttentionSizes<Index> sizes,
                                   const AttentionGradTensors<T, Index> &tensors, float scale,
                                   Seen seen, Mask mask) {
  constexpr int Stages = Tile::Stages, KeyTiles = Tile::KeyTiles, PlaceTiles = Tile::PlaceTiles;
  T *own = dynamicShared<T>(), *others = own + 2 * Tile::OwnSize;
  float *numbers = reinterpret_cast<float *>(others + 2 * Stages * Tile::OtherSize);
  const AttentionGradBlock<OfKeys, Tile::Rows, T, Index> block(number, heads, tensors, sizes, seen);
  fetchAttentionRows<Tile, Tile::Rows>(own, block.count, [&](int r) { return block.ownFirst(r); });
  fetchAttentionRows<Tile, Tile::Rows>(own + Tile::OwnSize, block.count,
                                       [&](int r) { return block.ownSecond(r); });
  auto firstOf = [&](int stage) { return others + stage * 2 * Tile::OtherSize; };
  auto numbersOf = [&](int stage) { return numbers + stage * 2 * Tile::Keys; };
  auto fetch = [&](int stage, Index other0) {
    const int count = (int)minimum(block.end - other0, (Index)Tile::Keys);
    fetchAttentionRows<Tile, Tile::Keys>(firstOf(stage), count,
                                         [&](int r) { return block.otherFirst(other0 + r); });
    fetchAttentionRows<Tile, Tile::Keys>(firstOf(stage) + Tile::OtherSize, count,
                                         [&](int r) { return block.otherSecond(other0 + r); });
    for (int r = threadIdx.x; OfKeys && r < count; r += Tile::Threads) {
      copyAsyncWord(numbersOf(stage) + r, block.numberOf(false, other0 + r));
      copyAsyncWord(numbersOf(stage) + Tile::Keys + r, block.numberOf(true, other0 + r));
    }
  };
  if (block.first < block.end)
    fetch(0, block.first);
  commitCopies();

  const int lane = threadIdx.x % 32, warpRow = threadIdx.x / 32 * 16, column = lane % 4 * 2;
  int rows[2];
  Index from[2], to[2];   // others that are seen; of a row that does not exist: none
  float lse[2], delta[2]; // of own queries
  NNC_UNROLL
  for (int i = 0; i < 2; ++i) {
    rows[i] = warpRow + lane / 4 + 8 * i;
    const bool exists = rows[i] < block.count;
    from[i] = exists ? block.beginOf(rows[i], seen) : 0;
    to[i] = exists ? block.endOf(rows[i], seen) : 0;
    lse[i] = delta[i] = 0;
    if (!OfKeys && exists) {
      lse[i] = block.lseOf(block.row0 + rows[i]) * TwoOfNatural;
      delta[i] = block.deltaOf(block.row0 + rows[i]);
    }
  }
  AttentionGradRows<Tile, T> first, second;
  first.rows = own + warpRow * Tile::Stride;
  second.rows = first.rows + Tile::OwnSize;
  float firstSums[PlaceTiles][4] = {}, secondSums[PlaceTiles][4] = {};
  const float toLog2 = scale * TwoOfNatural; // weights are powers of two
  // What all rows of the warp see that exist.
  const int last = block.count - 1;
  const Index allFrom = block.beginOf(minimum(warpRow + 15, last), seen);
  const Index allTo = block.endOf(minimum(warpRow, last), seen);

  int stage = 0;
  for (Index other0 = block.first; other0 < block.end; other0 += Tile::Keys, stage ^= 1) {
    if (other0 + Tile::Keys < block.end)
      fetch(stage ^ 1, other0 + Tile::Keys);
    commitCopies();
    waitForCopies<1>(); // all but those
    barrier();
    if (other0 == block.first) {
      first.keep();
      second.keep();
    }
    const T *otherFirst = firstOf(stage), *otherSecond = otherFirst + Tile::OtherSize;
    const float *otherLse = numbersOf(stage), *otherDelta = otherLse + Tile::Keys;
    float weights[KeyTiles][4] = {}, errors[KeyTiles][4] = {};
    first.multiply(weights, otherFirst);
    second.multiply(errors, otherSecond);
    const bool hides = HasMask<Mask> || other0 < allFrom || other0 + Tile::Keys > allTo;
    NNC_UNROLL
    for (int j = 0; j < KeyTiles; ++j) {
      NNC_UNROLL
      for (int part = 0; part < 4; ++part) {
        const int i = part / 2, c = j * 8 + column + part % 2;
        const float ofRow = OfKeys ? otherLse[c] * TwoOfNatural : lse[i];
        float weight = powerOfTwo(fmaf(weights[j][part], toLog2, -ofRow));
        float error = weight * (errors[j][part] - (OfKeys ? otherDelta[c] : delta[i]));
        const Index other = other0 + c;
        if (hides && (other < from[i] || other >= to[i] ||
                      (HasMask<Mask> && !block.isShown(rows[i], other, mask))))
          weight = error = 0;
        weights[j][part] = weight;
        errors[j][part] = error;
      }
    }
    attentionMmaSums<Tile>(firstSums, errors, otherFirst);
    if constexpr (OfKeys)
      attentionMmaSums<Tile>(secondSums, weights, otherSecond);
    barrier(); // the others have been read
  }

  NNC_UNROLL
  for (int i = 0; i < 2; ++i) {
    if (rows[i] >= block.count)
      continue;
    if (T *to = block.firstGrad(rows[i]))
      storeAttentionSums<Tile>(to, firstSums, i, [&](float x) { return x * scale; });
    if (T *to = OfKeys ? block.secondGrad(rows[i]) : nullptr)
      storeAttentionSums<Tile>(to, secondSums, i, [](float x) { return x; });
  }
}

/// As attentionGrad.
template <class Tile, class T, class Index, class Seen, class Mask>
NNC_INLINE void
attentionGradMma(Index number, Index keyBlocks, Index heads, AttentionSizes<Index> sizes,
                 const AttentionGradTensors<T, Index> &tensors, float scale, Seen seen, Mask mask) {
  if (number < keyBlocks)
    attentionGradMmaOf<Tile, true>(number, heads, sizes, tensors, scale, seen, mask);
  else
    attentionGradMmaOf<Tile, false>(number - keyBlocks, heads, sizes, tensors, scale, seen, mask);
}
