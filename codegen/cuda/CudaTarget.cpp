//===- CudaTarget.cpp - From kernels to CUDA source -------------------------------------------===//
//
// Chooses a schedule by the kernel's anchor, puts the signature around what it writes, and gives
// equal texts one symbol.
//
//===------------------------------------------------------------------------------------------===//
#include "codegen/cuda/CudaTarget.h"

#include "codegen/cuda/PartsKernel.h"
#include "codegen/cuda/ScalarOps.h"
#include "codegen/cuda/Schedule.h"
#include "ir/KernelAttrs.h"
#include "ir/NNOps.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace nnc::codegen {
namespace {

/// Stands for the symbol until it is known whether the text is new.
constexpr const char *SymbolMark = "@symbol@";

Result<Scheduled> schedule(const KernelBody &body) {
  if (body.anchor == "attention")
    return scheduleAttention(body);
  if (body.anchor == "attention_grad")
    return scheduleAttentionGrad(body);
  if (body.anchor == "scatter")
    return scheduleScatter(body);
  if (body.anchor == "contraction")
    if (Result<Scheduled> scheduled = scheduleVectors(body))
      return scheduled;
  bool isProduct = body.anchor == "contraction" || body.anchor == "convolution";
  if (isProduct)
    if (Result<Scheduled> scheduled = scheduleContraction(body))
      return scheduled;
  // A convolution that is no product of matrices sums few elements per result, and neighbouring
  // threads read neighbouring ones.
  if (body.anchor == "convolution")
    return schedulePointwise(body);
  if (body.anchor == "reduction")
    if (Result<Scheduled> scheduled = scheduleColumns(body))
      return scheduled;
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

/// One parameter of a kernel.
struct Parameter {
  std::string type, name, comment;
  bool isOwn = true; ///< no other parameter is the same memory
};

/// Operands, results, then the symbols.
Result<std::vector<Parameter>> parametersOf(const KernelBody &body) {
  IndexMath math(body.op->getContext(), body.symbolRanges);
  std::vector<Parameter> parameters;
  bool isTyped = true;
  auto addTensor = [&](Type type, const IndexList &dims, const std::string &prefix,
                       const std::string &name, bool isOwn) {
    std::optional<std::string> text = typeText(getElementTypeOrSelf(type));
    isTyped &= text.has_value();
    parameters.push_back(
        {prefix + text.value_or("") + " *", name, typeComment(body, type, dims, math), isOwn});
  };
  for (auto [i, argument] : llvm::enumerate(body.block->getArguments()))
    addTensor(argument.getType(), body.argumentDims[i], "const ", "in" + std::to_string(i),
              !llvm::is_contained(body.inPlace, int64_t(i)));
  for (auto [i, type] : llvm::enumerate(body.block->getTerminator()->getOperandTypes()))
    addTensor(type, body.resultDims[i], "", "out" + std::to_string(i), body.inPlace[i] < 0);
  for (auto [i, name] : llvm::enumerate(body.dimNames)) {
    Type scalar = body.scalarTypes[i];
    parameters.push_back({scalar ? "const " + *typeText(scalar) + " *" : "long long ",
                          "d" + std::to_string(i), name});
  }
  if (!isTyped)
    return unsupportedElement(body);
  return parameters;
}

/// What a kernel that starts early reads changes while it waits. If the pointers to it said
/// `__restrict__`, it would be read by loads that may be moved to before the wait (`ld.global.nc`),
/// and are.
std::string signature(const std::vector<Parameter> &parameters, const Scheduled &scheduled,
                      bool startsEarly) {
  std::string comments, list;
  for (const Parameter &parameter : parameters) {
    bool isPointer = parameter.type.back() == '*', isRead = parameter.type.starts_with("const ");
    bool isRestricted = isPointer && parameter.isOwn && !(startsEarly && isRead);
    list += (list.empty() ? "\n    " : ",\n    ") + parameter.type +
            (isRestricted ? "__restrict__ " : "") + parameter.name;
    bool isSymbol = parameter.name.front() == 'd';
    comments += CommentMark +
                (isSymbol ? "n" + parameter.name.substr(1) + " = " : parameter.name + ": ") +
                parameter.comment + "\n";
  }
  for (size_t i = 0; i < scheduled.maps.size(); ++i)
    list += ",\n    NNC_MAP_PARAMETER map" + std::to_string(i);
  if (scheduled.scratch)
    list += ",\n    unsigned *scratch,\n    unsigned *arrivals";
  std::string cluster =
      scheduled.cluster > 1 ? "NNC_CLUSTER(" + std::to_string(scheduled.cluster) + ") " : "";
  unsigned resident = scheduled.persists ? scheduled.persists : scheduled.together;
  return comments + "extern \"C\" __global__ void __launch_bounds__(" +
         std::to_string(scheduled.threads) + (resident ? ", " + std::to_string(resident) : "") +
         ") " + cluster + SymbolMark + "(" + list + ") {\n";
}

/// The symbols as the statements know them.
std::string declareSymbols(const KernelBody &body) {
  std::string text;
  for (size_t i = 0; i < body.dimNames.size(); ++i)
    text += "  const Index n" + std::to_string(i) + " = (Index)" +
            (body.scalarTypes[i] ? "*d" : "d") + std::to_string(i) + ";\n";
  return text;
}

/// Whether a loop may give a tile in shared memory for a parameter ("in0", "out1", "d2").
bool mayBeTile(StringRef name, const Scheduled &scheduled) {
  size_t number;
  if (scheduled.reads && name.consume_front("in") && !name.getAsInteger(10, number))
    return scheduled.reads->columns[number] > 0;
  if (scheduled.resident && name.consume_front("out") && !name.getAsInteger(10, number))
    return scheduled.resident->isDense[number];
  return false;
}

/// The kernel as a function that a loop calls for each block. Pointers are not `__restrict__`, for
/// what they point to changes from step to step.
std::optional<CudaPhase> phaseOf(const KernelBody &body, const Scheduled &scheduled) {
  Result<std::vector<Parameter>> parameters = parametersOf(body);
  bool knowsItsBlock = scheduled.statements.find("blockIdx") == std::string::npos;
  if (!parameters || !knowsItsBlock || scheduled.threads != body.threads || scheduled.scratch ||
      scheduled.sharedBytes != 0 || scheduled.cluster != 1)
    return std::nullopt;
  CudaPhase phase;
  if (scheduled.resident)
    phase.templateParameters.push_back("bool Prepares");
  std::string list = scheduled.reads ? "const long long threadId" : "const unsigned blockId";
  if (scheduled.resident)
    list = "char *const weights, float *const sums, " + list;
  for (const Parameter &parameter : *parameters) {
    std::string type = parameter.type;
    if (mayBeTile(parameter.name, scheduled)) {
      type = "T_" + parameter.name + " ";
      phase.templateParameters.push_back("class T_" + parameter.name);
    }
    list += ", " + type + parameter.name;
    phase.parameters.push_back(parameter.type);
  }
  phase.function = "(" + list + ") {\n  using Index = " + (fitsInt(body) ? "int" : "long long") +
                   ";\n" + declareSymbols(body) + indented(scheduled.statements) + "}\n";
  phase.headers = scheduled.headers;
  phase.threads = scheduled.threads;
  phase.staticShared = scheduled.resident ? 0 : scheduled.staticShared;
  phase.resident = scheduled.resident;
  phase.reads = scheduled.reads;
  return phase;
}

/// Whether the statements read a symbol that lies in memory.
bool readScalars(const KernelBody &body, const std::string &statements) {
  for (size_t i = 0; i < body.dimNames.size(); ++i)
    if (body.scalarTypes[i] && mentions(statements, "n" + std::to_string(i)))
      return true;
  return false;
}

/// Whether the kernel is launched early only to be there when it may begin. Of few blocks, that is:
/// where more of them stand around waiting, or large ones, they keep the work that follows from
/// being spread evenly.
bool waitsAtOnce(const KernelBody &body, const Scheduled &scheduled) {
  std::optional<int64_t> blocks =
      IndexMath(body.op->getContext(), body.symbolRanges).constantOf(scheduled.blocks);
  bool isTile = llvm::any_of(scheduled.headers, [](const std::string &header) {
    return header == "tiles.cuh" || header == "gemm.cuh" || header == "direct.cuh";
  });
  return !scheduled.waits && !isTile && blocks && *blocks <= FewBlocks;
}

bool startsEarly(const KernelBody &body, const Scheduled &scheduled) {
  return waitsAtOnce(body, scheduled) ||
         (scheduled.waits && !readScalars(body, scheduled.statements));
}

/// The generated part, with SymbolMark for the symbol.
Result<std::string> sourceOf(const KernelBody &body, const Scheduled &scheduled) {
  Result<std::vector<Parameter>> parameters = parametersOf(body);
  if (!parameters)
    return parameters.error();
  std::string source = "#include \"prelude.cuh\"\n";
  for (const std::string &header : scheduled.headers)
    source += "#include \"" + header + "\"\n";
  source += "\nusing Index = " + std::string(fitsInt(body) ? "int" : "long long") + ";\n\n";
  source += CommentMark + body.name + " " + describeLocation(body.op->getLoc()) + "\n" +
            signature(*parameters, scheduled, startsEarly(body, scheduled));
  source += "  letNextStart();\n";
  if (waitsAtOnce(body, scheduled))
    source += "  waitForKernels();\n";
  source += "  const unsigned blockId = blockIdx.x;\n" + declareSymbols(body);
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

/// The outermost scan around a kernel; null if there is none.
Operation *loopOf(nn::KernelOp kernel) {
  Operation *found = nullptr;
  for (Operation *op = kernel->getParentOp(); isa_and_nonnull<nn::ScanOp>(op);
       op = op->getParentOp())
    found = op;
  return found;
}

/// What the kernels of a loop have in common.
struct LoopShare {
  unsigned threads = 0;   ///< of a block: as many as the one needs that needs most
  unsigned products = 0;  ///< that share the memory for weights that stay
  bool hasOthers = false; ///< products that declare memory of their own
};

llvm::DenseMap<Operation *, LoopShare> sharesOfLoops(ArrayRef<nn::KernelOp> kernels,
                                                     ArrayRef<Scheduled> scheduled) {
  constexpr unsigned OnTensorCores = 256;
  llvm::DenseMap<Operation *, LoopShare> shares;
  for (auto [i, alone] : llvm::enumerate(scheduled)) {
    nn::KernelOp kernel = kernels[i];
    if (Operation *loop = loopOf(kernel)) {
      LoopShare &share = shares[loop];
      if (kernel.getAnchor() != "contraction" && kernel.getAnchor() != "convolution")
        continue;
      share.threads = std::max(share.threads, alone.threads);
      if (llvm::is_contained(alone.headers, "mma.cuh")) {
        share.threads = std::max(share.threads, OnTensorCores);
        ++share.products;
      } else {
        share.hasOthers = true;
      }
    }
  }
  for (auto &[loop, share] : shares)
    share.threads = share.threads ? share.threads : 256;
  return shares;
}

/// Symbols that count the iterations of a scan around the kernel.
std::vector<unsigned> loopCountersOf(nn::KernelOp kernel) {
  std::vector<unsigned> counters;
  for (Operation *op = kernel->getParentOp(); isa_and_nonnull<nn::ScanOp>(op);
       op = op->getParentOp())
    counters.push_back(static_cast<unsigned>(cast<nn::ScanOp>(op).getCounter()));
  return counters;
}

/// Into how many equal parts of its rows the elementwise kernel behind a product cuts its result,
/// of which it reads the same place in each.
unsigned partsBehind(nn::KernelOp kernel, unsigned threads) {
  auto next = dyn_cast_if_present<nn::KernelOp>(kernel->getNextNode());
  if (!next || next.getAnchor() != "pointwise")
    return 1;
  KernelBody body = describeKernel(next);
  body.threads = threads;
  Result<Scheduled> scheduled = schedulePointwise(body);
  if (!scheduled || !scheduled->reads)
    return 1;
  const ElementReads &reads = *scheduled->reads;
  for (auto [operand, columns] : llvm::zip(next.getOperands(), reads.columns))
    if (operand.getDefiningOp() == kernel.getOperation() && columns % reads.units == 0)
      return std::max<unsigned>(1, static_cast<unsigned>(columns / reads.units));
  return 1;
}

/// The kernel as a part of its loop's.
KernelBody describePhase(nn::KernelOp kernel, const LoopShare &share) {
  KernelBody body = describeKernel(kernel);
  body.threads = share.threads;
  Region *outside = loopOf(kernel)->getParentRegion();
  for (Value operand : kernel.getOperands())
    body.isInvariant.push_back(!outside->isProperAncestor(operand.getParentRegion()));
  body.loopCounters = loopCountersOf(kernel);
  if (share.products > 0)
    body.residentBytes = (MostResident - (share.hasOthers ? 48 << 10 : 0)) / share.products;
  body.parts = partsBehind(kernel, share.threads);
  return body;
}

/// `kernels` in one launch, with SymbolMark for the symbol.
Result<CudaKernel> emitTogether(ArrayRef<nn::KernelOp> kernels) {
  std::vector<KernelBody> parts;
  llvm::append_range(parts, llvm::map_range(kernels, describeKernel));
  Result<PartsKernel> written = emitParts(parts, SymbolMark);
  if (!written)
    return written.error();
  CudaKernel kernel;
  kernel.source = std::move(written->source);
  kernel.block = {written->threads, 1, 1};
  kernel.tactic = std::move(written->tactic);
  kernel.hasTable = true;
  kernel.startsEarly = written->startsEarly;
  MLIRContext *context = parts.front().op->getContext();
  auto constant = [&](int64_t number) {
    return AffineMap::get(0, parts.front().dimNames.size(),
                          {getAffineConstantExpr(number, context)}, context);
  };
  kernel.grid = constant(written->blocks);
  if (written->scratch)
    kernel.scratch = constant(written->scratch);
  return kernel;
}

/// The kernels at the front of `kernels` that are launched together.
ArrayRef<nn::KernelOp> partsOfLaunch(ArrayRef<nn::KernelOp> kernels) {
  return kernels.take_while(
      [&](nn::KernelOp kernel) { return nn::areLaunchedTogether(kernels.front(), kernel); });
}

Result<CudaKernel> emitAlone(nn::KernelOp op, const Scheduled &scheduled) {
  KernelBody body = describeKernel(op);
  Result<std::string> source = sourceOf(body, scheduled);
  if (!source)
    return source.error();
  CudaKernel kernel;
  kernel.source = std::move(*source);
  kernel.block = {scheduled.threads, 1, 1};
  kernel.sharedBytes = scheduled.sharedBytes;
  kernel.tactic = scheduled.tactic;
  kernel.sharedElsewhere = scheduled.sharedElsewhere;
  kernel.persists = scheduled.persists;
  kernel.startsEarly = startsEarly(body, scheduled);
  kernel.grid = AffineMap::get(0, body.dimNames.size(), {scheduled.blocks}, op.getContext());
  kernel.maps = scheduled.maps;
  if (scheduled.scratch)
    kernel.scratch = AffineMap::get(0, body.dimNames.size(), {scheduled.scratch}, op.getContext());
  return kernel;
}

/// Gives equal texts, but for comments, one symbol.
class KnownKernels {
public:
  CudaKernel add(CudaKernel kernel, const std::string &name) {
    auto [place, isNew] = known.try_emplace(withoutComments(kernel.source));
    if (isNew) {
      place->second = kernel;
      place->second.symbol = makeSymbol(name, taken);
      replaceAll(place->second.source, SymbolMark, place->second.symbol);
    }
    // The same text may run on another number of blocks only if sizes are equal; still, per kernel.
    CudaKernel result = place->second;
    result.grid = kernel.grid;
    result.scratch = kernel.scratch;
    result.maps = std::move(kernel.maps);
    return result;
  }

private:
  llvm::StringMap<CudaKernel> known; ///< by text without comments and without the symbol
  llvm::StringSet<> taken;
};

} // namespace

Result<std::vector<CudaKernel>> emitCuda(ArrayRef<nn::KernelOp> kernels,
                                         const CudaOptions &options) {
  std::vector<CudaKernel> result;
  KnownKernels known;
  std::vector<Scheduled> all;
  for (nn::KernelOp kernel : kernels) {
    KernelBody body = describeKernel(kernel);
    body.tactics = loopOf(kernel) ? nullptr : options.tactics; // those of a loop suit each other
    Result<Scheduled> scheduled = kernel->hasAttr(nn::kLaunchAttr) ? Scheduled() : schedule(body);
    if (!scheduled)
      return scheduled.error();
    all.push_back(std::move(*scheduled));
  }
  llvm::DenseMap<Operation *, LoopShare> shares = sharesOfLoops(kernels, all);
  for (auto [i, scheduled] : llvm::enumerate(all)) {
    nn::KernelOp kernel = kernels[i];
    if (i > 0 && nn::areLaunchedTogether(kernels[i - 1], kernel)) {
      result.push_back(result.back());
      continue;
    }
    bool isLaunch = kernel->hasAttr(nn::kLaunchAttr);
    Result<CudaKernel> emitted = isLaunch ? emitTogether(partsOfLaunch(kernels.drop_front(i)))
                                          : emitAlone(kernel, scheduled);
    if (!emitted)
      return emitted.error();
    result.push_back(known.add(std::move(*emitted), kernel.getKernelName().str()));
    if (Operation *loop = loopOf(kernel)) {
      KernelBody body = describePhase(kernel, shares[loop]);
      if (Result<Scheduled> step = schedule(body)) {
        result.back().phase = phaseOf(body, *step);
        result.back().phaseGrid =
            AffineMap::get(0, body.dimNames.size(), {step->blocks}, kernel.getContext());
      }
    }
  }
  return result;
}

} // namespace nnc::codegen
