//===- EntryAttrs.cpp - Attributes of entry functions -----------------------------------------===//
//
// An entry function names its symbols, gives each a kind and a range and lists the guards that the
// runtime checks before a call. Everything that later stages read from these attributes is verified
// here.
//
//===------------------------------------------------------------------------------------------===//

#include "ir/EntryAttrs.h"
#include "ir/NNOps.h"

#include "mlir/IR/TypeUtilities.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;

namespace nnc::nn {

StringRef stringifySymbolKind(SymbolKind kind) {
  switch (kind) {
  case SymbolKind::Dim:
    return "dim";
  case SymbolKind::Scalar:
    return "scalar";
  case SymbolKind::Loop:
    return "loop";
  }
  llvm_unreachable("unknown kind of symbol");
}

std::optional<SymbolKind> parseSymbolKind(StringRef text) {
  for (SymbolKind kind : {SymbolKind::Dim, SymbolKind::Scalar, SymbolKind::Loop})
    if (stringifySymbolKind(kind) == text)
      return kind;
  return std::nullopt;
}

/// Where the value of a scalar is, and of which type.
static void readSource(Operation *entry, DictionaryAttr source, EntrySymbol &symbol) {
  if (auto input = source.getAs<IntegerAttr>("input")) {
    symbol.input = input.getInt();
    symbol.element =
        getElementTypeOrSelf(cast<FunctionOpInterface>(entry).getArgumentTypes()[input.getInt()]);
  } else if (auto state = source.getAs<FlatSymbolRefAttr>("state")) {
    symbol.state = state.getAttr();
    if (auto global = SymbolTable::lookupNearestSymbolFrom<GlobalOp>(entry, state))
      symbol.element = global.getTensorType().getElementType();
  }
}

SmallVector<EntrySymbol> getEntrySymbols(Operation *entry) {
  SmallVector<EntrySymbol> symbols;
  auto names = entry->getAttrOfType<ArrayAttr>(kDimsAttr);
  auto kinds = entry->getAttrOfType<ArrayAttr>(kKindsAttr);
  auto ranges = entry->getAttrOfType<ArrayAttr>(kRangesAttr);
  auto sources = entry->getAttrOfType<ArrayAttr>(kSourcesAttr);
  for (unsigned i = 0; names && i < names.size(); ++i) {
    EntrySymbol &symbol = symbols.emplace_back();
    symbol.name = cast<StringAttr>(names[i]).getValue();
    if (kinds)
      symbol.kind = *parseSymbolKind(cast<StringAttr>(kinds[i]).getValue());
    if (ranges) {
      ArrayRef<int64_t> ends = cast<DenseI64ArrayAttr>(ranges[i]).asArrayRef();
      symbol.low = ends[0];
      symbol.high = ends[1];
    }
    if (sources)
      readSource(entry, cast<DictionaryAttr>(sources[i]), symbol);
  }
  return symbols;
}

/// One name per symbol.
static LogicalResult verifyDimNames(Operation *op, Attribute value) {
  auto names = dyn_cast<ArrayAttr>(value);
  if (!names || !llvm::all_of(names, llvm::IsaPred<StringAttr>))
    return op->emitOpError() << "expected '" << kDimsAttr << "' to be a list of strings, found "
                             << value;
  return success();
}

static unsigned getNumDims(Operation *op) {
  auto names = op->getAttrOfType<ArrayAttr>(kDimsAttr);
  return names ? names.size() : 0;
}

static SymbolKind getKind(Operation *op, unsigned position) {
  auto kinds = op->getAttrOfType<ArrayAttr>(kKindsAttr);
  return kinds ? *parseSymbolKind(cast<StringAttr>(kinds[position]).getValue()) : SymbolKind::Dim;
}

/// One kind per symbol.
static LogicalResult verifyKinds(Operation *op, Attribute value) {
  auto kinds = dyn_cast<ArrayAttr>(value);
  bool valid = kinds && kinds.size() == getNumDims(op) && llvm::all_of(kinds, [](Attribute attr) {
                 auto kind = dyn_cast<StringAttr>(attr);
                 return kind && parseSymbolKind(kind.getValue());
               });
  if (!valid)
    return op->emitOpError() << "expected '" << kKindsAttr << "' to have one of dim, scalar and "
                             << "loop for each of " << getNumDims(op) << " dimensions, found "
                             << value;
  return success();
}

/// A scalar of i32 or i64 among the arguments, or the name of a global.
static bool isSource(FunctionOpInterface function, DictionaryAttr source) {
  if (auto input = source.getAs<IntegerAttr>("input")) {
    if (input.getInt() < 0 || input.getInt() >= function.getNumArguments())
      return false;
    auto type = dyn_cast<RankedTensorType>(function.getArgumentTypes()[input.getInt()]);
    return type && type.getRank() == 0 &&
           (type.getElementType().isInteger(32) || type.getElementType().isInteger(64));
  }
  return bool(source.getAs<FlatSymbolRefAttr>("state"));
}

/// One dictionary per symbol, of scalars `{input = N}` or `{state = @symbol}`.
static LogicalResult verifySources(FunctionOpInterface function, Attribute value) {
  auto sources = dyn_cast<ArrayAttr>(value);
  if (!sources || sources.size() != getNumDims(function))
    return function.emitOpError() << "expected '" << kSourcesAttr << "' to have one source for "
                                  << "each of " << getNumDims(function) << " dimensions, found "
                                  << value;
  for (auto [position, attr] : llvm::enumerate(sources)) {
    auto source = dyn_cast<DictionaryAttr>(attr);
    bool isScalar = getKind(function, position) == SymbolKind::Scalar;
    if (!source || (isScalar ? !isSource(function, source) : !source.empty()))
      return function.emitOpError()
             << "expected the source " << (isScalar ? "{input = N} or {state = @symbol}" : "{}")
             << " of dimension " << position << ", found " << attr;
  }
  return success();
}

/// One `array<i64: low, high>` per dimension with `low <= high`, not negative for sizes.
static LogicalResult verifyRanges(Operation *op, Attribute value) {
  auto ranges = dyn_cast<ArrayAttr>(value);
  if (!ranges || ranges.size() != getNumDims(op))
    return op->emitOpError() << "expected '" << kRangesAttr << "' to have one range for each of "
                             << getNumDims(op) << " dimensions, found " << value;
  for (auto [position, attr] : llvm::enumerate(ranges)) {
    auto range = dyn_cast<DenseI64ArrayAttr>(attr);
    bool mayBeNegative = getKind(op, position) == SymbolKind::Scalar;
    if (!range || range.size() != 2 || (range[0] < 0 && !mayBeNegative) || range[0] > range[1])
      return op->emitOpError() << "expected a range array<i64: low, high> with 0 <= low <= high, "
                                  "found "
                               << attr;
  }
  return success();
}

static bool isGuard(Operation *op, DictionaryAttr guard) {
  auto map = guard.getAs<AffineMapAttr>("map");
  auto kind = guard.getAs<StringAttr>("kind");
  return map && map.getValue().getNumDims() == 0 && map.getValue().getNumResults() == 1 &&
         map.getValue().getNumSymbols() <= getNumDims(op) && kind &&
         (kind.getValue() == "eq0" || kind.getValue() == "ge0") &&
         guard.getAs<StringAttr>("text") && guard.getAs<StringAttr>("message") &&
         guard.getAs<IntegerAttr>("line");
}

static LogicalResult verifyGuards(Operation *op, Attribute value) {
  auto guards = dyn_cast<ArrayAttr>(value);
  if (!guards)
    return op->emitOpError() << "expected '" << kGuardsAttr << "' to be a list, found " << value;
  for (Attribute attr : guards) {
    auto guard = dyn_cast<DictionaryAttr>(attr);
    if (!guard || !isGuard(op, guard))
      return op->emitOpError() << "expected a guard with map, kind eq0 or ge0, text, message and "
                                  "line, found "
                               << attr;
  }
  return success();
}

/// Tensors mention no symbols but those of the entry.
static LogicalResult verifyEntryType(FunctionOpInterface function) {
  unsigned expected = getNumDims(function);
  auto agrees = [&](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    unsigned found = tensor ? getNumSymbols(tensor) : 0;
    return tensor && hasValidDims(tensor) && found <= expected;
  };
  for (ArrayRef<Type> types : {function.getArgumentTypes(), function.getResultTypes()})
    for (Type type : types)
      if (!agrees(type))
        return function.emitOpError()
               << "expected an entry of tensors over " << expected << " dimensions, found " << type;
  return success();
}

static LogicalResult verifyVariant(Operation *op, Attribute value) {
  if (isa<StringAttr>(value))
    return success();
  return op->emitOpError() << "expected '" << kVariantAttr << "' to name sizes, found " << value;
}

LogicalResult NNDialect::verifyOperationAttribute(Operation *op, NamedAttribute attribute) {
  StringRef name = attribute.getName();
  auto function = dyn_cast<FunctionOpInterface>(op);
  if (!function &&
      (name == kEntryAttr || name == kPrepareAttr || name == kDimsAttr || name == kRangesAttr ||
       name == kGuardsAttr || name == kKindsAttr || name == kSourcesAttr || name == kVariantAttr))
    return op->emitOpError() << "expected '" << name << "' on a function only";
  if (name == kEntryAttr && !isa<UnitAttr, StringAttr>(attribute.getValue()))
    return op->emitOpError() << "expected '" << kEntryAttr
                             << "' to be a unit or the name for callers, found "
                             << attribute.getValue();
  if (name == kEntryAttr)
    return verifyEntryType(function);
  if (name == kDimsAttr)
    return verifyDimNames(op, attribute.getValue());
  if (name == kRangesAttr)
    return verifyRanges(op, attribute.getValue());
  if (name == kKindsAttr)
    return verifyKinds(op, attribute.getValue());
  if (name == kSourcesAttr)
    return verifySources(function, attribute.getValue());
  if (name == kGuardsAttr)
    return verifyGuards(op, attribute.getValue());
  if (name == kVariantAttr)
    return verifyVariant(op, attribute.getValue());
  return success();
}

static LogicalResult verifyName(Operation *op, NamedAttribute attribute) {
  if (attribute.getName() == kNameAttr && !isa<StringAttr>(attribute.getValue()))
    return op->emitOpError() << "expected '" << kNameAttr << "' to be a string, found "
                             << attribute.getValue();
  return success();
}

LogicalResult NNDialect::verifyRegionArgAttribute(Operation *op, unsigned, unsigned,
                                                  NamedAttribute attribute) {
  return verifyName(op, attribute);
}

LogicalResult NNDialect::verifyRegionResultAttribute(Operation *op, unsigned, unsigned,
                                                     NamedAttribute attribute) {
  return verifyName(op, attribute);
}

} // namespace nnc::nn
