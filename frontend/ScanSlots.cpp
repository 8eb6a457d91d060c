#include "frontend/ScanSlots.h"

#include <algorithm>

namespace nnc::frontend {

static bool isParam(const Slot &slot) { return slot.decl->slot == syntax::SlotKind::Param; }

bool ScanSlots::isVarying(Slot *slot) const {
  return std::any_of(varying.begin(), varying.end(),
                     [&](const auto &known) { return known.first == slot; });
}

void ScanSlots::enter(mlir::Block &block) {
  slots.clear();
  for (const auto &[slot, shape] : varying)
    if (!emission().slotValues.count(slot))
      evaluator.slotValue(*slot, shape, scan.keyword);
  for (auto &[slot, held] : emission().slotValues) {
    if (isParam(*slot))
      continue;
    CarriedSlot &entered = slots[slot];
    entered.before = held;
    entered.argument =
        block.addArgument(held.value.getType(), evaluator.context.location(scan.keyword));
    held.value = entered.argument;
    if (isVarying(slot))
      held.scalar.reset();
  }
}

bool ScanSlots::leave() {
  bool expected = true;
  written.clear();
  for (Slot *slot : emission().written) {
    const SlotValue &held = emission().slotValues.at(slot);
    auto entered = slots.find(slot);
    bool isNew = entered == slots.end();
    if (!isNew && entered->second.argument == held.value)
      continue;
    written.push_back(slot);
    if (isVarying(slot) || (!isNew && !entered->second.before.scalar))
      continue;
    varying.emplace_back(slot, held.shape);
    expected = false;
  }
  return expected;
}

void ScanSlots::restore(const std::vector<Slot *> &writtenBefore) {
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

void ScanSlots::yield(mlir::OperationState &state, llvm::SmallVectorImpl<mlir::Value> &yielded) {
  for (Slot *slot : written) {
    state.addOperands(slots[slot].before.value);
    state.addTypes(slots[slot].argument.getType());
    yielded.push_back(emission().slotValues.at(slot).value);
  }
}

void ScanSlots::dropUnchanged(mlir::Location location, mlir::Block &block) {
  for (Slot *slot : written) {
    mlir::BlockArgument &argument = slots[slot].argument;
    argument.replaceAllUsesWith(block.addArgument(argument.getType(), location));
  }
  for (auto &[slot, entered] : slots) {
    if (std::find(written.begin(), written.end(), slot) == written.end()) {
      emission().slotValues[slot] = entered.before;
      entered.argument.replaceAllUsesWith(entered.before.value);
    }
  }
  for (auto &[slot, entered] : slots)
    block.eraseArgument(entered.argument.getArgNumber());
}

void ScanSlots::takeResults(mlir::Operation *op, unsigned &index) {
  for (Slot *slot : written) {
    SlotValue &held = emission().slotValues.at(slot);
    held.value = op->getResult(index++);
    held.scalar.reset();
  }
}

} // namespace nnc::frontend
