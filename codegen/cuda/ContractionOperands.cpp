// The functors that read a product's factors and store its results.
#include "codegen/cuda/Contraction.h"

#include "codegen/cuda/ScalarOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;

namespace nnc::codegen {

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
std::string Contraction::writeSum(linalg::LinalgOp op, const IndexList &at,
                                  const std::string &sum) {
  std::string initial = evaluator.element(op.getDpsInits()[0], at);
  if (initial == "0.0f" || initial == "0" || initial == "0LL")
    return sum;
  std::string name = evaluator.freshName("sum");
  out.line("const " + *typeText(element) + " " + name + " = " + sum + " + " + initial + ";");
  return name;
}

/// Computes the elements of all results that come of the products' element at (row, column).
std::vector<Contraction::StoredElement> Contraction::writeResults(AffineExpr row, AffineExpr column,
                                                                  ArrayRef<std::string> sums) {
  IndexList axes = axesAt(row, column);
  std::string total = writeSum(product, placeAt(axes), sums.front());
  std::string other = second ? writeSum(second, placeAt(axes), sums.back()) : "";
  evaluator.intercept = [&](Value tensor, const IndexList &) -> std::optional<std::string> {
    Operation *maker = tensor.getDefiningOp();
    if (maker && maker == product)
      return total; // traced before: there is one place only
    if (maker && maker == second)
      return other;
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

void Contraction::writeElementStore(const std::string &parameter, ArrayRef<std::string> sums) {
  evaluator.openBlock("auto store = [&](Index m, Index n, " + parameter + ")");
  AffineExpr row = evaluator.declare("m", extentOf(Rows));
  AffineExpr column = evaluator.declare("n", extentOf(Columns));
  for (const StoredElement &stored : writeResults(row, column, sums))
    out.line(stored.output.pointer + "[" + math.text(stored.place) + "] = " + stored.value + ";");
  evaluator.closeScope("};");
}

} // namespace nnc::codegen
