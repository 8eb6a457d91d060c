// Contractions on Hopper's tensor cores, with a warp that only brings operands and groups of four
// warps that only multiply: C[m, n] = store(sum over k of a(m, k) * b(n, k)), sums in f32.
//
// Blocks stay, one on each multiprocessor, and take tile after tile. A ring of steps in shared
// memory connects both sides, so that the next tile is on its way while sums are stored. Groups
// share the rows of one tile, or take tiles in turns, so that one stores while another multiplies.
// The machine copies the operands by itself (bulk.cuh); sums go from registers to memory.

/// How a block works: its tile of C, its groups and whether each has a tile of its own, the steps
/// in flight, and which operands' memory runs along their side, not the depth (across.cuh).
template <int BM_, int BN_, int Groups_, bool InTurns_, int Stages_, bool AAcross_ = false,
          bool BAcross_ = false>
struct PipelineTile {
  static constexpr bool AAcross = AAcross_, BAcross = BAcross_;
  static constexpr int BM = BM_, BN = BN_, Groups = Groups_, Stages = Stages_;
  static constexpr bool InTurns = InTurns_;
  static constexpr int Threads = 128 * (Groups + 1);
  static constexpr int GroupRows = InTurns ? BM : BM / Groups;
  static constexpr int RowTiles = GroupRows / 64, ColumnTiles = BN / 8;
  static constexpr int BytesA = BM * 128, BytesB = BN * 128; ///< of one step
  static constexpr int SharedBytes =
      Stages * (BytesA + BytesB) + (2 * Stages + Groups) * (int)sizeof(Arrivals);
  // What 64 Ki registers give a thread that brings, and one that multiplies.
  static constexpr int Few = 40;
  static constexpr int Many = (512 / (Groups + 1) / 8 * 8 * (Groups + 1) - Few) / Groups / 8 * 8;
  static_assert(RowTiles * 64 == GroupRows, "groups multiply 64 rows at once");
  static_assert(Groups > 1 && Many <= 240, "registers are shared out by eights");
};

/// Where a step of the ring is, and which phase of its barriers that is.
template <int Stages> struct RingPlace {
  int stage = 0;
  unsigned parity = 0;
  NNC_INLINE void next() {
    if (++stage == Stages) {
      stage = 0;
      parity ^= 1;
    }
  }
  NNC_INLINE void skip(int steps) {
    stage += steps;
    parity ^= stage / Stages & 1;
    stage %= Stages;
  }
};

/// What arrives at the steps of a ring and leaves them, and the turns that groups give each other.
template <class Tile> struct PipelineArrivals {
  Arrivals full[Tile::Stages], empty[Tile::Stages], turns[Tile::Groups];

  NNC_INLINE void init() {
    for (int i = 0; i < Tile::Stages; ++i) {
      prepareArrivals(full + i, 1);
      prepareArrivals(empty + i, 4 * (Tile::InTurns ? 1 : Tile::Groups));
    }
    for (int i = 0; i < Tile::Groups; ++i)
      prepareArrivals(turns + i, 4);
    showArrivals();
  }
};

/// One tile's sums of a group, whose rows of the tile begin at row0.
template <class Tile, class T>
NNC_INLINE void pipelineSums(float (&sums)[Tile::RowTiles][Tile::ColumnTiles][4],
                             PipelineArrivals<Tile> &barriers, RingPlace<Tile::Stages> &place,
                             const char *bufferA, const char *bufferB, int row0, int steps) {
  int last = 0;
  auto release = [&] {
    if (threadIdx.x % 32 == 0)
      arrive(barriers.empty + last);
  };
  NNC_UNROLL_BY(1)
  for (int step = 0; step < steps; ++step, place.next()) {
    waitForArrivals(barriers.full + place.stage, place.parity);
    beginGroup();
    NNC_UNROLL
    for (int part = 0; part < 4; ++part) {
      NNC_UNROLL
      for (int i = 0; i < Tile::RowTiles; ++i) {
        const char *a = bufferA + place.stage * Tile::BytesA + (row0 + i * 64) * 128;
        const char *b = bufferB + place.stage * Tile::BytesB;
        if constexpr (Tile::AAcross || Tile::BAcross)
          multiplyGroupAcross<T, Tile::AAcross, Tile::BAcross>(sums[i], a, b, part);
        else
          multiplyGroup<T>(sums[i], a, b, part * 32);
      }
    }
    commitGroup();
    if (step > 0) {
      waitForGroup<1>();
      release();
    }
    last = place.stage;
  }
  if (Tile::InTurns && threadIdx.x % 32 == 0) // the next group's
    arrive(barriers.turns + threadIdx.x / 128 % Tile::Groups);
  waitForGroup<0>();
  if (steps > 0)
    release();
}

