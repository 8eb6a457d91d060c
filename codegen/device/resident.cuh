// Products of a loop whose weights stay on chip: C[m, n] = store(sum over k of a(m, k) * b(n, k))
// as mma.cuh does, but what a block needs of b is brought to shared memory once, before the loop,
// and elements of a go from memory to registers.
//
// Warps share the depth: each has all sums of the tile over its part, and the parts meet in shared
// memory. In 32 elements of the depth lane l holds elements 8 * (l % 4) to 8 * (l % 4) + 7 of its
// rows of both operands, which are what two steps of the tensor cores multiply there: any order of
// the depth will do if it is the same for both, so nothing moves between lanes.

/// How a block works: rows and columns of its tile, its warps, and into how many equal parts the
/// columns of C are cut: a tile has as many neighbouring columns of each.
template <int BM_, int BN_, int Warps_, int Parts_> struct ResidentTile {
  static constexpr int BM = BM_, BN = BN_, Warps = Warps_, Parts = Parts_;
  static constexpr int Threads = 32 * Warps, Units = BN / Parts; ///< columns of one part
  static constexpr int RowTiles = BM / 16, ColumnTiles = BN / 8;
  static constexpr int AtOnce = RowTiles < 4 ? 4 / RowTiles : 1; ///< pieces of depth per round
  static constexpr int SumStride = BN + 8;                       ///< of the sums, in floats
  static constexpr int SumBytes = Warps * BM * SumStride * 4;
  /// Where a sum is, so that neither those who store pairs nor those who read two times four
  /// neighbours wait for each other's banks.
  static NNC_INLINE int placeOf(int row, int column) {
    const int fours = column / 4;
    return row * SumStride + fours % 2 * (BN / 2 + 4) + fours / 2 * 4 + column % 4;
  }
  static_assert(BM % 16 == 0 && BN % 8 == 0 && Units % 8 == 0, "vectors of columns");

  /// Column j of the tile whose first in each part is `unit0`, in a C of N columns.
  template <class Index> static NNC_INLINE Index columnOf(Index unit0, int j, Index N) {
    return j / Units * (N / Parts) + unit0 + j % Units;
  }
};

/// Eight elements of a row from k on, as zeros behind the end.
template <class T, class Index, class Load, class Row>
NNC_INLINE void loadPiece(unsigned (&piece)[4], Index k, Index depth, Load load, const Row &row) {
  if constexpr (IsAddress<decltype(load(row, k))>::value) {
    loadFresh(piece, k < depth ? load(row, k) : nullptr);
  } else {
    T elements[8];
    NNC_UNROLL
    for (int j = 0; j < 8; ++j)
      elements[j] = k + j < depth ? T(load(row, k + j)) : T(0.0f);
    NNC_UNROLL
    for (int j = 0; j < 4; ++j)
      piece[j] = elements[2 * j].bits | (unsigned)elements[2 * j + 1].bits << 16;
  }
}

/// Puts what residentGemm of this tile needs of b to `weights`: 64 * BN bytes for each 32 elements
/// of the depth. Every thread reads only what it has written.
template <class Tile, class T, class Index, class KnowB, class B>
NNC_INLINE void keepResident(char *weights, Index unit0, Index N, Index K, KnowB knowB, B b) {
  const int lane = threadIdx.x % 32, pieces = (int)((K + 31) / 32);
  for (int piece = threadIdx.x / 32; piece < pieces; piece += Tile::Warps) {
    NNC_UNROLL_BY(4)
    for (int j = 0; j < Tile::ColumnTiles; ++j) {
      const Index n = minimum(Tile::columnOf(unit0, j * 8 + lane / 4, N), N - 1);
      unsigned values[4];
      loadPiece<T>(values, (Index)piece * 32 + lane % 4 * 8, K, b, knowB(n));
      storeVector(reinterpret_cast<unsigned *>(weights) +
                      ((piece * Tile::ColumnTiles + j) * 32 + lane) * 4,
                  Vector<unsigned, 4>{{values[0], values[1], values[2], values[3]}});
    }
  }
}

