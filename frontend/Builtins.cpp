// The functions of build time: `len zip enumerate reverse int`, `sum max min` of lists of numbers,
// and `shape` of a tensor.
#include "frontend/Evaluator.h"

#include "frontend/Primitives.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace nnc::frontend {

bool Evaluator::isBuiltin(std::string_view name) {
  return name == "len" || name == "zip" || name == "enumerate" || name == "reverse" ||
         name == "shape" || name == "int";
}

/// `int(2.5)` is 2: towards 0, as in Python.
std::optional<Value> Evaluator::callInt(const std::vector<Argument> &arguments,
                                        const CallSite &site) {
  if (arguments.size() != 1) {
    error("E0205", site.callee,
          fmt::format("`int` takes one number, {} arguments were given", arguments.size()));
    return std::nullopt;
  }
  if (!arguments.front().name.empty()) {
    error("E0205", arguments.front().nameSpan,
          fmt::format("`int` has no parameter `{}`", arguments.front().name));
    return std::nullopt;
  }
  const Argument &only = arguments.front();
  if (only.value.isInt())
    return only.value;
  if (const bool *truth = only.value.as<bool>())
    return Value::integer(*truth ? 1 : 0);
  if (const double *number = only.value.as<double>()) {
    if (std::abs(*number) < 0x1p62)
      return Value::integer(static_cast<int64_t>(*number));
    error("E0507", only.span, "this number is out of range").primaryLabel(formatValue(only.value));
    return std::nullopt;
  }
  syntax::Diagnostic &diag = error("E0403", only.span, "`int` takes a number known when compiling");
  diag.primaryLabel(fmt::format("this is {}", describeKind(only.value)));
  if (only.value.isTensor())
    diag.help("the elements of a tensor are cast by `i32(...)`");
  return std::nullopt;
}

/// `sum([1, 2])`: these primitives also take a list of numbers.
bool Evaluator::isListFold(const FunctionData &function, const std::vector<Argument> &arguments) {
  if (function.kind != FunctionData::Kind::Primitive || arguments.size() != 1 ||
      !arguments.front().name.empty() || !arguments.front().value.isSequence())
    return false;
  std::span<const Value> list = arguments.front().value.elements();
  return (function.name == "sum" || function.name == "max" || function.name == "min") &&
         std::all_of(list.begin(), list.end(), [](const Value &v) { return v.isNumber(); });
}

std::optional<Value> Evaluator::foldList(std::string_view name, const Argument &argument,
                                         const CallSite &site) {
  std::span<const Value> list = argument.value.elements();
  steps += list.size();
  if (list.empty() && name != "sum") {
    error("E0507", argument.span, fmt::format("`{}` of an empty list", name));
    return std::nullopt;
  }
  std::optional<Value> result = name == "sum" ? Value::integer(0) : list.front();
  for (const Value &next : list) {
    if (name == "sum")
      result = foldNumbers(context, syntax::BinaryOp::Add, site.callee, {*result, argument.span},
                           {next, argument.span});
    else
      result = foldExtreme(context, name, site.callee, *result, next);
    if (!result)
      return std::nullopt;
  }
  return result;
}

/// The sizes of a tensor, which are known when compiling.
std::optional<Value> Evaluator::callShape(const std::vector<Argument> &arguments,
                                          const CallSite &site) {
  if (arguments.size() != 1 || !arguments.front().name.empty()) {
    error("E0205", site.callee,
          fmt::format("`shape` takes one tensor, {} arguments were given", arguments.size()));
    return std::nullopt;
  }
  const Argument &only = arguments.front();
  auto *tensor = only.value.as<TensorValue>();
  if (!tensor) {
    error("E0403", only.span, "`shape` takes a tensor")
        .primaryLabel(fmt::format("this is {}", describeKind(only.value)));
    return std::nullopt;
  }
  std::vector<Value> sizes;
  for (const Dim &size : tensor->shape)
    sizes.push_back(Value::integer(size));
  return Value::list(std::move(sizes));
}

static Value zipLists(const std::vector<Argument> &lists) {
  size_t shortest = SIZE_MAX;
  for (const Argument &list : lists)
    shortest = std::min(shortest, list.value.elements().size());
  std::vector<Value> rows;
  for (size_t i = 0; i < shortest; ++i) {
    std::vector<Value> row;
    for (const Argument &list : lists)
      row.push_back(list.value.elements()[i]);
    rows.push_back(Value::tuple(std::move(row)));
  }
  return Value::list(std::move(rows));
}

static Value enumerateList(std::span<const Value> list) {
  std::vector<Value> rows;
  for (size_t i = 0; i < list.size(); ++i)
    rows.push_back(Value::tuple({Value::integer(static_cast<int64_t>(i)), list[i]}));
  return Value::list(std::move(rows));
}

std::optional<Value> Evaluator::callBuiltin(std::string_view name, std::vector<Argument> arguments,
                                            CallSite site) {
  if (name == "shape")
    return callShape(arguments, site);
  if (name == "int")
    return callInt(arguments, site);
  bool wrongCount = name == "zip" ? arguments.size() < 2 : arguments.size() != 1;
  if (wrongCount) {
    error("E0205", site.callee,
          fmt::format("`{}` takes {}, {} were given", name,
                      name == "zip" ? "two lists or more" : "one list", arguments.size()));
    return std::nullopt;
  }
  for (const Argument &argument : arguments)
    if (!argument.value.isSequence() || !argument.name.empty()) {
      error("E0403", argument.span, fmt::format("`{}` takes a list", name))
          .primaryLabel(fmt::format("this is {}", describeKind(argument.value)));
      return std::nullopt;
    }
  std::span<const Value> list = arguments.front().value.elements();
  std::span<const KeyRef> keys = arguments.front().value.elementKeys();
  steps += list.size();
  Value result;
  if (name == "len")
    result = Value::integer(static_cast<int64_t>(list.size()));
  else if (name == "zip")
    result = zipLists(arguments);
  else if (name == "enumerate")
    result = enumerateList(list);
  else
    result = Value::list({list.rbegin(), list.rend()}, {keys.rbegin(), keys.rend()});
  if (!checkWeight(result.weight(), site.call))
    return std::nullopt;
  return result;
}

} // namespace nnc::frontend
