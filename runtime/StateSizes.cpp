#include "runtime/StateSizes.h"
#include "runtime/Suggest.h"
#include "runtime/format/Half.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

using namespace nnc;
using namespace nnc::format;
using namespace nnc::rt;

static bool mentions(const ExprT &expr, size_t symbol) {
  return std::ranges::any_of(expr.nodes, [&](const ExprNode &node) {
    return node.op() == ExprOp::Sym && static_cast<size_t>(node.value()) == symbol;
  });
}

/// Whether the shape of some state depends on a dimension of the entry.
static bool isOfState(const EntryT &entry, size_t symbol) {
  for (const std::unique_ptr<BufferT> &buffer : entry.buffers)
    if (buffer->kind == BufferKind::State)
      for (uint32_t axis : buffer->shape)
        if (mentions(*entry.exprs[axis], symbol))
          return true;
  return false;
}

/// The entry that a variant is one of; the entry itself if it is general.
static const EntryT &generalOf(const ModelT &model, const EntryT &entry) {
  auto isGeneral = [&](const std::unique_ptr<EntryT> &other) {
    return other->variant.empty() && other->name == entry.name &&
           std::ranges::equal(other->inputs, entry.inputs, {}, &PortT::name, &PortT::name);
  };
  auto found = std::ranges::find_if(model.entries, isGeneral);
  return entry.variant.empty() || found == model.entries.end() ? entry : **found;
}

/// The size that `variant` has instead of a dimension of its general entry.
static std::optional<int64_t> fixedSize(const EntryT &general, const EntryT &variant,
                                        size_t symbol) {
  for (size_t i = 0; i < general.inputs.size(); ++i) {
    const PortT &open = *general.inputs[i], &fixed = *variant.inputs[i];
    for (size_t axis = 0; axis < std::min(open.shape.size(), fixed.shape.size()); ++axis) {
      const std::vector<ExprNode> &from = general.exprs[open.shape[axis]]->nodes;
      const std::vector<ExprNode> &to = variant.exprs[fixed.shape[axis]]->nodes;
      if (from.size() == 1 && to.size() == 1 && from[0].op() == ExprOp::Sym &&
          static_cast<size_t>(from[0].value()) == symbol && to[0].op() == ExprOp::Const)
        return to[0].value();
    }
  }
  return std::nullopt;
}

/// How an axis of a state depends on dimensions, as the general entry says it.
static std::string sizeText(const ModelT &model, const EntryT &entry, const BufferT &buffer,
                            size_t axis) {
  const EntryT &general = generalOf(model, entry);
  for (const std::unique_ptr<BufferT> &other : general.buffers)
    if (other->kind == BufferKind::State && other->index == buffer.index &&
        axis < other->shape.size())
      return exprText(*general.exprs[other->shape[axis]], general);
  return exprText(*entry.exprs[buffer.shape[axis]], entry);
}

StateSizes::StateSizes(const ModelT &model) : model(model), states(model.states.size()) {
  for (const std::unique_ptr<EntryT> &entry : model.entries)
    for (const std::unique_ptr<BufferT> &buffer : entry->buffers)
      if (buffer->kind == BufferKind::State)
        for (uint32_t axis : buffer->shape)
          for (const ExprNode &node : entry->exprs[axis]->nodes)
            states[buffer->index].isConstant &= node.op() != ExprOp::Sym;
  freshStates.reserve(states.size());
  reset();
}

void StateSizes::reset() {
  freshStates.clear();
  for (size_t i = 0; i < states.size(); ++i) {
    states[i].isFixed = states[i].isConstant;
    states[i].shape = model.states[i]->shape;
    if (states[i].isFixed)
      freshStates.push_back(i);
  }
}

Result<void> StateSizes::open(const std::map<std::string, int64_t> &dims) {
  for (const auto &[name, size] : dims) {
    std::vector<std::string_view> names;
    bool isKnown = false;
    for (const std::unique_ptr<EntryT> &entry : model.entries)
      for (size_t symbol = 0; symbol < entry->dims.size(); ++symbol) {
        const DimT &dim = *entry->dims[symbol];
        if (!isOfState(*entry, symbol))
          continue;
        if (std::ranges::find(names, dim.name) == names.end())
          names.push_back(dim.name);
        if (dim.name != name)
          continue;
        isKnown = true;
        if (size < dim.min || size > dim.max)
          return Error{fmt::format("{} = {} is outside {}..={} of `{}`", name, size, dim.min,
                                   dim.max, entry->name)};
      }
    if (!isKnown)
      return Error{fmt::format("no state has a dimension `{}`{}", name,
                               names.empty() ? "" : suggestion(name, names))};
  }
  given = dims;
  return {};
}

