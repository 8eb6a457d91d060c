//===- NamesAt.cpp - Which names are visible at a place -------------------------------------===//

#include "frontend/syntax/NamesAt.h"

#include <algorithm>
#include <cctype>

namespace nnc::syntax {
namespace {

using Names = std::vector<VisibleName>;

bool contains(Span span, uint32_t offset) { return span.begin <= offset && offset <= span.end; }

void addTargets(const std::vector<Target> &targets, NameRole role, const Stmt *decl, Names &names) {
  for (const Target &target : targets) {
    if (target.isTuple())
      addTargets(target.elements, role, decl, names);
    else
      names.push_back({target.name, role, decl});
  }
}

/// Capitalised names that stand alone in the shape of a tensor, where they are not known.
void addDimensions(const TypeExpr *type, Names &names) {
  auto *tensor = type ? type->as<TensorType>() : nullptr;
  if (!tensor)
    return;
  for (const Dim &dim : tensor->dims) {
    auto *name = dim.isPack ? nullptr : dim.expr->as<NameExpr>();
    auto isSame = [&](const VisibleName &known) { return known.name.text == name->name; };
    if (name && std::isupper(static_cast<unsigned char>(name->name.front())) &&
        std::none_of(names.begin(), names.end(), isSame))
      names.push_back({name->ident(), NameRole::Dimension});
  }
}

void addFormals(const std::vector<Formal> &formals, NameRole role, const Stmt *decl, Names &names) {
  for (const Formal &formal : formals)
    names.push_back({formal.name, role, decl, &formal});
}

void addBlock(const Block &block, uint32_t offset, Names &names);

void addStatement(const Stmt &stmt, uint32_t offset, Names &names) {
  if (auto *loop = stmt.as<ForStmt>(); loop && contains(loop->body.span, offset)) {
    addTargets(loop->targets, NameRole::Local, nullptr, names);
    addBlock(loop->body, offset, names);
  }
  if (auto *branch = stmt.as<IfStmt>()) {
    for (const IfStmt::Branch &part : branch->branches)
      if (contains(part.body.span, offset))
        addBlock(part.body, offset, names);
    if (branch->elseBody && contains(branch->elseBody->span, offset))
      addBlock(*branch->elseBody, offset, names);
  }
  const ScanStmt *scan = stmt.as<ScanStmt>();
  auto *bind = stmt.as<BindStmt>();
  if (bind && bind->scan)
    scan = bind->scan.get();
  if (scan && contains(scan->body.span, offset)) {
    addTargets(scan->targets, NameRole::Local, nullptr, names);
    addBlock(scan->body, offset, names);
  }
  if (bind && bind->span.end <= offset)
    addTargets(bind->targets, NameRole::Local, bind, names);
}

void addBlock(const Block &block, uint32_t offset, Names &names) {
  for (const StmtPtr &stmt : block.stmts)
    if (stmt->span.begin <= offset)
      addStatement(*stmt, offset, names);
}

void addFunction(const FnStmt &fn, uint32_t offset, Names &names) {
  addFormals(fn.params, NameRole::Parameter, &fn, names);
  for (const Formal &formal : fn.params)
    addDimensions(formal.type.get(), names);
  if (fn.block)
    addBlock(*fn.block, offset, names);
}

void addMembers(const std::vector<StmtPtr> &body, uint32_t offset, Names &names) {
  for (const StmtPtr &stmt : body)
    if (auto *fn = stmt->as<FnStmt>(); fn && contains(fn->span, offset))
      addFunction(*fn, offset, names);
}

/// The variables of a comprehension around the offset: found by walking the expressions, which
/// is bounded by their height.
class Comprehensions {
public:
  Comprehensions(uint32_t offset, Names &names) : offset(offset), names(names) {}

  void visit(const Expr *expr) {
    if (!expr || !contains(expr->span, offset))
      return;
    if (auto *comprehension = expr->as<ListCompExpr>()) {
      addTargets(comprehension->targets, NameRole::Local, nullptr, names);
      visit(comprehension->value.expr.get());
      visit(comprehension->range.get());
      visit(comprehension->condition.get());
    } else if (auto *list = expr->as<ListExpr>()) {
      for (const Value &element : list->elements)
        visit(element.expr.get());
    } else if (auto *call = expr->as<CallExpr>()) {
      visit(call->callee.get());
      for (const Argument &argument : call->args)
        visit(argument.value.get());
    } else if (auto *binary = expr->as<BinaryExpr>()) {
      visit(binary->lhs.get());
      visit(binary->rhs.get());
    } else if (auto *choice = expr->as<IfExpr>()) {
      visit(choice->condition.get());
      visit(choice->thenValue.get());
      visit(choice->elseValue.get());
    } else if (auto *pipe = expr->as<PipeExpr>()) {
      visit(pipe->head.get());
      for (const PipeExpr::Stage &stage : pipe->stages)
        visit(stage.expr.get());
    } else if (auto *tuple = expr->as<TupleExpr>()) {
      for (const ExprPtr &element : tuple->elements)
        visit(element.get());
    } else if (auto *index = expr->as<IndexExpr>()) {
      visit(index->base.get());
    }
  }

