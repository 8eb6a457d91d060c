//===- LoopKernel.cpp - A whole loop as one kernel --------------------------------------------===//
//
// A buffer is a pointer that the loop moves as LoopBuffers.h does; sizes come as numbers that the
// runtime has computed. Loops within the loop are loops of the kernel.
//
//===------------------------------------------------------------------------------------------===//
#include "codegen/cuda/LoopKernel.h"

#include "codegen/cuda/LoopMemory.h"
#include "runtime/format/Plan.h"
#include "llvm/ADT/DenseMap.h"

#include <algorithm>
#include <fmt/format.h>

namespace nnc::codegen {
namespace {

/// Static shared memory that a block may have, and all of it, less what the compiler adds.
constexpr unsigned MostStaticShared = 46 << 10, MostShared = 226 << 10;

/// Shared memory for results that only their own block reads.
constexpr unsigned MostTiles = 16 << 10;

/// A product whose weights stay, as the kernel calls it.
struct Resident {
  const CudaPhase *phase;
  std::string name, arguments; ///< of the function, and of its calls
  unsigned place;              ///< of the weights, in bytes
  size_t grid;
};

class LoopWriter {
public:
  LoopWriter(const format::EntryT &entry,
             llvm::function_ref<LoopStep(const format::StepT &)> stepOf)
      : entry(entry), stepOf(stepOf), memory(entry) {}

  bool write(const format::LoopT &loop) {
    memory.add(loop);
    countUses(loop);
    writeLoop(loop);
    return isPossible && threads != 0 && shared <= MostStaticShared &&
           shared + dynamicShared() <= MostShared;
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
    return text + preparations() + statements + "}\n";
  }

  unsigned dynamicShared() const { return mostSums + weightBytes + mostTiles; }

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
    writeSteps(loop.steps);
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

  void countUses(const format::LoopT &loop) {
    for (const auto &carried : loop.carried)
      for (uint32_t buffer : {carried->init, carried->argument, carried->next, carried->result})
        ++uses[buffer];
    for (const auto &carried : loop.carried)
      if (carried->spare >= 0)
        ++uses[static_cast<uint32_t>(carried->spare)];
    for (const auto &stacked : loop.stacked)
      ++uses[stacked->result];
    for (const std::unique_ptr<format::StepT> &step : loop.steps) {
      if (const format::LoopT *inner = step->what.AsLoop())
        countUses(*inner);
      if (const format::CopyT *copy = step->what.AsCopy())
        for (uint32_t buffer : {copy->dst, copy->src})
          ++uses[buffer];
      if (const format::LaunchT *launch = step->what.AsLaunch())
        for (uint32_t buffer : launch->buffers)
          ++uses[buffer];
    }
  }

  void writeSteps(const std::vector<std::unique_ptr<format::StepT>> &steps) {
    for (size_t i = 0; i < steps.size(); ++i) {
      bool joinsNext = i + 1 < steps.size() && canJoin(*steps[i], *steps[i + 1]);
      writeStep(*steps[i], joinsNext ? steps[i + 1].get() : nullptr);
      i += joinsNext;
    }
  }

  /// `joined`: an elementwise step of which every block does what its tiles of `step` need.
  void writeStep(const format::StepT &step, const format::StepT *joined) {
    if (const format::LoopT *loop = step.what.AsLoop())
      return writeLoop(*loop);
    if (const format::CopyT *copy = step.what.AsCopy())
      line("copyBytes({}, {}, {});", pointer(copy->dst), pointer(copy->src), value(copy->bytes));
    else if (const format::LaunchT *launch = step.what.AsLaunch())
      writeLaunch(step, *launch, joined);
    else
      isPossible = false;
    line("gridBarrier(arrived);");
  }

