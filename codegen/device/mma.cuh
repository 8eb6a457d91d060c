// Contractions on tensor cores: C[m, n] = store(sum over k of a(m, k) * b(n, k)), sums in f32.
//
// Both operands pass through shared memory in chunks of 16 bytes along the depth, `Stages` steps
// ahead of the arithmetic. An operand is two functors: what it has to know of a row (of m, of n),
// and with that either the address of a chunk (null for zeros), which is copied asynchronously, or
// an element, which is computed, rounded to T and put there by the thread. Chunks of an operand
// whose memory does not run along the depth are of neighbouring rows (across.cuh). The sums leave
// through shared memory too, so that neighbouring threads store neighbouring columns.

template <class T> struct Across;
template <class T> NNC_INLINE void loadRowsAcross(unsigned (&to)[4], const char *, int row, int k);
template <class T>
NNC_INLINE void loadColumnsAcross(unsigned (&to)[4], const char *, int column, int k);
template <class T, bool AAcross, bool BAcross, int Columns>
NNC_INLINE void multiplyGroupAcross(float (&sums)[Columns][4], const char *a, const char *b,
                                    int part);

/// How a block works: its tile of C, how many warps share the tile's rows and columns, the steps in
/// flight, the blocks of a cluster that share the depth of one tile, whether the memory of operands
/// runs along the depth or the side, which for those given by elements is where threads run along,
/// and whether warps may work in groups, which
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
};

