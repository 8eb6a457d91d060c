// Products with few rows: C[m, n] = store(sum over k of a(m, k) * b(n, k)), for b larger than what
// any cache holds. Such a product takes as long as reading b, so each lane has many copies of 16
// bytes in flight, to places of shared memory that are its own: nobody waits for anybody else until
// the sums are combined. What a is computed from in rows, each block computes for itself, while its
// first copies of b are on their way.

/// Rows; columns of a matrix that a warp sums up at once; warps of a block, of which `Split` share
/// columns; neighbours along the depth that are read together; how many such reads of a column a
/// lane has in flight; matrices, which have products with the same rows; how many of the rows lanes
/// copy too.
template <int Rows_, int Columns_, int Warps_, int Split_, int Width_, int Stages_,
          int Matrices_ = 1, int RowsCopied_ = Rows_>
struct VectorTile {
  static constexpr int Rows = Rows_, Columns = Columns_, Warps = Warps_, Split = Split_;
  static constexpr int Width = Width_, Stages = Stages_, Matrices = Matrices_;
  static constexpr int Threads = Warps * 32;
  static constexpr int BN = Warps / Split * Columns; ///< columns of a block
  static constexpr int Depth = 32 * Split * Width;   ///< of one read of all lanes
  static constexpr int Sums = Matrices * Columns;    ///< of a row and a warp, matrix by matrix
  static constexpr int Slots = Sums + RowsCopied_;   ///< of a lane, per stage
  static constexpr int SharedBytes = Stages * Slots * Threads * 16;
  static_assert(Warps % Split == 0, "warps that share columns are in one block");
};

/// `Width` neighbours, as floats.
template <int Width, class T> NNC_INLINE Vector<float, Width> loadWidened(const T *from) {
  const auto elements = loadVector<Width>(from);
  Vector<float, Width> values;
  NNC_UNROLL
  for (int i = 0; i < Width; ++i)
    values[i] = (float)elements[i];
  return values;
}

/// Adds to the lane's sums the products of one read: `left(r)` and `right(c)` are what it has of
/// row r and of sum c.
template <class Tile, class Left, class Right>
NNC_INLINE void addProducts(float (&sums)[Tile::Rows][Tile::Sums], Left left, Right right) {
  Vector<float, Tile::Width> values[Tile::Sums];
  NNC_UNROLL
  for (int c = 0; c < Tile::Sums; ++c)
    values[c] = right(c);
  NNC_UNROLL
  for (int r = 0; r < Tile::Rows; ++r) {
    const Vector<float, Tile::Width> factors = left(r);
    NNC_UNROLL
    for (int c = 0; c < Tile::Sums; ++c) {
      NNC_UNROLL
      for (int i = 0; i < Tile::Width; ++i)
        sums[r][c] += factors[i] * values[c][i];
    }
  }
}

/// A lane's places in shared memory for what it has in flight.
template <class Tile, class T> struct VectorRing {
  T *own;
  NNC_INLINE T *at(int stage, int slot) const {
    return own + (stage * Tile::Slots + slot) * Tile::Threads * Tile::Width;
  }
  NNC_INLINE Vector<float, Tile::Width> read(int stage, int slot) const {
    return loadWidened<Tile::Width>(at(stage, slot));
  }
};

/// `b` at depth k of the column of sum `c`; of several matrices it is told the number.
template <class Tile, class Index, class Column, class B>
NNC_INLINE auto ofSum(B b, const Column (&columns)[Tile::Columns], int c, Index k) {
  if constexpr (Tile::Matrices == 1)
    return b(columns[c], k);
  else
    return b(columns[c % Tile::Columns], k, c / Tile::Columns);
}

/// Adds the products from depth `first` on; `b` gives addresses, `a` addresses or values. What is
/// in flight first of b has not waited for the kernels before: `prepare` does, and computes what a
/// gives.
template <class Tile, class T, class Index, class Prepare, class KnowA, class A, class Column,
          class B>
