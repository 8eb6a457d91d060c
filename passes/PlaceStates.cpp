//===- PlaceStates.cpp - Write what a state becomes over what it was --------------------------===//
//
// A kernel may write its result into the memory of an operand if each element is computed from the
// same element of that operand alone, by whoever writes it. Then nothing has to be copied at the
// end of the call. Who else reads what the state was is put before the kernel.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/Passes.h"
#include "passes/StepOrder.h"

#include "ir/EntryAttrs.h"
#include "ir/KernelAttrs.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"

#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace nnc {
#define GEN_PASS_DEF_PLACESTATES
#include "passes/Passes.h.inc"

namespace {

bool isRenaming(Operation *op) {
  return isa_and_nonnull<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(op);
}

/// How the elements of a kernel's values depend on one of its arguments.
class Reads {
public:
  explicit Reads(BlockArgument argument) : argument(argument) {}

  bool any(Value value) { return ask(value, dependent, &Reads::findAny); }

  /// Whether every element needs at most the element at its own place, in row-major order.
  bool onlyOwn(Value value) { return !any(value) || ask(value, own, &Reads::findOwn); }

private:
  using Answers = llvm::DenseMap<Value, bool>;

  bool ask(Value value, Answers &answers, bool (Reads::*find)(Value)) {
    if (auto known = answers.find(value); known != answers.end())
      return known->second;
    bool answer = (this->*find)(value);
    return answers[value] = answer;
  }

  bool findAny(Value value) {
    Operation *op = value.getDefiningOp();
    if (!op)
      return value == argument;
    return captures(op) ||
           llvm::any_of(op->getOperands(), [&](Value operand) { return any(operand); });
  }

  bool findOwn(Value value) {
    Operation *op = value.getDefiningOp();
    if (!op)
      return true;
    if (isRenaming(op))
      return onlyOwn(op->getOperand(0));
    auto structured = dyn_cast<linalg::LinalgOp>(op);
    if (!structured || structured.getNumReductionLoops() > 0)
      return false;
    OpOperand *init = structured.getDpsInitOperand(cast<OpResult>(value).getResultNumber());
    if (!structured.getMatchingIndexingMap(init).isIdentity() || captures(op))
      return false;
    return llvm::all_of(op->getOpOperands(), [&](OpOperand &operand) {
      return !any(operand.get()) || !structured.payloadUsesValueFromOperand(&operand) ||
             (structured.getMatchingIndexingMap(&operand).isIdentity() && onlyOwn(operand.get()));
    });
  }

  /// Whether the body reads tensors from around it, at whatever place.
  bool captures(Operation *op) {
    bool found = false;
    op->walk([&](Operation *inner) {
      for (Value operand : inner->getOperands())
        if (inner != op && operand.getParentBlock() == argument.getOwner())
          found |= any(operand);
    });
    return found;
  }

