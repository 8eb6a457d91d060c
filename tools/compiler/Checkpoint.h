// Checkpoints for one model: where the names come from, and how a mismatch is told.
#pragma once

#include "codegen/Weights.h"
#include "frontend/Frontend.h"
#include "frontend/syntax/Diagnostics.h"

namespace nnc {

struct LoadedCheckpoint {
  codegen::WeightStore store;
  codegen::KeyReport report;
};

/// Prefix and ignored keys that the model's @weights declares.
codegen::CheckpointNames namesOf(const frontend::ModelInfo &info);

/// Opens a .safetensors file and matches its keys with the globals of `module`.
Result<LoadedCheckpoint> loadCheckpoint(mlir::ModuleOp module, const std::string &path,
                                        const codegen::CheckpointNames &names);

/// Turns what does not agree into diagnostics E0701 (missing), E0702 (unused), E0703 (misshapen)
/// and E0704 (ties that differ).
void reportCheckpoint(const codegen::KeyReport &report, const frontend::ModelInfo &info,
                      const std::string &path, syntax::Diagnostics &diags);

} // namespace nnc
