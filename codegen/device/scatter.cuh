// Sums of rows by number, the derivative of a gather. No atomics: a block owns some rows of the
// result, reads all ids in order, and adds the values of those that name its rows. So every sum has
// one order; reading the ids once per block, from L2, costs little beside the values.

/// Adds values[sources[i] * columns] to result[targets[i] * columns] for each i, in that order. A
/// row that is named again and again, as padding is, is written once for all of that, and values
/// are on their way before they are wanted.
template <class Index, class T>
NNC_INLINE void addFound(const int *sources, const int *targets, int found, Index columns,
                         const T *values, float *result) {
  constexpr int Ahead = 8;
  int held = -1;
  float sum = 0.0f;
  for (int i = 0; i < found; i += Ahead) {
    float next[Ahead];
    NNC_UNROLL
    for (int k = 0; k < Ahead; ++k)
      next[k] = i + k < found ? (float)values[sources[i + k] * columns] : 0.0f;
    NNC_UNROLL
    for (int k = 0; k < Ahead; ++k) {
      if (i + k >= found)
        break;
      if (const int target = targets[i + k]; target != held) {
        if (held >= 0)
          result[held * columns] = sum;
        held = target;
        sum = result[held * columns];
      }
      sum += next[k];
    }
  }
  if (held >= 0)
    result[held * columns] = sum;
}

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
    for (Index column = thread; column < columns; column += Threads)
      addFound(sources, targets, found, columns, values + start * columns + column,
               result + first * columns + column);
  }
}
