//===- AST.cpp - Spellings and small queries of the tree ------------------------------------===//

#include "frontend/syntax/AST.h"

namespace nnc::syntax {

std::string_view spelling(Elem elem) {
  constexpr std::string_view kNames[] = {"float", "f32", "f16", "bf16", "f8e4m3", "f8e5m2",
                                         "i4",    "i8",  "i32", "i64",  "bool"};
  return kNames[static_cast<size_t>(elem)];
}

std::string_view spelling(BinaryOp op) {
  constexpr std::string_view kNames[] = {"+",  "-", "*",  "/", "//", "%",  "@",   "**", "==",
                                         "!=", "<", "<=", ">", ">=", "in", "and", "or"};
  return kNames[static_cast<size_t>(op)];
}

std::string_view spelling(UnaryOp op) { return op == UnaryOp::Neg ? "-" : "not"; }

std::string_view spelling(ScalarKind kind) {
  constexpr std::string_view kNames[] = {"int", "float", "bool", "str", "dtype", "fn", "module"};
  return kNames[static_cast<size_t>(kind)];
}

std::string_view spelling(SlotKind kind) {
  constexpr std::string_view kNames[] = {"param", "buffer", "state"};
  return kNames[static_cast<size_t>(kind)];
}

Span StringExpr::spanOf(size_t begin, size_t end) const {
  auto first = rawBegin + static_cast<uint32_t>(begin);
  auto last = rawBegin + static_cast<uint32_t>(end);
  return {span.file, first, last};
}

const Attribute *Stmt::attribute(std::string_view name) const {
  for (const Attribute &attribute : attributes)
    if (attribute.name.text == name)
      return &attribute;
  return nullptr;
}

} // namespace nnc::syntax
