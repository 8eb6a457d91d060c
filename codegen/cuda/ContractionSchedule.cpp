//===- ContractionSchedule.cpp - Products and convolutions on the tile template ---------------===//
//
// Any sum of products is a matrix product of two operands, batched: parallel loops that only one
// factor depends on are that factor's side, loops that both depend on are the batch, reduction
// loops are the depth. For a convolution this is the implicit GEMM: weights times the im2col view
// of the input, whose padding and strides are part of how the element is read.
//
//===------------------------------------------------------------------------------------------===//
#include "codegen/cuda/GemmTiles.h"
#include "codegen/cuda/ScalarOps.h"
#include "codegen/cuda/Schedule.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;

namespace nnc::codegen {
namespace {

/// Neighbours of a row that a thread stores together.
constexpr unsigned StoreWidth = 8;

nnc::Error notOfThisForm(const std::string &why) { return nnc::Error{why}; }

/// What a factor of the products depends on.
struct Factor {
  Value value;                ///< in the body
  llvm::SmallBitVector loops; ///< that it depends on
  bool alongDepth = false;    ///< its memory runs along the depth, not along its side
};

/// Which part of the product a loop or an axis of the results belongs to.
enum Part { Batch, Rows, Columns, Depth };

class ContractionWriter {
public:
  explicit ContractionWriter(const KernelBody &body)
      : body(body), writing(body), math(writing.math), out(writing.out),
        evaluator(writing.evaluator) {}

  Result<Scheduled> write();

private:
  bool findProduct();
  Factor factorOf(Value value);
  bool trace(const Output &output);
  bool traceAll();
  bool splitAxes();
  std::optional<std::string> classify();
  AffineExpr extentOf(Part part) const;
  /// Whether the part is known to be much smaller than every tile.
  bool isFew(Part part) const {
    std::optional<int64_t> extent = math.constantOf(extentOf(part));
    return extent && *extent < 4;
  }
  int64_t typical(Part part) const { return typicalValue(body, math, extentOf(part)); }
  std::optional<std::string> tensorCoreType() const;
  std::string corner() const;
  AffineExpr tilesOf(unsigned rows, unsigned columns) const;
  Scheduled writeOnCores();
  Scheduled writeOnTensorCores(const std::string &type);

  void writeTiling(const std::string &tile, unsigned split);
  void writeOperand(const std::string &name, const Factor &factor, const std::string &side,
                    const std::string &type);
  bool writeAddress(const std::string &name, const Factor &factor, const std::string &side,
                    const std::string &type);
  void writeFactor(const std::string &name, const Factor &factor, const std::string &side);
  /// A side's loops as members of what an operand knows of its row.
  IndexList knownLoops(const IndexList &loops, AffineExpr index, std::vector<std::string> &members);
  bool storesVectors() const;
  void writeKnown(const std::string &name, const std::string &side,
                  const std::vector<std::string> &members);
  /// An element of a result, where it goes and what it is.
  struct StoredElement {
    std::string pointer;
    AffineExpr place;
    std::string value;
  };
  void writeStore(unsigned width);
  void writeVectors(AffineExpr row, unsigned width);
  std::vector<StoredElement> writeResults(AffineExpr row, AffineExpr column,
                                          const std::string &sum);
  std::string writeSum(const IndexList &at, const std::string &sum);
  /// The loops of the product, when the parts have these indices (null: not known here).
  IndexList loopsAt(AffineExpr row, AffineExpr column, AffineExpr depth);
  IndexList axesAt(AffineExpr row, AffineExpr column);
  IndexList mergeAxes(const IndexMath &math, const IndexList &axes) const;
  IndexList placeAt(const IndexList &axes) const;

  const KernelBody &body;
  Writing writing;
  IndexMath &math;
  CodeWriter &out;
  Evaluator &evaluator;

