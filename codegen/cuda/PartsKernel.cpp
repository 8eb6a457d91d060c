//===- PartsKernel.cpp - Several kernels in one launch ----------------------------------------===//
#include "codegen/cuda/PartsKernel.h"

#include "codegen/cuda/ScalarOps.h"
#include "codegen/cuda/Schedule.h"
#include "mlir/IR/TypeUtilities.h"
#include "runtime/format/Counters.h"
#include "llvm/ADT/StringMap.h"

#include <fmt/format.h>
#include <set>

using namespace mlir;

namespace nnc::codegen {
namespace {

/// Blocks that share a sum have so much to do that all sums of a launch take a few rounds of a
/// large GPU, but so many elements, or groups of neighbours, for each thread at least.
constexpr int64_t WantedBlocks = 2112, ElementsOfThread = 4;

class PartsWriter {
public:
  explicit PartsWriter(ArrayRef<KernelBody> parts) : parts(parts) {}

  Result<PartsKernel> write(const std::string &symbol) {
    for (const KernelBody &part : parts)
      if (Result<void> done = add(part); !done)
        return done.error();
    placeBlocks();
    kernel.startsEarly = kernel.blocks <= FewBlocks;
    std::string headers = "#include \"prelude.cuh\"\n#include \"parts.cuh\"\n";
    for (const std::string &header : needed)
      headers += "#include \"" + header + "\"\n";
    kernel.source = headers + "\n" + definitions + table() + signature(symbol) + cases() + "}\n";
    kernel.threads = PartThreads;
    kernel.tactic = fmt::format("{} parts, {} functions", parts.size(), functions.size());
    return std::move(kernel);
  }

private:
  struct Function {
    size_t users; ///< parts
    bool isSum;
    std::vector<size_t> symbols; ///< that it reads
  };
  struct Placed {
    size_t function;
    int64_t blocks, threads; ///< threads that have something to do
    bool isSum;              ///< blocks are not counted before all is known
    size_t operands, results;
  };

  Result<void> add(const KernelBody &part) {
    Result<Scheduled> scheduled = schedule(part);
    if (!scheduled)
      return scheduled.error();
    Result<std::string> parameters = declareBuffers(part);
    if (!parameters)
      return parameters.error();
    bool isSum = bool(scheduled->scratch);
    std::string text = *parameters + scheduled->statements;
    std::vector<size_t> symbols;
    for (size_t i = 0; i < part.dimNames.size(); ++i)
      if (mentions(scheduled->statements, "n" + std::to_string(i)))
        symbols.push_back(i);
    auto [known, isNew] = numbers.try_emplace(withoutComments(text), functions.size());
    if (isNew)
      addFunction(part, text, {0, isSum, symbols});
    ++functions[known->second].users;
    needed.insert(scheduled->headers.begin(), scheduled->headers.end());
    IndexMath math(part.op->getContext(), {});
    if (isSum) {
      ++numSums;
      words = std::max(words, math.constantOf(scheduled->scratch).value_or(0));
    }
    int64_t blocks = isSum ? 0 : math.constantOf(scheduled->blocks).value_or(0);
    placed.push_back({known->second, blocks, scheduled->partThreads, isSum, operands, results});
    operands += part.block->getNumArguments();
    results += part.resultDims.size();
    return {};
  }

  /// Reductions that blocks cannot share take one; so do all whose arrivals cannot be counted.
  Result<Scheduled> schedule(const KernelBody &part) const {
    if (part.anchor != "reduction")
      return schedulePart(part);
    if (numSums < format::MaxArrivals)
      if (Result<Scheduled> scheduled = scheduleSumPart(part))
        return scheduled;
    KernelBody body = part;
    body.threads = PartThreads;
    if (Result<Scheduled> scheduled = scheduleRows(body))
      return scheduled;
    return schedulePart(part);
  }

  void placeBlocks() {
    int64_t total = 0;
    for (const Placed &part : placed)
      total += part.isSum ? part.threads : 0;
    int64_t ofBlock = std::max<int64_t>(int64_t{PartThreads} * ElementsOfThread,
                                        llvm::divideCeil(total, WantedBlocks));
    size_t sum = 0;
    for (const Placed &part : placed) {
      int64_t blocks =
          part.isSum ? std::max<int64_t>(1, llvm::divideCeil(part.threads, ofBlock)) : part.blocks;
      std::string row = fmt::format("{{{}, {}, {}, {}, {}}}", kernel.blocks, part.threads,
                                    part.function, part.operands, operands + part.results);
      if (hasSums())
        row = fmt::format("{{{}, {}, {}}}", row, blocks, part.isSum ? sum++ : 0);
      rows += "    " + row + ",\n";
      kernel.blocks += blocks;
    }
    kernel.scratch = hasSums() ? kernel.blocks * words : 0;
  }