  /// Whether each element of `next` needs of the product `step` only what is in one of its tiles,
  /// and writes nothing that another block may not have read yet.
  bool canJoin(const format::StepT &step, const format::StepT &next) {
    const format::LaunchT *product = step.what.AsLaunch(), *elements = next.what.AsLaunch();
    if (!product || !elements)
      return false;
    const CudaPhase *first = stepOf(step).phase, *second = stepOf(next).phase;
    if (!first || !second || !first->resident || !second->reads ||
        first->threads != second->threads)
      return false;
    const ResidentProduct &made = *first->resident;
    const ElementReads &reads = *second->reads;
    size_t inputs = product->buffers.size() - made.isDense.size();
    llvm::ArrayRef<uint32_t> all(elements->buffers), results(product->buffers);
    results = results.drop_front(inputs);
    bool readsAny = false;
    for (auto [buffer, columns] : llvm::zip(all, reads.columns)) {
      auto result = llvm::find(results, buffer);
      if (result == results.end())
        continue;
      if (!made.isDense[static_cast<size_t>(result - results.begin())] || columns != made.columns)
        return false;
      readsAny = true;
    }
    return readsAny && made.rows == reads.rows && made.columns == made.parts * reads.units &&
           llvm::none_of(all.drop_front(reads.columns.size()), [&](uint32_t written) {
             return llvm::any_of(product->buffers,
                                 [&](uint32_t used) { return memory.mayShare(written, used); });
           });
  }

  /// The buffers that `step` fills for `joined` alone, which can be tiles in shared memory.
  std::vector<uint32_t> findTiles(const format::LaunchT &step, const format::LaunchT &joined,
                                  const ResidentProduct &product) const {
    std::vector<uint32_t> found;
    unsigned bytes = 0;
    for (uint32_t buffer : llvm::ArrayRef(step.buffers).take_back(product.isDense.size())) {
      auto read = static_cast<unsigned>(llvm::count(joined.buffers, buffer));
      unsigned size = product.tileElements * 4; // elements are no wider
      if (read > 0 && uses.lookup(buffer) == 1 + read && bytes + size <= MostTiles &&
          entry.buffers[buffer]->kind == format::BufferKind::Arena) {
        found.push_back(buffer);
        bytes += size;
      }
    }
    return found;
  }

  /// Declares the tiles; from here on arguments are these.
  void writeTiles(const std::vector<uint32_t> &found, const format::LaunchT &launch,
                  const CudaPhase &phase) {
    const ResidentProduct &product = *phase.resident;
    unsigned place = 0;
    for (uint32_t buffer : found) {
      auto argument =
          static_cast<size_t>(llvm::find(launch.buffers, buffer) - launch.buffers.begin());
      std::string type = phase.parameters[argument];
      tiles[buffer] = fmt::format("tile{}", buffer);
      line("  const TileOf<{}, {}, {}> tile{}(tiles + {}, block, {});", product.tile,
           type.substr(0, type.rfind(" *")), product.columns, buffer, place, product.rows);
      place += product.tileElements * 4;
    }
    mostTiles = std::max(mostTiles, place);
  }

  /// What a step's function is called with, behind its own first parameters.
  std::string argumentsOf(const format::LaunchT &launch, const CudaPhase &phase) {
    std::string arguments;
    size_t position = 0;
    for (uint32_t buffer : launch.buffers) {
      const std::string &type = phase.parameters[position++];
      auto tile = tiles.find(buffer);
      arguments += tile != tiles.end() ? ", " + tile->second
                                       : fmt::format(", ({}){}", type, pointer(buffer));
    }
    symbolTypes.assign(phase.parameters.begin() + static_cast<ptrdiff_t>(position),
                       phase.parameters.end());
    for (size_t i = 0; i < entry.dims.size(); ++i)
      arguments += fmt::format(", d{}", i);
    return arguments;
  }

  /// Null if the step cannot be part of the kernel.
  const CudaPhase *use(const LoopStep &step) {
    const CudaPhase *phase = step.phase;
    if (!phase || (threads && phase->threads != threads)) {
      isPossible = false;
      return nullptr;
    }
    threads = phase->threads;
    for (const std::string &header : phase->headers)
      if (!llvm::is_contained(headers, header))
        headers.push_back(header);
    return phase;
  }

