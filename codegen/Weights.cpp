#include "codegen/Weights.h"

#include "codegen/Initialize.h"
#include "codegen/plan/PlanBuilder.h"
#include "ir/NNOps.h"
#include "runtime/format/Safetensors.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/StringSet.h"

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
  tensors[symbol] = std::move(tensor);
}

void WeightStore::addOwned(std::string_view symbol, WeightTensor tensor,
                           std::vector<std::byte> bytes) {
  owned.push_back(std::move(bytes));
  tensor.bytes = owned.back();
  tensors[symbol] = std::move(tensor);
}

//===- Globs ----------------------------------------------------------------------------------===//

namespace {

/// The step up to the next dot, and what follows it; `rest` is none after the last step.
struct Steps {
  std::string_view first;
  std::optional<std::string_view> rest;
};

Steps splitStep(std::string_view key) {
  size_t dot = key.find('.');
  if (dot == std::string_view::npos)
    return {key, std::nullopt};
  return {key.substr(0, dot), key.substr(dot + 1)};
}

} // namespace

/// Greedy with one point to come back to, like a wildcard match over steps: linear in the key for
/// each `**`.
bool matchesGlob(std::string_view glob, std::string_view key) {
  std::optional<std::string_view> g = glob, k = key;
  std::optional<std::string_view> retryGlob, retryKey;
  bool canRetry = false;
  while (k) {
    Steps step = splitStep(*k);
    if (g) {
      Steps pattern = splitStep(*g);
      if (pattern.first == "**") {
        g = retryGlob = pattern.rest;
        retryKey = k;
        canRetry = true;
        continue;
      }
      if (pattern.first == "*" || pattern.first == step.first) {
        g = pattern.rest;
        k = step.rest;
        continue;
      }
    }
    if (!canRetry)
      return false;
    retryKey = splitStep(*retryKey).rest;
    g = retryGlob;
    k = retryKey;
    if (!g)
      return true; // a trailing ** takes all
    if (!retryKey)
      canRetry = false;
  }
  while (g && splitStep(*g).first == "**")
    g = splitStep(*g).rest;
  return !g;
}

//===- Checkpoints ----------------------------------------------------------------------------===//

namespace {

using Found = format::Safetensors::Entry;

bool isFloat(DType dtype) {
  return dtype == DType::F32 || dtype == DType::F16 || dtype == DType::BF16 || dtype == DType::F64;
}

/// The element `index` of a float tensor as f64.
double readFloat(const std::byte *data, DType dtype, size_t index) {
  if (dtype == DType::F64) {
    double value;
    std::memcpy(&value, data + index * 8, 8);
    return value;
  }
  if (dtype == DType::F32) {
    float value;
    std::memcpy(&value, data + index * 4, 4);
    return value;
  }
  uint16_t bits;
  std::memcpy(&bits, data + index * 2, 2);
  const llvm::fltSemantics &semantics =
      dtype == DType::F16 ? llvm::APFloat::IEEEhalf() : llvm::APFloat::BFloat();
  return llvm::APFloat(semantics, llvm::APInt(16, bits)).convertToDouble();
}

/// `value` rounded once to a float type.
void writeFloat(std::byte *data, DType dtype, size_t index, double value) {
  if (dtype == DType::F64)
    std::memcpy(data + index * 8, &value, 8);
  if (dtype == DType::F32) {
    float single = float(value);
    std::memcpy(data + index * 4, &single, 4);
  }
  if (dtype != DType::F16 && dtype != DType::BF16)
    return;
  llvm::APFloat wide(value);
  bool lossy;
  wide.convert(dtype == DType::F16 ? llvm::APFloat::IEEEhalf() : llvm::APFloat::BFloat(),
               llvm::APFloat::rmNearestTiesToEven, &lossy);
  uint16_t bits = wide.bitcastToAPInt().getZExtValue();
  std::memcpy(data + index * 2, &bits, 2);
}

class Matcher {
public:
  Matcher(std::shared_ptr<const format::Safetensors> file, const CheckpointNames &names,
          WeightStore &store)
      : file(std::move(file)), names(names), store(store) {}

  KeyReport run(ModuleOp module) {
    for (auto global : module.getOps<nn::GlobalOp>())
      if (global.getKind() == "param" || global.getKind() == "buffer")
        match(global);
    for (const Found &entry : file->entries())
      if (!used.contains(entry.name) && !isIgnored(entry.name))
        report.unused.emplace_back(entry.name);
    suggestPrefix();
    store.keepAlive(file);
    return std::move(report);
  }

private:
  bool isIgnored(std::string_view key) const {
    return llvm::any_of(names.ignore,
                        [&](const std::string &glob) { return matchesGlob(glob, key); });
  }

