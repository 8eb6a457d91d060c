//===- ContractionMaps.cpp - Operands of products that the machine copies by itself -----------===//
//
// A factor of 16-bit elements can be copied in boxes if it is a matrix whose rows run along the
// depth, or the images of a convolution with their channels last, the rows being the positions of
// its window in order.
//
//===------------------------------------------------------------------------------------------===//
#include "codegen/cuda/Contraction.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace nnc::codegen {

/// Elements of a row that are copied at once, and of 16 bytes.
constexpr int64_t BoxDepth = 64, Piece = 8;
/// Rows that are dealt among four lanes.
constexpr int64_t ColumnsDealt = 32;

OpOperand *Contraction::plainOperand(const Factor &factor, Type type) {
  auto extension = factor.value.getDefiningOp<arith::ExtFOp>();
  auto input = dyn_cast<BlockArgument>(extension ? extension.getIn() : factor.value);
  if (!input || input.getOwner()->getParentOp() != product || input.getType() != type)
    return nullptr;
  return &product->getOpOperand(input.getArgNumber());
}

int64_t Contraction::typicalElements(const Factor &factor, Type type) {
  OpOperand *operand = plainOperand(factor, type);
  auto pad = operand ? operand->get().getDefiningOp<tensor::PadOp>() : tensor::PadOp();
  IndexList dims;
  if (operand)
    dims = evaluator.sizes.dimsOf(pad ? pad.getSource() : operand->get());
  if (dims.empty() || llvm::is_contained(dims, AffineExpr()))
    return typical(Rows) * typical(Depth);
  return typicalValue(body, math, math.product(dims));
}

AffineMap Contraction::overSymbols(ArrayRef<AffineExpr> exprs) const {
  return AffineMap::get(0, body.dimNames.size(), exprs, body.op->getContext());
}

std::optional<MappedTensor> Contraction::writeMap(const std::string &name, const Factor &factor,
                                                  const std::string &side, Type type,
                                                  unsigned number) {
  OpOperand *operand = plainOperand(factor, type);
  if (operand && !factor.alongDepth)
    return writeSideMap(name, *operand, side, number);
  if (!operand || math.divisorOf(extentOf(Depth)) % Piece != 0 ||
      math.constantOf(extentOf(Batch)) != 1)
    return std::nullopt;
  bool isRows = side == "m";
  AffineExpr index = evaluator.declare(side, extentOf(isRows ? Rows : Columns));
  AffineExpr depth = evaluator.declare("k", extentOf(Depth));
  auto at = [&](AffineExpr k) { return isRows ? loopsAt(index, {}, k) : loopsAt({}, index, k); };
  std::string map = "map" + std::to_string(number);
  if (std::optional<MappedTensor> matrix = mapMatrix(*operand, index, depth, at(depth))) {
    bool isDealt = !isRows && math.divisorOf(extentOf(Columns)) % ColumnsDealt == 0;
    writeKnown(name, side, {});
    out.line("auto " + name + " = [&](Index " + side + ", char *to, Index k, Arrivals *ready) {");
    out.line(std::string(isDealt ? "  copyColumns" : "  copyBox") + "(to, &" + map +
             ", (int)k, (int)" + side + ", ready);");
    out.line("};");
    return isDealt ? dealt(*matrix) : *matrix;
  }
  std::optional<MappedTensor> images = mapImages(*operand, index, depth, at(depth));
  if (!images)
    return std::nullopt;
  AffineExpr chunk = evaluator.declare("chunk", math.simplify(extentOf(Depth).floorDiv(BoxDepth)));
  writePixels(name, side, map, *images->window, at(math.constant(0)), at(chunk * BoxDepth));
  return images;
}

/// Of each 32 rows, those that a lane stores follow each other: at 8 * j + 2 * q + e comes row
/// 8 * q + 2 * j + e.
MappedTensor Contraction::dealt(const MappedTensor &matrix) const {
  AffineExpr depth = matrix.sizes.getResult(0), rows = matrix.sizes.getResult(1);
  AffineExpr two = math.constant(2), four = math.constant(4);
  return {matrix.operand, matrix.rows,
          overSymbols({depth, two, four, four, rows.floorDiv(ColumnsDealt)}),
          overSymbols({depth, depth * 8, depth * 2, depth * ColumnsDealt})};
}

