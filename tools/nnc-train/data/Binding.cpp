#include "tools/nnc-train/data/Binding.h"

#include <algorithm>
#include <fmt/format.h>

using namespace nnc;
using namespace nnc::train;
using nnc::format::DimT;
using nnc::format::EntryT;
using nnc::format::ExprOp;
using nnc::format::ExprT;
using nnc::format::PortT;

namespace {

/// Names of inputs that stand for a field where none has its name.
struct Alias {
  std::string_view field;
  std::vector<std::string_view> inputs;
};

const std::vector<Alias> &aliases() {
  static const std::vector<Alias> List = {
      {"image", {"images", "pixels", "x", "input"}},
      {"label", {"labels", "class", "y", "target", "targets"}},
      {"tokens", {"ids", "input_ids", "text", "x", "input"}},
      {"targets", {"target", "labels", "label", "next", "y"}},
  };
  return List;
}

/// The symbol that an expression is, if it is nothing else.
std::optional<size_t> symbolOf(const ExprT &expr) {
  if (expr.nodes.size() != 1 || expr.nodes[0].op() != ExprOp::Sym)
    return std::nullopt;
  return static_cast<size_t>(expr.nodes[0].value());
}

class Binder {
public:
  Binder(const Dataset &data, const EntryT &entry, const BindingOptions &options)
      : data(data), entry(entry), options(options), dims(entry.dims.size()) {}

  Result<Binding> run() {
    for (auto part : {&Binder::findFields, &Binder::fixBatch, &Binder::fixDims, &Binder::shapeAll})
      if (Result<void> done = (this->*part)(); !done)
        return done.error();
    return std::move(binding);
  }

private:
  Result<void> findFields();
  Result<size_t> findField(const std::string &input) const;
  Result<void> fixBatch();
  Result<void> fixDims();
  Result<void> fix(size_t symbol, int64_t size);
  Result<void> shapeAll();
  Result<int64_t> sizeOf(const PortT &port, size_t axis) const;
  const ExprT &exprOf(const PortT &port, size_t axis) const {
    return *entry.exprs[port.shape[axis]];
  }

