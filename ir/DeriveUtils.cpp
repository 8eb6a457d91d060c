//===- DeriveUtils.cpp - Making derivatives ---------------------------------------------------===//

#include "ir/DeriveUtils.h"
#include "ir/Spread.h"

#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace nnc::nn {

RankedTensorType getType(Value value) { return cast<RankedTensorType>(value.getType()); }

bool hasFloats(Value value) { return isa<FloatType>(getType(value).getElementType()); }

bool isNumber(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (isa<FullOp>(op))
      return true;
    if (!isa<BroadcastOp, ReshapeOp, CastOp, TransposeOp, StopGradientOp>(op))
      return false;
    value = op->getOperand(0);
  }
  return false;
}

Value Deriving::add(Value a, Value b) { return make<AddOp>(a.getType(), a, b); }
Value Deriving::sub(Value a, Value b) { return make<SubOp>(a.getType(), a, b); }
Value Deriving::mul(Value a, Value b) { return make<MulOp>(a.getType(), a, b); }
Value Deriving::div(Value a, Value b) { return make<DivOp>(a.getType(), a, b); }
Value Deriving::neg(Value a) { return make<NegOp>(a.getType(), a); }

Value Deriving::cmp(CmpPredicate predicate, Value a, Value b) {
  return make<CmpOp>(withElementType(getType(a), builder.getI1Type()), predicate, a, b);
}

Value Deriving::select(Value condition, Value a, Value b) {
  return make<SelectOp>(a.getType(), condition, a, b);
}
Value Deriving::keep(Value condition, Value a) { return select(condition, a, zeros(a)); }
Value Deriving::drop(Value condition, Value a) { return select(condition, zeros(a), a); }

Value Deriving::full(RankedTensorType type, double value) { return make<FullOp>(type, value); }

Value Deriving::cast(Value value, Type element) {
  RankedTensorType type = getType(value);
  return type.getElementType() == element ? value
                                          : make<CastOp>(withElementType(type, element), value);
}

Value Deriving::widen(Value value) { return cast(value, builder.getF32Type()); }
Value Deriving::narrow(Value value, Value like) {
  return cast(value, getType(like).getElementType());
}

Value Deriving::size(AffineExpr size, Type element) {
  if (std::optional<int64_t> number = getConstant(size))
    return full(RankedTensorType::get({}, element), static_cast<double>(*number));
  AffineMap map = getSymbolMap(size, builder.getContext());
  return cast(make<SizeOp>(RankedTensorType::get({}, builder.getI64Type()), map), element);
}

Value Deriving::reshape(Value value, ArrayRef<AffineExpr> dims) {
  RankedTensorType from = getType(value), to = getTensorType(dims, from.getElementType());
  return from == to ? value : make<ReshapeOp>(to, value);
}

Value Deriving::reshapeLike(Value value, Value like) {
  return reshape(value, getDims(getType(like)));
}

Value Deriving::transpose(Value value, ArrayRef<int64_t> permutation) {
  RankedTensorType type = getType(value);
  SmallVector<AffineExpr> dims;
  for (int64_t axis : permutation)
    dims.push_back(getDim(type, axis));
  return make<TransposeOp>(getTensorType(dims, type.getElementType()), value, permutation);
}

Value Deriving::broadcast(Value value, ArrayRef<AffineExpr> dims, ArrayRef<int64_t> axes) {
  RankedTensorType from = getType(value), to = getTensorType(dims, from.getElementType());
  return from == to ? value : make<BroadcastOp>(to, value, axes);
}

Value Deriving::repeat(Value value, ArrayRef<AffineExpr> dims, ArrayRef<int64_t> axes) {
  SmallVector<int64_t> kept;
  for (int64_t axis = 0; axis < static_cast<int64_t>(dims.size()); ++axis)
    if (!llvm::is_contained(axes, axis))
      kept.push_back(axis);
  return broadcast(value, dims, kept);
}

static RankedTensorType withoutAxes(RankedTensorType type, ArrayRef<int64_t> axes) {
  SmallVector<AffineExpr> dims;
  for (int64_t axis = 0; axis < type.getRank(); ++axis)
    if (!llvm::is_contained(axes, axis))
      dims.push_back(getDim(type, axis));
  return getTensorType(dims, type.getElementType());
}

Value Deriving::reduce(ReduceKind kind, Value value, ArrayRef<int64_t> axes) {
  if (axes.empty())
    return value;
  return make<ReduceOp>(withoutAxes(getType(value), axes), kind, value, axes);
}

