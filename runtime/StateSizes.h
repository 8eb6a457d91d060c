// The sizes of a session's states: fixed by what the session was opened with and by its first
// calls, until it is reset.
#ifndef NNC_RUNTIME_STATESIZES_H
#define NNC_RUNTIME_STATESIZES_H

#include "runtime/CallSizes.h"

#include <map>

namespace nnc::rt {

class StateSizes {
public:
  explicit StateSizes(const format::ModelT &model);

  /// Fixes dimensions by name. Errors: no state depends on one, or its entry points do not take it.
  Result<void> open(const std::map<std::string, int64_t> &dims);
  /// Checks that the call agrees with what is fixed. Afterwards the states that it uses are fixed;
  /// those that were not before are in `fresh()`.
  Result<void> fix(const format::EntryT &entry, const CallSizes &sizes);
  /// By index of Model.states.
  std::span<const size_t> fresh() const { return {freshStates.data(), freshStates.size()}; }
  /// Undoes the last `fix`.
  void unfix();
  /// Frees all sizes that calls have fixed. States that have one size only are fresh again.
  void reset();

  /// Whether one state may have these sizes: as they are fixed (or will be after a reset), else as
  /// the plan allows.
  bool fits(size_t state, std::span<const int64_t> shape, bool afterReset = false) const;
  /// Fixes the sizes of one state, which fit.
  void give(size_t state, std::span<const int64_t> shape);

  bool isFixed(size_t state) const { return states[state].isFixed; }
  /// Whether no call is needed to know the sizes.
  bool isConstant(size_t state) const { return states[state].isConstant; }
  /// The largest where it is not fixed.
  std::span<const int64_t> shape(size_t state) const { return states[state].shape; }
  uint64_t bytes(size_t state) const;

private:
  struct Fixed {
    bool isFixed = false;
    bool isConstant = true; ///< no entry point gives it a size that depends on dimensions
    std::vector<int64_t> shape;
  };

  Result<void> checkDims(const format::EntryT &entry, const CallSizes &sizes) const;
  Result<void> check(const format::EntryT &entry, const format::BufferT &buffer,
                     const CallSizes &sizes) const;

  const format::ModelT &model;
  std::map<std::string, int64_t> given;
  std::vector<Fixed> states; // by index of Model.states
  std::vector<size_t> freshStates;
};

/// The bytes of one element of a state that starts as a number.
std::vector<std::byte> initialElement(const format::StateT &state);

} // namespace nnc::rt

#endif
