#include "frontend/PrimitivesCall.h"

#include "frontend/Suggest.h"

#include <algorithm>
#include <fmt/format.h>

namespace nnc::frontend {

//===- Binding -------------------------------------------------------------------------------===//

std::string PrimitiveCall::quotedName() const { return fmt::format("`{}`", name); }

std::optional<size_t> PrimitiveCall::indexOf(std::string_view formal) const {
  for (size_t i = 0; i < formals.size(); ++i)
    if (formals[i].name == formal)
      return i;
  return std::nullopt;
}

void PrimitiveCall::reportUnknown(const Argument &argument) const {
  std::vector<std::string_view> names;
  for (const PrimitiveParameter &formal : formals)
    names.push_back(formal.name);
  syntax::Span at = argument.nameSpan.isValid() ? argument.nameSpan : argument.span;
  syntax::Diagnostic &diag =
      error("E0205", at, fmt::format("{} has no parameter `{}`", quotedName(), argument.name));
  diag.note(fmt::format("its parameters are `{}`", fmt::join(names, "`, `")));
  auto local = localName(argument.name, names), similar = closestName(argument.name, names);
  if (local && argument.nameSpan.isValid())
    diag.fixIt(fmt::format("here it is called `{}`", *local),
               {{argument.nameSpan, std::string(*local)}});
  else if (auto advice = argumentAdvice(argument.name))
    diag.help(std::string(*advice));
  else if (similar && argument.nameSpan.isValid())
    diag.fixIt(fmt::format("`{}` has a similar name", *similar),
               {{argument.nameSpan, std::string(*similar)}});
}

static std::string count(size_t number) {
  return fmt::format("{} argument{}", number, number == 1 ? "" : "s");
}

/// `concat(a, b)`: where a list is wanted, its elements were given.
void PrimitiveCall::helpWithList(syntax::Diagnostic &diag) const {
  bool isTensor = bound[0] && bound[0]->value.isTensor();
  bool isSize = bound[0] && bound[0]->value.isInt();
  if (formals[0].name == "tensors" && isTensor)
    diag.help(fmt::format("the tensors stand in a list: `{}([a, b], axis=0)`", name));
  else if (formals[0].name == "shape" && isSize)
    diag.help(fmt::format("the sizes stand in a list: `{}([B, 10])`", name));
}

bool PrimitiveCall::assign(size_t index, Argument &argument) {
  size_t places = formals.size() - (formals.back().name == "*");
  if (index >= places) {
    helpWithList(error("E0205", argument.span,
                       fmt::format("{} takes {}, this is one more", quotedName(), count(places))));
    return false;
  }
  if (bound[index]) {
    helpWithList(error("E0205", argument.span,
                       fmt::format("`{}` of {} is given twice", formals[index].name, quotedName()))
                     .label(bound[index]->span, "given first here"));
    return false;
  }
  bound[index] = Operand{std::move(argument.value), argument.span, argument.expr};
  return true;
}

bool PrimitiveCall::assignOther(Argument &argument) {
  for (const auto &[name, operand] : others)
    if (name == argument.name) {
      error("E0205", argument.span, fmt::format("`{}` of {} is given twice", name, quotedName()))
          .label(operand.span, "given first here");
      return false;
    }
  others.emplace_back(argument.name,
                      Operand{std::move(argument.value), argument.span, argument.expr});
  return true;
}

bool PrimitiveCall::checkComplete() const {
  std::string missing;
  size_t number = 0;
  for (size_t i = 0; i < formals.size(); ++i)
    if (formals[i].required && !bound[i])
      missing += fmt::format("{}`{}`", number++ ? ", " : "", formals[i].name);
  if (number == 0)
    return true;
  error("E0205", callee, fmt::format("{} also needs {}", quotedName(), missing))
      .primaryLabel(fmt::format("{} missing", count(number)));
  return false;
}

bool PrimitiveCall::bind(std::vector<Argument> arguments) {
  size_t next = 0;
  bool known = true;
  for (Argument &argument : arguments) {
    std::optional<size_t> index = argument.name.empty() ? next++ : indexOf(argument.name);
    if (!index && formals.back().name == "*") {
      if (!assignOther(argument))
        return false;
      continue;
    }
    if (!index) {
      reportUnknown(argument);
      known = false;
      continue;
    }
    if (!assign(*index, argument))
      return false;
  }
  return known && checkComplete();
}

bool PrimitiveCall::has(std::string_view formal) const {
  const std::optional<Operand> &operand = bound[*indexOf(formal)];
  return operand && !operand->value.isNone();
}

const Operand &PrimitiveCall::operand(std::string_view formal) const {
  const std::optional<Operand> &operand = bound[*indexOf(formal)];
  assert(operand && "asked for an argument that is not there");
  return *operand;
}

std::nullopt_t PrimitiveCall::wrongKind(const Operand &operand, std::string_view expected) const {
  bool isEmptyList = operand.value.isSequence() && operand.value.elements().empty();
  helpWithList(error("E0403", operand.span,
                     fmt::format("{} needs {}, found {}", quotedName(), expected,
                                 isEmptyList ? "an empty list" : describeKind(operand.value))));
  return std::nullopt;
}

//===- Tensors -------------------------------------------------------------------------------===//

std::optional<TensorValue> PrimitiveCall::tensor(std::string_view formal, Elements accepted) {
  const Operand &given = operand(formal);
  if (!given.value.isTensor())
    return wrongKind(given, "a tensor");
  if (!requireElements(context, accepted, quotedName(), given, given.span))
    return std::nullopt;
  return given.value.get<TensorValue>();
}

std::vector<Operand> PrimitiveCall::elementsOf(const Operand &list) const {
  std::span<const Value> values = list.value.elements();
  const auto *written = list.expr ? list.expr->as<syntax::ListExpr>() : nullptr;
  const auto *tuple = list.expr ? list.expr->as<syntax::TupleExpr>() : nullptr;
  std::vector<Operand> operands;
  for (size_t i = 0; i < values.size(); ++i) {
    const syntax::Expr *expr = nullptr;
    if (written && written->elements.size() == values.size())
      expr = written->elements[i].expr.get();
    else if (tuple && tuple->elements.size() == values.size())
      expr = tuple->elements[i].get();
    operands.push_back({values[i], expr ? expr->span : list.span, expr});
  }
  return operands;
}

std::optional<std::vector<Operand>> PrimitiveCall::tensors(std::string_view formal) {
  const Operand &list = operand(formal);
  if (!list.value.isSequence() || list.value.elements().empty())
    return wrongKind(list, "a list of tensors");
  std::vector<Operand> operands = elementsOf(list);
  for (const Operand &element : operands)
    if (!element.value.isTensor())
      return wrongKind(element, "a tensor");
  return operands;
}

//===- Numbers -------------------------------------------------------------------------------===//

std::optional<Dim> PrimitiveCall::dim(std::string_view formal) {
  const Operand &given = operand(formal);
  if (!given.value.isInt())
    return wrongKind(given, "an int");
  return given.value.get<Dim>();
}

std::optional<int64_t> PrimitiveCall::toInteger(const Operand &operand) const {
  if (std::optional<int64_t> number = operand.value.asInt())
    return number;
  return wrongKind(operand, "an int known when compiling");
}

std::optional<int64_t> PrimitiveCall::integer(std::string_view formal) {
  return toInteger(operand(formal));
}

std::optional<int64_t> PrimitiveCall::integerOr(std::string_view formal, int64_t otherwise) {
  return has(formal) ? integer(formal) : otherwise;
}

std::optional<double> PrimitiveCall::numberOr(std::string_view formal, double otherwise) {
  if (!has(formal))
    return otherwise;
  if (std::optional<double> number = operand(formal).value.asFloat())
    return number;
  return wrongKind(operand(formal), "a number known when compiling");
}

std::optional<bool> PrimitiveCall::booleanOr(std::string_view formal, bool otherwise) {
  if (!has(formal))
    return otherwise;
  if (const bool *value = operand(formal).value.as<bool>())
    return *value;
  return wrongKind(operand(formal), "a bool");
}

void PrimitiveCall::readStored(std::string_view a, std::string_view b) {
  std::optional<size_t> left = indexOf(a), right = indexOf(b);
  if (left && right && bound[*left] && bound[*right])
    frontend::readStored(emit, *bound[*left], *bound[*right]);
}

std::optional<Element> PrimitiveCall::elementOr(std::string_view formal, Element otherwise) {
  if (!has(formal))
    return otherwise;
  const Operand &given = operand(formal);
  const Element *element = given.value.as<Element>();
  if (!element)
    return wrongKind(given, "an element type");
  if (*element != Element::I4)
    return *element;
  error("E0590", given.span,
        fmt::format("{} makes no tensors of {} yet", quotedName(), syntax::spelling(*element)))
      .note("a cast does");
  return std::nullopt;
}

std::optional<int64_t> PrimitiveCall::extent(std::string_view formal, const Operand &operand,
                                             int64_t least) const {
  std::optional<int64_t> number = toInteger(operand);
  if (!number || (*number >= least && *number <= INT32_MAX))
    return number;
  error("E0507", operand.span,
        fmt::format("`{}` of {} is {}, but must be at least {}{}", formal, quotedName(), *number,
                    least, *number > INT32_MAX ? " and of a reasonable size" : ""));
  return std::nullopt;
}

std::optional<std::vector<int64_t>> PrimitiveCall::extents(std::string_view formal, size_t axes,
                                                           int64_t least) {
  const Operand &given = operand(formal);
  std::vector<Operand> parts(axes, given);
  if (given.value.isSequence())
    parts = elementsOf(given);
  if (parts.size() != axes)
    return wrongKind(given, axes == 1   ? "an int"
                            : axes == 2 ? "an int or a pair of ints"
                                        : fmt::format("an int or a list of {} ints", axes));
  std::vector<int64_t> result;
  for (const Operand &part : parts) {
    std::optional<int64_t> number = extent(formal, part, least);
    if (!number)
      return std::nullopt;
    result.push_back(*number);
  }
  return result;
}

std::optional<std::vector<int64_t>> PrimitiveCall::extentsOr(std::string_view formal, size_t axes,
                                                             int64_t least,
                                                             std::vector<int64_t> otherwise) {
  return has(formal) ? extents(formal, axes, least) : std::move(otherwise);
}

//===- Axes and shapes -----------------------------------------------------------------------===//

std::optional<size_t> PrimitiveCall::toAxis(const Operand &operand, size_t rank) const {
  std::optional<int64_t> axis = toInteger(operand);
  if (!axis)
    return std::nullopt;
  int64_t count = static_cast<int64_t>(rank);
  if (*axis >= -count && *axis < count)
    return static_cast<size_t>(*axis < 0 ? *axis + count : *axis);
  error("E0306", operand.span, fmt::format("axis {} does not exist", *axis))
      .primaryLabel(rank == 0 ? "the tensor has no axes"
                              : fmt::format("the tensor has {} {}: {} to {}", rank,
                                            rank == 1 ? "axis" : "axes", -count, count - 1));
  return std::nullopt;
}

std::optional<size_t> PrimitiveCall::axis(std::string_view formal, size_t rank) {
  return toAxis(operand(formal), rank);
}

std::optional<std::vector<size_t>> PrimitiveCall::axesOrAll(std::string_view formal, size_t rank) {
  std::vector<size_t> axes;
  if (!has(formal)) {
    for (size_t axis = 0; axis < rank; ++axis)
      axes.push_back(axis);
    return axes;
  }
  const Operand &given = operand(formal);
  std::vector<Operand> parts = {given};
  if (given.value.isSequence())
    parts = elementsOf(given);
  for (const Operand &part : parts) {
    std::optional<size_t> axis = toAxis(part, rank);
    if (!axis)
      return std::nullopt;
    if (std::find(axes.begin(), axes.end(), *axis) != axes.end()) {
      error("E0306", part.span, fmt::format("axis {} is named twice", *axis));
      return std::nullopt;
    }
    axes.push_back(*axis);
  }
  std::sort(axes.begin(), axes.end());
  return axes;
}

std::optional<Shape> PrimitiveCall::shape(std::string_view formal) {
  const Operand &given = operand(formal);
  if (!given.value.isSequence())
    return wrongKind(given, "a list of sizes");
  Shape shape;
  for (const Operand &part : elementsOf(given)) {
    if (!part.value.isInt())
      return wrongKind(part, "an int");
    shape.push_back(part.value.get<Dim>());
  }
  return shape;
}

} // namespace nnc::frontend