/// The tile whose first row is m0, with keepResident's weights. `sums` has Tile::SumBytes, which
/// nobody may use before the next barrier. `store(m, n, sums, ahead(m, n))` as in tileGemm, of
/// eight neighbours; `ahead` is called while the sums are computed.
template <class Tile, class T, class Index, class KnowA, class A, class Ahead, class Store>
NNC_INLINE void residentGemm(const char *weights, float *shared, Index m0, Index unit0, Index M,
                             Index N, Index K, KnowA knowA, A a, Ahead ahead, Store store) {
  constexpr int RowTiles = Tile::RowTiles, ColumnTiles = Tile::ColumnTiles, AtOnce = Tile::AtOnce;
  constexpr int Round = Tile::Warps * AtOnce;
  using Row = decltype(knowA(m0));
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, pieces = (int)((K + 31) / 32);
  Row rows[RowTiles * 2];
  NNC_UNROLL
  for (int i = 0; i < RowTiles * 2; ++i)
    rows[i] = knowA(minimum(m0 + i * 8 + lane / 4, M - 1));

  unsigned held[AtOnce][RowTiles * 2][4], next[AtOnce][RowTiles * 2][4];
  auto bring = [&](unsigned(&to)[AtOnce][RowTiles * 2][4], int first) {
    NNC_UNROLL
    for (int i = 0; i < AtOnce; ++i) {
      const Index k = (Index)(first + i * Tile::Warps) * 32 + lane % 4 * 8;
      NNC_UNROLL
      for (int row = 0; row < RowTiles * 2; ++row)
        loadPiece<T>(to[i][row], k, K, a, rows[row]);
    }
  };
  float sums[RowTiles][ColumnTiles][4] = {};
  bring(held, warp);
  // What this thread stores: eight neighbours, at `PerThread` places of the tile.
  constexpr int PerRow = Tile::BN / 8;
  constexpr int PerThread = (Tile::BM * PerRow + Tile::Threads - 1) / Tile::Threads;
  decltype(ahead(m0, unit0)) early[PerThread];
  auto isStored = [&](int i) {
    const int e = threadIdx.x + i * Tile::Threads, column = e % PerRow * 8;
    return e < Tile::BM * PerRow && m0 + e / PerRow < M &&
           unit0 + column % Tile::Units < N / Tile::Parts;
  };
  NNC_UNROLL
  for (int i = 0; i < PerThread; ++i) {
    const int e = threadIdx.x + i * Tile::Threads;
    if (isStored(i))
      early[i] = ahead(m0 + e / PerRow, Tile::columnOf(unit0, e % PerRow * 8, N));
  }
  for (int first = warp; first < pieces; first += Round) {
    bring(next, first + Round);
    NNC_UNROLL
    for (int i = 0; i < AtOnce; ++i) {
      const int piece = first + i * Tile::Warps;
      if (piece < pieces) {
        Vector<unsigned, 4> b[ColumnTiles];
        NNC_UNROLL
        for (int j = 0; j < ColumnTiles; ++j)
          b[j] = loadVector<4>(reinterpret_cast<const unsigned *>(weights) +
                               ((piece * ColumnTiles + j) * 32 + lane) * 4);
        NNC_UNROLL
        for (int half = 0; half < 4; half += 2) {
          NNC_UNROLL
          for (int j = 0; j < ColumnTiles; ++j) {
            NNC_UNROLL
            for (int row = 0; row < RowTiles; ++row) {
              const unsigned(&low)[4] = held[i][row * 2], (&high)[4] = held[i][row * 2 + 1];
              const unsigned left[4] = {low[half], high[half], low[half + 1], high[half + 1]};
              const unsigned right[2] = {b[j][half], b[j][half + 1]};
              multiplyAdd<T>(sums[row][j], left, right);
            }
          }
        }
      }
    }
    NNC_UNROLL
    for (int i = 0; i < AtOnce; ++i) {
      NNC_UNROLL
      for (int row = 0; row < RowTiles * 2; ++row) {
        NNC_UNROLL
        for (int j = 0; j < 4; ++j)
          held[i][row][j] = next[i][row][j];
      }
    }
  }

  float *own = shared + warp * Tile::BM * Tile::SumStride;
  NNC_UNROLL
  for (int i = 0; i < RowTiles; ++i) {
    NNC_UNROLL
    for (int j = 0; j < ColumnTiles; ++j) {
      NNC_UNROLL
      for (int part = 0; part < 2; ++part)
        storeVector(own + Tile::placeOf(i * 16 + part * 8 + lane / 4, j * 8 + lane % 4 * 2),
                    Vector<float, 2>{{sums[i][j][part * 2], sums[i][j][part * 2 + 1]}});
    }
  }
  barrier();
  NNC_UNROLL
  for (int i = 0; i < PerThread; ++i) {
    if (!isStored(i))
      continue;
    const int e = threadIdx.x + i * Tile::Threads, row = e / PerRow, column = e % PerRow * 8;
    float values[8] = {};
    NNC_UNROLL
    for (int part = 0; part < Tile::Warps; ++part) {
      const float *from = shared + part * Tile::BM * Tile::SumStride;
      NNC_UNROLL
      for (int first = 0; first < 8; first += 4) {
        const Vector<float, 4> piece = loadVector<4>(from + Tile::placeOf(row, column + first));
        NNC_UNROLL
        for (int j = 0; j < 4; ++j)
          values[first + j] += piece[j];
      }
    }
    store(m0 + row, Tile::columnOf(unit0, column, N), values, early[i]);
  }
}

