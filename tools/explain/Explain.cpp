#include "tools/explain/Memory.h"
#include "tools/explain/Operations.h"

#include "codegen/plan/PlanBuilder.h"
#include "ir/KernelAttrs.h"
#include "ir/NNOps.h"

#include "runtime/format/PlanText.h"

#include <fmt/format.h>
#include <numeric>

namespace nnc::explain {
namespace {

/// What a plan's buffer is called and what it holds.
std::string nameOf(const format::BufferT &buffer, const format::ModelT &plan) {
  if (buffer.kind == format::BufferKind::Weight)
    return plan.weights[buffer.index]->name;
  return buffer.name;
}

/// Neighbours that are named of each step.
constexpr size_t MaxRefused = 8;

/// Names of kernels that are launched together, by the name of the step.
using Launches = std::map<std::string, std::vector<std::string>>;

Launches launchesOf(mlir::ModuleOp module) {
  Launches launches;
  mlir::Operation *first = nullptr;
  std::vector<std::string> names;
  auto finish = [&] {
    if (!first)
      return;
    std::string name = codegen::launchName(mlir::cast<nn::KernelOp>(first), names.size());
    launches[name] = std::exchange(names, {});
  };
  module.walk([&](nn::KernelOp kernel) {
    if (!kernel->hasAttr(nn::kLaunchAttr))
      return;
    if (!first || !nn::areLaunchedTogether(first, kernel)) {
      finish();
      first = kernel;
    }
    names.push_back(kernel.getKernelName().str());
  });
  finish();
  return launches;
}

/// Puts one entry point of the plan together with what fusion said of it.
class EntryWriter {
public:
  EntryWriter(const format::ModelT &plan, const format::EntryT &source, FormedEntry formed,
              const Launches &launches, const format::GpuRates &rates)
      : plan(plan), source(source), formed(std::move(formed)), launches(launches), rates(rates) {}

  Entry run() {
    entry.name = source.name;
    entry.variant = source.variant;
    for (const std::unique_ptr<format::DimT> &dim : source.dims) {
      bool isSize = dim->kind == format::SymbolKind::Size;
      dims.push_back(isSize ? dim->max : 0);
      if (isSize)
        entry.sizes.emplace_back(dim->name, dim->max);
    }
    entry.operations = std::move(formed.operations);
    addSteps(source.steps, 0, 1);
    describeMemory(entry);
    return std::move(entry);
  }

private:
  void addSteps(const std::vector<std::unique_ptr<format::StepT>> &steps, unsigned depth,
                double times) {
    for (const std::unique_ptr<format::StepT> &step : steps) {
      Step made = describe(*step);
      made.depth = depth;
      made.times = times;
      auto number = unsigned(entry.steps.size());
      entry.steps.push_back(std::move(made));
      const format::LoopT *loop = step->what.AsLoop();
      if (loop) {
        int64_t length = *valueOf(loop->length);
        addSteps(loop->steps, depth + 1, times * double(length));
        for (const std::unique_ptr<format::CarriedT> &carried : loop->carried)
          writers[carried->result] = number;
        for (const std::unique_ptr<format::StackedT> &stacked : loop->stacked)
          writers[stacked->result] = number;
      }
    }
  }

  Result<int64_t> valueOf(uint32_t expr) const {
    Result<int64_t> value = format::evaluate(*source.exprs[expr], dims);
    return value ? value : Result<int64_t>(0);
  }

  Step describe(const format::StepT &step) {
    Step made;
    made.name = step.name;
    made.location = format::locationText(step.location.get());
    made.work = format::workOf(step, source, dims);
    made.floor = format::floorOf(made.work, rates);
    if (const format::LaunchT *launch = step.what.AsLaunch())
      describe(*launch, made);
    else if (const format::GemmT *gemm = step.what.AsGemm())
      describe(*gemm, made);
    else if (const format::LoopT *loop = step.what.AsLoop())
      describe(*loop, made);
    else
      made.kind = made.symbol = "copy";
    addTensors(step, made);
    return made;
  }

  void adopt(Formed from, Step &made) {
    made.anchor = std::move(from.anchor);
    made.layout = std::move(from.layout);
    made.operations.insert(made.operations.end(), from.operations.begin(), from.operations.end());
    for (std::string &refused : from.refused)
      if (made.refused.size() < MaxRefused)
        made.refused.push_back(std::move(refused));
  }