  void visit(const Stmt &stmt) {
    if (!contains(stmt.span, offset))
      return;
    if (auto *bind = stmt.as<BindStmt>()) {
      visit(bind->value.expr.get());
      if (bind->scan)
        visit(bind->scan->body);
    } else if (auto *module = stmt.as<ModuleStmt>()) {
      visit(module->instance.get());
      for (const StmtPtr &member : module->body)
        visit(*member);
    } else if (auto *train = stmt.as<TrainStmt>()) {
      for (const StmtPtr &member : train->block->body)
        visit(*member);
    } else if (auto *fn = stmt.as<FnStmt>()) {
      visit(fn->expr.get());
      if (fn->block)
        visit(*fn->block);
    } else if (auto *loop = stmt.as<ForStmt>()) {
      visit(loop->range.get());
      visit(loop->body);
    } else if (auto *branch = stmt.as<IfStmt>()) {
      for (const IfStmt::Branch &part : branch->branches)
        visit(part.body);
      if (branch->elseBody)
        visit(*branch->elseBody);
    } else if (auto *result = stmt.as<ReturnStmt>()) {
      for (const ExprPtr &value : result->values)
        visit(value.get());
    } else if (auto *scan = stmt.as<ScanStmt>()) {
      visit(scan->body);
    }
  }

  void visit(const Block &block) {
    for (const StmtPtr &stmt : block.stmts)
      visit(*stmt);
  }

private:
  uint32_t offset;
  Names &names;
};

} // namespace

std::vector<VisibleName> topLevelNames(const File &file) {
  Names names;
  for (const StmtPtr &item : file.items) {
    if (auto *module = item->as<ModuleStmt>())
      names.push_back({module->name, NameRole::Module, module});
    else if (auto *fn = item->as<FnStmt>())
      names.push_back({fn->name, NameRole::Function, fn});
    else if (auto *train = item->as<TrainStmt>())
      names.push_back({train->name, NameRole::Constant, train});
    else if (auto *bind = item->as<BindStmt>())
      addTargets(bind->targets, NameRole::Constant, bind, names);
    else if (auto *import = item->as<ImportStmt>()) {
      for (const Ident &name : import->names)
        names.push_back({name, NameRole::Import, import});
      if (!import->alias.isEmpty())
        names.push_back({import->alias, NameRole::Import, import});
      else if (import->names.empty() && !import->package.empty())
        names.push_back({import->package.back(), NameRole::Import, import});
    }
  }
  return names;
}

std::vector<VisibleName> memberNames(const ModuleStmt &module) {
  Names names;
  addFormals(module.params, NameRole::Hyperparameter, &module, names);
  for (const StmtPtr &stmt : module.body) {
    if (auto *slot = stmt->as<SlotStmt>())
      names.push_back({slot->name, NameRole::Slot, slot});
    else if (auto *bind = stmt->as<BindStmt>())
      addTargets(bind->targets, NameRole::Member, bind, names);
    else if (auto *fn = stmt->as<FnStmt>())
      names.push_back({fn->name, NameRole::Function, fn});
  }
  return names;
}

std::vector<VisibleName> namesAt(const File &file, uint32_t offset) {
  Names names = topLevelNames(file);
  for (const StmtPtr &item : file.items) {
    if (!contains(item->span, offset))
      continue;
    if (auto *module = item->as<ModuleStmt>()) {
      Names members = memberNames(*module);
      names.insert(names.end(), members.begin(), members.end());
      addMembers(module->body, offset, names);
    } else if (auto *train = item->as<TrainStmt>()) {
      Names members = memberNames(*train->block);
      names.insert(names.end(), members.begin(), members.end());
      addMembers(train->block->body, offset, names);
    } else if (auto *fn = item->as<FnStmt>()) {
      addFunction(*fn, offset, names);
    }
    Comprehensions(offset, names).visit(*item);
  }
  return names;
}

} // namespace nnc::syntax
