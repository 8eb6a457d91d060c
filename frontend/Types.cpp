// Values against declared types, and the sizes that a declared type states.
#include "frontend/Evaluator.h"

#include <cctype>
#include <fmt/format.h>
#include <utility>

namespace nnc::frontend {

using syntax::ScalarKind;

//===- What is declared, in words -------------------------------------------------------------===//

static std::string typeNoun(const syntax::TypeExpr &type) {
  if (auto *scalar = type.as<syntax::ScalarType>()) {
    switch (scalar->scalar) {
    case ScalarKind::Fn:
      return "a function";
    case ScalarKind::Module:
      return "a module";
    case ScalarKind::Int:
      return "an int";
    default:
      return fmt::format("a {}", syntax::spelling(scalar->scalar));
    }
  }
  if (auto *list = type.as<syntax::ListType>())
    return fmt::format("a list, each of it {}", typeNoun(*list->element));
  if (auto *tuple = type.as<syntax::TupleType>())
    return fmt::format("a tuple of {}", tuple->elements.size());
  return "a tensor";
}

std::string Taker::takes(std::string_view formal) const {
  switch (kind) {
  case Kind::Argument:
    return fmt::format("`{}` of `{}` takes", formal, name);
  case Kind::Result:
    return fmt::format("`{}` is declared to return", name);
  case Kind::Annotation:
    return fmt::format("`{}` is declared to be", name);
  }
  return {};
}

bool Evaluator::wrongKind(const syntax::TypeExpr &type, const Value &value, const Taker &taker,
                          std::string_view name, syntax::Span span) {
  std::string wanted = type.is<syntax::TensorType>()
                           ? formatDeclared(type.get<syntax::TensorType>())
                           : typeNoun(type);
  syntax::Diagnostic &diag =
      error("E0403", span,
            fmt::format("{} {}, this is {}", taker.takes(name), wanted, describeKind(value)))
          .label(type.span, "declared here");
  auto *scalar = type.as<syntax::ScalarType>();
  bool divides = context.sources.text(span).find('/') != std::string_view::npos;
  if (scalar && scalar->scalar == ScalarKind::Int && value.is<double>() && divides)
    diag.help("`//` divides and rounds down");
  else if (scalar && scalar->scalar == ScalarKind::Int && value.is<double>())
    diag.fixIt("`int` cuts the fraction off, `round` rounds",
               {{span.before(), "int("}, {span.after(), ")"}});
  auto *text = value.as<StringValue>();
  bool namesFunction = scalar && scalar->scalar == ScalarKind::Fn && text && text->literal;
  if (namesFunction && isKnown(text->text))
    diag.fixIt("functions are named without quotes", {{text->literal->span, text->text}});
  return false;
}

//===- Build-time types -----------------------------------------------------------------------===//

static bool isCallable(const Value &value) {
  return value.is<FunctionRef>() || value.is<InstanceRef>() || value.is<ListValue>() ||
         value.is<Element>();
}

/// Whether a value is of a scalar type; an int becomes a float where one is wanted.
static bool fitsScalar(ScalarKind kind, Value &value) {
  switch (kind) {
  case ScalarKind::Int:
    return value.isInt();
  case ScalarKind::Float:
    if (std::optional<double> number = value.asFloat()) {
      value = Value::floating(*number);
      return true;
    }
    return false;
  case ScalarKind::Bool:
    return value.is<bool>();
  case ScalarKind::Str:
    return value.is<StringValue>();
  case ScalarKind::DType:
    return value.is<Element>();
  case ScalarKind::Fn:
    return isCallable(value);
  case ScalarKind::Module:
    return value.is<const ModuleClass *>();
  }
  return false;
}

bool Evaluator::conformTuple(const syntax::TupleType &type, Value &value, const Taker &taker,
                             std::string_view name, syntax::Span span,
                             std::vector<TensorMatch> &tensors) {
  if (value.isNumber()) // `int` is accepted for `(int, int)` and repeated
    value = Value::tuple(std::vector<Value>(type.elements.size(), value));
  if (!value.is<TupleValue>() || value.elements().size() != type.elements.size())
    return wrongKind(type, value, taker, name, span);
  std::vector<Value> elements(value.elements().begin(), value.elements().end());
  bool ok = true;
  for (size_t i = 0; i < elements.size() && ok; ++i)
    ok = conform(*type.elements[i], elements[i], taker, name, span, tensors);
  value = Value::tuple(std::move(elements));
  return ok;
}

bool Evaluator::conformList(const syntax::ListType &type, Value &value, const Taker &taker,
                            std::string_view name, syntax::Span span,
                            std::vector<TensorMatch> &tensors) {
  // The library takes the only element of a list without brackets, `LayerNorm(512)`, and tuples.
  bool isLoose = frame->home->isLibrary && taker.kind == Taker::Kind::Argument;
  if (isLoose && value.isNumber())
    value = Value::list({value});
  else if (isLoose && value.is<TupleValue>())
    value = Value::list({value.elements().begin(), value.elements().end()});
  auto *list = value.as<ListValue>();
  if (!list)
    return wrongKind(type, value, taker, name, span);
  std::vector<Value> elements = list->data->elements;
  for (Value &element : elements)
    if (!conform(*type.element, element, taker, name, span, tensors))
      return false;
  value = Value::list(std::move(elements), list->data->keys);
  return true;
}

bool Evaluator::conform(const syntax::TypeExpr &type, Value &value, const Taker &taker,
                        std::string_view name, syntax::Span span,
                        std::vector<TensorMatch> &tensors) {
  if (!spend(span))
    return false;
  if (auto *list = type.as<syntax::ListType>())
    return conformList(*list, value, taker, name, span, tensors);
  if (auto *tuple = type.as<syntax::TupleType>())
    return conformTuple(*tuple, value, taker, name, span, tensors);
  if (auto *scalar = type.as<syntax::ScalarType>())
    return fitsScalar(scalar->scalar, value) || wrongKind(type, value, taker, name, span);
  auto &tensor = type.get<syntax::TensorType>();
  if (auto *given = value.as<TensorValue>()) {
    tensors.push_back({&tensor, *given, name, span});
    return true;
  }
  bool fits = value.isNone() ? tensor.optional : value.isNumber() || value.is<bool>();
  // `float` and `bool` without a shape are types of build-time values; the parser tells them apart.
  return fits || wrongKind(type, value, taker, name, span);
}

bool Evaluator::adaptNumber(const syntax::TypeExpr &type, Value &value, syntax::Span span) {
  auto *tensor = type.as<syntax::TensorType>();
  if (!tensor || value.isTensor() || value.isNone() || !frame->emission)
    return true;
  std::optional<std::vector<Dim>> shape = evalShape(*tensor);
  if (!shape)
    return false;
  context.opName = "full";
  std::optional<Value> made = numberToTensor(context, {value, span}, tensor->elem, *shape);
  if (made)
    value = std::move(*made);
  return made.has_value();
}

//===- Sizes ----------------------------------------------------------------------------------===//

static bool isPossible(const Dim &size) {
  return size.isValid() && size.getConstant().value_or(0) >= 0;
}

std::optional<Dim> Evaluator::evalDim(const syntax::Dim &dim) {
  const syntax::Dim *outer = std::exchange(inShape, &dim);
  std::optional<Value> value = eval(*dim.expr);
  inShape = outer;
  if (!value)
    return std::nullopt;
  const Dim *size = value->as<Dim>();
  if (!size) {
    syntax::Diagnostic &diag = error("E0403", dim.span, "a size is an int")
                                   .primaryLabel(fmt::format("this is {}", describeKind(*value)));
    if (value->isNone())
      diag.help("a size that varies has a capitalised name: `float[B, 10]`");
    return std::nullopt;
  }
  if (isPossible(*size))
    return *size;
  reportImpossible(dim, *size);
  return std::nullopt;
}

/// The hyperparameter behind a name in a shape: that of the module around it, of the module around
/// that one, ... as far as it was passed on as it is.
const Hyperparameter *Evaluator::hyperparameterBehind(const syntax::Expr &expr) {
  auto *name = expr.as<syntax::NameExpr>();
  if (!name || frame->locals.find(name->name))
    return nullptr;
  const Hyperparameter *found = nullptr;
  for (const Instance *at = frame->self; at && name; at = at->maker) {
    const Hyperparameter *hyper = at->hyperparameter(name->name);
    if (!hyper)
      break;
    found = hyper;
    name = hyper->isDefault || !hyper->expr ? nullptr : hyper->expr->as<syntax::NameExpr>();
  }
  return found;
}

void Evaluator::reportImpossible(const syntax::Dim &dim, const Dim &size) {
  std::string reason = size.isValid() ? fmt::format("it is {}", size.str())
                                      : "it divides by zero or does not fit 64 bits";
  const Hyperparameter *hyper = hyperparameterBehind(*dim.expr);
  bool isInLibrary = frame->home->isLibrary && frame->self;
  if (!hyper && !isInLibrary) {
    syntax::Diagnostic &diag =
        error("E0308", dim.span, "this size is impossible").primaryLabel(std::move(reason));
    if (dim.expr->is<syntax::UnaryExpr>())
      diag.help("a size that varies has a capitalised name: `float[B, 10]`");
    return;
  }
  // One argument may be the size of several slots.
  syntax::Span place = hyper ? hyper->given : frame->self->made;
  for (const Instance *at = frame->self; at && isLibrary(place.file); at = at->maker)
    place = at->made;
  if (!impossible.insert(place).second)
    return;
  if (hyper)
    error("E0308", place, fmt::format("`{}` makes an impossible size", hyper->name))
        .primaryLabel(std::move(reason))
        .note("the size of a tensor", dim.span);
  else
    error("E0308", place, "this module has an impossible size")
        .note(fmt::format("`{}`: {}", context.sources.text(dim.span), reason), dim.span);
}

std::optional<std::vector<Dim>> Evaluator::evalShape(const syntax::TensorType &type) {
  std::vector<Dim> shape;
  for (const syntax::Dim &dim : type.dims) {
    if (dim.isPack) {
      auto pack = frame->packs.find(dim.packName.text);
      if (pack == frame->packs.end()) {
        error("E0201", dim.span, fmt::format("unknown pack `...{}` in a shape", dim.packName.text))
            .primaryLabel("no tensor parameter binds it");
        return std::nullopt;
      }
      shape.insert(shape.end(), pack->second.begin(), pack->second.end());
      continue;
    }
    if (std::optional<std::vector<Dim>> sizes = listOfSizes(dim)) {
      for (Dim &size : *sizes) {
        if (!isPossible(size)) {
          reportImpossible(dim, size);
          return std::nullopt;
        }
        shape.push_back(std::move(size));
      }
      continue;
    }
    std::optional<Dim> size = evalDim(dim);
    if (!size)
      return std::nullopt;
    shape.push_back(std::move(*size));
  }
  return shape;
}

/// The elements of a list of sizes whose name stands in a shape.
std::optional<std::vector<Dim>> Evaluator::listOfSizes(const syntax::Dim &dim) {
  auto *name = dim.isPack ? nullptr : dim.expr->as<syntax::NameExpr>();
  if (!name || isCapitalised(name->name))
    return std::nullopt;
  std::optional<Value> value = quietLookup(name->name);
  if (!value || !value->is<ListValue>())
    return std::nullopt;
  std::vector<Dim> sizes;
  for (const Value &element : value->elements()) {
    const Dim *size = element.as<Dim>();
    if (!size)
      return std::nullopt; // evalDim says why
    sizes.push_back(*size);
  }
  return sizes;
}

/// The entries of a declared shape, lists of sizes written out.
std::vector<DeclaredAxis> Evaluator::declaredAxes(const syntax::TensorType &type) {
  std::vector<DeclaredAxis> axes;
  for (const syntax::Dim &dim : type.dims) {
    std::optional<std::vector<Dim>> sizes = listOfSizes(dim);
    if (!sizes)
      axes.push_back({&dim});
    for (Dim &size : sizes ? *sizes : std::vector<Dim>())
      axes.push_back({&dim, std::move(size)});
  }
  return axes;
}

/// Whether all of a declared shape has a meaning here.
bool Evaluator::knowsSizes(const syntax::TensorType &type) {
  for (const syntax::Dim &dim : type.dims)
    if (dim.isPack ? !frame->packs.count(dim.packName.text) : !knowsNames(*dim.expr))
      return false;
  return true;
}

/// Whether every name in the expression of a size has a meaning here.
bool Evaluator::knowsNames(const syntax::Expr &expr) {
  if (auto *name = expr.as<syntax::NameExpr>())
    return isKnown(name->name);
  if (auto *unary = expr.as<syntax::UnaryExpr>())
    return knowsNames(*unary->operand);
  if (auto *binary = expr.as<syntax::BinaryExpr>())
    return knowsNames(*binary->lhs) && knowsNames(*binary->rhs);
  if (auto *index = expr.as<syntax::IndexExpr>())
    return knowsNames(*index->base);
  if (auto *member = expr.as<syntax::MemberExpr>())
    return knowsNames(*member->base);
  if (auto *call = expr.as<syntax::CallExpr>()) {
    for (const syntax::Argument &argument : call->args)
      if (!knowsNames(*argument.value))
        return false;
    return knowsNames(*call->callee);
  }
  return expr.is<syntax::IntExpr>();
}

bool isCapitalised(std::string_view name) {
  return !name.empty() && std::isupper(static_cast<unsigned char>(name.front()));
}

std::string Evaluator::formatDeclared(const syntax::TensorType &type,
                                      const syntax::Dim *mismatched) {
  std::string text(syntax::spelling(type.elem));
  text += '[';
  for (const DeclaredAxis &axis : declaredAxes(type)) {
    text += text.back() == '[' ? "" : ", ";
    text += formatAxis(axis, axis.dim == mismatched);
  }
  return text + "]";
}

std::string Evaluator::formatAxis(const DeclaredAxis &axis, bool isMismatched) {
  const syntax::Dim &dim = *axis.dim;
  if (dim.isPack)
    return "..." + std::string(dim.packName.text);
  if (axis.size)
    return axis.size->str();
  auto *name = dim.expr->as<syntax::NameExpr>();
  bool isVariable = name && isCapitalised(name->name) &&
                    (frame->boundAt.count(name->name) || !isKnown(name->name));
  std::optional<Dim> size;
  if ((!isVariable || isMismatched) && knowsNames(*dim.expr))
    size = evalDim(dim);
  return size ? size->str() : std::string(context.sources.text(dim.expr->span));
}

} // namespace nnc::frontend
