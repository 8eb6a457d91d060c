// `scan`, the loop at run time. Its body is evaluated once, on block arguments in place of what is
// carried: the outer locals that it may rebind. Which of them it does rebind is known afterwards,
// and the others are taken back.
#include "frontend/Evaluator.h"

#include "frontend/PrimitivesEmit.h"
#include "frontend/PrimitivesErrors.h"
#include "ir/NNOps.h"

#include <algorithm>
#include <fmt/format.h>

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
  std::string before, after;
  structures.append(entering, before);
  structures.append(leaving, after);
  return before == after;
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
    if (evalSequences() && evaluator.startOperation("scan", scan.keyword))
      result = emit();
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
        carried.push_back({name, **outer, locals().placeOf(name)});
  }

  /// Puts block arguments in place of the tensors.
  void enter(Carried &local, mlir::Block &block) {
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
    const Dim length = sequences.front().value.get<TensorValue>().shape[axis];
    unsigned counter = context.addLoopSymbol(length);
    mlir::OperationState state(context.location(scan.keyword), nn::ScanOp::getOperationName());
    mlir::Block &block = state.addRegion()->emplaceBlock();
    builder.setInsertionPointToEnd(&block);
    bool ok = evalBody(enterBody(block, Dim::variable(context.dimNames[counter])));
    if (ok) {
      for (Carried &local : carried)
        ok &= leave(local);
      ok = ok && checkYields();
    }
    if (ok)
      finish(state, block, length);
    builder.restoreInsertionPoint(outside);
    if (!ok)
      return std::nullopt;
    state.addAttribute("counter", builder.getI64IntegerAttr(counter));
    state.addAttribute("length", mlir::AffineMapAttr::get(context.affineMap({&length, 1})));
    if (scan.reverse)
      state.addAttribute("reverse", builder.getUnitAttr());
    return takeResults(builder.create(state), length);
  }

  /// What the targets are bound to in a step; carried locals become block arguments.
  std::vector<Value> enterBody(mlir::Block &block, const Dim &position) {
    for (Carried &local : carried)
      enter(local, block);
    Emitter emitter(context, scan.keyword);
    std::vector<Value> steps;
    for (const Operand &sequence : sequences)
      steps.push_back(
          Value::tensor(stepOf(emitter, sequence.value.get<TensorValue>(), axis, position)));
    return steps;
  }

  /// Ends the body with what it yields. Locals that it left alone are not carried.
  void finish(mlir::OperationState &state, mlir::Block &block, const Dim &length) {
    llvm::SmallVector<mlir::Value> yielded;
    for (Carried &local : carried) {
      std::vector<TensorValue> entering;
      flattenTensors(local.entering, entering);
      for (size_t i = 0; i < entering.size(); ++i) {
        auto argument = mlir::cast<mlir::BlockArgument>(local.arguments[i]);
        if (local.leaving[i].value == argument) {
          argument.replaceAllUsesWith(entering[i].value);
          block.eraseArgument(argument.getArgNumber());
          local.leaving[i].value = {};
          continue;
        }
        state.addOperands(entering[i].value);
        state.addTypes(argument.getType());
        yielded.push_back(local.leaving[i].value);
      }
    }
    for (const Value &value : body.yields) {
      TensorValue whole = value.get<TensorValue>();
      yielded.push_back(whole.value);
      whole.shape.insert(whole.shape.begin(), length);
      state.addTypes(context.tensorType(whole));
    }
    context.builder.create<nn::YieldOp>(state.location, yielded);
  }

  /// Rebinds what was carried; the value of the scan.
  Value takeResults(mlir::Operation *op, const Dim &length) {
    unsigned index = 0;
    for (const Carried &local : carried) {
      std::vector<TensorValue> entering;
      flattenTensors(local.entering, entering);
      size_t i = 0;
      auto next = [&]() -> mlir::Value {
        bool isCarried = local.leaving[i].value != nullptr;
        mlir::Value before = entering[i++].value;
        return isCarried ? mlir::Value(op->getResult(index++)) : before;
      };
      locals().assign(local.name, replaceTensors(local.entering, next),
                      locals().placeOf(local.name));
    }
    Emitter emitter(context, scan.keyword);
    std::vector<Value> stacked;
    for (const Value &value : body.yields) {
      TensorValue whole = value.get<TensorValue>();
      whole.value = op->getResult(index++);
      whole.shape.insert(whole.shape.begin(), length);
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
  std::vector<Operand> sequences;
  std::vector<Carried> carried;
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
    error("E0602", stmt.span, "a step of a `scan` yields once")
        .label(frame->scan->yieldSpan, "it has yielded here")
        .help("several values are yielded together: `yield a, b`");
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
