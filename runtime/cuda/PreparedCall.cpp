#include "runtime/cuda/PreparedCall.h"
#include "runtime/LoopBuffers.h"
#include "runtime/cuda/CopyMaps.h"
#include "runtime/format/Counters.h"

#include <algorithm>
#include <fmt/format.h>

using namespace nnc;
using namespace nnc::format;
using namespace nnc::rt;

PreparedCall::PreparedCall(const CudaModel &model, const ModelT &plan, const EntryT &entry,
                           const CallSizes &sizes, std::span<const CUdeviceptr> buffers,
                           std::span<const CUdeviceptr> scalars)
    : model(model), plan(plan), entry(entry), dims(sizes.dims().begin(), sizes.dims().end()),
      values(sizes.values().begin(), sizes.values().end()), given(buffers.begin(), buffers.end()),
      buffers(buffers.begin(), buffers.end()), scalars(scalars.begin(), scalars.end()) {
  size_t mostArguments = 0;
  forEachStep(entry.steps, [&](const StepT &step) {
    if (const LaunchT *launch = step.what.AsLaunch())
      mostArguments =
          std::max(mostArguments, launch->buffers.size() + dims.size() + launch->maps.size() + 2);
    if (const LoopT *loop = step.what.AsLoop())
      mostArguments = std::max(mostArguments, loop->buffers.size() + dims.size() +
                                                  loop->grids.size() + loop->values.size() + 1);
  });
  arguments.resize(mostArguments);
}

Result<std::unique_ptr<PreparedCall>>
PreparedCall::make(const CudaModel &model, const ModelT &plan, const EntryT &entry,
                   const CallSizes &sizes, std::span<const CUdeviceptr> buffers,
                   std::span<const CUdeviceptr> scalars, const GemmWorkspace &workspace,
                   CUdeviceptr arrived) {
  std::unique_ptr<PreparedCall> call(new PreparedCall(model, plan, entry, sizes, buffers, scalars));
  call->arrived = arrived;
  if (Result<void> planned = call->planGemms(sizes, workspace); !planned)
    return planned.error();
  return call;
}

Result<void> PreparedCall::planGemms(const CallSizes &sizes, const GemmWorkspace &workspace) {
  Result<void> planned;
  forEachStep(entry.steps, [&](const StepT &step) {
    const GemmT *gemm = step.what.AsGemm();
    if (!gemm || !planned)
      return;
    Result<std::unique_ptr<GemmPlan>> made =
        GemmPlan::make(model, entry, *gemm, sizes, pointersOf(*gemm), workspace);
    if (made)
      gemms[gemm] = std::move(*made);
    else
      planned = inStep(step, made.error());
  });
  return planned;
}

GemmPointers PreparedCall::pointersOf(const GemmT &gemm) const {
  auto optional = [&](int32_t index) {
    return index < 0 ? 0 : buffers[static_cast<size_t>(index)];
  };
  return {buffers[gemm.a], buffers[gemm.b], optional(gemm.bias), optional(gemm.residual),
          buffers[gemm.d]};
}

bool PreparedCall::matches(const EntryT &otherEntry, const CallSizes &sizes,
                           std::span<const CUdeviceptr> otherBuffers,
                           std::span<const CUdeviceptr> otherScalars) const {
  if (&entry != &otherEntry || !std::ranges::equal(given, otherBuffers) ||
      !std::ranges::equal(scalars, otherScalars))
    return false;
  for (size_t symbol = 0; symbol < dims.size(); ++symbol)
    if (entry.dims[symbol]->kind == SymbolKind::Size && dims[symbol] != sizes.dims()[symbol])
      return false;
  return true;
}

Error PreparedCall::inStep(const StepT &step, const Error &error) const {
  std::string where = locationText(step.location.get());
  const LaunchT *launch = step.what.AsLaunch();
  return Error{fmt::format("{}{}{}{}: {}", step.name, where.empty() ? "" : " (" + where + ")",
                           launch ? ", kernel " : "",
                           launch ? plan.kernels[launch->kernel]->symbol : "", error.message)};
}

