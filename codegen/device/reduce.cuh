// Reductions over the lanes of a warp and the threads of a block. The order of combination is
// fixed, so that results are the same bits in every run.

/// Combines the values of the 32 lanes; every lane gets the result. `combine` is commutative.
template <class T, class Combine> NNC_INLINE T warpReduce(T value, Combine combine) {
  NNC_UNROLL
  for (int lanes = 16; lanes > 0; lanes >>= 1)
    value = combine(value, shuffleXor(value, lanes));
  return value;
}

/// Combines the values of the block's `Threads` threads; every thread gets the result. Threads must
/// be a multiple of 32 and all of them must call.
template <int Threads, class T, class Combine> NNC_INLINE T blockReduce(T value, Combine combine) {
  __shared__ T partial[Threads / 32];
  value = warpReduce(value, combine);
  barrier(); // the previous reduction's partial results have been read
  if (threadIdx.x % 32 == 0)
    partial[threadIdx.x / 32] = value;
  barrier();
  value = partial[0];
  for (int warp = 1; warp < Threads / 32; ++warp)
    value = combine(value, partial[warp]);
  return value;
}

/// Combines the values of the threads that share one row: one, a warp's 32, or the whole block.
template <int Threads, class T, class Combine> NNC_INLINE T rowReduce(T value, Combine combine) {
  if constexpr (Threads == 1)
    return value;
  else if constexpr (Threads == 32)
    return warpReduce(value, combine);
  else
    return blockReduce<Threads>(value, combine);
}
