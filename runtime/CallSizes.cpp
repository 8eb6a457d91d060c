#include "runtime/CallSizes.h"

#include "runtime/Executor.h"

#include <cstring>
#include <fmt/format.h>

using namespace nnc;
using namespace nnc::format;
using namespace nnc::rt;

int64_t rt::scalarValue(DType type, const void *memory) {
  int64_t wide = 0;
  int32_t narrow = 0;
  if (type == DType::I64)
    std::memcpy(&wide, memory, sizeof wide);
  else
    std::memcpy(&narrow, memory, sizeof narrow);
  return type == DType::I64 ? wide : narrow;
}

CallSizes::CallSizes(const EntryT &entry)
    : entry(entry), dimValues(entry.dims.size()), exprValues(entry.exprs.size()),
      sources(entry.dims.size()) {}

Result<void> CallSizes::update(std::span<const Tensor> inputs, std::span<const int64_t> scalars) {
  if (Result<void> solved = solve(inputs, scalars); !solved)
    return solved;
  if (Result<void> checked = checkRanges(); !checked)
    return checked;
  if (Result<void> evaluated = evaluateAll(); !evaluated)
    return evaluated;
  if (Result<void> checked = checkAxes(inputs); !checked)
    return checked;
  if (Result<void> checked = checkGuards(); !checked)
    return checked;
  return checkMemory();
}

/// Walks over all axes until nothing more is learnt. Bare dimensions come first, since of `[2*B]`
/// and `[B]` the second one is what an error should name.
Result<void> CallSizes::solve(std::span<const Tensor> inputs, std::span<const int64_t> scalars) {
  for (size_t symbol = 0; symbol < sources.size(); ++symbol) {
    sources[symbol] = {};
    if (entry.dims[symbol]->kind == SymbolKind::Size)
      continue;
    sources[symbol] = {0, NoAxis};
    dimValues[symbol] = entry.dims[symbol]->kind == SymbolKind::Scalar ? scalars[symbol] : 0;
  }
  for (bool bareOnly = true; solvePass(inputs, bareOnly) || bareOnly;)
    bareOnly = false;
  for (size_t dim = 0; dim < sources.size(); ++dim)
    if (sources[dim].input < 0)
      return Error{
          fmt::format("`{}`: no input tells the size of `{}`", entry.name, entry.dims[dim]->name)};
  return {};
}

/// Tries all axes; true if a dimension was found.
bool CallSizes::solvePass(std::span<const Tensor> inputs, bool bareOnly) {
  bool progress = false;
  for (size_t input = 0; input < inputs.size(); ++input)
    for (size_t axis = 0; axis < inputs[input].rank(); ++axis)
      if (!bareOnly || entry.exprs[entry.inputs[input]->shape[axis]]->nodes.size() == 1)
        progress |= solveAxis(input, axis, inputs[input].shape()[axis]);
  return progress;
}

/// If exactly one dimension of the axis's expression is unknown, and the expression is linear in
/// it, takes its value from the size. checkAxes finds out whether it was.
bool CallSizes::solveAxis(size_t input, size_t axis, int64_t size) {
  const ExprT &expr = *entry.exprs[entry.inputs[input]->shape[axis]];
  size_t unknown = sources.size();
  for (const ExprNode &node : expr.nodes) {
    auto dim = static_cast<size_t>(node.value());
    if (node.op() != ExprOp::Sym || sources[dim].input >= 0 || dim == unknown)
      continue;
    if (unknown != sources.size())
      return false;
    unknown = dim;
  }
  if (unknown == sources.size())
    return false;

  dimValues[unknown] = 0;
  Result<int64_t> atZero = evaluate(expr, dimValues);
  dimValues[unknown] = 1;
  Result<int64_t> atOne = evaluate(expr, dimValues);
  int64_t slope = 0, rest = 0;
  if (!atZero || !atOne || __builtin_sub_overflow(*atOne, *atZero, &slope) || slope <= 0 ||
      __builtin_sub_overflow(size, *atZero, &rest))
    return false;
  dimValues[unknown] = rest / slope;
  sources[unknown] = {static_cast<int>(input), axis};
  return true;
}

Result<void> CallSizes::evaluateAll() {
  for (size_t i = 0; i < exprValues.size(); ++i) {
    Result<int64_t> value = evaluate(*entry.exprs[i], dimValues);
    if (!value)
      return Error{fmt::format("`{}`: {}", entry.name, value.error().message)};
    exprValues[i] = *value;
  }
  return {};
}

/// E.g. "B = 4 (axis 0 of `image`)".
std::string CallSizes::describe(size_t dim) const {
  return fmt::format("{} = {} (axis {} of `{}`)", entry.dims[dim]->name, dimValues[dim],
                     sources[dim].axis,
                     entry.inputs[static_cast<size_t>(sources[dim].input)]->name);
}

Result<void> CallSizes::checkRanges() const {
  for (size_t dim = 0; dim < dimValues.size(); ++dim) {
    const DimT &range = *entry.dims[dim];
    if (range.kind == SymbolKind::Scalar && dimValues[dim] != static_cast<int32_t>(dimValues[dim]))
      return Error{fmt::format("`{}`: {} = {} does not fit 32 bits", entry.name, range.name,
                               dimValues[dim])};
    if (range.kind != SymbolKind::Size)
      continue; // guards say what else must hold of scalars
    if (dimValues[dim] < range.min || dimValues[dim] > range.max)
      return Error{fmt::format("`{}`: {} is outside {}..={}", entry.name, describe(dim), range.min,
                               range.max)};
  }
  return {};
}

