//===- Dims.cpp - Symbolic dimensions of tensor types -----------------------------------------===//

#include "ir/Dims.h"

#include "ir/DimPolynomial.h"
#include "ir/NNOps.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace nnc::nn {

static AffineMap getMap(RankedTensorType type) {
  auto attr = dyn_cast_or_null<AffineMapAttr>(type.getEncoding());
  return attr ? attr.getValue() : AffineMap();
}

AffineExpr getDim(RankedTensorType type, unsigned axis) {
  if (AffineMap map = getMap(type))
    return map.getResult(axis);
  assert(!type.isDynamicDim(axis) && "a dynamic size without an encoding");
  return getAffineConstantExpr(type.getDimSize(axis), type.getContext());
}

SmallVector<AffineExpr> getDims(RankedTensorType type) {
  SmallVector<AffineExpr> dims;
  for (unsigned axis = 0; axis < type.getRank(); ++axis)
    dims.push_back(getDim(type, axis));
  return dims;
}

/// One more than the greatest symbol in `exprs`.
static unsigned countSymbols(ArrayRef<AffineExpr> exprs) {
  unsigned count = 0;
  for (AffineExpr expr : exprs)
    expr.walk([&](AffineExpr part) {
      if (auto symbol = dyn_cast<AffineSymbolExpr>(part))
        count = std::max(count, symbol.getPosition() + 1);
    });
  return count;
}

AffineMap getSymbolMap(ArrayRef<AffineExpr> results, MLIRContext *context) {
  return AffineMap::get(0, countSymbols(results), results, context);
}

RankedTensorType getTensorType(ArrayRef<AffineExpr> dims, Type element) {
  SmallVector<AffineExpr> simplified;
  SmallVector<int64_t> sizes;
  for (AffineExpr dim : dims) {
    std::optional<int64_t> value = getConstant(dim);
    simplified.push_back(value ? getAffineConstantExpr(*value, element.getContext())
                               : simplifyAffineExpr(dim, 0, countSymbols(dim)));
    sizes.push_back(value && *value >= 0 ? *value : ShapedType::kDynamic);
  }
  if (!ShapedType::isDynamicShape(sizes))
    return RankedTensorType::get(sizes, element);
  AffineMap map = getSymbolMap(simplified, element.getContext());
  return RankedTensorType::get(sizes, element, AffineMapAttr::get(map));
}

unsigned getNumSymbols(RankedTensorType type) {
  AffineMap map = getMap(type);
  return map ? map.getNumSymbols() : 0;
}

unsigned getNumSymbols(TypeRange types) {
  unsigned most = 0;
  for (Type type : types)
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      most = std::max(most, getNumSymbols(tensor));
  return most;
}

RankedTensorType stripDims(RankedTensorType type) {
  return RankedTensorType::get(type.getShape(), type.getElementType());
}

RankedTensorType withElementType(RankedTensorType type, Type element) {
  return RankedTensorType::get(type.getShape(), element, type.getEncoding());
}

Type withElementType(Type type, Type element) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? withElementType(tensor, element) : Type();
}

bool is16BitFloat(Type element) { return element.isF16() || element.isBF16(); }

bool mayBeEqual(AffineExpr a, AffineExpr b) {
  if (a == b)
    return true;
  std::optional<DimPolynomial> difference = DimPolynomial::difference(a, b);
  return !difference || !difference->isNeverZero();
}

bool mayBeEqual(ArrayRef<AffineExpr> a, ArrayRef<AffineExpr> b) {
  if (a.size() != b.size())
    return false;
  for (auto [left, right] : llvm::zip_equal(a, b))
    if (!mayBeEqual(left, right))
      return false;
  return true;
}

bool areEqual(AffineExpr a, AffineExpr b) {
  if (a == b)
    return true;
  std::optional<DimPolynomial> difference = DimPolynomial::difference(a, b);
  return difference && difference->getConstant() == 0;
}

std::optional<int64_t> getConstant(AffineExpr expr) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return constant.getValue();
  std::optional<DimPolynomial> polynomial = DimPolynomial::get(expr);
  return polynomial ? polynomial->getConstant() : std::nullopt;
}

AffineExpr getProduct(ArrayRef<AffineExpr> dims, MLIRContext *context) {
  AffineExpr product = getAffineConstantExpr(1, context);
  for (AffineExpr dim : dims)
    product = product * dim;
  return product;
}

bool hasValidDims(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return false;
  if (tensor.hasStaticShape())
    return !tensor.getEncoding();
  AffineMap map = getMap(tensor);
  if (!map || map.getNumDims() != 0 || map.getNumResults() != tensor.getRank())
    return false;
  for (auto [size, expr] : llvm::zip_equal(tensor.getShape(), map.getResults())) {
    auto constant = dyn_cast<AffineConstantExpr>(expr);
    if (ShapedType::isDynamic(size) ? !!constant : !constant || constant.getValue() != size)
      return false;
  }
  return true;
}

std::string toString(ArrayRef<AffineExpr> dims) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << '[';
  llvm::interleaveComma(dims, os);
  os << ']';
  return text;
}

std::string toString(AffineExpr dim) {
  std::string text;
  llvm::raw_string_ostream(text) << dim;
  return text;
}

OpFoldResult materializeDim(OpBuilder &builder, Location loc, AffineExpr dim) {
  if (std::optional<int64_t> value = getConstant(dim))
    return builder.getIndexAttr(*value);
  if (auto symbol = dyn_cast<AffineSymbolExpr>(dim))
    return builder.create<SymbolOp>(loc, builder.getIndexType(), symbol.getPosition()).getResult();
  // Only the symbols that occur become operands, renumbered in order.
  llvm::DenseMap<AffineExpr, AffineExpr> renumbered;
  SmallVector<unsigned> positions;
  dim.walk([&](AffineExpr expr) {
    if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
      positions.push_back(symbol.getPosition());
  });
  llvm::sort(positions);
  positions.erase(std::unique(positions.begin(), positions.end()), positions.end());
  SmallVector<Value> symbols;
  for (unsigned position : positions) {
    renumbered[builder.getAffineSymbolExpr(position)] = builder.getAffineSymbolExpr(symbols.size());
    symbols.push_back(builder.create<SymbolOp>(loc, builder.getIndexType(), position));
  }
  AffineMap map = AffineMap::get(0, symbols.size(), dim.replace(renumbered));
  return builder.create<affine::AffineApplyOp>(loc, map, symbols).getResult();
}

Value materializeDimValue(OpBuilder &builder, Location loc, AffineExpr dim) {
  OpFoldResult result = materializeDim(builder, loc, dim);
  if (auto value = dyn_cast<Value>(result))
    return value;
  auto constant = cast<IntegerAttr>(cast<Attribute>(result));
  return builder.create<arith::ConstantIndexOp>(loc, constant.getInt());
}

SmallVector<Value> materializeDynamicDims(OpBuilder &builder, Location loc, RankedTensorType type) {
  SmallVector<Value> sizes;
  for (unsigned axis = 0; axis < type.getRank(); ++axis)
    if (type.isDynamicDim(axis))
      sizes.push_back(materializeDimValue(builder, loc, getDim(type, axis)));
  return sizes;
}

} // namespace nnc::nn
