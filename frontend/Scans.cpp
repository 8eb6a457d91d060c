// `scan`, the loop at run time. Its body is evaluated once, on block arguments in place of what is
// carried: the outer locals that it may rebind, and slots that it may write. Which of them it does
// change is known afterwards, and the others are taken back. If a slot turns out to vary whose
// value the body took for known (`pos` at the beginning of the call), the body is evaluated once
// more.
#include "frontend/Evaluator.h"

#include "frontend/PrimitivesEmit.h"
#include "frontend/PrimitivesErrors.h"
#include "ir/NNOps.h"

#include <algorithm>
#include <fmt/format.h>
#include <unordered_map>

namespace nnc::frontend {
namespace {

/// Element `position` along `axis`, without that axis.
TensorValue stepOf(Emitter &emitter, const TensorValue &sequence, size_t axis,
                   const Dim &position) {
  Shape starts(sequence.rank(), Dim(0)), lengths = sequence.shape;
  starts[axis] = position;
  lengths[axis] = 1;
  TensorValue step =
      emitter.slice(sequence, starts, lengths, std::vector<int64_t>(sequence.rank(), 1));
  Shape shape = sequence.shape;
  shape.erase(shape.begin() + static_cast<ptrdiff_t>(axis));
  return emitter.reshape(step, shape);
}

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

/// The stacked tensor has the steps first; they belong at `axis`.
TensorValue moveSteps(Emitter &emitter, const TensorValue &stacked, size_t axis) {
  std::vector<size_t> permutation;
  for (size_t i = 1; i < stacked.rank(); ++i)
    permutation.push_back(i);
  permutation.insert(permutation.begin() + static_cast<ptrdiff_t>(axis), 0);
  return emitter.transpose(stacked, permutation);
}

/// Evaluates and emits one scan.
class ScanRunner {
public:
  ScanRunner(Evaluator &evaluator, const syntax::ScanStmt &scan, bool isBound)
      : evaluator(evaluator), context(evaluator.context), scan(scan),
        axis(static_cast<size_t>(scan.axis)), isBound(isBound) {}

  std::optional<Value> run() {
    collectCarried();
    std::optional<Value> result;
    bool ok = evalSequences() && evaluator.startOperation("scan", scan.keyword);
    if (ok)
      counter = context.addLoopSymbol(length());
    for (bool again = ok; again;) {
      size_t known = varying.size();
      result = emit();
      again = !result && varying.size() > known;
    }
    if (!result)
      for (const Carried &local : carried)
        locals().assign(local.name, std::nullopt);
    return result;
  }

private:
  /// An outer local that the body may rebind.
  struct Carried {
    std::string_view name;
    Value entering;
    syntax::Span boundAt;
    std::vector<mlir::Value> arguments = {}; ///< of the body, one per tensor in it
    std::vector<TensorValue> leaving = {};
  };

  /// A slot whose value in the body is that of the step before.
  struct CarriedSlot {
    SlotValue before; ///< the scan
    mlir::BlockArgument argument;
  };

  const Dim &length() { return sequences.front().value.get<TensorValue>().shape[axis]; }
  FunctionEmission &emission() { return *evaluator.frame->emission; }
  Locals &locals() { return evaluator.frame->locals; }
  syntax::Diagnostic &error(std::string_view code, syntax::Span span, std::string message) {
    return evaluator.error(code, span, std::move(message));
  }

  //===- What is walked ----------------------------------------------------------------------===//

  bool evalSequences() {
    bool ok = true;
    for (const syntax::ExprPtr &expr : scan.sequences) {
      std::optional<Value> value = evaluator.eval(*expr);
      ok = value && checkSequence(*value, *expr) && ok;
      if (value && value->isTensor())
        sequences.push_back({std::move(*value), expr->span, expr.get()});
    }
    if (!ok)
      return false;
    SizeCheck check(context, scan.keyword, fmt::format("`scan` along axis {}", axis));
    for (size_t i = 1; i < sequences.size(); ++i)
      check.expectEqual(sequences.front(), axis, sequences[i], axis);
    return check.finish(/*withLabels=*/true);
  }

