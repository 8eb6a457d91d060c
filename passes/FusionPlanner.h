//===- FusionPlanner.h - The state of planning and its steps ------------------------*- C++ -*-===//
//
// Private to the planner. Ops are placed one by one in the order of the function, each into the
// groups of its operands if the rules of passes/README.md allow, else into a new one. Views and
// numbers are not placed: every reader computes them. Only one that must be read from memory is.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_PASSES_FUSIONPLANNER_H
#define NNC_PASSES_FUSIONPLANNER_H

#include "passes/FusionPlan.h"
#include "passes/FusionRelations.h"

#include "ir/NNOps.h"

namespace nnc {

/// An operand that comes from a group, possibly through views.
struct Reference {
  unsigned group;
  mlir::Operation *leaf;      ///< the member of the group
  bool direct;                ///< not through a view
  bool isOnlyPath;            ///< no other op reads the views in between
  std::optional<AxisMap> map; ///< of the operand; none if it does not run along the group's axes
};

/// A group that an op may join.
struct Candidate {
  unsigned group;
  AxisMap map; ///< of the op's result in it
};

class FusionPlanner {
public:
  FusionPlanner(mlir::Block &block, Target target) : block(block), target(target) {}

  mlir::FailureOr<FusionPlan> run();

private:
  // FusionPlanner.cpp: placing an op by its role.
  mlir::LogicalResult place(mlir::Operation *op);
  void placePointwise(mlir::Operation *op);
  void placeReduction(mlir::Operation *op);
  /// The group whose rows a reduction of `reference` over `axes` works on, if it may join it.
  std::optional<unsigned> findRows(const Reference &reference, llvm::ArrayRef<int64_t> axes,
                                   llvm::SmallVectorImpl<Refusal> &refusals);
  void placeView(mlir::Operation *op);
  /// Whether readers of a reshape may compute it, as they do other views.
  bool mayReadThrough(nn::ReshapeOp reshape);
  /// Whether an elementwise group may be computed in the order of the view `op` of its only result.
  void placeConcat(mlir::Operation *op);
  void placeUpdate(mlir::Operation *op);
  bool mayEndIn(const Reference &value, mlir::Operation *op);
  bool mayReindex(mlir::Operation *op, const Reference &reference);
  void reindex(mlir::Operation *op, unsigned id);
  /// An op that starts a group which nothing before it joins.
  void placeAnchor(mlir::Operation *op, nn::FusionRole role);
  void planProduct(nn::MatmulOp product, unsigned id);
  /// A loop, whose body is done: it waits for what that reads.
  void placeScan(nn::ScanOp scan);
  /// An op that the library does after its product. All readers of the product so far are such ops,
  /// so the group can wait for what `op` reads.
  void joinLibrary(mlir::Operation *op, unsigned id);
  /// A group that nothing joins: an alias (View), or a kernel of one op with the views it reads.
  void placeAlone(mlir::Operation *op, nn::FusionRole role);

  // FusionJoining.cpp: looking up and joining.
  bool isMember(mlir::Operation *op) const;
  /// The op of this block that makes `value`; null for arguments and what comes from around a loop.
  mlir::Operation *makerOf(mlir::Value value) const;
  bool mustLieInMemory(mlir::Operation *op);
  void findAttentionInputs();
  /// Elementwise ops that only lead to what states are set to, and that read what a state was.
  /// They stay apart from reductions and products, so that states are updated where they are.
  void findStateUpdates();
  /// Numbers computed from reductions of whole tensors, at least MinTotals of them, as the norm of
  /// all gradients is: they stay apart from these, which then do not wait for each other.
  void findTotals();
  /// Whether attention reads `op` through views.
  bool feedsAttention(mlir::Operation *op) const;
  /// Follows `value` through views to the group that computes it; nothing if it comes from an
  /// argument, a weight or numbers.
  std::optional<Reference> referenceOf(mlir::Value value);
  llvm::SmallVector<Reference> referencesOf(mlir::Operation *op);
  unsigned createGroup(mlir::Operation *op, nn::FusionRole kind);
  /// Makes `op` a member of the group and accounts for what it reads.
  void join(mlir::Operation *op, unsigned id, std::optional<AxisMap> map,
            llvm::ArrayRef<Reference> references, llvm::ArrayRef<Refusal> refusals);