Error CallSizes::wrongSize(const Tensor &input, size_t index, size_t axis) const {
  const PortT &port = *entry.inputs[index];
  const ExprT &expr = *entry.exprs[port.shape[axis]];
  std::string because;
  for (size_t dim = 0; dim < sources.size(); ++dim)
    for (const ExprNode &node : expr.nodes)
      if (node.op() == ExprOp::Sym && static_cast<size_t>(node.value()) == dim) {
        because += (because.empty() ? ", since " : " and ") + describe(dim);
        break;
      }
  return Error{fmt::format("input `{}`: axis {} must be {}{}; expected {}, found {}", port.name,
                           axis, exprValues[port.shape[axis]], because, portText(port, entry),
                           tensorText(input.dtype(), input.shape()))};
}

Result<void> CallSizes::checkAxes(std::span<const Tensor> inputs) const {
  for (size_t index = 0; index < inputs.size(); ++index)
    for (size_t axis = 0; axis < inputs[index].rank(); ++axis)
      if (inputs[index].shape()[axis] != exprValues[entry.inputs[index]->shape[axis]])
        return wrongSize(inputs[index], index, axis);
  return {};
}

Result<void> CallSizes::checkGuards() const {
  for (const std::unique_ptr<GuardT> &guard : entry.guards) {
    int64_t value = exprValues[guard->expr];
    if (guard->kind == GuardKind::Eq0 ? value == 0 : value >= 0)
      continue;
    std::string sizes;
    for (size_t dim = 0; dim < dimValues.size(); ++dim)
      if (entry.dims[dim]->kind != SymbolKind::Loop)
        sizes += fmt::format("{}{} = {}", sizes.empty() ? " with " : ", ", entry.dims[dim]->name,
                             dimValues[dim]);
    std::string where = locationText(guard->location.get());
    std::string message = guard->message.empty() ? "" : ": " + guard->message;
    return Error{fmt::format("`{}` requires `{}`{}{}{}", entry.name, guard->text, sizes, message,
                             where.empty() ? "" : " (" + where + ")")};
  }
  return {};
}

size_t CallSizes::portBytes(const PortT &port) const {
  std::array<int64_t, Tensor::MaxRank> storage;
  Result<size_t> bytes = byteSize(static_cast<DType>(port.dtype), shapeOf(port, storage));
  return bytes ? *bytes : 0;
}

/// What the plan's verification could check at the upper bounds only.
Result<void> CallSizes::checkMemory() const {
  auto fits = [&](const BufferT &buffer) {
    if (exprValues[buffer.bytes] < 0)
      return false;
    auto bytes = static_cast<uint64_t>(exprValues[buffer.bytes]);
    if (buffer.kind == BufferKind::Arena)
      return bytes <= entry.arena_bytes - buffer.offset;
    if (buffer.kind == BufferKind::Input)
      return bytes <= portBytes(*entry.inputs[buffer.index]);
    if (buffer.kind == BufferKind::State)
      return true; // StateSizes sees to them
    return buffer.kind != BufferKind::Output || bytes <= portBytes(*entry.outputs[buffer.index]);
  };
  for (const std::unique_ptr<BufferT> &buffer : entry.buffers)
    if (!fits(*buffer))
      return Error{
          fmt::format("`{}`: the plan has a buffer that is larger than its memory", entry.name)};
  bool copiesFit = true, loopsFit = true;
  forEachStep(entry.steps, [&](const StepT &step) {
    if (const CopyT *copy = step.what.AsCopy())
      for (uint32_t index : {copy->src, copy->dst})
        copiesFit &= exprValues[copy->bytes] >= 0 && exprValues[copy->bytes] <= bytesOf(index);
    if (const LoopT *loop = step.what.AsLoop())
      loopsFit &= isWithinMemory(*loop);
  });
  if (!copiesFit)
    return Error{fmt::format("`{}`: the plan copies more than a buffer", entry.name)};
  if (!loopsFit)
    return Error{fmt::format("`{}`: the plan has a loop that leaves its memory", entry.name)};
  return {};
}

/// Whatever a loop's buffers are put on is as large as they are.
bool CallSizes::isWithinMemory(const LoopT &loop) const {
  for (const std::unique_ptr<CarriedT> &carried : loop.carried) {
    int64_t bytes = bytesOf(carried->argument);
    for (uint32_t other : {carried->init, carried->next, carried->result})
      if (bytesOf(other) != bytes)
        return false;
    if (carried->spare >= 0 && bytesOf(static_cast<uint32_t>(carried->spare)) != bytes)
      return false;
  }
  for (const std::unique_ptr<StackedT> &stacked : loop.stacked) {
    int64_t bytes = 0;
    if (__builtin_mul_overflow(bytesOf(stacked->slot), exprValues[loop.length], &bytes) ||
        bytes > bytesOf(stacked->result))
      return false;
  }
  return exprValues[loop.length] >= 0;
}

std::span<const int64_t> CallSizes::shapeOf(const PortT &port,
                                            std::array<int64_t, Tensor::MaxRank> &storage) const {
  for (size_t axis = 0; axis < port.shape.size(); ++axis)
    storage[axis] = exprValues[port.shape[axis]];
  return {storage.data(), port.shape.size()};
}
