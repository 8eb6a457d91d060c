// Tiles of products whose weights stay, and memory that loops move.
#include "codegen/cuda/GemmTiles.h"
#include "codegen/cuda/LoopMemory.h"
#include "runtime/format/Plan.h"

#include <gtest/gtest.h>

using namespace nnc;
using namespace nnc::codegen;

namespace {

constexpr unsigned Most = 200 << 10;

TEST(ResidentTiles, HaveOneBlockPerMultiprocessor) {
  std::optional<ResidentTile> lstm = chooseResidentTile(64, 4096, 1024, 4, 8, Most);
  ASSERT_TRUE(lstm);
  EXPECT_EQ(lstm->text(), "ResidentTile<32, 64, 8, 4>");
  EXPECT_EQ(lstm->weightBytes(1024), 64U * 1024 * 2);
  EXPECT_EQ(lstm->sumBytes(), 8U * 32 * 72 * 4);
}

TEST(ResidentTiles, TakePartsEqually) {
  for (unsigned parts : {1U, 2U, 3U, 4U})
    for (int64_t units : {8, 24, 256, 520}) {
      std::optional<ResidentTile> tile =
          chooseResidentTile(33, units * parts, units, parts, 8, Most);
      ASSERT_TRUE(tile) << units << " " << parts;
      EXPECT_EQ(tile->columns % (8 * parts), 0U);
      EXPECT_LE(tile->weightBytes(units) + tile->sumBytes(), Most);
    }
}

TEST(ResidentTiles, AreNotThereForLargeWeights) {
  EXPECT_FALSE(chooseResidentTile(64, 16384, 4096, 4, 8, Most));
  EXPECT_FALSE(chooseResidentTile(64, 4096, 1024, 4, 8, Most / 2));
}

/// A loop that carries 0 = 1 then 2 or 3 in turn, and stacks 5 in 6; 7 is in 2's memory, 8 in none
/// of theirs.
struct Moved : testing::Test {
  format::EntryT entry;
  format::LoopT loop;

  Moved() {
    auto bytes = std::make_unique<format::ExprT>();
    bytes->nodes = {format::ExprNode(format::ExprOp::Const, 64)};
    entry.exprs.push_back(std::move(bytes));
    add(format::BufferKind::Loop, 0);
    for (uint64_t offset : {0, 64, 128})
      add(format::BufferKind::Arena, offset);
    add(format::BufferKind::Weight, 0);
    add(format::BufferKind::Loop, 0);
    add(format::BufferKind::Arena, 192);
    add(format::BufferKind::Arena, 96);
    add(format::BufferKind::Arena, 512);
    auto carried = std::make_unique<format::CarriedT>();
    carried->argument = 0;
    carried->init = 1;
    carried->next = 2;
    carried->spare = 3;
    carried->result = 0;
    loop.carried.push_back(std::move(carried));
    auto stacked = std::make_unique<format::StackedT>();
    stacked->slot = 5;
    stacked->result = 6;
    loop.stacked.push_back(std::move(stacked));
  }
  void add(format::BufferKind kind, uint64_t offset) {
    auto buffer = std::make_unique<format::BufferT>();
    buffer->kind = kind;
    buffer->offset = offset;
    entry.buffers.push_back(std::move(buffer));
  }
  bool mayShare(uint32_t written, uint32_t used) {
    LoopMemory memory(entry);
    memory.add(loop);
    return memory.mayShare(written, used);
  }
};

TEST_F(Moved, TakeTurns) {
  EXPECT_FALSE(mayShare(2, 0)); // it is the other's turn
  loop.carried[0]->spare = -1;
  EXPECT_TRUE(mayShare(2, 0)); // the iteration before left it there
}

TEST_F(Moved, StacksHaveAPartPerStep) {
  EXPECT_FALSE(mayShare(5, 0));
  EXPECT_TRUE(mayShare(5, 6));
  loop.carried[0]->next = 5;
  EXPECT_FALSE(mayShare(5, 0));
  loop.carried[0]->init = 6;
  EXPECT_TRUE(mayShare(5, 0)); // the first iteration reads there
}

TEST_F(Moved, OverlapInTheArena) {
  EXPECT_TRUE(mayShare(7, 0)); // where 2 lies
  EXPECT_TRUE(mayShare(7, 3)); // its first half
  EXPECT_FALSE(mayShare(8, 0));
  EXPECT_FALSE(mayShare(8, 4));
  EXPECT_TRUE(mayShare(4, 4));
}

} // namespace
