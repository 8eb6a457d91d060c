// An entry point with given sizes at given addresses: first run step by step, then captured into a
// CUDA graph that later calls launch.
#ifndef NNC_RUNTIME_CUDA_PREPAREDCALL_H
#define NNC_RUNTIME_CUDA_PREPAREDCALL_H

#include "runtime/cuda/GemmPlan.h"

#include <map>

namespace nnc::rt {

class PreparedCall {
public:
  /// `buffers` are the addresses by index of Entry.buffers, `scalars` those of run-time scalars by
  /// symbol. Plans the gemms.
  static Result<std::unique_ptr<PreparedCall>>
  make(const CudaModel &model, const format::ModelT &plan, const format::EntryT &entry,
       const CallSizes &sizes, std::span<const CUdeviceptr> buffers,
       std::span<const CUdeviceptr> scalars, const GemmWorkspace &workspace, CUdeviceptr arrived);

  /// True if this was made for these sizes and addresses. The values of scalars do not matter:
  /// kernels read them on the device.
  bool matches(const format::EntryT &entry, const CallSizes &sizes,
               std::span<const CUdeviceptr> buffers, std::span<const CUdeviceptr> scalars) const;

  /// Enqueues the whole call: as a graph if it was captured.
  Result<void> run(CUstream stream);
  /// Enqueues one step.
  Result<void> runStep(size_t step, CUstream stream);
  /// Makes the graph; does not run it.
  Result<void> capture(CUstream stream);
  /// Where Entry.buffers[buffer] is; of a result of a loop, after it ran.
  CUdeviceptr address(uint32_t buffer) const { return buffers[buffer]; }
  bool isCaptured() const { return static_cast<bool>(graph); }

  uint64_t lastUse = 0; ///< for the cache that owns this

private:
  PreparedCall(const CudaModel &model, const format::ModelT &plan, const format::EntryT &entry,
               const CallSizes &sizes, std::span<const CUdeviceptr> buffers,
               std::span<const CUdeviceptr> scalars);
  Result<void> planGemms(const CallSizes &sizes, const GemmWorkspace &workspace);
  GemmPointers pointersOf(const format::GemmT &gemm) const;
  void *symbolArgument(size_t symbol);
  Result<void> launch(const format::LaunchT &launch, CUstream stream);
  Result<void> copy(const format::CopyT &copy, CUstream stream);
  Result<void> loop(const format::LoopT &loop, CUstream stream);
  Result<void> launchLoop(const format::LoopT &loop, CUstream stream);
  /// Whether the loop runs as one kernel here.
  bool isOneLaunch(const format::LoopT &loop) const;
  Result<void> runStep(const format::StepT &step, CUstream stream);
  Result<void> runAll(CUstream stream);
  Error inStep(const format::StepT &step, const Error &error) const;

  const CudaModel &model;
  const format::ModelT &plan;
  const format::EntryT &entry;
  std::vector<int64_t> dims, values;       // dims with the counters of running loops
  std::vector<CUdeviceptr> given, buffers; // buffers: with those that running loops move
  std::vector<CUdeviceptr> scalars;
  std::map<const format::GemmT *, std::unique_ptr<GemmPlan>> gemms;
  std::vector<void *> arguments; // of the launch being made
  CUdeviceptr arrived = 0;       // what blocks count: CounterBytes, 0 before the first call
  GraphExecOwner graph;
};

} // namespace nnc::rt

#endif
