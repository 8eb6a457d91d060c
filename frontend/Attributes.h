// `@name(...)`: which attributes there are, and what those of a model say.
#pragma once

#include "frontend/Evaluator.h"
#include "frontend/Frontend.h"

namespace nnc::frontend {

/// Reads the attributes of a model. False after an error.
bool readAttributes(Evaluator &evaluator, const syntax::ModuleStmt &model,
                    std::optional<DefaultWeights> &weights);
/// Refuses attributes that nobody knows or that are not there yet. False after an error.
bool checkAttributes(Evaluator &evaluator, const syntax::Stmt &stmt);

} // namespace nnc::frontend