/// Element (index, depth) is at index * extent + depth.
std::optional<MappedTensor> Contraction::mapMatrix(OpOperand &operand, AffineExpr index,
                                                   AffineExpr depth, const IndexList &loops) {
  AffineMap map = product.getMatchingIndexingMap(&operand);
  IndexList indices;
  for (AffineExpr result : map.getResults())
    indices.push_back(math.simplify(result.replaceDims(loops)));
  std::optional<Evaluator::Address> address = evaluator.addressOf(operand.get(), indices);
  AffineExpr extent = extentOf(Depth),
             rows = math.extentOf(cast<AffineDimExpr>(index).getPosition());
  unsigned argument = 0;
  if (!address || !address->condition.empty() ||
      !math.isEqual(address->linear, index * extent + depth) ||
      StringRef(address->pointer).drop_front(2).getAsInteger(10, argument))
    return std::nullopt;
  return MappedTensor{argument, 0, overSymbols({extent, rows}), overSymbols({extent})};
}

/// The images of a convolution, whose padding is the kernel's.
std::optional<MappedTensor> Contraction::mapImages(OpOperand &operand, AffineExpr index,
                                                   AffineExpr depth, const IndexList &loops) {
  auto conv = dyn_cast<linalg::Conv2DNhwcFhwcOp>(product.getOperation());
  auto [images, pad] = imagesOf(operand);
  if (!conv || operand.getOperandNumber() != 0 || !images)
    return std::nullopt;
  IndexList dims = evaluator.sizes.dimsOf(images);
  if (llvm::is_contained(dims, AffineExpr()) || math.divisorOf(dims[3]) % BoxDepth != 0)
    return std::nullopt;
  // Positions follow each other along x, y and images, elements of windows along channels, x and y.
  IndexList positions(ArrayRef(loops).take_front(3)), window(ArrayRef(loops).drop_front(4));
  if (!math.isEqual(math.linearize(positions, ArrayRef(extents).take_front(3)), index) ||
      !math.isEqual(math.linearize(window, ArrayRef(extents).drop_front(4)), depth))
    return std::nullopt;
  std::optional<MappedWindow> fitting = windowOf({sideOf(conv, 0), sideOf(conv, 1)}, pad);
  if (!fitting)
    return std::nullopt;
  AffineExpr row = dims[2] * dims[3];
  return MappedTensor{images.getArgNumber(), 0, overSymbols({dims[3], dims[2], dims[1], dims[0]}),
                      overSymbols({dims[3], row, row * dims[1]}), fitting};
}

/// An argument of the kernel, and the zeros around it; nothing if the operand is something else.
std::pair<BlockArgument, tensor::PadOp> Contraction::imagesOf(OpOperand &operand) const {
  auto pad = operand.get().getDefiningOp<tensor::PadOp>();
  auto images = dyn_cast<BlockArgument>(pad ? pad.getSource() : operand.get());
  bool hasZeros = !pad || (pad.getConstantPaddingValue() &&
                           matchPattern(pad.getConstantPaddingValue(), m_AnyZeroFloat()));
  if (!images || images.getOwner() != body.block || !hasZeros)
    return {};
  return {images, pad};
}

/// Along x, which is axis 2 of the images, then along y.
Contraction::WindowSide Contraction::sideOf(linalg::Conv2DNhwcFhwcOp conv, unsigned axis) const {
  auto number = [](DenseIntElementsAttr list, unsigned i) { return list.getValues<int64_t>()[i]; };
  return {number(conv.getStrides(), 1 - axis), number(conv.getDilations(), 1 - axis),
          math.constantOf(extents[5 - axis])};
}