  bool hasSums() const { return numSums > 0; }

  void addFunction(const KernelBody &part, const std::string &text, Function function) {
    std::string own =
        function.isSum ? "const int blocks, unsigned *scratch, unsigned *arrivals, " : "";
    for (size_t symbol : function.symbols)
      own += fmt::format("const int n{}, ", symbol);
    definitions += fmt::format(
        "{}{} {}\nNNC_INLINE void part{}(const unsigned blockId, const int "
        "count, {}void *const *in, void *const *out) {{\n  using Index = int;\n",
        CommentMark, part.name, describeLocation(part.op->getLoc()), functions.size(), own);
    definitions += indented(text) + "}\n\n";
    functions.push_back(std::move(function));
  }

  /// Names for the addresses, which may be the same for an operand and a result.
  static Result<std::string> declareBuffers(const KernelBody &part) {
    std::string text;
    auto declare = [&](Type type, const std::string &constant, const std::string &list, size_t i) {
      std::optional<std::string> element = typeText(getElementTypeOrSelf(type));
      text += fmt::format("{0}{1} *const {2}{3} = ({0}{1} *){2}[{3}];\n", constant,
                          element.value_or(""), list, i);
      return element.has_value();
    };
    bool isTyped = true;
    for (auto [i, argument] : llvm::enumerate(part.block->getArguments()))
      isTyped &= declare(argument.getType(), "const ", "in", i);
    for (auto [i, type] : llvm::enumerate(part.block->getTerminator()->getOperandTypes()))
      isTyped &= declare(type, "", "out", i);
    if (!isTyped)
      return unsupportedElement(part);
    return text;
  }

  std::string table() const {
    return fmt::format("NNC_CONSTANT {} parts[{}] = {{\n{}}};\n\n", typeOfPart(), parts.size(),
                       rows);
  }

  const char *typeOfPart() const { return hasSums() ? "SumPart" : "Part"; }

  std::string signature(const std::string &symbol) const {
    std::string text = fmt::format(
        "extern \"C\" __global__ void __launch_bounds__({}) {}(\n    NNC_TABLE({}) table",
        PartThreads, symbol, operands + results);
    for (auto [i, type] : llvm::enumerate(parts.front().scalarTypes))
      text +=
          fmt::format(",\n    {}d{}", type ? "const " + *typeText(type) + " *" : "long long ", i);
    if (hasSums())
      text += ",\n    unsigned *scratch,\n    unsigned *arrivals";
    return text + ") {\n  letNextStart();\n" + (kernel.startsEarly ? "  waitForKernels();\n" : "") +
           declareSymbols();
  }

  /// Those that some part reads.
  std::string declareSymbols() const {
    std::set<size_t> read;
    for (const Function &function : functions)
      read.insert(function.symbols.begin(), function.symbols.end());
    std::string text;
    for (size_t symbol : read)
      text += fmt::format("  const int n{0} = (int){1}d{0};\n", symbol,
                          parts.front().scalarTypes[symbol] ? "*" : "");
    return text;
  }

  std::string cases() const {
    std::string text =
        fmt::format("  const {} part = parts[partOf(parts, blockIdx.x)];\n", typeOfPart()) +
        "  const unsigned blockId = blockIdx.x - part.first;\n"
        "  void *const *in = table.at + part.operands;\n"
        "  void *const *out = table.at + part.results;\n"
        "  switch (part.what) {\n";
    for (auto [i, function] : llvm::enumerate(functions)) {
      std::string own;
      if (function.isSum)
        own = fmt::format("part.blocks, scratch + part.first * {}, arrivals + part.sum, ", words);
      for (size_t symbol : function.symbols)
        own += fmt::format("n{}, ", symbol);
      text += fmt::format(
          "  case {0}: // of {1}\n    return part{0}(blockId, part.count, {2}in, out);\n", i,
          function.users, own);
    }
    return text + "  }\n";
  }

  ArrayRef<KernelBody> parts;
  PartsKernel kernel;
  std::string definitions, rows;
  llvm::StringMap<size_t> numbers; ///< of functions, by their text
  std::vector<Function> functions;
  std::vector<Placed> placed;       ///< by part
  std::set<std::string> needed;     ///< headers
  size_t operands = 0, results = 0; ///< of the parts so far
  size_t numSums = 0;
  int64_t words = 0; ///< of memory of its own that a block of a sum has
};

} // namespace

Result<PartsKernel> emitParts(ArrayRef<KernelBody> parts, const std::string &symbol) {
  return PartsWriter(parts).write(symbol);
}

} // namespace nnc::codegen
