// Dimensions in the form that the IR holds: affine expressions over the symbols of an entry point.
#pragma once

#include "frontend/Dim.h"
#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/AffineMap.h"

#include <span>
#include <string>

namespace nnc::frontend {

/// Symbol s_i stands for dimNames[i]. Every variable of `dim` must be among them.
mlir::AffineExpr toAffine(const Dim &dim, std::span<const std::string> dimNames,
                          mlir::MLIRContext *context);

/// `()[s0, ...] -> (dims...)`, with as many symbols as `dims` mention.
mlir::AffineMap toAffineMap(std::span<const Dim> dims, std::span<const std::string> dimNames,
                            mlir::MLIRContext *context);

} // namespace nnc::frontend
