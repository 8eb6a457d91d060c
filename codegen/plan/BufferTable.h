// The buffers of an entry point, by number: when each holds something, and where in the arena.
#pragma once

#include "codegen/plan/EntryDraft.h"
#include "codegen/plan/MemoryPlanner.h"

#include "llvm/ADT/MapVector.h"

namespace nnc::codegen {

/// Time is counted in steps, in the order of the text; a loop's body stands behind its beginning.
class BufferTable {
public:
  explicit BufferTable(EntryDraft &draft) : draft(draft) {}

  /// A new buffer for a tensor of this type.
  uint32_t add(mlir::RankedTensorType type, format::BufferKind kind, uint32_t index,
               std::string name);
  /// A new one in the arena, which holds something from now on.
  uint32_t addArena(mlir::RankedTensorType type, std::string name);
  /// Another one in the arena, of the type and name of `number`.
  uint32_t addLike(uint32_t number);
  /// The memory that an iteration of a loop sees at `number` is that of these.
  void liesOn(uint32_t number, llvm::SmallVector<uint32_t, 4> memory);

  const format::BufferT &operator[](uint32_t number) const { return *draft.entry->buffers[number]; }
  mlir::RankedTensorType typeOf(uint32_t number) const { return types[number]; }

  /// The memory of a buffer holds something now.
  void touch(uint32_t number);
  /// Ends a step.
  int64_t advance() { return now++; }
  /// What a loop that began at `start` and ends now reads from before it, and what goes from one
  /// iteration to the next, lives as long as the loop.
  void keepAlive(int64_t start, const format::LoopT &loop);

  /// Gives every buffer of the arena its offset, for the upper bounds of all dimensions.
  void placeArena();

private:
  int64_t upperBytes(uint32_t number);

  EntryDraft &draft;
  int64_t now = 0;
  std::vector<mlir::RankedTensorType> types;
  llvm::MapVector<uint32_t, Lifetime> lives; ///< of arena buffers
  llvm::DenseMap<uint32_t, llvm::SmallVector<uint32_t, 4>> behind;
};

} // namespace nnc::codegen
