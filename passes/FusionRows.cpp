//===- FusionRows.cpp - What joins products of few rows ---------------------------------------===//
//
// Such a product takes as long as reading its matrix, and its blocks begin with that before the
// kernels in front of it are done. So they can as well compute the rows that they multiply, a norm
// of a few thousand elements, and two products of the same rows, as a gated layer has them, can
// share a kernel. For cuda; codegen/cuda/VectorSchedule writes these kernels.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/FusionPlanner.h"

using namespace mlir;

namespace nnc {
namespace {

/// Every block computes the rows again: with more columns, or longer rows, there are too many.
constexpr int64_t MostColumns = 32768, MostBytesOfRows = 32 << 10;

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

SmallVector<nn::MatmulOp> productsOf(const Group &group) {
  SmallVector<nn::MatmulOp> products;
  for (Operation *op : group.ops)
    if (auto product = dyn_cast<nn::MatmulOp>(op))
      products.push_back(product);
  return products;
}

} // namespace

bool FusionPlanner::areGated(unsigned a, unsigned b) {
  if (target != Target::Cuda || isa<nn::ScanOp>(block.getParentOp()))
    return false;
  SmallVector<nn::MatmulOp> first = productsOf(groups[a]), second = productsOf(groups[b]);
  return first.size() == 1 && second.size() == 1 && !groups[a].closed && !groups[b].closed &&
         isOfFewRows(first[0]) && isOfFewRows(second[0]) &&
         first[0].getLhs() == second[0].getLhs() &&
         first[0].getRhs().getType() == second[0].getRhs().getType() &&
         first[0].getType() == second[0].getType();
}

void FusionPlanner::takeRows(unsigned id) {
  SmallVector<nn::MatmulOp> products = productsOf(groups[id]);
  bool isOfRows = target == Target::Cuda && !isa<nn::ScanOp>(block.getParentOp()) &&
                  !groups[id].closed && !products.empty() && llvm::all_of(products, isOfFewRows);
  if (!isOfRows || products[0].getType().getShape().back() > MostColumns)
    return;
  Value rows = products[0].getLhs();
  int64_t bytes = typeOf(rows).getNumElements() * typeOf(rows).getElementTypeBitWidth() / 8;
  std::optional<Reference> reference = referenceOf(rows);
  if (!reference || !reference->direct || bytes > MostBytesOfRows)
    return;
  unsigned norm = reference->group;
  Group &group = groups[norm];
  bool isOfSameRows = llvm::equal(group.space, nn::getDims(typeOf(rows)), nn::areEqual) &&
                      group.reduced.size() == 1 && group.reduced[0] + 1 == typeOf(rows).getRank();
  bool isOwn = isOfSameRows && group.kind == nn::FusionRole::Reduction && !group.closed &&
               !isSpreadOut(group) && group.openUses == int64_t(products.size()) &&
               std::distance(rows.use_begin(), rows.use_end()) == group.openUses &&
               group.ops.size() + groups[id].ops.size() <= MaxGroupOps;
  std::optional<int64_t> place;
  if (isOwn)
    place = groups.findPlace({id, norm}, {}, now);
  if (!place)
    return;
  for (Operation *member : group.visible)
    members[member].map.reset();
  group.visible.clear();
  group.openUses = 0;
  llvm::erase_if(groups[id].refusals,
                 [&](const Refusal &refusal) { return groups.find(refusal.group) == norm; });
  groups.merge({id, norm}, *place);
}

} // namespace nnc
