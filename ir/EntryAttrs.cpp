//===- EntryAttrs.cpp - Attributes of entry functions -----------------------------------------===//
//
// An entry function names its dimensions, gives each a range and lists the guards that the runtime
// checks before a call. Everything that later stages read from these attributes is verified here.
//
//===------------------------------------------------------------------------------------------===//

#include "ir/NNOps.h"

#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;

namespace nnc::nn {

/// One name per dimension.
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

/// One `array<i64: low, high>` per dimension with `0 <= low <= high`.
static LogicalResult verifyRanges(Operation *op, Attribute value) {
  auto ranges = dyn_cast<ArrayAttr>(value);
  if (!ranges || ranges.size() != getNumDims(op))
    return op->emitOpError() << "expected '" << kRangesAttr << "' to have one range for each of "
                             << getNumDims(op) << " dimensions, found " << value;
  for (Attribute attr : ranges) {
    auto range = dyn_cast<DenseI64ArrayAttr>(attr);
    if (!range || range.size() != 2 || range[0] < 0 || range[0] > range[1])
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

/// Tensors have one symbol per dimension of the entry.
static LogicalResult verifyEntryType(FunctionOpInterface function) {
  unsigned expected = getNumDims(function);
  auto agrees = [&](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    unsigned found = tensor ? getNumSymbols(tensor) : 0;
    return tensor && hasValidDims(tensor) && (found == 0 || found == expected);
  };
  for (ArrayRef<Type> types : {function.getArgumentTypes(), function.getResultTypes()})
    for (Type type : types)
      if (!agrees(type))
        return function.emitOpError()
               << "expected an entry of tensors over " << expected << " dimensions, found " << type;
  return success();
}

LogicalResult NNDialect::verifyOperationAttribute(Operation *op, NamedAttribute attribute) {
  StringRef name = attribute.getName();
  auto function = dyn_cast<FunctionOpInterface>(op);
  if (!function && (name == kEntryAttr || name == kPrepareAttr || name == kDimsAttr ||
                    name == kRangesAttr || name == kGuardsAttr))
    return op->emitOpError() << "expected '" << name << "' on a function only";
  if (name == kEntryAttr)
    return verifyEntryType(function);
  if (name == kDimsAttr)
    return verifyDimNames(op, attribute.getValue());
  if (name == kRangesAttr)
    return verifyRanges(op, attribute.getValue());
  if (name == kGuardsAttr)
    return verifyGuards(op, attribute.getValue());
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
