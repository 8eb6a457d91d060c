// What a loop that runs as one kernel does besides its steps.

NNC_INLINE void swapPointers(char *&a, char *&b) {
  char *const other = a;
  a = b;
  b = other;
}

/// The whole grid copies; no part of it may be read before the next barrier of the grid.
NNC_INLINE void copyBytes(char *to, const char *from, long long bytes) {
  const long long first = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  const long long step = (long long)gridDim.x * blockDim.x;
  if (((unsigned long long)to | (unsigned long long)from | bytes) % 4 == 0) {
    for (long long i = first; i < bytes / 4; i += step)
      ((unsigned *)to)[i] = ((const unsigned *)from)[i];
  } else {
    for (long long i = first; i < bytes; i += step)
      to[i] = from[i];
  }
}