/// Null if the machine cannot count so far.
std::optional<MappedWindow> Contraction::windowOf(ArrayRef<WindowSide> sides,
                                                  tensor::PadOp pad) const {
  constexpr int64_t MostStep = 8, MostPlace = 127, MostOffset = 255;
  MappedWindow window;
  for (auto [axis, side] : llvm::enumerate(sides)) {
    unsigned imageAxis = 2 - axis;
    int64_t low = pad ? pad.getStaticLow()[imageAxis] : 0;
    int64_t high = pad ? pad.getStaticHigh()[imageAxis] : 0;
    if (!side.size || ShapedType::isDynamic(low) || ShapedType::isDynamic(high))
      return std::nullopt;
    int64_t reach = (*side.size - 1) * side.dilation, behind = high - reach;
    bool fits = low >= 0 && low <= MostPlace && behind >= -MostPlace && behind <= MostPlace &&
                reach <= MostOffset && side.step <= MostStep;
    if (!fits)
      return std::nullopt;
    window.before[axis] = static_cast<int>(-low);
    window.behind[axis] = static_cast<int>(behind);
    window.steps[axis] = static_cast<int>(side.step);
    window.dilation[axis] = static_cast<int>(side.dilation);
  }
  return window;
}

/// Where the first of some positions is, and the copy of one element of the window and 64 channels
/// for all of them.
void Contraction::writePixels(const std::string &name, const std::string &side,
                              const std::string &map, const MappedWindow &window,
                              const IndexList &positions, const IndexList &depths) {
  auto text = [&](AffineExpr expr) { return math.text(math.simplify(expr)); };
  AffineExpr x = positions[2] * window.steps[0] + window.before[0];
  AffineExpr y = positions[1] * window.steps[1] + window.before[1];
  writeKnown(name, side, Known{{text(positions[0]), text(y), text(x)}, {}, {}});
  out.line("auto " + name + " = [&](const Row" + name +
           " &row, char *to, Index k, Arrivals *ready) {");
  out.line("  const Index chunk = k / " + std::to_string(BoxDepth) + ";");
  out.line("  copyPixels(to, &" + map + ", (int)(" + text(depths[6]) +
           "), (int)row.l2, (int)row.l1, (int)row.l0, (int)(" +
           text(depths[5] * window.dilation[0]) + "), (int)(" +
           text(depths[4] * window.dilation[1]) + "), ready);");
  out.line("};");
}

/// Boxes of 64 of the depth and of 64 neighbours along the side.
std::optional<MappedTensor> Contraction::writeSideMap(const std::string &name, OpOperand &operand,
                                                      const std::string &side, unsigned number) {
  bool isRows = side == "m";
  AffineExpr extent = extentOf(isRows ? Rows : Columns), all = extentOf(Depth);
  bool isCut = math.constantOf(extentOf(Batch)) != 1 && math.divisorOf(all) % BoxDepth != 0;
  if (isCut || math.divisorOf(extent) % Piece != 0)
    return std::nullopt;
  AffineExpr index = evaluator.declare(side, extent), depth = evaluator.declare("k", all);
  IndexList loops = isRows ? loopsAt(index, {}, depth) : loopsAt({}, index, depth);
  auto text = [&](AffineExpr expr) { return math.text(math.simplify(expr)); };
  std::string map = "map" + std::to_string(number);
  if (std::optional<MappedTensor> matrix = mapSides(operand, index, depth, loops)) {
    writeKnown(name, side, {});
    out.line("auto " + name + " = [&](Index " + side + ", char *to, Index k, Arrivals *ready) {");
    out.line("  copyBox(to, &" + map + ", (int)" + side + ", (int)(" + text(batch * all + depth) +
             "), ready);");
    out.line("};");
    return matrix;
  }
  std::optional<MappedTensor> images = mapWindowSides(operand, depth, loops);
  if (!images)
    return std::nullopt;
  // Each place is the sum of what the position gives and what the window does.
  IndexList positions, window;
  for (AffineExpr result : product.getMatchingIndexingMap(&operand).getResults()) {
    IndexList ofPosition = loops, ofWindow = loops;
    for (auto [loop, part] : llvm::enumerate(loopParts))
      (part == Depth || part == Batch ? ofWindow : ofPosition)[loop] = math.constant(0);
    positions.push_back(result.replaceDims(ofPosition));
    window.push_back(result.replaceDims(ofWindow));
  }
  writeKnown(name, side, Known{{text(window[3]), text(window[2]), text(window[1])}, {}, {}});
  out.line("auto " + name + " = [&](const Row" + name +
           " &row, char *to, Index k, Arrivals *ready) {");
  out.line("  copyPixels(to, &" + map + ", (int)row.l0, (int)(" +
           text(positions[2] + images->window->before[0]) + "), (int)(" +
           text(positions[1] + images->window->before[1]) + "), (int)(" + text(positions[0]) +
           "), (int)row.l1, (int)row.l2, ready);");
  out.line("};");
  return images;
}

