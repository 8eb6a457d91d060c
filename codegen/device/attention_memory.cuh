// What attention_groups.cuh needs of memory: how a block is laid out, which tiles it takes, how
// queries, keys and values come.

/// Head size, groups of 64 rows, keys of a step, how many steps' keys and values there is memory
/// for, and whether a group's own products run beside its weights. Loads are of 8 elements.
template <int D_, int Groups_, int Keys_, int Stages_, bool Overlaps_> struct AttentionGroupTile {
  static constexpr int D = D_, Groups = Groups_, Keys = Keys_, Stages = Stages_;
  static constexpr bool Overlaps = Overlaps_;
  static constexpr int Bringers = 128; ///< threads, half of them for keys
  static constexpr int Rows = Groups * 64, Threads = Groups * 128 + Bringers;
  static constexpr int Depths = (D + 15) / 16;  ///< steps of the first product
  static constexpr int Columns = (D + 63) / 64; ///< blocks of 64 places, 128 bytes
  static constexpr int PlaceTiles = Depths * 2, KeyTiles = Keys / 8;
  static constexpr int QueryBytes = 64 * Columns * 128, KeyBytes = Keys * Columns * 128;
  static constexpr int DataBytes = Groups * QueryBytes + 2 * Stages * KeyBytes;
  static constexpr int SharedBytes = DataBytes + Stages * 4 * (int)sizeof(Arrivals);
  static_assert(Keys % 16 == 0 && D % 8 == 0, "the depth of a product is 16, loads take 8");

  /// Registers of a thread at the start, if a multiprocessor has one block; who brings needs few,
  /// 40 if nothing is to be spilled, which two groups leave.
  static constexpr int Registers = 65536 / Threads / 8 * 8, OfBringers = Groups == 2 ? 40 : 32;
  static constexpr int Free = (Registers * Threads - OfBringers * Bringers) / (Groups * 128);
  static constexpr int OfGroups = Free < 240 ? Free / 8 * 8 : 240;
};

/// Which steps' memory is full, and which is empty.
template <class Tile> struct AttentionGroupArrivals {
  Arrivals fullKeys[Tile::Stages], emptyKeys[Tile::Stages];
  Arrivals fullValues[Tile::Stages], emptyValues[Tile::Stages];

  NNC_INLINE void prepare() {
    // One lane says that its warp is done; who brings says so for itself.
    const int i = threadIdx.x;
    if (i < Tile::Stages) {
      prepareArrivals(fullKeys + i, Tile::Bringers / 2);
      prepareArrivals(fullValues + i, Tile::Bringers / 2);
      prepareArrivals(emptyKeys + i, Tile::Groups * 4);
      prepareArrivals(emptyValues + i, Tile::Groups * 4);
    }
    barrier();
  }
};

/// The tiles of block `number` of `blocks`: one of every `blocks`, from the front and from the back
/// of them by turns, since what comes first may take longest.
template <class Index> struct AttentionTiles {
  Index number, blocks, tiles, round = 0;
  NNC_INLINE Index at(Index round) const {
    return round * blocks + (round % 2 ? blocks - 1 - number : number);
  }
  NNC_INLINE Index now() const { return at(round); }
  NNC_INLINE Index next() const { return at(round + 1); }
  NNC_INLINE bool isIn(Index tile) const { return tile < tiles; }
};

/// Where use number `count` of memory for `Stages` is, and the parity of that phase.
template <int Stages> struct Turn {
  unsigned count = 0;
  NNC_INLINE int stage() const { return (int)(count % Stages); }
  NNC_INLINE unsigned parity() const { return count / Stages & 1; }
};

/// The warp has read what is there.
NNC_INLINE void giveBack(Arrivals *empty) {
  joinWarp();
  if (threadIdx.x % 32 == 0)
    arrive(empty);
}

/// Which chunks of 8 elements a thread brings, one of `Threads`: always the same of some rows.
template <class Tile, int Threads> struct AttentionGroupChunks {
  static constexpr int PerRow = Tile::Columns == 3 ? 32 : Tile::Columns * 8; // some are idle
  static constexpr int Step = Threads / PerRow;
  static_assert(Threads % PerRow == 0, "threads tile rows");
  int chunk, row;
  NNC_INLINE explicit AttentionGroupChunks(int thread)
      : chunk(thread % PerRow), row(thread / PerRow) {}
  NNC_INLINE bool exists() const { return chunk * 8 < Tile::D; }
  NNC_INLINE bool isIdle() const { return chunk >= Tile::PlaceTiles; }
  /// Where the chunk lies in memory for `Rows` rows: swizzled, in blocks of 64 places.
  template <int Rows> NNC_INLINE int place(int r) const {
    return chunk / 8 * (Rows * 128) + swizzled(r, chunk % 8);
  }
};

/// The half of the warps that bring keys, or that bring values: of all steps of tile after tile.
template <class Tile, class T> struct AttentionBringer {
  using Chunks = AttentionGroupChunks<Tile, Tile::Bringers / 2>;
  Chunks chunks{(int)threadIdx.x % (Tile::Bringers / 2)};
  Turn<Tile::Stages> turn;

  template <class Index>
  NNC_INLINE void bring(char *memory, Arrivals *full, Arrivals *empty,
                        const AttentionTensor<const T, Index> &from, Index batch, Index head,
                        Index end) {
    const T *next = from.at(batch, head, chunks.row) + chunks.chunk * 8;
    const Index step = from.position * Chunks::Step;
    for (Index key0 = 0; key0 < end; key0 += Tile::Keys, ++turn.count) {
      char *to = memory + turn.stage() * Tile::KeyBytes;
      waitForArrivals(empty + turn.stage(), turn.parity() ^ 1);
      NNC_UNROLL_BY(4)
      for (int r = chunks.row; r < Tile::Keys; r += Chunks::Step, next += step)
        if (!chunks.isIdle())
          copyAsyncIf(r < end - key0 && chunks.exists(), to + chunks.template place<Tile::Keys>(r),
                      next);
      commitCopies();
      waitForCopies<0>();
      showToGroups();
      arrive(full + turn.stage());
    }
  }
};

/// Starts to bring a group's queries; `row(r)` points to row r of `count` that there are.
template <class Tile, class Row>
NNC_INLINE void bringAttentionQueries(char *queries, int count, Row row) {
  using Chunks = AttentionGroupChunks<Tile, 128>;
  const Chunks chunks(threadIdx.x % 128);
  NNC_UNROLL_BY(4)
  for (int r = chunks.row; r < 64; r += Chunks::Step) {
    const bool exists = r < count && chunks.exists();
    if (!chunks.isIdle())
      copyAsyncIf(exists, queries + chunks.template place<64>(r),
                  row(exists ? r : 0) + chunks.chunk * 8);
  }
  commitCopies();
}
