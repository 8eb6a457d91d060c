// Tiles of tiles.cuh on ordinary cores: f32 that is multiplied as it is, sums in the order of the
// depth.
//
// A warp has 4 x 8 lanes, a lane TM rows and TN columns of the warp's part. Operands along the
// depth are read four of it at a time, those across four of a side: either way a lane has its sums
// from TM + TN loads of 16 bytes for 4 * TM * TN multiply-adds, and lanes find theirs in different
// banks.

template <class Tile, class T, bool AAcross, bool BAcross> struct FmaProducts;

/// A tile that so many warps share the rows and columns of.
template <int BM_, int BN_, int WarpsM_, int WarpsN_, int Stages_, int Split_, bool AAlongK_,
          bool BAlongK_>
struct FmaTile {
  static constexpr int BM = BM_, BN = BN_, WarpsM = WarpsM_, WarpsN = WarpsN_, Stages = Stages_;
  static constexpr int Split = BlocksAtWork<Split_>;
  static constexpr bool AAlongK = AAlongK_, BAlongK = BAlongK_;
  static constexpr int Threads = 32 * WarpsM * WarpsN;
  static constexpr int TM = BM / WarpsM / 4, TN = BN / WarpsN / 8; ///< sums of a thread
  static constexpr int BytesA = BM * 128, BytesB = BN * 128;       ///< of one step
  static constexpr int StageStride = BN + 8;                       ///< of the sums, in floats
  static constexpr int BufferBytes = Stages * (BytesA + BytesB);
  static constexpr int SumBytes = BM * StageStride * 4;
  static constexpr int SharedBytes = BufferBytes > SumBytes ? BufferBytes : SumBytes;
  static_assert(TM * TN * Threads == BM * BN && TM % 4 == 0 && TN % 4 == 0, "warps tile it");
  static_assert(BM * 8 % Threads == 0 && BN * 8 % Threads == 0, "loads are even");
  static_assert(BM % Split == 0, "every block of a cluster stores as many rows");
  template <class T, bool AAcross, bool BAcross>
  using Products = FmaProducts<FmaTile, T, AAcross, BAcross>;
};

template <class Tile, class T, bool AAcross, bool BAcross> struct FmaProducts {
  static_assert(sizeof(T) == 4, "four of a chunk are in a vector");
  static constexpr int TM = Tile::TM, TN = Tile::TN;
  T sums[TM][TN] = {};

  /// The lane's place among 4 rows and 8 columns. Lanes whose numbers differ in the first bit read
  /// the same rows, those that differ in the second the same columns: what lets the machine answer
  /// half a warp at once.
  static NNC_INLINE int laneRow() {
    return (int)threadIdx.x / 2 % 2 + (int)threadIdx.x / 8 % 2 * 2;
  }
  static NNC_INLINE int laneColumn() {
    return (int)threadIdx.x % 2 + (int)threadIdx.x / 4 % 2 * 2 + (int)threadIdx.x / 16 % 2 * 4;
  }
  /// Where the warp's part begins.
  static NNC_INLINE int row0() { return (int)threadIdx.x / 32 % Tile::WarpsM * (TM * 4); }
  static NNC_INLINE int column0() { return (int)threadIdx.x / 32 / Tile::WarpsM * (TN * 8); }
  /// Of the part, the lane's rows and columns: apart along the depth, in fours across.
  static NNC_INLINE int rowOf(int i) {
    return AAcross ? i / 4 * 16 + laneRow() * 4 + i % 4 : i * 4 + laneRow();
  }
  static NNC_INLINE int columnOf(int j) {
    return BAcross ? j / 4 * 32 + laneColumn() * 4 + j % 4 : j * 8 + laneColumn();
  }

  /// The 16 bytes at (side + step, chunk * 4) of an operand that runs along the depth: `swizzled`
  /// for a step of 0 or 4 from eight rows on, so that many loads share an address.
  static NNC_INLINE Vector<T, 4> alongAt(const char *operand, int side, int step, int chunk) {
    const int place = (side + step) * 128 + ((chunk ^ side & 7 ^ step & 4) * 16);
    return loadVector<4>(reinterpret_cast<const T *>(operand + place));
  }
  /// The 16 bytes at (side, k) of one that runs across.
  static NNC_INLINE Vector<T, 4> acrossAt(const char *operand, int side, int k) {
    return loadVector<4>(reinterpret_cast<const T *>(operand + Across<T>::place(k, side)));
  }

  NNC_INLINE void begin(const char *, const char *) {}
  NNC_INLINE void end(const char *a, const char *b) {
    NNC_UNROLL_BY(1)
    for (int chunk = 0; chunk < 8; ++chunk) {
      Vector<T, 4> left[TM]; // of row i along the depth; at depth i % 4 of four rows across
      NNC_UNROLL
      for (int i = 0; i < TM; ++i) {
        if constexpr (AAcross)
          left[i] = acrossAt(a, row0() + rowOf(i / 4 * 4), chunk * 4 + i % 4);
        else
          left[i] = alongAt(a, row0() + laneRow(), i * 4, chunk);
      }
      NNC_UNROLL
      for (int j = 0; j < TN; ++j) {
        Vector<T, 4> right;
        if constexpr (BAcross)
          right = acrossAt(b, column0() + columnOf(j / 4 * 4), chunk * 4 + j % 4);
        else
          right = alongAt(b, column0() + laneColumn(), j * 8, chunk);
        NNC_UNROLL
        for (int part = 0; part < 4; ++part) {
          NNC_UNROLL
          for (int i = 0; i < TM; ++i) {
            // Along the depth `part` is the depth, across it is the column.
            const int k = BAcross ? j % 4 : part, column = BAcross ? j / 4 * 4 + part : j;
            sums[i][column] += (AAcross ? left[i / 4 * 4 + k][i % 4] : left[i][k]) * right[part];
          }
        }
      }
    }
  }

  NNC_INLINE void stage(T *to) const {
    NNC_UNROLL
    for (int i = 0; i < TM; ++i) {
      T *row = to + (row0() + rowOf(i)) * Tile::StageStride + column0();
      NNC_UNROLL
      for (int j = 0; j < TN; ++j)
        row[columnOf(j)] = sums[i][j];
    }
  }
};
