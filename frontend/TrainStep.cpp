// The machinery around the optimizers is written in the language too (library/std/_train.nn); here
// its parts are made, called in order, and bound to the slots of the entry point.
#include "frontend/TrainStep.h"

#include "frontend/Globals.h"
#include "frontend/Library.h"
#include "frontend/PrimitivesEmit.h"
#include "frontend/TrainReach.h"
#include "frontend/syntax/Lost.h"
#include "ir/NNOps.h"

#include <algorithm>
#include <fmt/format.h>

namespace nnc::frontend {

//===- Calls ----------------------------------------------------------------------------------===//

static FileScope &machinery(Evaluator &evaluator) {
  return *evaluator.files.package(*findPackage("_train"));
}

static std::optional<TensorValue> asTensor(const std::optional<Value> &value) {
  auto *tensor = value ? value->as<TensorValue>() : nullptr;
  return tensor ? std::optional(*tensor) : std::nullopt;
}

std::optional<TensorValue> TrainStep::method(const InstanceRef &instance, std::string_view name,
                                             const std::vector<TensorValue> &arguments,
                                             syntax::Span place) {
  std::vector<Argument> given;
  for (const TensorValue &tensor : arguments)
    given.push_back({"", Value::tensor(tensor), place});
  CallSite site{place, place, fmt::format("{}.{}", instance->cls->name(), name)};
  return asTensor(evaluator.callMethod(instance, *instance->cls->function(name), std::move(given),
                                       std::move(site)));
}

std::optional<TensorValue> TrainStep::function(std::string_view name,
                                               std::vector<Argument> arguments) {
  FileScope &scope = machinery(evaluator);
  std::optional<Value> callee = evaluator.globalValue(scope, *scope.find(name), place());
  return asTensor(
      evaluator.call(*callee, std::move(arguments), {place(), place(), std::string(name)}));
}

TensorValue TrainStep::scaled(Emitter &emit, const TensorValue &grad, const TensorValue &factor) {
  return emit.binary("mul", grad, emit.broadcast(factor, grad.shape));
}

/// What a slot holds here, as it is in memory.
TensorValue TrainStep::read(Slot &slot) {
  SlotValue &held = evaluator.slotValue(slot, slot.shape, place());
  TensorValue tensor;
  tensor.element = slot.stored;
  tensor.shape = slot.shape;
  tensor.value = held.value;
  tensor.origin = place();
  return tensor;
}

//===- What is kept for the params ------------------------------------------------------------===//

/// Makes an instance whose slots have keys that begin with `steps`, and their globals. In f32, for
/// that is what params are updated in.
InstanceRef TrainStep::instantiate(const ModuleClass &cls, std::vector<Argument> arguments,
                                   syntax::Span place, std::vector<PathStep> steps, Packs packs) {
  mlir::OpBuilder::InsertionGuard keepPlace(context.builder);
  context.builder.setInsertionPoint(evaluator.frame->emission->function);
  Frame top;
  top.home = block.self->cls->home;
  top.self = block.self.get();
  top.precision.emplace();
  Evaluator::EnterFrame enter(evaluator, top);
  std::optional<Value> made = evaluator.instantiate(
      cls, std::move(arguments), {place, place, std::string(cls.name())}, std::move(packs));
  auto *instance = made ? made->as<InstanceRef>() : nullptr;
  if (!instance || (*instance)->failed)
    return nullptr;
  (*instance)->placements.push_back({block.self.get(), std::move(steps)});
  size_t before = info.slots.size();
  if (!emitGlobals(context, **instance, {}, info.slots))
    return nullptr;
  for (size_t i = before; i < info.slots.size(); ++i)
    if (const std::string &key = info.slots[i].key; evaluator.uniqueSymbol(key) != key) {
      evaluator.error("E0704", place, fmt::format("two slots have the key `{}`", key));
      return nullptr;
    }
  return *instance;
}

InstanceRef TrainStep::machine(std::string_view cls, std::vector<Argument> arguments,
                               std::vector<PathStep> steps, Packs packs) {
  FileScope &scope = machinery(evaluator);
  auto &decl = scope.find(cls)->decl->get<syntax::ModuleStmt>();
  return instantiate(*scope.moduleClass(decl), std::move(arguments), place(), std::move(steps),
                     std::move(packs));
}

/// Lets the step being emitted use the slots of an instance, if there is one.
void TrainStep::reachSlots(const InstanceRef &instance) {
  if (instance)
    evaluator.frame->emission->reachable.insert(instance->slots().begin(), instance->slots().end());
}

bool TrainStep::makeProgress() {
  if (!progress)
    progress = machine("_Progress",
                       {{"", Value::integer(block.accumulate), place()},
                        {"", Value::boolean(block.scalesLoss), place()}},
                       {{"optimizer", nullptr}});
  reachSlots(progress);
  return progress != nullptr;
}

TrainStep::Keeper *TrainStep::keeperOf(const TrainParam &param) {
  auto [at, isNew] = keepers.try_emplace(param.slot);
  Keeper &keeper = at->second;
  if (!isNew)
    return &keeper;
  const Instance &model = *param.rule->optimizer;
  std::vector<Argument> arguments;
  for (const Hyperparameter &hyper : model.hyperparameters)
    arguments.push_back({std::string(hyper.name), hyper.value, hyper.given, hyper.expr});
  auto &type = model.cls->function("update")->params.front().type->get<syntax::TensorType>();
  std::vector<PathStep> steps{{"optimizer", nullptr}, {param.key, nullptr}};
  keeper.optimizer = instantiate(*model.cls, std::move(arguments), model.made, steps,
                                 {{type.dims.front().packName.text, param.slot->shape}});
  Packs shape{{"S", param.slot->shape}};
  if (keeper.optimizer && block.accumulate > 1)
    keeper.accumulator = machine("_Accumulator", {}, steps, shape);
  steps.front().shown = "ema";
  if (keeper.optimizer && block.ema)
    keeper.average =
        machine("_Average", {{"", Value::floating(*block.ema), place()}}, steps, shape);
  bool ok = keeper.optimizer && (keeper.accumulator || block.accumulate == 1) &&
            (keeper.average || !block.ema);
  return ok ? &keeper : nullptr;
}

//===- Checks ---------------------------------------------------------------------------------===//

bool TrainStep::checkLoss(const Value &result, TensorValue &loss) {
  const syntax::FnStmt &fn = *block.loss;
  size_t index = 0;
  while (index < fn.results.size() && fn.results[index].name.text != "loss")
    ++index;
  if (index == fn.results.size())
    index = 0;
  if (result.isSequence() && fn.results.empty()) {
    evaluator
        .error("E0621", evaluator.frame->resultSpans.front(),
               "no result of `loss` is called `loss`")
        .note("several results have names: `-> (loss: f32[], accuracy: f32[])`");
    return false;
  }
  loss = (result.isSequence() ? result.elements()[index] : result).get<TensorValue>();
  if (loss.shape.empty() && isFloating(loss.element) && !isStorageOnly(loss.element))
    return true;
  evaluator.error("E0621", evaluator.frame->resultSpans.front(), "the loss is a scalar of floats")
      .primaryLabel(fmt::format("this is {}", formatTensorType(loss)))
      .help("`mean(...)` of a tensor is one");
  return false;
}

/// The functions that an optimizer of the library is given are schedules: errors in one belong
/// where it was given.
bool TrainStep::checkSchedules(const OptimizerRule &rule) {
  const Instance &optimizer = *rule.optimizer;
  if (!optimizer.cls->home->isLibrary || !checked.insert(&rule).second)
    return true;
  for (const Hyperparameter &hyper : optimizer.hyperparameters) {
    if (!hyper.value.is<FunctionRef>() && !hyper.value.is<InstanceRef>())
      continue;
    size_t before = evaluator.diags.numErrors();
    CallSite site{hyper.given, hyper.given, std::string(hyper.name)};
    if (auto *function = hyper.value.as<FunctionRef>())
      site.name = (*function)->name;
    std::optional<Value> rate =
        evaluator.call(hyper.value, {{"", Value::tensor(step), hyper.given}}, site);
    if (!rate || evaluator.diags.numErrors() != before)
      return false;
    auto *tensor = rate->as<TensorValue>();
    if (tensor && tensor->shape.empty() && tensor->element == Element::F32)
      continue;
    evaluator
        .error("E0622", hyper.given,
               fmt::format("`{}` of `{}` is a schedule, which makes an f32[] of `step: i32[]`",
                           hyper.name, optimizer.cls->name()))
        .primaryLabel(fmt::format("this makes {}", describeKind(*rate)));
    return false;
  }
  return true;
}

bool TrainStep::findLearned(const TensorValue &loss) {
  TrainReach reach(loss.value);
  const auto &entering = evaluator.frame->emission->entering;
  for (const TrainParam &param : params) {
    auto found = entering.find(param.slot);
    if (found == entering.end() || !reach.isReached(found->second.value))
      continue;
    if (!checkSchedules(*param.rule))
      return false;
    Keeper *keeper = keeperOf(param);
    if (!keeper)
      return false;
    for (const InstanceRef &instance : {keeper->optimizer, keeper->accumulator, keeper->average})
      reachSlots(instance);
    learned.push_back({&param, keeper, read(*param.slot), {}});
  }
  bool isWhole = !syntax::hasSyntaxError(evaluator.diags, block.net->cls->decl->span);
  if (!learned.empty() || evaluator.diags.numErrors() != errorsBefore || !isWhole)
    return !learned.empty(); // a call that failed gives what depends on nothing
  evaluator.error("E0621", block.loss->name.span, "the loss depends on no param that is learned")
      .note("no gradient passes through integers, comparisons, `argmax`, `stop_gradient` and `<-`");
  return false;
}

void TrainStep::reportUnlearned() {
  std::vector<const TrainParam *> left;
  for (const TrainParam &param : params)
    if (!keepers.count(param.slot))
      left.push_back(&param);
  if (left.empty())
    return;
  constexpr size_t Shown = 3;
  bool isOne = left.size() == 1;
  syntax::Diagnostic &diag = evaluator.diags.warning(
      "W0902", place(),
      isOne ? fmt::format("`{}` is not learned: the loss does not depend on it", left.front()->key)
            : fmt::format("{} params are not learned: the loss does not depend on them",
                          left.size()));
  for (size_t i = 0; i < std::min(left.size(), Shown); ++i)
    diag.note(isOne ? "declared" : fmt::format("`{}` is one", left[i]->key),
              left[i]->slot->decl->name.span);
  diag.help("if this is meant, say so with `@frozen`");
}

//===- The step -------------------------------------------------------------------------------===//

bool TrainStep::emitGradients(const TensorValue &loss) {
  Emitter emit(context, place());
  std::optional<TensorValue> seed, factor;
  if (block.isConditional() && !(seed = method(progress, "seed", {}, place())))
    return false;
  if (block.scalesLoss && !(factor = method(progress, "unscale", {}, place())))
    return false;
  context.opName = "gradient";
  llvm::SmallVector<mlir::Value> wrt;
  for (const Learning &learning : learned)
    wrt.push_back(learning.value.value);
  mlir::Value minimised = emit.cast(loss, Element::F32).value;
  auto gradient = context.builder.create<nn::GradientOp>(context.location(place()), minimised,
                                                         seed ? seed->value : mlir::Value(), wrt);
  for (auto [learning, value] : llvm::zip_equal(learned, gradient.getGradients())) {
    TensorValue grad = learning.value;
    grad.value = value;
    learning.grad = emit.cast(grad, Element::F32);
    if (factor)
      learning.grad = scaled(emit, learning.grad, *factor);
  }
  return true;
}

bool TrainStep::accumulate() {
  if (block.accumulate == 1)
    return true;
  ends = method(progress, "ends", {}, place());
  for (Learning &learning : learned) {
    auto total = ends ? method(learning.keeper->accumulator, "add", {learning.grad, *ends}, place())
                      : std::nullopt;
    if (!total)
      return false;
    learning.grad = *total;
  }
  return true;
}

/// Whether params change, and what counts that.
bool TrainStep::decide() {
  if (!block.isConditional())
    return method(progress, "count", {}, place()).has_value();
  Emitter emit(context, place());
  TensorValue always = emit.fullInt(1, Element::Bool, {});
  always.scalar.reset();
  std::optional<TensorValue> finite = always;
  std::vector<TensorValue> largest;
  for (Learning &learning : learned) {
    if (!block.scalesLoss)
      break;
    auto own = function("_largest", {{"", Value::tensor(learning.grad), place()}});
    if (!own)
      return false;
    largest.push_back(*own);
  }
  if (!largest.empty())
    finite = function("_is_finite",
                      {{"", Value::tensor(combine(emit, "max", std::move(largest))), place()}});
  if (finite)
    updates = method(progress, "finish", {ends.value_or(always), *finite}, place());
  return updates.has_value();
}

TensorValue TrainStep::combine(Emitter &emit, const char *what, std::vector<TensorValue> numbers) {
  while (numbers.size() > 1) {
    std::vector<TensorValue> pairs;
    for (size_t i = 0; i + 1 < numbers.size(); i += 2)
      pairs.push_back(emit.binary(what, numbers[i], numbers[i + 1]));
    if (numbers.size() % 2 == 1)
      pairs.push_back(numbers.back());
    numbers = std::move(pairs);
  }
  return numbers.front();
}

bool TrainStep::clip() {
  if (!block.clipNorm)
    return true;
  Emitter emit(context, place());
  std::vector<TensorValue> squares;
  for (Learning &learning : learned) {
    auto own = function("_square_sum", {{"", Value::tensor(learning.grad), place()}});
    if (!own)
      return false;
    squares.push_back(*own);
  }
  TensorValue total = combine(emit, "add", std::move(squares));
  auto factor = function("_clip_factor", {{"", Value::tensor(total), place()},
                                          {"", Value::floating(*block.clipNorm), place()}});
  if (!factor)
    return false;
  context.opName = "clip";
  for (Learning &learning : learned)
    learning.grad = scaled(emit, learning.grad, *factor);
  return true;
}

/// Where params stay, so do the states of an instance.
void TrainStep::keepOld(const Instance &instance) {
  FunctionEmission &emission = *evaluator.frame->emission;
  Emitter emit(context, place());
  for (Slot *slot : instance.slots()) {
    Slot *own = slot->canonical();
    auto before = emission.entering.find(own);
    if (before == emission.entering.end() ||
        emission.slotValues.at(own).value == before->second.value)
      continue;
    TensorValue after = read(*own), old = after;
    old.value = before->second.value;
    context.opName = own->symbol;
    after = emit.select(emit.broadcast(*updates, after.shape), after, old);
    evaluator.writeSlot(*own, {after.value, own->shape});
  }
}

bool TrainStep::update(Learning &learning) {
  Emitter emit(context, place());
  Slot &slot = *learning.param->slot;
  const Keeper &keeper = *learning.keeper;
  TensorValue old = emit.cast(learning.value, Element::F32);
  std::optional<TensorValue> next =
      method(keeper.optimizer, "update", {old, learning.grad, step}, keeper.optimizer->made);
  if (!next)
    return false;
  if (next->element != Element::F32 || next->shape != slot.shape) {
    const ModuleClass &cls = *keeper.optimizer->cls;
    evaluator
        .error("E0622", cls.function("update")->name.span,
               fmt::format("`{}` does not update as an optimizer does", cls.name()))
        .primaryLabel(
            fmt::format("it makes {} of {}", formatTensorType(*next), formatTensorType(old)));
    return false;
  }
  if (keeper.average && !method(keeper.average, "follow", {*next, step}, place()))
    return false;
  context.opName = slot.symbol;
  if (updates) {
    keepOld(*keeper.optimizer);
    if (keeper.average)
      keepOld(*keeper.average);
    context.opName = slot.symbol;
    next = emit.select(emit.broadcast(*updates, slot.shape), *next, old);
  }
  evaluator.writeSlot(slot, {emit.cast(*next, slot.stored).value, slot.shape});
  return true;
}

bool TrainStep::emit(const Value &result) {
  TensorValue loss;
  learned.clear();
  ends.reset();
  updates.reset();
  if (!checkLoss(result, loss) || !makeProgress())
    return false;
  step = read(*progress->member("step")->slot);
  if (!findLearned(loss) || !emitGradients(loss) || !accumulate() || !decide() || !clip())
    return false;
  return std::ranges::all_of(learned, [&](Learning &learning) { return update(learning); });
}

} // namespace nnc::frontend
