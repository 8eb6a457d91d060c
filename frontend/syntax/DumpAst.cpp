//===- DumpAst.cpp - The tree as indented text ----------------------------------------------===//
//
// One node per line: its class, what distinguishes it, and its place. Children are indented, with
// the name of their role where a node has several.
//
//===----------------------------------------------------------------------------------------===//

#include "frontend/syntax/Parser.h"

#include <fmt/format.h>

#include <iterator>

namespace nnc::syntax {
namespace {

class Dumper {
public:
  explicit Dumper(const SourceManager &sources) : sources(sources) {}
  void dump(const Stmt &stmt);
  std::string out;

private:
  void dump(std::string_view role, const ExprPtr &expr);
  void dump(std::string_view role, const TypePtr &type);
  void dump(std::string_view role, const Value &value);
  void dump(std::string_view role, const Block &block);
  void dump(const std::optional<Key> &key);
  void dump(const std::vector<Target> &targets);
  void dump(const std::vector<Argument> &args);
  void dump(const std::vector<Formal> &formals);
  void dump(const std::vector<Guard> &guards);
  void dump(const Attribute &attribute);
  void children(const Expr &expr);
  void children(const TypeExpr &type);
  void children(const Stmt &stmt);
  void children(const ImportStmt &import);
  void children(const ModuleStmt &module);
  void children(const TrainStmt &train);
  void children(const FnStmt &fn);
  void children(const SlotStmt &slot);
  void children(const IfStmt &stmt);
  void children(const ScanStmt &scan);
  void children(const std::vector<StmtPtr> &body);
  std::string describe(const Expr &expr) const;
  std::string describe(const TypeExpr &type) const;
  std::string describe(const Stmt &stmt) const;

  void line(std::string_view role, std::string_view text, Span span) {
    LineCol at = sources.lineCol(span);
    fmt::format_to(std::back_inserter(out), "{:{}}{}{}{} <{}:{}>\n", "", 2 * depth, role,
                   role.empty() ? "" : ": ", text, at.line, at.col);
  }
  struct Indent {
    explicit Indent(Dumper &dumper) : dumper(dumper) { ++dumper.depth; }
    ~Indent() { --dumper.depth; }
    Dumper &dumper;
  };

