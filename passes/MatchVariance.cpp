//===- MatchVariance.cpp - Reductions that blocks share out -----------------------------------===//
//
// Where many blocks work on one sum, what depends on it waits for another kernel. So a variance,
// which needs the mean, is recognised: in one pass it is as exact if parts are merged well.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/EraseDead.h"
#include "passes/TacticRules.h"

#include "ir/NNOps.h"
#include "ir/Spread.h"

#include "mlir/IR/Builders.h"

using namespace mlir;

namespace nnc {
/// Of a dimension that is not known.
static constexpr int64_t TypicalSize = 64;

int64_t typicalCount(ArrayRef<AffineExpr> dims) {
  constexpr int64_t Most = int64_t(1) << 40;
  int64_t count = 1;
  for (AffineExpr dim : dims) {
    AffineExpr size = dim;
    dim.walk([&](AffineExpr part) {
      if (isa<AffineSymbolExpr>(part))
        size = size.replace(part, getAffineConstantExpr(TypicalSize, dim.getContext()));
    });
    count = std::min(Most, count * nn::getConstant(size).value_or(TypicalSize));
  }
  return count;
}

int64_t typicalCount(Value value) {
  return typicalCount(nn::getDims(cast<RankedTensorType>(value.getType())));
}

bool isSharedOut(ArrayRef<AffineExpr> space, ArrayRef<int64_t> reduced) {
  // Columns: neighbours belong to different sums. Rows: one of a block's would take long.
  constexpr int64_t ShortestColumn = 512, MostColumns = 8192;
  constexpr int64_t ShortestRow = 1 << 16, MostRows = 64;
  SmallVector<AffineExpr> along, kept;
  bool isOfColumns = false;
  for (auto [axis, size] : llvm::enumerate(space)) {
    bool isReduced = llvm::is_contained(reduced, axis);
    (isReduced ? along : kept).push_back(size);
    if (nn::getConstant(size) != 1)
      isOfColumns = !isReduced;
  }
  int64_t length = typicalCount(along), results = typicalCount(kept);
  return isOfColumns ? length >= ShortestColumn && results <= MostColumns
                     : length >= ShortestRow && results <= MostRows;
}

void matchVariances(Block &block) {
  bool hasMatched = false;
  for (Operation &op : llvm::make_early_inc_range(block)) {
    auto reduce = dyn_cast<nn::ReduceOp>(op);
    auto square = reduce ? reduce.getInput().getDefiningOp<nn::MulOp>() : nn::MulOp();
    if (!square || reduce.getKind() != nn::ReduceKind::Mean || square.getLhs() != square.getRhs() ||
        !isSharedOut(nn::getDims(square.getType()), reduce.getAxes()))
      continue;
    Value input = nn::matchDistanceFromMean(square.getLhs(), reduce.getAxes());
    if (!input)
      continue;
    reduce.getInputMutable().assign(input);
    reduce->setAttr(nn::kSpreadAttr, UnitAttr::get(op.getContext()));
    hasMatched = true;
  }
  if (hasMatched)
    eraseDead(block.begin(), std::prev(block.end()));
}

} // namespace nnc
