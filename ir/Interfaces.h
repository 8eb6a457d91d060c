//===- Interfaces.h - What passes ask of operations of the nn dialect ---------------*- C++ -*-===//
//
// Passes and code generators dispatch on these interfaces; nothing keeps a list of operation names.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_IR_INTERFACES_H
#define NNC_IR_INTERFACES_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/OpDefinition.h"

namespace nnc::nn {

/// The part an operation may play in a kernel.
enum class FusionRole {
  Pointwise,     ///< element i of the result from element i of the operands
  View,          ///< moves, repeats or drops elements only
  Reduction,     ///< combines along axes
  Contraction,   ///< matrix product
  Convolution,   ///< convolution
  Window,        ///< pooling
  Gather,        ///< indexed by a tensor
  Scatter,       ///< adds into places named by a tensor
  Attention,     ///< softmax between two matrix products
  AttentionGrad, ///< the gradients of that
  Source,        ///< no tensor operands
  Update,        ///< writes a part of its first operand's memory
};

/// The role's name in lower case, e.g. "pointwise"; also the value of an `nn.kernel`'s anchor.
llvm::StringRef stringifyFusionRole(FusionRole role);
inline bool isAttention(FusionRole role) {
  return role == FusionRole::Attention || role == FusionRole::AttentionGrad;
}
/// Whether code for the role is written from the operation and views around it, which stay.
inline bool isWrittenWhole(FusionRole role) {
  return role == FusionRole::Scatter || isAttention(role);
}
/// The role that an `nn.kernel`'s anchor names; none if it names no possible anchor.
std::optional<FusionRole> parseAnchor(llvm::StringRef anchor);

/// NN_Costly.
template <typename Op> class Costly : public mlir::OpTrait::TraitBase<Op, Costly> {};

/// Refuses `op`, which has a `ShapeInterface` and one result, if the declared type of the result is
/// provably different from the inferred one.
mlir::LogicalResult verifyInferredType(mlir::Operation *op);

} // namespace nnc::nn

#include "ir/Interfaces.h.inc"

#endif // NNC_IR_INTERFACES_H
