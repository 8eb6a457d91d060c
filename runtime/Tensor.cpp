#include "runtime/Tensor.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <new>

using namespace nnc;

Result<Device> Device::parse(std::string_view text) {
  if (text == "cpu")
    return Device::cpu();
  if (text == "cuda")
    return Device::cuda();
  constexpr std::string_view Prefix = "cuda:";
  if (text.starts_with(Prefix)) {
    int index = 0;
    const char *end = text.data() + text.size();
    auto [stop, failure] = std::from_chars(text.data() + Prefix.size(), end, index);
    if (failure == std::errc() && stop == end && index >= 0)
      return Device::cuda(index);
  }
  return Error{fmt::format("unknown device `{}`; there are `cpu`, `cuda` and `cuda:N`", text)};
}

std::string Device::text() const {
  return kind == Kind::Cpu ? "cpu" : fmt::format("cuda:{}", index);
}

std::string nnc::tensorText(DType type, std::span<const int64_t> shape) {
  return fmt::format("{}[{}]", dtypeName(type), fmt::join(shape, ", "));
}

Result<size_t> nnc::byteSize(DType type, std::span<const int64_t> shape) {
  if (shape.size() > Tensor::MaxRank)
    return Error{fmt::format("a tensor has {} axes; at most {} are supported", shape.size(),
                             Tensor::MaxRank)};
  size_t bytes = dtypeBytes(type);
  bool isEmpty = std::ranges::find(shape, 0) != shape.end();
  for (int64_t size : shape) {
    if (size < 0)
      return Error{fmt::format("{} has a negative size", tensorText(type, shape))};
    if (!isEmpty && __builtin_mul_overflow(bytes, static_cast<size_t>(size), &bytes))
      return Error{fmt::format("{} is too large", tensorText(type, shape))};
  }
  return isEmpty ? 0 : bytes;
}

Result<Tensor> Tensor::owned(DType type, std::span<const int64_t> shape,
                             std::shared_ptr<void> owner, Device device) {
  if (Result<size_t> bytes = byteSize(type, shape); !bytes)
    return bytes.error();
  Tensor tensor;
  tensor.type = type;
  tensor.place = device;
  tensor.axes = static_cast<uint8_t>(shape.size());
  std::ranges::copy(shape, tensor.sizes.begin());
  tensor.memory = std::move(owner);
  return tensor;
}

Result<Tensor> Tensor::empty(DType type, std::span<const int64_t> shape) {
  constexpr std::align_val_t Alignment{64};
  Result<size_t> bytes = byteSize(type, shape);
  if (!bytes)
    return bytes.error();
  void *memory = ::operator new(std::max<size_t>(*bytes, 1), Alignment, std::nothrow);
  if (!memory)
    return Error{fmt::format("not enough memory for {}", tensorText(type, shape))};
  return owned(type, shape, std::shared_ptr<void>(memory, [](void *address) {
                 ::operator delete(address, Alignment);
               }));
}

Result<Tensor> Tensor::view(DType type, std::span<const int64_t> shape, void *data, Device device) {
  // An aliasing pointer to no owner: nothing is counted and nothing is freed.
  return owned(type, shape, std::shared_ptr<void>(std::shared_ptr<void>(), data), device);
}

size_t Tensor::elements() const {
  size_t count = 1;
  for (int64_t size : shape())
    count *= static_cast<size_t>(size);
  return count;
}

const Tensor *TensorMap::find(std::string_view name) const {
  for (const NamedTensor &item : list)
    if (item.name == name)
      return &item.tensor;
  return nullptr;
}

const Tensor &TensorMap::operator[](std::string_view name) const {
  if (const Tensor *tensor = find(name))
    return *tensor;
  detail::accessedError(fmt::format("there is no tensor `{}`", name));
}
