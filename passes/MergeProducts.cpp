//===- MergeProducts.cpp - Products of one value with several weights become one --------------===//
//
// Queries, keys and values of attention are three products of the same rows. One product with the
// weights behind each other reads the rows once and fills the machine better; its parts are slices
// along the heads, which attention and whatever else comes next read through strides.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/Passes.h"
#include "passes/TacticRules.h"
#include "passes/WeightValues.h"

#include "ir/NNOps.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace nnc {
#define GEN_PASS_DEF_MERGEPRODUCTS
#include "passes/Passes.h.inc"

namespace {

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// A product with a weight whose columns are heads of one size, and the bias behind it.
struct Part {
  nn::MatmulOp product;
  Operation *add = nullptr;   ///< null without a bias
  Operation *round = nullptr; ///< of a sum in f32 to the 16 bits of the operands
  Value bias;                 ///< one number per column
  SmallVector<nn::ReshapeOp> readers;
  int64_t heads = 0, headSize = 0;
  bool areMoved = false; ///< axes of size 1 stand anywhere around the rows and heads

  Value result() { return (round ? round : add ? add : product)->getResult(0); }
};

/// Finds `product + bias` where the bias is a vector of weights along the last axis.
void matchBias(Part &part, const WeightValues &weights) {
  if (std::optional<RoundedBias> end = matchRoundedBias(part.product)) {
    if (weights.contains(end->bias)) {
      part.add = end->add;
      part.round = end->round;
      part.bias = end->bias;
    }
    return;
  }
  Value result = part.product.getResult();
  auto add = result.hasOneUse() ? dyn_cast<nn::AddOp>(*result.user_begin()) : nn::AddOp();
  if (!add)
    return;
  Value bias = matchColumnVector(add->getOperand(add->getOperand(0) == result ? 1 : 0));
  if (!bias || !weights.contains(bias))
    return;
  part.add = add;
  part.bias = bias;
}

/// The heads of a reshape that only cuts the last axis.
bool matchCut(RankedTensorType type, RankedTensorType cut, Part &part) {
  if (cut.getRank() != type.getRank() + 1)
    return false;
  for (int64_t axis = 0; axis + 1 < type.getRank(); ++axis)
    if (!nn::areEqual(nn::getDim(type, axis), nn::getDim(cut, axis)))
      return false;
  part.heads = cut.getDimSize(type.getRank() - 1);
  part.headSize = cut.getShape().back();
  return !ShapedType::isDynamic(part.heads) && !ShapedType::isDynamic(part.headSize);
}

SmallVector<AffineExpr> longerThanOne(RankedTensorType type) {
  SmallVector<AffineExpr> dims = nn::getDims(type);
  llvm::erase_if(dims, [](AffineExpr dim) { return dim == 1; });
  return dims;
}

/// The heads of a reshape that also moves axes of size 1, such as that of one token.
bool matchRows(RankedTensorType type, RankedTensorType cut, Part &part) {
  SmallVector<AffineExpr> rows = longerThanOne(type), sizes = longerThanOne(cut);
  if (rows.size() + 1 != sizes.size() || type.getShape().back() == 1 ||
      !llvm::equal(ArrayRef(rows).drop_back(), ArrayRef(sizes).drop_back(2)))
    return false;
  auto heads = dyn_cast<AffineConstantExpr>(sizes[sizes.size() - 2]);
  auto headSize = dyn_cast<AffineConstantExpr>(sizes.back());
  part.areMoved = heads && headSize;
  if (part.areMoved) {
    part.heads = heads.getValue();
    part.headSize = headSize.getValue();
  }
  return part.areMoved;
}

/// Whether all readers cut the last axis into the same heads.
bool matchHeads(Part &part) {
  RankedTensorType type = typeOf(part.result());
  for (Operation *user : part.result().getUsers()) {
    auto reshape = dyn_cast<nn::ReshapeOp>(user);
    if (!reshape || user->getBlock() != part.product->getBlock())
      return false;
    RankedTensorType cut = typeOf(reshape.getResult());
    if (!part.readers.empty() && cut != typeOf(part.readers.front().getResult()))
      return false;
    // Where nothing moves there is nothing to reshape afterwards; the readers of one row, of which
    // some cut and some move, are all taken as moving.
    bool isOneRow = type.hasStaticShape() && type.getNumElements() == type.getShape().back();
    bool matches = isOneRow ? matchRows(type, cut, part) || matchCut(type, cut, part)
                            : matchCut(type, cut, part) || matchRows(type, cut, part);
    if (!matches)
      return false;
    part.readers.push_back(reshape);
  }
  return !part.readers.empty();
}

std::optional<Part> matchPart(Operation *op, const WeightValues &weights) {
  auto product = dyn_cast<nn::MatmulOp>(op);
  if (!product || product.getTransposeA() || typeOf(product.getRhs()).getRank() != 2 ||
      !weights.contains(product.getRhs()) || weights.contains(product.getLhs()) ||
      isDequantized(product.getRhs()) || !isa<FloatType>(product.getType().getElementType()))
    return std::nullopt;
  Part part;
  part.product = product;
  matchBias(part, weights);
  return matchHeads(part) ? std::optional(part) : std::nullopt;
}

/// Moves what makes `value`, all of it known once the weights are, before `place`.
void moveBefore(Value value, Operation *place) {
  Operation *op = value.getDefiningOp();
  if (!op || op->getBlock() != place->getBlock() || op->isBeforeInBlock(place))
    return;
  for (Value operand : op->getOperands())
    moveBefore(operand, place);
  op->moveBefore(place);
}

Value concat(OpBuilder &builder, Location loc, ArrayRef<Value> values, int64_t axis) {
  SmallVector<AffineExpr> dims = nn::getDims(typeOf(values.front()));
  for (Value value : values.drop_front())
    dims[axis] = dims[axis] + nn::getDim(typeOf(value), axis);
  RankedTensorType type = nn::getTensorType(dims, typeOf(values.front()).getElementType());
  return builder.create<nn::ConcatOp>(loc, type, values, axis);
}

/// One product of all parts, cut into all their heads.
Value makeProduct(OpBuilder &builder, MutableArrayRef<Part> parts) {
  nn::MatmulOp first = parts.front().product;
  Location loc = first.getLoc();
  SmallVector<Value> weights, biases;
  int64_t heads = 0;
  for (Part &part : parts) {
    weights.push_back(part.product.getRhs());
    if (part.bias)
      biases.push_back(part.bias);
    heads += part.heads;
  }
  for (ArrayRef<Value> values : {ArrayRef(weights), ArrayRef(biases)})
    for (Value value : values)
      moveBefore(value, first);
  Value weight = concat(builder, loc, weights, first.getTransposeB() ? 0 : 1);
  SmallVector<AffineExpr> dims = nn::getDims(first.getType());
  dims.back() = builder.getAffineConstantExpr(heads * parts.front().headSize);
  RankedTensorType type = nn::getTensorType(dims, first.getType().getElementType());
  RankedTensorType rounded =
      nn::getTensorType(dims, typeOf(parts.front().result()).getElementType());
  Value result = builder.create<nn::MatmulOp>(loc, type, first.getLhs(), weight,
                                              first.getTransposeA(), first.getTransposeB());
  if (!biases.empty()) {
    Value bias = concat(builder, loc, biases, 0);
    if (type != rounded)
      bias = builder.create<nn::CastOp>(
          loc, nn::withElementType(typeOf(bias), type.getElementType()), bias);
    bias = builder.create<nn::BroadcastOp>(loc, type, bias, ArrayRef<int64_t>{type.getRank() - 1});
    result = builder.create<nn::AddOp>(parts.front().add->getLoc(), type, result, bias);
  }
  if (type != rounded)
    result = builder.create<nn::CastOp>(parts.front().round->getLoc(), rounded, result);
  if (parts.front().areMoved)
    llvm::erase_if(dims, [](AffineExpr dim) { return dim == 1; });
  dims.back() = builder.getAffineConstantExpr(heads);
  dims.push_back(builder.getAffineConstantExpr(parts.front().headSize));
  return builder.create<nn::ReshapeOp>(loc, nn::getTensorType(dims, rounded.getElementType()),
                                       result);
}

/// Each part's readers get its heads of the one product.
void merge(MutableArrayRef<Part> parts) {
  OpBuilder builder(parts.front().product);
  Value all = makeProduct(builder, parts);
  int64_t rank = typeOf(all).getRank(), start = 0;
  for (Part &part : parts) {
    SmallVector<AffineExpr> starts(rank, builder.getAffineConstantExpr(0));
    starts[rank - 2] = builder.getAffineConstantExpr(start);
    start += part.heads;
    SmallVector<AffineExpr> dims = nn::getDims(typeOf(all));
    dims[rank - 2] = builder.getAffineConstantExpr(part.heads);
    Location loc = part.product.getLoc();
    Value slice = builder.create<nn::SliceOp>(
        loc, nn::getTensorType(dims, typeOf(all).getElementType()), all,
        nn::getSymbolMap(starts, builder.getContext()), SmallVector<int64_t>(rank, 1));
    if (part.areMoved)
      slice = builder.create<nn::ReshapeOp>(loc, typeOf(part.readers.front().getResult()), slice);
    for (nn::ReshapeOp reader : part.readers) {
      reader.getResult().replaceAllUsesWith(slice);
      reader.erase();
    }
  }
  for (Part &part : parts) {
    for (Operation *op : {part.round, part.add, part.product.getOperation()})
      if (op)
        op->erase();
  }
}

struct MergeProducts : impl::MergeProductsBase<MergeProducts> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function->hasAttr(nn::kEntryAttr))
        mergeIn(function);
  }

  void mergeIn(func::FuncOp function) {
    WeightValues weights(function);
    // By what must be the same: the rows and whether axes move, the layout of the weight, the
    // heads, having a bias, and where the sum is rounded.
    using Key = std::tuple<Value, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t>;
    llvm::MapVector<Key, SmallVector<Part>> groups;
    for (Operation &op : function.getBody().front())
      if (std::optional<Part> part = matchPart(&op, weights))
        groups[{part->product.getLhs(), int64_t(part->product.getTransposeB()), part->headSize,
                int64_t(bool(part->bias)), int64_t(part->areMoved), int64_t(part->product.isWide()),
                int64_t(part->round != nullptr)}]
            .push_back(*part);
    for (auto &[key, parts] : groups) {
      if (parts.size() < 2)
        continue;
      merge(parts);
      numMerged += parts.size();
    }
  }
};

} // namespace
} // namespace nnc
