//===- FormKernels.cpp - Group the ops of every entry point into kernels ----------------------===//
//
// Plans and outlines every entry point and @prepare, which always runs on the cpu.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/FusionPlan.h"
#include "passes/Passes.h"
#include "passes/TacticRules.h"

#include "ir/NNOps.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;

namespace nnc {
#define GEN_PASS_DEF_FORMKERNELS
#include "passes/Passes.h.inc"

namespace {

/// Where each axis of the operand is in the result, if `op` only inserts axes of size 1.
std::optional<SmallVector<int64_t>> matchInsertedAxes(nn::ReshapeOp op) {
  SmallVector<AffineExpr> from = nn::getDims(cast<RankedTensorType>(op.getInput().getType()));
  SmallVector<AffineExpr> to = nn::getDims(cast<RankedTensorType>(op.getType()));
  SmallVector<int64_t> places;
  for (auto [axis, size] : llvm::enumerate(to)) {
    if (places.size() < from.size() && nn::areEqual(size, from[places.size()]))
      places.push_back(axis);
    else if (nn::getConstant(size) != 1)
      return std::nullopt;
  }
  if (places.size() != from.size())
    return std::nullopt;
  return places;
}

/// A reshape ends a kernel, for it renames memory. One that only inserts axes of size 1 is also a
/// broadcast, which does not; readers that need no memory get that.
void turnReshapesIntoBroadcasts(Block &block) {
  for (Operation &op : llvm::make_early_inc_range(block)) {
    auto reshape = dyn_cast<nn::ReshapeOp>(op);
    if (!reshape || reshape.getInput().getDefiningOp<nn::GetOp>())
      continue;
    std::optional<SmallVector<int64_t>> places = matchInsertedAxes(reshape);
    if (!places)
      continue;
    OpBuilder builder(reshape);
    Value broadcast = builder.create<nn::BroadcastOp>(reshape.getLoc(), reshape.getType(),
                                                      reshape.getInput(), *places);
    reshape.getResult().replaceUsesWithIf(broadcast,
                                          [](OpOperand &use) { return !needsMemory(use); });
    for (Operation *dead : {broadcast.getDefiningOp(), reshape.getOperation()})
      if (dead->use_empty())
        dead->erase();
  }
}

/// Attention writes its result in the order of a transpose of it if nothing else reads that. Who
/// reads the result itself gets it back from the transpose, by strides.
void readThroughTranspose(Value result) {
  if (result.hasOneUse())
    return;
  for (Operation *user : result.getUsers()) {
    auto transpose = dyn_cast<nn::TransposeOp>(user);
    if (!transpose)
      continue;
    auto isLater = [&](OpOperand &use) {
      return use.getOwner() == user || (use.getOwner()->getBlock() == user->getBlock() &&
                                        user->isBeforeInBlock(use.getOwner()) && !needsMemory(use));
    };
    if (!llvm::all_of(result.getUses(), isLater))
      continue;
    OpBuilder builder(user->getContext());
    builder.setInsertionPointAfter(user);
    SmallVector<int64_t> back(transpose.getPermutation().size());
    for (auto [axis, from] : llvm::enumerate(transpose.getPermutation()))
      back[from] = axis;
    auto same = builder.create<nn::TransposeOp>(transpose.getLoc(), result.getType(),
                                                transpose.getResult(), back);
    result.replaceAllUsesExcept(same, user);
    return;
  }
}

/// The leaves of the sum that ends in `add`, of which nothing else reads a part, and what makes it
/// of them, users first; nothing if they are not pads with zeros, or more than attention has
/// results.
std::optional<SmallVector<nn::PadOp>> findPaddedParts(nn::AddOp add,
                                                      SmallVectorImpl<Operation *> &makers) {
  constexpr unsigned MostParts = 3;
  SmallVector<nn::PadOp> pads;
  SmallVector<Operation *> pending{add};
  while (!pending.empty()) {
    Operation *op = pending.pop_back_val();
    makers.push_back(op);
    auto pad = dyn_cast<nn::PadOp>(op);
    auto value = pad ? dyn_cast<FloatAttr>(pad.getValue()) : FloatAttr();
    if (value && value.getValue().isZero()) {
      pads.push_back(pad);
      continue;
    }
    if (!isa<nn::AddOp>(op) || pads.size() + pending.size() + 2 > MostParts)
      return std::nullopt;
    for (Value operand : op->getOperands()) {
      if (!operand.hasOneUse() || !operand.getDefiningOp())
        return std::nullopt;
      pending.push_back(operand.getDefiningOp());
    }
  }
  return pads;
}

/// The axis along which the pads, which are sorted, lie side by side and leave nothing free.
std::optional<int64_t> findAxisOfParts(SmallVectorImpl<nn::PadOp> &pads) {
  auto isPadded = [](nn::PadOp pad, int64_t axis) {
    return pad.getLow()[axis] != 0 || pad.getHigh()[axis] != 0;
  };
  int64_t rank = pads.front().getType().getRank(), axis = 0;
  while (axis < rank && !isPadded(pads.front(), axis))
    ++axis;
  for (nn::PadOp pad : pads)
    for (int64_t other = 0; other < rank; ++other)
      if (isPadded(pad, other) != (other == axis))
        return std::nullopt;
  llvm::sort(pads, [&](nn::PadOp a, nn::PadOp b) { return a.getLow()[axis] < b.getLow()[axis]; });
  int64_t end = 0;
  for (nn::PadOp pad : pads) {
    std::optional<int64_t> size = nn::getConstant(nn::getDim(pad.getInput().getType(), axis));
    if (!size || pad.getLow()[axis] != end)
      return std::nullopt;
    end += *size;
  }
  return pads.back().getHigh()[axis] == 0 ? std::optional(axis) : std::nullopt;
}

/// Replaces a sum of padded results of attention, if they fill a tensor, by these side by side.
bool joinParts(nn::AddOp add) {
  SmallVector<Operation *> makers;
  std::optional<SmallVector<nn::PadOp>> pads = findPaddedParts(add, makers);
  std::optional<int64_t> axis = pads ? findAxisOfParts(*pads) : std::nullopt;
  if (!axis)
    return false;
  SmallVector<Value> parts;
  for (nn::PadOp pad : *pads)
    parts.push_back(pad.getInput());
  if (!areWrittenSideBySide(parts, *axis))
    return false;
  OpBuilder builder(add);
  auto joined = builder.create<nn::ConcatOp>(add.getLoc(), add.getType(), parts, *axis);
  add.replaceAllUsesWith(joined.getResult());
  for (Operation *op : makers)
    op->erase();
  return true;
}

/// What the gradients of attention give to queries, keys and values that are parts of one tensor is
/// a sum of pads: the gradient of that tensor, which the kernel can write itself.
void joinGradients(Operation &attention) {
  Value value = attention.getResult(0);
  while (value.hasOneUse()) {
    Operation *user = *value.user_begin();
    auto add = dyn_cast<nn::AddOp>(user);
    if ((add && joinParts(add)) || !isa<nn::TransposeOp, nn::PadOp, nn::AddOp>(user))
      return;
    value = user->getResult(0);
  }
}

/// Has attention and its gradients write what is read next.
void prepareAttention(Block &block) {
  SmallVector<nn::FusionInterface> anchors;
  for (Operation &op : block)
    if (auto fusable = dyn_cast<nn::FusionInterface>(op))
      if (nn::isAttention(fusable.getFusionRole()))
        anchors.push_back(fusable);
  for (nn::FusionInterface anchor : anchors) {
    for (Value result : anchor->getResults())
      readThroughTranspose(result);
    if (anchor.getFusionRole() == nn::FusionRole::AttentionGrad)
      joinGradients(*anchor);
  }
}

/// Whether readers compute what `op` makes rather than read it from memory.
bool isReadThrough(Operation *op) {
  auto fusable = dyn_cast_or_null<nn::FusionInterface>(op);
  if (!fusable || isa<nn::GetOp, nn::ReshapeOp>(op))
    return false;
  return fusable.getFusionRole() == nn::FusionRole::Source ||
         (fusable.getFusionRole() == nn::FusionRole::View && op->getNumOperands() == 1);
}

/// Copies views and numbers into the loop that reads them, unless it reads them as memory.
void sinkViews(nn::ScanOp scan) {
  SmallVector<Value> pending = scan.getCaptured().takeVector();
  while (!pending.empty()) {
    Value value = pending.pop_back_val();
    Operation *op = value.getDefiningOp();
    auto isSunk = [&](OpOperand &use) {
      return use.getOwner()->getBlock() == scan.getBody() && !needsMemory(use);
    };
    if (!isReadThrough(op) || llvm::none_of(value.getUses(), isSunk))
      continue;
    auto builder = OpBuilder::atBlockBegin(scan.getBody());
    value.replaceUsesWithIf(builder.clone(*op)->getResult(0), isSunk);
    pending.append(op->operand_begin(), op->operand_end());
  }
}

/// Nothing is merged any more, so what keeps values apart has done its work.
void dropBarriers(func::FuncOp function) {
  function.walk([](nn::BarrierOp barrier) {
    barrier.replaceAllUsesWith(barrier.getInput());
    barrier.erase();
  });
}

struct FormKernels : impl::FormKernelsBase<FormKernels> {
  using FormKernelsBase::FormKernelsBase;