  const SourceManager &sources;
  unsigned depth = 0;
};

std::string named(std::string_view word, std::string_view name) {
  return fmt::format("{} {}", word, name);
}

std::string Dumper::describe(const Expr &expr) const {
  switch (expr.kind()) {
  case ExprKind::Int:
    return fmt::format("Int {}", expr.get<IntExpr>().value);
  case ExprKind::Float:
    return fmt::format("Float {}", expr.get<FloatExpr>().value);
  case ExprKind::String:
    return fmt::format("String \"{}\"", expr.get<StringExpr>().raw);
  case ExprKind::Bool:
    return expr.get<BoolExpr>().value ? "Bool true" : "Bool false";
  case ExprKind::None:
    return "None";
  case ExprKind::Name:
    return named("Name", expr.get<NameExpr>().name);
  case ExprKind::Elem:
    return named("Elem", spelling(expr.get<ElemExpr>().elem));
  case ExprKind::List:
    return "List";
  case ExprKind::ListComp:
    return "ListComp";
  case ExprKind::Tuple:
    return "Tuple";
  case ExprKind::Unary:
    return named("Unary", spelling(expr.get<UnaryExpr>().op));
  case ExprKind::Binary:
    return named("Binary", spelling(expr.get<BinaryExpr>().op));
  case ExprKind::Range:
    return expr.get<RangeExpr>().inclusive ? "Range ..=" : "Range ..";
  case ExprKind::If:
    return "If";
  case ExprKind::Pipe:
    return "Pipe";
  case ExprKind::Call:
    return "Call";
  case ExprKind::Index:
    return "Index";
  case ExprKind::Member:
    return named("Member", expr.get<MemberExpr>().name.text);
  }
  return {};
}

std::string Dumper::describe(const TypeExpr &type) const {
  switch (type.kind()) {
  case TypeKind::Tensor: {
    const auto &tensor = type.get<TensorType>();
    return fmt::format("TensorType {}{}", spelling(tensor.elem), tensor.optional ? "?" : "");
  }
  case TypeKind::Scalar:
    return named("ScalarType", spelling(type.get<ScalarType>().scalar));
  case TypeKind::List:
    return "ListType";
  case TypeKind::Tuple:
    return "TupleType";
  }
  return {};
}

std::string Dumper::describe(const Stmt &stmt) const {
  switch (stmt.kind()) {
  case StmtKind::Import:
    return "Import";
  case StmtKind::Module: {
    const auto &module = stmt.get<ModuleStmt>();
    return named(module.isModel ? "Model" : "Module", module.name.text);
  }
  case StmtKind::Train:
    return named("Train", stmt.get<TrainStmt>().name.text);
  case StmtKind::Fn:
    return named("Fn", stmt.get<FnStmt>().name.text);
  case StmtKind::Bind:
    return "Bind";
  case StmtKind::Slot: {
    const auto &slot = stmt.get<SlotStmt>();
    return fmt::format("Slot {} {}", spelling(slot.slot), slot.name.text);
  }
  case StmtKind::Tie:
    return "Tie";
  case StmtKind::Update:
    return "Update";
  case StmtKind::Return:
    return "Return";
  case StmtKind::Yield:
    return "Yield";
  case StmtKind::For:
    return "For";
  case StmtKind::If:
    return "If";
  case StmtKind::Scan: {
    const auto &scan = stmt.get<ScanStmt>();
    return fmt::format("Scan axis {}{}", scan.axis, scan.reverse ? " reverse" : "");
  }
  }
  return {};
}

void Dumper::dump(std::string_view role, const ExprPtr &expr) {
  if (!expr)
    return;
  line(role, describe(*expr), expr->span);
  Indent indent(*this);
  children(*expr);
}

void Dumper::dump(std::string_view role, const Value &value) {
  dump(role, value.expr);
  dump(value.key);
}

void Dumper::dump(const std::optional<Key> &key) {
  if (!key)
    return;
  for (const Key::Alternative &alternative : key->alternatives) {
    line("", "Key", alternative.span);
    Indent indent(*this);
    for (const Key::Part &part : alternative.parts) {
      if (part.expr)
        dump("value", part.expr);
      else
        line("text", fmt::format("\"{}\"", part.text), alternative.span);
    }
  }
}

void Dumper::dump(const std::vector<Target> &targets) {
  for (const Target &target : targets) {
    line("", target.isTuple() ? "Targets" : named("Target", target.name.text), target.span);
    Indent indent(*this);
    dump("type", target.type);
    dump(target.elements);
  }
}

void Dumper::dump(const std::vector<Argument> &args) {
  for (const Argument &arg : args)
    dump(arg.isNamed() ? named("arg", arg.name.text) : "arg", arg.value);
}

void Dumper::children(const Expr &expr) {
  if (const auto *list = expr.as<ListExpr>()) {
    for (const Value &value : list->elements)
      dump("", value);
  } else if (const auto *comp = expr.as<ListCompExpr>()) {
    dump("value", comp->value);
    dump(comp->targets);
    dump("in", comp->range);
    dump("if", comp->condition);
  } else if (const auto *tuple = expr.as<TupleExpr>()) {
    for (const ExprPtr &element : tuple->elements)
      dump("", element);
  } else if (const auto *unary = expr.as<UnaryExpr>()) {
    dump("", unary->operand);
  } else if (const auto *binary = expr.as<BinaryExpr>()) {
    dump("", binary->lhs);
    dump("", binary->rhs);
  } else if (const auto *range = expr.as<RangeExpr>()) {
    dump("", range->begin);
    dump("", range->end);
  } else if (const auto *choice = expr.as<IfExpr>()) {
    dump("if", choice->condition);
    dump("then", choice->thenValue);
    dump("else", choice->elseValue);
  } else if (const auto *pipe = expr.as<PipeExpr>()) {
    dump("head", pipe->head);
    for (const PipeExpr::Stage &stage : pipe->stages)
      dump("stage", stage.expr);
  } else if (const auto *call = expr.as<CallExpr>()) {
    dump("callee", call->callee);
    dump(call->args);
  } else if (const auto *member = expr.as<MemberExpr>()) {
    dump("", member->base);
  } else if (const auto *access = expr.as<IndexExpr>()) {
    dump("base", access->base);
    for (const IndexItem &item : access->items) {
      if (item.kind != IndexItem::Value)
        line("", item.kind == IndexItem::Slice ? "Slice" : "Ellipsis", item.span);
      dump("", item.value);
      Indent indent(*this);
      dump("begin", item.begin);
      dump("end", item.end);
      dump("step", item.step);
    }
  }
}

void Dumper::dump(std::string_view role, const TypePtr &type) {
  if (!type)
    return;
  line(role, describe(*type), type->span);
  Indent indent(*this);
  children(*type);
}

void Dumper::children(const TypeExpr &type) {
  if (const auto *tensor = type.as<TensorType>()) {
    for (const Dim &dim : tensor->dims) {
      if (dim.isPack)
        line("", fmt::format("Pack ...{}", dim.packName.text), dim.span);
      dump("", dim.expr);
    }
  } else if (const auto *list = type.as<ListType>()) {
    dump("", list->element);
  } else if (const auto *tuple = type.as<TupleType>()) {
    for (const TypePtr &element : tuple->elements)
      dump("", element);
  }
}

void Dumper::dump(const std::vector<Formal> &formals) {
  for (const Formal &formal : formals) {
    line("", named("Formal", formal.name.text), formal.span);
    Indent indent(*this);
    dump("type", formal.type);
    dump(formal.key);
    dump("default", formal.defaultValue);
  }
}

void Dumper::dump(const std::vector<Guard> &guards) {
  for (const Guard &guard : guards) {
    std::string message = guard.message ? fmt::format(" \"{}\"", guard.message->raw) : "";
    line("", "Guard" + message, guard.span);
    Indent indent(*this);
    dump("", guard.condition);
  }
}

void Dumper::dump(const Attribute &attribute) {
  line("", named("Attribute", attribute.name.text), attribute.span);
  Indent indent(*this);
  dump(attribute.args);
}

void Dumper::dump(std::string_view role, const Block &block) {
  line(role, "Block", block.span);
  Indent indent(*this);
  children(block.stmts);
}

void Dumper::children(const std::vector<StmtPtr> &body) {
  for (const StmtPtr &stmt : body)
    dump(*stmt);
}

void Dumper::children(const ImportStmt &import) {
  if (import.path)
    line("path", fmt::format("\"{}\"", import.path->raw), import.path->span);
  for (const Ident &part : import.package)
    line("package", part.text, part.span);
  for (const Ident &name : import.names)
    line("name", name.text, name.span);
  if (!import.alias.isEmpty())
    line("alias", import.alias.text, import.alias.span);
}

void Dumper::children(const ModuleStmt &module) {
  dump(module.params);
  dump(module.guards);
  dump("=", module.instance);
  children(module.body);
}

void Dumper::children(const TrainStmt &train) {
  dump("=", train.instance);
  children(train.block->body);
}

void Dumper::children(const FnStmt &fn) {
  dump(fn.params);
  for (const Result &result : fn.results)
    dump(result.name.isEmpty() ? "result" : named("result", result.name.text), result.type);
  dump(fn.guards);
  dump("=", fn.expr);
  if (fn.block)
    dump("", *fn.block);
}

void Dumper::children(const SlotStmt &slot) {
  dump("type", slot.type);
  dump(slot.key);
  dump("init", slot.init);
  dump("if", slot.condition);
}

void Dumper::children(const IfStmt &stmt) {
  for (const IfStmt::Branch &branch : stmt.branches) {
    dump("if", branch.condition);
    dump("then", branch.body);
  }
  if (stmt.elseBody)
    dump("else", *stmt.elseBody);
}

void Dumper::children(const ScanStmt &scan) {
  dump(scan.targets);
  for (const ExprPtr &sequence : scan.sequences)
    dump("in", sequence);
  dump("", scan.body);
}

void Dumper::children(const Stmt &stmt) {
  switch (stmt.kind()) {
  case StmtKind::Import:
    return children(stmt.get<ImportStmt>());
  case StmtKind::Module:
    return children(stmt.get<ModuleStmt>());
  case StmtKind::Train:
    return children(stmt.get<TrainStmt>());
  case StmtKind::Fn:
    return children(stmt.get<FnStmt>());
  case StmtKind::Slot:
    return children(stmt.get<SlotStmt>());
  case StmtKind::If:
    return children(stmt.get<IfStmt>());
  case StmtKind::Scan:
    return children(stmt.get<ScanStmt>());
  case StmtKind::Bind: {
    const auto &bind = stmt.get<BindStmt>();
    dump(bind.targets);
    dump("=", bind.value);
    if (bind.scan)
      dump(*bind.scan);
    return;
  }
  case StmtKind::Tie: {
    const auto &tie = stmt.get<TieStmt>();
    dump("left", tie.left);
    dump("right", tie.right);
    return dump("if", tie.condition);
  }
  case StmtKind::Update: {
    const auto &update = stmt.get<UpdateStmt>();
    dump("place", update.place);
    return dump("<-", update.value);
  }
  case StmtKind::Return:
    for (const ExprPtr &value : stmt.get<ReturnStmt>().values)
      dump("", value);
    return;
  case StmtKind::Yield:
    for (const ExprPtr &value : stmt.get<YieldStmt>().values)
      dump("", value);
    return;
  case StmtKind::For: {
    const auto &loop = stmt.get<ForStmt>();
    dump(loop.targets);
    dump("in", loop.range);
    return dump("", loop.body);
  }
  }
}

void Dumper::dump(const Stmt &stmt) {
  line("", describe(stmt), stmt.span);
  Indent indent(*this);
  if (!stmt.doc.empty())
    line("doc", fmt::format("\"{}\"", stmt.doc.substr(0, stmt.doc.find('\n'))), stmt.span);
  for (const Attribute &attribute : stmt.attributes)
    dump(attribute);
  children(stmt);
}

} // namespace

std::string dumpAst(const SourceManager &sources, const File &file) {
  Dumper dumper(sources);
  for (const StmtPtr &item : file.items)
    dumper.dump(*item);
  return std::move(dumper.out);
}

} // namespace nnc::syntax
