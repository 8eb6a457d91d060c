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
#include <unordered_set>
#include <vector>

namespace nnc::frontend {

/// A condition that `requires` states of run-time sizes, checked on entry.
struct RuntimeGuard {
  Dim value;       ///< in the user's variables
  bool isEquality; ///< value == 0, else value >= 0
  std::string text = {}, message = {};
  unsigned line = 0;
};

/// What a slot holds at some place of a function.
struct SlotValue {
  mlir::Value value;
  std::vector<Dim> shape;
  std::optional<Dim> scalar = {}; ///< as TensorValue::scalar
};

/// The function into which operations go now.
struct FunctionEmission {
  mlir::func::FuncOp function;
  /// An entry point reads slots with `nn.get`; other functions get them as arguments.
  bool isEntry = false;
  /// The function that calls this one; null for an entry point.
  FunctionEmission *caller = nullptr;
  /// The slots of its module and of its arguments. A constant of the file may hold others.
  std::unordered_set<const Slot *> reachable = {};
  /// What each slot read or written so far holds.
  std::unordered_map<Slot *, SlotValue> slotValues = {};
  /// What each slot read so far held at the beginning.
  std::unordered_map<Slot *, SlotValue> entering = {};
  /// The last `nn.get` at the beginning of an entry point.
  mlir::Operation *lastRead = nullptr;
  /// The slots passed as arguments, in order (not of an entry point).
  std::vector<Slot *> slotArguments = {};
  /// The slots written, in order: results after the function's own, `nn.set` in an entry point.
  std::vector<Slot *> written = {};
};

/// A function that was emitted.
struct EmittedFunction {
  enum class State { InProgress, Failed, Done };
  State state = State::InProgress;
  mlir::func::FuncOp function;
  /// What it returns, with the tensors of the first instance.
  Value result;
  /// Its slot arguments, and the slots that it writes, as indices into the slots reachable from its
  /// environment, with what they hold at its beginning or end (values are those inside of it).
  struct SlotUse {
    unsigned index;
    SlotValue held;
  };
  std::vector<SlotUse> slots, written;
};

} // namespace nnc::frontend
