// Tensors that go in and out of a model: dense, row-major, on the host or on a GPU.
#ifndef NNC_RUNTIME_TENSOR_H
#define NNC_RUNTIME_TENSOR_H

#include "runtime/format/DType.h"
#include "runtime/format/Result.h"

#include <array>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct DLManagedTensor; // of dlpack.h

namespace nnc {

/// Where memory is and code runs.
struct Device {
  enum class Kind : uint8_t { Cpu, Cuda };
  Kind kind = Kind::Cpu;
  int index = 0; ///< of the GPU

  static Device cpu() { return {}; }
  static Device cuda(int index = 0) { return {Kind::Cuda, index}; }
  /// "cpu", "cuda" (the first GPU) or "cuda:N".
  static Result<Device> parse(std::string_view text);
  std::string text() const;
  bool operator==(const Device &) const = default;
};

/// A handle: copies share the memory. Owning (empty, fromDLPack) or a view of the caller's memory,
/// which then must outlive all copies.
class Tensor {
public:
  static constexpr size_t MaxRank = 16;

  Tensor() = default;

  /// Uninitialized host memory, aligned to 64 bytes. Errors: too many axes, a negative size, too
  /// large, not enough memory.
  static Result<Tensor> empty(DType type, std::span<const int64_t> shape);
  /// The caller's memory of byteSize(type, shape) bytes.
  static Result<Tensor> view(DType type, std::span<const int64_t> shape, void *data,
                             Device device = Device::cpu());
  /// The same, freed by `owner`.
  static Result<Tensor> owned(DType type, std::span<const int64_t> shape,
                              std::shared_ptr<void> owner, Device device = Device::cpu());

  /// Takes over a DLPack tensor without copying; its deleter is called when the last copy is gone,
  /// and at once if it is refused. Errors: not dense row-major, unknown element type or device.
  static Result<Tensor> fromDLPack(DLManagedTensor *managed);
  /// A DLPack tensor that shares this memory; whoever takes it calls its deleter. Null if DLPack
  /// has no such element type (the 8-bit floats).
  DLManagedTensor *toDLPack() const;

  DType dtype() const { return type; }
  std::span<const int64_t> shape() const { return {sizes.data(), axes}; }
  size_t rank() const { return axes; }
  Device device() const { return place; }
  size_t elements() const;
  size_t bytes() const { return elements() * dtypeBytes(type); }
  void *data() const { return memory.get(); }

  /// The elements of a host tensor; T must have the size of the element type.
  template <typename T> std::span<T> values() const {
    return {static_cast<T *>(data()), elements()};
  }

private:
  DType type = DType::F32;
  Device place;
  uint8_t axes = 0;
  std::array<int64_t, MaxRank> sizes{};
  std::shared_ptr<void> memory;
};

/// Bytes of a dense tensor. Errors: too many axes, a negative size, overflow.
Result<size_t> byteSize(DType type, std::span<const int64_t> shape);

/// E.g. "f32[2, 3]".
std::string tensorText(DType type, std::span<const int64_t> shape);

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

/// Tensors by name, in order; what a run takes and returns.
class TensorMap {
public:
  TensorMap() = default;
  TensorMap(std::initializer_list<NamedTensor> tensors) : list(tensors) {}

  void add(std::string name, Tensor tensor) {
    list.push_back({std::move(name), std::move(tensor)});
  }
  /// The tensor of that name, or null.
  const Tensor *find(std::string_view name) const;
  /// The tensor of that name; ends the program if there is none.
  const Tensor &operator[](std::string_view name) const;

  size_t size() const { return list.size(); }
  auto begin() const { return list.begin(); }
  auto end() const { return list.end(); }

private:
  std::vector<NamedTensor> list;
};

} // namespace nnc

#endif
