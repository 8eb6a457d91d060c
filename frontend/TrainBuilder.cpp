// A train block, from its declaration to IR.
#include "frontend/Attributes.h"
#include "frontend/Globals.h"
#include "frontend/ModelBuilder.h"

#include <fmt/format.h>

namespace nnc::frontend {

static constexpr std::string_view kTrainStep = "train_step", kEvalStep = "eval_step";

/// What a train block saves beside the model has keys that begin so.
static bool isTrainKey(std::string_view key) {
  std::string_view first = key.substr(0, key.find('.'));
  return first == "optimizer" || first == "ema";
}

bool ModelBuilder::reserveTrainSymbols(const TrainBlock &block,
                                       const std::vector<SlotInfo> &slots) {
  std::vector<std::string_view> entries{kTrainStep, kEvalStep};
  for (const syntax::FnStmt *fn : entriesOf(*block.net->cls)) {
    entries.push_back(fn->name.text);
    if (fn->name.text != kTrainStep && fn->name.text != kEvalStep)
      continue;
    diags
        .error("E0620", fn->name.span,
               fmt::format("`{}` is what a train block calls an entry point of its own",
                           fn->name.text))
        .label(block.self->made, "this model is trained here");
    return false;
  }
  for (const SlotInfo &slot : slots)
    if (isTrainKey(slot.key)) {
      diags
          .error("E0704", block.self->made,
                 fmt::format("this model has the key `{}`, where a train block keeps its own state",
                             slot.key))
          .note("keys that begin with `optimizer.` and `ema.` are not for models that are trained")
          .help("give that member another key with `as`");
      return false;
    }
  return reserveSymbols(entries, slots);
}

bool ModelBuilder::emitTrainEntries(const TrainBlock &block, TrainStep &step) {
  EntryEmitter emitter(evaluator, quiet);
  if (!checkWanted(*block.net->cls, {kTrainStep, kEvalStep}))
    return false;
  auto role = [](std::string_view name, bool isTraining, auto finish) {
    return EntryRole{std::string(name), isTraining, "loss", /*adoptsRanges=*/true, finish};
  };
  bool ok = true;
  if (isWanted(kTrainStep)) {
    emitter.setRole(role(kTrainStep, true, [&](const Value &result) { return step.emit(result); }));
    ok = emitEntry(emitter, *block.self, *block.loss);
  }
  if (ok && isWanted(kEvalStep)) {
    emitter.setRole(role(kEvalStep, false, [&](const Value &result) {
      TensorValue loss;
      return step.checkLoss(result, loss);
    }));
    ok = emitEntry(emitter, *block.self, *block.loss);
  }
  emitter.setRole({});
  for (const syntax::FnStmt *fn : entriesOf(*block.net->cls))
    ok = ok && emitEntry(emitter, *block.net, *fn);
  return ok && checkDims(emitter);
}

mlir::OwningOpRef<mlir::ModuleOp> ModelBuilder::buildTrain(const syntax::TrainStmt &decl,
                                                           ModelInfo &info) {
  size_t before = diags.numErrors();
  Evaluator::EnterFrame enter(evaluator, top);
  Context &context = evaluator.context;
  // What is learned by small updates is f32, unless somebody asks for less.
  if (context.precision.params == Element::Float)
    context.precision.params = Element::F32;
  info.name = decl.name.text;
  mlir::OwningOpRef<mlir::ModuleOp> module = startModule(decl.name);
  const ModuleClass *model = calledClass(*decl.instance);
  if ((model && !readWeights(evaluator, *model->decl, info.weights)) ||
      !takeOptions(model, decl.name.text, decl.instance.get()))
    return nullptr;
  InstanceRef self = makeTrainInstance(evaluator, decl, *file.moduleClass(*decl.block));
  std::optional<TrainBlock> block = self ? readTrainBlock(evaluator, self) : std::nullopt;
  if (!block || !emitGlobals(context, *block->net, {}, info.slots) ||
      !reserveTrainSymbols(*block, info.slots))
    return nullptr;
  if (evaluator.observer)
    evaluator.observer->built(*self, info);
  std::optional<std::vector<TrainParam>> params = assignOptimizers(evaluator, *block);
  if (!params)
    return nullptr;
  TrainStep step(evaluator, *block, std::move(*params), info);
  if (!emitTrainEntries(*block, step) || diags.numErrors() != before)
    return nullptr;
  if (isWanted(kTrainStep))
    step.reportUnlearned();
  return finishModule(std::move(module), info.name);
}

} // namespace nnc::frontend
