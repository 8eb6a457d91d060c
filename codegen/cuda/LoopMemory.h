//===- LoopMemory.h - Which buffers of a loop may lie in the same memory ------------*- C++ -*-===//
//
// Where steps of a loop run without a barrier of the grid between them, what one writes must not be
// what another block still reads.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CUDA_LOOPMEMORY_H
#define NNC_CODEGEN_CUDA_LOOPMEMORY_H

#include <cstdint>
#include <map>
#include <set>
#include <vector>

namespace nnc::format {
struct CarriedT;
struct EntryT;
struct LoopT;
} // namespace nnc::format

namespace nnc::codegen {

class LoopMemory {
public:
  explicit LoopMemory(const format::EntryT &entry);

  /// Makes the buffers known that `loop` and the loops in it move.
  void add(const format::LoopT &loop);

  /// Whether `written`, which a step writes, may share memory with `used`, which a step of the same
  /// iteration has read or written. False only where that is certain.
  bool mayShare(uint32_t written, uint32_t used) const;

private:
  bool overlap(uint32_t one, uint32_t other) const;
  std::set<uint32_t> basesOf(uint32_t buffer) const;
  uint64_t bytesOf(uint32_t buffer) const;

  const format::EntryT &entry;
  std::vector<int64_t> greatest;                        ///< of each dimension
  std::map<uint32_t, std::vector<uint32_t>> movedTo;    ///< by buffer: what it may point to
  std::map<uint32_t, const format::CarriedT *> carried; ///< by argument
  std::set<uint32_t> slots;
};

} // namespace nnc::codegen

#endif // NNC_CODEGEN_CUDA_LOOPMEMORY_H
