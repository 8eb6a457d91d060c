// Contractions on tensor cores: C[m, n] = store(sum over k of a(m, k) * b(n, k)), sums in f32.
//
// Both operands pass through shared memory in chunks of 16 bytes along the depth, `Stages` steps
// ahead of the arithmetic. An operand is either a functor that gives the address of a chunk (null
// for zeros), which is copied asynchronously, or one that gives elements, which are computed,
// rounded to T and put there by the thread.

/// How a block works: its tile of C, how many warps share the tile's rows and columns, the steps in
/// flight, and for operands given by elements whether threads run along the depth or the side.
template <int BM_, int BN_, int WarpsM_, int WarpsN_, int Stages_, bool AAlongK_, bool BAlongK_>
struct MmaTile {
  static constexpr int BM = BM_, BN = BN_, WarpsM = WarpsM_, WarpsN = WarpsN_, Stages = Stages_;
  static constexpr bool AAlongK = AAlongK_, BAlongK = BAlongK_;
  static constexpr int Threads = 32 * WarpsM * WarpsN;
  static constexpr int RowTiles = BM / WarpsM / 16, ColumnTiles = BN / WarpsN / 8;
  static constexpr int Chunks = 4; ///< of a row in one step
  static_assert(RowTiles * WarpsM * 16 == BM && ColumnTiles * WarpsN * 8 == BN, "warps tile it");
  static_assert(ColumnTiles % 2 == 0, "two columns of matrices are loaded at once");
  static_assert(BM * Chunks % Threads == 0 && BN * Chunks % Threads == 0, "loads are even");
};

template <class V> struct IsAddress {
  static constexpr bool value = false;
};
template <class V> struct IsAddress<V *> {
  static constexpr bool value = true;
};

/// Where chunk `chunk` of row `row` lies in a step's buffer: eight rows of one column of chunks are
/// in different banks.
NNC_INLINE int mmaPlace(int row, int chunk) { return row * 64 + (chunk ^ row >> 1 & 3) * 16; }

/// One operand's way to shared memory: `Rows` rows of four chunks per step.
template <class T, int Rows, int Threads, bool AlongK, bool ByAddress> struct MmaLoader {
  static constexpr int Count = Rows * 4 / Threads, PerChunk = 16 / sizeof(T);
  Vector<T, PerChunk> held[ByAddress ? 1 : Count];

  static NNC_INLINE int rowOf(int i) {
    const int e = threadIdx.x + i * Threads;
    return AlongK ? e / 4 : e % Rows;
  }
  static NNC_INLINE int chunkOf(int i) {
    const int e = threadIdx.x + i * Threads;
    return AlongK ? e % 4 : e / Rows;
  }

  /// Starts to bring the step at depth `k0`.
  template <class Index, class Load>
  NNC_INLINE void fetch(char *buffer, Index row0, Index rows, Index k0, Index depth, Load load) {
    NNC_UNROLL
    for (int i = 0; i < Count; ++i) {
      const Index row = row0 + rowOf(i), k = k0 + chunkOf(i) * PerChunk;
      if constexpr (ByAddress) {
        copyAsync(buffer + mmaPlace(rowOf(i), chunkOf(i)),
                  row < rows && k < depth ? load(row, k) : nullptr);
      } else {
        NNC_UNROLL
        for (int j = 0; j < PerChunk; ++j)
          held[i][j] = row < rows && k + j < depth ? T(load(row, k + j)) : T(0.0f);
      }
    }
  }

  /// Puts what fetch computed into the buffer.
  NNC_INLINE void put(char *buffer) const {
    if constexpr (!ByAddress) {
      NNC_UNROLL
      for (int i = 0; i < Count; ++i)
        *reinterpret_cast<Vector<T, PerChunk> *>(buffer + mmaPlace(rowOf(i), chunkOf(i))) = held[i];
    }
  }
};

/// Rounds a fragment of f32 to tf32, which is all that the machine looks at.
template <class T, int N> NNC_INLINE void roundFragment(unsigned (&fragment)[N]) {
  if constexpr (sizeof(T) == 4) {
    NNC_UNROLL
    for (int i = 0; i < N; ++i)
      fragment[i] = roundToTf32(fragment[i]);
  }
}

