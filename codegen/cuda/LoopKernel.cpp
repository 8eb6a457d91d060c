//===- LoopKernel.cpp - A whole loop as one kernel --------------------------------------------===//
//
// A buffer is a pointer that the loop moves as LoopBuffers.h does; sizes come as numbers that the
// runtime has computed. Loops within the loop are loops of the kernel.
//
//===------------------------------------------------------------------------------------------===//
#include "codegen/cuda/LoopKernel.h"

#include "runtime/format/Plan.h"

#include <algorithm>
#include <fmt/format.h>

namespace nnc::codegen {
namespace {

/// Static shared memory that a block may have, less what the compiler adds.
constexpr unsigned MostShared = 46 << 10;

class LoopWriter {
public:
  LoopWriter(const format::EntryT &entry,
             llvm::function_ref<LoopStep(const format::StepT &)> stepOf)
      : entry(entry), stepOf(stepOf) {}

  bool write(const format::LoopT &loop) {
    writeLoop(loop);
    return isPossible && threads != 0 && shared <= MostShared;
  }

  std::string source(const std::string &symbol, const std::string &title) const {
    std::string text = "#include \"prelude.cuh\"\n#include \"loop.cuh\"\n";
    for (const std::string &header : headers)
      text += "#include \"" + header + "\"\n";
    text += "\n" + functions + "//@ " + title + "\n" +
            "extern \"C\" __global__ void __launch_bounds__(" + std::to_string(threads) + ") " +
            symbol + "(\n    ";
    for (uint32_t buffer : buffers)
      text += fmt::format("char *p{}, ", buffer);
    for (size_t i = 0; i < entry.dims.size(); ++i)
      if (entry.dims[i]->kind != format::SymbolKind::Loop)
        text += fmt::format("{}d{}, ", symbolTypes[i], i);
    for (size_t i = 0; i < grids.size(); ++i)
      text += fmt::format("long long g{}, ", i);
    for (size_t i = 0; i < values.size(); ++i)
      text += fmt::format("long long v{}, ", i);
    text += "unsigned *arrived) {\n";
    for (uint32_t buffer : moved)
      text += fmt::format("  char *p{} = nullptr;\n", buffer);
    for (size_t i = 0; i < entry.dims.size(); ++i)
      if (entry.dims[i]->kind == format::SymbolKind::Loop)
        text += fmt::format("  long long d{} = 0;\n", i);
    return text + statements + "}\n";
  }

  std::vector<uint32_t> buffers, grids, values;
  unsigned threads = 0;

private:
  template <typename... Args> void line(fmt::format_string<Args...> text, Args &&...args) {
    statements +=
        std::string(2 * depth, ' ') + fmt::format(text, std::forward<Args>(args)...) + "\n";
  }

  static size_t placeIn(std::vector<uint32_t> &list, uint32_t item) {
    auto place = std::find(list.begin(), list.end(), item);
    if (place == list.end())
      place = list.insert(list.end(), item);
    return static_cast<size_t>(place - list.begin());
  }

  /// The pointer to a buffer.
  std::string pointer(uint32_t buffer) {
    bool isMoved = entry.buffers[buffer]->kind == format::BufferKind::Loop;
    placeIn(isMoved ? moved : buffers, buffer);
    return fmt::format("p{}", buffer);
  }
  std::string value(uint32_t expr) { return fmt::format("v{}", placeIn(values, expr)); }

  void writeLoop(const format::LoopT &loop) {
    for (const auto &carried : loop.carried)
      line("{} = {};", pointer(carried->argument), pointer(carried->init));
    std::string length = value(loop.length), index = fmt::format("i{}", depth);
    line("for (long long {0} = 0; {0} < {1}; ++{0}) {{", index, length);
    ++depth;
    line("d{} = {};", loop.counter, loop.reverse ? length + " - 1 - " + index : index);
    for (const auto &stacked : loop.stacked)
      line("{} = {} + d{} * {};", pointer(stacked->slot), pointer(stacked->result), loop.counter,
           value(entry.buffers[stacked->slot]->bytes));
    for (const std::unique_ptr<format::StepT> &step : loop.steps)
      writeStep(*step);
    writeEnd(loop);
    --depth;
    line("}}");
    for (const auto &carried : loop.carried)
      line("{} = {};", pointer(carried->result), pointer(carried->argument));
  }

  void writeEnd(const format::LoopT &loop) {
    for (const auto &carried : loop.carried)
      line("{} = {};", pointer(carried->argument), pointer(carried->next));
    for (const auto &carried : loop.carried)
      if (carried->spare >= 0)
        line("swapPointers({}, {});", pointer(carried->next),
             pointer(static_cast<uint32_t>(carried->spare)));
  }

  void writeStep(const format::StepT &step) {
    if (const format::LoopT *loop = step.what.AsLoop())
      return writeLoop(*loop);
    if (const format::CopyT *copy = step.what.AsCopy())
      line("copyBytes({}, {}, {});", pointer(copy->dst), pointer(copy->src), value(copy->bytes));
    else if (const format::LaunchT *launch = step.what.AsLaunch())
      writeLaunch(step, *launch);
    else
      isPossible = false;
    line("gridBarrier(arrived);");
  }

  void writeLaunch(const format::StepT &step, const format::LaunchT &launch) {
    LoopStep known = stepOf(step);
    if (!known.phase || (threads && known.phase->threads != threads)) {
      isPossible = false;
      return;
    }
    threads = known.phase->threads;
    for (const std::string &header : known.phase->headers)
      if (!llvm::is_contained(headers, header))
        headers.push_back(header);
    std::string arguments;
    size_t position = 0;
    for (uint32_t buffer : launch.buffers)
      arguments += fmt::format(", ({}){}", known.phase->parameters[position++], pointer(buffer));
    symbolTypes.assign(known.phase->parameters.begin() + static_cast<ptrdiff_t>(position),
                       known.phase->parameters.end());
    for (size_t i = 0; i < entry.dims.size(); ++i)
      arguments += fmt::format(", d{}", i);
    line("for (unsigned block = blockIdx.x; block < g{}; block += gridDim.x) {{",
         placeIn(grids, known.grid));
    line("  {}(block{});", functionOf(*known.phase), arguments);
    line("  barrier();");
    line("}}");
  }

  std::string functionOf(const CudaPhase &phase) {
    auto [place, isNew] = names.try_emplace(phase.function, fmt::format("step{}", names.size()));
    if (isNew) {
      shared += phase.staticShared;
      functions += "NNC_INLINE void " + place->second + phase.function + "\n";
    }
    return place->second;
  }

  const format::EntryT &entry;
  llvm::function_ref<LoopStep(const format::StepT &)> stepOf;
  std::vector<uint32_t> moved;              ///< buffers of kind Loop
  std::vector<std::string> symbolTypes;     ///< of a kernel's parameters
  std::vector<std::string> headers;         ///< each before those that need it
  std::map<std::string, std::string> names; ///< of functions, by their text
  std::string functions, statements;
  unsigned depth = 1, shared = 0;
  bool isPossible = true;
};

} // namespace

std::optional<std::string>
emitLoopKernel(const format::EntryT &entry, format::LoopT &loop, const std::string &symbol,
               const std::string &title,
               llvm::function_ref<LoopStep(const format::StepT &)> stepOf) {
  LoopWriter writer(entry, stepOf);
  if (!writer.write(loop))
    return std::nullopt;
  loop.buffers = writer.buffers;
  loop.grids = writer.grids;
  loop.values = writer.values;
  loop.threads = writer.threads;
  return writer.source(symbol, title);
}

} // namespace nnc::codegen
