#include "runtime/format/PlanText.h"

#include <fmt/format.h>

using namespace nnc;
using namespace nnc::format;

namespace {

using Out = fmt::memory_buffer;

template <typename... Args> void print(Out &out, fmt::format_string<Args...> text, Args &&...args) {
  fmt::format_to(std::back_inserter(out), text, std::forward<Args>(args)...);
}

/// "1 kernel", "2 kernels".
std::string counted(size_t count, const char *one, const char *several) {
  return fmt::format("{} {}", count, count == 1 ? one : several);
}

/// Prints one entry point.
class EntryPrinter {
public:
  EntryPrinter(Out &out, const ModelT &model, const EntryT &entry, PlanDetail detail)
      : out(out), model(model), entry(entry), full(detail == PlanDetail::Full) {}

  void run() {
    printSignature();
    printConditions();
    printMemory();
    if (full)
      printBuffers();
    printSteps();
  }

private:
  std::string ports(const std::vector<std::unique_ptr<PortT>> &list) {
    std::string text;
    for (const std::unique_ptr<PortT> &port : list)
      text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", port->name, portText(*port, entry));
    return text;
  }

  void printSignature() {
    std::string variant = entry.variant.empty() ? "" : fmt::format(" for {}", entry.variant);
    print(out, "\nentry {}({}) -> ({}){}\n", entry.name, ports(entry.inputs), ports(entry.outputs),
          variant);
  }

  void printConditions() {
    for (const std::unique_ptr<DimT> &dim : entry.dims)
      if (dim->kind == SymbolKind::Size)
        print(out, "  {} in {}..={}\n", dim->name, dim->min, dim->max);
      else if (dim->kind == SymbolKind::Scalar)
        print(out, "  {} is the value of {} {}\n", dim->name,
              dim->source == ScalarSource::State ? "state" : "input",
              dim->source == ScalarSource::State ? model.states[dim->index]->name
                                                 : entry.inputs[dim->index]->name);
    for (const std::unique_ptr<GuardT> &guard : entry.guards)
      print(out, "  requires {}\n", guard->text);
    if (drawsNumbers(model, entry))
      print(out, "  draws random numbers\n");
  }

  void printMemory() {
    PeakMemory memory = peakMemory(model, entry);
    print(out, "  peak memory: {} (arena {}, inputs {}, outputs {}, weights {}",
          bytesText(memory.total()), bytesText(memory.arena), bytesText(memory.inputs),
          bytesText(memory.outputs), bytesText(memory.weights));
    if (memory.states)
      print(out, ", states {}", bytesText(memory.states));
    print(out, ")\n");
  }

  std::string place(const BufferT &buffer) {
    switch (buffer.kind) {
    case BufferKind::Arena:
      return fmt::format("arena + {}", buffer.offset);
    case BufferKind::Weight:
      return "weight " + model.weights[buffer.index]->name;
    case BufferKind::Input:
      return "input " + entry.inputs[buffer.index]->name;
    case BufferKind::Output:
      return "output " + entry.outputs[buffer.index]->name;
    case BufferKind::State:
      return "state " + model.states[buffer.index]->name;
    case BufferKind::Loop:
      return "moved by its loop";
    }
    return "?";
  }

  void printBuffers() {
    print(out, "  buffers: {}\n", entry.buffers.size());
    for (size_t i = 0; i < entry.buffers.size(); ++i) {
      const BufferT &buffer = *entry.buffers[i];
      print(out, "    %{} = {}: {}, {} bytes", i, place(buffer),
            shapeText(static_cast<DType>(buffer.dtype), buffer.shape, entry),
            exprText(*entry.exprs[buffer.bytes], entry));
      print(out, "{}{}\n", buffer.name.empty() ? "" : "  # ", buffer.name);
    }
  }

  void printSteps() {
    size_t count = 0, launches = 0, gemms = 0, copies = 0, loops = 0;
    forEachStep(entry.steps, [&](const StepT &step) {
      ++count;
      launches += step.what.type == StepKind::Launch;
      gemms += step.what.type == StepKind::Gemm;
      copies += step.what.type == StepKind::Copy;
      loops += step.what.type == StepKind::Loop;
    });
    print(out, "  steps: {} ({}, {}, {}", count, counted(launches, "kernel", "kernels"),
          counted(gemms, "gemm", "gemms"), counted(copies, "copy", "copies"));
    if (loops)
      print(out, ", {}", counted(loops, "loop", "loops"));
    print(out, ")\n");
    for (const std::unique_ptr<StepT> &step : entry.steps)
      printStep(*step, 4);
  }

