// How long the steps of a call take.
#include "runtime/SessionState.h"
#include "runtime/format/Work.h"

#include <algorithm>

using namespace nnc;
using namespace nnc::format;
using namespace nnc::rt;

static std::string tacticOf(const ModelT &model, const StepT &step) {
  const LaunchT *launch = step.what.AsLaunch();
  return launch ? model.kernels[launch->kernel]->tactic : std::string();
}

static StepCost costOf(const StepT &step, const EntryT &entry, std::span<const int64_t> dims) {
  StepWork work = workOf(step, entry, dims);
  return {work.read,
          work.written,
          work.products,
          work.operations,
          static_cast<StepCost::Factors>(work.precision),
          work.launches};
}

static std::string textOf(const ModelT &model, const StepT &step) {
  if (const LaunchT *launch = step.what.AsLaunch())
    return model.kernels[launch->kernel]->symbol;
  if (step.what.type == StepKind::Loop)
    return "loop";
  return step.what.type == StepKind::Gemm ? "gemm" : "copy";
}

Result<std::vector<StepTime>> SessionState::profile(std::string_view entry, const TensorMap &inputs,
                                                    unsigned iterations) {
  Result<TensorMap> outputs = run(entry, inputs); // the first call prepares and warms up
  if (!outputs)
    return outputs.error();
  Result<size_t> index = begin(entry, inputs);
  if (!index)
    return index.error();
  EntryState &state = entries[*index];
  if (Result<void> bound = bindOutputs(state, *outputs); !bound)
    return bound.error();
  if (Result<void> converted = convertInputs(state); !converted)
    return converted.error();

  std::vector<double> milliseconds(state.entry.steps.size());
  for (unsigned i = 0; i < iterations; ++i) {
    // States change: guards are checked in every iteration.
    Result<void> ready = resume(state);
    if (!ready && reset())
      ready = resume(state);
    if (!ready)
      return ready.error();
    if (Result<void> ran = executor->profile(nextCall(*index), milliseconds); !ran)
      return ran.error();
  }
  state.release();

  std::vector<StepTime> times;
  for (size_t i = 0; i < milliseconds.size(); ++i) {
    const StepT &step = *state.entry.steps[i];
    times.push_back({step.name, textOf(engine->model(), step), locationText(step.location.get()),
                     milliseconds[i] / std::max(iterations, 1u), tacticOf(engine->model(), step),
                     costOf(step, state.entry, state.sizes.dims())});
  }
  return times;
}

Result<std::vector<double>> SessionState::measure(std::string_view entry, const TensorMap &inputs,
                                                  const TensorMap &outputs, unsigned samples) {
  Result<size_t> index = prepare(entry, inputs, outputs);
  if (!index)
    return index.error();
  Result<std::vector<double>> times = executor->measure(nextCall(*index), samples);
  entries[*index].release();
  return times;
}