/// One operand's way to shared memory: `Rows` rows of eight chunks per step, or as many across.
template <class T, int Rows, int Threads, bool AlongK, bool ByAddress, class Row> struct MmaLoader {
  static constexpr int Count = Rows * 8 / Threads, PerChunk = 16 / sizeof(T);
  static constexpr bool IsAcross = ByAddress && !AlongK;
  static constexpr int PerDepth = Rows / PerChunk; ///< chunks of one depth, if across
  Row rows[Count];
  Vector<T, PerChunk> held[ByAddress ? 1 : Count];

  static_assert(Threads % 8 == 0, "along the depth, all chunks of a thread have one place in it");
  static NNC_INLINE int rowOf(int i) {
    if constexpr (IsAcross)
      return (threadIdx.x + i * Threads) % PerDepth * PerChunk;
    return AlongK ? (int)threadIdx.x / 8 + i * (Threads / 8) : (threadIdx.x + i * Threads) % Rows;
  }
  static NNC_INLINE int chunkOf(int i) {
    return AlongK ? (int)threadIdx.x % 8 : (threadIdx.x + i * Threads) / Rows;
  }

  /// Rows behind the last are the last again: nobody looks at their sums.
  template <class Index, class Know> NNC_INLINE void start(Index row0, Index count, Know know) {
    NNC_UNROLL
    for (int i = 0; i < Count; ++i)
      rows[i] = know(minimum(row0 + rowOf(i), count - (IsAcross ? PerChunk : 1)));
  }

  /// Starts to bring the step at depth `k0`.
  template <class Index, class Load>
  NNC_INLINE void fetch(char *buffer, Index k0, Index depth, Load load) {
    if constexpr (IsAcross) {
      static_assert(Rows % Across<T>::Sides == 0, "blocks of the side are whole");
      NNC_UNROLL
      for (int i = 0; i < Count; ++i) {
        const int at = (threadIdx.x + i * Threads) / PerDepth;
        const Index k = k0 + at;
        NNC_ASSUME(k >= 0);
        copyAsync(buffer + Across<T>::place(at, rowOf(i)), k < depth ? load(rows[i], k) : nullptr);
      }
      return;
    }
    NNC_UNROLL
    for (int i = 0; i < Count; ++i) {
      const Index k = k0 + chunkOf(i) * PerChunk;
      NNC_ASSUME(k >= 0);
      if constexpr (ByAddress) {
        copyAsync(buffer + swizzled(rowOf(i), chunkOf(i)), k < depth ? load(rows[i], k) : nullptr);
      } else {
        NNC_UNROLL
        for (int j = 0; j < PerChunk; ++j)
          held[i][j] = k + j < depth ? T(load(rows[i], k + j)) : T(0.0f);
      }
    }
  }

  /// Puts what fetch computed into the buffer.
  NNC_INLINE void put(char *buffer) const {
    if constexpr (!ByAddress) {
      NNC_UNROLL
      for (int i = 0; i < Count; ++i)
        *reinterpret_cast<Vector<T, PerChunk> *>(buffer + swizzled(rowOf(i), chunkOf(i))) = held[i];
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

/// Brings the sums of a block, or of the cluster that shares the tile, to `store`.
template <class Tile, int Width, class Index, class Store>
NNC_INLINE void mmaFinish(const float (&sums)[Tile::RowTiles][Tile::ColumnTiles][4], char *shared,
                          int row0, int column0, Index m0, Index n0, Index M, Index N,
                          Store store) {
  constexpr int Stride = Tile::StageStride, PerRow = Tile::BN / Width;
  constexpr int Rows = Tile::BM / Tile::Split, Step = Tile::Threads / PerRow;
  static_assert(Step * PerRow == Tile::Threads, "a thread keeps its columns");
  constexpr int Piece = Width % 4 == 0 ? 4 : 1;
  float *staged = reinterpret_cast<float *>(shared);
  const int lane = threadIdx.x % 32;
  NNC_UNROLL
  for (int i = 0; i < Tile::RowTiles; ++i) {
    NNC_UNROLL
    for (int j = 0; j < Tile::ColumnTiles; ++j) {
      NNC_UNROLL
      for (int part = 0; part < 2; ++part) {
        const int row = row0 + i * Tile::RowStep + part * 8 + lane / 4;
        float *to = staged + row * Stride + column0 + j * 8;
        storeVector(to + lane % 4 * 2,
                    Vector<float, 2>{{sums[i][j][part * 2], sums[i][j][part * 2 + 1]}});
      }
    }
  }
  clusterBarrier<Tile::Split>();

  const int first = clusterRank<Tile::Split>() * Rows, column = threadIdx.x % PerRow * Width;
  const int rows = (int)minimum((Index)Rows, M - m0 - first);
  if (n0 + column < N) {
    NNC_UNROLL_BY(4)
    for (int row = threadIdx.x / PerRow; row < rows; row += Step) {
      const float *own = staged + (first + row) * Stride + column;
      float values[Width] = {};
      NNC_UNROLL
      for (int block = 0; block < Tile::Split; ++block) {
        const float *from = inCluster<Tile::Split>(own, block);
        NNC_UNROLL
        for (int i = 0; i < Width; i += Piece) {
          const Vector<float, Piece> piece = loadVector<Piece>(from + i);
          NNC_UNROLL
          for (int j = 0; j < Piece; ++j)
            values[i + j] += piece[j];
        }
      }
      store(m0 + first + row, n0 + column, values);
    }
  }
  leaveCluster<Tile::Split>();
}

/// The tile of C whose corner is (m0, n0), by all blocks of a cluster together. `a(knowA(m), k)`
/// and `b(knowB(n), k)` are asked inside M, N, K only; chunks that they give addresses of are
/// aligned and whole, and along the side begin at multiples of their length. `store(m, n, sums)` is
/// called once for each `Width` neighbours of a row inside M and N; N is a multiple of Width.
/// `shared` has Tile::SharedBytes, dynamic ones if Split is above 1.
template <class Tile, class T, int Width, class Index, class KnowA, class A, class KnowB, class B,
          class Store>
NNC_INLINE void mmaGemm(char *shared, Index m0, Index n0, Index M, Index N, Index K, KnowA knowA,
                        A a, KnowB knowB, B b, Store store) {
  constexpr int BM = Tile::BM, BN = Tile::BN, Stages = Tile::Stages, Depth = 128 / sizeof(T);
  static_assert(!Tile::Grouped || sizeof(T) == 2, "groups multiply 16-bit elements");
  using RowA = decltype(knowA(m0));
  using RowB = decltype(knowB(n0));
  using LoaderA = MmaLoader<T, BM, Tile::Threads, Tile::AAlongK,
                            IsAddress<decltype(a(RowA(), m0))>::value, RowA>;
  using LoaderB = MmaLoader<T, BN, Tile::Threads, Tile::BAlongK,
                            IsAddress<decltype(b(RowB(), n0))>::value, RowB>;
  LoaderA loaderA;
  LoaderB loaderB;
  char *bufferA = shared, *bufferB = shared + Stages * Tile::BytesA;
  loaderA.start(m0, M, knowA);
  loaderB.start(n0, N, knowB);
  float sums[Tile::RowTiles][Tile::ColumnTiles][4] = {};
  const int warp = threadIdx.x / 32;
  const int group0 = warp / 4 * Tile::RowTiles * 64;
  const int row0 =
      Tile::Grouped ? group0 + warp % 4 * 16 : warp % Tile::WarpsM * Tile::RowTiles * 16;
  const int column0 = Tile::Grouped ? 0 : warp / Tile::WarpsM * Tile::ColumnTiles * 8;

  const int all = (int)((K + Depth - 1) / Depth), rank = clusterRank<Tile::Split>();
  const int begin = all * rank / Tile::Split, steps = all * (rank + 1) / Tile::Split - begin;
  auto bring = [&](int step, int into) {
    if (step < steps) {
      loaderA.fetch(bufferA + into * Tile::BytesA, (Index)(begin + step) * Depth, K, a);
      loaderB.fetch(bufferB + into * Tile::BytesB, (Index)(begin + step) * Depth, K, b);
    }
    commitCopies();
  };
  auto put = [&](int step, int into) {
    if (step < steps) {
      loaderA.put(bufferA + into * Tile::BytesA);
      loaderB.put(bufferB + into * Tile::BytesB);
    }
  };
  for (int step = 0; step < Stages - 1; ++step) {
    bring(step, step);
    put(step, step);
  }
  // A buffer is written again only after the barrier behind the step that read it.
  int from = 0, into = Stages - 1;
  for (int step = 0; step < steps; ++step) {
    waitForCopies<Stages - 2>();
    showToGroups();
    barrier();
    const char *stepA = bufferA + from * Tile::BytesA, *stepB = bufferB + from * Tile::BytesB;
    if constexpr (Tile::Grouped)
      mmaGroupStep<Tile, T, LoaderA::IsAcross, LoaderB::IsAcross>(sums, stepA, stepB, group0);
    bring(step + Stages - 1, into);
    if constexpr (Tile::Grouped)
      waitForGroup<0>();
    else
      mmaStep<Tile, T, LoaderA::IsAcross, LoaderB::IsAcross>(sums, stepA, stepB, row0, column0);
    put(step + Stages - 1, into);
    from = from + 1 == Stages ? 0 : from + 1;
    into = into + 1 == Stages ? 0 : into + 1;
  }
  barrier();
  mmaFinish<Tile, Width>(sums, shared, row0, column0, m0, n0, M, N, store);
}