  void printStep(const StepT &step, size_t indent) {
    print(out, "{:{}}{}", "", indent, text(step));
    std::string where = locationText(step.location.get());
    if (!step.name.empty() || !where.empty())
      print(out, "  # {}{}{}", step.name, step.name.empty() || where.empty() ? "" : " ", where);
    print(out, "\n");
    if (const LoopT *loop = step.what.AsLoop())
      for (const std::unique_ptr<StepT> &inner : loop->steps)
        printStep(*inner, indent + 2);
  }

  std::string text(const StepT &step) {
    if (const LoopT *loop = step.what.AsLoop())
      return loopText(*loop);
    if (const LaunchT *launch = step.what.AsLaunch())
      return launchText(*launch);
    if (const GemmT *gemm = step.what.AsGemm())
      return gemmText(*gemm);
    const CopyT &copy = *step.what.AsCopy();
    std::string sizes = fmt::format("copy {} bytes", size(copy.bytes));
    return full ? fmt::format("{} %{} -> %{}", sizes, copy.src, copy.dst) : sizes;
  }

  std::string loopText(const LoopT &loop) {
    std::string text = fmt::format("loop {} {} times{}", entry.dims[loop.counter]->name,
                                   size(loop.length), loop.reverse ? " downwards" : "");
    if (loop.kernel >= 0)
      text += fmt::format(" in one launch of {}, blocks of {}",
                          model.kernels[static_cast<size_t>(loop.kernel)]->symbol, loop.threads);
    if (loop.shared_bytes)
      text += fmt::format(" shared {}", loop.shared_bytes);
    if (!full)
      return text;
    for (const std::unique_ptr<CarriedT> &carried : loop.carried) {
      text +=
          fmt::format(" carry %{} = %{} then %{}", carried->argument, carried->init, carried->next);
      text += carried->spare < 0 ? "" : fmt::format("/%{}", carried->spare);
      text += fmt::format(" -> %{}", carried->result);
    }
    for (const std::unique_ptr<StackedT> &stacked : loop.stacked)
      text += fmt::format(" stack %{} in %{}", stacked->slot, stacked->result);
    return text;
  }

  std::string launchText(const LaunchT &launch) {
    std::string text = "launch " + model.kernels[launch.kernel]->symbol;
    text += " grid (";
    for (size_t axis = 0; axis < launch.grid.size(); ++axis)
      text += (axis ? ", " : "") + size(launch.grid[axis]);
    text += ")";
    if (model.target == Target::Cuda)
      text += fmt::format(" block ({})", fmt::join(launch.block, ", "));
    if (launch.shared_bytes)
      text += fmt::format(" shared {}", launch.shared_bytes);
    if (launch.persists)
      text += fmt::format(" persists {}", launch.persists);
    for (const std::unique_ptr<CopyMapT> &map : launch.maps)
      text += fmt::format(" maps %{}", launch.buffers[map->operand]);
    if (launch.scratch >= 0)
      text += fmt::format(" scratch %{}", launch.scratch);
    if (model.kernels[launch.kernel]->early)
      text += " early";
    std::vector<std::string> updated;
    for (uint32_t buffer : updatedBy(launch))
      updated.push_back(place(*entry.buffers[buffer]));
    if (!updated.empty())
      text += fmt::format(" updates {} in place", fmt::join(updated, ", "));
    if (full)
      text += fmt::format(" buffers (%{})", fmt::join(launch.buffers, ", %"));
    return text;
  }

  /// What a launch updates: of several kernels at once all that is both read and written.
  static std::vector<uint32_t> updatedBy(const LaunchT &launch) {
    if (!launch.update || !launch.table || !launch.work)
      return std::vector<uint32_t>(launch.buffers.begin(), launch.buffers.begin() + launch.update);
    auto results = launch.buffers.begin() + static_cast<ptrdiff_t>(launch.work->reads.size());
    std::vector<uint32_t> updated;
    std::copy_if(results, launch.buffers.end(), std::back_inserter(updated), [&](uint32_t buffer) {
      return std::find(launch.buffers.begin(), results, buffer) != results;
    });
    return updated;
  }

