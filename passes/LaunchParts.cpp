//===- LaunchParts.cpp - Kernels that may be launched together --------------------------------===//
#include "passes/LaunchParts.h"

#include "ir/KernelAttrs.h"

using namespace mlir;

namespace nnc {

static bool isSmallEnough(Type type) {
  constexpr int64_t MaxElements = 1 << 30; // positions in a part are counted by 32 bits
  auto tensor = cast<RankedTensorType>(type);
  return tensor.hasStaticShape() && tensor.getNumElements() <= MaxElements;
}

static bool isOneElement(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  return tensor.hasStaticShape() && tensor.getNumElements() == 1;
}

bool mayBePart(nn::KernelOp kernel) {
  std::optional<nn::FusionRole> role = nn::parseAnchor(kernel.getAnchor());
  bool isSum =
      role == nn::FusionRole::Reduction && llvm::all_of(kernel->getResultTypes(), isOneElement);
  if ((role != nn::FusionRole::Pointwise && !isSum) ||
      !llvm::all_of(kernel->getOperandTypes(), isSmallEnough) ||
      !llvm::all_of(kernel->getResultTypes(), isSmallEnough))
    return false;
  auto shapeOf = [](Value value) { return cast<RankedTensorType>(value.getType()).getShape(); };
  ValueRange results = kernel.getResults();
  return llvm::all_of(results,
                      [&](Value result) { return shapeOf(result) == shapeOf(results.front()); });
}

/// Globals, and other names of what is there before `place`, can stand there too.
static void moveNames(Value value, Operation *place) {
  Operation *op = value.getDefiningOp();
  if (!op || !isa<nn::ReshapeOp, nn::GetOp>(op) || op->getBlock() != place->getBlock() ||
      op->isBeforeInBlock(place))
    return;
  for (Value operand : op->getOperands())
    moveNames(operand, place);
  op->moveBefore(place);
}

void launchTogether(ArrayRef<nn::KernelOp> parts, int64_t number) {
  Operation *previous = nullptr;
  for (nn::KernelOp part : parts) {
    for (Value operand : part.getOperands())
      moveNames(operand, parts.front());
    if (previous)
      part->moveAfter(previous);
    previous = part;
  }
  markLaunch(parts, number);
}

void markLaunch(ArrayRef<nn::KernelOp> parts, int64_t number) {
  for (nn::KernelOp part : parts)
    part->setAttr(nn::kLaunchAttr, Builder(part->getContext()).getI64IntegerAttr(number));
}

} // namespace nnc
