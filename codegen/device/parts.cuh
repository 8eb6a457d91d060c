// Several independent kernels in one launch: the blocks of the grid are shared out among them.

#ifdef __CUDACC__
#define NNC_CONSTANT __constant__ const
#define NNC_TABLE(N) const __grid_constant__ Table<N>
#else
#define NNC_CONSTANT static const
#define NNC_TABLE(N) const Table<N>
#endif

/// The addresses of the buffers of all parts: operands, then results.
template <int N> struct Table {
  void *at[N];
};

/// What the blocks from `first` on do.
struct Part {
  unsigned first;                   ///< block of the grid
  int count;                        ///< threads that have something to do
  unsigned short what;              ///< function
  unsigned short operands, results; ///< where its addresses begin in the table
};
/// The same of one whose blocks share sums.
struct SumPart : Part {
  int blocks;
  unsigned short sum; ///< its number among these
};

/// The number of the part that block `block` belongs to.
template <class P, int N> NNC_INLINE int partOf(const P (&parts)[N], unsigned block) {
  int low = 0, high = N;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (parts[middle].first <= block)
      low = middle;
    else
      high = middle;
  }
  return low;
}
