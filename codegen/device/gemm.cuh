// Contractions with everything fused around them: C[m, n] = store(sum over k of a(m, k) * b(n, k)).
//
// Tiles of both operands go through shared memory, double buffered with the next tile held in
// registers meanwhile; each thread keeps TM x TN sums. What the operands are is the functors'
// business: plain matrices, fused producers, or the im2col view of a convolution's input.

/// How a block works: its tile of C, the depth of a step, the sums of a thread, and which axis the
/// threads run along when they load (the one that is contiguous in memory).
template <int BM_, int BN_, int BK_, int TM_, int TN_, bool AAlongK_, bool BAlongK_>
struct GemmTile {
  static constexpr int BM = BM_, BN = BN_, BK = BK_, TM = TM_, TN = TN_;
  static constexpr bool AAlongK = AAlongK_, BAlongK = BAlongK_;
  static constexpr int ThreadsM = BM / TM, ThreadsN = BN / TN;
  static constexpr int Threads = ThreadsM * ThreadsN;
  static_assert(BM % TM == 0 && BN % TN == 0, "threads tile the block");
  static_assert(BM * BK % Threads == 0 && BN * BK % Threads == 0, "loads are even");
};

/// One operand's way to shared memory: `Rows` x BK elements per step, read through `load(row, k)`.
template <class T, int Rows, int BK, int Threads, bool AlongK> struct GemmLoader {
  static constexpr int Count = Rows * BK / Threads;
  static constexpr int Stride = Rows + 4; // keeps 16-byte alignment, spreads the banks
  T held[Count];

  static NNC_INLINE int rowOf(int i) {
    const int e = threadIdx.x + i * Threads;
    return AlongK ? e / BK : e % Rows;
  }
  static NNC_INLINE int depthOf(int i) {
    const int e = threadIdx.x + i * Threads;
    return AlongK ? e % BK : e / Rows;
  }

  template <class Index, class Load>
  NNC_INLINE void fetch(Index row0, Index rows, Index k0, Index depth, Load load) {
    NNC_UNROLL
    for (int i = 0; i < Count; ++i) {
      const Index row = row0 + rowOf(i), k = k0 + depthOf(i);
      held[i] = row < rows && k < depth ? load(row, k) : T(0);
    }
  }

  NNC_INLINE void put(T *tile) const {
    NNC_UNROLL
    for (int i = 0; i < Count; ++i)
      tile[depthOf(i) * Stride + rowOf(i)] = held[i];
  }
};

/// The tile of C whose corner is (m0, n0). `a(m, k)` and `b(n, k)` give elements inside M, N, K;
/// `store(m, n, sum)` is called once for each of the tile's elements inside M and N.
template <class Tile, class T, class Index, class A, class B, class Store>
NNC_INLINE void gemm(Index m0, Index n0, Index M, Index N, Index K, A a, B b, Store store) {
  constexpr int BM = Tile::BM, BN = Tile::BN, BK = Tile::BK, TM = Tile::TM, TN = Tile::TN;
  using LoaderA = GemmLoader<T, BM, BK, Tile::Threads, Tile::AAlongK>;
  using LoaderB = GemmLoader<T, BN, BK, Tile::Threads, Tile::BAlongK>;
  alignas(16) __shared__ T tileA[2][BK * LoaderA::Stride];
  alignas(16) __shared__ T tileB[2][BK * LoaderB::Stride];

  const int tn = threadIdx.x % Tile::ThreadsN * TN, tm = threadIdx.x / Tile::ThreadsN * TM;
  T sums[TM][TN] = {};
  LoaderA loaderA;
  LoaderB loaderB;

  // Each round fetches a step into registers, works on the step before, and then puts the fetched
  // one into the buffer that the round before has worked on. Code for both is there once only: it
  // is what NVRTC spends its time on.
  int buffer = 0;
  for (Index k0 = 0; k0 < K + BK; k0 += BK) {
    if (k0 < K) {
      loaderA.fetch(m0, M, k0, K, a);
      loaderB.fetch(n0, N, k0, K, b);
    }
    if (k0 > 0) {
      NNC_UNROLL_BY(4)
      for (int k = 0; k < BK; ++k) {
        T rowA[TM], rowB[TN];
        NNC_UNROLL
        for (int i = 0; i < TM; ++i)
          rowA[i] = tileA[buffer][k * LoaderA::Stride + tm + i];
        NNC_UNROLL
        for (int j = 0; j < TN; ++j)
          rowB[j] = tileB[buffer][k * LoaderB::Stride + tn + j];
        NNC_UNROLL
        for (int i = 0; i < TM; ++i) {
          NNC_UNROLL
          for (int j = 0; j < TN; ++j)
            sums[i][j] += rowA[i] * rowB[j];
        }
      }
    }
    if (k0 < K) {
      buffer ^= 1;
      loaderA.put(tileA[buffer]);
      loaderB.put(tileB[buffer]);
      barrier();
    }
  }

  NNC_UNROLL
  for (int i = 0; i < TM; ++i) {
    NNC_UNROLL
    for (int j = 0; j < TN; ++j) {
      const Index m = m0 + tm + i, n = n0 + tn + j;
      if (m < M && n < N)
        store(m, n, sums[i][j]);
    }
  }
}
