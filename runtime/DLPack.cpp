// Tensors from and to other frameworks without copying.
#include "runtime/DLPack.h"
#include "runtime/Tensor.h"

#include <algorithm>
#include <fmt/format.h>

using namespace nnc;

namespace {

struct Pairing {
  DType type;
  uint8_t code, bits;
};

constexpr Pairing pairings[] = {
    {DType::F32, kDLFloat, 32}, {DType::F16, kDLFloat, 16}, {DType::BF16, kDLBfloat, 16},
    {DType::F64, kDLFloat, 64}, {DType::I8, kDLInt, 8},     {DType::I16, kDLInt, 16},
    {DType::I32, kDLInt, 32},   {DType::I64, kDLInt, 64},   {DType::U8, kDLUInt, 8},
    {DType::Bool, kDLBool, 8},
};

Result<DType> typeOf(const DLDataType &type) {
  for (const Pairing &pairing : pairings)
    if (type.code == pairing.code && type.bits == pairing.bits && type.lanes == 1)
      return pairing.type;
  return Error{fmt::format("a DLPack tensor has an unsupported element type (code {}, {} bits, {} "
                           "lanes)",
                           type.code, type.bits, type.lanes)};
}

Result<Device> deviceOf(const DLDevice &device) {
  switch (device.device_type) {
  case kDLCPU:
  case kDLCUDAHost:
    return Device::cpu();
  case kDLCUDA:
  case kDLCUDAManaged:
    return Device::cuda(device.device_id);
  }
  return Error{fmt::format("a DLPack tensor is on an unsupported device (type {})",
                           static_cast<int>(device.device_type))};
}

/// Dense row-major; strides of axes of size 0 or 1 do not matter.
bool isDense(const DLTensor &tensor) {
  if (!tensor.strides)
    return true;
  int64_t expected = 1;
  for (int32_t axis = tensor.ndim - 1; axis >= 0; --axis) {
    if (tensor.shape[axis] == 0)
      return true;
    if (tensor.shape[axis] != 1 && tensor.strides[axis] != expected)
      return false;
    expected *= tensor.shape[axis];
  }
  return true;
}

/// What a DLPack tensor made here keeps alive.
struct Exported {
  DLManagedTensor managed;
  Tensor tensor;
  std::array<int64_t, Tensor::MaxRank> shape;
};

} // namespace

Result<Tensor> Tensor::fromDLPack(DLManagedTensor *managed) {
  const DLTensor &source = managed->dl_tensor;
  char *data = static_cast<char *>(source.data) + source.byte_offset;
  std::shared_ptr<void> owner(data, [managed](void *) {
    if (managed->deleter)
      managed->deleter(managed);
  });
  Result<DType> type = typeOf(source.dtype);
  if (!type)
    return type.error();
  Result<Device> device = deviceOf(source.device);
  if (!device)
    return device.error();
  if (source.ndim < 0)
    return Error{"a DLPack tensor has a negative number of axes"};
  if (!isDense(source))
    return Error{"a DLPack tensor is not dense row-major; make it contiguous first"};
  return owned(*type, {source.shape, static_cast<size_t>(source.ndim)}, std::move(owner), *device);
}

DLManagedTensor *Tensor::toDLPack() const {
  const Pairing *pairing = std::ranges::find(pairings, type, &Pairing::type);
  if (pairing == std::end(pairings))
    return nullptr;
  auto *exported = new Exported{{}, *this, sizes};
  DLTensor &target = exported->managed.dl_tensor;
  target.data = data();
  target.device = {place.kind == Device::Kind::Cpu ? kDLCPU : kDLCUDA, place.index};
  target.ndim = axes;
  target.dtype = {pairing->code, pairing->bits, 1};
  target.shape = exported->shape.data();
  target.strides = nullptr;
  target.byte_offset = 0;
  exported->managed.manager_ctx = exported;
  exported->managed.deleter = [](DLManagedTensor *self) {
    delete static_cast<Exported *>(self->manager_ctx);
  };
  return &exported->managed;
}
