//===- Contraction.cpp - A kernel understood as a batch of matrix products --------------------===//
#include "codegen/cuda/Contraction.h"

#include "codegen/cuda/ScalarOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;

namespace nnc::codegen {

//===------------------------------------------------------------------------------------------===//
// Understanding
//===------------------------------------------------------------------------------------------===//

/// The factors of the products that `op` adds up; null values if it does something else.
static std::pair<Value, Value> factorsOf(linalg::LinalgOp op) {
  Operation *sum = op.getNumReductionLoops() > 0 ? findCombiner(op) : nullptr;
  if (!sum || !isa<arith::AddFOp, arith::AddIOp>(sum))
    return {};
  BlockArgument total = op->getRegion(0).front().getArgument(op.getNumDpsInputs());
  Operation *times = sum->getOperand(sum->getOperand(0) == total ? 1 : 0).getDefiningOp();
  if (!times || times->getBlock() != sum->getBlock() || !isa<arith::MulFOp, arith::MulIOp>(times))
    return {};
  return {times->getOperand(0), times->getOperand(1)};
}

bool Contraction::findProduct() {
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

Contraction::Factor Contraction::factorOf(Value value) {
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
bool Contraction::trace(const Output &output) {
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

bool Contraction::traceAll() {
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
bool Contraction::splitAxes() {
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
IndexList Contraction::mergeAxes(const IndexMath &math, const IndexList &axes) const {
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
std::optional<std::string> Contraction::classify() {
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
    if (part == Rows)
      swapSides();
    break;
  }
  return std::nullopt;
}

void Contraction::swapSides() {
  std::swap(left, right);
  for (std::vector<Part> *parts : {&axisParts, &loopParts})
    for (Part &part : *parts)
      part = part == Rows ? Columns : part == Columns ? Rows : part;
}

std::optional<nnc::Error> Contraction::understand() {
  Result<std::vector<Output>> found = outputsOf(body, evaluator);
  if (!found)
    return found.error();
  outputs = std::move(*found);
  if (!findProduct())
    return nnc::Error{"there is not exactly one sum of products"};
  if (!traceAll())
    return nnc::Error{"the results do not read the product at one place each"};
  if (std::optional<std::string> why = classify())
    return nnc::Error{*why};
  batch = math.constant(0);
  return std::nullopt;
}

AffineExpr Contraction::extentOf(Part part) const {
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
// Places
//===------------------------------------------------------------------------------------------===//

IndexList Contraction::axesAt(AffineExpr row, AffineExpr column) {
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
IndexList Contraction::placeAt(const IndexList &axes) const {
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

IndexList Contraction::loopsAt(AffineExpr row, AffineExpr column, AffineExpr depth) {
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

//===------------------------------------------------------------------------------------------===//
// Operands and results
//===------------------------------------------------------------------------------------------===//

void Contraction::writeFactor(const std::string &name, const Factor &factor,
                              const std::string &side) {
  writeValue(name, factor.value, side, element);
}

bool Contraction::writeNarrowFactor(const std::string &name, const Factor &factor,
                                    const std::string &side, Type type) {
  auto extension = factor.value.getDefiningOp<arith::ExtFOp>();
  if (!extension || extension.getIn().getType() != type)
    return false;
  writeValue(name, extension.getIn(), side, type);
  return true;
}

bool Contraction::hasFewChannels() const {
  linalg::LinalgOp op = product;
  auto conv = dyn_cast<linalg::Conv2DNhwcFhwcOp>(op.getOperation());
  std::optional<int64_t> channels = conv ? math.constantOf(extents[6]) : std::nullopt;
  return channels && *channels < 8;
}

void Contraction::writeValue(const std::string &name, Value value, const std::string &side,
                             Type type) {
  bool isRows = side == "m";
  evaluator.openBlock("auto " + name + " = [&](Index " + side + ", Index k) -> " + *typeText(type));
  AffineExpr index = evaluator.declare(side, extentOf(isRows ? Rows : Columns));
  AffineExpr depth = evaluator.declare("k", extentOf(Depth));
  IndexList loops = isRows ? loopsAt(index, {}, depth) : loopsAt({}, index, depth);
  out.line("return " + evaluator.bodyValue(product, value, loops) + ";");
  evaluator.closeScope("};");
}

void Contraction::writeVectorFactor(const std::string &name, const Factor &factor,
                                    const std::string &side, int64_t width) {
  bool isRows = side == "m";
  std::string count = std::to_string(width),
              type = "Vector<" + *typeText(element) + ", " + count + ">";
  evaluator.openBlock("auto " + name + " = [&](Index " + side + ", Index k) -> " + type);
  AffineExpr index = evaluator.declare(side, extentOf(isRows ? Rows : Columns));
  out.line("const Index chunk = k / " + count + ";");
  AffineExpr chunk = evaluator.declare("chunk", math.simplify(extentOf(Depth).floorDiv(width)));
  out.line(type + " values;");
  AffineExpr lane = evaluator.openLanes(width);
  AffineExpr depth = chunk * width + lane;
  IndexList loops = isRows ? loopsAt(index, {}, depth) : loopsAt({}, index, depth);
  out.line("values[" + math.nameOf(cast<AffineDimExpr>(lane).getPosition()) +
           "] = " + evaluator.bodyValue(product, factor.value, loops) + ";");
  evaluator.closeLanes();
  out.line("return values;");
  evaluator.closeScope("};");
}

/// Loops that the row alone decides are computed once for it, where that takes a division.
IndexList Contraction::knownLoops(const IndexList &loops, AffineExpr index,
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

static SmallVector<AffineExpr> addendsOf(AffineExpr sum) {
  auto add = dyn_cast<AffineBinaryOpExpr>(sum);
  if (!add || add.getKind() != AffineExprKind::Add)
    return {sum};
  SmallVector<AffineExpr> addends = addendsOf(add.getLHS());
  llvm::append_range(addends, addendsOf(add.getRHS()));
  return addends;
}

/// Whether the element after `first` by `element` follows it in memory, where `count` of them begin
/// at a multiple of their length.
bool Contraction::areNeighbours(const std::optional<Evaluator::Address> &first,
                                const std::optional<Evaluator::Address> &any, AffineExpr element,
                                int64_t count) const {
  return first && any && first->pointer == any->pointer && first->condition == any->condition &&
         math.isEqual(any->linear, first->linear + element) &&
         math.divisorOf(first->linear) % count == 0;
}

bool Contraction::writeAddress(const std::string &name, const Factor &factor,
                               const std::string &side, Type type) {
  const int64_t Length = 128 / type.getIntOrFloatBitWidth(); // elements
  OpOperand *operand = plainOperand(factor, type);
  if (!operand || math.divisorOf(extentOf(Depth)) % Length != 0)
    return false;
  AffineMap map = product.getMatchingIndexingMap(operand);
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
    return evaluator.addressOf(operand->get(), indices);
  };
  AffineExpr chunk = evaluator.declare("chunk", math.simplify(extentOf(Depth).floorDiv(Length)));
  AffineExpr element = evaluator.declare("element", math.constant(Length));
  std::optional<Evaluator::Address> first = addressAt(chunk * Length);
  if (!areNeighbours(first, addressAt(chunk * Length + element), element, Length))
    return false;
  addressed = first;
  writeChunk(
      name, side, type,
      {*first, index, chunk, members, "const Index chunk = k / " + std::to_string(Length) + ";"});
  return true;
}

/// Neighbours along the side: whole pieces, which no window's place or border divides.
std::optional<Contraction::Chunk> Contraction::findSideChunk(const Factor &factor,
                                                             const std::string &side, Type type) {
  const int64_t Length = 128 / type.getIntOrFloatBitWidth(); // elements
  OpOperand *operand = plainOperand(factor, type);
  bool isRows = side == "m";
  AffineExpr extent = extentOf(isRows ? Rows : Columns);
  if (!operand || factor.alongDepth || math.divisorOf(extent) % Length != 0)
    return std::nullopt;
  AffineMap map = product.getMatchingIndexingMap(operand);
  AffineExpr depth = evaluator.declare("k", extentOf(Depth));
  auto loopsOf = [&](AffineExpr index) {
    return isRows ? loopsAt(index, {}, depth) : loopsAt({}, index, depth);
  };
  auto addressAt = [&](const IndexList &loops) {
    IndexList indices;
    for (AffineExpr result : map.getResults())
      indices.push_back(math.simplify(result.replaceDims(loops)));
    return evaluator.addressOf(operand->get(), indices);
  };
  AffineExpr chunk = evaluator.declare("chunk", math.simplify(extent.floorDiv(Length)));
  AffineExpr element = evaluator.declare("element", math.constant(Length));
  if (!areNeighbours(addressAt(loopsOf(chunk * Length)),
                     addressAt(loopsOf(chunk * Length + element)), element, Length))
    return std::nullopt;
  AffineExpr index = evaluator.declare(side, extent);
  std::vector<std::string> members;
  std::optional<Evaluator::Address> address = addressAt(knownLoops(loopsOf(index), index, members));
  if (!address)
    return std::nullopt;
  return Chunk{*address, index, depth, members, ""};
}

bool Contraction::writeSideAddress(const std::string &name, const Factor &factor,
                                   const std::string &side, Type type) {
  std::optional<Chunk> chunk = findSideChunk(factor, side, type);
  if (chunk)
    writeChunk(name, side, type, *chunk);
  return chunk.has_value();
}

void Contraction::writeChunk(const std::string &name, const std::string &side, Type type,
                             const Chunk &chunk) {
  const Evaluator::Address &address = chunk.address;
  // What the row alone decides of the place is computed once for it.
  AffineExpr ofRow = math.constant(0), ofDepth = math.constant(0);
  unsigned row = cast<AffineDimExpr>(chunk.index).getPosition();
  unsigned depth = cast<AffineDimExpr>(chunk.depth).getPosition();
  for (AffineExpr term : addendsOf(address.linear)) {
    bool isOfDepth = llvm::is_contained(math.variablesOf(term), depth);
    (isOfDepth ? ofDepth : ofRow) = (isOfDepth ? ofDepth : ofRow) + term;
  }
  bool asksForRow = llvm::is_contained(math.variablesOf(ofDepth), row) ||
                    (chunk.members.empty() && !address.condition.empty());
  std::string stored = *typeText(type);
  Known kept{chunk.members, {}, {}};
  if (!asksForRow)
    kept.pointer = "const " + stored + " *", kept.from = address.pointer + " + " + math.text(ofRow);
  writeKnown(name, side, kept);
  bool isBare = chunk.members.empty() && asksForRow;
  evaluator.openBlock("auto " + name + " = [&](" +
                      (isBare ? "Index " + side : "const Row" + name + " &row") +
                      ", Index k) -> const " + stored + " *");
  if (!chunk.depthLine.empty())
    out.line(chunk.depthLine);
  out.line("const " + stored + " *const from = " +
           (asksForRow ? address.pointer + " + " + math.text(address.linear)
                       : "row.from + (" + math.text(ofDepth) + ")") +
           ";");
  out.line("NNC_ASSUME(from != nullptr);");
  // All of the condition at once: branches would keep rows from sharing what they have in common.
  std::string inside = llvm::join(llvm::split(StringRef(address.condition), " && "), " & ");
  out.line("return " + (inside.empty() ? "from" : inside + " ? from : nullptr") + ";");
  evaluator.closeScope("};");
}

/// The functor that makes what operand `name` knows of a row, or its number if that is nothing.
void Contraction::writeKnown(const std::string &name, const std::string &side, const Known &known) {
  if (known.members.empty() && known.from.empty()) {
    out.line("auto know_" + name + " = [](Index " + side + ") { return " + side + "; };");
    return;
  }
  out.line("struct Row" + name + " {");
  for (size_t i = 0; i < known.members.size(); ++i)
    out.line("  Index l" + std::to_string(i) + ";");
  if (!known.from.empty())
    out.line("  " + known.pointer + "from;");
  out.line("};");
  std::string values = llvm::join(known.members, ", ");
  out.line("auto know_" + name + " = [&](Index " + side + ") {");
  out.line("  Row" + name + " row{" + values + "};");
  if (!known.from.empty())
    out.line("  row.from = " + known.from + ";");
  out.line("  return row;");
  out.line("};");
}

/// What the product's element is, given the sum: also what the model adds it to.
std::string Contraction::writeSum(const IndexList &at, const std::string &sum) {
  std::string initial = evaluator.element(product.getDpsInits()[0], at);
  if (initial == "0.0f" || initial == "0" || initial == "0LL")
    return sum;
  std::string name = evaluator.freshName("sum");
  out.line("const " + *typeText(element) + " " + name + " = " + sum + " + " + initial + ";");
  return name;
}

/// Computes the elements of all results that come of the product's element at (row, column).
std::vector<Contraction::StoredElement> Contraction::writeResults(AffineExpr row, AffineExpr column,
                                                                  const std::string &sum) {
  IndexList axes = axesAt(row, column);
  std::string total = writeSum(placeAt(axes), sum);
  evaluator.intercept = [&](Value tensor, const IndexList &) -> std::optional<std::string> {
    if (tensor.getDefiningOp() == product)
      return total; // traced before: there is one place only
    return std::nullopt;
  };
  IndexList indices = mergeAxes(math, axes);
  std::vector<StoredElement> stored;
  isDense.clear();
  for (const Output &output : outputs) {
    stored.push_back(
        {output, math.linearize(indices, output.dims), evaluator.element(output.tensor, indices)});
    isDense.push_back(math.isEqual(stored.back().place, row * extentOf(Columns) + column));
  }
  evaluator.intercept = nullptr;
  return stored;
}

void Contraction::writeElementStore(const std::string &parameter, const std::string &sum) {
  evaluator.openBlock("auto store = [&](Index m, Index n, " + parameter + ")");
  AffineExpr row = evaluator.declare("m", extentOf(Rows));
  AffineExpr column = evaluator.declare("n", extentOf(Columns));
  for (const StoredElement &stored : writeResults(row, column, sum))
    out.line(stored.output.pointer + "[" + math.text(stored.place) + "] = " + stored.value + ";");
  evaluator.closeScope("};");
}

} // namespace nnc::codegen
