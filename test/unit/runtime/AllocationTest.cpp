// After the first call with given sizes, a call allocates nothing. Counted in malloc and its
// relatives (which operator new calls) in the whole process, so this is a program of its own.
#include "TestModel.h"

#include <atomic>
#include <gtest/gtest.h>

static std::atomic<size_t> allocations{0};

// glibc's own functions, under names that stay reachable when these replace the public ones.
extern "C" {
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size) {
  ++allocations;
  return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
  ++allocations;
  return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size) {
  ++allocations;
  return __libc_realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
  ++allocations;
  return __libc_memalign(alignment, size);
}
}

using namespace nnc;

TEST(Allocation, noneAfterTheFirstCall) {
  Engine engine = loadTestModel();
  Result<Session> session = engine.session();
  for (int64_t b : {3, 1024}) {
    TensorMap inputs = {{"x", zeros(DType::F32, {b, 4})}};
    TensorMap outputs = {{"scaled", zeros(DType::F32, {b, 4})}, {"sums", zeros(DType::F32, {b})}};
    ASSERT_TRUE(session->runInto("forward", inputs, outputs));
    size_t before = allocations;
    for (int i = 0; i < 100; ++i)
      ASSERT_TRUE(session->runInto("forward", inputs, outputs));
    EXPECT_EQ(allocations - before, 0u) << "B = " << b;
  }
}

TEST(Allocation, noneForConvertedFloats) {
  Engine engine = loadTestModel();
  Result<Session> session = engine.session();
  TensorMap inputs = {{"x", zeros(DType::F32, {100})}}, outputs = {{"y", zeros(DType::F32, {100})}};
  ASSERT_TRUE(session->runInto("halves", inputs, outputs));
  size_t before = allocations;
  ASSERT_TRUE(session->runInto("halves", inputs, outputs));
  EXPECT_EQ(allocations - before, 0u);
}

TEST(Allocation, isCounted) {
  size_t before = allocations;
  Tensor aligned = zeros(DType::F32, {100});
  EXPECT_GT(allocations - before, 0u);
  before = allocations;
  std::vector<size_t> plain(allocations);
  EXPECT_EQ(allocations - before, 1u);
}
