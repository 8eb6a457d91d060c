// Functions of the IR: each distinct call of a tensor function is emitted once, as a private
// function that gets its tensors and its slots as arguments.
#include "frontend/Evaluator.h"
#include "frontend/Kernels.h"

#include "ir/NNOps.h"
#include "mlir/IR/TypeUtilities.h"

#include <algorithm>
#include <fmt/format.h>

namespace nnc::frontend {

//===- Slots ----------------------------------------------------------------------------------===//

Value Evaluator::castFloats(const Value &value, syntax::Span span) {
  std::vector<TensorValue> tensors;
  flattenTensors(value, tensors);
  mlir::Type working = context.elementType(Element::Float);
  auto differs = [&](const TensorValue &tensor) {
    return tensor.element == Element::Float &&
           mlir::getElementTypeOrSelf(tensor.value.getType()) != working;
  };
  if (std::none_of(tensors.begin(), tensors.end(), differs))
    return value;
  size_t index = 0;
  auto next = [&]() -> mlir::Value {
    const TensorValue &tensor = tensors[index++];
    if (!differs(tensor) || !startOperation("cast", span))
      return tensor.value;
    return context.builder.create<nn::CastOp>(context.location(span), context.tensorType(tensor),
                                              tensor.value);
  };
  return replaceTensors(value, next);
}

/// What a function can reach slots through: the instance it belongs to and its arguments.
static std::vector<Slot *> reachableSlots(const Frame &callee, const std::vector<Value> &values) {
  std::vector<Slot *> slots;
  if (callee.self)
    slots = callee.self->slots();
  for (const Value &value : values)
    appendSlots(value, slots);
  return slots;
}

/// Which of the reachable slots are the same one: a function is shared only by calls in which the
/// same ones are. Empty where all differ, as nearly always.
static std::string sharingPattern(const std::vector<Slot *> &slots) {
  std::unordered_map<Slot *, size_t> first;
  std::string pattern;
  for (size_t i = 0; i < slots.size(); ++i) {
    auto [at, isNew] = first.try_emplace(slots[i], i);
    if (!isNew)
      pattern += fmt::format("{}={},", i, at->second);
    // Tied to a tensor that is stored in another way.
    if (slots[i]->tied)
      pattern += fmt::format("{}:{},", i, syntax::spelling(slots[i]->canonical()->stored));
  }
  return pattern;
}

//===- Calls ----------------------------------------------------------------------------------===//

std::string Evaluator::uniqueSymbol(std::string wanted) {
  std::string name = wanted;
  for (unsigned i = 1; !symbols.insert(name).second; ++i)
    name = fmt::format("{}_{}", wanted, i);
  return name;
}

/// The name that a call carries in its location: the instance's path below the caller's.
std::string Evaluator::callName(const FunctionData &function, const Instance *caller) {
  if (!function.self)
    return std::string(function.name);
  std::string path = function.self->path();
  std::string outer = caller ? caller->path() : "";
  if (!outer.empty() && path.starts_with(outer + "."))
    path = path.substr(outer.size() + 1);
  // The model of a train block is placed, but without a step.
  bool isPlaced = !path.empty() || !function.self->placements.empty();
  if (function.name != "forward" || !isPlaced)
    path += (path.empty() ? "" : ".") + std::string(function.name);
  return path;
}

/// Whether `@remat` stands at the function, or at the member that its instance is bound to.
static bool isComputedAgain(const FunctionData &function) {
  if (function.decl->attribute("remat"))
    return true;
  const Instance *self = function.self.get();
  if (!self || self->placements.empty() || !self->placements.front().parent)
    return false;
  const Placement &own = self->placements.front();
  for (const syntax::StmtPtr &stmt : own.parent->cls->decl->body)
    if (auto *bind = stmt->as<syntax::BindStmt>(); bind && bind->attribute("remat"))
      for (const syntax::Target &target : bind->targets)
        if (!own.steps.empty() && target.name.text == own.steps.front().shown)
          return true;
  return false;
}

/// What passes read of the call's location (passes/ModulePath.h): its operations are computed again
/// for the backward pass.
static mlir::Location markComputedAgain(mlir::Location location) {
  auto mark = mlir::StringAttr::get(location.getContext(), "remat");
  return mlir::FusedLoc::get(location.getContext(), {location}, mark);
}

std::optional<Value> Evaluator::callEmitted(Frame &callee, const FunctionData &function,
                                            std::vector<Value> values, const CallSite &site) {
  if (callee.self && !requirePlace(*callee.self, site.name, site.callee))
    return std::nullopt;
  std::vector<Slot *> reachable = reachableSlots(callee, values);
  const Precision &precision = context.precision;
  std::string key =
      fmt::format("{}.{}|{}:{}:{}|{}", static_cast<const void *>(function.decl),
                  callee.self ? callee.self->structure : 0, syntax::spelling(precision.working),
                  syntax::spelling(precision.params), precision.tf32, sharingPattern(reachable));
  for (const Value &value : values) {
    key += '|';
    structures.append(value, key);
  }
  for (Slot *slot : reachable)
    if (slot->isScalarState()) {
      std::optional<Dim> scalar = slotScalar(*slot);
      key += scalar ? '#' + scalar->str() : "?";
    }
  auto [entry, isNew] = emitted.try_emplace(key);
  EmittedFunction &made = entry->second;
  if (isNew)
    emitFunction(made, callee, function, values, reachable);
  else if (observer)
    observer->shareBody(*function.decl, callee);
  if (made.state != EmittedFunction::State::Done)
    return std::nullopt;

  std::vector<TensorValue> tensors;
  for (const Value &value : values)
    flattenTensors(value, tensors);
  llvm::SmallVector<mlir::Value> operands;
  for (const TensorValue &tensor : tensors)
    operands.push_back(tensor.value);
  for (const EmittedFunction::SlotUse &use : made.slots)
    operands.push_back(slotValue(*reachable[use.index], use.held.shape, site.callee).value);
  if (!startOperation(callName(function, callee.caller), site.callee))
    return std::nullopt;
  mlir::Location location = context.location(site.callee);
  if (isComputedAgain(function))
    location = markComputedAgain(location);
  auto call = context.builder.create<mlir::func::CallOp>(location, made.function, operands);
  unsigned index = 0;
  auto next = [&] { return mlir::Value(call.getResult(index++)); };
  Value result = replaceTensors(made.result, next);
  for (const EmittedFunction::SlotUse &use : made.written)
    writeSlot(*reachable[use.index], {next(), use.held.shape, use.held.scalar});
  return result;
}

/// Evaluates the body into a new private function.
void Evaluator::emitFunction(EmittedFunction &made, Frame &callee, const FunctionData &function,
                             std::vector<Value> &values, const std::vector<Slot *> &reachable) {
  mlir::OpBuilder::InsertionGuard keepPlace(context.builder);
  std::string name(function.name);
  if (callee.self)
    name = fmt::format("{}.{}", callee.self->cls->name(), function.name);
  context.opName.clear();
  mlir::Location location = context.location(function.decl->name.span);
  context.builder.setInsertionPointToEnd(module.getBody());
  auto func = context.builder.create<mlir::func::FuncOp>(location, uniqueSymbol(name),
                                                         context.builder.getFunctionType({}, {}));
  func.setPrivate();
  mlir::Block *block = func.addEntryBlock();
  context.builder.setInsertionPointToEnd(block);

  FunctionEmission emission{func};
  FunctionEmission *outer = callee.emission;
  emission.caller = outer;
  emission.reachable.insert(reachable.begin(), reachable.end());
  callee.emission = &emission;
  std::vector<Value> arguments;
  for (size_t i = 0; i < values.size(); ++i) {
    const syntax::Formal &formal = function.decl->params[i];
    std::vector<TensorValue> tensors;
    flattenTensors(values[i], tensors);
    size_t index = 0;
    auto next = [&] {
      mlir::Type type = tensors[index++].value.getType();
      return mlir::Value(block->addArgument(type, context.location(formal.name.span)));
    };
    arguments.push_back(replaceTensors(values[i], next));
    callee.locals.assign(formal.name.text, arguments.back(), formal.name.span);
  }
  std::optional<Value> result = runBody(callee, *function.decl);
  bool isDone = result && useKernel(*this, *function.decl, std::move(arguments), *result);
  callee.emission = outer;
  if (!isDone) {
    func.erase();
    made.state = EmittedFunction::State::Failed;
    return;
  }
  finishFunction(emission, *result, function.decl->span);
  made.function = func;
  made.result = std::move(*result);
  auto useOf = [&](Slot *slot) {
    auto place = std::find(reachable.begin(), reachable.end(), slot);
    return EmittedFunction::SlotUse{unsigned(place - reachable.begin()),
                                    emission.slotValues.at(slot)};
  };
  for (Slot *slot : emission.slotArguments)
    made.slots.push_back(useOf(slot));
  for (Slot *slot : emission.written)
    made.written.push_back(useOf(slot));
  made.state = EmittedFunction::State::Done;
}

/// Ends a function with `return` and gives it its type. What it wrote follows its results; an entry
/// point stores it instead.
void Evaluator::finishFunction(FunctionEmission &emission, const Value &result, syntax::Span span) {
  std::vector<TensorValue> tensors;
  flattenTensors(result, tensors);
  llvm::SmallVector<mlir::Value> returned;
  llvm::SmallVector<mlir::Type> types;
  for (const TensorValue &tensor : tensors) {
    returned.push_back(tensor.value);
    types.push_back(tensor.value.getType());
  }
  for (Slot *slot : emission.written) {
    mlir::Value value = emission.slotValues.at(slot).value;
    if (emission.isEntry) {
      context.opName = slot->symbol;
      context.builder.create<nn::SetOp>(context.location(span), slot->symbol, value);
      continue;
    }
    returned.push_back(value);
    types.push_back(value.getType());
  }
  context.opName.clear();
  context.builder.create<mlir::func::ReturnOp>(context.location(span), returned);
  mlir::Block &block = emission.function.getBody().front();
  emission.function.setFunctionType(
      context.builder.getFunctionType(block.getArgumentTypes(), types));
}

void Evaluator::startEntry() {
  emitted.clear();
  stateShapes.clear();
}

} // namespace nnc::frontend