/// One step's products of a warp, whose part of the tile begins at (row0, column0).
template <class Tile, class T>
NNC_INLINE void mmaStep(float (&sums)[Tile::RowTiles][Tile::ColumnTiles][4], const char *bufferA,
                        const char *bufferB, int row0, int column0) {
  const int lane = threadIdx.x % 32;
  NNC_UNROLL
  for (int half = 0; half < 2; ++half) {
    unsigned a[Tile::RowTiles][4], b[Tile::ColumnTiles / 2][4];
    NNC_UNROLL
    for (int i = 0; i < Tile::RowTiles; ++i) {
      loadMatrices(a[i], bufferA + mmaPlace(row0 + i * 16 + lane % 16, half * 2 + lane / 16));
      roundFragment<T>(a[i]);
    }
    NNC_UNROLL
    for (int j = 0; j < Tile::ColumnTiles / 2; ++j) {
      loadMatrices(b[j], bufferB + mmaPlace(column0 + j * 16 + lane % 8 + lane / 16 * 8,
                                            half * 2 + lane / 8 % 2));
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

/// The tile of C whose corner is (m0, n0). `a(m, k)` and `b(n, k)` are asked inside M, N, K only;
/// chunks that they give addresses of are aligned and whole. `store(m, n, sum)` is called once for
/// each of the tile's elements inside M and N.
template <class Tile, class T, class Index, class A, class B, class Store>
NNC_INLINE void mmaGemm(Index m0, Index n0, Index M, Index N, Index K, A a, B b, Store store) {
  constexpr int BM = Tile::BM, BN = Tile::BN, Stages = Tile::Stages;
  constexpr int Depth = 64 / sizeof(T);
  alignas(128) __shared__ char bufferA[Stages][BM * 64];
  alignas(128) __shared__ char bufferB[Stages][BN * 64];
  MmaLoader<T, BM, Tile::Threads, Tile::AAlongK, IsAddress<decltype(a(m0, m0))>::value> loaderA;
  MmaLoader<T, BN, Tile::Threads, Tile::BAlongK, IsAddress<decltype(b(n0, n0))>::value> loaderB;
  float sums[Tile::RowTiles][Tile::ColumnTiles][4] = {};
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int row0 = warp % Tile::WarpsM * Tile::RowTiles * 16;
  const int column0 = warp / Tile::WarpsM * Tile::ColumnTiles * 8;

  // Round r brings step r and works on step r - (Stages - 1). A buffer is written again only after
  // the barrier behind the round that worked on it.
  const int steps = (int)((K + Depth - 1) / Depth);
  for (int round = 0; round < steps + Stages - 1; ++round) {
    const int into = round % Stages, step = round - (Stages - 1);
    if (step >= 0) {
      waitForCopies<Stages - 2>();
      barrier();
    }
    if (round < steps) {
      loaderA.fetch(bufferA[into], m0, M, (Index)round * Depth, K, a);
      loaderB.fetch(bufferB[into], n0, N, (Index)round * Depth, K, b);
    }
    commitCopies();
    if (step >= 0)
      mmaStep<Tile, T>(sums, bufferA[step % Stages], bufferB[step % Stages], row0, column0);
    if (round < steps) {
      loaderA.put(bufferA[into]);
      loaderB.put(bufferB[into]);
    }
  }

  NNC_UNROLL
  for (int i = 0; i < Tile::RowTiles; ++i) {
    NNC_UNROLL
    for (int j = 0; j < Tile::ColumnTiles; ++j) {
      NNC_UNROLL
      for (int part = 0; part < 4; ++part) {
        const Index m = m0 + row0 + i * 16 + lane / 4 + part / 2 * 8;
        const Index n = n0 + column0 + j * 8 + lane % 4 * 2 + part % 2;
        if (m < M && n < N)
          store(m, n, sums[i][j][part]);
      }
    }
  }
}
