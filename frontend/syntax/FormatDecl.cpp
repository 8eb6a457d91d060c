//===- FormatDecl.cpp - Layout of types, statements and declarations ------------------------===//

#include "frontend/syntax/FormatImpl.h"

namespace nnc::syntax {

//===----------------------------------------------------------------------------------------===//
// Types and targets
//===----------------------------------------------------------------------------------------===//

Doc Formatter::type(const TypeExpr &type) {
  switch (type.kind()) {
  case TypeKind::Scalar:
    return take();
  case TypeKind::List: {
    Doc open = take();
    Doc element = this->type(*type.get<ListType>().element);
    return b.concat({open, element, take()});
  }
  case TypeKind::Tuple: {
    const auto &tuple = type.get<TupleType>();
    return b.group(
        filled(tuple.elements.size(), [&](size_t i) { return this->type(*tuple.elements[i]); }));
  }
  case TypeKind::Tensor:
    break;
  }
  const auto &tensor = type.get<TensorType>();
  Doc elem = take();
  Doc shape = filled(tensor.dims.size(), [&](size_t i) { return dim(tensor.dims[i]); });
  return b.group(b.concat({elem, shape, tensor.optional ? take() : b.empty()}));
}

Doc Formatter::dim(const Dim &dim) {
  if (!dim.isPack)
    return expr(*dim.expr);
  Doc dots = take();
  return dim.packName.isEmpty() ? dots : b.concat({dots, take()});
}

Doc Formatter::target(const Target &target) {
  if (target.isTuple())
    return filled(target.elements.size(),
                  [&](size_t i) { return this->target(target.elements[i]); });
  Doc name = take();
  if (!target.type)
    return name;
  Doc colon = takeWord();
  return b.concat({name, colon, type(*target.type)});
}

Doc Formatter::targets(const std::vector<Target> &targets) {
  return b.align(joined(targets.size(), [&](size_t i) { return target(targets[i]); }));
}

//===----------------------------------------------------------------------------------------===//
// Statements
//===----------------------------------------------------------------------------------------===//

Doc Formatter::stmt(const Stmt &stmt) {
  std::vector<Doc> parts;
  // Comments above stand outside of the groups that they would break.
  auto comments = [&] {
    skipNewlines();
    parts.push_back(leadingComments());
  };
  for (const Attribute &attribute : stmt.attributes) {
    comments();
    parts.push_back(take());
    parts.push_back(take());
    if (attribute.hasArgs)
      parts.push_back(arguments(attribute.args, false));
    parts.push_back(b.hardLine());
  }
  comments();
  parts.push_back(withoutAttributes(stmt));
  return b.concat(std::move(parts));
}

Doc Formatter::withoutAttributes(const Stmt &stmt) {
  switch (stmt.kind()) {
  case StmtKind::Import:
    return import(stmt.get<ImportStmt>());
  case StmtKind::Module:
    return module(stmt.get<ModuleStmt>());
  case StmtKind::Train:
    return train(stmt.get<TrainStmt>());
  case StmtKind::Fn:
    return fn(stmt.get<FnStmt>());
  case StmtKind::Bind:
    return bind(stmt.get<BindStmt>());
  case StmtKind::Slot:
    return slot(stmt.get<SlotStmt>());
  case StmtKind::Tie:
    return tie(stmt.get<TieStmt>());
  case StmtKind::Update:
    return update(stmt.get<UpdateStmt>());
  case StmtKind::Return:
    return values(stmt.get<ReturnStmt>().values);
  case StmtKind::Yield:
    return values(stmt.get<YieldStmt>().values);
  case StmtKind::For:
    return forLoop(stmt.get<ForStmt>());
  case StmtKind::If:
    return ifStmt(stmt.get<IfStmt>());
  case StmtKind::Scan:
    return scan(stmt.get<ScanStmt>());
  }
  return b.empty();
}

Doc Formatter::bind(const BindStmt &bind) {
  Doc names = targets(bind.targets);
  Doc assign = takeWord();
  Doc right = bind.scan ? scan(*bind.scan) : value(bind.value);
  return b.concat({names, b.text(" "), assign, right});
}

Doc Formatter::update(const UpdateStmt &update) {
  Doc place = expr(*update.place);
  Doc arrow = takeWord();
  return b.concat({place, b.text(" "), arrow, expr(*update.value)});
}

/// `return a, b` and `yield a, b`.
Doc Formatter::values(const std::vector<ExprPtr> &values) {
  Doc word = takeWord();
  if (values.size() == 1)
    return b.concat({word, expr(*values.front())});
  return b.concat(
      {word, b.align(joined(values.size(), [&](size_t i) { return expr(*values[i]); }))});
}

Doc Formatter::forLoop(const ForStmt &loop) {
  Doc word = takeWord();
  Doc names = targets(loop.targets);
  Doc in = takeWord();
  Doc range = expr(*loop.range);
  return b.concat({word, names, b.text(" "), in, range, b.text(" "), body(loop.body.stmts)});
}

Doc Formatter::ifStmt(const IfStmt &stmt) {
  std::vector<Doc> parts;
  for (const IfStmt::Branch &branch : stmt.branches) {
    if (!parts.empty()) {
      parts.push_back(b.text(" "));
      parts.push_back(takeWord()); // else
    }
    parts.push_back(takeWord());
    parts.push_back(expr(*branch.condition));
    parts.push_back(b.text(" "));
    parts.push_back(body(branch.body.stmts));
  }
  if (stmt.elseBody) {
    parts.push_back(b.text(" "));
    parts.push_back(takeWord());
    parts.push_back(body(stmt.elseBody->stmts));
  }
  return b.concat(std::move(parts));
}

Doc Formatter::scan(const ScanStmt &scan) {
  Doc word = takeWord();
  Doc names = targets(scan.targets);
  Doc in = takeWord();
  Doc sequences = joined(scan.sequences.size(), [&](size_t i) { return expr(*scan.sequences[i]); });
  std::vector<Doc> parts = {word, names, b.text(" "), in, b.align(sequences), b.text(" ")};
  parts.push_back(takeWord()); // axis
  parts.push_back(takeWord());
  if (scan.reverse)
    parts.push_back(takeWord());
  parts.push_back(body(scan.body.stmts));
  return b.concat(std::move(parts));
}

//===----------------------------------------------------------------------------------------===//
// Declarations
//===----------------------------------------------------------------------------------------===//

Doc Formatter::import(const ImportStmt &import) {
  std::vector<Doc> parts = {takeWord(), take()};
  while (at(Tok::Dot)) {
    parts.push_back(take());
    parts.push_back(take());
  }
  if (!import.names.empty()) {
    parts.push_back(b.text(" "));
    parts.push_back(filled(import.names.size(), [&](size_t) { return take(); }));
  } else if (!import.alias.isEmpty()) {
    parts.push_back(b.text(" "));
    parts.push_back(takeWord());
    parts.push_back(take());
  }
  return b.concat(std::move(parts));
}

Doc Formatter::formal(const Formal &formal) {
  Doc name = take();
  Doc colon = takeWord();
  std::vector<Doc> parts = {name, colon, type(*formal.type)};
  if (formal.key) {
    parts.push_back(b.text(" "));
    parts.push_back(key());
  }
  if (formal.defaultValue) {
    parts.push_back(b.text(" "));
    parts.push_back(takeWord());
    parts.push_back(expr(*formal.defaultValue));
  }
  return b.concat(std::move(parts));
}

/// A line of its own when the head does not fit on one.
Doc Formatter::guards(const std::vector<Guard> &guards) {
  if (guards.empty())
    return b.empty();
  Doc word = takeWord();
  Doc list = joined(guards.size(), [&](size_t i) {
    Doc condition = expr(*guards[i].condition);
    if (!guards[i].message)
      return condition;
    Doc colon = takeWord();
    return b.concat({condition, colon, take()});
  });
  return b.concat({b.line(), word, b.align(list)});
}

Doc Formatter::module(const ModuleStmt &module) {
  Doc word = takeWord();
  Doc name = take();
  if (module.instance) {
    Doc assign = takeWord();
    return b.concat({word, name, b.text(" "), assign, expr(*module.instance)});
  }
  Doc params = module.hasParams ? filled(module.params.size(),
                                         [&](size_t i) { return formal(module.params[i]); })
                                : b.empty();
  Doc head = b.group(b.concat({word, name, params, guards(module.guards)}));
  return b.concat({head, b.text(" "), body(module.body)});
}

Doc Formatter::train(const TrainStmt &train) {
  Doc word = takeWord();
  Doc name = take();
  Doc assign = takeWord();
  Doc instance = expr(*train.instance);
  return b.concat(
      {word, name, b.text(" "), assign, instance, b.text(" "), body(train.block->body)});
}

Doc Formatter::results(const std::vector<Result> &results) {
  if (results.empty())
    return b.empty();
  Doc arrow = takeWord();
  Doc list;
  if (results.front().name.isEmpty()) {
    list = type(*results.front().type);
  } else {
    list = filled(results.size(), [&](size_t i) {
      Doc name = take();
      Doc colon = takeWord();
      return b.concat({name, colon, type(*results[i].type)});
    });
  }
  return b.group(b.indent(b.concat({b.line(), arrow, list})));
}

Doc Formatter::fn(const FnStmt &fn) {
  Doc word = takeWord();
  Doc name = take();
  Doc params = filled(fn.params.size(), [&](size_t i) { return formal(fn.params[i]); });
  Doc result = results(fn.results);
  Doc head = b.group(b.concat({word, name, params, result, guards(fn.guards)}));
  if (fn.block)
    return b.concat({head, b.text(" "), body(fn.block->stmts)});
  Doc assign = take();
  bool hugs = (fn.expr->is<ListExpr>() || fn.expr->is<ListCompExpr>()) && fn.expr->parens == 0;
  return b.concat({head, b.text(" "), assign, b.breakAfter(expr(*fn.expr), hugs)});
}

Doc Formatter::optionalCondition(const ExprPtr &condition) {
  if (!condition)
    return b.empty();
  Doc word = takeWord();
  return b.concat({b.text(" "), word, expr(*condition)});
}

Doc Formatter::slot(const SlotStmt &slot) {
  Doc word = takeWord();
  Doc name = take();
  Doc colon = takeWord();
  std::vector<Doc> parts = {word, name, colon, type(*slot.type)};
  if (slot.key) {
    parts.push_back(b.text(" "));
    parts.push_back(key());
  }
  if (slot.init) {
    parts.push_back(b.text(" "));
    parts.push_back(takeWord());
    parts.push_back(expr(*slot.init));
  }
  parts.push_back(optionalCondition(slot.condition));
  return b.concat(std::move(parts));
}

Doc Formatter::tie(const TieStmt &tie) {
  Doc word = takeWord();
  Doc left = expr(*tie.left);
  Doc assign = takeWord();
  Doc right = expr(*tie.right);
  return b.concat({word, left, b.text(" "), assign, right, optionalCondition(tie.condition)});
}

} // namespace nnc::syntax
