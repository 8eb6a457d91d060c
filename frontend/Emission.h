// One function being emitted, and what is remembered of those that are: a function is emitted once
// per distinct function, build-time arguments, argument types and structure of the module it is in;
// its slots are passed to it, so that instances of one structure share it.
#pragma once

#include "frontend/Module.h"
#include "frontend/Value.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace nnc::frontend {

/// A condition that `requires` states of run-time sizes, checked on entry.
struct RuntimeGuard {
  Dim value;       ///< in the user's variables
  bool isEquality; ///< value == 0, else value >= 0
  std::string text = {}, message = {};
  unsigned line = 0;
};

/// The function into which operations go now.
struct FunctionEmission {
  mlir::func::FuncOp function;
  /// An entry point reads slots with `nn.get`; other functions get them as arguments.
  bool isEntry = false;
  /// What each slot read so far is here.
  std::unordered_map<Slot *, mlir::Value> slotValues = {};
  /// The slots passed as arguments, in order (not of an entry point).
  std::vector<Slot *> slotArguments = {};
};

/// A function that was emitted.
struct EmittedFunction {
  enum class State { InProgress, Failed, Done };
  State state = State::InProgress;
  mlir::func::FuncOp function;
  /// What it returns, with the tensors of the first instance.
  Value result;
  /// Its slot arguments as indices into the slots reachable from its environment.
  std::vector<unsigned> slots;
};

} // namespace nnc::frontend
