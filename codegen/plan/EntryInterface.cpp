#include "codegen/plan/EntryInterface.h"

#include "ir/Dims.h"
#include "ir/EntryAttrs.h"

#include <fmt/format.h>

using namespace mlir;

namespace nnc::codegen {

static void nameEntry(EntryDraft &draft) {
  auto name = draft.function->getAttrOfType<StringAttr>("nn.entry");
  draft.entry->name = (name ? name.getValue() : draft.function.getName()).str();
  if (auto variant = draft.function->getAttrOfType<StringAttr>(nn::kVariantAttr))
    draft.entry->variant = variant.str();
}

//===- Dimensions -----------------------------------------------------------------------------===//

static void setStateSource(EntryDraft &draft, format::DimT &dim, StringRef symbol) {
  auto state = draft.context.states.find(symbol);
  if (state == draft.context.states.end())
    return draft.fail(fmt::format("`{}` is no state", symbol.str()));
  dim.source = format::ScalarSource::State;
  dim.index = state->second;
}

static void addDims(EntryDraft &draft) {
  for (const nn::EntrySymbol &symbol : nn::getEntrySymbols(draft.function)) {
    auto dim = std::make_unique<format::DimT>();
    dim->name = symbol.name.str();
    dim->min = symbol.low;
    dim->max = symbol.high;
    dim->kind = symbol.kind == nn::SymbolKind::Scalar ? format::SymbolKind::Scalar
                : symbol.kind == nn::SymbolKind::Loop ? format::SymbolKind::Loop
                                                      : format::SymbolKind::Size;
    if (symbol.input)
      dim->index = *symbol.input;
    if (symbol.state)
      setStateSource(draft, *dim, symbol.state);
    draft.ranges.push_back({symbol.low, symbol.high});
    draft.entry->dims.push_back(std::move(dim));
  }
}

//===- Guards ---------------------------------------------------------------------------------===//

static std::string textOf(DictionaryAttr dictionary, StringRef key) {
  auto text = dictionary.getAs<StringAttr>(key);
  return text ? text.str() : std::string();
}

static void addGuards(EntryDraft &draft) {
  auto guards = draft.function->getAttrOfType<ArrayAttr>("nn.guards");
  for (Attribute attribute : guards ? guards.getValue() : ArrayRef<Attribute>()) {
    auto dictionary = cast<DictionaryAttr>(attribute);
    auto guard = std::make_unique<format::GuardT>();
    guard->expr = draft.pool.add(dictionary.getAs<AffineMapAttr>("map").getValue().getResult(0));
    guard->kind =
        textOf(dictionary, "kind") == "eq0" ? format::GuardKind::Eq0 : format::GuardKind::Ge0;
    guard->text = textOf(dictionary, "text");
    guard->message = textOf(dictionary, "message");
    guard->location = locationOf(draft.function.getLoc());
    if (auto line = dictionary.getAs<IntegerAttr>("line")) {
      guard->location->line = line.getInt();
      guard->location->column = 0;
    }
    draft.entry->guards.push_back(std::move(guard));
  }
}

//===- Ports ----------------------------------------------------------------------------------===//

static std::unique_ptr<format::PortT> portOf(EntryDraft &draft, Type type,
                                             DictionaryAttr attributes, std::string fallback) {
  auto port = std::make_unique<format::PortT>();
  auto name = attributes ? attributes.getAs<StringAttr>("nn.name") : StringAttr();
  port->name = name ? name.str() : std::move(fallback);
  auto tensor = cast<RankedTensorType>(type);
  port->dtype = uint8_t(draft.elementOf(tensor));
  port->shape = draft.pool.addAll(nn::getDims(tensor));
  return port;
}

static void addPorts(EntryDraft &draft) {
  func::FuncOp function = draft.function;
  for (auto [index, type] : llvm::enumerate(function.getArgumentTypes()))
    draft.entry->inputs.push_back(
        portOf(draft, type, function.getArgAttrDict(index), fmt::format("arg{}", index)));
  for (auto [index, type] : llvm::enumerate(function.getResultTypes()))
    draft.entry->outputs.push_back(
        portOf(draft, type, function.getResultAttrDict(index),
               function.getNumResults() == 1 ? "output" : fmt::format("output{}", index)));
}

void describeInterface(EntryDraft &draft) {
  nameEntry(draft);
  addDims(draft);
  addGuards(draft);
  addPorts(draft);
}

} // namespace nnc::codegen
