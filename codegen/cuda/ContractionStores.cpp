// Where the sums of a product go: functors that take one or several neighbours, compute what is
// fused behind them, and store.
#include "codegen/cuda/ContractionWriter.h"
#include "codegen/cuda/ScalarOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include <fmt/format.h>

using namespace mlir;

namespace nnc::codegen {

/// Whether the first thing that is done with each element of the tensor is to round it to `type`.
static bool isOnlyRounded(Value tensor, Type type) {
  return !tensor.use_empty() && llvm::all_of(tensor.getUses(), [&](OpOperand &use) {
    if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(use.getOwner()))
      return isOnlyRounded(use.getOwner()->getResult(0), type);
    auto generic = dyn_cast<linalg::GenericOp>(use.getOwner());
    return generic &&
           llvm::all_of(generic.getMatchingBlockArgument(&use).getUsers(), [&](Operation *user) {
             return isa<arith::TruncFOp>(user) && user->getResult(0).getType() == type;
           });
  });
}

/// Whether the sum is all of the product's element.
static bool beginsWithZero(linalg::LinalgOp product) {
  auto fill = product.getDpsInits()[0].getDefiningOp<linalg::FillOp>();
  return fill && matchPattern(fill.getInputs()[0], m_PosZeroFloat());
}

/// The functor for templates that exchange sums between lanes, which is half the work if they are
/// rounded before.
void ContractionWriter::writeStoreOfPieces(Type type) {
  if (beginsWithZero(product) && isOnlyRounded(product->getResult(0), type))
    rounded = type;
  writeStore(StoreWidth);
}

std::string ContractionWriter::sumText() const { return rounded ? ", " + *typeText(rounded) : ""; }

/// The functor that takes sums: `width` neighbours of a row as an array, or one sum as it is (0).
void ContractionWriter::writeStore(unsigned width) {
  if (width == 0)
    return writeElementStore(*typeText(element) + " sum", {"sum"});
  std::string parameter =
      "const " + *typeText(rounded ? rounded : element) + " (&sums)[" + std::to_string(width) + "]";
  Evaluator::AheadLoads ahead;
  bool leavesLoads = aheadLoads != Ahead::None;
  parameter += leavesLoads ? ", const Ahead &ahead" : "";
  parameter += aheadLoads == Ahead::ByRows ? ", const Columns &columns" : "";
  if (width == 1)
    return writeElementStore(parameter, {"sums[0]"});
  evaluator.openBlock("auto store = [&](Index m, Index n, " + parameter + ")");
  AffineExpr row = evaluator.declare("m", extentOf(Rows));
  ahead.of = aheadLoads == Ahead::ByRows ? row : AffineExpr();
  writeVectors(row, width, leavesLoads ? &ahead : nullptr);
  if (leavesLoads) {
    std::vector<std::string> inner = out.suspend(out.depth() - 1);
    writeAhead(width, ahead);
    out.resume(std::move(inner));
  }
  evaluator.closeScope("};");
}

/// The functors that load what `store` needs for the same place, before the sums are known: what
/// the row decides too, and what is the same in all rows.
void ContractionWriter::writeAhead(unsigned width, const Evaluator::AheadLoads &ahead) {
  writeLoads("Ahead", "ahead", "Index m, Index n", width, ahead.loads);
  if (aheadLoads == Ahead::ByRows)
    writeLoads("Columns", "columnsAt", "Index n", width, ahead.others);
}

void ContractionWriter::writeLoads(const std::string &type, const std::string &functor,
                                   const std::string &parameters, unsigned width,
                                   ArrayRef<Evaluator::AheadLoad> loads) {
  std::string values;
  out.line("struct " + type + " {");
  for (const Evaluator::AheadLoad &load : loads) {
    out.line("  " + load.type + " " + load.name + ";");
    values += (values.empty() ? "" : ", ") + load.value;
  }
  out.line("};");
  out.line("auto " + functor + " = [&](" + parameters + ") {");
  if (!loads.empty())
    out.line("  const Index chunk = n / " + std::to_string(width) + ";");
  out.line("  return " + type + "{" + values + "};");
  out.line("};");
}

/// Neighbours are computed one by one, with vectors of what they read, and stored as vectors.
void ContractionWriter::writeVectors(AffineExpr row, unsigned width, Evaluator::AheadLoads *ahead) {
  AffineExpr count = math.simplify(extentOf(Columns).floorDiv(width));
  out.line("const Index chunk = n / " + std::to_string(width) + ";");
  AffineExpr chunk = evaluator.declare("chunk", count);
  VectorStores stores(evaluator);
  AffineExpr lane = stores.open(outputs, width, ahead);
  std::string sum = "sums[" + math.nameOf(cast<AffineDimExpr>(lane).getPosition()) + "]";
  for (const StoredElement &stored : writeResults(row, chunk * width + lane, {sum}))
    stores.add(stored.output, stored.place, stored.value);
  stores.close();
}

/// Whether neighbouring columns are neighbours in the memory of each result.
bool ContractionWriter::storesVectors() const {
  return math.divisorOf(extentOf(Columns)) % StoreWidth == 0 && areNarrow(outputs);
}

} // namespace nnc::codegen