  std::vector<Output> outputs;
  linalg::LinalgOp product;
  Type element;
  IndexList extents;           ///< of the product's loops
  Factor left, right;          ///< left's side is the rows
  std::vector<Part> loopParts; ///< by loop
  /// The axes of the results; an axis that holds several of the product's (groups and filters) is
  /// cut into these.
  IndexList axisDims;
  std::vector<unsigned> axisOwners; ///< by axis: the results' axis that it is cut from
  std::vector<Part> axisParts;      ///< by axis
  std::optional<IndexList> place;   ///< the product's element, over the axes as variables
  AffineExpr batch;
};

//===------------------------------------------------------------------------------------------===//
// Understanding
//===------------------------------------------------------------------------------------------===//

/// The factors of the products that `op` adds up; null values if it does something else.
std::pair<Value, Value> factorsOf(linalg::LinalgOp op) {
  Operation *sum = op.getNumReductionLoops() > 0 ? findCombiner(op) : nullptr;
  if (!sum || !isa<arith::AddFOp, arith::AddIOp>(sum))
    return {};
  BlockArgument total = op->getRegion(0).front().getArgument(op.getNumDpsInputs());
  Operation *times = sum->getOperand(sum->getOperand(0) == total ? 1 : 0).getDefiningOp();
  if (!times || times->getBlock() != sum->getBlock() || !isa<arith::MulFOp, arith::MulIOp>(times))
    return {};
  return {times->getOperand(0), times->getOperand(1)};
}

bool ContractionWriter::findProduct() {
  for (auto op : body.block->getOps<linalg::LinalgOp>()) {
    if (!factorsOf(op).first)
      continue;
    if (product)
      return false;
    product = op;
  }
  if (!product)
    return false;
  extents = evaluator.sizes.extentsOf(product);
  element = getElementTypeOrSelf(product.getDpsInits()[0].getType());
  bool isSized = !llvm::is_contained(extents, AffineExpr());
  return isSized && (element.isF32() || element.isF64() || isa<IntegerType>(element));
}

Factor ContractionWriter::factorOf(Value value) {
  Factor factor{value, llvm::SmallBitVector(product.getNumLoops()), false};
  SmallVector<Value> pending{value};
  bool isPlaced = false;
  while (!pending.empty()) {
    Value next = pending.pop_back_val();
    if (Operation *op = next.getDefiningOp()) {
      if (op->getParentOp() != product)
        continue;
      if (auto index = dyn_cast<linalg::IndexOp>(op))
        factor.loops.set(index.getDim());
      llvm::append_range(pending, op->getOperands());
      continue;
    }
    OpOperand &operand = product->getOpOperand(cast<BlockArgument>(next).getArgNumber());
    AffineMap map = product.getMatchingIndexingMap(&operand);
    for (unsigned loop = 0; loop < product.getNumLoops(); ++loop)
      if (map.isFunctionOfDim(loop))
        factor.loops.set(loop);
    if (isPlaced || map.getNumResults() == 0)
      continue;
    isPlaced = true;
    factor.alongDepth = true;
    for (auto [loop, kind] : llvm::enumerate(product.getIteratorTypesArray()))
      if (kind == utils::IteratorType::parallel && map.getResults().back().isFunctionOfDim(loop))
        factor.alongDepth = false;
  }
  return factor;
}

/// Where an output reads the product, which must be one place for each of its elements, and the
/// same for all outputs.
bool ContractionWriter::trace(const Output &output) {
  Writing dry(body);
  IndexList axes;
  for (auto [axis, dim] : llvm::enumerate(axisDims))
    axes.push_back(dry.evaluator.declare("v" + std::to_string(axis), dim));
  bool isSame = true;
  dry.evaluator.intercept = [&](Value tensor, const IndexList &at) -> std::optional<std::string> {
    if (tensor.getDefiningOp() != product)
      return std::nullopt;
    if (!place)
      place = at;
    isSame = isSame && *place == at;
    for (AffineExpr index : at)
      for (unsigned variable : dry.math.variablesOf(index))
        isSame = isSame && variable < axisDims.size();
    return "0";
  };
  dry.evaluator.element(output.tensor, mergeAxes(dry.math, axes));
  return isSame && place && !dry.evaluator.error();
}

bool ContractionWriter::traceAll() {
  axisDims = outputs[0].dims;
  for (unsigned axis = 0; axis < axisDims.size(); ++axis)
    axisOwners.push_back(axis);
  do {
    place.reset();
    for (const Output &output : outputs)
      if (!sameDims(math, output.dims, outputs[0].dims) || !trace(output))
        return false;
  } while (splitAxes());
  return true;
}

/// Cuts the first axis of which the product's place uses quotient and remainder; false if there is
/// none.
bool ContractionWriter::splitAxes() {
  std::optional<std::pair<unsigned, int64_t>> found;
  for (AffineExpr index : *place)
    index.walk([&](AffineExpr part) {
      auto division = dyn_cast<AffineBinaryOpExpr>(part);
      bool divides = division && (part.getKind() == AffineExprKind::Mod ||
                                  part.getKind() == AffineExprKind::FloorDiv);
      auto axis = divides ? dyn_cast<AffineDimExpr>(division.getLHS()) : AffineDimExpr(nullptr);
      if (!axis)
        return;
      std::optional<int64_t> by = math.constantOf(division.getRHS());
      std::optional<int64_t> size = math.constantOf(axisDims[axis.getPosition()]);
      if (by && size && *by > 1 && *by < *size && *size % *by == 0)
        found = {axis.getPosition(), *by};
    });
  if (!found)
    return false;
  auto [axis, by] = *found;
  axisDims.insert(axisDims.begin() + axis + 1, math.constant(by));
  axisDims[axis] = math.simplify(axisDims[axis].floorDiv(by));
  axisOwners.insert(axisOwners.begin() + axis, axisOwners[axis]);
  return true;
}

/// The results' indices, from those of the axes that they were cut into.
IndexList ContractionWriter::mergeAxes(const IndexMath &math, const IndexList &axes) const {
  IndexList indices;
  for (unsigned owner = 0; owner < outputs[0].dims.size(); ++owner) {
    IndexList parts, dims;
    for (auto [axis, index] : llvm::enumerate(axes))
      if (axisOwners[axis] == owner) {
        parts.push_back(index);
        dims.push_back(axisDims[axis]);
      }
    indices.push_back(math.linearize(parts, dims));
  }
  return indices;
}

/// Sorts loops and axes into parts; says what does not fit.
std::optional<std::string> ContractionWriter::classify() {
  auto [first, second] = factorsOf(product);
  left = factorOf(first);
  right = factorOf(second);
  auto partOf = [&](unsigned loop) {
    if (product.getIteratorTypesArray()[loop] == utils::IteratorType::reduction)
      return Depth;
    if (left.loops.test(loop) && right.loops.test(loop))
      return Batch;
    return left.loops.test(loop) ? Rows : Columns;
  };
  for (unsigned loop = 0; loop < product.getNumLoops(); ++loop)
    loopParts.push_back(partOf(loop));

  AffineMap map = product.getMatchingIndexingMap(product.getDpsInitOperand(0));
  axisParts.assign(axisDims.size(), Depth);
  for (auto [expr, index] : llvm::zip(map.getResults(), *place)) {
    auto loop = dyn_cast<AffineDimExpr>(expr);
    if (!loop)
      return "the product's result is not indexed by its loops";
    bool isClear = true;
    index.walk([&](AffineExpr part) {
      auto axis = dyn_cast<AffineDimExpr>(part);
      if (!axis)
        return;
      Part &known = axisParts[axis.getPosition()];
      isClear = isClear && (known == Depth || known == loopParts[loop.getPosition()]);
      known = loopParts[loop.getPosition()];
    });
    if (!isClear)
      return "an axis of the result mixes both sides of the product";
  }
  for (auto [part, dim] : llvm::zip(axisParts, axisDims)) {
    if (part == Depth && math.constantOf(dim) != 1)
      return "an axis of the result does not depend on the product";
    if (part == Depth)
      part = Batch;
  }
  // Threads run along the columns when they store: these get the last axis.
  for (auto [part, dim] : llvm::reverse(llvm::zip(axisParts, axisDims))) {
    if (math.constantOf(dim) == 1 || part == Batch)
      continue;
    if (part == Rows) {
      std::swap(left, right);
      for (std::vector<Part> *parts : {&axisParts, &loopParts})
        for (Part &other : *parts)
          other = other == Rows ? Columns : other == Columns ? Rows : other;
    }
    break;
  }
  return std::nullopt;
}

AffineExpr ContractionWriter::extentOf(Part part) const {
  IndexList dims;
  if (part == Depth) {
    for (auto [loop, extent] : llvm::enumerate(extents))
      if (loopParts[loop] == Depth)
        dims.push_back(extent);
  } else {
    for (auto [axis, dim] : llvm::enumerate(axisDims))
      if (axisParts[axis] == part)
        dims.push_back(dim);
  }
  return math.product(dims);
}

//===------------------------------------------------------------------------------------------===//
// Writing
//===------------------------------------------------------------------------------------------===//

/// The 16-bit type that both factors are elements of, as they are in memory or computed; tensor
/// cores multiply these without rounding.
std::optional<std::string> ContractionWriter::tensorCoreType() const {
  Type types[2];
  for (auto [type, factor] : llvm::zip(types, ArrayRef{left, right}))
    if (auto extension = factor.value.getDefiningOp<arith::ExtFOp>())
      type = extension.getIn().getType();
  bool isSmall = typical(Rows) < 8 || typical(Columns) < 8 || typical(Depth) < 16;
  if (!types[0] || types[0] != types[1] || !(types[0].isBF16() || types[0].isF16()) || isSmall)
    return std::nullopt;
  return typeText(types[0]);
}

IndexList ContractionWriter::axesAt(AffineExpr row, AffineExpr column) {
  IndexList axes(axisParts.size());
  for (auto [part, index] :
       {std::pair(Batch, batch), std::pair(Rows, row), std::pair(Columns, column)}) {
    if (!index)
      continue;
    IndexList dims;
    for (auto [axis, dim] : llvm::enumerate(axisDims))
      if (axisParts[axis] == part)
        dims.push_back(dim);
    IndexList indices = math.delinearize(index, dims);
    unsigned next = 0;
    for (auto [axis, value] : llvm::enumerate(axes))
      if (axisParts[axis] == part)
        value = indices[next++];
  }
  return axes;
}

/// The place in the product's result, null where it depends on an axis that is null.
IndexList ContractionWriter::placeAt(const IndexList &axes) const {
  IndexList result;
  for (AffineExpr index : *place) {
    bool isKnown = true;
    index.walk([&](AffineExpr part) {
      if (auto axis = dyn_cast<AffineDimExpr>(part))
        isKnown = isKnown && axes[axis.getPosition()];
    });
    IndexList filled = axes;
    for (AffineExpr &axis : filled)
      if (!axis)
        axis = math.constant(0);
    result.push_back(isKnown ? math.simplify(index.replaceDims(filled)) : AffineExpr());
  }
  return result;
}

IndexList ContractionWriter::loopsAt(AffineExpr row, AffineExpr column, AffineExpr depth) {
  IndexList loops(product.getNumLoops()), depths;
  AffineMap map = product.getMatchingIndexingMap(product.getDpsInitOperand(0));
  for (auto [expr, index] : llvm::zip(map.getResults(), placeAt(axesAt(row, column))))
    loops[cast<AffineDimExpr>(expr).getPosition()] = index;
  for (auto [loop, extent] : llvm::enumerate(extents))
    if (loopParts[loop] == Depth)
      depths.push_back(extent);
  IndexList indices = math.delinearize(depth, depths);
  unsigned next = 0;
  for (auto [loop, index] : llvm::enumerate(loops))
    if (loopParts[loop] == Depth)
      index = indices[next++];
  return loops;
}

void ContractionWriter::writeTiling(const std::string &tile, unsigned split) {
  auto yesNo = [](bool value) { return value ? "true" : "false"; };
  out.line("// " + std::string(yesNo(left.alongDepth)) + " and " + yesNo(right.alongDepth) +
           ": whether the operands' memory runs along the depth");
  out.line("using Tile = " + tile + ", " + yesNo(left.alongDepth) + ", " + yesNo(right.alongDepth) +
           ">;");
  out.line("const Index M = " + math.text(extentOf(Rows)) +
           ", N = " + math.text(extentOf(Columns)) + ", K = " + math.text(extentOf(Depth)) + ";");
  out.line("const Index tilesM = (M + Tile::BM - 1) / Tile::BM;");
  out.line("const Index tilesN = (N + Tile::BN - 1) / Tile::BN;");
  if (split > 1) {
    std::string blocks = std::to_string(split);
    out.line("if (!HasClusters && blockId % " + blocks + " != 0)");
    out.line("  return;");
    out.line("const Index tile = blockId / " + blocks + ";");
  } else {
    out.line("const Index tile = blockId;");
  }
  batch = math.constant(0);
  if (AffineExpr count = extentOf(Batch); math.constantOf(count) != 1) {
    out.line("const Index batch = tile / (tilesM * tilesN);");
    batch = evaluator.declare("batch", count);
  }
}

/// The corner of the block's tile. Neighbouring blocks take tiles along the shorter side, so that
/// they read the same part of the other operand, which is the larger one.
std::string ContractionWriter::corner() const {
  if (typical(Columns) <= typical(Rows))
    return "tile / tilesN % tilesM * Tile::BM, tile % tilesN * Tile::BN, M, N, K, ";
  return "tile % tilesM * Tile::BM, tile / tilesM % tilesN * Tile::BN, M, N, K, ";
}

AffineExpr ContractionWriter::tilesOf(unsigned rows, unsigned columns) const {
  return extentOf(Rows).ceilDiv(rows) * extentOf(Columns).ceilDiv(columns) * extentOf(Batch);
}

void ContractionWriter::writeFactor(const std::string &name, const Factor &factor,
                                    const std::string &side) {
  bool isRows = side == "m";
  evaluator.openBlock("auto " + name + " = [&](Index " + side + ", Index k) -> " +
                      *typeText(element));
  AffineExpr index = evaluator.declare(side, extentOf(isRows ? Rows : Columns));
  AffineExpr depth = evaluator.declare("k", extentOf(Depth));
  IndexList loops = isRows ? loopsAt(index, {}, depth) : loopsAt({}, index, depth);
  out.line("return " + evaluator.bodyValue(product, factor.value, loops) + ";");
  evaluator.closeScope("};");
}

/// Loops that the row alone decides are computed once for it, where that takes a division.
IndexList ContractionWriter::knownLoops(const IndexList &loops, AffineExpr index,
                                        std::vector<std::string> &members) {
  IndexList known = loops;
  unsigned row = cast<AffineDimExpr>(index).getPosition();
  for (auto [loop, value] : llvm::enumerate(known)) {
    bool isOfRow = value && llvm::is_contained(math.variablesOf(value), row);
    if (!isOfRow || loopParts[loop] == Depth || isa<AffineDimExpr>(value))
      continue;
    members.push_back(math.text(value));
    value = evaluator.declare("row.l" + std::to_string(members.size() - 1), extents[loop]);
  }
  return known;
}

/// Functors that give addresses of 16 bytes along the depth; false, with nothing written, if the
/// factor is computed or its memory does not run along the depth in such pieces.
bool ContractionWriter::writeAddress(const std::string &name, const Factor &factor,
                                     const std::string &side, const std::string &type) {
  constexpr int64_t Chunk = 8; // elements of 16 bits
  auto input = dyn_cast<BlockArgument>(factor.value.getDefiningOp()->getOperand(0));
  if (!input || input.getOwner()->getParentOp() != product ||
      math.divisorOf(extentOf(Depth)) % Chunk != 0)
    return false;
  OpOperand &operand = product->getOpOperand(input.getArgNumber());
  AffineMap map = product.getMatchingIndexingMap(&operand);
  bool isRows = side == "m";
  AffineExpr index = evaluator.declare(side, extentOf(isRows ? Rows : Columns));
  std::vector<std::string> members;
  IndexList known =
      isRows ? loopsAt(index, {}, math.constant(0)) : loopsAt({}, index, math.constant(0));
  known = knownLoops(known, index, members);
  auto addressAt = [&](AffineExpr depth) {
    IndexList loops = isRows ? loopsAt(index, {}, depth) : loopsAt({}, index, depth), indices;
    for (auto [loop, value] : llvm::enumerate(loops))
      value = loopParts[loop] == Depth ? value : known[loop];
    for (AffineExpr result : map.getResults())
      indices.push_back(math.simplify(result.replaceDims(loops)));
    return evaluator.addressOf(operand.get(), indices);
  };
  AffineExpr chunk = evaluator.declare("chunk", math.simplify(extentOf(Depth).floorDiv(Chunk)));
  AffineExpr element = evaluator.declare("element", math.constant(Chunk));
  std::optional<Evaluator::Address> first = addressAt(chunk * Chunk);
  std::optional<Evaluator::Address> any = addressAt(chunk * Chunk + element);
  if (!first || !any || first->pointer != any->pointer || first->condition != any->condition ||
      !math.isEqual(any->linear, first->linear + element) ||
      math.divisorOf(first->linear) % Chunk != 0)
    return false;
  writeKnown(name, side, members);
  std::string parameter = members.empty() ? "Index " + side : "const Row" + name + " &row";
  evaluator.openBlock("auto " + name + " = [&](" + parameter + ", Index k) -> const " + type +
                      " *");
  out.line("const Index chunk = k / " + std::to_string(Chunk) + ";");
  std::string address = first->pointer + " + " + math.text(first->linear);
  out.line(
      "return " +
      (first->condition.empty() ? address : first->condition + " ? " + address + " : nullptr") +
      ";");
  evaluator.closeScope("};");
  return true;
}

/// The functor that makes what operand `name` knows of a row: these members, or its number.
void ContractionWriter::writeKnown(const std::string &name, const std::string &side,
                                   const std::vector<std::string> &members) {
  if (members.empty()) {
    out.line("auto know_" + name + " = [](Index " + side + ") { return " + side + "; };");
    return;
  }
  out.line("struct Row" + name + " {");
  for (size_t i = 0; i < members.size(); ++i)
    out.line("  Index l" + std::to_string(i) + ";");
  out.line("};");
  out.line("auto know_" + name + " = [&](Index " + side + ") { return Row" + name + "{" +
           llvm::join(members, ", ") + "}; };");
}

void ContractionWriter::writeOperand(const std::string &name, const Factor &factor,
                                     const std::string &side, const std::string &type) {
  if (writeAddress(name, factor, side, type))
    return;
  writeKnown(name, side, {});
  writeFactor(name, factor, side);
}

Scheduled ContractionWriter::writeOnTensorCores(const std::string &type) {
  MmaTile tile = chooseMmaTile(typical(Rows), typical(Columns), typical(Depth) * 2, typical(Batch),
                               body.threads);
  writeTiling("MmaTile<" + tile.text(), tile.split);
  writeOperand("a", left, "m", type);
  writeOperand("b", right, "n", type);
  unsigned width = storesVectors() ? StoreWidth : 1;
  writeStore(width);
  bool isStatic = body.threads != 0; // as part of a loop
  if (isStatic)
    out.line("alignas(128) __shared__ char shared[Tile::SharedBytes];");
  else
    out.line("char *shared = dynamicShared<char>();");
  out.line("mmaGemm<Tile, " + type + ", " + std::to_string(width) + ">(shared, " + corner() +
           "know_a, a, know_b, b, store);");
  Scheduled scheduled{out.take(),
                      tilesOf(tile.rows, tile.columns) * tile.split,
                      tile.threads(),
                      {"tensorcore.cuh", "mma.cuh"}};
  (isStatic ? scheduled.staticShared : scheduled.sharedBytes) = tile.sharedBytes();
  scheduled.cluster = tile.split;
  return scheduled;
}

/// f32 and integers.
Scheduled ContractionWriter::writeOnCores() {
  GemmTile tile = chooseGemmTile(typical(Rows), typical(Columns), typical(Batch), body.threads);
  writeTiling("GemmTile<" + tile.text(), 1);
  writeFactor("a", left, "m");
  writeFactor("b", right, "n");
  writeStore(0);
  out.line("gemm<Tile, " + *typeText(element) + ">(" + corner() + "a, b, store);");
  Scheduled scheduled{out.take(), tilesOf(tile.rows, tile.columns), tile.threads(), {"gemm.cuh"}};
  scheduled.staticShared = tile.sharedBytes(element.getIntOrFloatBitWidth() / 8);
  return scheduled;
}

/// What the product's element is, given the sum: also what the model adds it to.
std::string ContractionWriter::writeSum(const IndexList &at, const std::string &sum) {
  std::string initial = evaluator.element(product.getDpsInits()[0], at);
  if (initial == "0.0f" || initial == "0" || initial == "0LL")
    return sum;
  std::string name = evaluator.freshName("sum");
  out.line("const " + *typeText(element) + " " + name + " = " + sum + " + " + initial + ";");
  return name;
}

/// The functor that takes sums: `width` neighbours of a row as an array, or one sum as it is (0).
void ContractionWriter::writeStore(unsigned width) {
  std::string type = *typeText(element);
  evaluator.openBlock(
      "auto store = [&](Index m, Index n, " +
      (width == 0 ? type + " sum" : "const " + type + " (&sums)[" + std::to_string(width) + "]") +
      ")");
  AffineExpr row = evaluator.declare("m", extentOf(Rows));
  if (width > 1) {
    writeVectors(row, width);
  } else {
    AffineExpr column = evaluator.declare("n", extentOf(Columns));
    for (const StoredElement &stored : writeResults(row, column, width == 0 ? "sum" : "sums[0]"))
      out.line(stored.pointer + "[" + math.text(stored.place) + "] = " + stored.value + ";");
  }
  evaluator.closeScope("};");
}

/// Neighbours are computed one by one, with vectors of what they read, and stored as vectors.
void ContractionWriter::writeVectors(AffineExpr row, unsigned width) {
  std::string size = std::to_string(width);
  AffineExpr count = math.simplify(extentOf(Columns).floorDiv(width));
  out.line("const Index chunk = n / " + size + ";");
  AffineExpr first = evaluator.declare("chunk", count) * width;
  for (const Output &output : outputs)
    out.line("Vector<" + *typeText(getElementTypeOrSelf(output.tensor.getType())) + ", " + size +
             "> " + output.pointer + "v;");
  AffineExpr lane = evaluator.openLoop("j", math.constant(width), /*unrolls=*/true);
  unsigned variable = cast<AffineDimExpr>(lane).getPosition();
  std::string name = math.nameOf(variable);
  evaluator.lane = {variable, out.depth(), width};
  std::vector<StoredElement> stored = writeResults(row, first + lane, "sums[" + name + "]");
  IndexList starts;
  for (const StoredElement &element : stored) {
    AffineExpr start = math.simplify(element.place - lane);
    bool isAligned = !llvm::is_contained(math.variablesOf(start), variable) &&
                     math.divisorOf(start) % width == 0;
    starts.push_back(isAligned ? start : AffineExpr());
    std::string to = isAligned ? "v[" + name + "]" : "[" + math.text(element.place) + "]";
    out.line(element.pointer + to + " = " + element.value + ";");
  }
  evaluator.lane.reset();
  evaluator.closeScope();
  for (auto [element, start] : llvm::zip(stored, starts))
    if (start)
      out.line("storeVector(" + element.pointer + " + " + math.text(start) + ", " +
               element.pointer + "v);");
}

/// Computes the elements of all results that come of the product's element at (row, column).
std::vector<ContractionWriter::StoredElement>
ContractionWriter::writeResults(AffineExpr row, AffineExpr column, const std::string &sum) {
  IndexList axes = axesAt(row, column);
  std::string total = writeSum(placeAt(axes), sum);
  evaluator.intercept = [&](Value tensor, const IndexList &) -> std::optional<std::string> {
    if (tensor.getDefiningOp() == product)
      return total; // traced before: there is one place only
    return std::nullopt;
  };
  IndexList indices = mergeAxes(math, axes);
  std::vector<StoredElement> stored;
  for (const Output &output : outputs)
    stored.push_back({output.pointer, math.linearize(indices, output.dims),
                      evaluator.element(output.tensor, indices)});
  evaluator.intercept = nullptr;
  return stored;
}

/// Whether neighbouring columns are neighbours in the memory of each result.
bool ContractionWriter::storesVectors() const {
  return math.divisorOf(extentOf(Columns)) % StoreWidth == 0 &&
         llvm::all_of(outputs, [](const Output &output) {
           Type type = getElementTypeOrSelf(output.tensor.getType());
           return type.isIntOrFloat() && type.getIntOrFloatBitWidth() <= 32;
         });
}

Result<Scheduled> ContractionWriter::write() {
  Result<std::vector<Output>> found = outputsOf(body, evaluator);
  if (!found)
    return found.error();
  outputs = std::move(*found);
  if (!findProduct())
    return notOfThisForm("there is not exactly one sum of products");
  if (!traceAll())
    return notOfThisForm("the results do not read the product at one place each");
  if (std::optional<std::string> why = classify())
    return notOfThisForm(*why);

  if (math.constantOf(extentOf(Rows)) == 1 || math.constantOf(extentOf(Columns)) == 1)
    return notOfThisForm("a vector, of which tiles would compute copies");
  // Depthwise convolutions and those with few results per group.
  if (body.anchor == "convolution" && (isFew(Rows) || isFew(Columns)))
    return notOfThisForm("most of every tile would lie outside of the product");

  std::optional<std::string> type = tensorCoreType();
  Scheduled scheduled = type ? writeOnTensorCores(*type) : writeOnCores();
  if (evaluator.error())
    return *evaluator.error();
  return scheduled;
}

} // namespace

Result<Scheduled> scheduleContraction(const KernelBody &body) {
  return ContractionWriter(body).write();
}

} // namespace nnc::codegen