namespace {

/// A product by its factors.
struct Factors {
  SmallVector<Value> varying; ///< along some of the axes
  SmallVector<Value> fixed;   ///< the same along all axes: by place, without these
  bool isNegative = false;
};

/// What `value` repeats along all of `axes`, without them; null if it varies along one.
Value repeatedAlong(Deriving &d, Value value, ArrayRef<int64_t> axes) {
  auto broadcast = value.getDefiningOp<BroadcastOp>();
  if (!broadcast)
    return {};
  RankedTensorType from = getType(broadcast.getInput()), to = getType(value);
  SmallVector<AffineExpr> dims;
  SmallVector<int64_t> places(to.getRank(), -1), kept;
  for (auto [axis, place] : llvm::enumerate(broadcast.getDims()))
    places[place] = axis;
  for (int64_t place = 0; place < to.getRank(); ++place) {
    bool isReduced = llvm::is_contained(axes, place);
    bool isThere = places[place] >= 0 && getConstant(getDim(from, places[place])) != 1;
    if (isReduced && isThere)
      return {};
    if (isReduced)
      continue;
    if (places[place] >= 0)
      kept.push_back(dims.size());
    dims.push_back(getDim(to, place));
  }
  // What is left of the operand: its axes of size 1 that would be dropped go.
  SmallVector<AffineExpr> left;
  for (auto [axis, place] : llvm::enumerate(broadcast.getDims()))
    if (!llvm::is_contained(axes, place))
      left.push_back(getDim(from, axis));
  return d.broadcast(d.reshape(broadcast.getInput(), left), dims, kept);
}

/// Fails at products of very many factors, or deep ones.
bool collectFactors(Deriving &d, Value value, ArrayRef<int64_t> axes, Factors &factors,
                    unsigned depth = 0) {
  constexpr size_t MostFactors = 16, MaxDepth = 16;
  if (factors.varying.size() + factors.fixed.size() >= MostFactors || depth == MaxDepth)
    return false;
  if (auto product = value.getDefiningOp<MulOp>())
    return collectFactors(d, product.getLhs(), axes, factors, depth + 1) &&
           collectFactors(d, product.getRhs(), axes, factors, depth + 1);
  if (auto negated = value.getDefiningOp<NegOp>()) {
    factors.isNegative = !factors.isNegative;
    return collectFactors(d, negated.getOperand(), axes, factors, depth + 1);
  }
  if (Value fixed = repeatedAlong(d, value, axes))
    factors.fixed.push_back(fixed);
  else
    factors.varying.push_back(value);
  return true;
}

/// The sum of `value` along `axes` where it is simpler than adding up: of products, factors that
/// are the same along the axes are left out of it, and distances from the mean cancel out. Nothing
/// if it is not; null if it is 0.
std::optional<Value> simplerSum(Deriving &d, Value value, ArrayRef<int64_t> axes, unsigned depth) {
  constexpr unsigned MaxDepth = 8;
  if (depth == MaxDepth)
    return std::nullopt;
  if (isa_and_nonnull<AddOp, SubOp>(value.getDefiningOp()) && !matchDistanceFromMean(value, axes)) {
    Operation *op = value.getDefiningOp();
    std::optional<Value> a = simplerSum(d, op->getOperand(0), axes, depth + 1);
    std::optional<Value> b = a ? simplerSum(d, op->getOperand(1), axes, depth + 1) : std::nullopt;
    if (!a || !b)
      return std::nullopt;
    if (!*b)
      return a;
    bool isAdd = isa<AddOp>(op);
    return !*a ? (isAdd ? *b : d.neg(*b)) : isAdd ? d.add(*a, *b) : d.sub(*a, *b);
  }
  Factors factors;
  if (!collectFactors(d, value, axes, factors) || factors.varying.empty())
    return std::nullopt;
  Value terms = factors.varying.front();
  if (factors.varying.size() == 1 && matchDistanceFromMean(terms, axes))
    return Value();
  // A number as a factor is none of a norm's, and whoever reads the product may share it.
  auto isScalar = [](Value factor) {
    auto broadcast = factor.getDefiningOp<BroadcastOp>();
    return getType(broadcast ? broadcast.getInput() : factor).getRank() == 0;
  };
  bool isSimpler = factors.isNegative || !llvm::all_of(factors.fixed, isScalar);
  bool isSum = factors.varying.size() == 1 && isa_and_nonnull<AddOp, SubOp>(terms.getDefiningOp());
  Value result;
  if (isSum && isSimpler)
    if (std::optional<Value> parts = simplerSum(d, terms, axes, depth + 1)) {
      if (!*parts)
        return Value();
      result = *parts;
    }
  if (!isSimpler)
    return std::nullopt;
  for (Value factor : ArrayRef(factors.varying).drop_front())
    terms = d.mul(terms, factor);
  if (!result)
    result = d.reduce(ReduceKind::Sum, terms, axes);
  for (Value factor : factors.fixed)
    result = d.mul(result, factor);
  return factors.isNegative ? d.neg(result) : result;
}

} // namespace

