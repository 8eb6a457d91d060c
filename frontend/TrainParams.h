// Which params a train block updates, and each one's optimizer.
#pragma once

#include "frontend/TrainBlock.h"

#include <string>
#include <vector>

namespace nnc::frontend {

/// A param that is learned, if the loss depends on it.
struct TrainParam {
  Slot *slot; ///< tied ones are one, by its own slot
  std::string key;
  const OptimizerRule *rule;
};

/// The params of the model that are not frozen, in order, with the first rule that matches. Reports
/// (E0622) rules without a param, params without a rule, and modules that are no optimizers.
/// Nothing after an error.
std::optional<std::vector<TrainParam>> assignOptimizers(Evaluator &evaluator,
                                                        const TrainBlock &block);

} // namespace nnc::frontend