  bool checkSequence(const Value &value, const syntax::Expr &expr) {
    const TensorValue *tensor = value.as<TensorValue>();
    if (!tensor) {
      syntax::Diagnostic &diag = error("E0403", expr.span, "`scan` walks over tensors");
      diag.primaryLabel(fmt::format("this is {}", describeKind(value)));
      if (value.isSequence())
        diag.help("`for` walks over a list or a range, at build time");
      return false;
    }
    if (tensor->rank() > axis)
      return true;
    error("E0306", scan.axisSpan, fmt::format("axis {} does not exist", axis))
        .primaryLabel(fmt::format("the tensor has {} {}", tensor->rank(),
                                  tensor->rank() == 1 ? "axis" : "axes"))
        .label(expr.span, formatTensorType(*tensor));
    return false;
  }

  //===- What is carried ---------------------------------------------------------------------===//

  void collectCarried() {
    BoundNames bound;
    bound.addBlock(scan.body);
    for (std::string_view name : bound.names)
      if (const std::optional<Value> *outer = locals().find(name); outer && *outer)
        carried.push_back({name, withoutScalars(**outer), locals().placeOf(name)});
  }

  /// Puts block arguments in place of the tensors.
  void enter(Carried &local, mlir::Block &block) {
    local.arguments.clear();
    local.leaving.clear();
    std::vector<TensorValue> tensors;
    flattenTensors(local.entering, tensors);
    for (const TensorValue &tensor : tensors)
      local.arguments.push_back(
          block.addArgument(tensor.value.getType(), context.location(scan.keyword)));
    size_t index = 0;
    auto next = [&] { return local.arguments[index++]; };
    locals().assign(local.name, replaceTensors(local.entering, next), local.boundAt);
  }