  void writeLaunch(const format::StepT &step, const format::LaunchT &launch,
                   const format::StepT *joined) {
    LoopStep known = stepOf(step);
    const CudaPhase *phase = use(known);
    if (!phase)
      return;
    std::string name = functionOf(*phase), arguments = argumentsOf(launch, *phase);
    size_t grid = placeIn(grids, known.grid);
    line("for (unsigned block = blockIdx.x; block < g{}; block += gridDim.x) {{", grid);
    if (joined)
      writeTiles(findTiles(launch, *joined->what.AsLaunch(), *phase->resident), launch, *phase);
    if (phase->resident)
      writeResident({phase, name, arguments, 0, grid}, argumentsOf(launch, *phase));
    else if (phase->reads)
      line("  {}(block * {}ll + threadIdx.x{});", name, threads, arguments);
    else
      line("  {}(block{});", name, arguments);
    line("  barrier();");
    if (joined)
      writeJoined(*phase->resident, *joined);
    tiles.clear();
    line("}}");
  }

  /// Weights stay if every block has one tile at most.
  void writeResident(Resident resident, const std::string &arguments) {
    const ResidentProduct &product = *resident.phase->resident;
    mostSums = std::max(mostSums, product.sumBytes);
    resident.place = weightBytes;
    weightBytes += product.weightBytes;
    line("  if (g{} > gridDim.x)", resident.grid);
    line("    {}<true>({}block{});", resident.name, memoryOf(resident), resident.arguments);
    line("  {}<false>({}block{});", resident.name, memoryOf(resident), arguments);
    residents.push_back(std::move(resident));
  }

  static std::string memoryOf(const Resident &resident) {
    return fmt::format("weights + {}, sums, ", resident.place);
  }

  void writeJoined(const ResidentProduct &product, const format::StepT &step) {
    const CudaPhase *phase = use(stepOf(step));
    if (!phase)
      return;
    line("  eachOfTile<{}, {}>(block, {}, {}, [&](long long thread) {{", product.tile,
         phase->reads->width, product.rows, phase->reads->units);
    line("    {}(thread{});", functionOf(*phase), argumentsOf(*step.what.AsLaunch(), *phase));
    line("  }});");
    line("  barrier();");
  }

  /// What is done before the first iteration.
  std::string preparations() const {
    if (residents.empty())
      return "";
    std::string text = "  float *const sums = dynamicShared<float>();\n";
    text += fmt::format("  char *const tiles = dynamicShared<char>() + {};\n", mostSums);
    text +=
        fmt::format("  char *const weights = dynamicShared<char>() + {};\n", mostSums + mostTiles);
    for (size_t i = 0; i < entry.dims.size(); ++i)
      if (entry.dims[i]->kind == format::SymbolKind::Size)
        text += fmt::format("  const long long n{0} = d{0};\n", i);
    for (const Resident &resident : residents)
      text += fmt::format("  if (g{0} <= gridDim.x && blockIdx.x < g{0})\n    {1}<true>({2}"
                          "blockIdx.x{3});\n",
                          resident.grid, resident.name, memoryOf(resident), resident.arguments);
    return text;
  }

  std::string functionOf(const CudaPhase &phase) {
    auto [place, isNew] = names.try_emplace(phase.function, fmt::format("step{}", names.size()));
    if (isNew) {
      shared += phase.staticShared;
      if (!phase.templateParameters.empty())
        functions += fmt::format("template <{}>\n", fmt::join(phase.templateParameters, ", "));
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
  LoopMemory memory;
  std::vector<Resident> residents;
  unsigned depth = 1, shared = 0;
  unsigned weightBytes = 0, mostSums = 0, mostTiles = 0; ///< dynamic shared memory
  llvm::DenseMap<uint32_t, unsigned> uses;               ///< how often the loop names a buffer
  std::map<uint32_t, std::string> tiles;                 ///< instead of buffers, in a joined step
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
  loop.shared_bytes = writer.dynamicShared();
  return writer.source(symbol, title);
}

} // namespace nnc::codegen
