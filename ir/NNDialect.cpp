//===- NNDialect.cpp - The nn dialect ---------------------------------------------------------===//

#include "ir/NNOps.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

#include "ir/NNDialect.cpp.inc"
#include "ir/NNEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "ir/NNAttrs.cpp.inc"

namespace nnc::nn {

void NNDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "ir/NNAttrs.cpp.inc"
      >();
}

void NNDialect::initialize() {
  registerAttributes();
  registerElementwiseOps();
  registerShapeOps();
  registerComputeOps();
  registerTrainingOps();
  registerKernelOps();
}

Operation *NNDialect::materializeConstant(OpBuilder &builder, Attribute value, Type type,
                                          Location loc) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  auto scalar = dyn_cast<TypedAttr>(value);
  if (!tensor || !scalar || scalar.getType() != tensor.getElementType())
    return nullptr;
  return builder.create<FullOp>(loc, tensor, scalar);
}

TypedAttr getScalarAttr(Type element, double value) {
  if (isa<FloatType>(element))
    return FloatAttr::get(element, value);
  if (element.isInteger(1))
    return IntegerAttr::get(element, value != 0);
  return IntegerAttr::get(element, static_cast<int64_t>(value));
}

void registerAllDialects(DialectRegistry &registry) {
  registry.insert<NNDialect, affine::AffineDialect, arith::ArithDialect, func::FuncDialect,
                  linalg::LinalgDialect, math::MathDialect, tensor::TensorDialect>();
}

} // namespace nnc::nn
