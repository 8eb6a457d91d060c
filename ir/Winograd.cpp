//===- Winograd.cpp - Windows of three rows by fewer products ---------------------------------===//

#include "ir/Winograd.h"

#include "ir/LoweringUtils.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <utility>

using namespace mlir;

namespace nnc::nn {

/// Coefficients of the product of `x - point` for all points but number `without`.
static std::vector<double> productOfRoots(ArrayRef<double> points, size_t without) {
  std::vector<double> product = {1};
  for (size_t i = 0; i < points.size(); ++i) {
    if (i == without)
      continue;
    product.push_back(0);
    for (size_t power = product.size() - 1; power > 0; --power)
      product[power] = product[power - 1] - points[i] * product[power];
    product[0] *= -points[i];
  }
  return product;
}

/// Toom and Cook's way: polynomials are multiplied at points, the last of which is infinity. These
/// points give the least errors of f32 (Barabasz and others, 2020).
WinogradMatrices getWinogradMatrices(int64_t tile) {
  constexpr double allPoints[] = {0, 1, -1, 0.5, -2};
  constexpr size_t window = 3, none = ~size_t(0);
  auto results = static_cast<size_t>(tile);
  ArrayRef<double> points = ArrayRef(allPoints).take_front(results + 1);
  size_t products = points.size() + 1;
  WinogradMatrices made{Matrix(products, std::vector<double>(products, 0)),
                        Matrix(products, std::vector<double>(window, 0)),
                        Matrix(results, std::vector<double>(products, 0))};
  for (size_t j = 0; j < points.size(); ++j) {
    double scale = 1;
    for (size_t k = 0; k < points.size(); ++k)
      scale *= k == j ? 1 : points[j] - points[k];
    llvm::copy(productOfRoots(points, j), made.input[j].begin());
    double power = 1;
    for (size_t k = 0; k < std::max(results, window); ++k, power *= points[j]) {
      if (k < window)
        made.window[j][k] = power / scale;
      if (k < results)
        made.output[k][j] = power;
    }
  }
  made.input.back() = productOfRoots(points, none);
  made.window.back().back() = 1;
  made.output.back().back() = 1;
  return made;
}

SmallVector<AffineMap> getWinogradMaps(MLIRContext *context, int64_t tile) {
  using namespace winograd;
  auto loop = [&](Loop number) { return getAffineDimExpr(number, context); };
  auto map = [&](ArrayRef<AffineExpr> results) {
    return AffineMap::get(NumLoops, 0, results, context);
  };
  return {
      map({loop(Image), loop(Channel), loop(Tile) * tile + loop(Read), loop(Column) + loop(Tap)}),
      map({loop(Product), loop(Output), loop(Channel), loop(Tap)}), map({loop(Row), loop(Product)}),
      map({loop(Product), loop(Read)}),
      map({loop(Image), loop(Output), loop(Tile), loop(Row), loop(Column)})};
}

static Value makeConstant(Lowering &lowering, const Matrix &matrix) {
  SmallVector<float> values;
  for (const std::vector<double> &row : matrix)
    for (double value : row)
      values.push_back(static_cast<float>(value));
  auto type = RankedTensorType::get(
      {static_cast<int64_t>(matrix.size()), static_cast<int64_t>(matrix[0].size())},
      lowering.builder.getF32Type());
  return lowering.builder.create<arith::ConstantOp>(
      lowering.loc, DenseElementsAttr::get(type, ArrayRef<float>(values)));
}

/// The image with zeros around, as high as whole tiles need it.
static Value padToTiles(Lowering &lowering, WinogradConv2dOp op, AffineExpr tiles, Value input) {
  ArrayRef<int64_t> padding = op.getPadding();
  SmallVector<AffineExpr> dims = getDims(op.getInput().getType());
  AffineExpr rows = tiles * static_cast<int64_t>(op.getTile()) + 2;
  OpFoldResult below = materializeDim(lowering.builder, lowering.loc, rows - dims[2] - padding[0]);
  dims[2] = rows;
  dims[3] = dims[3] + padding[2] + padding[3];
  Type element = op.getType().getElementType();
  auto number = [&](int64_t size) { return OpFoldResult(lowering.builder.getIndexAttr(size)); };
  return lowering.builder.create<tensor::PadOp>(
      lowering.loc, stripDims(getTensorType(dims, element)), input,
      ArrayRef{number(0), number(0), number(padding[0]), number(padding[2])},
      ArrayRef{number(0), number(0), below, number(padding[3])}, lowering.constant(element, 0.0));
}

Lowered WinogradConv2dOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  Lowering lowering(builder, getLoc());
  auto tile = static_cast<int64_t>(getTile());
  SmallVector<AffineExpr> dims = getDims(getType());
  AffineExpr tiles = dims[2].ceilDiv(tile);
  auto constant = [&](int64_t value) { return builder.getAffineConstantExpr(value); };
  Type element = getType().getElementType();
  RankedTensorType cut = getTensorType({dims[0], dims[1], tiles, constant(tile), dims[3]}, element);
  WinogradMatrices matrices = getWinogradMatrices(tile);
  SmallVector<bool> parallel(winograd::NumLoops, true);
  std::fill(parallel.begin() + winograd::Product, parallel.end(), false);
  Value sums = lowering.reduce(
      lowering.fill(cut, 0.0),
      {padToTiles(lowering, *this, tiles, operands[0]), operands[1],
       makeConstant(lowering, matrices.output), makeConstant(lowering, matrices.input)},
      getWinogradMaps(getContext(), tile), parallel,
      [](OpBuilder &b, Location loc, ValueRange v) -> Value {
        Value read = b.create<arith::MulFOp>(loc, v[0], v[3]);
        Value product = b.create<arith::MulFOp>(loc, read, v[1]);
        return b.create<arith::AddFOp>(loc, b.create<arith::MulFOp>(loc, product, v[2]), v[4]);
      });
  AffineExpr rows = std::exchange(dims[2], tiles * tile);
  RankedTensorType whole = getTensorType(dims, element);
  Value result = lowering.reshape(cut, whole, sums);
  if (areEqual(dims[2], rows))
    return SmallVector<Value>{result};
  auto sizes = llvm::map_to_vector(
      getDims(getType()), [&](AffineExpr dim) { return materializeDim(builder, getLoc(), dim); });
  SmallVector<OpFoldResult> starts(4, builder.getIndexAttr(0)), steps(4, builder.getIndexAttr(1));
  return SmallVector<Value>{builder.create<tensor::ExtractSliceOp>(getLoc(), stripDims(getType()),
                                                                   result, starts, sizes, steps)};
}

