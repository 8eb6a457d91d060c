//===- Pack.cpp - operands in the order of the loops that read them -------===//
//
// An operand of a product that is read with gaps (a 1x1 convolution with a stride) is copied
// without them first: vectors of what is apart cost several loads each, every time. So is one whose
// rows are far apart. Each operand has a copy of its own, for two may be parts of one tensor.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/KernelEmitter.h"
#include "codegen/cpu/LoopEmitter.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::codegen;

bool codegen::isReadOften(linalg::LinalgOp op, OpOperand &operand, ArrayRef<Interval> dims) {
  constexpr int64_t enoughReads = 24;
  if (op.getNumReductionLoops() == 0 || op.getNumDpsInputs() < 2 || op.isDpsInit(&operand))
    return false;
  SmallVector<unsigned> parallel;
  op.getParallelDims(parallel);
  double reads = 1;
  for (unsigned dim : parallel)
    if (!op.getMatchingIndexingMap(&operand).isFunctionOfDim(dim))
      reads *= double(dims[dim].bound < 0 ? enoughReads : dims[dim].bound);
  return reads >= enoughReads;
}

/// Elements are apart, and no element has two places, as a window would give it.
bool codegen::hasGaps(linalg::LinalgOp op, OpOperand &operand, ArrayRef<Interval> dims) {
  if (!isReadOften(op, operand, dims))
    return false;
  AffineMap map = op.getMatchingIndexingMap(&operand);
  bool isApart = false;
  for (AffineExpr expr : map.getResults()) {
    std::optional<LinearForm> form = getLinearForm(expr, map.getNumDims());
    if (!form)
      return false;
    unsigned moving = 0;
    for (auto [range, factor] : llvm::zip_equal(dims, form->factors)) {
      bool moves = factor != 0 && !range.size.isConstant(1);
      moving += moves;
      isApart |= moves && factor > 1;
    }
    if (moving > 1)
      return false;
  }
  return isApart;
}

/// The loops that `map` walks with, in the order of the axes.
static SmallVector<unsigned> dimsOf(AffineMap map) {
  SmallVector<unsigned> dims;
  for (AffineExpr expr : map.getResults())
    expr.walk([&](AffineExpr part) {
      if (auto dim = dyn_cast<AffineDimExpr>(part);
          dim && !llvm::is_contained(dims, dim.getPosition()))
        dims.push_back(dim.getPosition());
    });
  return dims;
}

/// True for an operand of a product that is better copied first: its rows, along which vectors are
/// loaded, are so far apart that they would push each other out of the caches before they are read
/// again.
bool KernelEmitter::isScattered(linalg::LinalgOp op, OpOperand &operand, ArrayRef<Interval> dims) {
  constexpr int64_t farApart = 1024;
  auto argument = argumentViews.find(operand.get());
  if (argument == argumentViews.end() || argument->second.strides.empty() ||
      !isReadOften(op, operand, dims))
    return false;
  ArrayRef<AffineExpr> axes = op.getMatchingIndexingMap(&operand).getResults();
  auto last = dyn_cast<AffineDimExpr>(axes.back());
  SmallVector<unsigned> parallel;
  op.getParallelDims(parallel);
  if (!last || !llvm::is_contained(parallel, last.getPosition()))
    return false;
  return llvm::any_of(llvm::zip_equal(axes, argument->second.strides), [&](auto pair) {
    auto dim = dyn_cast<AffineDimExpr>(std::get<0>(pair));
    std::optional<int64_t> stride = std::get<1>(pair).constant();
    return dim && !llvm::is_contained(parallel, dim.getPosition()) &&
           (!stride || *stride >= farApart);
  });
}

bool KernelEmitter::isWorthPacking(linalg::LinalgOp op, OpOperand &operand,
                                   ArrayRef<Interval> dims) {
  bool hasOwnPlaces = op.getMatchingIndexingMap(&operand).isProjectedPermutation();
  return argumentViews.contains(operand.get()) &&
         (hasGaps(op, operand, dims) || (hasOwnPlaces && isScattered(op, operand, dims)));
}

bool KernelEmitter::wantsPacking(linalg::LinalgOp op, OpOperand &operand, ArrayRef<Interval> dims) {
  if (!isWorthPacking(op, operand, dims))
    return false;
  Box box;
  for (unsigned dim : dimsOf(op.getMatchingIndexingMap(&operand)))
    box.push_back(dims[dim]);
  return isSmall(operand.get(), box);
}

KernelEmitter::PackedOperand KernelEmitter::pack(linalg::LinalgOp op, OpOperand &operand,
                                                 ArrayRef<Interval> dims) {
  Location loc = op.getLoc();
  AffineMap map = op.getMatchingIndexingMap(&operand);
  PackedOperand packed{operand.getOperandNumber(), dimsOf(map), {}};
  Nest nest(loc);
  for (unsigned dim : packed.dims)
    nest.ranges.push_back(dims[dim]);
  nest.reduction.assign(nest.ranges.size(), false);
  Type element = getElementTypeOrSelf(operand.get());
  packed.view = allocate(loc, element, nest.ranges);
  AffineMap identity = builder.getMultiDimIdentityMap(nest.ranges.size());
  nest.outputs.push_back({packed.view, identity, element, {}, nullptr});
  nest.compute = [&](ArrayRef<Coord> own, ArrayRef<Element>) {
    SmallVector<Coord> all(map.getNumDims(), Coord{0, {}});
    for (auto [dim, coord] : llvm::zip_equal(packed.dims, own))
      all[dim] = coord;
    return SmallVector<Element>{evaluate(operand.get(), applyMap(loc, map, all))};
  };
  LoopEmitter(*this, nest).emit();
  return packed;
}