Value Deriving::sum(Value value, ArrayRef<int64_t> axes) {
  if (!axes.empty() && getType(value).getElementType().isF32())
    if (std::optional<Value> simpler = simplerSum(*this, value, axes, 0))
      return *simpler ? *simpler : full(withoutAxes(getType(value), axes), 0);
  return reduce(ReduceKind::Sum, value, axes);
}

Value Deriving::slice(Value value, ArrayRef<AffineExpr> starts, ArrayRef<AffineExpr> dims,
                      ArrayRef<int64_t> steps) {
  RankedTensorType from = getType(value), to = getTensorType(dims, from.getElementType());
  return from == to ? value
                    : make<SliceOp>(to, value, getSymbolMap(starts, builder.getContext()), steps);
}

Value Deriving::crop(Value value, ArrayRef<AffineExpr> dims) {
  return slice(value, SmallVector<AffineExpr>(dims.size(), constant(0)), dims,
               SmallVector<int64_t>(dims.size(), 1));
}

Value Deriving::pad(Value input, ArrayRef<int64_t> low, ArrayRef<int64_t> high, double value) {
  RankedTensorType type = getType(input);
  SmallVector<AffineExpr> dims = getDims(type);
  bool isNothing = true;
  for (auto [dim, before, after] : llvm::zip_equal(dims, low, high)) {
    isNothing &= before == 0 && after == 0;
    dim = dim + before + after;
  }
  return isNothing
             ? input
             : make<PadOp>(getTensorType(dims, type.getElementType()), input, low, high, value);
}

Value Deriving::flip(Value value, int64_t axis) {
  RankedTensorType type = getType(value);
  AffineExpr size = getDim(type, axis);
  if (getConstant(size) == 1)
    return value;
  Type i64 = builder.getI64Type();
  RankedTensorType places = getTensorType(size, i64);
  Value last = broadcast(this->size(size - 1, i64), size, {});
  Value ids = sub(last, make<IotaOp>(places, 0));
  return make<GatherOp>(type, value, ids, axis);
}

Value Deriving::spread(Value value, int64_t axis, int64_t apart) {
  if (apart == 1)
    return value;
  SmallVector<AffineExpr> dims = getDims(getType(value)), split = dims;
  split.insert(split.begin() + axis + 1, constant(1));
  SmallVector<int64_t> low(split.size(), 0), high = low;
  high[axis + 1] = apart - 1;
  dims[axis] = dims[axis] * apart;
  return reshape(pad(reshape(value, split), low, high), dims);
}

Value Deriving::concat(ArrayRef<Value> parts, int64_t axis) {
  if (parts.size() == 1)
    return parts[0];
  RankedTensorType type = getType(parts[0]);
  SmallVector<AffineExpr> dims = getDims(type);
  dims[axis] = dims[axis] * static_cast<int64_t>(parts.size());
  return make<ConcatOp>(getTensorType(dims, type.getElementType()), parts, axis);
}

Value Deriving::interleave(ArrayRef<Value> phases, RankedTensorType phase, int64_t rows,
                           int64_t columns) {
  if (phases.size() == 1)
    return phases[0] ? phases[0] : full(phase, 0);
  SmallVector<AffineExpr> dims = getDims(phase);
  AffineExpr one = constant(1);
  SmallVector<AffineExpr> split = {dims[0], dims[1], dims[2], one, dims[3], one};
  SmallVector<Value> lines;
  for (int64_t row = 0; row < rows; ++row) {
    SmallVector<Value> line;
    for (Value value : phases.slice(row * columns, columns))
      line.push_back(reshape(value ? value : full(phase, 0), split));
    lines.push_back(concat(line, 5));
  }
  return reshape(concat(lines, 3), {dims[0], dims[1], dims[2] * rows, dims[3] * columns});
}

} // namespace nnc::nn