Result<void> StateSizes::checkDims(const EntryT &entry, const CallSizes &sizes) const {
  auto check = [&](const EntryT &among, size_t symbol, std::optional<int64_t> size) {
    auto fixed = given.find(among.dims[symbol]->name);
    if (!size || fixed == given.end() || *size == fixed->second || !isOfState(among, symbol))
      return Result<void>();
    return Result<void>(
        Error{fmt::format("`{}`: the session was opened with {} = {}, this call has {}", entry.name,
                          fixed->first, fixed->second, *size)});
  };
  if (given.empty())
    return {};
  for (size_t symbol = 0; symbol < entry.dims.size(); ++symbol)
    if (Result<void> checked = check(entry, symbol, sizes.dims()[symbol]); !checked)
      return checked;
  const EntryT &general = generalOf(model, entry);
  for (size_t symbol = 0; &general != &entry && symbol < general.dims.size(); ++symbol)
    if (Result<void> checked = check(general, symbol, fixedSize(general, entry, symbol)); !checked)
      return checked;
  return {};
}

Result<void> StateSizes::check(const EntryT &entry, const BufferT &buffer,
                               const CallSizes &sizes) const {
  const Fixed &state = states[buffer.index];
  for (size_t axis = 0; axis < buffer.shape.size(); ++axis) {
    int64_t size = sizes.value(buffer.shape[axis]);
    if (size < 0 || size > model.states[buffer.index]->shape[axis])
      return Error{
          fmt::format("`{}`: the plan has a state that is larger than its memory", entry.name)};
    if (state.isFixed && size != state.shape[axis])
      return Error{fmt::format(
          "`{}`: the state `{}` was begun with {} = {}, this call has {}; reset the session first",
          entry.name, model.states[buffer.index]->name, sizeText(model, entry, buffer, axis),
          state.shape[axis], size)};
  }
  return {};
}

Result<void> StateSizes::fix(const EntryT &entry, const CallSizes &sizes) {
  freshStates.clear();
  if (Result<void> checked = checkDims(entry, sizes); !checked)
    return checked;
  for (const std::unique_ptr<BufferT> &buffer : entry.buffers)
    if (buffer->kind == BufferKind::State)
      if (Result<void> checked = check(entry, *buffer, sizes); !checked)
        return checked;
  for (const std::unique_ptr<BufferT> &buffer : entry.buffers) {
    if (buffer->kind != BufferKind::State || states[buffer->index].isFixed)
      continue;
    Fixed &state = states[buffer->index];
    state.isFixed = true;
    for (size_t axis = 0; axis < buffer->shape.size(); ++axis)
      state.shape[axis] = sizes.value(buffer->shape[axis]);
    freshStates.push_back(buffer->index);
  }
  // Two buffers of one state have one shape, and none is larger.
  for (const std::unique_ptr<BufferT> &buffer : entry.buffers) {
    if (buffer->kind != BufferKind::State)
      continue;
    if (Result<void> checked = check(entry, *buffer, sizes); !checked)
      return checked;
    if (static_cast<uint64_t>(sizes.value(buffer->bytes)) > bytes(buffer->index))
      return Error{
          fmt::format("`{}`: the plan has a buffer that is larger than its state", entry.name)};
  }
  return {};
}

void StateSizes::unfix() {
  for (size_t state : freshStates)
    states[state].isFixed = states[state].isConstant;
  freshStates.clear();
}

bool StateSizes::fits(size_t state, std::span<const int64_t> shape, bool afterReset) const {
  auto isWithin = [](int64_t size, int64_t most) { return size >= 0 && size <= most; };
  if (afterReset ? states[state].isConstant : states[state].isFixed)
    return std::ranges::equal(shape, states[state].shape);
  return std::ranges::equal(shape, model.states[state]->shape, isWithin);
}

void StateSizes::give(size_t state, std::span<const int64_t> shape) {
  states[state].isFixed = true;
  states[state].shape.assign(shape.begin(), shape.end());
}

uint64_t StateSizes::bytes(size_t state) const {
  uint64_t bytes = dtypeBytes(static_cast<DType>(model.states[state]->dtype));
  for (int64_t size : states[state].shape)
    bytes *= static_cast<uint64_t>(size);
  return bytes;
}

std::vector<std::byte> rt::initialElement(const StateT &state) {
  auto type = static_cast<DType>(state.dtype);
  std::vector<std::byte> element(dtypeBytes(type));
  auto number = static_cast<float>(state.value);
  bool fits =
      state.value > -0x1p63 && state.value < 0x1p63; // a plan from elsewhere may say anything
  int64_t integer = fits ? static_cast<int64_t>(state.value) : 0;
  if (type == DType::Bool)
    integer = state.value != 0;
  if (isConvertibleFloat(type))
    convertFloats(DType::F32, &number, type, element.data(), 1);
  else
    std::memcpy(element.data(), &integer, element.size());
  return element;
}
