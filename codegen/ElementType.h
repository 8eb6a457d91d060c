// Element types of MLIR as model.bin and the runtime know them.
#pragma once

#include "runtime/format/DType.h"

#include <optional>

namespace mlir {
class Type;
}

namespace nnc::codegen {

/// The element type outside MLIR; none for types that no buffer can hold.
std::optional<DType> dtypeOf(mlir::Type element);

} // namespace nnc::codegen
