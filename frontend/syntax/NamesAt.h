//===- NamesAt.h - Which names are visible at a place ---------------------------------------===//
//
// By the tree alone, so that it works in files that do not check: for completion and definitions.
//
//===----------------------------------------------------------------------------------------===//

#ifndef NNC_FRONTEND_SYNTAX_NAMESAT_H
#define NNC_FRONTEND_SYNTAX_NAMESAT_H

#include "frontend/syntax/AST.h"

#include <vector>

namespace nnc::syntax {

// clang-format off
enum class NameRole : uint8_t {
  Local, Parameter, Dimension, Hyperparameter, Slot, Member, Function, Module, Constant, Import,
};
// clang-format on

struct VisibleName {
  Ident name;
  NameRole role;
  /// What declares it; null for loop variables and dimensions.
  const Stmt *decl = nullptr;
  /// Of a parameter or hyperparameter.
  const Formal *formal = nullptr;
};

/// The names of the top level, in order.
std::vector<VisibleName> topLevelNames(const File &file);
/// The names of a module, in order: hyperparameters, slots, bindings, functions.
std::vector<VisibleName> memberNames(const ModuleStmt &module);
/// All names visible at an offset, outermost first: the last of a name is the one that is meant.
std::vector<VisibleName> namesAt(const File &file, uint32_t offset);

} // namespace nnc::syntax

#endif // NNC_FRONTEND_SYNTAX_NAMESAT_H