/// Run-time scalars are where the device has them.
void *PreparedCall::symbolArgument(size_t symbol) {
  if (entry.dims[symbol]->kind == SymbolKind::Scalar)
    return &scalars[symbol];
  return &dims[symbol];
}

Result<void> PreparedCall::launch(const LaunchT &launch, CUstream stream) {
  unsigned grid[3] = {1, 1, 1};
  for (size_t axis = 0; axis < launch.grid.size(); ++axis) {
    int64_t blocks = values[launch.grid[axis]];
    if (blocks == 0)
      return {};
    if (blocks < 0 || blocks > INT32_MAX)
      return Error{fmt::format("a grid of {} blocks", blocks)};
    grid[axis] = static_cast<unsigned>(blocks);
  }
  size_t count = 0;
  std::vector<CUdeviceptr> table;
  for (uint32_t buffer : launch.buffers)
    if (launch.table)
      table.push_back(buffers[buffer]);
    else
      arguments[count++] = &buffers[buffer];
  if (launch.table)
    arguments[count++] = table.data();
  for (size_t symbol = 0; symbol < dims.size(); ++symbol)
    arguments[count++] = symbolArgument(symbol);
  std::vector<CUtensorMap> maps;
  if (Result<void> made = makeCopyMaps(model, launch, buffers, values, maps); !made)
    return made;
  for (CUtensorMap &map : maps)
    arguments[count++] = &map;
  CUdeviceptr counters = arrived + ArrivalsOffset;
  if (launch.scratch >= 0) {
    arguments[count++] = &buffers[static_cast<size_t>(launch.scratch)];
    arguments[count++] = &counters;
  }
  if (launch.persists)
    grid[0] = static_cast<unsigned>(
        std::min<int64_t>(grid[0], int64_t{launch.persists} * model.device()->multiprocessors()));
  CUlaunchAttribute early = {};
  early.id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
  early.value.programmaticStreamSerializationAllowed = 1;
  CUlaunchConfig config = {};
  config.gridDimX = grid[0], config.gridDimY = grid[1], config.gridDimZ = grid[2];
  config.blockDimX = launch.block[0], config.blockDimY = launch.block[1];
  config.blockDimZ = launch.block[2];
  config.sharedMemBytes = model.sharedOf(launch);
  config.hStream = stream;
  config.attrs = &early;
  config.numAttrs = plan.kernels[launch.kernel]->early && model.device()->canStartEarly() ? 1 : 0;
  NNC_CUDA_TRY(model.device()->api(), cuLaunchKernelEx, &config, model.kernel(launch.kernel),
               arguments.data(), nullptr);
  return {};
}

Result<void> PreparedCall::copy(const CopyT &copy, CUstream stream) {
  auto bytes = static_cast<size_t>(values[copy.bytes]);
  if (bytes > 0)
    NNC_CUDA_TRY(model.device()->api(), cuMemcpyDtoDAsync, buffers[copy.dst], buffers[copy.src],
                 bytes, stream);
  return {};
}

bool PreparedCall::isOneLaunch(const LoopT &loop) const { return model.runsAsOneLaunch(loop); }

