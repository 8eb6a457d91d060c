// The body of an entry point: its signature gives the dimensions, then it is evaluated like any
// other function, except that it reads slots with `nn.get`.
#include "frontend/Entries.h"

#include "frontend/Attributes.h"
#include "ir/NNDialect.h"
#include "llvm/Support/SaveAndRestore.h"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>

namespace nnc::frontend {

bool EntryEmitter::canStandAlone(const syntax::FnStmt &fn) {
  for (const syntax::Formal &formal : fn.params) {
    auto *type = formal.type->as<syntax::TensorType>();
    if (!type && !formal.defaultValue)
      return false;
    if (!type)
      continue;
    auto isPack = [](const syntax::Dim &dim) { return dim.isPack; };
    if (std::any_of(type->dims.begin(), type->dims.end(), isPack))
      return false;
  }
  return takesTensors(fn);
}

//===- Optional inputs ------------------------------------------------------------------------===//

/// An entry point is emitted once for every choice of optional inputs that may be left out: under
/// one name for the caller, who picks by what is given.
static constexpr size_t kMaxOptionalInputs = 3;

std::vector<const syntax::Formal *> EntryEmitter::optionalFormals(const syntax::FnStmt &fn) {
  std::vector<const syntax::Formal *> optional;
  for (const syntax::Formal &formal : fn.params)
    if (auto *type = formal.type->as<syntax::TensorType>();
        type && type->optional && formal.defaultValue)
      optional.push_back(&formal);
  return optional;
}

/// Leaves an optional input out: it is `none`, and the variables that only it has do not exist.
bool EntryEmitter::takeAbsent(const syntax::Formal &formal) {
  std::optional<Value> value = evaluator.eval(*formal.defaultValue);
  if (!value)
    return false;
  if (!value->isNone()) {
    evaluator.error("E0210", formal.defaultValue->span,
                    "an optional input of an entry point is `none` by default");
    return false;
  }
  evaluator.frame->locals.define(formal.name.text, std::move(value));
  return true;
}

/// Whether a guard is about sizes that only inputs which are left out have. What else may be wrong
/// with it is found where they are given.
bool EntryEmitter::isAboutAbsent(const syntax::Guard &guard) {
  std::string_view text = context.sources.text(guard.condition->span);
  auto isWord = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
  for (const syntax::Formal *formal : absent)
    for (const syntax::Dim &dim : formal->type->get<syntax::TensorType>().dims) {
      auto *name = dim.isPack ? nullptr : dim.expr->as<syntax::NameExpr>();
      if (!name || evaluator.isKnown(name->name))
        continue;
      for (size_t at = text.find(name->name); at != text.npos; at = text.find(name->name, at + 1)) {
        size_t end = at + name->name.size();
        if ((at == 0 || !isWord(text[at - 1])) && (end == text.size() || !isWord(text[end])))
          return true;
      }
    }
  return false;
}

std::string EntryEmitter::nameOf(const syntax::FnStmt &fn) const {
  return role.name.empty() ? std::string(fn.name.text) : role.name;
}

std::string EntryEmitter::symbolOf(const syntax::FnStmt &fn) const {
  std::string symbol = nameOf(fn);
  for (const syntax::Formal *formal : absent)
    symbol += fmt::format(" without {}", formal->name.text);
  return symbol;
}

/// What the function may be instead.
static void notePrivate(syntax::Diagnostic &diag, const syntax::FnStmt &fn) {
  diag.note(
      fmt::format("a function whose name begins with `_` is no entry point: `_{}`", fn.name.text));
}

//===- Formals --------------------------------------------------------------------------------===//

bool EntryEmitter::isAbsent(const syntax::Formal &formal) const {
  return std::find(absent.begin(), absent.end(), &formal) != absent.end();
}

bool EntryEmitter::takeBuildTimeFormal(const syntax::FnStmt &fn, const syntax::Formal &formal) {
  if (!formal.defaultValue) {
    syntax::Diagnostic &diag =
        evaluator.error("E0210", formal.span, "an entry point takes tensors")
            .primaryLabel(
                fmt::format("`{}` is a build-time value without a default", formal.name.text));
    notePrivate(diag, fn);
    diag.help("make it a hyperparameter of the model");
    return false;
  }
  std::optional<Value> value = evaluator.eval(*formal.defaultValue);
  Taker taker{Taker::Kind::Annotation, std::string(formal.name.text)};
  std::vector<TensorMatch> tensors;
  if (!value || !evaluator.conform(*formal.type, *value, taker, formal.name.text,
                                   formal.defaultValue->span, tensors))
    return false;
  evaluator.frame->locals.define(formal.name.text, std::move(value));
  return true;
}

/// The variables of a signature, in order of appearance, become the dimensions of the entry point.
bool EntryEmitter::collectVariables(const syntax::TensorType &type, syntax::Span span) {
  Frame &frame = *evaluator.frame;
  bool ok = true;
  for (const syntax::Dim &dim : type.dims) {
    auto *name = dim.isPack ? nullptr : dim.expr->as<syntax::NameExpr>();
    if (!name || evaluator.isKnown(name->name))
      continue;
    if (!isCapitalised(name->name)) {
      evaluator.evalDim(dim); // says why it is none
      ok = false;
      continue;
    }
    std::string text(name->name);
    frame.boundAt[name->name] = name->span;
    if (auto value = fixed.find(text); value != fixed.end()) {
      used.insert(text);
      frame.locals.define(name->name, Value::integer(value->second));
      continue;
    }
    context.dimNames.push_back(text);
    namedAt.push_back(name->span);
    frame.locals.define(name->name, Value::integer(Dim::variable(std::move(text))));
  }
  return ok;
}

/// An open pack is one axis that prints as the pack does.
void EntryEmitter::openPack(std::string_view name) {
  std::string text = "..." + std::string(name);
  std::vector<Dim> axes{Dim::variable(text)};
  if (!evaluator.frame->packs.try_emplace(name, std::move(axes)).second)
    return;
  if (std::find(open.begin(), open.end(), text) == open.end())
    open.push_back(text);
  context.dimNames.insert(context.dimNames.end() - namedAt.size(), std::move(text));
}

bool EntryEmitter::takeFormals(const syntax::FnStmt &fn) {
  if (!evaluator.mayBindFormals(fn))
    return false;
  bool ok = true;
  for (const syntax::Formal &formal : fn.params) {
    auto *type = formal.type->as<syntax::TensorType>();
    if (!type || isAbsent(formal)) {
      if (!(type ? takeAbsent(formal) : takeBuildTimeFormal(fn, formal)))
        return false;
      continue;
    }
    for (const syntax::Dim &dim : type->dims) {
      if (dim.isPack && packsAreOpen) {
        openPack(dim.packName.text);
      } else if (dim.isPack) {
        syntax::Diagnostic &diag = evaluator.error(
            "E0210", dim.span, "an input of an entry point has a fixed number of axes");
        notePrivate(diag, fn);
        diag.help("write its axes out: `float[B, T, 64]`");
        return false;
      }
    }
    if (type->elem == Element::I4) {
      evaluator.refuse(formal.type->span, fmt::format("inputs of {} are not supported yet",
                                                      syntax::spelling(type->elem)));
      return false;
    }
    ok &= collectVariables(*type, formal.span);
  }
  return ok;
}

//===- Emission -------------------------------------------------------------------------------===//

bool EntryEmitter::makeArguments(const syntax::FnStmt &fn, mlir::func::FuncOp func) {
  mlir::Block &block = func.getBody().front();
  for (const syntax::Formal &formal : fn.params) {
    auto *type = formal.type->as<syntax::TensorType>();
    if (!type || isAbsent(formal))
      continue;
    std::optional<std::vector<Dim>> shape = evaluator.evalShape(*type);
    if (!shape)
      return false;
    TensorValue tensor;
    tensor.element = type->elem;
    tensor.shape = std::move(*shape);
    tensor.origin = formal.name.span;
    if (auto scalar = scalars.find(formal.name.text); scalar != scalars.end())
      tensor.scalar = scalar->second;
    tensor.value =
        block.addArgument(context.tensorType(tensor), context.location(formal.name.span));
    evaluator.frame->locals.define(formal.name.text, Value::tensor(std::move(tensor)),
                                   formal.name.span);
  }
  return true;
}

/// The ABI names of results: as declared, or `output`, `output1`, ...
std::vector<std::string> EntryEmitter::resultNames(const syntax::FnStmt &fn, size_t count) const {
  std::vector<std::string> names;
  for (size_t i = 0; i < count; ++i) {
    if (i < fn.results.size() && !fn.results[i].name.isEmpty())
      names.emplace_back(fn.results[i].name.text);
    else
      names.push_back(i == 0 ? role.result : fmt::format("output{}", i));
  }
  return names;
}

/// Names, ranges and, unless all are dimensions, kinds and sources of the symbols.
void EntryEmitter::setSymbols(mlir::func::FuncOp func) {
  mlir::OpBuilder &builder = context.builder;
  llvm::SmallVector<mlir::Attribute> names, ranges, kinds, sources;
  bool haveOthers = false;
  for (const std::string &name : context.dimNames) {
    DimInterval range = context.facts.ranges[name];
    names.push_back(builder.getStringAttr(name));
    ranges.push_back(builder.getDenseI64ArrayAttr({range.low, range.high}));
    auto other = context.otherSymbols.find(name);
    bool isOther = other != context.otherSymbols.end();
    haveOthers |= isOther;
    SymbolInfo info = isOther ? other->second : SymbolInfo{nn::SymbolKind::Dim};
    kinds.push_back(builder.getStringAttr(nn::stringifySymbolKind(info.kind)));
    llvm::SmallVector<mlir::NamedAttribute> source;
    if (info.input)
      source.push_back(builder.getNamedAttr("input", builder.getI64IntegerAttr(*info.input)));
    if (!info.state.empty())
      source.push_back(builder.getNamedAttr(
          "state", mlir::FlatSymbolRefAttr::get(builder.getContext(), info.state)));
    sources.push_back(builder.getDictionaryAttr(source));
  }
  func->setAttr(nn::kDimsAttr, builder.getArrayAttr(names));
  func->setAttr(nn::kRangesAttr, builder.getArrayAttr(ranges));
  if (!haveOthers)
    return;
  func->setAttr(nn::kKindsAttr, builder.getArrayAttr(kinds));
  func->setAttr(nn::kSourcesAttr, builder.getArrayAttr(sources));
}

void EntryEmitter::setAttributes(const syntax::FnStmt &fn, mlir::func::FuncOp func,
                                 const std::string &variant) {
  mlir::OpBuilder &builder = context.builder;
  auto text = [&](const std::string &value) { return builder.getStringAttr(value); };
  llvm::SmallVector<mlir::Attribute> guards;
  for (const RuntimeGuard &guard : evaluator.guards)
    guards.push_back(builder.getDictionaryAttr(
        {builder.getNamedAttr("map",
                              mlir::AffineMapAttr::get(context.affineMap({&guard.value, 1}))),
         builder.getNamedAttr("kind", text(guard.isEquality ? "eq0" : "ge0")),
         builder.getNamedAttr("text", text(guard.text)),
         builder.getNamedAttr("message", text(guard.message)),
         builder.getNamedAttr("line", builder.getI64IntegerAttr(guard.line))}));
  // The name that callers know it by, where that is not the symbol.
  func->setAttr(nn::kEntryAttr, absent.empty() && variant.empty()
                                    ? mlir::Attribute(builder.getUnitAttr())
                                    : text(nameOf(fn)));
  if (!variant.empty())
    func->setAttr(nn::kVariantAttr, text(variant));
  setSymbols(func);
  if (!guards.empty())
    func->setAttr(nn::kGuardsAttr, builder.getArrayAttr(guards));
  unsigned index = 0;
  for (const syntax::Formal &formal : fn.params)
    if (formal.type->is<syntax::TensorType>() && !isAbsent(formal))
      func.setArgAttr(index++, nn::kNameAttr, text(std::string(formal.name.text)));
  std::vector<std::string> names = resultNames(fn, func.getNumResults());
  for (size_t i = 0; i < names.size(); ++i)
    func.setResultAttr(i, nn::kNameAttr, text(names[i]));
}

/// Whether a value is what an entry point may return: tensors.
static bool isTensorResult(const Value &value) {
  if (value.isTensor())
    return true;
  if (!value.is<TupleValue>())
    return false;
  return std::all_of(value.elements().begin(), value.elements().end(),
                     [](const Value &element) { return element.isTensor(); });
}

bool EntryEmitter::emit(Instance &root, const syntax::FnStmt &fn, const std::string &variant) {
  std::vector<const syntax::Formal *> optional = optionalFormals(fn);
  if (optional.size() > kMaxOptionalInputs) {
    evaluator.refuse(optional[kMaxOptionalInputs]->span,
                     fmt::format("more than {} optional inputs of an entry point are not supported "
                                 "yet",
                                 kMaxOptionalInputs));
    return false;
  }
  bool wasQuiet = quiet, ok = true;
  isVariant = !variant.empty();
  seenDims.clear();
  for (unsigned choice = 0; choice < 1u << optional.size() && ok; ++choice) {
    absent.clear();
    for (size_t i = 0; i < optional.size(); ++i)
      if (choice >> i & 1)
        absent.push_back(optional[i]);
    ok = emitVariant(root, fn, variant);
    seenDims.insert(context.dimNames.begin(), context.dimNames.end());
    quiet = true; // all that there is to warn about has been
  }
  quiet = wasQuiet;
  absent.clear();
  return ok;
}

bool EntryEmitter::emitVariant(Instance &root, const syntax::FnStmt &fn,
                               const std::string &variant) {
  evaluator.startEntry();
  evaluator.guards.clear();
  context.facts = {};
  context.dimNames = open;
  context.otherSymbols.clear();
  context.entryDims.clear();
  scalars.clear();
  namedAt.clear();
  assumed.clear();
  llvm::SaveAndRestore<bool> training(context.training, role.isTraining);
  Frame body;
  body.home = root.cls->home;
  body.self = &root;
  body.function = &fn;
  body.precision = root.precision;
  Evaluator::EnterFrame enter(evaluator, body);
  bool ok = true;
  if (std::optional<Precision> own = readPrecision(evaluator, fn, root.precision, ok))
    context.precision = *own;
  if (!ok)
    return false;
  if (!takeFormals(fn) || !takeGuards(fn))
    return false;
  noteDims();

  mlir::OpBuilder::InsertionGuard keepPlace(context.builder);
  context.builder.setInsertionPointToEnd(evaluator.module.getBody());
  context.opName.clear();
  std::string symbol = symbolOf(fn);
  if (!variant.empty())
    symbol = evaluator.uniqueSymbol(fmt::format("{}[{}]", symbol, variant));
  auto func = context.builder.create<mlir::func::FuncOp>(context.location(fn.name.span), symbol,
                                                         context.builder.getFunctionType({}, {}));
  context.builder.setInsertionPointToEnd(func.addEntryBlock());
  FunctionEmission emission{func, /*isEntry=*/true};
  const std::vector<Slot *> &slots = root.slots();
  emission.reachable.insert(slots.begin(), slots.end());
  body.emission = &emission;
  context.emitting = true;
  if (!makeArguments(fn, func) || !emitBody(body, fn, emission))
    return false;
  adoptRanges(fn);
  setAttributes(fn, func, variant);
  return true;
}

bool EntryEmitter::emitBody(Frame &body, const syntax::FnStmt &fn, FunctionEmission &emission) {
  std::optional<Value> result = evaluator.runBody(body, fn);
  if (!result)
    return false;
  if (!isTensorResult(*result)) {
    notePrivate(evaluator.error("E0210", body.resultSpans.front(), "an entry point returns tensors")
                    .primaryLabel(fmt::format("this is {}", describeKind(*result))),
                fn);
    return false;
  }
  if (role.finish && !role.finish(*result))
    return false;
  evaluator.finishFunction(emission, *result, fn.span);
  return true;
}

} // namespace nnc::frontend
