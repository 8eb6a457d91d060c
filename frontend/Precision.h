// `@precision(bf16, params=f32)`: what the abstract `float` is in one part of a model.
#pragma once

#include "frontend/syntax/AST.h"

namespace nnc::frontend {

/// Each module has one, and each function; where nothing is said it is the one around it.
struct Precision {
  /// What `float` is: f32, f16 or bf16.
  syntax::Elem working = syntax::Elem::F32;
  /// How `float` params and buffers are stored; `Float`: as the working float.
  syntax::Elem params = syntax::Elem::Float;
  /// Whether products of f32 may round their operands to TF32.
  bool tf32 = false;

  syntax::Elem storage() const { return params == syntax::Elem::Float ? working : params; }
  bool operator==(const Precision &) const = default;
};

} // namespace nnc::frontend
