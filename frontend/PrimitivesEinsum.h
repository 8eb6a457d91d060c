// `einsum`, which is a table row beside the other primitives with patterns.
#pragma once

#include "frontend/PrimitivesCall.h"
#include "frontend/syntax/Pattern.h"

namespace nnc::frontend {

/// The argument `pattern`, parsed; nothing after an error.
std::optional<syntax::Pattern> parsePatternArgument(PrimitiveCall &call);

/// Sums of products: `einsum("b m k, b k n -> b m n", a, b)`.
std::optional<Value> einsum(PrimitiveCall &call);

} // namespace nnc::frontend
