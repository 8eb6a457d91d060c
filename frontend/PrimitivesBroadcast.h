// One-sided broadcasting, and numbers that adapt to the tensors beside them.
#pragma once

#include "frontend/PrimitivesEmit.h"
#include "frontend/PrimitivesErrors.h"

namespace nnc::frontend {

/// The shape that all tensors among the operands stretch to, or nothing after E0301, E0302 or
/// E0304. Equal ranks: a literal 1 stretches on either side. Different ranks: only the operand of
/// lower rank stretches, its trailing sizes being equal or a literal 1. Numbers do not count.
std::optional<Shape> broadcastShapes(Context &context, syntax::Span at, std::string_view what,
                                     std::span<const Operand> operands);

/// The one element type of all tensors among the operands; nothing after E0401. At least one
/// operand is a tensor.
std::optional<Element> commonElement(Context &context, syntax::Span at, std::string_view what,
                                     std::span<const Operand> operands);

/// A tensor, or a number that adapts, as a tensor of this element and shape (to which it
/// stretches).
std::optional<TensorValue> toTensor(Context &context, const Operand &operand, Element element,
                                    const Shape &shape);

/// The operands of an elementwise primitive, at one element and shape; nothing after an error.
std::optional<std::vector<TensorValue>> matchOperands(Context &context, syntax::Span at,
                                                      std::string_view what, Elements accepted,
                                                      std::span<const Operand> operands);

/// Before a product: an operand of a storage type (f8, i8, i4) is read as the other's element; two
/// of them as `float`, or as i32 if both are integers. Others stay.
void readStored(Emitter &emit, Operand &left, Operand &right);

/// `left @ right`.
std::optional<Value> multiplyMatrices(Context &context, syntax::Span opSpan, Operand left,
                                      Operand right);

} // namespace nnc::frontend
