//===- Fusion.cpp - what is kept and what is computed again ---------------===//

#include "codegen/cpu/Fusion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::codegen;

UseOfTensor codegen::getUse(linalg::LinalgOp op, unsigned number) {
  AffineMap map = op.getMatchingIndexingMap(&op->getOpOperand(number));
  UseOfTensor use;
  use.strided = !map.isProjectedPermutation(/*allowZeroInResults=*/true);
  use.reduced = op.getNumReductionLoops() > 0;
  for (unsigned dim = 0; dim < op.getNumLoops(); ++dim)
    use.repeated |= !map.isFunctionOfDim(dim);
  return use;
}

double codegen::costOfBody(linalg::LinalgOp op) {
  double cost = 0;
  for (Operation &inner : op.getBlock()->without_terminator()) {
    if (isa<arith::DivFOp, math::SqrtOp, math::RsqrtOp>(inner))
      cost += 5;
    else if (isa<math::MathDialect>(inner.getDialect()) &&
             !isa<math::AbsFOp, math::AbsIOp, math::FloorOp, math::RoundEvenOp>(inner))
      cost += 20;
    else if (isa<tensor::ExtractOp>(inner))
      cost += 2;
    else if (!isa<linalg::IndexOp, arith::ConstantOp>(inner))
      cost += 1;
  }
  return cost;
}

bool codegen::isReshape(Operation *op) {
  return isa_and_nonnull<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::ReshapeOp>(op);
}

bool codegen::isPlainInsert(tensor::InsertSliceOp op) {
  return op.hasUnitStride() && op.getSourceType().getRank() == op.getType().getRank();
}

static bool isTrivial(Operation *op) {
  auto linalg = dyn_cast<linalg::LinalgOp>(op);
  return linalg && costOfBody(linalg) == 0;
}

bool codegen::wantsBuffer(Value tensor, const UseOfTensor &use) {
  Operation *op = tensor.getDefiningOp();
  if (!op)
    return false;
  if (isa<tensor::PadOp, tensor::InsertSliceOp>(op))
    return true;
  auto linalg = dyn_cast<linalg::LinalgOp>(op);
  if (!linalg || isTrivial(op))
    return false;
  if (linalg.getNumReductionLoops() > 0)
    return true;
  bool isUsedTwice = !tensor.hasOneUse() && costOfBody(linalg) >= 8;
  return use.repeated || use.strided || isUsedTwice;
}

Operation *codegen::findCombiner(linalg::LinalgOp op, unsigned number) {
  Block *body = op.getBlock();
  Value output = body->getArgument(op.getNumDpsInputs() + number);
  Operation *combiner = body->getTerminator()->getOperand(number).getDefiningOp();
  if (!combiner || !output.hasOneUse() || *output.user_begin() != combiner)
    return nullptr;
  return isa<arith::AddFOp, arith::AddIOp, arith::MulFOp, arith::MulIOp, arith::MaximumFOp,
             arith::MinimumFOp, arith::MaxSIOp, arith::MinSIOp, arith::AndIOp, arith::OrIOp>(
             combiner)
             ? combiner
             : nullptr;
}

SmallVector<Value> codegen::getCapturedTensors(linalg::LinalgOp op) {
  SmallVector<Value> captured;
  for (auto extract : op.getBlock()->getOps<tensor::ExtractOp>())
    if (!llvm::is_contained(captured, extract.getTensor()))
      captured.push_back(extract.getTensor());
  return captured;
}

/// Axes of the source and of the result that hold the same elements together.
SmallVector<ReshapeGroup> codegen::reshapeGroups(Operation *op) {
  SmallVector<ReshapeGroup> groups;
  auto group = [&](ArrayRef<ReassociationIndices> many, bool manyIsSource) {
    for (auto [one, axes] : llvm::enumerate(many)) {
      ReshapeGroup &next = groups.emplace_back();
      (manyIsSource ? next.source : next.result).assign(axes.begin(), axes.end());
      (manyIsSource ? next.result : next.source).push_back(one);
    }
  };
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    group(collapse.getReassociationIndices(), true);
  } else if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
    group(expand.getReassociationIndices(), false);
  }
  if (groups.empty()) {
    auto axes = [](Value value) {
      return llvm::to_vector(
          llvm::seq<unsigned>(0, cast<RankedTensorType>(value.getType()).getRank()));
    };
    groups.push_back({axes(op->getOperand(0)), axes(op->getResult(0))});
  }
  return groups;
}

/// Adds `scale * expr` to `form`.
static bool addTo(LinearForm &form, AffineExpr expr, int64_t scale) {
  if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
    form.factors[dim.getPosition()] += scale;
    return true;
  }
  if (auto constant = dyn_cast<AffineConstantExpr>(expr)) {
    form.constant += scale * constant.getValue();
    return true;
  }
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (binary && expr.getKind() == AffineExprKind::Add)
    return addTo(form, binary.getLHS(), scale) && addTo(form, binary.getRHS(), scale);
  // Constant factors are on the right.
  auto factor = binary ? dyn_cast<AffineConstantExpr>(binary.getRHS()) : AffineConstantExpr();
  return factor && expr.getKind() == AffineExprKind::Mul &&
         addTo(form, binary.getLHS(), scale * factor.getValue());
}

std::optional<LinearForm> codegen::getLinearForm(AffineExpr expr, unsigned numDims) {
  LinearForm form{SmallVector<int64_t>(numDims, 0), 0};
  bool isNegative = false;
  if (!addTo(form, expr, 1))
    return std::nullopt;
  for (int64_t factor : form.factors)
    isNegative |= factor < 0;
  return isNegative ? std::nullopt : std::optional(form);
}
