//===- LaunchParts.cpp - Kernels that may be launched together --------------------------------===//
#include "passes/LaunchParts.h"

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

} // namespace nnc
