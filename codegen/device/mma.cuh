// Tiles of tiles.cuh on tensor cores, sums in f32.

template <class T> NNC_INLINE void loadRowsAcross(unsigned (&to)[4], const char *, int row, int k);
template <class T>
NNC_INLINE void loadColumnsAcross(unsigned (&to)[4], const char *, int column, int k);
template <class T, bool AAcross, bool BAcross, int Columns>
NNC_INLINE void multiplyGroupAcross(float (&sums)[Columns][4], const char *a, const char *b,
                                    int part);

template <class Tile, class T, bool AAcross, bool BAcross> struct MmaProducts;

/// A tile that so many warps share the rows and columns of; whether they may work in groups, which
/// cannot round to TF32 what they multiply.
template <int BM_, int BN_, int WarpsM_, int WarpsN_, int Stages_, int Split_, bool AAlongK_,
          bool BAlongK_, bool MayGroup = true>
struct MmaTile {
  static constexpr int BM = BM_, BN = BN_, WarpsM = WarpsM_, WarpsN = WarpsN_, Stages = Stages_;
  static constexpr int Split = BlocksAtWork<Split_>;
  static constexpr bool AAlongK = AAlongK_, BAlongK = BAlongK_;
  static constexpr int Warps = WarpsM * WarpsN, Threads = 32 * Warps;
  /// Whether groups of four warps share 64 rows (sm_90a), and not each warp has a part of its own.
  static constexpr bool Grouped = HasGroups && MayGroup && Warps % 4 == 0 && BM % (Warps * 16) == 0;
  static constexpr int RowTiles = Grouped ? BM / 16 / Warps : BM / WarpsM / 16;
  static constexpr int ColumnTiles = Grouped ? BN / 8 : BN / WarpsN / 8;
  static constexpr int RowStep = Grouped ? 64 : 16; ///< from one of a warp's row tiles to the next
  static constexpr int BytesA = BM * 128, BytesB = BN * 128; ///< of one step
  static constexpr int StageStride = BN + 8;                 ///< of the sums, in floats
  static constexpr int BufferBytes = Stages * (BytesA + BytesB);
  static constexpr int SumBytes = BM * StageStride * 4;
  static constexpr int SharedBytes = BufferBytes > SumBytes ? BufferBytes : SumBytes;
  static_assert(RowTiles * ColumnTiles * Warps * 128 == BM * BN, "warps tile it");
  static_assert(ColumnTiles % 2 == 0, "two columns of matrices are loaded at once");
  static_assert(BM * 8 % Threads == 0 && BN * 8 % Threads == 0, "loads are even");
  static_assert(BM % Split == 0, "every block of a cluster stores as many rows");
  template <class T, bool AAcross, bool BAcross>
  using Products = MmaProducts<MmaTile, T, AAcross, BAcross>;
};

/// Rounds a fragment of f32 to tf32, which is all that the machine looks at.
template <class T, int N> NNC_INLINE void roundFragment(unsigned (&fragment)[N]) {
  if constexpr (sizeof(T) == 4) {
    NNC_UNROLL
    for (int i = 0; i < N; ++i)
      fragment[i] = roundToTf32(fragment[i]);
  }
}

/// One step's products of a group of four warps, the rows of which begin at row0. 64 rows take as
/// many bytes across as along the depth.
template <class Tile, class T, bool AAcross, bool BAcross>
NNC_INLINE void mmaGroupStep(float (&sums)[Tile::RowTiles][Tile::ColumnTiles][4],
                             const char *bufferA, const char *bufferB, int row0) {
  beginGroup();
  NNC_UNROLL
  for (int part = 0; part < 4; ++part) {
    NNC_UNROLL
    for (int i = 0; i < Tile::RowTiles; ++i) {
      const char *a = bufferA + (row0 + i * 64) * 128;
      if constexpr (AAcross || BAcross)
        multiplyGroupAcross<T, AAcross, BAcross>(sums[i], a, bufferB, part);
      else
        multiplyGroup<T>(sums[i], a, bufferB, part * 32);
    }
  }
  commitGroup();
}

