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
  for (size_t symbol = 0; symbol < entry.dims.size(); ++symbol) {
    auto fixed = given.find(entry.dims[symbol]->name);
    if (fixed == given.end() || sizes.dims()[symbol] == fixed->second || !isOfState(entry, symbol))
      continue;
    return Error{fmt::format("`{}`: the session was opened with {} = {}, this call has {}",
                             entry.name, fixed->first, fixed->second, sizes.dims()[symbol])};
  }
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
          entry.name, model.states[buffer.index]->name,
          exprText(*entry.exprs[buffer.shape[axis]], entry), state.shape[axis], size)};
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
