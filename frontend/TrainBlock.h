// What a `train` block says: the model, the loss, and how its params are updated.
#pragma once

#include "frontend/Evaluator.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nnc::frontend {

/// `("**.bias", SGD(lr=0.1))`, or one optimizer for all.
struct OptimizerRule {
  std::string glob;      ///< of keys
  InstanceRef optimizer; ///< what instances for the params are made like
  syntax::Span globSpan; ///< invalid where there is one optimizer for all
};

struct TrainBlock {
  InstanceRef self; ///< the block as a module, whose member is the model
  InstanceRef net;
  const syntax::FnStmt *loss = nullptr;
  std::vector<OptimizerRule> rules; ///< the first that matches a param is its own
  std::optional<double> clipNorm;
  int64_t accumulate = 1;    ///< micro steps per update
  std::optional<double> ema; ///< decay
  bool scalesLoss = false;   ///< f16 is computed with

  /// Whether an update depends on what is known at run time.
  bool isConditional() const { return accumulate > 1 || scalesLoss; }
};

/// The instance of a block: its model is made and is a member without a step in keys, then its
/// bindings are evaluated. Null after an error.
InstanceRef makeTrainInstance(Evaluator &evaluator, const syntax::TrainStmt &decl,
                              const ModuleClass &block);
/// What its members come to. Nothing after an error.
std::optional<TrainBlock> readTrainBlock(Evaluator &evaluator, const InstanceRef &self);

} // namespace nnc::frontend