  BlockArgument argument;
  Answers dependent, own;
};

/// What is stored, as code generators number its elements.
Value behindRenamings(Value value) {
  while (isRenaming(value.getDefiningOp()))
    value = value.getDefiningOp()->getOperand(0);
  return value;
}

bool haveEqualSizes(Value a, Value b) {
  auto first = cast<RankedTensorType>(a.getType()), second = cast<RankedTensorType>(b.getType());
  return first.hasStaticShape() && first.getShape() == second.getShape();
}

struct PlaceStates : impl::PlaceStatesBase<PlaceStates> {
  using PlaceStatesBase::PlaceStatesBase;

  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function->hasAttr(nn::kEntryAttr))
        placeIn(function);
  }

  void placeIn(func::FuncOp function) {
    Block &block = function.getBody().front();
    if (block.getOps<nn::SetOp>().empty())
      return;
    // Kernels read run-time scalars from the memory of states all the time.
    llvm::StringSet<> scalars;
    for (const nn::EntrySymbol &symbol : nn::getEntrySymbols(function))
      if (symbol.state)
        scalars.insert(symbol.state.getValue());
    llvm::StringMap<SmallVector<nn::GetOp>> gets;
    for (auto get : block.getOps<nn::GetOp>())
      gets[get.getName()].push_back(get);
    StepOrder order(block);
    for (auto set : block.getOps<nn::SetOp>())
      if (!scalars.contains(set.getName()))
        place(set, gets[set.getName()], order);
    order.sort();
  }

  /// `gets` are all reads of what is set.
  void place(nn::SetOp set, ArrayRef<nn::GetOp> gets, StepOrder &order) {
    Block &block = *set->getBlock();
    Value made = withoutReshapes(set.getValue());
    Operation *maker = made.getDefiningOp();
    if (!isa_and_nonnull<nn::KernelOp, nn::GemmOp>(maker))
      return;
    SmallVector<Operation *> readers;
    for (nn::GetOp get : gets)
      llvm::append_range(readers, readersOf(get.getResult(), block));
    std::optional<unsigned> operand;
    if (llvm::is_contained(readers, maker)) {
      operand = findOverwritten(maker, cast<OpResult>(made), set.getName());
      if (!operand)
        return;
    }
    llvm::erase(readers, maker);
    auto mayBeFirst = [&](Operation *reader) {
      bool isAtEnd = isa<nn::SetOp>(reader) || reader->hasTrait<OpTrait::IsTerminator>();
      return !isAtEnd && !order.waitsFor(reader, maker);
    };
    if (!llvm::all_of(readers, mayBeFirst))
      return;
    for (Operation *reader : readers)
      order.add(reader, maker);
    if (operand)
      mark(maker, cast<OpResult>(made).getResultNumber(), *operand);
  }

  /// The operand of `maker` that is what the state was, if `made` may be written over it.
  std::optional<unsigned> findOverwritten(Operation *maker, OpResult made, StringRef state) {
    auto kernel = dyn_cast<nn::KernelOp>(maker);
    if (!kernel || kernel.isUpdate() ||
        nn::parseAnchor(kernel.getAnchor()) != nn::FusionRole::Pointwise)
      return std::nullopt;
    std::optional<unsigned> found;
    for (auto [number, operand] : llvm::enumerate(kernel.getOperands())) {
      auto get = withoutReshapes(operand).getDefiningOp<nn::GetOp>();
      if (!get || get.getName() != state)
        continue;
      if (found) // under two names
        return std::nullopt;
      found = number;
    }
    unsigned result = made.getResultNumber();
    bool isFree = found && nn::getInPlace(kernel, result) < 0;
    return isFree && mayOverwrite(kernel, result, *found) ? found : std::nullopt;
  }

  /// On a GPU one thread computes the same element of all results of equal sizes, and stores them
  /// when it has read all it needs. On the cpu each result is computed by itself.
  bool mayOverwrite(nn::KernelOp kernel, unsigned result, unsigned operand) {
    BlockArgument argument = kernel.getBody()->getArgument(operand);
    ValueRange results = kernel.getBody()->getTerminator()->getOperands();
    auto old = cast<RankedTensorType>(argument.getType());
    auto type = cast<RankedTensorType>(results[result].getType());
    if (!old.hasStaticShape() || !type.hasStaticShape() ||
        old.getElementType() != type.getElementType() ||
        old.getNumElements() != type.getNumElements())
      return false;
    Reads reads(argument);
    Value own = behindRenamings(results[result]);
    for (auto [number, value] : llvm::enumerate(results)) {
      if (number == result ? !reads.onlyOwn(value) : target == Target::Cpu && reads.any(value))
        return false;
      if (number != result && reads.any(value) &&
          (!reads.onlyOwn(value) || !haveEqualSizes(behindRenamings(value), own)))
        return false;
    }
    return haveEqualSizes(own, own);
  }

  static void mark(Operation *kernel, unsigned result, unsigned operand) {
    SmallVector<int64_t> places(kernel->getNumResults(), -1);
    if (auto known = kernel->getAttrOfType<DenseI64ArrayAttr>(nn::kInPlaceAttr))
      places.assign(known.asArrayRef().begin(), known.asArrayRef().end());
    places[result] = operand;
    kernel->setAttr(nn::kInPlaceAttr, DenseI64ArrayAttr::get(kernel->getContext(), places));
  }
};

} // namespace
} // namespace nnc
