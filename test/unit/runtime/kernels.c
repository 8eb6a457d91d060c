// Kernels of the models that these tests make by hand, compiled to an object at build time as the
// compiler would make it: void kernel(buffers, dims, block).
#include <stdint.h>

// (x [B, 4], w [4], y [B, 4]): y = x * w; one block per row.
void scale(void *const *buffers, const int64_t *dims, int64_t block) {
  const float *x = (const float *)buffers[0] + block * 4;
  const float *w = buffers[1];
  float *y = (float *)buffers[2] + block * 4;
  for (int i = 0; i < 4; ++i)
    y[i] = x[i] * w[i];
}

// (x [B, 4], sum [B]): one block, sizes from dims.
void row_sums(void *const *buffers, const int64_t *dims, int64_t block) {
  const float *x = buffers[0];
  float *sum = buffers[1];
  for (int64_t row = 0; row < dims[0]; ++row) {
    sum[row] = 0;
    for (int i = 0; i < 4; ++i)
      sum[row] += x[row * 4 + i];
  }
}

// (count i64[], result i64[]): counts the calls of a session.
void count(void *const *buffers, const int64_t *dims, int64_t block) {
  int64_t *state = buffers[0];
  *(int64_t *)buffers[1] = ++*state;
}