/// What `store` needs besides the sums, of the pieces of eight neighbours that a lane stores: of
/// each piece Ahead, of the pieces of the same columns Columns. Ahead is loaded while the sums are
/// computed if registers hold it, else for some rows at once.
template <class Tile, class Ahead, class Columns> struct PipelineAhead {
  static constexpr int Rows = Tile::RowTiles * 2, Pieces = Tile::ColumnTiles / 4;
  static constexpr int Others = Tile::RowTiles * Tile::ColumnTiles * 4 + sizeof(Columns) / 4 + 24;
  static constexpr bool IsNone = sizeof(Ahead) == 1;
  static constexpr bool IsEarly =
      !IsNone && Others + Rows * Pieces * (int)sizeof(Ahead) / 4 <= Tile::Many;
  Ahead values[IsEarly ? Pieces : 1][Rows];

  /// Loads those of some columns, from m0 on.
  template <class Index, class Load>
  NNC_INLINE void loadPieces(int piece, Index m0, Index n, Index M, Load ahead) {
    NNC_UNROLL
    for (int row = 0; row < Rows; ++row) {
      values[piece][row] = ahead(minimum(m0 + row / 2 * 64 + row % 2 * 8, M - 1), n);
      if constexpr (!IsNone)
        keepHere(values[piece][row]);
    }
  }
  template <class Index, class Load>
  NNC_INLINE void load(Index m0, Index n0, Index M, Index N, Load ahead) {
    if constexpr (IsEarly) {
      NNC_UNROLL
      for (int piece = 0; piece < Pieces; ++piece)
        loadPieces(piece, m0, minimum(n0 + piece * 32, N - 8), M, ahead);
    }
  }
};

/// Brings a group's sums to `store` as `Sum`, of which a lane's first piece is at (m0, n0).
template <class Tile, bool AreDealt, class Sum, class Early, class Index, class Load,
          class LoadColumns, class Store>
NNC_INLINE void pipelineStore(const float (&sums)[Tile::RowTiles][Tile::ColumnTiles][4],
                              Early &early, Index m0, Index n0, Index M, Index N, Load ahead,
                              LoadColumns columnsAt, Store store) {
  NNC_UNROLL
  for (int piece = 0; piece < Early::Pieces; ++piece) {
    const Index n = n0 + piece * 32, inside = minimum(n, N - 8);
    const auto columns = columnsAt(inside);
    if constexpr (!Early::IsEarly)
      early.loadPieces(0, m0, inside, M, ahead);
    NNC_UNROLL
    for (int row = 0; row < Early::Rows; ++row) {
      const Index m = m0 + row / 2 * 64 + row % 2 * 8;
      Sum values[8];
      gatherPiece<AreDealt>(values, sums[row / 2], piece * 4, row % 2);
      if (m < M && n < N)
        store(m, n, values, early.values[Early::IsEarly ? piece : 0][row], columns);
    }
  }
}

/// One operand's way to the ring: the rows of a tile all at once or, if their memory runs along
/// them, in blocks of 64.
template <class Row, int Rows, bool IsAcross> struct PipelineOperand {
  static constexpr int Blocks = IsAcross ? Rows / 64 : 1;
  Row rows[Blocks];

  /// Blocks behind the last row are the first again: nobody looks at their sums.
  template <class Index, class Know> NNC_INLINE void start(Index row0, Index count, Know know) {
    NNC_UNROLL
    for (int block = 0; block < Blocks; ++block)
      rows[block] = know(row0 + block * 64 < count ? row0 + block * 64 : row0);
  }
  template <class Index, class Bring>
  NNC_INLINE void fetch(char *buffer, Index k, Arrivals *full, Bring bring) const {
    NNC_UNROLL
    for (int block = 0; block < Blocks; ++block)
      bring(rows[block], buffer + block * 8192, k, full);
  }
};

/// When the right operand's first steps are brought: what is no weight may still be computed until
/// the kernels before have ended.
constexpr bool AfterWait = false, BeforeWait = true;

/// All tiles of C that are this block's: number `first`, and every `stride`-th from there on, of
/// `tiles`, whose corners `corner(tile)` gives as m0 and n0. `bringA(knowA(m0), to, k, barrier)`
/// starts a copy of BM rows of 64 elements of the depth from k on, or of 64 rows of an operand that
/// lies across, whose bytes come to the barrier; one thread calls it. `store(m, n, sums, ahead(m,
/// n), columnsAt(n))` is called once for each eight neighbours of a row inside M and N; N is a
/// multiple of eight. Columns are in order, or dealt by what brings them (fragments.cuh). The sums
/// are float, or rounded to a type of 16 bits. `shared` has Tile::SharedBytes. It waits for the
/// kernels before this one.
template <class Tile, class T, bool AreDealt, bool IsEarly, class Sum = float, class Index,
          class Corner, class KnowA, class BringA, class KnowB, class BringB, class Ahead,
          class Columns, class Store>
