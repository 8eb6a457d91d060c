//===- LowerTraining.cpp - What training adds, as linalg --------------------------------------===//
//
// Identities are their operands. A scatter is the sum over all ids of what belongs to a place:
// kernels do better and are written from the operation (`scatter` is an anchor that is not
// lowered).
//
//===------------------------------------------------------------------------------------------===//

#include "ir/LoweringUtils.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;

namespace nnc::nn {

Lowered StopGradientOp::lowerToLinalg(OpBuilder &, ValueRange operands) {
  return SmallVector<Value>{operands[0]};
}

Lowered BarrierOp::lowerToLinalg(OpBuilder &, ValueRange operands) {
  return SmallVector<Value>{operands[0]};
}

Lowered ScatterAddOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  Lowering lowering(builder, getLoc());
  int64_t axis = getAxis(), rank = getType().getRank(), idsRank = getIds().getType().getRank();
  Type f32 = builder.getF32Type();
  Value zero = lowering.constant(f32, 0);
  Value first = lowering.size(builder.getAffineConstantExpr(0));
  Value last = lowering.size(nn::getDim(getType(), axis) - 1);
  // Loops: the axes of the result, then those of the ids.
  SmallVector<AffineExpr> result, ids, values;
  SmallVector<bool> parallel(rank, true);
  for (int64_t loop = 0; loop < rank; ++loop)
    result.push_back(builder.getAffineDimExpr(loop));
  for (int64_t i = 0; i < idsRank; ++i)
    ids.push_back(builder.getAffineDimExpr(rank + i));
  parallel.append(idsRank, false);
  values = result;
  values.insert(values.erase(values.begin() + axis), ids.begin(), ids.end());
  SmallVector<AffineMap> maps;
  for (ArrayRef<AffineExpr> exprs : {ArrayRef(values), ArrayRef(ids), ArrayRef(result)})
    maps.push_back(AffineMap::get(rank + idsRank, 0, exprs, getContext()));
  Value sum = lowering.reduce(
      lowering.fill(getType(), zero), {operands[0], operands[1]}, maps, parallel,
      [&](OpBuilder &b, Location loc, ValueRange x) -> Value {
        Value place = b.create<linalg::IndexOp>(loc, axis);
        Value id = b.create<arith::IndexCastOp>(loc, b.getIndexType(), x[1]);
        id = b.create<arith::MinSIOp>(loc, b.create<arith::MaxSIOp>(loc, id, first), last);
        Value isHere = b.create<arith::CmpIOp>(loc, arith::CmpIPredicate::eq, id, place);
        Value part = b.create<arith::SelectOp>(loc, isHere, widen(b, loc, x[0]), zero);
        return b.create<arith::AddFOp>(loc, part, x[2]);
      });
  return SmallVector<Value>{sum};
}

} // namespace nnc::nn
