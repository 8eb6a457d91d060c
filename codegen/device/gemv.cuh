// Products with few rows: C[m, n] = store(sum over k of a(m, k) * b(n, k)), for b larger than what
// any cache holds. Such a product takes as long as reading b, so each lane has many copies of 16
// bytes in flight, to places of shared memory that are its own: nobody waits for anybody else until
// the sums are combined.

/// Rows; columns that a warp sums up at once; warps of a block, of which `Split` share columns;
/// neighbours along the depth that are read together; how many such reads of a column a lane has in
/// flight.
template <int Rows_, int Columns_, int Warps_, int Split_, int Width_, int Stages_>
struct VectorTile {
  static constexpr int Rows = Rows_, Columns = Columns_, Warps = Warps_, Split = Split_;
  static constexpr int Width = Width_, Stages = Stages_;
  static constexpr int Threads = Warps * 32;
  static constexpr int BN = Warps / Split * Columns; ///< columns of a block
  static constexpr int Depth = 32 * Split * Width;   ///< of one read of all lanes
  static constexpr int SharedBytes = Stages * (Columns + Rows) * Threads * 16;
  static_assert(Warps % Split == 0, "warps that share columns are in one block");
};

/// Adds to the lane's sums the products of one read: `left(r)` and `right(c)` are what it has of
/// row r and of column c.
template <class Tile, class Left, class Right>
NNC_INLINE void addProducts(float (&sums)[Tile::Rows][Tile::Columns], Left left, Right right) {
  Vector<float, Tile::Width> values[Tile::Columns];
  NNC_UNROLL
  for (int c = 0; c < Tile::Columns; ++c)
    values[c] = right(c);
  NNC_UNROLL
  for (int r = 0; r < Tile::Rows; ++r) {
    const Vector<float, Tile::Width> factors = left(r);
    NNC_UNROLL
    for (int c = 0; c < Tile::Columns; ++c) {
      NNC_UNROLL
      for (int i = 0; i < Tile::Width; ++i)
        sums[r][c] += factors[i] * values[c][i];
    }
  }
}

/// A lane's places in shared memory for what it has in flight.
template <class Tile, class T> struct VectorRing {
  T *own;
  static constexpr int Slots = Tile::Columns + Tile::Rows;
  NNC_INLINE T *at(int stage, int slot) const {
    return own + (stage * Slots + slot) * Tile::Threads * Tile::Width;
  }
  NNC_INLINE Vector<float, Tile::Width> read(int stage, int slot) const {
    const auto elements = loadVector<Tile::Width>(at(stage, slot));
    Vector<float, Tile::Width> values;
    NNC_UNROLL
    for (int i = 0; i < Tile::Width; ++i)
      values[i] = (float)elements[i];
    return values;
  }
};

/// Adds the products from depth `first` on; `b` gives addresses, `a` addresses or values. What is
/// in flight first of b has not waited for the kernels before.
template <class Tile, class T, class Index, class KnowA, class A, class Column, class B>
NNC_INLINE void addCopied(T *shared, float (&sums)[Tile::Rows][Tile::Columns],
                          const Column (&columns)[Tile::Columns], Index first, Index K, KnowA knowA,
                          A a, B b) {
  constexpr int Columns = Tile::Columns, Stages = Tile::Stages;
  constexpr bool CopiesA = IsAddress<decltype(a(knowA(K), K))>::value;
  static_assert(Tile::Width * sizeof(T) == 16, "a copy has 16 bytes");
  const VectorRing<Tile, T> ring = {shared + threadIdx.x * Tile::Width};
  auto bringB = [&](int stage, Index depth) {
    if (depth < K) {
      NNC_UNROLL
      for (int c = 0; c < Columns; ++c)
        copyAsync(ring.at(stage, c), b(columns[c], depth));
    }
  };
  auto bringA = [&](int stage, Index depth) {
    if (CopiesA && depth < K) {
      NNC_UNROLL
      for (int r = 0; r < Tile::Rows; ++r)
        if constexpr (CopiesA)
          copyAsyncCached(ring.at(stage, Columns + r), a(knowA((Index)r), depth));
    }
    commitCopies();
  };
  auto left = [&](int stage, int r, Index depth) {
    if constexpr (CopiesA)
      return ring.read(stage, Columns + r);
    else
      return a(knowA((Index)r), depth);
  };
  NNC_UNROLL
  for (int stage = 0; stage < Stages; ++stage)
    bringB(stage, first + stage * Tile::Depth);
  waitForKernels();
  NNC_UNROLL
  for (int stage = 0; stage < Stages; ++stage)
    bringA(stage, first + stage * Tile::Depth);
  for (Index round = first; round < K; round += Stages * Tile::Depth) {
    NNC_UNROLL
    for (int stage = 0; stage < Stages; ++stage) {
      const Index depth = round + stage * Tile::Depth;
      waitForCopies<Stages - 1>();
      if (depth < K)
        addProducts<Tile>(
            sums, [&](int r) { return left(stage, r, depth); },
            [&](int c) { return ring.read(stage, c); });
      bringB(stage, depth + Stages * Tile::Depth);
      bringA(stage, depth + Stages * Tile::Depth);
    }
  }
}

/// Columns n0, n0 + 1, ... of C. `a(knowA(m), k)` and `b(knowB(n), k)` give Tile::Width elements
/// from k on, a multiple of it, as K is: as floats, or b or both as addresses of elements of type
/// T. `store(m, n, sum)` is called once for each of the block's elements inside N. `shared` has
/// Tile::SharedBytes if there are addresses.
template <class Tile, class T, class Index, class KnowA, class A, class KnowB, class B, class Store>
NNC_INLINE void vectorProduct(T *shared, Index n0, Index N, Index K, KnowA knowA, A a, KnowB knowB,
                              B b, Store store) {
  constexpr int Rows = Tile::Rows, Columns = Tile::Columns, Split = Tile::Split;
  __shared__ float partial[Tile::Warps][Rows][Columns];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  float sums[Rows][Columns] = {};
  decltype(knowB(n0)) columns[Columns];
  NNC_UNROLL
  for (int c = 0; c < Columns; ++c)
    columns[c] = knowB(minimum((Index)(n0 + warp / Split * Columns + c), (Index)(N - 1)));
  const Index first = (warp % Split * 32 + lane) * Tile::Width;
  if constexpr (IsAddress<decltype(b(columns[0], K))>::value) {
    addCopied<Tile>(shared, sums, columns, first, K, knowA, a, b);
  } else {
    NNC_UNROLL_BY(2)
    for (Index depth = first; depth < K; depth += Tile::Depth)
      addProducts<Tile>(
          sums, [&](int r) { return a(knowA((Index)r), depth); },
          [&](int c) { return b(columns[c], depth); });
  }

  NNC_UNROLL
  for (int r = 0; r < Rows; ++r) {
    NNC_UNROLL
    for (int c = 0; c < Columns; ++c) {
      const float sum = warpReduce(sums[r][c], [](float x, float y) { return x + y; });
      if (lane == 0)
        partial[warp][r][c] = sum;
    }
  }
  barrier();
  for (int i = threadIdx.x; i < Rows * Tile::BN; i += Tile::Threads) {
    const int r = i / Tile::BN, c = i % Tile::BN;
    float sum = 0;
    NNC_UNROLL
    for (int part = 0; part < Split; ++part)
      sum += partial[c / Columns * Split + part][r][c % Columns];
    if (n0 + c < N)
      store((Index)r, n0 + c, sum);
  }
}
