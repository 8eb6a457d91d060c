// What can be called and is not a module: functions of a file, methods, primitives, built-in
// functions of build time, and stages (any of these waiting for its first argument).
#pragma once

#include "frontend/Module.h"
#include "frontend/Primitives.h"
#include "frontend/Value.h"

namespace nnc::frontend {

struct FunctionData {
  enum class Kind { User, Primitive, Builtin };
  Kind kind;
  std::string_view name;
  /// Of Kind::User, with `self` for a function in a module.
  const syntax::FnStmt *decl = nullptr;
  const FileScope *home = nullptr;
  InstanceRef self = nullptr;
  /// Of a stage: what comes after the first argument.
  bool isStage = false;
  std::vector<Argument> bound = {};
  size_t weight = 1;
};

/// Whether the declared type of the first formal is a tensor: then a call without it is a stage.
bool takesTensorFirst(const syntax::FnStmt &decl);
/// Whether any formal may hold a tensor.
bool takesTensors(const syntax::FnStmt &decl);

} // namespace nnc::frontend
