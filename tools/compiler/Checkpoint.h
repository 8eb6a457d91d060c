// Checkpoints for one model: where the names come from, and how a mismatch is told.
#pragma once

#include "codegen/CheckpointKeys.h"
#include "frontend/Frontend.h"
#include "frontend/syntax/Diagnostics.h"

namespace nnc {

struct LoadedCheckpoint {
  codegen::WeightStore store;
  codegen::KeyReport report;
};

/// Prefix and ignored keys that the model's @weights declares.
codegen::CheckpointNames namesOf(const frontend::ModelInfo &info);

/// Opens a checkpoint (as format::Checkpoint::open) and matches its keys with the globals of
/// `module`.
Result<LoadedCheckpoint> loadCheckpoint(mlir::ModuleOp module, const std::string &path,
                                        const codegen::CheckpointNames &names);

/// The unused key of the file that a missing one most likely is: of the same type, and nearly the
/// same name.
std::optional<std::string> nearestUnused(const codegen::KeyReport::Key &missing,
                                         const codegen::KeyReport &report);

/// "all 12 are present under `bert.`"; empty if there is no better prefix.
std::string prefixNote(const codegen::KeyReport &report, const codegen::CheckpointNames &names);

/// Turns what does not agree into diagnostics E0701 (missing), E0702 (unused), E0703 (misshapen)
/// and E0704 (ties that differ); `path` is the checkpoint as the user named it.
void reportCheckpoint(const codegen::KeyReport &report, const frontend::ModelInfo &info,
                      const std::string &path, syntax::Diagnostics &diags);

/// E0705: the checkpoint cannot be read.
void reportUnreadable(const Error &error, const frontend::ModelInfo &info, const std::string &path,
                      syntax::Diagnostics &diags);

} // namespace nnc
