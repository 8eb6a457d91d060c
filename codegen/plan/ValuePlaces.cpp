#include "codegen/plan/ValuePlaces.h"

#include "ir/Dims.h"
#include "passes/StepOrder.h"

#include <fmt/format.h>

using namespace mlir;

namespace nnc::codegen {

ValuePlaces::ValuePlaces(EntryDraft &draft, BufferTable &buffers)
    : draft(draft), buffers(buffers), states(draft.function.getBody().front()) {
  for (auto [index, argument] : llvm::enumerate(draft.function.getArguments()))
    add(argument, format::BufferKind::Input, index, draft.entry->inputs[index]->name);
  auto returned = cast<func::ReturnOp>(draft.function.getBody().front().getTerminator());
  for (auto [index, value] : llvm::enumerate(returned.getOperands())) {
    // The step that makes the value writes the output itself, unless it is another output too, or
    // writes into other memory.
    Value root = withoutReshapes(value);
    if (!isMade(root) || !outputOf.try_emplace(root, index).second)
      copies.emplace_back(root, index);
  }
}

/// Whether a step writes the value to wherever it is told, so that its place can be chosen.
bool ValuePlaces::isMade(Value root) {
  Operation *op = root.getDefiningOp();
  if (auto scan = dyn_cast_or_null<nn::ScanOp>(op))
    return cast<OpResult>(root).getResultNumber() >= scan.getNumCarried();
  return isa_and_nonnull<nn::KernelOp, nn::GemmOp>(op) &&
         !states.overwrittenBy(cast<OpResult>(root)) && !states.targetOf(root);
}

bool ValuePlaces::isMadeIn(nn::ScanOp scan, Value root) {
  return isMade(root) && root.getParentBlock() == scan.getBody();
}

uint32_t ValuePlaces::add(Value value, format::BufferKind kind, uint32_t index, std::string name) {
  auto type = cast<RankedTensorType>(value.getType());
  return numbers[value] = buffers.add(type, kind, index, std::move(name));
}

uint32_t ValuePlaces::use(Value value) {
  auto known = numbers.find(withoutReshapes(value));
  if (known == numbers.end()) {
    draft.fail("a step reads a value that no step makes");
    return 0;
  }
  buffers.touch(known->second);
  return known->second;
}

uint32_t ValuePlaces::define(Value value, StringRef name) {
  auto type = cast<RankedTensorType>(value.getType());
  if (nn::SetOp set = states.targetOf(value))
    return numbers[value] = addState(type, set.getName(), set.getValue().getType());
  if (auto output = outputOf.find(value); output != outputOf.end())
    return add(value, format::BufferKind::Output, output->second,
               draft.entry->outputs[output->second]->name);
  if (auto slot = slots.find(value); slot != slots.end())
    return numbers[value] = slot->second;
  return numbers[value] = buffers.addArena(type, name.str());
}

uint32_t ValuePlaces::defineResult(OpResult result, StringRef name) {
  if (Value overwritten = states.overwrittenBy(result))
    return numbers[result] = use(overwritten);
  bool isPlaced = cast<nn::KernelOp>(result.getOwner()).isUpdate();
  return isPlaced ? use(result) : define(result, name);
}

uint32_t ValuePlaces::defineInLoop(Value value, std::string name) {
  return add(value, format::BufferKind::Loop, 0, std::move(name));
}

//===- Weights and states ---------------------------------------------------------------------===//

void ValuePlaces::defineGlobal(nn::GetOp get) {
  StringRef symbol = get.getName();
  const llvm::StringMap<uint32_t> &weights = draft.context.weights;
  if (draft.context.states.contains(symbol))
    numbers[get.getResult()] = addState(get.getType(), symbol, get.getType());
  else if (auto weight = weights.find(symbol); weight != weights.end())
    add(get.getResult(), format::BufferKind::Weight, weight->second, symbol.str());
  else
    draft.fail(fmt::format("`{}` has no data", symbol.str()));
}

uint32_t ValuePlaces::addState(RankedTensorType type, StringRef symbol,
                               RankedTensorType stateType) {
  uint32_t index = draft.context.states.lookup(symbol);
  format::StateT &state = *draft.model.states[index];
  state.shape.resize(stateType.getRank());
  state.bytes = dtypeBytes(DType(state.dtype));
  for (auto [axis, dim] : llvm::enumerate(nn::getDims(stateType))) {
    std::optional<SizeRange> bounds = boundsOf(dim, draft.ranges);
    state.shape[axis] = std::max(state.shape[axis], bounds ? bounds->high : 0);
    if (!bounds || __builtin_mul_overflow(state.bytes, uint64_t(state.shape[axis]), &state.bytes))
      draft.fail(fmt::format("the state `{}` is too large: declare smaller ranges", symbol.str()));
  }
  uint32_t number = buffers.add(type, format::BufferKind::State, index, symbol.str());
  draft.entry->buffers[number]->shape = draft.pool.addAll(nn::getDims(stateType));
  return number;
}

} // namespace nnc::codegen
