//===- Interfaces.cpp - What passes ask of operations of the nn dialect -----------------------===//

#include "ir/Interfaces.h"

#include "ir/Dims.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

#include "ir/Interfaces.cpp.inc"

namespace nnc::nn {

StringRef stringifyFusionRole(FusionRole role) {
  switch (role) {
  case FusionRole::Pointwise:
    return "pointwise";
  case FusionRole::View:
    return "view";
  case FusionRole::Reduction:
    return "reduction";
  case FusionRole::Contraction:
    return "contraction";
  case FusionRole::Convolution:
    return "convolution";
  case FusionRole::Window:
    return "window";
  case FusionRole::Gather:
    return "gather";
  case FusionRole::Scatter:
    return "scatter";
  case FusionRole::Attention:
    return "attention";
  case FusionRole::AttentionGrad:
    return "attention_grad";
  case FusionRole::Source:
    return "source";
  case FusionRole::Update:
    return "update";
  }
  llvm_unreachable("a role without a name");
}

std::optional<FusionRole> parseAnchor(StringRef anchor) {
  return llvm::StringSwitch<std::optional<FusionRole>>(anchor)
      .Case("pointwise", FusionRole::Pointwise)
      .Case("reduction", FusionRole::Reduction)
      .Case("contraction", FusionRole::Contraction)
      .Case("convolution", FusionRole::Convolution)
      .Case("window", FusionRole::Window)
      .Case("gather", FusionRole::Gather)
      .Case("scatter", FusionRole::Scatter)
      .Case("attention", FusionRole::Attention)
      .Case("attention_grad", FusionRole::AttentionGrad)
      .Default(std::nullopt);
}

LogicalResult verifyInferredType(Operation *op) {
  FailureOr<RankedTensorType> inferred = cast<ShapeInterface>(op).inferResultType();
  if (failed(inferred))
    return failure();
  auto declared = cast<RankedTensorType>(op->getResult(0).getType());
  if (declared.getElementType() != inferred->getElementType() ||
      !mayBeEqual(getDims(declared), getDims(*inferred)))
    return op->emitOpError() << "expected a result of type " << *inferred << ", found " << declared;
  return success();
}

} // namespace nnc::nn