NNC_INLINE void addCopied(T *shared, float (&sums)[Tile::Rows][Tile::Sums],
                          const Column (&columns)[Tile::Columns], Index first, Index K,
                          Prepare prepare, KnowA knowA, A a, B b) {
  constexpr int Sums = Tile::Sums, Stages = Tile::Stages;
  constexpr bool CopiesA = IsAddress<decltype(a(knowA(K), K))>::value;
  static_assert(Tile::Width * sizeof(T) == 16, "a copy has 16 bytes");
  const VectorRing<Tile, T> ring = {shared + threadIdx.x * Tile::Width};
  auto bringB = [&](int stage, Index depth) {
    if (depth < K) {
      NNC_UNROLL
      for (int c = 0; c < Sums; ++c)
        copyAsync(ring.at(stage, c), ofSum<Tile>(b, columns, c, depth));
    }
  };
  auto bringA = [&](int stage, Index depth) {
    if (CopiesA && depth < K) {
      NNC_UNROLL
      for (int r = 0; r < Tile::Rows; ++r)
        if constexpr (CopiesA)
          copyAsyncCached(ring.at(stage, Sums + r), a(knowA((Index)r), depth));
    }
    commitCopies();
  };
  auto left = [&](int stage, int r, Index depth) {
    if constexpr (CopiesA)
      return ring.read(stage, Sums + r);
    else
      return a(knowA((Index)r), depth);
  };
  NNC_UNROLL
  for (int stage = 0; stage < Stages; ++stage)
    bringB(stage, first + stage * Tile::Depth);
  prepare();
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

/// Columns n0, n0 + 1, ... of C. `prepare()`, which all threads call, comes before the first
/// `a(knowA(m), k)`. That and `b(knowB(n), k)` give Tile::Width elements from k on, a multiple of
/// it, as K is: as floats, or b or both as addresses of elements of type T. With several matrices
/// it is `b(knowB(n), k, matrix)`. `store(m, n, sums)` is called once for each of the block's
/// elements inside N, with the sum of each matrix. `shared` has Tile::SharedBytes if there are
/// addresses.
template <class Tile, class T, class Index, class Prepare, class KnowA, class A, class KnowB,
          class B, class Store>
NNC_INLINE void vectorProduct(T *shared, Index n0, Index N, Index K, Prepare prepare, KnowA knowA,
                              A a, KnowB knowB, B b, Store store) {
  constexpr int Rows = Tile::Rows, Columns = Tile::Columns, Split = Tile::Split;
  constexpr int Sums = Tile::Sums, Matrices = Tile::Matrices;
  __shared__ float partial[Tile::Warps][Rows][Sums];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  float sums[Rows][Sums] = {};
  decltype(knowB(n0)) columns[Columns];
  NNC_UNROLL
  for (int c = 0; c < Columns; ++c)
    columns[c] = knowB(minimum((Index)(n0 + warp / Split * Columns + c), (Index)(N - 1)));
  const Index first = (warp % Split * 32 + lane) * Tile::Width;
  if constexpr (IsAddress<decltype(ofSum<Tile>(b, columns, 0, K))>::value) {
    addCopied<Tile>(shared, sums, columns, first, K, prepare, knowA, a, b);
  } else {
    prepare();
    NNC_UNROLL_BY(2)
    for (Index depth = first; depth < K; depth += Tile::Depth)
      addProducts<Tile>(
          sums, [&](int r) { return a(knowA((Index)r), depth); },
          [&](int c) { return ofSum<Tile>(b, columns, c, depth); });
  }

  NNC_UNROLL
  for (int r = 0; r < Rows; ++r) {
    NNC_UNROLL
    for (int c = 0; c < Sums; ++c) {
      const float sum = warpReduce(sums[r][c], [](float x, float y) { return x + y; });
      if (lane == 0)
        partial[warp][r][c] = sum;
    }
  }
  barrier();
  for (int i = threadIdx.x; i < Rows * Tile::BN; i += Tile::Threads) {
    const int r = i / Tile::BN, c = i % Tile::BN;
    float totals[Matrices] = {};
    NNC_UNROLL
    for (int matrix = 0; matrix < Matrices; ++matrix) {
      NNC_UNROLL
      for (int part = 0; part < Split; ++part)
        totals[matrix] += partial[c / Columns * Split + part][r][matrix * Columns + c % Columns];
    }
    if (n0 + c < N)
      store((Index)r, n0 + c, totals);
  }
}