NNC_INLINE void pipelineGemm(char *shared, Index first, Index stride, Index tiles, Corner corner,
                             Index M, Index N, Index K, KnowA knowA, BringA bringA, KnowB knowB,
                             BringB bringB, Ahead ahead, Columns columnsAt, Store store) {
  constexpr int Stages = Tile::Stages, Depth = 128 / sizeof(T);
  char *bufferA = shared, *bufferB = shared + Stages * Tile::BytesA;
  auto &barriers = *reinterpret_cast<PipelineArrivals<Tile> *>(bufferB + Stages * Tile::BytesB);
  if (threadIdx.x == 0)
    barriers.init();
  barrier();

  const int steps = (int)((K + Depth - 1) / Depth), group = threadIdx.x / 128 - 1;
  RingPlace<Stages> place;
  if (group < 0) {
    leaveRegisters<Tile::Few>();
    if (threadIdx.x == 0) {
      PipelineOperand<decltype(knowA(M)), Tile::BM, Tile::AAcross> operandA;
      PipelineOperand<decltype(knowB(N)), Tile::BN, Tile::BAcross> operandB;
      auto bringRight = [&](int step, int stage) {
        Arrivals *full = barriers.full + stage;
        arriveExpecting(full, Tile::BytesA + Tile::BytesB);
        operandB.fetch(bufferB + stage * Tile::BytesB, (Index)step * Depth, full, bringB);
      };
      int early = 0; // steps whose right operand is on its way
      if (IsEarly && first < tiles) {
        operandB.start(corner(first).n0, N, knowB);
        NNC_UNROLL_BY(1)
        for (; early < Stages && early < steps; ++early)
          bringRight(early, early);
      }
      waitForKernels();
      for (Index tile = first; tile < tiles; tile += stride) {
        const auto at = corner(tile);
        operandA.start(at.m0, M, knowA);
        operandB.start(at.n0, N, knowB);
        NNC_UNROLL_BY(1)
        for (int step = 0; step < steps; ++step, place.next()) {
          waitForArrivals(barriers.empty + place.stage, place.parity ^ 1);
          if (early > 0)
            --early;
          else
            bringRight(step, place.stage);
          operandA.fetch(bufferA + place.stage * Tile::BytesA, (Index)step * Depth,
                         barriers.full + place.stage, bringA);
        }
      }
    }
  } else {
    takeRegisters<Tile::Many>();
    waitForKernels();
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4;
    const int row0 = Tile::InTurns ? 0 : group * Tile::GroupRows;
    if (Tile::InTurns)
      place.skip(group * steps);
    unsigned turn = group == 0; // which parity the turn's barrier has when it has come
    for (Index tile = first + (Tile::InTurns ? group * stride : 0); tile < tiles;
         tile += stride * (Tile::InTurns ? Tile::Groups : 1)) {
      const auto at = corner(tile);
      const Index m = at.m0 + row0 + warp * 16 + lane / 4, n = at.n0 + lane % 4 * 8;
      PipelineAhead<Tile, decltype(ahead(m, n)), decltype(columnsAt(n))> early;
      early.load(m, n, M, N, ahead);
      float sums[Tile::RowTiles][Tile::ColumnTiles][4] = {};
      // Until the groups before have seen their steps, the parity of a step may be an older one's.
      if constexpr (Tile::InTurns)
        waitForArrivals(barriers.turns + group, turn);
      turn ^= 1;
      pipelineSums<Tile, T>(sums, barriers, place, bufferA, bufferB, row0, steps);
      pipelineStore<Tile, AreDealt, Sum>(sums, early, m, n, M, N, ahead, columnsAt, store);
      if (Tile::InTurns)
        place.skip((Tile::Groups - 1) * steps);
    }
  }
}

/// The same tiles of C without what Hopper has, on MmaTile `Tile`, by as many of the block's
/// threads as that takes. `enter(number)` is called before what belongs to the product of that
/// number, of `batches`.
template <class Tile, class T, class Sum = float, class Index, class Enter, class KnowA, class A,
          class KnowB, class B, class Ahead, class Columns, class Store>
NNC_INLINE void pipelineElsewhere(char *shared, Index first, Index stride, Index batches,
                                  Enter enter, Index M, Index N, Index K, KnowA knowA, A a,
                                  KnowB knowB, B b, Ahead ahead, Columns columnsAt, Store store) {
  waitForKernels();
  if (threadIdx.x >= Tile::Threads)
    return;
  const Index tilesN = (N + Tile::BN - 1) / Tile::BN;
  const Index tiles = (M + Tile::BM - 1) / Tile::BM * tilesN;
  for (Index all = first; all < tiles * batches; all += stride) {
    enter(all / tiles);
    const Index tile = all % tiles;
    tileGemm<Tile, T, 8>(shared, tile / tilesN * Tile::BM, tile % tilesN * Tile::BN, M, N, K, knowA,
                         a, knowB, b, [&](Index m, Index n, const float(&sums)[8]) {
                           Sum values[8];
                           NNC_UNROLL
                           for (int i = 0; i < 8; ++i)
                             values[i] = Sum(sums[i]);
                           store(m, n, values, ahead(m, n), columnsAt(n));
                         });
    barrier();
  }
}
