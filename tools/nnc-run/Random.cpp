#include "tools/nnc-run/Random.h"
#include "runtime/Suggest.h"
#include "runtime/format/Half.h"
#include "tools/SplitMix.h"

#include <algorithm>
#include <fmt/format.h>

using namespace nnc;
using namespace nnc::format;

namespace {

template <typename T> void fillIntegers(const Tensor &tensor, SplitMix &generator, uint64_t limit) {
  for (T &value : tensor.values<T>())
    value = static_cast<T>(generator.next() % limit);
}

void fillFloats(const Tensor &tensor, SplitMix &generator) {
  auto *target = static_cast<std::byte *>(tensor.data());
  for (size_t i = 0; i < tensor.elements(); ++i) {
    float value = generator.normal();
    convertFloats(DType::F32, &value, tensor.dtype(), target + i * dtypeBytes(tensor.dtype()), 1);
  }
}

void fill(const Tensor &tensor, SplitMix &generator) {
  constexpr uint64_t Limit = 10;
  switch (tensor.dtype()) {
  case DType::Bool:
    return fillIntegers<uint8_t>(tensor, generator, 2);
  case DType::I8:
  case DType::U8:
  case DType::F8E4M3:
  case DType::F8E5M2:
    return fillIntegers<uint8_t>(tensor, generator, Limit);
  case DType::I16:
    return fillIntegers<int16_t>(tensor, generator, Limit);
  case DType::I32:
    return fillIntegers<int32_t>(tensor, generator, Limit);
  case DType::I64:
    return fillIntegers<int64_t>(tensor, generator, Limit);
  default:
    return fillFloats(tensor, generator);
  }
}

size_t findDim(const EntryT &entry, std::string_view name) {
  size_t index = 0;
  while (index < entry.dims.size() && entry.dims[index]->name != name)
    ++index;
  return index;
}

/// The sizes of all dimensions; see addRandomInputs.
Result<std::vector<int64_t>> chooseDims(const TensorMap &inputs, const EntryT &entry,
                                        const std::map<std::string, int64_t> &given) {
  std::vector<int64_t> dims;
  for (const std::unique_ptr<DimT> &dim : entry.dims)
    dims.push_back(std::min(std::max<int64_t>(dim->min, 1), dim->max));
  for (const std::unique_ptr<PortT> &port : entry.inputs) {
    const Tensor *tensor = inputs.find(port->name);
    for (size_t axis = 0; tensor && axis < std::min(port->shape.size(), tensor->rank()); ++axis) {
      const std::vector<ExprNode> &nodes = entry.exprs[port->shape[axis]]->nodes;
      if (nodes.size() == 1 && nodes[0].op() == ExprOp::Sym)
        dims[static_cast<size_t>(nodes[0].value())] = tensor->shape()[axis];
    }
  }
  for (const auto &[name, size] : given) {
    size_t index = findDim(entry, name);
    if (index == dims.size()) {
      std::vector<std::string_view> names;
      for (const std::unique_ptr<DimT> &dim : entry.dims)
        names.push_back(dim->name);
      return Error{fmt::format("`{}` has no dimension `{}`{}", entry.name, name,
                               rt::suggestion(name, names))};
    }
    dims[index] = size;
  }
  return dims;
}

Result<Tensor> randomTensor(const PortT &port, const EntryT &entry, std::span<const int64_t> dims,
                            SplitMix &generator) {
  std::vector<int64_t> shape;
  for (uint32_t expr : port.shape) {
    Result<int64_t> size = evaluate(*entry.exprs[expr], dims);
    if (!size)
      return size.error();
    shape.push_back(*size);
  }
  Result<Tensor> tensor = Tensor::empty(static_cast<DType>(port.dtype), shape);
  if (tensor)
    fill(*tensor, generator);
  return tensor;
}

} // namespace

Result<void> run::addRandomInputs(TensorMap &inputs, const EntryT &entry,
                                  const std::map<std::string, int64_t> &given, uint64_t seed) {
  Result<std::vector<int64_t>> dims = chooseDims(inputs, entry, given);
  if (!dims)
    return dims.error();
  SplitMix generator(seed);
  for (const std::unique_ptr<PortT> &port : entry.inputs) {
    if (inputs.find(port->name))
      continue;
    Result<Tensor> tensor = randomTensor(*port, entry, *dims, generator);
    if (!tensor)
      return tensor.error();
    inputs.add(port->name, std::move(*tensor));
  }
  return {};
}
