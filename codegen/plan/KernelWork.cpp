#include "codegen/plan/KernelWork.h"

#include "codegen/ElementType.h"
#include "codegen/cuda/Sizes.h"
#include "ir/AttentionAccess.h"
#include "ir/Dims.h"
#include "ir/Winograd.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;

namespace nnc::codegen {
namespace {

int64_t bytesOf(Type type) {
  std::optional<DType> dtype = dtypeOf(getElementTypeOrSelf(type));
  return dtype ? int64_t(dtypeBytes(*dtype)) : 0;
}

/// Arithmetic of numbers; conversions, choices and indices are free.
bool isArithmetic(Operation &op) {
  bool isMath = isa<math::MathDialect, arith::ArithDialect>(op.getDialect());
  bool isFree = isa<CastOpInterface, arith::ConstantOp, arith::SelectOp>(op);
  return isMath && !isFree && op.getNumResults() == 1 && !op.getResult(0).getType().isIndex();
}

/// The factors of a body that ends in `total + left * right`; null if it does not.
std::pair<Value, Value> factorsOf(linalg::LinalgOp op) {
  Block &block = op->getRegion(0).front();
  if (op.getNumReductionLoops() == 0 || op.getNumDpsInits() != 1)
    return {};
  Operation *sum = block.getTerminator()->getOperand(0).getDefiningOp();
  if (!isa_and_nonnull<arith::AddFOp, arith::AddIOp>(sum))
    return {};
  BlockArgument total = block.getArgument(op.getNumDpsInputs());
  for (unsigned side : {0u, 1u}) {
    Operation *times = sum->getOperand(side).getDefiningOp();
    if (sum->getOperand(1 - side) == total && isa_and_nonnull<arith::MulFOp, arith::MulIOp>(times))
      return {times->getOperand(0), times->getOperand(1)};
  }
  return {};
}

class WorkCounter {
public:
  explicit WorkCounter(nn::KernelOp kernel)
      : kernel(kernel), body(describeKernel(kernel)), math(kernel.getContext(), body.symbolRanges),
        sizes(body, math) {}

  KernelWork count() {
    work.products = work.operations = math.constant(0);
    work.isTf32 = body.allowsTf32;
    if (kernel.getAnchor() == "attention")
      countAttention(nn::getAttentionAccess(kernel), 2, 4); // scale, largest, exp, sum
    if (kernel.getAnchor() == "attention_grad")
      countAttention(nn::getAttentionGradAccess(kernel), 5, 4); // scale, exp, difference, product
    for (auto op : body.block->getOps<linalg::LinalgOp>())
      countLoops(op);
    for (BlockArgument argument : body.block->getArguments())
      work.reads.push_back(readOf(argument));
    for (Value result : body.block->getTerminator()->getOperands())
      work.writes.push_back(wholeOf(result));
    if (kernel.isUpdate())
      work.reads.front() = math.constant(0);
    for (auto [index, result] : llvm::enumerate(kernel.getResults()))
      if (!kernel.isUpdate())
        work.writes[index] = product(body.resultDims[index], bytesOf(result.getType()));
    return std::move(work);
  }

private:
  AffineExpr product(const IndexList &dims, int64_t factor) {
    return math.simplify(math.product(dims) * factor);
  }

  /// All bytes of a tensor; 0 if its size is not known.
  AffineExpr wholeOf(Value tensor) {
    IndexList dims = sizes.dimsOf(tensor);
    bool isKnown = !llvm::is_contained(dims, AffineExpr());
    return isKnown ? product(dims, bytesOf(tensor.getType())) : math.constant(0);
  }

  void countLoops(linalg::LinalgOp op) {
    IndexList extents = sizes.extentsOf(op);
    if (llvm::is_contained(extents, AffineExpr()))
      return;
    if (nn::isWinograd(op))
      return countWinograd(extents);
    AffineExpr times = math.product(extents);
    auto [left, right] = factorsOf(op);
    int64_t arithmetic = llvm::count_if(op->getRegion(0).front(), isArithmetic);
    if (left) {
      arithmetic -= 2;
      work.products = math.simplify(work.products + times * 2);
      work.isHalf = isHalf(left) && isHalf(right);
    }
    work.operations = math.simplify(work.operations + times * arithmetic);
  }