  void match(nn::GlobalOp global) {
    ++report.numSlots;
    llvm::SmallVector<const Found *> found;
    std::string first;
    for (Attribute attribute :
         global.getKeys() ? global.getKeys()->getValue() : ArrayRef<Attribute>()) {
      std::string key = names.prefix + cast<StringAttr>(attribute).str();
      if (first.empty())
        first = key;
      if (const Found *entry = file->find(key)) {
        found.push_back(entry);
        used.insert(key);
      }
    }
    if (found.empty())
      return report.missing.push_back(first);
    adopt(global, *found.front());
    for (const Found *other : ArrayRef(found).drop_front())
      if (other->dtype != found[0]->dtype || other->shape != found[0]->shape ||
          !std::equal(other->bytes.begin(), other->bytes.end(), found[0]->bytes.begin(),
                      found[0]->bytes.end()))
        return report.conflicting.push_back(first);
  }

  void adopt(nn::GlobalOp global, const Found &entry) {
    RankedTensorType type = global.getTensorType();
    std::optional<DType> dtype = dtypeOf(type.getElementType());
    std::vector<int64_t> shape = type.getShape().vec();
    bool converts = dtype && (*dtype == entry.dtype || (isFloat(*dtype) && isFloat(entry.dtype)));
    if (!converts || entry.shape != shape) {
      auto text = [](std::string_view element, const std::vector<int64_t> &sizes) {
        return fmt::format("{}[{}]", element, fmt::join(sizes, ", "));
      };
      return report.misshapen.push_back({std::string(entry.name),
                                         text(dtype ? dtypeName(*dtype) : "?", shape),
                                         text(dtypeName(entry.dtype), entry.shape)});
    }
    WeightTensor tensor{*dtype, shape, entry.bytes};
    if (*dtype == entry.dtype)
      return store.addView(global.getSymName(), tensor);
    size_t count = entry.bytes.size() / dtypeBytes(entry.dtype);
    std::vector<std::byte> bytes(count * dtypeBytes(*dtype));
    for (size_t i = 0; i < count; ++i)
      writeFloat(bytes.data(), *dtype, i, readFloat(entry.bytes.data(), entry.dtype, i));
    store.addOwned(global.getSymName(), tensor, std::move(bytes));
  }

  /// If the first missing key is the end of a key in the file, and the same start fits all others.
  void suggestPrefix() {
    if (report.missing.empty())
      return;
    for (const std::string &candidate : report.unused) {
      if (!llvm::StringRef(candidate).ends_with("." + report.missing.front()))
        continue;
      std::string prefix =
          candidate.substr(0, candidate.size() - report.missing.front().size());
      if (llvm::all_of(report.missing,
                       [&](const std::string &key) { return file->find(prefix + key); })) {
        report.suggestedPrefix = prefix;
        return;
      }
    }
  }

  std::shared_ptr<const format::Safetensors> file;
  const CheckpointNames &names;
  WeightStore &store;
  llvm::StringSet<> used;
  KeyReport report;
};

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
  return Error{fmt::format("`{}` has the unknown initializer `{}`", global.getSymName().str(),
                           kind.str())};
}

/// A tensor of `values` in any element type.
std::vector<std::byte> encode(DType dtype, const std::vector<float> &values) {
  std::vector<std::byte> bytes(values.size() * dtypeBytes(dtype));
  for (size_t i = 0; i < values.size(); ++i) {
    if (isFloat(dtype)) {
      writeFloat(bytes.data(), dtype, i, values[i]);
      continue;
    }
    int64_t integer = dtype == DType::Bool ? values[i] != 0 : int64_t(values[i]);
    std::memcpy(bytes.data() + i * dtypeBytes(dtype), &integer, dtypeBytes(dtype));
  }
  return bytes;
}

} // namespace

KeyReport matchCheckpoint(ModuleOp module, std::shared_ptr<const format::Safetensors> file,
                          const CheckpointNames &names, WeightStore &store) {
  return Matcher(std::move(file), names, store).run(module);
}

Result<void> initializeWeights(ModuleOp module, uint64_t seed, WeightStore &store) {
  for (auto global : module.getOps<nn::GlobalOp>()) {
    StringRef symbol = global.getSymName();
    if ((global.getKind() != "param" && global.getKind() != "buffer") || store.find(symbol))
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
    store.addOwned(symbol, tensor, encode(*dtype, values));
  }
  return {};
}

} // namespace nnc::codegen