  void describe(const format::LaunchT &launch, Step &made) {
    const format::KernelT &kernel = *plan.kernels[launch.kernel];
    made.kind = "kernel";
    made.symbol = kernel.symbol;
    made.tactic = kernel.tactic;
    auto together = launches.find(made.name);
    for (const std::string &name :
         together == launches.end() ? std::vector<std::string>{made.name} : together->second)
      if (auto known = formed.kernels.find(name); known != formed.kernels.end())
        adopt(known->second, made);
    for (uint32_t grid : launch.grid)
      made.launch += fmt::format("{}{}", made.launch.empty() ? "" : " x ", *valueOf(grid));
    made.launch += made.launch == "1" ? " block" : " blocks";
    if (plan.target == format::Target::Cuda)
      made.launch += fmt::format(" of {} threads", launch.block[0]);
    if (launch.shared_bytes)
      made.launch += fmt::format(", {} of shared memory", format::bytesText(launch.shared_bytes));
    made.launch += kernel.early ? ", starts early" : "";
    made.launch += launch.update ? ", in place" : "";
  }

  void describe(const format::GemmT &gemm, Step &made) {
    made.kind = "product";
    made.symbol = "cuBLASLt";
    if (nextProduct < formed.products.size())
      adopt(formed.products[nextProduct++], made);
    std::string batch = *valueOf(gemm.batch) == 1 ? "" : fmt::format("{} x ", *valueOf(gemm.batch));
    made.tactic = fmt::format("cuBLASLt {}m {} n {} k {}", batch, *valueOf(gemm.m),
                              *valueOf(gemm.n), *valueOf(gemm.k));
    made.tactic += gemm.bias >= 0 ? " + bias" : "";
    made.tactic += gemm.residual >= 0 ? " + residual" : "";
    if (gemm.epilogue != format::Epilogue::None)
      made.tactic += gemm.epilogue == format::Epilogue::Relu ? ", relu" : ", gelu";
  }

  void describe(const format::LoopT &loop, Step &made) {
    made.kind = "loop";
    made.launch = fmt::format("{} times", *valueOf(loop.length));
    if (loop.kernel >= 0) {
      made.symbol = plan.kernels[size_t(loop.kernel)]->symbol;
      made.launch += fmt::format(" in one launch, blocks of {} threads", loop.threads);
    }
  }

  void addTensors(const format::StepT &step, Step &made) {
    std::vector<uint32_t> written;
    for (const format::BufferTraffic &traffic : format::trafficOf(step, source, dims)) {
      const format::BufferT &buffer = *source.buffers[traffic.buffer];
      std::string shape;
      for (uint32_t expr : buffer.shape)
        shape += fmt::format("{}{}", shape.empty() ? "" : ", ", *valueOf(expr));
      made.tensors.push_back(
          {nameOf(buffer, plan), fmt::format("{}[{}]", dtypeName(DType(buffer.dtype)), shape),
           traffic.bytes, traffic.isWritten, traffic.buffer, double(*valueOf(buffer.bytes)),
           buffer.kind == format::BufferKind::Arena});
      if (traffic.isWritten)
        written.push_back(traffic.buffer);
      else if (auto writer = writers.find(traffic.buffer); writer != writers.end())
        made.inputs.push_back(writer->second);
    }
    std::ranges::sort(made.inputs);
    made.inputs.erase(std::unique(made.inputs.begin(), made.inputs.end()), made.inputs.end());
    for (uint32_t buffer : written)
      writers[buffer] = unsigned(entry.steps.size());
  }

  const format::ModelT &plan;
  const format::EntryT &source;
  FormedEntry formed;
  const Launches &launches;
  const format::GpuRates &rates;
  Entry entry;
  std::vector<int64_t> dims;
  size_t nextProduct = 0;
  std::map<uint32_t, unsigned> writers; ///< by buffer: the step that wrote it last
};

} // namespace

double Entry::floor() const {
  double sum = 0;
  for (const Step &step : steps)
    if (step.depth == 0)
      sum += step.floor.milliseconds;
  return sum;
}

std::optional<Explanation> explainModel(syntax::SourceManager &sources, syntax::Diagnostics &diags,
                                        syntax::FileId file, const CompileOptions &options,
                                        const format::GpuRates &rates) {
  Compilation compilation(sources, diags, options);
  compilation.withoutData = true;
  std::vector<FormedEntry> formed;
  compilation.afterPhase = [&](Phase phase) {
    if (phase != Phase::Prepare)
      return true;
    Result<std::vector<FormedEntry>> entries =
        formOperations(compilation.module(), compilation.target());
    if (entries)
      formed = std::move(*entries);
    else
      diags.error(entries.error().message);
    return bool(entries);
  };
  if (!compilation.run(file))
    return std::nullopt;
  const format::ModelT &plan = *compilation.assembly().plan;
  Explanation explanation{
      plan.name, compilation.target() == Target::Cpu ? "cpu" : "cuda", &rates, {}, {}};
  formed.resize(plan.entries.size());
  Launches launches = launchesOf(compilation.module());
  for (size_t i = 0; i < plan.entries.size(); ++i)
    explanation.entries.push_back(
        EntryWriter(plan, *plan.entries[i], std::move(formed[i]), launches, rates).run());
  for (const codegen::CudaKernel &kernel : compilation.assembly().cudaKernels)
    explanation.code[kernel.symbol] = kernel.source;
  return explanation;
}

} // namespace nnc::explain
