// From the sizes of the tensors of one call to the value of every size expression of its entry,
// with all checks that the entry asks for.
#ifndef NNC_RUNTIME_CALLSIZES_H
#define NNC_RUNTIME_CALLSIZES_H

#include "runtime/Tensor.h"
#include "runtime/format/Plan.h"

namespace nnc::rt {

/// The sizes of the last call of one entry point. Allocates only when it is made.
class CallSizes {
public:
  explicit CallSizes(const format::EntryT &entry);

  /// Solves for the dimensions from the inputs (one per Entry.inputs, ranks already checked), then
  /// checks ranges, every axis and the guards. `scalars` holds the values of run-time scalars, by
  /// symbol; loop counters are 0. Errors say which input and axis, or which guard.
  Result<void> update(std::span<const Tensor> inputs, std::span<const int64_t> scalars);

  /// By symbol.
  std::span<const int64_t> dims() const { return dimValues; }
  /// By index of Entry.exprs.
  std::span<const int64_t> values() const { return exprValues; }
  int64_t value(uint32_t expr) const { return exprValues[expr]; }
  /// The shape of a port, in `storage`.
  std::span<const int64_t> shapeOf(const format::PortT &port,
                                   std::array<int64_t, Tensor::MaxRank> &storage) const;

private:
  static constexpr size_t NoAxis = ~size_t{0};
  struct Source {
    int input = -1;  // -1: not known yet
    size_t axis = 0; // NoAxis: not from a shape
  };

  Result<void> solve(std::span<const Tensor> inputs, std::span<const int64_t> scalars);
  bool solvePass(std::span<const Tensor> inputs, bool bareOnly);
  bool solveAxis(size_t input, size_t axis, int64_t size);
  Result<void> evaluateAll();
  Result<void> checkRanges() const;
  Result<void> checkAxes(std::span<const Tensor> inputs) const;
  Result<void> checkGuards() const;
  Result<void> checkMemory() const;
  bool isWithinMemory(const format::LoopT &loop) const;
  int64_t bytesOf(uint32_t buffer) const { return exprValues[entry.buffers[buffer]->bytes]; }
  Error wrongSize(const Tensor &input, size_t index, size_t axis) const;
  std::string describe(size_t dim) const;
  size_t portBytes(const format::PortT &port) const;

  const format::EntryT &entry;
  std::vector<int64_t> dimValues, exprValues;
  std::vector<Source> sources; // per dimension: where its value is from
};

} // namespace nnc::rt

#endif
