#include "codegen/plan/BufferTable.h"

#include "ir/Dims.h"

#include <fmt/format.h>

using namespace mlir;

namespace nnc::codegen {

constexpr int64_t ArenaAlignment = 256; // what cudaMalloc guarantees

//===- Buffers --------------------------------------------------------------------------------===//

uint32_t BufferTable::add(RankedTensorType type, format::BufferKind kind, uint32_t index,
                          std::string name) {
  DType dtype = draft.elementOf(type);
  auto buffer = std::make_unique<format::BufferT>();
  buffer->kind = kind;
  buffer->index = index;
  buffer->dtype = uint8_t(dtype);
  buffer->shape = draft.pool.addAll(nn::getDims(type));
  buffer->bytes = draft.pool.add(draft.pool.product(nn::getDims(type), dtypeBytes(dtype)));
  buffer->name = std::move(name);
  draft.entry->buffers.push_back(std::move(buffer));
  types.push_back(type);
  return draft.entry->buffers.size() - 1;
}

uint32_t BufferTable::addArena(RankedTensorType type, std::string name) {
  uint32_t number = add(type, format::BufferKind::Arena, 0, std::move(name));
  touch(number);
  return number;
}

uint32_t BufferTable::addLike(uint32_t number) {
  return addArena(types[number], draft.entry->buffers[number]->name);
}

void BufferTable::liesOn(uint32_t number, SmallVector<uint32_t, 4> memory) {
  behind[number] = std::move(memory);
}

//===- Lifetimes ------------------------------------------------------------------------------===//

void BufferTable::touch(uint32_t number) {
  for (uint32_t other : behind.lookup(number))
    touch(other);
  if (draft.entry->buffers[number]->kind != format::BufferKind::Arena)
    return;
  auto [life, isNew] = lives.try_emplace(number, Lifetime{0, now, now});
  life->second.last = now;
}

void BufferTable::keepAlive(int64_t start, const format::LoopT &loop) {
  auto last = lives.end();
  for (const auto &carried : loop.carried)
    for (int64_t buffer : {int64_t(carried->next), int64_t(carried->spare)})
      if (auto life = buffer < 0 ? last : lives.find(uint32_t(buffer)); life != last) {
        life->second.first = std::min(life->second.first, start);
        life->second.last = now;
      }
  for (auto &[buffer, life] : lives)
    if (life.first <= start && life.last >= start)
      life.last = std::max(life.last, now);
}

//===- The arena ------------------------------------------------------------------------------===//

/// Bytes at the upper bounds of all dimensions.
int64_t BufferTable::upperBytes(uint32_t number) {
  const format::BufferT &buffer = *draft.entry->buffers[number];
  int64_t bytes = dtypeBytes(DType(buffer.dtype));
  for (AffineExpr dim : nn::getDims(types[number])) {
    std::optional<SizeRange> bounds = boundsOf(dim, draft.ranges);
    if (!bounds || __builtin_mul_overflow(bytes, std::max<int64_t>(bounds->high, 0), &bytes) ||
        bytes > INT64_MAX / 4) {
      draft.fail(fmt::format("`{}` has no upper bound below 2^61 bytes: declare smaller ranges",
                             buffer.name));
      return 0;
    }
  }
  return bytes;
}

void BufferTable::placeArena() {
  std::vector<Lifetime> lifetimes;
  int64_t total = 0;
  for (auto &[number, life] : lives) {
    life.bytes = upperBytes(number);
    if (__builtin_add_overflow(total, life.bytes, &total))
      draft.fail("its intermediate values exceed 2^63 bytes: declare smaller ranges");
    lifetimes.push_back(life);
  }
  if (!draft.failure.empty())
    return;
  MemoryPlan plan = planMemory(lifetimes, ArenaAlignment);
  for (auto [position, life] : llvm::enumerate(lives))
    draft.entry->buffers[life.first]->offset = plan.offsets[position];
  draft.entry->arena_bytes = plan.arenaBytes;
}

} // namespace nnc::codegen
