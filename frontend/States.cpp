// Slots at run time: what each holds at each place of a function, `<-`, and the run-time scalars
// that positions and guards may be made of.
#include "frontend/Evaluator.h"

#include "frontend/PrimitivesEmit.h"
#include "ir/NNOps.h"
#include "llvm/Support/SaveAndRestore.h"

#include <algorithm>
#include <fmt/format.h>

namespace nnc::frontend {

//===- Scalars --------------------------------------------------------------------------------===//

/// Entry points read a tied slot once; other functions know slots as they are reached.
static Slot *keyOf(const FunctionEmission &emission, Slot &slot) {
  return emission.isEntry ? slot.canonical() : &slot;
}

std::optional<Dim> Evaluator::slotScalar(Slot &slot) {
  if (!slot.isScalarState())
    return std::nullopt;
  for (FunctionEmission *emission = frame->emission; emission; emission = emission->caller)
    if (auto found = emission->slotValues.find(keyOf(*emission, slot));
        found != emission->slotValues.end())
      return found->second.scalar;
  std::string name = slot.owner->path();
  name += (name.empty() ? "" : ".") + std::string(slot.decl->name.text);
  return context.runtimeScalar(name, {nn::SymbolKind::Scalar, {}, slot.canonical()->symbol});
}

std::optional<Value> Evaluator::asGuardValue(const TensorValue &tensor) {
  return inGuard && tensor.scalar ? std::optional(Value::integer(*tensor.scalar)) : std::nullopt;
}

//===- The sizes of states --------------------------------------------------------------------===//

/// Of an optimizer that is checked by itself: as the function that uses it says.
std::optional<std::vector<Dim>> Evaluator::openShape(const Slot &slot, syntax::Span span) {
  auto &type = slot.decl->type->get<syntax::TensorType>();
  auto isKnownHere = [&](const syntax::Dim &dim) {
    return !dim.isPack || frame->packs.count(dim.packName.text);
  };
  if (frame->self == slot.owner && std::ranges::all_of(type.dims, isKnownHere))
    return evalShape(type);
  return refuse(span, "states with a pack of dimensions are not supported yet");
}

std::optional<std::vector<Dim>> Evaluator::slotShape(Slot &slot, syntax::Span span) {
  if (slot.isOpen)
    return openShape(slot, span);
  if (slot.variables.empty())
    return slot.shape;
  auto known = stateShapes.find(slot.canonical());
  std::vector<Dim> shape = slot.shape;
  // In two steps, for the meaning of one variable may have the name of another.
  for (size_t i = 0; i < slot.variables.size(); ++i)
    for (Dim &dim : shape)
      dim = dim.substitute({slot.variables[i]}, Dim::variable(fmt::format("%{}", i)));
  for (size_t i = 0; i < slot.variables.size(); ++i) {
    const std::string &name = slot.variables[i];
    const std::optional<Value> *local = frame->locals.find(name);
    auto outer = context.entryDims.find(name);
    if (!(local && *local && (*local)->isInt()) && outer == context.entryDims.end()) {
      if (known != stateShapes.end())
        return known->second;
      error("E0612", span,
            fmt::format("the size `{}` of `{}` is not known here", name, slot.decl->name.text))
          .label(slot.decl->type->span, "declared here")
          .note(
              fmt::format("a function that uses it takes a tensor with the dimension `{}`, or its "
                          "entry point does",
                          name));
      return std::nullopt;
    }
    const Dim &meaning =
        local && *local && (*local)->isInt() ? (*local)->get<Dim>() : outer->second;
    for (Dim &dim : shape)
      dim = dim.substitute({fmt::format("%{}", i)}, meaning);
  }
  if (known != stateShapes.end() && known->second != shape) {
    error("E0612", span, fmt::format("`{}` has two shapes in one call", slot.decl->name.text))
        .primaryLabel(fmt::format("{} here, {} elsewhere", formatTensorType(slot.element, shape),
                                  formatTensorType(slot.element, known->second)))
        .label(slot.decl->type->span, "declared here");
    return std::nullopt;
  }
  stateShapes[slot.canonical()] = shape;
  return shape;
}

//===- What slots hold ------------------------------------------------------------------------===//

std::optional<SlotValue> Evaluator::slotValue(Slot &slot, syntax::Span span) {
  std::optional<std::vector<Dim>> shape = slotShape(slot, span);
  if (!shape)
    return std::nullopt;
  return slotValue(slot, std::move(*shape), span);
}

SlotValue &Evaluator::slotValue(Slot &slot, std::vector<Dim> shape, syntax::Span span) {
  FunctionEmission &emission = *frame->emission;
  Slot *key = keyOf(emission, slot);
  if (auto found = emission.slotValues.find(key); found != emission.slotValues.end())
    return found->second;
  SlotValue held{{}, std::move(shape), slotScalar(slot)};
  mlir::RankedTensorType type = context.storedType(slot.canonical()->stored, held.shape);
  if (emission.isEntry) {
    context.opName = key->symbol;
    // With the others at the beginning, for later uses may lie outside of the scan of this one.
    auto first = mlir::OpBuilder::atBlockBegin(&emission.function.getBody().front());
    if (emission.lastRead)
      first.setInsertionPointAfter(emission.lastRead);
    auto get = first.create<nn::GetOp>(context.location(span), type, key->symbol);
    emission.lastRead = get;
    held.value = get;
  } else {
    context.opName.clear();
    held.value = emission.function.getBody().front().addArgument(type, context.location(span));
    emission.slotArguments.push_back(key);
  }
  emission.entering[key] = held;
  return emission.slotValues[key] = std::move(held);
}

void Evaluator::writeSlot(Slot &slot, SlotValue value) {
  FunctionEmission &emission = *frame->emission;
  Slot *key = keyOf(emission, slot);
  emission.slotValues[key] = std::move(value);
  if (std::find(emission.written.begin(), emission.written.end(), key) == emission.written.end())
    emission.written.push_back(key);
}

//===- Updates --------------------------------------------------------------------------------===//

/// The slot that a place names; null after an error.
Slot *Evaluator::evalPlace(const syntax::Expr &place, syntax::Span op, bool isPart) {
  const Member *member = nullptr;
  if (auto *name = place.as<syntax::NameExpr>()) {
    if (!frame->locals.find(name->name) && frame->self)
      member = frame->self->member(name->name);
    if (!member && !isKnown(name->name)) {
      eval(place); // reports it
      return nullptr;
    }
  } else if (auto *path = place.as<syntax::MemberExpr>()) {
    std::optional<Value> base = eval(*path->base);
    if (!base)
      return nullptr;
    if (auto *instance = base->as<InstanceRef>()) {
      member = (*instance)->member(path->name.text);
      if (!member) {
        eval(place); // reports it
        return nullptr;
      }
    }
  }
  if (member && !member->slot && !member->value)
    return nullptr; // an error in its declaration
  Slot *slot = member ? member->slot.get() : nullptr;
  if (slot && slot->decl->slot == syntax::SlotKind::Param) {
    error("E0610", op, "`<-` changes a buffer or a state")
        .label(place.span, fmt::format("`{}` is a param", slot->decl->name.text))
        .label(slot->decl->name.span, "declared here");
    return nullptr;
  }
  if (!slot) {
    syntax::Diagnostic &diag = error("E0610", op, "`<-` changes a buffer or a state");
    diag.primaryLabel("its left side is neither");
    if (isPart)
      diag.help("other values stay as they are: `where(mask, a, x)` and `concat([a, b], axis=0)` "
                "make new ones");
    else if (auto *name = place.as<syntax::NameExpr>())
      diag.help(fmt::format("to bind a local, write `{} = ...`", name->name));
    return nullptr;
  }
  if (!slot->present) {
    readSlot(*slot, place.span); // reports it
    return nullptr;
  }
  if (slot->isTied) {
    error("E0610", op, "`<-` cannot change a slot that is tied")
        .label(slot->decl->name.span, "declared here");
    return nullptr;
  }
  if (slot->element == Element::I4) {
    refuse(op, "buffers of i4 cannot be changed yet");
    return nullptr;
  }
  if (!frame->emission) {
    error("E0502", op, "`<-` needs a function that runs at run time");
    return nullptr;
  }
  return slot;
}

/// The tensor that a whole slot or a part of it is, for checking what is stored there.
static TensorValue targetOf(const Slot &slot, const SlotValue &held, syntax::Span span) {
  TensorValue target;
  target.element = slot.element;
  target.shape = held.shape;
  target.value = held.value;
  target.scalar = held.scalar;
  target.origin = span;
  return target;
}

void Evaluator::runUpdate(const syntax::UpdateStmt &stmt) {
  auto *index = stmt.place->as<syntax::IndexExpr>();
  const syntax::Expr &place = index ? *index->base : *stmt.place;
  Slot *slot = evalPlace(place, stmt.opSpan, index != nullptr);
  std::optional<Value> value = eval(*stmt.value);
  frame->failed |= !slot || !value;
  if (!slot || !value)
    return;
  std::optional<std::vector<Dim>> shape = slotShape(*slot, place.span);
  std::optional<std::vector<IndexItem>> items;
  if (index)
    items = evalIndexItems(*index);
  if (!shape || (index && !items)) {
    frame->failed = true;
    return;
  }
  // Inside, `float` is what the slot is in memory.
  llvm::SaveAndRestore<Precision> asStored(context.precision);
  if (slot->element == Element::Float)
    context.precision.working = slot->canonical()->stored;
  value = castFloats(*value, stmt.value->span);
  // Read before the operation is named, which reading would do as well.
  if (index)
    slotValue(*slot, *shape, place.span);
  if (!startOperation("update", stmt.opSpan)) {
    frame->failed = true;
    return;
  }
  Operand stored{std::move(*value), stmt.value->span, stmt.value.get()};
  std::optional<TensorValue> result;
  if (index) {
    SlotValue &held = slotValue(*slot, *shape, place.span);
    Operand whole{Value::tensor(targetOf(*slot, held, place.span)), place.span, &place};
    result = updateTensor(context, whole, *items, stored, stmt.opSpan, stmt.place->span);
  } else {
    TensorValue target = targetOf(*slot, {{}, *shape}, place.span);
    result = exactTensor(context, stmt.opSpan, {Value::tensor(target), place.span, &place}, stored);
  }
  frame->failed |= !result;
  if (!result)
    return;
  TensorValue kept = Emitter(context, stmt.opSpan).stopGradient(*result);
  writeSlot(*slot, {kept.value, *shape, slot->isScalarState() ? result->scalar : std::nullopt});
}

} // namespace nnc::frontend