  void runOnOperation() override {
    names = {};
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      bool isPrepare = function->hasAttr(nn::kPrepareAttr);
      if (!isPrepare && !function->hasAttr(nn::kEntryAttr))
        continue;
      if (!function.getBody().hasOneBlock()) {
        function.emitOpError("must have one block to form kernels");
        return signalPassFailure();
      }
      dropBarriers(function);
      if (failed(formIn(function.getBody().front(), isPrepare ? Target::Cpu : target)))
        return signalPassFailure();
    }
  }

  /// Loops of the block first: then it is known what their kernels read.
  LogicalResult formIn(Block &block, Target machine) {
    for (auto scan : block.getOps<nn::ScanOp>()) {
      sinkViews(scan);
      if (failed(formIn(*scan.getBody(), machine)))
        return failure();
    }
    if (machine == Target::Cuda && !isa<nn::ScanOp>(block.getParentOp()))
      matchVariances(block);
    turnReshapesIntoBroadcasts(block);
    prepareAttention(block);
    FailureOr<FusionPlan> plan = planFusion(block, machine);
    if (failed(plan))
      return failure();
    OutlinedCount count = outlineKernels(block, *plan, names);
    numKernels += count.kernels;
    numGemms += count.gemms;
    return success();
  }

  KernelNames names;
};

} // namespace
} // namespace nnc
