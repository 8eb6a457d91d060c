// Size expressions of the plan: evaluation, text, and the pool that the compiler fills.
#include "runtime/format/Plan.h"

#include <fmt/format.h>

using namespace nnc;
using namespace nnc::format;

namespace {

constexpr size_t MaxDepth = 64;

/// Applies a binary operation; the error is a reason without its context.
Result<int64_t> apply(ExprOp op, int64_t a, int64_t b) {
  int64_t value = 0;
  switch (op) {
  case ExprOp::Add:
    if (__builtin_add_overflow(a, b, &value))
      return Error{"a size is too large"};
    return value;
  case ExprOp::Mul:
    if (__builtin_mul_overflow(a, b, &value))
      return Error{"a size is too large"};
    return value;
  case ExprOp::FloorDiv:
  case ExprOp::CeilDiv:
  case ExprOp::Mod:
    break;
  default:
    return Error{"unknown operation in a size expression"};
  }
  if (b <= 0)
    return Error{"a size is divided by zero or by a negative number"};
  int64_t quotient = a / b, rest = a % b;
  if (op == ExprOp::FloorDiv)
    return quotient - (rest < 0);
  if (op == ExprOp::CeilDiv)
    return quotient + (rest > 0);
  return rest < 0 ? rest + b : rest;
}

/// How the text of a subexpression binds: sums, products, atoms.
enum Precedence { Sum, Product, Atom };

struct Text {
  std::string text;
  Precedence precedence;

  std::string in(Precedence context) const {
    return precedence < context ? "(" + text + ")" : text;
  }
};

Text combine(ExprOp op, const Text &a, const Text &b) {
  switch (op) {
  case ExprOp::Add:
    if (b.text.starts_with('-'))
      return {a.in(Sum) + " - " + b.text.substr(1), Sum};
    return {a.in(Sum) + " + " + b.in(Sum), Sum};
  case ExprOp::Mul:
    return {a.in(Product) + "*" + b.in(Atom), Product};
  case ExprOp::FloorDiv:
    return {a.in(Product) + " // " + b.in(Atom), Product};
  case ExprOp::CeilDiv:
    return {"ceil(" + a.in(Product) + " / " + b.in(Atom) + ")", Atom};
  default:
    return {a.in(Product) + " % " + b.in(Atom), Product};
  }
}

Text leaf(const ExprNode &node, const EntryT &entry) {
  if (node.op() == ExprOp::Const)
    return {std::to_string(node.value()), Atom};
  size_t symbol = static_cast<size_t>(node.value());
  return {symbol < entry.dims.size() ? entry.dims[symbol]->name : "?", Atom};
}

bool isLeaf(ExprOp op) { return op == ExprOp::Const || op == ExprOp::Sym; }

} // namespace

Result<int64_t> format::evaluate(const ExprT &expr, std::span<const int64_t> dims) {
  int64_t stack[MaxDepth];
  size_t depth = 0;
  for (const ExprNode &node : expr.nodes) {
    if (isLeaf(node.op())) {
      if (depth == MaxDepth)
        return Error{"a size expression is nested too deeply"};
      bool isSymbol = node.op() == ExprOp::Sym;
      if (isSymbol && (node.value() < 0 || static_cast<size_t>(node.value()) >= dims.size()))
        return Error{"a size expression names a dimension that does not exist"};
      stack[depth++] = isSymbol ? dims[static_cast<size_t>(node.value())] : node.value();
      continue;
    }
    if (depth < 2)
      return Error{"a size expression lacks an operand"};
    Result<int64_t> value = apply(node.op(), stack[depth - 2], stack[depth - 1]);
    if (!value)
      return value;
    stack[--depth - 1] = *value;
  }
  if (depth != 1)
    return Error{"a size expression has no single value"};
  return stack[0];
}

std::string format::exprText(const ExprT &expr, const EntryT &entry) {
  std::vector<Text> stack;
  for (const ExprNode &node : expr.nodes) {
    if (isLeaf(node.op())) {
      stack.push_back(leaf(node, entry));
      continue;
    }
    if (stack.size() < 2)
      return "?";
    Text b = std::move(stack.back());
    stack.pop_back();
    stack.back() = combine(node.op(), stack.back(), b);
  }
  return stack.size() == 1 ? stack[0].text : "?";
}

std::string format::shapeText(DType type, std::span<const uint32_t> shape, const EntryT &entry) {
  std::string text(dtypeName(type));
  text += '[';
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    text += axis ? ", " : "";
    text += exprText(*entry.exprs[shape[axis]], entry);
  }
  return text + ']';
}

std::string format::portText(const PortT &port, const EntryT &entry) {
  return shapeText(static_cast<DType>(port.dtype), port.shape, entry);
}

ExprPool::ExprPool(EntryT &entry) : entry(entry) {}

uint32_t ExprPool::add(std::vector<ExprNode> nodes) {
  std::vector<std::pair<uint8_t, int64_t>> key;
  for (const ExprNode &node : nodes)
    key.push_back({static_cast<uint8_t>(node.op()), node.value()});
  auto [place, isNew] = known.try_emplace(std::move(key), entry.exprs.size());
  if (isNew) {
    auto expr = std::make_unique<ExprT>();
    expr->nodes = std::move(nodes);
    entry.exprs.push_back(std::move(expr));
  }
  return place->second;
}

uint32_t ExprPool::constant(int64_t value) { return add({ExprNode(ExprOp::Const, value)}); }

uint32_t ExprPool::symbol(uint32_t dim) { return add({ExprNode(ExprOp::Sym, dim)}); }