  std::string gemmText(const GemmT &gemm) {
    std::string text = fmt::format("gemm m {} n {} k {} batch {}", size(gemm.m), size(gemm.n),
                                   size(gemm.k), size(gemm.batch));
    text += gemm.transpose_a ? " transpose_a" : "";
    text += gemm.transpose_b ? " transpose_b" : "";
    text += gemm.tf32 ? " tf32" : "";
    text += gemm.bias >= 0 ? " bias" : "";
    text += gemm.residual >= 0 ? " residual" : "";
    if (gemm.epilogue != Epilogue::None)
      text += gemm.epilogue == Epilogue::Relu ? " relu" : " gelu";
    if (full)
      text += fmt::format(" %{} @ %{} -> %{}", gemm.a, gemm.b, gemm.d);
    return text;
  }

  std::string size(uint32_t expr) { return exprText(*entry.exprs[expr], entry); }

  Out &out;
  const ModelT &model;
  const EntryT &entry;
  bool full;
};

std::string targetText(const ModelT &model) {
  if (model.target == Target::Cpu)
    return fmt::format("cpu ({}, {})", model.cpu->triple, model.cpu->cpu);
  std::vector<std::string> archs;
  if (!model.cuda->modules.empty())
    for (const std::unique_ptr<ImageT> &image : model.cuda->modules.front()->images)
      archs.push_back(image->arch);
  return fmt::format("cuda ({})",
                     archs.empty() ? "source only" : fmt::format("{}", fmt::join(archs, ", ")));
}

/// What a device holds besides the states.
uint64_t bytesOfSteps(const ModelT &model) {
  std::vector<bool> isRead = weightsOfSteps(model);
  uint64_t bytes = 0;
  for (size_t i = 0; i < model.weights.size(); ++i)
    bytes += isRead[i] ? model.weights[i]->bytes : 0;
  return bytes;
}

uint64_t weightBytes(const ModelT &model) {
  uint64_t bytes = 0;
  for (const std::unique_ptr<WeightT> &weight : model.weights)
    bytes += weight->bytes;
  return bytes;
}

std::string constantShape(const std::vector<int64_t> &shape) {
  return fmt::format("{}", fmt::join(shape, ", "));
}

void printWeights(Out &out, const ModelT &model) {
  for (const std::unique_ptr<WeightT> &weight : model.weights)
    print(out, "  weight {}: {}[{}] at {}\n", weight->name,
          dtypeName(static_cast<DType>(weight->dtype)), constantShape(weight->shape),
          weight->offset);
  for (const std::unique_ptr<StateT> &state : model.states)
    print(out, "  state {}: {}[{}]\n", state->name, dtypeName(static_cast<DType>(state->dtype)),
          constantShape(state->shape));
}

/// What stays outside of model.bin.
void printWeightFiles(Out &out, const ModelT &model) {
  for (size_t i = 0; i < model.weight_files.size(); ++i) {
    uint64_t total = 0;
    for (const std::unique_ptr<WeightT> &weight : model.weights)
      total += weight->file == static_cast<int>(i) ? weight->bytes : 0;
    print(out, "  weights in {}: {}\n", model.weight_files[i]->path, bytesText(total));
  }
}

uint64_t portBytes(const std::vector<std::unique_ptr<PortT>> &ports, const EntryT &entry) {
  uint64_t total = 0;
  for (const std::unique_ptr<PortT> &port : ports)
    total += maxPortBytes(*port, entry);
  return total;
}

} // namespace

PeakMemory format::peakMemory(const ModelT &model, const EntryT &entry) {
  PeakMemory memory;
  memory.weights = bytesOfSteps(model);
  for (const std::unique_ptr<StateT> &state : model.states)
    memory.states += state->bytes;
  memory.arena = entry.arena_bytes;
  memory.inputs = portBytes(entry.inputs, entry);
  memory.outputs = portBytes(entry.outputs, entry);
  return memory;
}

std::string format::bytesText(uint64_t bytes) {
  if (bytes < 1024)
    return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes);
  const char *unit = "B";
  for (const char *next : {"KiB", "MiB", "GiB", "TiB"}) {
    if (value < 1024)
      break;
    value /= 1024;
    unit = next;
  }
  return fmt::format("{:.1f} {}", value, unit);
}

std::string format::planText(const ModelT &model, PlanDetail detail) {
  Out out;
  print(out, "model {}, target {}, made by nnc {}\n", model.name, targetText(model),
        model.compiler);
  print(out, "  {}, {} ({})\n",
        counted(model.kernels.size(), "distinct kernel", "distinct kernels"),
        counted(model.weights.size(), "weight", "weights"), bytesText(weightBytes(model)));
  printWeightFiles(out, model);
  if (detail == PlanDetail::Full)
    printWeights(out, model);
  for (const std::unique_ptr<EntryT> &entry : model.entries)
    EntryPrinter(out, model, *entry, detail).run();
  return fmt::to_string(out);
}