  const Dataset &data;
  const EntryT &entry;
  const BindingOptions &options;
  std::vector<std::optional<int64_t>> dims; // by symbol
  Binding binding;
};

Result<size_t> Binder::findField(const std::string &input) const {
  std::span<const Field> fields = data.fields();
  auto named = [&](std::string_view name) {
    return std::ranges::find(fields, name, &Field::name) - fields.begin();
  };
  auto isThere = [&](auto index) { return static_cast<size_t>(index) < fields.size(); };
  auto said = options.fields.find(input);
  if (auto index = named(said == options.fields.end() ? input : said->second); isThere(index))
    return static_cast<size_t>(index);
  if (said == options.fields.end())
    for (const Alias &alias : aliases())
      if (auto index = named(alias.field);
          isThere(index) && std::ranges::find(alias.inputs, input) != alias.inputs.end())
        return static_cast<size_t>(index);
  std::string names;
  for (const Field &field : fields)
    names += (names.empty() ? "`" : ", `") + field.name + "`";
  if (said != options.fields.end())
    return Error{fmt::format("{} has no field `{}`; it has {}", data.name(), said->second, names)};
  return Error{fmt::format("`{}` takes the input `{}`, and {} has {}: name the field with --map "
                           "{}=FIELD",
                           entry.name, input, data.name(), names, input)};
}

Result<void> Binder::findFields() {
  for (const auto &[input, field] : options.fields)
    if (std::ranges::none_of(entry.inputs, [&](const auto &port) { return port->name == input; }))
      return Error{fmt::format("`{}` has no input `{}`, which --map names", entry.name, input)};
  for (const std::unique_ptr<PortT> &port : entry.inputs) {
    Result<size_t> field = findField(port->name);
    if (!field)
      return field.error();
    binding.inputs.push_back({port->name, static_cast<DType>(port->dtype), {}, *field});
    if (port->shape.size() != data.fields()[*field].shape.size() + 1)
      return Error{fmt::format("the input `{}` of `{}` is {}; the examples of {}, one after the "
                               "other, have {} axes",
                               port->name, entry.name, portText(*port, entry), data.name(),
                               data.fields()[*field].shape.size() + 1)};
  }
  if (binding.inputs.empty())
    return Error{fmt::format("`{}` has no inputs that data could go to", entry.name)};
  return {};
}

/// The first axis of all inputs.
Result<void> Binder::fixBatch() {
  const ExprT &first = exprOf(*entry.inputs[0], 0);
  for (const std::unique_ptr<PortT> &port : entry.inputs)
    if (port->shape[0] != entry.inputs[0]->shape[0])
      return Error{fmt::format("the inputs of `{}` have no common first axis, the batch: {} is {}, "
                               "{} is {}",
                               entry.name, entry.inputs[0]->name, portText(*entry.inputs[0], entry),
                               port->name, portText(*port, entry))};
  binding.batch = options.batch;
  if (std::optional<size_t> symbol = symbolOf(first)) {
    binding.leastBatch = std::max<int64_t>(1, entry.dims[*symbol]->min);
    return fix(*symbol, options.batch);
  }
  Result<int64_t> size = first.nodes.size() == 1 ? format::evaluate(first, {}) : Error{};
  if (!size)
    return Error{fmt::format("the first axis of the inputs of `{}` is {}, not a dimension alone",
                             entry.name, exprText(first, entry))};
  if (*size != options.batch)
    return Error{fmt::format("`{}` is compiled for batches of {}, not of {}", entry.name, *size,
                             options.batch)};
  return {};
}

Result<void> Binder::fix(size_t symbol, int64_t size) {
  const DimT &dim = *entry.dims[symbol];
  if (dims[symbol] && *dims[symbol] != size)
    return Error{fmt::format("the dimension {} of `{}` is both {} and {}", dim.name, entry.name,
                             *dims[symbol], size)};
  if (size < dim.min || size > dim.max)
    return Error{fmt::format("`{}` takes {} in {}..={}, not {}", entry.name, dim.name, dim.min,
                             dim.max, size)};
  dims[symbol] = size;
  return {};
}

/// What the user says, then what the data has.
Result<void> Binder::fixDims() {
  for (const auto &[name, size] : options.dims) {
    auto known =
        std::ranges::find_if(entry.dims, [&](const auto &dim) { return dim->name == name; });
    if (known == entry.dims.end())
      return Error{fmt::format("`{}` has no dimension `{}`, which --dim names", entry.name, name)};
    if (Result<void> fixed = fix(static_cast<size_t>(known - entry.dims.begin()), size); !fixed)
      return fixed;
  }
  for (size_t i = 0; i < entry.inputs.size(); ++i) {
    const Field &field = data.fields()[binding.inputs[i].field];
    for (size_t axis = 0; axis < field.shape.size(); ++axis)
      if (auto symbol = symbolOf(exprOf(*entry.inputs[i], axis + 1));
          symbol && field.shape[axis] != Field::AnySize)
        if (Result<void> fixed = fix(*symbol, field.shape[axis]); !fixed)
          return fixed;
  }
  return {};
}

Result<int64_t> Binder::sizeOf(const PortT &port, size_t axis) const {
  std::vector<int64_t> values;
  for (const std::optional<int64_t> &dim : dims)
    values.push_back(dim.value_or(0));
  const ExprT &expr = exprOf(port, axis);
  for (const format::ExprNode &node : expr.nodes)
    if (node.op() == ExprOp::Sym && !dims[static_cast<size_t>(node.value())]) {
      const DimT &dim = *entry.dims[static_cast<size_t>(node.value())];
      return Error{fmt::format("the input `{}` of `{}` is {}, and {} says nothing about {}: choose "
                               "it with --dim {}={}",
                               port.name, entry.name, portText(port, entry), data.name(), dim.name,
                               dim.name, dim.max)};
    }
  return format::evaluate(expr, values);
}

Result<void> Binder::shapeAll() {
  for (size_t i = 0; i < entry.inputs.size(); ++i) {
    BoundInput &input = binding.inputs[i];
    const Field &field = data.fields()[input.field];
    for (size_t axis = 1; axis < entry.inputs[i]->shape.size(); ++axis) {
      Result<int64_t> size = sizeOf(*entry.inputs[i], axis);
      if (!size)
        return size.error();
      input.shape.push_back(*size);
      if (field.shape[axis - 1] == Field::AnySize && !field.isImage)
        binding.length = *size;
    }
    if (Result<void> fits = checkField(data, field, input.name, input.dtype, input.shape); !fits)
      return fits;
  }
  return {};
}

} // namespace

Result<Binding> train::bindInputs(const Dataset &data, const EntryT &entry,
                                  const BindingOptions &options) {
  return Binder(data, entry, options).run();
}
