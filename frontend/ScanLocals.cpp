#include "frontend/ScanLocals.h"

#include "frontend/PrimitivesErrors.h"

#include <algorithm>
#include <fmt/format.h>

namespace nnc::frontend {
namespace {

/// Every name that a block may bind, in blocks within it too.
class BoundNames {
public:
  std::vector<std::string_view> names;

  void addBlock(const syntax::Block &block) {
    for (const syntax::StmtPtr &stmt : block.stmts)
      addStatement(*stmt);
  }

private:
  void addTargets(const std::vector<syntax::Target> &targets) {
    for (const syntax::Target &target : targets) {
      if (target.isTuple())
        addTargets(target.elements);
      else if (std::find(names.begin(), names.end(), target.name.text) == names.end())
        names.push_back(target.name.text);
    }
  }

  void addStatement(const syntax::Stmt &stmt) {
    if (auto *bind = stmt.as<syntax::BindStmt>()) {
      addTargets(bind->targets);
      if (bind->scan)
        addBlock(bind->scan->body);
    } else if (auto *loop = stmt.as<syntax::ForStmt>()) {
      addBlock(loop->body);
    } else if (auto *scan = stmt.as<syntax::ScanStmt>()) {
      addBlock(scan->body);
    } else if (auto *choice = stmt.as<syntax::IfStmt>()) {
      for (const syntax::IfStmt::Branch &branch : choice->branches)
        addBlock(branch.body);
      if (choice->elseBody)
        addBlock(*choice->elseBody);
    }
  }
};

/// Whether a carried value has in every step the type it entered with.
bool keepsType(const Structures &structures, const Value &entering, const Value &leaving) {
  if (entering.isTensor() && leaving.isTensor()) {
    const auto &before = entering.get<TensorValue>(), &after = leaving.get<TensorValue>();
    return before.element == after.element && before.shape == after.shape;
  }
  bool areSequences = (entering.is<ListValue>() && leaving.is<ListValue>()) ||
                      (entering.is<TupleValue>() && leaving.is<TupleValue>());
  if (areSequences)
    return std::ranges::equal(entering.elements(), leaving.elements(),
                              [&](const Value &before, const Value &after) {
                                return keepsType(structures, before, after);
                              });
  std::string before, after;
  structures.append(entering, before);
  structures.append(leaving, after);
  return before == after;
}

/// A carried scalar has no value that positions and guards could know.
Value withoutScalars(const Value &value) {
  if (auto *tensor = value.as<TensorValue>()) {
    TensorValue unknown = *tensor;
    unknown.scalar.reset();
    return Value::tensor(std::move(unknown));
  }
  if (!value.containsTensor())
    return value;
  std::vector<Value> elements;
  for (const Value &element : value.elements())
    elements.push_back(withoutScalars(element));
  return value.is<ListValue>() ? Value::list(std::move(elements))
                               : Value::tuple(std::move(elements));
}

} // namespace

//===- Around the body ------------------------------------------------------------------------===//

ScanLocals::ScanLocals(Evaluator &evaluator, const syntax::ScanStmt &scan)
    : evaluator(evaluator), scan(scan) {
  BoundNames bound;
  bound.addBlock(scan.body);
  for (std::string_view name : bound.names)
    if (const std::optional<Value> *outer = locals().find(name); outer && *outer)
      carried.push_back({name, withoutScalars(**outer), locals().placeOf(name)});
}

void ScanLocals::enter(mlir::Block &block) {
  for (Carried &local : carried)
    enter(local, block);
}

void ScanLocals::enter(Carried &local, mlir::Block &block) {
  local.arguments.clear();
  local.leaving.clear();
  std::vector<TensorValue> tensors;
  flattenTensors(local.entering, tensors);
  for (const TensorValue &tensor : tensors)
    local.arguments.push_back(
        block.addArgument(tensor.value.getType(), evaluator.context.location(scan.keyword)));
  size_t index = 0;
  auto next = [&] { return local.arguments[index++]; };
  locals().assign(local.name, replaceTensors(local.entering, next), local.boundAt);
}

bool ScanLocals::leave(size_t errorsBefore) {
  return std::ranges::all_of(carried, [&](Carried &local) { return leave(local, errorsBefore); });
}

bool ScanLocals::leave(Carried &local, size_t errorsBefore) {
  const std::optional<Value> *leaving = locals().find(local.name);
  if (!leaving || !*leaving)
    return false;
  flattenTensors(**leaving, local.leaving);
  if (keepsType(evaluator.structures, local.entering, **leaving))
    return true;
  if (evaluator.diags.numErrors() == errorsBefore) // else it may be what is left after one
    reportType(local, **leaving);
  return false;
}

void ScanLocals::reportType(const Carried &local, const Value &leaving) {
  syntax::Diagnostic &diag = evaluator.error(
      "E0601", scan.keyword, fmt::format("`{}` changes type in this scan", local.name));
  diag.primaryLabel(fmt::format("carries `{}`", local.name));
  auto explain = [&](syntax::Span place, const char *verb, const Value &value) {
    std::string text = fmt::format("{} as {}", verb, formatValue(value));
    if (place.isValid())
      diag.label(place, std::move(text));
    else
      diag.note(std::move(text));
  };
  explain(local.boundAt, "enters", local.entering);
  explain(locals().placeOf(local.name), "leaves", leaving);
  diag.note("a carried value keeps its type in every step");
  if (local.entering.isNumber() && leaving.isTensor())
    diag.help(fmt::format("begin with a tensor: `{} = full({}, {})`", local.name,
                          formatShape(leaving.get<TensorValue>().shape),
                          formatValue(local.entering)));
  else if (local.entering.is<ListValue>() && leaving.is<ListValue>())
    diag.help("what every step makes is stacked by `yield`: `ys = scan ... { yield h }`");
}

void ScanLocals::forget() {
  for (const Carried &local : carried)
    locals().assign(local.name, std::nullopt);
}

//===- The operation --------------------------------------------------------------------------===//

void ScanLocals::yield(mlir::OperationState &state, llvm::SmallVectorImpl<mlir::Value> &yielded) {
  unchanged.clear();
  for (Carried &local : carried) {
    std::vector<TensorValue> entering;
    flattenTensors(local.entering, entering);
    for (size_t i = 0; i < entering.size(); ++i) {
      auto argument = mlir::cast<mlir::BlockArgument>(local.arguments[i]);
      if (local.leaving[i].value == argument) {
        unchanged.emplace_back(argument, entering[i].value);
        local.leaving[i].value = {};
        continue;
      }
      state.addOperands(entering[i].value);
      state.addTypes(argument.getType());
      yielded.push_back(local.leaving[i].value);
    }
  }
}

void ScanLocals::dropUnchanged(mlir::Block &block) {
  for (auto [argument, outer] : unchanged) {
    argument.replaceAllUsesWith(outer);
    block.eraseArgument(argument.getArgNumber());
  }
}

void ScanLocals::takeResults(mlir::Operation *op, unsigned &index) {
  for (const Carried &local : carried) {
    std::vector<TensorValue> entering;
    flattenTensors(local.entering, entering);
    size_t i = 0;
    auto next = [&]() -> mlir::Value {
      bool isCarried = static_cast<bool>(local.leaving[i].value);
      mlir::Value before = entering[i++].value;
      return isCarried ? mlir::Value(op->getResult(index++)) : before;
    };
    locals().assign(local.name, replaceTensors(local.entering, next), locals().placeOf(local.name));
  }
}

} // namespace nnc::frontend