/// As many blocks as have something to do and can run at once: they wait for each other.
Result<void> PreparedCall::launchLoop(const LoopT &loop, CUstream stream) {
  const DriverApi &api = model.device()->api();
  CUfunction kernel = model.kernel(static_cast<size_t>(loop.kernel));
  int perProcessor = 0;
  NNC_CUDA_TRY(api, cuOccupancyMaxActiveBlocksPerMultiprocessor, &perProcessor, kernel,
               static_cast<int>(loop.threads), loop.shared_bytes);
  int64_t blocks = 1;
  for (uint32_t grid : loop.grids)
    blocks = std::max(blocks, values[grid]);
  blocks = std::min(blocks, int64_t{perProcessor} * model.device()->multiprocessors());
  size_t count = 0;
  for (uint32_t buffer : loop.buffers)
    arguments[count++] = &buffers[buffer];
  for (size_t symbol = 0; symbol < dims.size(); ++symbol)
    if (entry.dims[symbol]->kind != SymbolKind::Loop)
      arguments[count++] = symbolArgument(symbol);
  for (const std::vector<uint32_t> *list : {&loop.grids, &loop.values})
    for (uint32_t expr : *list)
      arguments[count++] = &values[expr];
  arguments[count++] = &arrived;
  NNC_CUDA_TRY(api, cuLaunchCooperativeKernel, kernel, static_cast<unsigned>(blocks), 1, 1,
               loop.threads, 1, 1, loop.shared_bytes, stream, arguments.data());
  return {};
}

Result<void> PreparedCall::loop(const LoopT &loop, CUstream stream) {
  LoopBuffers<CUdeviceptr> moving(loop, buffers);
  bool isLaunched = isOneLaunch(loop); // its kernel moves the buffers in the same way
  if (isLaunched)
    if (Result<void> launched = launchLoop(loop, stream); !launched)
      return launched;
  int64_t length = values[loop.length];
  for (int64_t iteration = 0; iteration < length; ++iteration) {
    int64_t counter = loop.reverse ? length - 1 - iteration : iteration;
    dims[loop.counter] = counter;
    moving.begin([&](CUdeviceptr address, uint32_t slot) {
      return address + static_cast<CUdeviceptr>(counter * values[entry.buffers[slot]->bytes]);
    });
    if (!isLaunched)
      for (const std::unique_ptr<StepT> &step : loop.steps)
        if (Result<void> ran = runStep(*step, stream); !ran)
          return ran;
    moving.end();
  }
  moving.finish();
  dims[loop.counter] = 0;
  return {};
}

Result<void> PreparedCall::runStep(const StepT &step, CUstream stream) {
  if (const LoopT *what = step.what.AsLoop())
    return loop(*what, stream);
  const GemmT *gemm = step.what.AsGemm();
  Result<void> ran = step.what.AsLaunch() ? launch(*step.what.AsLaunch(), stream)
                     : gemm               ? gemms[gemm]->run(pointersOf(*gemm), stream)
                                          : copy(*step.what.AsCopy(), stream);
  if (!ran)
    return inStep(step, ran.error());
  return {};
}

Result<void> PreparedCall::runStep(size_t index, CUstream stream) {
  return runStep(*entry.steps[index], stream);
}

Result<void> PreparedCall::runAll(CUstream stream) {
  for (size_t step = 0; step < entry.steps.size(); ++step)
    if (Result<void> ran = runStep(step, stream); !ran)
      return ran;
  return {};
}

Result<void> PreparedCall::run(CUstream stream) {
  if (!graph)
    return runAll(stream);
  NNC_CUDA_TRY(model.device()->api(), cuGraphLaunch, graph.get(), stream);
  return {};
}

Result<void> PreparedCall::capture(CUstream stream) {
  const DriverApi &api = model.device()->api();
  NNC_CUDA_TRY(api, cuStreamBeginCapture, stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
  Result<void> recorded = runAll(stream);
  CUgraph captured = nullptr;
  CUresult ended = api.cuStreamEndCapture(stream, &captured);
  GraphOwner owner(model.device(), captured);
  if (!recorded)
    return recorded;
  if (Result<void> status = check(api, ended, "cuStreamEndCapture"); !status)
    return status;
  CUgraphExec executable = nullptr;
  NNC_CUDA_TRY(api, cuGraphInstantiateWithFlags, &executable, captured, 0);
  graph = GraphExecOwner(model.device(), executable);
  return {};
}