/// Element (index, depth) is at (batch * all of the depth + depth) * extent + index.
std::optional<MappedTensor> Contraction::mapSides(OpOperand &operand, AffineExpr index,
                                                  AffineExpr depth, const IndexList &loops) {
  IndexList indices;
  for (AffineExpr result : product.getMatchingIndexingMap(&operand).getResults())
    indices.push_back(math.simplify(result.replaceDims(loops)));
  std::optional<Evaluator::Address> address = evaluator.addressOf(operand.get(), indices);
  AffineExpr extent = math.extentOf(cast<AffineDimExpr>(index).getPosition());
  AffineExpr all = extentOf(Depth), line = batch * all + depth;
  unsigned argument = 0;
  if (!address || !address->condition.empty() ||
      !math.isEqual(address->linear, line * extent + index) ||
      StringRef(address->pointer).drop_front(2).getAsInteger(10, argument))
    return std::nullopt;
  return MappedTensor{argument, 0, overSymbols({extent, all * extentOf(Batch)}),
                      overSymbols({extent})};
}

/// Images in which a window with channels moves, the positions being the depth.
std::optional<MappedTensor> Contraction::mapWindowSides(OpOperand &operand, AffineExpr depth,
                                                        const IndexList &loops) {
  auto [images, pad] = imagesOf(operand);
  AffineMap places = product.getMatchingIndexingMap(&operand);
  if (!images || places.getNumResults() != 4)
    return std::nullopt;
  IndexList dims = evaluator.sizes.dimsOf(images);
  SmallVector<unsigned> positions; // loops: images, y, x
  for (auto [loop, part] : llvm::enumerate(loopParts))
    if (part == Depth)
      positions.push_back(unsigned(loop));
  if (llvm::is_contained(dims, AffineExpr()) || math.divisorOf(dims[3]) % BoxDepth != 0 ||
      positions.size() != 3)
    return std::nullopt;
  auto factorOf = [&](unsigned result, unsigned loop) {
    IndexList none(places.getNumDims(), math.constant(0)), one = none;
    one[loop] = math.constant(1);
    AffineExpr expr = places.getResult(result);
    return math.constantOf(math.simplify(expr.replaceDims(one) - expr.replaceDims(none)));
  };
  SmallVector<WindowSide> sides;
  for (unsigned axis : {0U, 1U}) { // x, then y
    WindowSide side{factorOf(2 - axis, positions[2 - axis]).value_or(0), 1, 1};
    for (auto [loop, part] : llvm::enumerate(loopParts))
      if (part != Depth && places.getResult(2 - axis).isFunctionOfDim(unsigned(loop)))
        side.dilation = factorOf(2 - axis, unsigned(loop)).value_or(0),
        side.size = math.constantOf(extents[loop]);
    sides.push_back(side);
  }
  // Positions follow each other along x, y and images, also from one product to the next.
  IndexList none(places.getNumDims(), math.constant(0)), ofDepth = none;
  for (unsigned loop : positions)
    ofDepth[loop] = loops[loop];
  AffineExpr image = math.simplify(places.getResult(0).replaceDims(loops));
  AffineExpr line = (image * extents[positions[1]] + loops[positions[1]]) * extents[positions[2]] +
                    loops[positions[2]];
  bool isPlain = sides[0].step > 0 && sides[1].step > 0 && sides[0].dilation > 0 &&
                 sides[1].dilation > 0 &&
                 math.isEqual(math.simplify(line), math.simplify(batch * extentOf(Depth) + depth));
  std::optional<MappedWindow> fitting = isPlain ? windowOf(sides, pad) : std::nullopt;
  if (!fitting)
    return std::nullopt;
  AffineExpr row = dims[2] * dims[3];
  return MappedTensor{images.getArgNumber(), 0, overSymbols({dims[3], dims[2], dims[1], dims[0]}),
                      overSymbols({dims[3], row, row * dims[1]}), fitting};
}

} // namespace nnc::codegen
