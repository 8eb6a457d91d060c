//===- CapturedGradients.cpp - What a loop gives to values from outside -----------------------===//

#include "passes/CapturedGradients.h"

using namespace mlir;

namespace nnc {
namespace {

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

Value reshape(OpBuilder &builder, Value value, ArrayRef<AffineExpr> dims) {
  RankedTensorType type = nn::getTensorType(dims, typeOf(value).getElementType());
  return type == value.getType() ? value
                                 : builder.create<nn::ReshapeOp>(value.getLoc(), type, value);
}

/// The slices of an axis that one iteration reads: at the counter and `offset`.
struct CounterAxis {
  int64_t axis, offset, behind;
};

/// If `start` is at the counter along one axis, at 0 along the others, of which all is read.
std::optional<CounterAxis> matchCounterAxis(nn::ScanOp scan, AffineMap start,
                                            RankedTensorType whole, RankedTensorType part) {
  AffineExpr counter = getAffineSymbolExpr(scan.getCounter(), scan.getContext());
  std::optional<CounterAxis> found;
  for (int64_t axis = 0; axis < whole.getRank(); ++axis) {
    AffineExpr first = start.getResult(axis), size = nn::getDim(whole, axis);
    if (nn::getConstant(first) == 0 && nn::areEqual(size, nn::getDim(part, axis)))
      continue;
    std::optional<int64_t> offset = nn::getConstant(first - counter);
    if (found || !offset || nn::getConstant(nn::getDim(part, axis)) != 1)
      return std::nullopt;
    std::optional<int64_t> behind = nn::getConstant(size - scan.getLengthExpr() - *offset);
    if (!behind || *offset < 0 || *behind < 0)
      return std::nullopt;
    found = {axis, *offset, *behind};
  }
  return found;
}

} // namespace

bool CapturedGradients::isMadeInside(Value value) const {
  Operation *op = value.getDefiningOp();
  return op ? op->getBlock() == &body : cast<BlockArgument>(value).getOwner() == &body;
}

unsigned CapturedGradients::stack(Value value) {
  auto *it = llvm::find(stacked, value);
  unsigned index = std::distance(stacked.begin(), it);
  if (it == stacked.end())
    stacked.push_back(value);
  return index;
}

void CapturedGradients::add(Value captured, ArrayRef<Value> values) {
  for (Value value : values)
    parts.push_back({captured, value});
}

void CapturedGradients::settle() {
  // Sums of rows are done later if a product needs the rows stacked anyway.
  llvm::erase_if(parts, [&](const Part &part) { return addSlice(part) || addProduct(part); });
  llvm::erase_if(parts, [&](const Part &part) { return addRows(part); });
  for (const Part &part : parts)
    carry(part);
}

/// `update(zeros, value)` at the counter: the values of all iterations are the axis.
bool CapturedGradients::addSlice(const Part &part) {
  auto update = part.value.getDefiningOp<nn::UpdateOp>();
  if (!update || !update.getInput().getDefiningOp<nn::FullOp>() ||
      !isMadeInside(update.getValue()) ||
      llvm::any_of(update.getStep(), [](int64_t step) { return step != 1; }))
    return false;
  RankedTensorType whole = update.getType(), step = update.getValue().getType();
  std::optional<CounterAxis> place = matchCounterAxis(scan, update.getStart(), whole, step);
  if (!place)
    return false;
  auto view = update.getValue().getDefiningOp<nn::ReshapeOp>();
  unsigned index =
      stack(view && isMadeInside(view.getInput()) ? view.getInput() : update.getValue());
  AffineExpr length = scan.getLengthExpr();
  finishes.emplace_back(part.captured, [=](OpBuilder &builder, ValueRange stacks) -> Value {
    Value all = stacks[index];
    Location loc = all.getLoc();
    SmallVector<AffineExpr> dims = nn::getDims(step);
    dims.erase(dims.begin() + place->axis);
    dims.insert(dims.begin(), length);
    all = reshape(builder, all, dims);
    SmallVector<int64_t> permutation, low(whole.getRank(), 0), high = low;
    for (int64_t axis = 1; axis < whole.getRank(); ++axis)
      permutation.push_back(axis);
    permutation.insert(permutation.begin() + place->axis, 0);
    dims.erase(dims.begin());
    dims.insert(dims.begin() + place->axis, length);
    Type element = whole.getElementType();
    all = builder.create<nn::TransposeOp>(loc, nn::getTensorType(dims, element), all, permutation);
    low[place->axis] = place->offset;
    high[place->axis] = place->behind;
    if (place->offset == 0 && place->behind == 0)
      return all;
    return builder.create<nn::PadOp>(loc, whole, all, low, high, 0.0);
  });
  return true;
}

/// `a^T b` of each iteration: one product of all rows.
bool CapturedGradients::addProduct(const Part &part) {
  auto product = part.value.getDefiningOp<nn::MatmulOp>();
  if (!product || !product.getTransposeA() || product.getTransposeB() ||
      !isMadeInside(product.getLhs()) || !isMadeInside(product.getRhs()) ||
      product.getLhs().getType().getRank() != 2)
    return false;
  unsigned left = stack(product.getLhs()), right = stack(product.getRhs());
  RankedTensorType type = product.getType();
  DictionaryAttr attributes = product->getDiscardableAttrDictionary();
  finishes.emplace_back(part.captured, [=](OpBuilder &builder, ValueRange stacks) -> Value {
    auto rows = [&](Value all) {
      SmallVector<AffineExpr> dims = nn::getDims(typeOf(all));
      return reshape(builder, all, {dims[0] * dims[1], dims[2]});
    };
    Value a = rows(stacks[left]), b = rows(stacks[right]);
    auto result = builder.create<nn::MatmulOp>(a.getLoc(), type, a, b, true, false);
    result->setDiscardableAttrs(attributes);
    return result;
  });
  return true;
}

/// What is stacked already, or sums of its rows.
bool CapturedGradients::addRows(const Part &part) {
  Value value = part.value;
  SmallVector<int64_t> axes = {0};
  if (auto reshape = value.getDefiningOp<nn::ReshapeOp>())
    value = reshape.getInput();
  if (auto sum = value.getDefiningOp<nn::ReduceOp>(); sum && sum.getKind() == nn::ReduceKind::Sum) {
    for (int64_t axis : sum.getAxes())
      axes.push_back(axis + 1);
    value = sum.getInput();
  }
  if (!llvm::is_contained(stacked, value))
    return false;
  unsigned index = stack(value);
  RankedTensorType whole = typeOf(part.value);
  finishes.emplace_back(part.captured, [=](OpBuilder &builder, ValueRange stacks) {
    Value all = stacks[index];
    SmallVector<AffineExpr> dims;
    for (auto [axis, dim] : llvm::enumerate(nn::getDims(typeOf(all))))
      if (!llvm::is_contained(axes, axis))
        dims.push_back(dim);
    RankedTensorType type = nn::getTensorType(dims, whole.getElementType());
    all = builder.create<nn::ReduceOp>(all.getLoc(), type, nn::ReduceKind::Sum, all, axes);
    return reshape(builder, all, nn::getDims(whole));
  });
  return true;
}

void CapturedGradients::carry(const Part &part) {
  Location loc = part.value.getLoc();
  auto wide = nn::withElementType(typeOf(part.value), inner.getF32Type());
  Value value = part.value;
  if (value.getType() != wide)
    value = inner.create<nn::CastOp>(loc, wide, value);
  auto *it = llvm::find(summed, part.captured);
  if (it == summed.end()) {
    summed.push_back(part.captured);
    sums.push_back(body.addArgument(wide, loc));
    nextSums.push_back(sums.back());
    it = std::prev(summed.end());
  }
  Value &next = nextSums[std::distance(summed.begin(), it)];
  next = inner.create<nn::AddOp>(loc, wide, next, value);
}

void CapturedGradients::finish(OpBuilder &outer, ValueRange results, ValueRange stacks,
                               llvm::function_ref<void(Value, Value)> give) {
  for (auto &[captured, finish] : finishes)
    give(captured, finish(outer, stacks));
  for (auto [captured, sum] : llvm::zip_equal(summed, results)) {
    Value gradient = sum;
    if (gradient.getType() != captured.getType())
      gradient = outer.create<nn::CastOp>(sum.getLoc(), captured.getType(), sum);
    give(captured, gradient);
  }
}

} // namespace nnc
