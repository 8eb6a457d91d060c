#include "codegen/ElementType.h"

#include "mlir/IR/Types.h"

namespace nnc::codegen {

std::optional<DType> dtypeOf(mlir::Type element) {
  if (element.isF32())
    return DType::F32;
  if (element.isF16())
    return DType::F16;
  if (element.isBF16())
    return DType::BF16;
  if (element.isFloat8E4M3FN())
    return DType::F8E4M3;
  if (element.isFloat8E5M2())
    return DType::F8E5M2;
  if (element.isInteger(1))
    return DType::Bool;
  if (element.isInteger(8))
    return DType::I8;
  if (element.isInteger(32))
    return DType::I32;
  if (element.isInteger(64))
    return DType::I64;
  return std::nullopt;
}

} // namespace nnc::codegen
