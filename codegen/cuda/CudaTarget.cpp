//===- CudaTarget.cpp - From kernels to CUDA source -------------------------------------------===//
//
// Chooses a schedule by the kernel's anchor, puts the signature around what it writes, and gives
// equal texts one symbol.
//
//===------------------------------------------------------------------------------------------===//
#include "codegen/cuda/CudaTarget.h"

#include "codegen/cuda/ScalarOps.h"
#include "codegen/cuda/Schedule.h"
#include "ir/NNOps.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include <sstream>

using namespace mlir;

namespace nnc::codegen {
namespace {

/// Stands for the symbol until it is known whether the text is new.
constexpr const char *SymbolMark = "@symbol@";

Result<Scheduled> schedule(const KernelBody &body) {
  if (body.anchor == "attention")
    return scheduleAttention(body);
  bool isProduct = body.anchor == "contraction" || body.anchor == "convolution";
  if (isProduct)
    if (Result<Scheduled> scheduled = scheduleContraction(body))
      return scheduled;
  // A convolution that is no product of matrices sums few elements per result, and neighbouring
  // threads read neighbouring ones.
  if (body.anchor == "convolution")
    return schedulePointwise(body);
  if (body.anchor == "reduction" || isProduct)
    if (Result<Scheduled> scheduled = scheduleRows(body))
      return scheduled;
  return schedulePointwise(body); // takes whatever can be written at all
}

/// "f32[B, 1, 28, 28]": for comments.
std::string typeComment(const KernelBody &body, Type type, const IndexList &dims,
                        const IndexMath &math) {
  std::string text;
  llvm::raw_string_ostream(text) << getElementTypeOrSelf(type);
  text += "[";
  for (auto [i, dim] : llvm::enumerate(dims))
    text += (i ? ", " : "") + math.text(dim);
  return text + "]";
}

Result<std::string> signature(const KernelBody &body, const Scheduled &scheduled) {
  IndexMath math(body.op->getContext(), body.symbolRanges);
  std::string comments, parameters;
  auto add = [&](const std::string &parameter) {
    parameters += (parameters.empty() ? "\n    " : ",\n    ") + parameter;
  };
  auto addTensor = [&](Type type, const IndexList &dims, const std::string &prefix,
                       const std::string &name) {
    std::optional<std::string> text = typeText(getElementTypeOrSelf(type));
    if (text)
      add(prefix + *text + " *__restrict__ " + name);
    comments += CommentMark + name + ": " + typeComment(body, type, dims, math) + "\n";
    return text.has_value();
  };
  bool isTyped = true;
  for (auto [i, argument] : llvm::enumerate(body.block->getArguments()))
    isTyped &=
        addTensor(argument.getType(), body.argumentDims[i], "const ", "in" + std::to_string(i));
  for (auto [i, type] : llvm::enumerate(body.block->getTerminator()->getOperandTypes()))
    isTyped &= addTensor(type, body.resultDims[i], "", "out" + std::to_string(i));
  for (auto [i, name] : llvm::enumerate(body.dimNames)) {
    add("long long d" + std::to_string(i));
    comments += CommentMark + ("n" + std::to_string(i)) + " = " + name + "\n";
  }
  if (!isTyped)
    return nnc::Error{"kernel \"" + body.name + "\" at " + describeLocation(body.op->getLoc()) +
                      " has an element type that the cuda target does not support"};
  return comments + "extern \"C\" __global__ void __launch_bounds__(" +
         std::to_string(scheduled.threads) + ") " + SymbolMark + "(" + parameters + ") {\n";
}

std::string indented(const std::string &text) {
  std::istringstream lines(text);
  std::string result;
  for (std::string line; std::getline(lines, line);)
    result += "  " + line + "\n";
  return result;
}

/// The generated part, with SymbolMark for the symbol.
Result<std::string> sourceOf(const KernelBody &body, const Scheduled &scheduled) {
  Result<std::string> head = signature(body, scheduled);
  if (!head)
    return head;
  std::string source = "#include \"prelude.cuh\"\n";
  for (const std::string &header : scheduled.headers)
    source += "#include \"" + header + "\"\n";
  source += "\nusing Index = " + std::string(fitsInt(body) ? "int" : "long long") + ";\n\n";
  source += CommentMark + body.name + " " + describeLocation(body.op->getLoc()) + "\n" + *head;
  for (size_t i = 0; i < body.dimNames.size(); ++i)
    source += "  const Index n" + std::to_string(i) + " = (Index)d" + std::to_string(i) + ";\n";
  return source + indented(scheduled.statements) + "}\n";
}

void replaceAll(std::string &text, const std::string &what, const std::string &by) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
}

/// "nnc_conv1": valid in C and no function's name; a number follows if it is taken.
std::string makeSymbol(const std::string &name, llvm::StringSet<> &taken) {
  std::string stem = "nnc_";
  for (char c : name)
    stem += isalnum(static_cast<unsigned char>(c)) ? c : '_';
  std::string symbol = stem;
  for (unsigned i = 2; !taken.insert(symbol).second; ++i)
    symbol = stem + "_" + std::to_string(i);
  return symbol;
}

} // namespace

Result<std::vector<CudaKernel>> emitCuda(ArrayRef<nn::KernelOp> kernels, const CudaOptions &) {
  std::vector<CudaKernel> result;
  llvm::StringMap<CudaKernel> known; // by text without comments and without the symbol
  llvm::StringSet<> taken;
  for (nn::KernelOp kernel : kernels) {
    KernelBody body = describeKernel(kernel);
    Result<Scheduled> scheduled = schedule(body);
    if (!scheduled)
      return scheduled.error();
    Result<std::string> source = sourceOf(body, *scheduled);
    if (!source)
      return source.error();
    auto [place, isNew] = known.try_emplace(withoutComments(*source));
    if (isNew) {
      CudaKernel &emitted = place->second;
      emitted.symbol = makeSymbol(body.name, taken);
      emitted.source = *source;
      replaceAll(emitted.source, SymbolMark, emitted.symbol);
      emitted.block = {scheduled->threads, 1, 1};
      emitted.sharedBytes = scheduled->sharedBytes;
    }
    result.push_back(place->second);
    // The same text may run on another number of blocks only if sizes are equal; still, per kernel.
    result.back().grid =
        AffineMap::get(0, body.dimNames.size(), {scheduled->blocks}, kernel.getContext());
  }
  return result;
}

} // namespace nnc::codegen