/// A tile of a product of N columns that only its block reads, in shared memory: stands for the
/// pointer to the product, moved by so many elements.
template <class Tile, class T, int N> struct TileOf {
  static constexpr int Stride = Tile::BN + 16; ///< rows that are read together are in other banks
  T *tile;
  int unit0;
  long long place; ///< from the tile's first row on

  NNC_INLINE TileOf(char *shared, unsigned block, long long M) : tile((T *)shared) {
    const long long tilesM = (M + Tile::BM - 1) / Tile::BM;
    unit0 = (int)(block / tilesM) * Tile::Units;
    place = -(block % tilesM * Tile::BM * N);
  }
  NNC_INLINE T *pointer() const {
    constexpr int Units = N / Tile::Parts;
    const int row = (int)place / N, column = (int)place % N;
    return tile + row * Stride + column / Units * Tile::Units + column % Units - unit0;
  }
  NNC_INLINE TileOf operator+(long long elements) const {
    TileOf moved = *this;
    moved.place += elements;
    return moved;
  }
  NNC_INLINE T &operator[](long long element) const { return *(*this + element).pointer(); }
};
template <int Width, class Tile, class T, int N>
NNC_INLINE Vector<T, Width> loadVector(const TileOf<Tile, T, N> &from) {
  return loadVector<Width>((const T *)from.pointer());
}
template <int Width, class Tile, class T, int N>
NNC_INLINE void storeVector(const TileOf<Tile, T, N> &to, const Vector<T, Width> &values) {
  storeVector(to.pointer(), values);
}

/// Calls `element(i)` for `Width` elements each of a tensor of M rows of `units` elements: those of
/// the tile that block `block` has of the product before, in the row-major order of all.
template <class Tile, int Width, class Element>
NNC_INLINE void eachOfTile(unsigned block, long long M, long long units, Element element) {
  constexpr int PerRow = Tile::Units / Width;
  const long long tilesM = (M + Tile::BM - 1) / Tile::BM;
  const long long m0 = block % tilesM * Tile::BM, unit0 = block / tilesM * Tile::Units;
  for (int e = threadIdx.x; e < Tile::BM * PerRow; e += Tile::Threads) {
    const long long m = m0 + e / PerRow, unit = unit0 + e % PerRow * Width;
    if (m < M && unit < units)
      element((m * units + unit) / Width);
  }
}