  /// Each product is done once for all rows of its tile, and for all rows that it reads.
  void countWinograd(const IndexList &extents) {
    IndexList loops(extents);
    loops[nn::winograd::Row] = loops[nn::winograd::Read] = math.constant(1);
    work.products = math.simplify(work.products + math.product(loops) * 2);
  }

  static bool isHalf(Value factor) {
    auto extension = factor.getDefiningOp<arith::ExtFOp>();
    return extension && extension.getIn().getType().getIntOrFloatBitWidth() <= 16;
  }

  /// So many products, and other operations for each pair of a query and a key. Without an offset a
  /// causal query sees the keys up to its own place, with one all may be there.
  void countAttention(const nn::AttentionInputs &inputs, int64_t products, int64_t operations) {
    AffineExpr scores = inputs.queries * inputs.keys;
    if (inputs.isCausal && !inputs.offset && math.isEqual(inputs.queries, inputs.keys))
      scores = (scores + inputs.queries).floorDiv(2);
    AffineExpr all = math.simplify(inputs.batch * inputs.heads * scores);
    work.products = math.simplify(all * (products * 2 * inputs.headSize));
    work.operations = math.simplify(all * operations);
    work.isHalf = inputs.element.getIntOrFloatBitWidth() == 16;
  }

  /// Whether it only gives elements other places, each its own.
  static bool isView(linalg::LinalgOp op) {
    Block &block = op->getRegion(0).front();
    return op.getNumDpsInputs() == 1 && op->getNumResults() == 1 &&
           op.getMatchingIndexingMap(op.getDpsInputOperand(0)).isPermutation() &&
           block.getTerminator()->getOperand(0) == block.getArgument(0);
  }

  /// Bytes of a tensor in memory that the body uses, perhaps through other names of that memory.
  AffineExpr readOf(Value tensor) {
    AffineExpr whole = wholeOf(tensor), sum = math.constant(0);
    for (Operation *user : tensor.getUsers()) {
      AffineExpr part = partOf(user, tensor);
      if (!part)
        return whole;
      sum = sum + part;
    }
    sum = math.simplify(sum);
    return math.rangeOf(sum).high < math.rangeOf(whole).high ? sum : whole;
  }

  /// Bytes that one use takes of `tensor`; null for all of it.
  AffineExpr partOf(Operation *user, Value tensor) {
    if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(user))
      return readOf(user->getResult(0));
    if (isa<tensor::ExtractSliceOp, nn::SliceOp>(user))
      return wholeOf(user->getResult(0));
    if (isa<tensor::DimOp>(user))
      return math.constant(0);
    if (auto loops = dyn_cast<linalg::LinalgOp>(user); loops && isView(loops))
      return readOf(loops->getResult(0));
    auto extract = dyn_cast<tensor::ExtractOp>(user);
    auto loops = extract ? extract->getParentOfType<linalg::LinalgOp>() : linalg::LinalgOp();
    if (!loops)
      return {};
    IndexList extents = sizes.extentsOf(loops);
    if (llvm::is_contained(extents, AffineExpr()))
      return {};
    return product(extents, bytesOf(tensor.getType()));
  }

  nn::KernelOp kernel;
  KernelBody body;
  IndexMath math;
  Sizes sizes;
  KernelWork work;
};

} // namespace

void KernelWork::add(const KernelWork &other) {
  reads.append(other.reads);
  writes.append(other.writes);
  products = products + other.products;
  operations = operations + other.operations;
  isHalf |= other.isHalf;
  isTf32 |= other.isTf32;
}

KernelWork workOf(nn::KernelOp kernel) { return WorkCounter(kernel).count(); }

} // namespace nnc::codegen
