// Contractions by tiles: C[m, n] = store(sum over k of a(m, k) * b(n, k)).
//
// Both operands pass through shared memory in chunks of 16 bytes along the depth, `Stages` steps
// ahead of the arithmetic, which is the tile's (mma.cuh: tensor cores, fma.cuh: ordinary ones). An
// operand is two functors: what it has to know of a row (of m, of n), and with that either the
// address of a chunk (null for zeros), which is copied asynchronously, or an element, which is
// computed, rounded to T and put there by the thread. Chunks of an operand whose memory does not
// run along the depth are of neighbouring rows (across.cuh). The sums leave through shared memory
// too, so that neighbouring threads store neighbouring columns.
//
// A tile says how a block works: BM x BN of C, Threads, Stages steps in flight, the blocks of a
// cluster that Split the depth of one tile, whether memory of operands runs AAlongK and BAlongK or
// along the side, which for those given by elements is where threads run along. Its Products<T,
// AAcross, BAcross> are the sums of a thread: `begin(a, b)` and, after the next step's copies have
// started, `end(a, b)` add the products of a step in shared memory, `stage(to)` puts them where
// they belong among BM rows of StageStride floats.

template <class T> struct Across;

/// One operand's way to shared memory: `Rows` rows of eight chunks per step, or as many across.
template <class T, int Rows, int Threads, bool AlongK, bool ByAddress, class Row>
struct TileLoader {
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

/// Brings the sums of a block, or of the cluster that shares the tile, to `store`.
template <class Tile, int Width, class Products, class Index, class Store>
NNC_INLINE void finishTile(const Products &products, char *shared, Index m0, Index n0, Index M,
                           Index N, Store store) {
  constexpr int Stride = Tile::StageStride, PerRow = Tile::BN / Width;
  constexpr int Rows = Tile::BM / Tile::Split, Step = Tile::Threads / PerRow;
  static_assert(Step * PerRow == Tile::Threads, "a thread keeps its columns");
  constexpr int Piece = Width % 4 == 0 ? 4 : 1;
  float *staged = reinterpret_cast<float *>(shared);
  products.stage(staged);
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
NNC_INLINE void tileGemm(char *shared, Index m0, Index n0, Index M, Index N, Index K, KnowA knowA,
                         A a, KnowB knowB, B b, Store store) {
  constexpr int BM = Tile::BM, BN = Tile::BN, Stages = Tile::Stages, Depth = 128 / sizeof(T);
  using RowA = decltype(knowA(m0));
  using RowB = decltype(knowB(n0));
  using LoaderA = TileLoader<T, BM, Tile::Threads, Tile::AAlongK,
                             IsAddress<decltype(a(RowA(), m0))>::value, RowA>;
  using LoaderB = TileLoader<T, BN, Tile::Threads, Tile::BAlongK,
                             IsAddress<decltype(b(RowB(), n0))>::value, RowB>;
  LoaderA loaderA;
  LoaderB loaderB;
  char *bufferA = shared, *bufferB = shared + Stages * Tile::BytesA;
  loaderA.start(m0, M, knowA);
  loaderB.start(n0, N, knowB);
  typename Tile::template Products<T, LoaderA::IsAcross, LoaderB::IsAcross> products;

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
    products.begin(stepA, stepB);
    bring(step + Stages - 1, into);
    products.end(stepA, stepB);
    put(step + Stages - 1, into);
    from = from + 1 == Stages ? 0 : from + 1;
    into = into + 1 == Stages ? 0 : into + 1;
  }
  barrier();
  finishTile<Tile, Width>(products, shared, m0, n0, M, N, store);
}
