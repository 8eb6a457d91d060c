// Sums of rows by number, the derivative of a gather. No atomics: a block owns some rows of the
// result, reads all ids in order, and adds the values of those that name its rows. So every sum has
// one order; reading the ids once per block, from L2, costs little beside the values.

/// Rows `block * Rows ..` of a result of `places` rows of `columns` numbers, from `count` values.
/// All of the block's `Threads` threads call.
template <int Threads, int Rows, class Index, class Id, class T>
NNC_INLINE void scatterAdd(Index block, Index places, Index count, Index columns, const Id *ids,
                           const T *values, float *result) {
  constexpr int Warps = Threads / 32;
  __shared__ int sources[Threads], targets[Threads], totals[Warps];
  const int thread = threadIdx.x, lane = thread % 32, warp = thread / 32;
  const Index first = block * Rows, end = minimum(first + (Index)Rows, places);
  for (Index i = first * columns + thread; i < end * columns; i += Threads)
    result[i] = 0;
  for (Index start = 0; start < count; start += Threads) {
    // Those of the next ids that are the block's, in their order.
    bool isOwn = false;
    Index row = 0;
    if (start + thread < count) {
      const long long id = ids[start + thread];
      const long long last = places - 1;
      row = (Index)(id < 0 ? 0 : id > last ? last : id);
      isOwn = row >= first && row < end;
    }
    int place = isOwn;
    NNC_UNROLL
    for (int distance = 1; distance < 32; distance *= 2) {
      const int other = shuffleFrom(place, lane >= distance ? lane - distance : lane);
      place += lane >= distance ? other : 0;
    }
    if (lane == 31)
      totals[warp] = place;
    barrier(); // also: the row before has been read, and the block's rows are cleared
    int found = 0;
    for (int i = 0; i < Warps; ++i) {
      place += i < warp ? totals[i] : 0;
      found += totals[i];
    }
    if (isOwn) {
      sources[place - 1] = thread;
      targets[place - 1] = (int)(row - first);
    }
    barrier();
    for (int i = 0; i < found; ++i) {
      const T *const from = values + (start + sources[i]) * columns;
      float *const to = result + (first + targets[i]) * columns;
      for (Index column = thread; column < columns; column += Threads)
        to[column] += (float)from[column];
    }
  }
}
