// How values are made, asked and printed.
#include "frontend/Value.h"

#include "frontend/Callable.h"
#include "frontend/Module.h"
#include "frontend/Scope.h"

#include <cmath>
#include <fmt/format.h>

namespace nnc::frontend {

bool isFloating(Element element) {
  switch (element) {
  case Element::Float:
  case Element::F32:
  case Element::F16:
  case Element::BF16:
  case Element::F8E4M3:
  case Element::F8E5M2:
    return true;
  default:
    return false;
  }
}

bool isIntegral(Element element) {
  return element == Element::I4 || element == Element::I8 || element == Element::I32 ||
         element == Element::I64;
}

bool isStorageOnly(Element element) {
  return element == Element::F8E4M3 || element == Element::F8E5M2 || element == Element::I4 ||
         element == Element::I8;
}

std::string formatTensorType(Element element, std::span<const Dim> shape) {
  return std::string(syntax::spelling(element)) + formatShape(shape);
}

//===- Making and asking ----------------------------------------------------------------------===//

/// Weights stop growing here; far more than any evaluation is allowed.
static constexpr size_t kHeaviest = size_t(1) << 40;

static std::shared_ptr<const SequenceData> makeSequence(std::vector<Value> elements,
                                                        std::vector<KeyRef> keys) {
  auto data = std::make_shared<SequenceData>();
  for (const Value &element : elements)
    data->weight = std::min(kHeaviest, data->weight + element.weight());
  data->elements = std::move(elements);
  data->keys = std::move(keys);
  return data;
}

Value Value::list(std::vector<Value> elements, std::vector<KeyRef> keys) {
  return Value(Storage(ListValue{makeSequence(std::move(elements), std::move(keys))}));
}

Value Value::tuple(std::vector<Value> elements) {
  return Value(Storage(TupleValue{makeSequence(std::move(elements), {})}));
}

size_t Value::weight() const {
  if (auto *list = as<ListValue>())
    return list->data->weight;
  if (auto *tuple = as<TupleValue>())
    return tuple->data->weight;
  if (auto *function = as<FunctionRef>())
    return (*function)->weight;
  if (auto *instance = as<InstanceRef>())
    return (*instance)->weight;
  return 1;
}

std::optional<int64_t> Value::asInt() const {
  const Dim *dim = as<Dim>();
  return dim ? dim->getConstant() : std::nullopt;
}

std::optional<double> Value::asFloat() const {
  if (const double *number = as<double>())
    return *number;
  if (std::optional<int64_t> number = asInt())
    return static_cast<double>(*number);
  return std::nullopt;
}

std::span<const Value> Value::elements() const {
  if (auto *list = as<ListValue>())
    return list->data->elements;
  return get<TupleValue>().data->elements;
}

std::span<const KeyRef> Value::elementKeys() const {
  if (auto *list = as<ListValue>())
    return list->data->keys;
  return get<TupleValue>().data->keys;
}

std::string_view Value::primitiveName() const {
  const FunctionRef *function = as<FunctionRef>();
  if (!function || (*function)->kind != FunctionData::Kind::Primitive || (*function)->isStage)
    return {};
  return (*function)->name;
}

bool Value::containsTensor() const {
  if (isTensor())
    return true;
  if (!isSequence())
    return false;
  for (const Value &element : elements())
    if (element.containsTensor())
      return true;
  return false;
}

void flattenTensors(const Value &value, std::vector<TensorValue> &tensors) {
  if (auto *tensor = value.as<TensorValue>())
    tensors.push_back(*tensor);
  else if (value.isSequence())
    for (const Value &element : value.elements())
      flattenTensors(element, tensors);
}

Value replaceTensors(const Value &value, const std::function<mlir::Value()> &next) {
  if (auto *tensor = value.as<TensorValue>()) {
    TensorValue replaced = *tensor;
    replaced.value = next();
    return Value::tensor(std::move(replaced));
  }
  if (!value.containsTensor())
    return value;
  std::vector<Value> elements;
  for (const Value &element : value.elements())
    elements.push_back(replaceTensors(element, next));
  return value.is<ListValue>() ? Value::list(std::move(elements))
                               : Value::tuple(std::move(elements));
}

//===- Printing -------------------------------------------------------------------------------===//

std::string describeKind(const Value &value) {
  struct Visitor {
    std::string operator()(NoneValue) { return "`none`"; }
    std::string operator()(const Dim &dim) { return dim.isConstant() ? "an int" : "a dimension"; }
    std::string operator()(double) { return "a float"; }
    std::string operator()(bool) { return "a bool"; }
    std::string operator()(const StringValue &) { return "a str"; }
    std::string operator()(Element) { return "a dtype"; }
    std::string operator()(const TensorValue &tensor) { return formatTensorType(tensor); }
    std::string operator()(const ListValue &) { return "a list"; }
    std::string operator()(const TupleValue &tuple) {
      return fmt::format("a tuple of {}", tuple.data->elements.size());
    }
    std::string operator()(const FunctionRef &function) {
      return function->isStage
                 ? fmt::format("a stage (`{}` without its first argument)", function->name)
                 : fmt::format("the function `{}`", function->name);
    }
    std::string operator()(const ModuleClass *cls) {
      return fmt::format("the module `{}`", cls->name());
    }
    std::string operator()(const InstanceRef &instance) {
      return fmt::format("an instance of `{}`", instance->cls->name());
    }
    std::string operator()(const Namespace *space) {
      return fmt::format("the import `{}`", space->name);
    }
  };
  return std::visit(Visitor(), value.getStorage());
}

static std::string formatNumber(double number) {
  if (std::isinf(number))
    return number < 0 ? "-inf" : "inf";
  return fmt::format("{}", number);
}

static std::string formatSequence(std::span<const Value> elements, char open, char close) {
  constexpr size_t kShown = 8;
  std::string text(1, open);
  for (size_t i = 0; i < elements.size() && i < kShown; ++i)
    text += (i ? ", " : "") + formatValue(elements[i]);
  if (elements.size() > kShown)
    text += ", ...";
  if (open == '(' && elements.size() == 1)
    text += ",";
  return text + close;
}

std::string formatValue(const Value &value) {
  struct Visitor {
    std::string operator()(NoneValue) { return "none"; }
    std::string operator()(const Dim &dim) { return dim.str(); }
    std::string operator()(double number) { return formatNumber(number); }
    std::string operator()(bool value) { return value ? "true" : "false"; }
    std::string operator()(const StringValue &value) { return '"' + value.text + '"'; }
    std::string operator()(Element element) { return std::string(syntax::spelling(element)); }
    std::string operator()(const TensorValue &tensor) { return formatTensorType(tensor); }
    std::string operator()(const ListValue &list) {
      return list.data->weight > 1000 ? "[...]" : formatSequence(list.data->elements, '[', ']');
    }
    std::string operator()(const TupleValue &tuple) {
      return tuple.data->weight > 1000 ? "(...)" : formatSequence(tuple.data->elements, '(', ')');
    }
    std::string operator()(const FunctionRef &function) { return std::string(function->name); }
    std::string operator()(const ModuleClass *cls) { return std::string(cls->name()); }
    std::string operator()(const InstanceRef &instance) {
      return std::string(instance->cls->name()) + "(...)";
    }
    std::string operator()(const Namespace *space) { return std::string(space->name); }
  };
  return std::visit(Visitor(), value.getStorage());
}

} // namespace nnc::frontend
