// Contractions of small depth on tensor cores, whose left operand is read element by element: of
// convolutions with few channels, C[m, n] = store(sum over k of a(m, k) * b(n, k)), sums in f32.
//
// Each warp reads its rows of A from memory (that is, from the first cache, for windows overlap)
// straight into the fragments of `mma.sync`. All of B lies in shared memory. Blocks stay and take
// tile after tile.

/// `RowTiles` times 16 rows per warp; B has `Columns` rows (a multiple of 32) and `Depth` elements
/// (a multiple of 16), of which those outside of N and K are zeros.
template <int Warps_, int RowTiles_, int Columns_, int Depth_> struct DirectTile {
  static constexpr int Warps = Warps_, RowTiles = RowTiles_, Columns = Columns_, Depth = Depth_;
  static constexpr int Threads = 32 * Warps, WarpRows = 16 * RowTiles, BM = Warps * WarpRows;
  static constexpr int ColumnTiles = Columns / 8;
  static constexpr int Stride = Depth + 8; ///< of a row of B, so that eight are in different banks
  static constexpr int SharedBytes = Columns * Stride * 2;
  static_assert(Columns % 32 == 0 && Depth % 16 == 0, "fragments are whole");
};

/// Tiles of BM rows, number `first` and every `stride`-th from there on. `a(m, k)` and `b(n, k)`
/// give elements of type T and are asked inside M, N and K; `store(m, n, sums)` is called for each
/// eight neighbours of a row, N is a multiple of eight and at most Columns. The sums are float, or
/// rounded to a type of 16 bits.
template <class Tile, class T, class Sum = float, class Index, class A, class B, class Store>
NNC_INLINE void directGemm(char *shared, Index first, Index stride, Index M, Index N, Index K, A a,
                           B b, Store store) {
  T *weights = reinterpret_cast<T *>(shared);
  for (int i = threadIdx.x; i < Tile::Columns * Tile::Depth; i += Tile::Threads) {
    const Index n = i / Tile::Depth, k = i % Tile::Depth;
    weights[n * Tile::Stride + k] = n < N && k < K ? b(n, k) : T(0.0f);
  }
  barrier();
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const T *rowOfB = weights + (lane % 8 + lane / 16 * 8) * Tile::Stride + lane / 8 % 2 * 8;
  for (Index m0 = first * Tile::BM; m0 < M; m0 += stride * Tile::BM) {
    const Index row0 = m0 + warp * Tile::WarpRows;
    float sums[Tile::RowTiles][Tile::ColumnTiles][4] = {};
    NNC_UNROLL
    for (int k0 = 0; k0 < Tile::Depth; k0 += 16) {
      unsigned fragments[Tile::RowTiles][4];
      NNC_UNROLL
      for (int i = 0; i < Tile::RowTiles; ++i) {
        NNC_UNROLL
        for (int part = 0; part < 4; ++part) {
          const Index m = minimum(row0 + i * 16 + part % 2 * 8 + lane / 4, M - 1);
          const Index k = k0 + part / 2 * 8 + lane % 4 * 2;
          const T low = k < K ? a(m, k) : T(0.0f), high = k + 1 < K ? a(m, k + 1) : T(0.0f);
          fragments[i][part] = low.bits | (unsigned)high.bits << 16;
        }
      }
      NNC_UNROLL
      for (int j = 0; j < Tile::ColumnTiles; j += 2) {
        unsigned columns[4];
        loadMatrices(columns, rowOfB + j * 8 * Tile::Stride + k0);
        const unsigned even[2] = {columns[0], columns[1]}, odd[2] = {columns[2], columns[3]};
        NNC_UNROLL
        for (int i = 0; i < Tile::RowTiles; ++i) {
          multiplyAdd<T>(sums[i][j], fragments[i], even);
          multiplyAdd<T>(sums[i][j + 1], fragments[i], odd);
        }
      }
    }
    NNC_UNROLL
    for (int i = 0; i < Tile::RowTiles * 2; ++i) {
      NNC_UNROLL
      for (int j = 0; j < Tile::ColumnTiles; j += 4) {
        const Index m = row0 + i * 8 + lane / 4, n = (j + lane % 4) * 8;
        Sum values[8];
        gatherPiece(values, sums[i / 2], j, i % 2);
        if (m < M && n < N)
          store(m, n, values);
      }
    }
  }
}