  bool leave(Carried &local) {
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

  void reportType(const Carried &local, const Value &leaving) {
    syntax::Diagnostic &diag =
        error("E0601", scan.keyword, fmt::format("`{}` changes type in this scan", local.name));
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

  //===- Slots -------------------------------------------------------------------------------===//

  bool isVarying(Slot *slot) const {
    return std::any_of(varying.begin(), varying.end(),
                       [&](const auto &known) { return known.first == slot; });
  }
  static bool isParam(const Slot &slot) { return slot.decl->slot == syntax::SlotKind::Param; }

  /// Any slot may be written in the body, through calls too: until that is known, each that was
  /// read or written before is carried.
  void enterSlots(mlir::Block &block) {
    slots.clear();
    for (const auto &[slot, shape] : varying)
      if (!emission().slotValues.count(slot))
        evaluator.slotValue(*slot, shape, scan.keyword);
    for (auto &[slot, held] : emission().slotValues) {
      if (isParam(*slot))
        continue;
      CarriedSlot &entered = slots[slot];
      entered.before = held;
      entered.argument = block.addArgument(held.value.getType(), context.location(scan.keyword));
      held.value = entered.argument;
      if (isVarying(slot))
        held.scalar.reset();
    }
  }

  /// True if the body's use of slots was as expected. Else what varies is known better now.
  bool leaveSlots() {
    bool expected = true;
    writtenSlots.clear();
    for (Slot *slot : emission().written) {
      const SlotValue &held = emission().slotValues.at(slot);
      auto entered = slots.find(slot);
      bool isNew = entered == slots.end();
      if (!isNew && entered->second.argument == held.value)
        continue;
      writtenSlots.push_back(slot);
      if (isVarying(slot) || (!isNew && !entered->second.before.scalar))
        continue;
      varying.emplace_back(slot, held.shape);
      expected = false;
    }
    return expected;
  }

  /// As if the body had not been.
  void restoreSlots(const std::vector<Slot *> &writtenBefore) {
    auto &values = emission().slotValues;
    for (auto held = values.begin(); held != values.end();) {
      Slot *slot = held->first;
      auto entered = slots.find(slot);
      auto entering = emission().entering.find(slot);
      if (entered != slots.end())
        held->second = entered->second.before;
      else if (entering != emission().entering.end())
        held->second = entering->second;
      held = entered == slots.end() && entering == emission().entering.end() ? values.erase(held)
                                                                             : std::next(held);
    }
    emission().written = writtenBefore;
  }

  /// What a step leaves in the slots that it writes, in the order of their first writing.
  void yieldSlots(mlir::OperationState &state, llvm::SmallVectorImpl<mlir::Value> &yielded) {
    for (Slot *slot : writtenSlots) {
      state.addOperands(slots[slot].before.value);
      state.addTypes(slots[slot].argument.getType());
      yielded.push_back(emission().slotValues.at(slot).value);
    }
  }

  /// Slots that the body left alone are not carried.
  void replaceSlots(mlir::Location location, mlir::Block &block) {
    for (Slot *slot : writtenSlots) {
      mlir::BlockArgument &argument = slots[slot].argument;
      argument.replaceAllUsesWith(block.addArgument(argument.getType(), location));
    }
    for (auto &[slot, entered] : slots) {
      if (std::find(writtenSlots.begin(), writtenSlots.end(), slot) == writtenSlots.end()) {
        emission().slotValues[slot] = entered.before;
        entered.argument.replaceAllUsesWith(entered.before.value);
      }
    }
    for (auto &[slot, entered] : slots)
      block.eraseArgument(entered.argument.getArgNumber());
  }

  //===- The body ----------------------------------------------------------------------------===//

  /// Evaluates the body once; false after an error in it.
  bool evalBody(std::vector<Value> steps) {
    Frame &frame = *evaluator.frame;
    ScanBody *outer = std::exchange(frame.scan, &body);
    bool failedBefore = std::exchange(frame.failed, false);
    size_t mark = locals().enterBlock();
    Value walked = steps.size() == 1 ? steps.front() : Value::tuple(std::move(steps));
    syntax::Span walkedAt = scan.sequences.front()->span.to(scan.sequences.back()->span);
    if (evaluator.bindTargets(scan.targets, std::move(walked), walkedAt, /*define=*/true))
      evaluator.runBlock(scan.body);
    else
      frame.failed = true;
    locals().leaveBlock(mark);
    frame.scan = outer;
    bool ok = !frame.failed && !evaluator.isExhausted();
    frame.failed |= failedBefore;
    return ok;
  }

  bool checkYields() {
    if (isBound && !body.yielded) {
      error("E0602", scan.keyword, "this `scan` has no value")
          .primaryLabel("it yields nothing")
          .help("`yield y` in its body gives the value of each step");
      return false;
    }
    if (!isBound && body.yielded) {
      error("E0602", body.yieldSpan, "nothing is done with what this `scan` yields")
          .label(scan.keyword, "its value is bound to no name")
          .fixIt("bind it to a name", {{scan.keyword.before(), "result = "}});
      return false;
    }
    for (const Value &value : body.yields) {
      const TensorValue &tensor = value.get<TensorValue>();
      if (tensor.rank() >= axis)
        continue;
      error("E0306", body.yieldSpan,
            fmt::format("{} cannot be stacked along axis {}", formatTensorType(tensor), axis))
          .label(scan.axisSpan, "the axis of this scan")
          .help("scan along axis 0, or yield a value with more axes");
      return false;
    }
    return true;
  }

  //===- The operation -----------------------------------------------------------------------===//

  std::optional<Value> emit() {
    mlir::OpBuilder &builder = context.builder;
    mlir::OpBuilder::InsertPoint outside = builder.saveInsertionPoint();
    std::vector<Slot *> writtenBefore = emission().written;
    mlir::OperationState state(context.location(scan.keyword), nn::ScanOp::getOperationName());
    mlir::Block &block = state.addRegion()->emplaceBlock();
    builder.setInsertionPointToEnd(&block);
    body = {};
    errorsBefore = evaluator.diags.numErrors();
    bool ok = evalBody(enterBody(block));
    for (Carried &local : carried)
      ok = ok && leave(local);
    ok = ok && checkYields() && leaveSlots();
    if (ok)
      finish(state, block);
    else
      restoreSlots(writtenBefore);
    builder.restoreInsertionPoint(outside);
    if (!ok)
      return std::nullopt;
    state.addAttribute("counter", builder.getI64IntegerAttr(counter));
    state.addAttribute("length", mlir::AffineMapAttr::get(context.affineMap({&length(), 1})));
    if (scan.reverse)
      state.addAttribute("reverse", builder.getUnitAttr());
    context.opName = "scan";
    state.location = context.location(scan.keyword);
    return takeResults(builder.create(state));
  }

  /// What the targets are bound to in a step; carried locals become block arguments.
  std::vector<Value> enterBody(mlir::Block &block) {
    for (Carried &local : carried)
      enter(local, block);
    enterSlots(block);
    context.opName = "scan";
    Dim position = Dim::variable(context.dimNames[counter]);
    Emitter emitter(context, scan.keyword);
    std::vector<Value> steps;
    for (const Operand &sequence : sequences)
      steps.push_back(
          Value::tensor(stepOf(emitter, sequence.value.get<TensorValue>(), axis, position)));
    return steps;
  }

  /// Ends the body with what it yields. Locals that it left alone are not carried.
  void finish(mlir::OperationState &state, mlir::Block &block) {
    llvm::SmallVector<mlir::Value> yielded;
    llvm::SmallVector<std::pair<mlir::BlockArgument, mlir::Value>> unchanged;
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
    yieldSlots(state, yielded);
    for (const Value &value : body.yields) {
      TensorValue whole = value.get<TensorValue>();
      yielded.push_back(whole.value);
      whole.shape.insert(whole.shape.begin(), length());
      state.addTypes(context.tensorType(whole));
    }
    context.builder.create<nn::YieldOp>(state.location, yielded);
    replaceSlots(state.location, block);
    for (auto [argument, outer] : unchanged) {
      argument.replaceAllUsesWith(outer);
      block.eraseArgument(argument.getArgNumber());
    }
  }

  /// Rebinds what was carried; the value of the scan.
  Value takeResults(mlir::Operation *op) {
    unsigned index = 0;
    for (const Carried &local : carried) {
      std::vector<TensorValue> entering;
      flattenTensors(local.entering, entering);
      size_t i = 0;
      auto next = [&]() -> mlir::Value {
        bool isCarried = static_cast<bool>(local.leaving[i].value);
        mlir::Value before = entering[i++].value;
        return isCarried ? mlir::Value(op->getResult(index++)) : before;
      };
      locals().assign(local.name, replaceTensors(local.entering, next),
                      locals().placeOf(local.name));
    }
    for (Slot *slot : writtenSlots) {
      SlotValue &held = emission().slotValues.at(slot);
      held.value = op->getResult(index++);
      held.scalar.reset();
    }
    Emitter emitter(context, scan.keyword);
    std::vector<Value> stacked;
    for (const Value &value : body.yields) {
      TensorValue whole = value.get<TensorValue>();
      whole.value = op->getResult(index++);
      whole.scalar.reset();
      whole.shape.insert(whole.shape.begin(), length());
      whole.sizeNotes.clear();
      whole.origin = scan.keyword;
      stacked.push_back(Value::tensor(moveSteps(emitter, whole, axis)));
    }
    if (stacked.empty())
      return Value();
    return stacked.size() == 1 ? stacked.front() : Value::tuple(std::move(stacked));
  }

  Evaluator &evaluator;
  Context &context;
  const syntax::ScanStmt &scan;
  size_t axis;
  bool isBound;
  unsigned counter = 0;
  size_t errorsBefore = 0; ///< evaluating the body
  std::vector<Operand> sequences;
  std::vector<Carried> carried;
  std::unordered_map<Slot *, CarriedSlot> slots;
  std::vector<Slot *> writtenSlots; ///< in the body, in the order of the function's writes
  /// Slots that steps write: what they hold is not what they held before the scan.
  std::vector<std::pair<Slot *, std::vector<Dim>>> varying; ///< with their shapes
  ScanBody body;
};

} // namespace

std::optional<Value> Evaluator::evalScan(const syntax::ScanStmt &scan, bool isBound) {
  if (frame->emission)
    return ScanRunner(*this, scan, isBound).run();
  error("E0502", scan.keyword, "`scan` runs in a tensor function only")
      .primaryLabel("there are no tensors here")
      .help("`for` and list comprehensions walk build-time values");
  return std::nullopt;
}

void Evaluator::runYield(const syntax::YieldStmt &stmt) {
  bool ok = frame->scan != nullptr;
  if (!ok) {
    error("E0602", stmt.span, "`yield` stands only in a `scan`");
  } else if (frame->scan->yielded) {
    syntax::Diagnostic &diag = error("E0602", stmt.span, "a step of a `scan` yields once");
    if (frame->scan->yieldSpan != stmt.span)
      diag.label(frame->scan->yieldSpan, "it has yielded here");
    diag.help("several values are yielded together: `yield a, b`");
    ok = false;
  } else {
    frame->scan->yielded = true;
    frame->scan->yieldSpan = stmt.span;
    for (const syntax::ExprPtr &expr : stmt.values)
      ok &= yieldValue(*expr);
  }
  frame->failed |= !ok;
}

bool Evaluator::yieldValue(const syntax::Expr &expr) {
  std::optional<Value> value = eval(expr);
  if (value && !value->isTensor()) {
    error("E0403", expr.span, "`scan` stacks tensors")
        .primaryLabel(fmt::format("this is {}", describeKind(*value)));
    return false;
  }
  if (value)
    frame->scan->yields.push_back(std::move(*value));
  return value.has_value();
}

} // namespace nnc::frontend
