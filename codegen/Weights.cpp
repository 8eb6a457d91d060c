#include "codegen/Weights.h"

#include "codegen/Initialize.h"
#include "codegen/plan/PlanBuilder.h"
#include "ir/NNOps.h"
#include "runtime/format/Half.h"
#include "runtime/format/Safetensors.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/STLExtras.h"
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

using Found = format::StoredTensor;

/// "f32[6, 1, 5, 5]"
std::string typeText(DType dtype, const std::vector<int64_t> &shape) {
  return fmt::format("{}[{}]", dtypeName(dtype), fmt::join(shape, ", "));
}

class Matcher {
public:
  Matcher(std::shared_ptr<const format::Checkpoint> file, const CheckpointNames &names,
          WeightStore &store)
      : file(std::move(file)), names(names), store(store) {}

  KeyReport run(ModuleOp module) {
    for (auto global : module.getOps<nn::GlobalOp>())
      if (global.getKind() == "param" || global.getKind() == "buffer")
        match(global);
    for (const Found &entry : file->tensors())
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
      if (other->type != found[0]->type || other->shape != found[0]->shape ||
          !llvm::equal(other->data, found[0]->data))
        return report.conflicting.push_back(first);
  }

  void adopt(nn::GlobalOp global, const Found &entry) {
    RankedTensorType type = global.getTensorType();
    std::optional<DType> dtype = dtypeOf(type.getElementType());
    std::vector<int64_t> shape = type.getShape().vec();
    bool converts = dtype && (*dtype == entry.type || (format::isConvertibleFloat(*dtype) &&
                                                       format::isConvertibleFloat(entry.type)));
    if (!converts || entry.shape != shape) {
      std::string expected = dtype ? typeText(*dtype, shape) : std::string("?");
      return report.misshapen.push_back(
          {entry.name, std::move(expected), typeText(entry.type, entry.shape)});
    }
    WeightTensor tensor{*dtype, shape, entry.data};
    if (*dtype == entry.type)
      return store.addView(global.getSymName(), tensor);
    size_t count = entry.data.size() / dtypeBytes(entry.type);
    std::vector<std::byte> bytes(count * dtypeBytes(*dtype));
    format::convertFloats(entry.type, entry.data.data(), *dtype, bytes.data(), count);
    store.addOwned(global.getSymName(), tensor, std::move(bytes));
  }

  /// If the first missing key is the end of a key in the file, and the same start fits all others.
  void suggestPrefix() {
    if (report.missing.empty())
      return;
    for (const std::string &candidate : report.unused) {
      if (!llvm::StringRef(candidate).ends_with("." + report.missing.front()))
        continue;
      std::string prefix = candidate.substr(0, candidate.size() - report.missing.front().size());
      if (llvm::all_of(report.missing,
                       [&](const std::string &key) { return file->find(prefix + key); })) {
        report.suggestedPrefix = prefix;
        return;
      }
    }
  }

  std::shared_ptr<const format::Checkpoint> file;
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

KeyReport matchCheckpoint(ModuleOp module, std::shared_ptr<const format::Checkpoint> file,
                          const CheckpointNames &names, WeightStore &store) {
  return Matcher(std::move(file), names, store).run(module);
}

/// A state of one number in all places is made by the session.
static bool needsValues(nn::GlobalOp global) {
  StringRef kind = global.getKind();
  DictionaryAttr init = global.getInit().value_or(DictionaryAttr());
  bool isFull = !init || init.getAs<StringAttr>("kind").getValue() == "full";
  return kind == "param" || kind == "buffer" || (kind == "state" && !isFull);
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
    store.addOwned(symbol, tensor, encode(*dtype, values));
  }
  return {};
}

} // namespace nnc::codegen
