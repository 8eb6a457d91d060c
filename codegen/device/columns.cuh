// Reductions of few results over very many elements. Blocks share out columns in tiles, and the
// rows of a tile in parts. In a block threads lie `Across` beside each other, each with `Width`
// neighbouring columns, and take every n-th row of their part. What they have is combined in a
// fixed order: in a warp, in the block, and then, by the block of a tile that is done last,
// whichever that is, over all parts of it.

/// How far numbers are spread: how many, their mean, and the sum of squared distances from it.
/// Merging is exact in theory and adds positive numbers only, so that nothing cancels (Chan et
/// al.).
struct Spread {
  float count, mean, squares;
};

NNC_INLINE Spread noSpread() { return {0.0f, 0.0f, 0.0f}; }

NNC_INLINE Spread shuffleXor(const Spread &value, int lanes) {
  return {shuffleXor(value.count, lanes), shuffleXor(value.mean, lanes),
          shuffleXor(value.squares, lanes)};
}

NNC_INLINE Spread mergeSpreads(const Spread &a, const Spread &b) {
  const float count = a.count + b.count, part = count > 0 ? b.count * reciprocal(count) : 0.0f;
  const float distance = b.mean - a.mean;
  return {count, a.mean + distance * part,
          a.squares + b.squares + distance * distance * a.count * part};
}

/// What one thread knows of a column. Distances are taken from its first number: that is one of
/// them, so that squares are at most as many times too large as the thread has numbers.
struct SpreadSums {
  float pivot, sum, squares;
  NNC_INLINE void add(float value) {
    const float distance = value - pivot;
    sum += distance;
    squares = fmaf(distance, distance, squares);
  }
  /// Of `count` numbers.
  NNC_INLINE Spread close(float count) const {
    if (count == 0)
      return noSpread();
    const float shift = sum * reciprocal(count);
    return {count, pivot + shift, maximum(squares - sum * shift, 0.0f)};
  }
};

/// Combines the values of a warp's lanes whose numbers differ by a multiple of `Apart`.
template <int Apart, class T, class Combine> NNC_INLINE T combineLanes(T value, Combine combine) {
  NNC_UNROLL
  for (int lanes = 16; lanes >= Apart; lanes >>= 1)
    value = combine(value, shuffleXor(value, lanes));
  return value;
}

/// Combines what the block's threads have of its Across * Width columns; thread i gets column i.
template <int Threads, int Across, int Width, class T, class Combine>
NNC_INLINE T combineColumns(const T (&own)[Width], Combine combine) {
  constexpr int Warps = Threads / 32, Columns = Across * Width;
  __shared__ T partial[Warps * Columns];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  barrier(); // the values before have been read
  NNC_UNROLL
  for (int i = 0; i < Width; ++i) {
    const T value = combineLanes<Across>(own[i], combine);
    if (lane < Across)
      partial[warp * Columns + lane * Width + i] = value;
  }
  barrier();
  T result = partial[threadIdx.x % Columns];
  for (int i = 1; i < Warps; ++i)
    result = combine(result, partial[i * Columns + threadIdx.x % Columns]);
  return result;
}

/// Combines the values of `parts` blocks, each of `Columns` columns; thread i gets column i.
template <int Threads, int Columns, class T, class Combine>
NNC_INLINE T combineParts(const T *values, int parts, T neutral, Combine combine) {
  constexpr int Groups = Threads / Columns, Kept = Columns < 32 ? Columns : 32;
  constexpr int Rows = Columns < 32 ? Threads / 32 : Groups;
  __shared__ T partial[Rows * Columns];
  const int thread = threadIdx.x, column = thread % Columns;
  T result = neutral;
  NNC_UNROLL_BY(4)
  for (int part = thread / Columns; part < parts; part += Groups)
    result = combine(result, values[part * Columns + column]);
  result = combineLanes<Kept>(result, combine);
  const int row = Columns < 32 ? thread / 32 : thread / Columns;
  barrier(); // the values before have been read
  if (Columns >= 32 || thread % 32 < Columns)
    partial[row * Columns + column] = result;
  barrier();
  result = partial[column];
  for (int i = 1; i < Rows; ++i)
    result = combine(result, partial[i * Columns + column]);
  return result;
}

/// Says that the block has written its part. True in the block of a tile that says so last, which
/// sees what all others have written.
NNC_INLINE bool arrivesLast(unsigned *arrivals, unsigned parts) {
  __shared__ bool isLast;
  barrier();
  if (threadIdx.x == 0) {
    isLast = countArrival(arrivals) == parts - 1;
    if (isLast)
      *arrivals = 0;
  }
  barrier();
  return isLast;
}