/// One step's products of a warp, whose part of the tile begins at (row0, column0).
template <class Tile, class T, bool AAcross, bool BAcross>
NNC_INLINE void mmaStep(float (&sums)[Tile::RowTiles][Tile::ColumnTiles][4], const char *bufferA,
                        const char *bufferB, int row0, int column0) {
  const int lane = threadIdx.x % 32;
  NNC_UNROLL
  for (int part = 0; part < 4; ++part) {
    unsigned a[Tile::RowTiles][4], b[Tile::ColumnTiles / 2][4];
    NNC_UNROLL
    for (int i = 0; i < Tile::RowTiles; ++i) {
      if constexpr (AAcross)
        loadRowsAcross<T>(a[i], bufferA, row0 + i * 16, part * (32 / sizeof(T)));
      else
        loadMatrices(a[i], bufferA + swizzled(row0 + i * 16 + lane % 16, part * 2 + lane / 16));
      roundFragment<T>(a[i]);
    }
    NNC_UNROLL
    for (int j = 0; j < Tile::ColumnTiles / 2; ++j) {
      if constexpr (BAcross)
        loadColumnsAcross<T>(b[j], bufferB, column0 + j * 16, part * (32 / sizeof(T)));
      else
        loadMatrices(b[j], bufferB + swizzled(column0 + j * 16 + lane % 8 + lane / 16 * 8,
                                              part * 2 + lane / 8 % 2));
      roundFragment<T>(b[j]);
    }
    NNC_UNROLL
    for (int i = 0; i < Tile::RowTiles; ++i) {
      NNC_UNROLL
      for (int j = 0; j < Tile::ColumnTiles; ++j) {
        const unsigned columns[2] = {b[j / 2][j % 2 * 2], b[j / 2][j % 2 * 2 + 1]};
        multiplyAdd<T>(sums[i][j], a[i], columns);
      }
    }
  }
}

template <class Tile, class T, bool AAcross, bool BAcross> struct MmaProducts {
  static_assert(!Tile::Grouped || sizeof(T) == 2, "groups multiply 16-bit elements");
  float sums[Tile::RowTiles][Tile::ColumnTiles][4] = {};

  /// Where the group's rows begin, and the warp's part of the tile.
  static NNC_INLINE int group0() { return (int)threadIdx.x / 128 * Tile::RowTiles * 64; }
  static NNC_INLINE int row0() {
    const int warp = threadIdx.x / 32;
    return Tile::Grouped ? group0() + warp % 4 * 16 : warp % Tile::WarpsM * Tile::RowTiles * 16;
  }
  static NNC_INLINE int column0() {
    return Tile::Grouped ? 0 : (int)threadIdx.x / 32 / Tile::WarpsM * Tile::ColumnTiles * 8;
  }

  NNC_INLINE void begin(const char *a, const char *b) {
    if constexpr (Tile::Grouped)
      mmaGroupStep<Tile, T, AAcross, BAcross>(sums, a, b, group0());
  }
  NNC_INLINE void end(const char *a, const char *b) {
    if constexpr (Tile::Grouped)
      waitForGroup<0>();
    else
      mmaStep<Tile, T, AAcross, BAcross>(sums, a, b, row0(), column0());
  }
  NNC_INLINE void stage(float *to) const {
    const int lane = threadIdx.x % 32;
    NNC_UNROLL
    for (int i = 0; i < Tile::RowTiles; ++i) {
      NNC_UNROLL
      for (int j = 0; j < Tile::ColumnTiles; ++j) {
        NNC_UNROLL
        for (int part = 0; part < 2; ++part) {
          const int row = row0() + i * Tile::RowStep + part * 8 + lane / 4;
          storeVector(to + row * Tile::StageStride + column0() + j * 8 + lane % 4 * 2,
                      Vector<float, 2>{{sums[i][j][part * 2], sums[i][j][part * 2 + 1]}});
        }
      }
    }
  }
};
