// `scan`, the loop at run time. Its body is evaluated once, on block arguments in place of what is
// carried: the outer locals that it may rebind, and slots that it may write. Which of them it does
// change is known afterwards, and the others are taken back. If a slot turns out to vary whose
// value the body took for known (`pos` at the beginning of the call), the body is evaluated once
// more.
#include "frontend/PrimitivesEmit.h"
#include "frontend/PrimitivesErrors.h"
#include "frontend/ScanLocals.h"
#include "frontend/ScanSlots.h"
#include "ir/NNOps.h"

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
        axis(static_cast<size_t>(scan.axis)), isBound(isBound), carried(evaluator, scan),
        slots(evaluator, scan) {}

  std::optional<Value> run() {
    std::optional<Value> result;
    bool ok = evalSequences() && evaluator.startOperation("scan", scan.keyword);
    if (ok)
      counter = context.addLoopSymbol(length());
    for (bool again = ok; again;) {
      size_t known = slots.numVarying();
      result = emit();
      again = !result && slots.numVarying() > known;
    }
    if (!result)
      carried.forget();
    return result;
  }

private:
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
    ok = ok && carried.leave(errorsBefore) && checkYields() && slots.leave();
    if (ok)
      finish(state, block);
    else
      slots.restore(writtenBefore);
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
    carried.enter(block);
    slots.enter(block);
    context.opName = "scan";
    Dim position = Dim::variable(context.dimNames[counter]);
    Emitter emitter(context, scan.keyword);
    std::vector<Value> steps;
    for (const Operand &sequence : sequences)
      steps.push_back(
          Value::tensor(stepOf(emitter, sequence.value.get<TensorValue>(), axis, position)));
    return steps;
  }

  /// Ends the body with what it yields. What it left alone is not carried.
  void finish(mlir::OperationState &state, mlir::Block &block) {
    llvm::SmallVector<mlir::Value> yielded;
    carried.yield(state, yielded);
    slots.yield(state, yielded);
    for (const Value &value : body.yields) {
      TensorValue whole = value.get<TensorValue>();
      yielded.push_back(whole.value);
      whole.shape.insert(whole.shape.begin(), length());
      state.addTypes(context.tensorType(whole));
    }
    context.builder.create<nn::YieldOp>(state.location, yielded);
    slots.dropUnchanged(state.location, block);
    carried.dropUnchanged(block);
  }

  /// Rebinds what was carried; the value of the scan.
  Value takeResults(mlir::Operation *op) {
    unsigned index = 0;
    carried.takeResults(op, index);
    slots.takeResults(op, index);
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
  ScanLocals carried;
  ScanSlots slots;
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