/// The rows of a constant of rank 2; none for anything else.
static Matrix readConstant(Value value) {
  auto constant = value.getDefiningOp<arith::ConstantOp>();
  auto dense =
      constant ? dyn_cast<DenseFPElementsAttr>(constant.getValue()) : DenseFPElementsAttr();
  if (!dense || dense.getType().getRank() != 2 || !dense.getElementType().isF32())
    return {};
  Matrix rows(dense.getType().getDimSize(0));
  for (auto [i, number] : llvm::enumerate(dense.getValues<float>()))
    rows[i / dense.getType().getDimSize(1)].push_back(number);
  return rows;
}

bool isWinograd(Operation *op) {
  auto generic = dyn_cast_or_null<linalg::GenericOp>(op);
  if (!generic || generic.getNumLoops() != winograd::NumLoops || generic.getNumDpsInputs() != 4 ||
      !generic.getOutputs()[0].getDefiningOp<linalg::FillOp>())
    return false;
  auto rows = dyn_cast<RankedTensorType>(generic.getInputs()[2].getType());
  return rows && rows.getRank() == 2 &&
         generic.getIndexingMapsArray() == getWinogradMaps(op->getContext(), rows.getDimSize(0));
}

std::optional<WinogradForm> matchWinograd(Operation *op) {
  if (!isWinograd(op))
    return std::nullopt;
  auto generic = cast<linalg::GenericOp>(op);
  WinogradForm form{0, readConstant(generic.getInputs()[3]), readConstant(generic.getInputs()[2])};
  form.tile = static_cast<int64_t>(form.output.size());
  bool isKnown = !form.input.empty() && !form.output.empty();
  return isKnown ? std::optional(std::move(form)) : std::nullopt;
}

} // namespace nnc::nn
