// From a file of `.nn` source to one module of the `nn` dialect: what the tools call.
#pragma once

#include "frontend/Precision.h"
#include "frontend/syntax/Diagnostics.h"
#include "frontend/syntax/Source.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace nnc::frontend {

class Observer;

/// What the command line says about the model.
struct FrontendOptions {
  /// `--model`, of a model or a train block; may stay empty where the file has one train block, or
  /// no train block and one model. A model may also be one that the file imports.
  std::string model;
  /// `--set depth=6`: a hyperparameter and an expression.
  std::vector<std::pair<std::string, std::string>> sets;
  /// `--dim B=64`: fixes a dimension of the entry points.
  std::map<std::string, int64_t> dims;
  /// `--dim B=1,8,32`: a variant of each entry point for every combination, beside the general one.
  std::map<std::string, std::vector<int64_t>> variants = {};
  /// `--config`: a file of JSON with hyperparameters by name, or by the name after `as`.
  std::string config = {};
  /// `--entry`: the entry points that are wanted; empty: all.
  std::vector<std::string> entries = {};
  /// `--precision bf16`, `--allow tf32`: where no `@precision` says otherwise.
  Precision precision = {};
  /// Is told what is evaluated, or null.
  Observer *observer = nullptr;
};

/// One slot of the checkpoint, for `nnc keys`.
struct SlotInfo {
  /// The key that is written, and the name of the `nn.global`.
  std::string key;
  /// Other keys under which a file may hold it: alternatives of `as`, and those of ties.
  std::vector<std::string> alternatives;
  std::vector<int64_t> shape; ///< -1 where a state has a dimension variable
  /// As people read it: "float[B, 4]".
  std::string type;
  /// As declared: "float", "f32", "i64", ...
  std::string dtype;
  /// "param", "buffer" or "state".
  std::string kind;
  /// Of the declaration.
  syntax::Span location;
};

/// `@weights("f.safetensors", prefix="bert.", ignore=["cls.**"])`.
struct DefaultWeights {
  std::string file;
  std::string prefix;
  std::vector<std::string> ignore;
  syntax::Span location;
  /// `@weights`.
  syntax::Span name;
  /// Where the second argument starts; invalid if there is none.
  syntax::Span afterFile;
  /// The value of `prefix=`; invalid if there is none.
  syntax::Span prefixValue;
};

struct ModelInfo {
  std::string name;
  /// In the order of declaration; each tensor once.
  std::vector<SlotInfo> slots;
  std::optional<DefaultWeights> weights;

  /// The number of numbers in all `param`s.
  int64_t parameterCount() const;
};

/// Parses, checks and emits one model or train block of the file; null after errors in `diags`. The
/// result is verified. Files that it imports are read through `sources`. Loads the dialects it
/// needs.
mlir::OwningOpRef<mlir::ModuleOp> emitModel(syntax::SourceManager &sources, syntax::FileId file,
                                            const FrontendOptions &options,
                                            syntax::Diagnostics &diags, mlir::MLIRContext &context,
                                            ModelInfo *info = nullptr);

/// `nnc check`: every model and train block of the file, and every module whose hyperparameters
/// have defaults. False after errors.
bool checkFile(syntax::SourceManager &sources, syntax::FileId file, const FrontendOptions &options,
               syntax::Diagnostics &diags, mlir::MLIRContext &context);

} // namespace nnc::frontend