  // FusionMerging.cpp: where an op may go.
  /// Whether the reduction of the group is shared out among blocks, which know no sum before all of
  /// them are done.
  bool isSpreadOut(const Group &group) const;
  /// Whether group `a` reads what blocks have in common of group `b`, or the other way round.
  bool waitForSums(unsigned a, unsigned b);
  /// The reduction along `axes` of a tensor like `value` that something else that reads `value` is
  /// part of, if what reads `reads` may join it.
  std::optional<unsigned> findSibling(mlir::Value value, llvm::ArrayRef<int64_t> axes,
                                      llvm::ArrayRef<Reference> references);
  /// Where `op`, which only reductions read, goes instead of the end of a product that it would
  /// store another tensor for: the reduction that reads one of its operands, or a new group.
  /// Nothing if it is not such an op.
  std::optional<llvm::SmallVector<unsigned>> findSums(mlir::Operation *op,
                                                      llvm::ArrayRef<Reference> references);
  /// Whether `reference` repeats sums along the axes of such a reduction.
  bool repeatsSums(const Reference &reference);
  /// The reason why a pointwise op may not join the group of `reference`; empty if it may.
  llvm::StringRef whyNot(mlir::Operation *op, const Reference &reference);
  llvm::SmallVector<Candidate> candidatesOf(mlir::Operation *op,
                                            llvm::ArrayRef<Reference> references,
                                            llvm::SmallVectorImpl<Refusal> &refusals);
  /// The groups that an op joins, the one that gives the kind first; none for a new group.
  llvm::SmallVector<unsigned> chooseParts(llvm::ArrayRef<Reference> references,
                                          llvm::ArrayRef<Candidate> candidates,
                                          llvm::SmallVectorImpl<Refusal> &refusals);
  /// Groups that may merge with the anchored group `id` when an op reads both.
  llvm::SmallVector<unsigned> companionsOf(unsigned id, llvm::ArrayRef<unsigned> anchored,
                                           llvm::ArrayRef<unsigned> elementwise,
                                           llvm::ArrayRef<Reference> references);
  /// `parts` with all companions that fit, or with none of them, or nothing.
  llvm::SmallVector<unsigned> extend(llvm::SmallVector<unsigned> parts,
                                     llvm::ArrayRef<unsigned> companions,
                                     llvm::ArrayRef<unsigned> reads);
  void refuseOthers(llvm::ArrayRef<unsigned> chosen, llvm::ArrayRef<Candidate> candidates,
                    llvm::SmallVectorImpl<Refusal> &refusals);
  /// Merges `parts`; `map` is that of an op which has the shape of every elementwise part.
  unsigned mergeParts(llvm::ArrayRef<unsigned> parts, const AxisMap &map,
                      llvm::ArrayRef<Reference> references);

  // FusionRows.cpp: products of few rows.
  /// Whether the groups are products of the same few rows, which one kernel can compute side by
  /// side.
  bool areGated(unsigned a, unsigned b);
  /// Has the group, if it is one of such products, compute their rows itself.
  void takeRows(unsigned id);

  // FusionRecompute.cpp: computing again instead of reading.
  /// Has the group `id` compute the cheap ops behind `reference` itself, if that saves a transfer:
  /// they are few, read at most one tensor that is no wider, and need not be in memory anyway.
  bool recompute(const Reference &reference, unsigned id);
  /// The ops that a reader of `reference` would compute again; empty if it had better read.
  llvm::SmallVector<mlir::Operation *> findRecomputed(const Reference &reference);
  /// Whether `op`, which is expensive, should not join what it reads but wait for its only reader,
  /// which waits for something later: what it reads can be computed again there.
  bool shouldWait(mlir::Operation *op, llvm::ArrayRef<Reference> references);
  /// Accounts for an operand of a recomputed op: either it is recomputed too, or a view of numbers
  /// or of something small, or it is the one tensor that is read.
  bool addSource(mlir::Value operand, mlir::Operation *reader, const Reference &reference,
                 mlir::Value &tensor, llvm::SmallVectorImpl<mlir::Operation *> &pending);
  bool isStoredAnyway(mlir::Operation *op);
  static bool isReadCheaper(mlir::Operation *leaf, mlir::Value weight, int64_t wide,
                            int64_t narrow);
  /// Whether a view repeats something along an axis of 16 or more, so that reading it costs little.
  bool isRepeated(mlir::Value value) const;
  /// Whether a view or source leads to numbers only.
  bool readsNothing(mlir::Operation *op);
  void addSourcesAsProducers(mlir::Operation *op, unsigned from, unsigned id);

  // FusionPlanner.cpp: the plan.
  FusionPlan finish();
  void addStep(unsigned id);

  struct Member {
    unsigned group;
    std::optional<AxisMap> map;
  };

  mlir::Block &block;
  Target target;
  int64_t now = 0;
  FusionGroups groups;
  FusionPlan plan;
  llvm::DenseMap<mlir::Operation *, Member> members;
  llvm::DenseMap<mlir::Operation *, int64_t> order;
  llvm::DenseMap<mlir::Operation *, unsigned> viewDepth;
  llvm::DenseMap<mlir::Operation *, bool> inMemory; ///< answers of mustLieInMemory
  /// Ops that attention reads, and how long a chain of views there still may be before them.
  llvm::DenseMap<mlir::Operation *, unsigned> attentionViews;
  llvm::DenseSet<mlir::Operation *> stateUpdates;
  llvm::DenseSet<mlir::Operation *> totals;            ///< see findTotals
  llvm::DenseMap<mlir::Operation *, unsigned> planned; ///< what libraries absorb, to their group
};

/// Keeps generated kernels small enough to compile quickly.
inline constexpr unsigned MaxGroupOps = 128;
/// Reductions that are worth two launches, theirs and that of what is computed from all of them.
inline constexpr unsigned MinTotals = 4;
/// Ops of a cheap producer that a reader computes again.
inline constexpr unsigned MaxRecomputed = 4;

} // namespace nnc

#endif // NNC_PASSES_FUSIONPLANNER_H
