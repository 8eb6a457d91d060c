// Statements of a function. Loops unroll and branches are chosen here, at build time. After an
// error in one statement the next ones are still checked: what it would have bound holds nothing,
// and using that is silent.
#include "frontend/Evaluator.h"

#include <fmt/format.h>

namespace nnc::frontend {

void Evaluator::runBlock(const syntax::Block &block) {
  size_t mark = frame->locals.enterBlock();
  for (const syntax::StmtPtr &stmt : block.stmts) {
    if (frame->returned || exhausted)
      break;
    runStatement(*stmt);
  }
  frame->locals.leaveBlock(mark);
}

/// Forgets what the targets of assignments within a block hold, when the block was not run.
void Evaluator::poisonTargets(const syntax::Block &block) {
  for (const syntax::StmtPtr &stmt : block.stmts) {
    auto *bind = stmt->as<syntax::BindStmt>();
    if (!bind)
      continue;
    for (const syntax::Target &target : bind->targets)
      if (!target.isTuple() && frame->locals.find(target.name.text))
        frame->locals.assign(target.name.text, std::nullopt);
  }
}

void Evaluator::runBind(const syntax::BindStmt &bind) {
  std::optional<Value> value;
  if (bind.scan)
    value = evalScan(*bind.scan, /*isBound=*/true);
  else if (bind.value.key)
    error("E0209", bind.value.key->span, "only members of a module have keys");
  else
    value = eval(*bind.value.expr);
  syntax::Span span = bind.scan ? bind.scan->keyword : bind.value.expr->span;
  if (!bindTargets(bind.targets, std::move(value), span, /*define=*/false))
    frame->failed = true;
}

void Evaluator::runReturn(const syntax::ReturnStmt &stmt) {
  if (frame->scan) {
    error("E0602", stmt.span, "`return` cannot leave a `scan`")
        .note("every step runs; return after it, or give values with `yield`");
    frame->failed = true;
    return;
  }
  frame->returned = true;
  frame->resultSpans.clear();
  for (const syntax::ExprPtr &value : stmt.values)
    frame->resultSpans.push_back(value->span);
  frame->result = stmt.values.size() == 1 ? eval(*stmt.values.front()) : evalTuple(stmt.values);
  frame->failed |= !frame->result;
}

void Evaluator::runFor(const syntax::ForStmt &loop) {
  std::optional<std::vector<Value>> items = evalSequence(*loop.range);
  if (!items) {
    frame->failed = true;
    poisonTargets(loop.body);
    return;
  }
  bool failedBefore = frame->failed;
  size_t firstError = diags.all().size(), iteration = 0;
  for (const Value &item : *items) {
    size_t mark = frame->locals.enterBlock();
    if (bindTargets(loop.targets, item, loop.range->span, /*define=*/true))
      runBlock(loop.body);
    else
      frame->failed = true;
    frame->locals.leaveBlock(mark);
    if (frame->failed && !failedBefore)
      diags.labelSince(firstError, loop.span, fmt::format("in iteration {}", iteration));
    ++iteration;
    if (frame->returned || exhausted)
      return;
    if (frame->failed && !failedBefore) { // more iterations would repeat the error
      poisonTargets(loop.body);
      return;
    }
  }
}

void Evaluator::runIf(const syntax::IfStmt &stmt) {
  for (const syntax::IfStmt::Branch &branch : stmt.branches) {
    std::optional<bool> condition = evalCondition(*branch.condition, "if");
    if (!condition) {
      frame->failed = true;
      for (const syntax::IfStmt::Branch &skipped : stmt.branches)
        poisonTargets(skipped.body);
      if (stmt.elseBody)
        poisonTargets(*stmt.elseBody);
      return;
    }
    if (*condition)
      return runBlock(branch.body);
  }
  if (stmt.elseBody)
    runBlock(*stmt.elseBody);
}

void Evaluator::runStatement(const syntax::Stmt &stmt) {
  using syntax::StmtKind;
  switch (stmt.kind()) {
  case StmtKind::Bind:
    return runBind(stmt.get<syntax::BindStmt>());
  case StmtKind::Return:
    return runReturn(stmt.get<syntax::ReturnStmt>());
  case StmtKind::For:
    return runFor(stmt.get<syntax::ForStmt>());
  case StmtKind::If:
    return runIf(stmt.get<syntax::IfStmt>());
  case StmtKind::Update:
    return runUpdate(stmt.get<syntax::UpdateStmt>());
  case StmtKind::Scan:
    frame->failed |= !evalScan(stmt.get<syntax::ScanStmt>(), /*isBound=*/false);
    return;
  case StmtKind::Yield:
    return runYield(stmt.get<syntax::YieldStmt>());
  default:
    break;
  }
  frame->failed = true;
}

} // namespace nnc::frontend
