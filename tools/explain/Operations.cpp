#include "tools/explain/Operations.h"

#include "codegen/ElementType.h"
#include "codegen/cuda/KernelBody.h"
#include "ir/Dims.h"
#include "ir/EntryAttrs.h"
#include "ir/NNOps.h"
#include "passes/ModulePath.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Pass/PassManager.h"

#include <algorithm>
#include <fmt/format.h>

using namespace mlir;

namespace nnc::explain {
namespace {

/// "resnet.nn:12:20"; empty if it is not known.
std::string sourceOf(Location location) {
  std::string text;
  location->walk([&](Location inner) {
    auto file = dyn_cast<FileLineColLoc>(inner);
    if (!file)
      return WalkResult::advance();
    text = fmt::format("{}:{}:{}", file.getFilename().str(), file.getLine(), file.getColumn());
    return WalkResult::interrupt();
  });
  return text;
}

/// How the operands lie in memory, as far as the operation says.
std::string layoutOf(Operation *op) {
  if (auto reading = dyn_cast<nn::FusionInterface>(op)) {
    bool isImage = reading.getFusionRole() == nn::FusionRole::Convolution ||
                   reading.getFusionRole() == nn::FusionRole::Window;
    if (isImage)
      return op->hasAttr("channels_last") ? "NHWC" : "NCHW";
  }
  std::string text;
  for (const char *name : {"transpose_a", "transpose_b"})
    if (op->hasAttr(name))
      text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

/// Reads one entry point: first its operations, then, when it is formed, who does them.
class EntryReader {
public:
  explicit EntryReader(func::FuncOp function) : function(function) {
    for (const nn::EntrySymbol &symbol : nn::getEntrySymbols(function))
      sizes.push_back(getAffineConstantExpr(symbol.kind == nn::SymbolKind::Dim ? symbol.high : 0,
                                            function.getContext()));
  }

  void number() {
    function.walk([&](Operation *op) {
      bool isOperation = isa<nn::FusionInterface>(op) && op->getNumOperands() > 0;
      if (!isOperation || op->getNumResults() != 1)
        return;
      numbers[op->getResult(0)] = entry.operations.size();
      op->setAttr(kNumberAttr, Builder(op).getI64IntegerAttr(int64_t(entry.operations.size())));
      entry.operations.push_back(describe(op));
    });
  }

  FormedEntry finish() {
    isDone.resize(entry.operations.size());
    function.walk(
        [&](nn::KernelOp kernel) { entry.kernels[kernel.getKernelName().str()] = read(kernel); });
    function.walk([&](nn::GemmOp gemm) { entry.products.push_back(read(gemm)); });
    for (Formed &product : entry.products)
      addViews(product);
    return std::move(entry);
  }

private:
  ModelOp describe(Operation *op) {
    ModelOp made;
    made.op = op->getName().stripDialect().str();
    made.name = getModulePath(op->getLoc());
    made.location = sourceOf(op->getLoc());
    made.type = typeText(op->getResult(0));
    made.layout = layoutOf(op);
    made.role = nn::stringifyFusionRole(cast<nn::FusionInterface>(op).getFusionRole()).str();
    for (Value operand : op->getOperands())
      if (auto known = numbers.find(operand); known != numbers.end())
        made.inputs.push_back(known->second);
      else if (std::string source = sourceName(operand); !source.empty())
        made.sources.push_back(source);
    return made;
  }

  /// An input or a weight; nothing for numbers.
  std::string sourceName(Value value) {
    if (auto get = value.getDefiningOp<nn::GetOp>())
      return get.getName().str();
    auto argument = dyn_cast<BlockArgument>(value);
    if (!argument || argument.getOwner() != &function.getBody().front())
      return {};
    auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), nn::kNameAttr);
    return name ? name.str() : fmt::format("arg{}", argument.getArgNumber());
  }

  std::string typeText(Value value) {
    auto type = cast<RankedTensorType>(value.getType());
    std::optional<DType> element = codegen::dtypeOf(type.getElementType());
    std::string text;
    for (AffineExpr dim : nn::getDims(type)) {
      std::optional<int64_t> size = nn::getConstant(dim.replaceSymbols(sizes));
      text += fmt::format("{}{}", text.empty() ? "" : ", ", size ? fmt::to_string(*size) : "?");
    }
    return fmt::format("{}[{}]", element ? dtypeName(*element) : "?", text);
  }

  static std::vector<std::string> refusalsOf(Operation *op) {
    std::vector<std::string> texts;
    if (auto refused = op->getAttrOfType<ArrayAttr>("nn.refused"))
      for (Attribute text : refused)
        texts.push_back(cast<StringAttr>(text).str());
    return texts;
  }

  Formed read(nn::KernelOp kernel) {
    Formed formed{kernel.getAnchor().str(), {}, {}, refusalsOf(kernel)};
    for (Operation &op : kernel->getRegion(0).front())
      if (auto number = op.getAttrOfType<IntegerAttr>(kNumberAttr))
        add(unsigned(number.getInt()), formed);
    return formed;
  }

  Formed read(nn::GemmOp gemm) {
    Formed formed{"contraction", layoutOf(gemm), {}, refusalsOf(gemm)};
    if (auto list = gemm->getAttrOfType<ArrayAttr>(kNumberAttr))
      for (Attribute number : list)
        add(unsigned(cast<IntegerAttr>(number).getInt()), formed);
    return formed;
  }

  /// The library reads a bias where the model repeats it.
  void addViews(Formed &product) {
    std::vector<unsigned> views;
    for (unsigned number : product.operations)
      for (unsigned input : entry.operations[number].inputs)
        if (!isDone[input] && entry.operations[input].role == "view")
          views.push_back(input);
    for (unsigned view : views)
      add(view, product);
    std::ranges::sort(product.operations);
  }

  void add(unsigned number, Formed &formed) {
    isDone[number] = true;
    formed.operations.push_back(number);
    if (formed.layout.empty())
      formed.layout = entry.operations[number].layout;
  }

  func::FuncOp function;
  SmallVector<AffineExpr> sizes;
  llvm::DenseMap<Value, unsigned> numbers;
  std::vector<bool> isDone; ///< by number: whether some step computes it
  FormedEntry entry;
};

} // namespace

Result<std::vector<FormedEntry>> formOperations(ModuleOp module, Target target) {
  OwningOpRef<ModuleOp> copy = module.clone();
  std::vector<EntryReader> readers;
  for (auto function : copy->getOps<func::FuncOp>())
    if (function->hasAttr(nn::kEntryAttr))
      readers.emplace_back(function).number();
  std::string report;
  ScopedDiagnosticHandler handler(module.getContext(), [&](Diagnostic &diagnostic) {
    report = diagnostic.str();
    return success();
  });
  PassManager passes(module.getContext());
  passes.addPass(createKernelFormation({target}));
  if (failed(passes.run(*copy)))
    return Error{"internal error: " + report};
  std::vector<FormedEntry> entries;
  for (EntryReader &reader : readers)
    entries.push_back(reader.finish());
  return entries;
}

} // namespace nnc::explain
