// What `train_step` does once the loss is there: gradients of all params that are learned, then
// what the block says is done with them, then one call of `update` for each.
#pragma once

#include "frontend/Frontend.h"
#include "frontend/PrimitivesEmit.h"
#include "frontend/TrainParams.h"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace nnc::frontend {

/// Of one block; `emit` is called once for each variant of its `train_step`.
class TrainStep {
public:
  TrainStep(Evaluator &evaluator, const TrainBlock &block, std::vector<TrainParam> params,
            ModelInfo &info)
      : evaluator(evaluator), context(evaluator.context), block(block), params(std::move(params)),
        info(info), errorsBefore(evaluator.diags.numErrors()) {}

  /// Checks what the body of `loss` gave, and emits the rest of the step at its end. False after an
  /// error.
  bool emit(const Value &result);
  /// Whether it is a scalar of floats; an error if not.
  bool checkLoss(const Value &result, TensorValue &loss);
  /// Warns about params that no variant learns.
  void reportUnlearned();

private:
  /// What is made for a param: kept from variant to variant.
  struct Keeper {
    InstanceRef optimizer;
    InstanceRef accumulator; ///< null without `accumulate`
    InstanceRef average;     ///< null without `ema`
  };
  /// A param in the step being emitted.
  struct Learning {
    const TrainParam *param;
    Keeper *keeper;
    TensorValue value; ///< as it is in memory, before the step
    TensorValue grad;
  };

  InstanceRef instantiate(const ModuleClass &cls, std::vector<Argument> arguments,
                          syntax::Span place, std::vector<PathStep> steps, Packs packs);
  InstanceRef machine(std::string_view cls, std::vector<Argument> arguments,
                      std::vector<PathStep> steps, Packs packs = {});
  bool makeProgress();
  void reachSlots(const InstanceRef &instance);
  Keeper *keeperOf(const TrainParam &param);

  bool checkSchedules(const OptimizerRule &rule);
  bool findLearned(const TensorValue &loss);
  bool emitGradients(const TensorValue &loss);
  bool accumulate();
  bool clip();
  /// Numbers in pairs, pairs in pairs, ...
  static TensorValue combine(Emitter &emit, const char *what, std::vector<TensorValue> numbers);
  bool decide();
  bool update(Learning &learning);
  void keepOld(const Instance &instance);

  /// A function of an instance, or of the machinery, on tensors; its one result.
  std::optional<TensorValue> method(const InstanceRef &instance, std::string_view name,
                                    const std::vector<TensorValue> &arguments, syntax::Span place);
  std::optional<TensorValue> function(std::string_view name, std::vector<Argument> arguments);
  TensorValue read(Slot &slot);
  TensorValue scaled(Emitter &emit, const TensorValue &grad, const TensorValue &factor);
  syntax::Span place() const { return block.self->made; }

  Evaluator &evaluator;
  Context &context;
  const TrainBlock &block;
  std::vector<TrainParam> params;
  ModelInfo &info;
  size_t errorsBefore;
  InstanceRef progress;
  std::map<const Slot *, Keeper> keepers;
  std::set<const OptimizerRule *> checked; ///< their schedules

  // Of the step being emitted.
  std::vector<Learning> learned;
  TensorValue step;                   ///< the number of updates before
  std::optional<TensorValue> ends;    ///< of a micro step: whether it is the last
  std::optional<TensorValue> updates; ///< whether params change, where that is not known
};

} // namespace nnc::frontend
