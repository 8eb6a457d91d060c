// From the front end's dimensions, elements and spans to the IR's types and locations.
#include "frontend/Context.h"

#include "frontend/DimAffine.h"
#include "ir/Dims.h"
#include "mlir/IR/AffineMap.h"
#include "mlir/IR/Location.h"

#include <algorithm>
#include <fmt/format.h>

namespace nnc::frontend {

mlir::Location Context::location(syntax::Span span) const {
  mlir::MLIRContext *mlir = builder.getContext();
  mlir::Location place = mlir::UnknownLoc::get(mlir);
  if (span.isValid()) {
    syntax::LineCol at = sources.lineCol(span);
    place = mlir::FileLineColLoc::get(mlir, sources.name(span.file), at.line, at.col);
  }
  if (opName.empty())
    return place;
  return mlir::NameLoc::get(mlir::StringAttr::get(mlir, opName), place);
}

mlir::Type Context::elementType(Element element) {
  if (element == Element::Float)
    element = precision.working;
  switch (element) {
  case Element::Float:
  case Element::F32:
    return builder.getF32Type();
  case Element::F16:
    return builder.getF16Type();
  case Element::BF16:
    return builder.getBF16Type();
  case Element::F8E4M3:
    return builder.getFloat8E4M3FNType();
  case Element::F8E5M2:
    return builder.getFloat8E5M2Type();
  case Element::I4:
  case Element::I8:
    return builder.getI8Type();
  case Element::I32:
    return builder.getI32Type();
  case Element::I64:
    return builder.getI64Type();
  case Element::Bool:
    return builder.getI1Type();
  }
  return {};
}

mlir::RankedTensorType Context::tensorType(Element element, std::span<const Dim> shape) {
  llvm::SmallVector<mlir::AffineExpr> dims;
  for (const Dim &dim : shape)
    dims.push_back(toAffine(dim, dimNames, builder.getContext()));
  return nn::getTensorType(dims, elementType(element));
}

/// Whatever the type of a scalar, positions beyond 32 bits are refused by guards.
static constexpr DimInterval kScalarRange{INT32_MIN, INT32_MAX};

Dim Context::runtimeScalar(const std::string &name, SymbolInfo source) {
  if (otherSymbols.try_emplace(name, std::move(source)).second)
    facts.ranges[name] = kScalarRange;
  return Dim::variable(name);
}

void Context::numberSymbols(std::span<const Dim> dims) {
  for (const Dim &dim : dims)
    for (const DimVariable &variable : dim.getVariables())
      if (otherSymbols.count(variable.name) &&
          std::find(dimNames.begin(), dimNames.end(), variable.name) == dimNames.end())
        dimNames.push_back(variable.name);
}

unsigned Context::addLoopSymbol(const Dim &length) {
  auto number = static_cast<unsigned>(dimNames.size());
  dimNames.push_back(fmt::format("scan.{}", number));
  otherSymbols[dimNames.back()] = {nn::SymbolKind::Loop, {}, {}};
  int64_t last = std::max<int64_t>(length.bounds(facts).high, 1) - 1;
  facts.ranges[dimNames.back()] = {0, last};
  return number;
}

std::vector<Dim> Context::storedShape(Element element, std::span<const Dim> shape) {
  std::vector<Dim> stored(shape.begin(), shape.end());
  if (element == Element::I4)
    stored.back() = stored.back().ceilDiv(2);
  return stored;
}

mlir::RankedTensorType Context::storedType(Element element, std::span<const Dim> shape) {
  return tensorType(element, storedShape(element, shape));
}

mlir::AffineMap Context::affineMap(std::span<const Dim> dims) {
  numberSymbols(dims);
  return toAffineMap(dims, dimNames, builder.getContext());
}

} // namespace nnc::frontend
