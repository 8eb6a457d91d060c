//===- PartsKernel.cpp - Several kernels in one launch ----------------------------------------===//
#include "codegen/cuda/PartsKernel.h"

#include "codegen/cuda/ScalarOps.h"
#include "codegen/cuda/Schedule.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/StringMap.h"

#include <fmt/format.h>

using namespace mlir;

namespace nnc::codegen {
namespace {

class PartsWriter {
public:
  explicit PartsWriter(ArrayRef<KernelBody> parts) : parts(parts) {}

  Result<PartsKernel> write(const std::string &symbol) {
    for (const KernelBody &part : parts)
      numOperands += part.block->getNumArguments();
    for (const KernelBody &part : parts)
      if (Result<void> done = add(part); !done)
        return done.error();
    kernel.source = "#include \"prelude.cuh\"\n#include \"parts.cuh\"\n\n" + functions + table() +
                    signature(symbol) + cases() + "}\n";
    kernel.tactic = fmt::format("{} parts, {} functions", parts.size(), users.size());
    return std::move(kernel);
  }

private:
  Result<void> add(const KernelBody &part) {
    Result<Scheduled> scheduled = schedulePart(part);
    if (!scheduled)
      return scheduled.error();
    Result<std::string> parameters = declareBuffers(part);
    if (!parameters)
      return parameters.error();
    std::string text = *parameters + scheduled->statements;
    auto [known, isNew] = numbers.try_emplace(withoutComments(text), users.size());
    if (isNew)
      addFunction(part, text);
    ++users[known->second];
    kernel.threads = scheduled->threads;
    int64_t blocks = IndexMath(part.op->getContext(), {}).constantOf(scheduled->blocks).value_or(0);
    rows += fmt::format("    {{{}, {}, {}, {}, {}}},\n", kernel.blocks, scheduled->partThreads,
                        known->second, operands, numOperands + results);
    kernel.blocks += blocks;
    operands += part.block->getNumArguments();
    results += part.resultDims.size();
    return {};
  }

  void addFunction(const KernelBody &part, const std::string &text) {
    functions +=
        fmt::format("{}{} {}\nNNC_INLINE void part{}(const unsigned blockId, const int "
                    "count, void *const *in, void *const *out) {{\n  using Index = int;\n",
                    CommentMark, part.name, describeLocation(part.op->getLoc()), users.size());
    functions += indented(text) + "}\n\n";
    users.push_back(0);
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
    return fmt::format("NNC_CONSTANT Part parts[{}] = {{\n{}}};\n\n", parts.size(), rows);
  }

  std::string signature(const std::string &symbol) const {
    std::string text = fmt::format(
        "extern \"C\" __global__ void __launch_bounds__({}) {}(\n    NNC_TABLE({}) table",
        kernel.threads, symbol, numOperands + results);
    for (auto [i, type] : llvm::enumerate(parts.front().scalarTypes))
      text +=
          fmt::format(",\n    {}d{}", type ? "const " + *typeText(type) + " *" : "long long ", i);
    return text + ") {\n  letNextStart();\n";
  }

  std::string cases() const {
    std::string text = "  const Part part = parts[partOf(parts, blockIdx.x)];\n"
                       "  const unsigned blockId = blockIdx.x - part.first;\n"
                       "  void *const *in = table.at + part.operands;\n"
                       "  void *const *out = table.at + part.results;\n"
                       "  switch (part.what) {\n";
    for (size_t i = 0; i < users.size(); ++i)
      text +=
          fmt::format("  case {0}: // of {1}\n    return part{0}(blockId, part.count, in, out);\n",
                      i, users[i]);
    return text + "  }\n";
  }

  ArrayRef<KernelBody> parts;
  PartsKernel kernel;
  std::string functions, rows;
  llvm::StringMap<size_t> numbers;                   ///< of functions, by their text
  std::vector<size_t> users;                         ///< parts, by function
  size_t numOperands = 0, operands = 0, results = 0; ///< numOperands: of all parts; else so far
};

} // namespace

Result<PartsKernel> emitParts(ArrayRef<KernelBody> parts, const std::string &symbol) {
  return PartsWriter(parts).write(symbol);
}

} // namespace nnc::codegen
