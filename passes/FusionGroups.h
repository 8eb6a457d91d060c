//===- FusionGroups.h - Groups of ops in an order that never has a cycle ------------*- C++ -*-===//
//
// Every group has a place on a line: it runs after all groups with smaller places and before all
// with larger ones. A merge is allowed only if the merged group still has such a place, so no
// search for cycles is ever needed and each question takes constant time.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_PASSES_FUSIONGROUPS_H
#define NNC_PASSES_FUSIONGROUPS_H

#include "ir/Interfaces.h"

#include "mlir/IR/AffineExpr.h"

#include <vector>

namespace nnc {

/// For each axis of a value, the axis of its group's space that it runs along; -1: an axis of size
/// 1 that runs along none.
using AxisMap = llvm::SmallVector<int64_t, 4>;

/// Why a neighbour is not in the same kernel.
struct Refusal {
  unsigned group;
  llvm::StringRef reason;
};

/// Ops that become one kernel.
struct Group {
  int64_t place = 0;
  nn::FusionRole kind = nn::FusionRole::Pointwise;
  mlir::Operation *anchor = nullptr; ///< gives the kernel its name and location
  bool closed = false;               ///< nothing may join
  /// The sizes that the elements of the group's values are numbered by, and which axes of it
  /// reductions drop. In a group without reduction every visible value has exactly this shape.
  llvm::SmallVector<mlir::AffineExpr> space;
  llvm::SmallVector<int64_t> reduced;
  llvm::SmallVector<mlir::Operation *> ops;
  llvm::SmallVector<mlir::Operation *> visible; ///< whose values have an AxisMap
  llvm::SmallVector<Refusal> refusals;
  int64_t openUses = 0; ///< uses of values of the group by ops outside it
  bool allCheap = true;
  bool readsOthers = false; ///< else it may run as early as anybody wants

  /// Neither product nor window nor reduction: may become part of a group that is.
  bool isElementwise() const {
    return kind == nn::FusionRole::Pointwise || kind == nn::FusionRole::Gather;
  }
};

class FusionGroups {
public:
  /// A new group at the end of the line; `place` must be larger than all before.
  unsigned create(nn::FusionRole kind, int64_t place);

  Group &operator[](unsigned id) { return groups[find(id)]; }
  /// The group that `id` has been merged into.
  unsigned find(unsigned id);

  void addConsumer(unsigned producer, unsigned consumer);
  /// Whether `consumer` may read something of `producer`.
  bool mayRead(unsigned consumer, unsigned producer);

  /// The place of the group that merges `parts` with an op that reads from the groups `reads`, or
  /// nothing if some group would have to run both before and after it. `now` is the end of the
  /// line.
  std::optional<int64_t> findPlace(llvm::ArrayRef<unsigned> parts, llvm::ArrayRef<unsigned> reads,
                                   int64_t now);

  /// Merges `parts` at `place`, which findPlace gave. The first part gives kind, anchor and space.
  unsigned merge(llvm::ArrayRef<unsigned> parts, int64_t place);

  unsigned size() const { return groups.size(); }

private:
  /// Whether all readers of `id` are in `parts` or run after `place`.
  bool isReadOnlyAfter(unsigned id, llvm::ArrayRef<unsigned> parts, int64_t place);

  struct Links {
    unsigned parent;
    llvm::SmallVector<unsigned, 4> consumers;
    bool manyConsumers = false; ///< not all are listed
  };
  std::vector<Group> groups;
  std::vector<Links> links;
};

} // namespace nnc

#endif // NNC_PASSES_FUSIONGROUPS_H
