#include "codegen/Weights.h"

#include "codegen/ElementType.h"
#include "codegen/Initialize.h"
#include "ir/NNOps.h"
#include "runtime/format/Half.h"

#include "mlir/IR/BuiltinOps.h"

#include <cstring>
#include <fmt/format.h>
#include <functional>

using namespace mlir;

namespace nnc::codegen {

//===- WeightStore ----------------------------------------------------------------------------===//

const WeightTensor *WeightStore::find(std::string_view symbol) const {
  auto found = tensors.find(symbol);
  return found == tensors.end() ? nullptr : &found->second;
}

void WeightStore::addView(std::string_view symbol, WeightTensor tensor) {
  owned.erase(symbol);
  tensors[symbol] = std::move(tensor);
}

void WeightStore::addOwned(std::string_view symbol, WeightTensor tensor,
                           std::vector<std::byte> bytes) {
  std::vector<std::byte> &kept = owned[symbol];
  kept = std::move(bytes);
  tensor.bytes = kept;
  tensors[symbol] = std::move(tensor);
}

const WeightTensor &WeightStore::materialize(std::string_view symbol) {
  WeightTensor tensor = tensors.find(symbol)->second;
  if (tensor.storedType() == tensor.dtype)
    return tensors.find(symbol)->second;
  size_t count = tensor.bytes.size() / dtypeBytes(tensor.storedType());
  std::vector<std::byte> bytes(count * dtypeBytes(tensor.dtype));
  format::convertFloats(tensor.storedType(), tensor.bytes.data(), tensor.dtype, bytes.data(),
                        count);
  tensor.stored.reset();
  addOwned(symbol, std::move(tensor), std::move(bytes));
  return tensors.find(symbol)->second;
}

std::optional<WeightStore::FilePlace> WeightStore::locate(std::span<const std::byte> bytes) const {
  std::less_equal<const std::byte *> notAfter;
  for (size_t i = 0; i < mapped.size(); ++i) {
    std::span<const std::byte> file = mapped[i].bytes;
    if (notAfter(file.data(), bytes.data()) &&
        notAfter(bytes.data() + bytes.size(), file.data() + file.size()))
      return FilePlace{i, size_t(bytes.data() - file.data())};
  }
  return std::nullopt;
}

//===- Fresh weights --------------------------------------------------------------------------===//

namespace {

/// What `init` of a global says.
Result<Initializer> initializerOf(nn::GlobalOp global) {
  DictionaryAttr init = global.getInit().value_or(DictionaryAttr());
  if (!init)
    return Initializer{};
  auto number = [&](StringRef key, double fallback) {
    auto value = init.getAs<FloatAttr>(key);
    return value ? value.getValueAsDouble() : fallback;
  };
  StringRef kind = init.getAs<StringAttr>("kind").getValue();
  if (kind == "full")
    return Initializer{Initializer::Kind::Full, number("value", 0), 0};
  if (kind == "kaiming_uniform")
    return Initializer{Initializer::Kind::KaimingUniform, 0, 0};
  if (kind == "normal")
    return Initializer{Initializer::Kind::Normal, number("mean", 0), number("std", 1)};
  if (kind == "uniform")
    return Initializer{Initializer::Kind::Uniform, number("low", 0), number("high", 1)};
  return Error{
      fmt::format("`{}` has the unknown initializer `{}`", global.getSymName().str(), kind.str())};
}

/// A tensor of `values` in any element type.
std::vector<std::byte> encode(DType dtype, const std::vector<float> &values) {
  std::vector<std::byte> bytes(values.size() * dtypeBytes(dtype));
  if (format::isConvertibleFloat(dtype)) {
    format::convertFloats(DType::F32, values.data(), dtype, bytes.data(), values.size());
    return bytes;
  }
  for (size_t i = 0; i < values.size(); ++i) {
    int64_t integer = dtype == DType::Bool ? values[i] != 0 : int64_t(values[i]);
    std::memcpy(bytes.data() + i * dtypeBytes(dtype), &integer, dtypeBytes(dtype));
  }
  return bytes;
}

} // namespace

/// A state of one number in all places is made by the session. Of constants, those are made here
/// that say how; passes have made others.
static bool needsValues(nn::GlobalOp global) {
  StringRef kind = global.getKind();
  DictionaryAttr init = global.getInit().value_or(DictionaryAttr());
  bool isFull = !init || init.getAs<StringAttr>("kind").getValue() == "full";
  return kind == "param" || kind == "buffer" || (kind == "state" && !isFull) ||
         (kind == "const" && init);
}

Result<void> initializeWeights(ModuleOp module, uint64_t seed, WeightStore &store) {
  for (auto global : module.getOps<nn::GlobalOp>()) {
    StringRef symbol = global.getSymName();
    if (!needsValues(global) || store.find(symbol))
      continue;
    RankedTensorType type = global.getTensorType();
    std::optional<DType> dtype = dtypeOf(type.getElementType());
    Result<Initializer> initializer = initializerOf(global);
    if (!initializer)
      return initializer.error();
    if (!dtype || !type.hasStaticShape())
      return Error{fmt::format("`{}` needs fixed sizes", symbol.str())};
    WeightTensor tensor{*dtype, type.getShape().vec(), {}};
    std::vector<float> values = initialValues(*initializer, symbol, tensor.shape, seed);
    if (global->hasAttr("packed")) // two numbers of 4 bits in each byte
      for (float &value : values)
        value = float(int8_t((int(value) & 15) * 17));
    store.addOwned(symbol, tensor, encode(*dtype, values));
  }
  return {};
}

} // namespace nnc::codegen
