#include "codegen/CheckpointKeys.h"

#include "codegen/ElementType.h"
#include "ir/NNOps.h"
#include "runtime/format/Glob.h"
#include "runtime/format/Half.h"
#include "runtime/format/Safetensors.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"

#include <cstring>
#include <fmt/format.h>

using namespace mlir;

namespace nnc::codegen {

//===- Matching -------------------------------------------------------------------------------===//

namespace {

using Found = format::StoredTensor;
using Keys = std::vector<std::string>;

/// "f32[6, 1, 5, 5]"
std::string typeText(DType dtype, const std::vector<int64_t> &shape) {
  return fmt::format("{}[{}]", dtypeName(dtype), fmt::join(shape, ", "));
}

/// Whether two stored tensors of one shape are the same numbers in `type`.
bool holdSame(const Found &a, const Found &b, DType type) {
  if (a.type == b.type || !format::isConvertibleFloat(type))
    return llvm::equal(a.data, b.data);
  constexpr size_t Elements = 1 << 12;
  std::vector<std::byte> left(Elements * dtypeBytes(type)), right(left.size());
  size_t count = a.data.size() / dtypeBytes(a.type);
  auto convert = [&](const Found &from, size_t at, size_t part, std::vector<std::byte> &to) {
    format::convertFloats(from.type, from.data.data() + at * dtypeBytes(from.type), type, to.data(),
                          part);
  };
  for (size_t at = 0; at < count; at += Elements) {
    size_t part = std::min(Elements, count - at);
    convert(a, at, part, left);
    convert(b, at, part, right);
    if (std::memcmp(left.data(), right.data(), part * dtypeBytes(type)) != 0)
      return false;
  }
  return true;
}

class Matcher {
public:
  Matcher(std::shared_ptr<const format::Checkpoint> file, const CheckpointNames &names,
          WeightStore &store)
      : file(std::move(file)), names(names), store(store) {}

  KeyReport run(ModuleOp module) {
    for (const format::CheckpointFile &mapped : file->files())
      store.addFile({mapped.path, mapped.map.bytes()});
    module.walk([&](nn::GetOp get) { read.insert(get.getName()); });
    for (auto global : module.getOps<nn::GlobalOp>())
      if (global.getKind() == "param" || global.getKind() == "buffer")
        match(global);
      else if (isOurs() && global.getKind() == "state")
        used.insert(global.getSymName()); // a session keeps them, models begin without
    for (const Found &entry : file->tensors())
      if (!used.contains(entry.name) && !isIgnored(entry.name))
        report.unused.push_back({entry.name, typeText(entry.type, entry.shape)});
    findPrefix();
    store.keepAlive(file);
    return std::move(report);
  }

private:
  /// Whether a session wrote the file: under the model's own keys.
  bool isOurs() const {
    auto format = file->metadata().find("format");
    return format != file->metadata().end() && format->second == "nnc";
  }

  /// The tensor of a key. A session's file has the model's own keys; with a prefix (`ema.`) there
  /// may be others of some of them, which then are meant.
  const Found *find(const std::string &key) {
    const Found *entry = file->find(names.prefix + key);
    const Found *plain = isOurs() ? file->find(key) : nullptr;
    if (plain)
      used.insert(plain->name);
    return entry ? entry : plain;
  }

  /// What training keeps beside the model (docs/internals.md, "Training") is never the model's.
  bool isIgnored(std::string_view key) const {
    constexpr std::string_view OfTraining[] = {"optimizer.**", "ema.**"};
    if (llvm::any_of(OfTraining, [&](auto glob) { return format::matchesGlob(glob, key); }))
      return true;
    return isNamed(key);
  }

  /// Whether the user's `ignore` names it.
  bool isNamed(std::string_view key) const {
    return llvm::any_of(names.ignore,
                        [&](const std::string &glob) { return format::matchesGlob(glob, key); });
  }

  /// Whether nobody misses it: a buffer that nothing reads (old files lack `num_batches_tracked`),
  /// and what the user says. It gets fresh values.
  bool mayBeAbsent(nn::GlobalOp global, const Keys &keys) const {
    bool isUnread = global.getKind() == "buffer" && !read.contains(global.getSymName());
    return isUnread || isNamed(names.prefix + keys.front());
  }

  void match(nn::GlobalOp global) {
    ++report.numSlots;
    std::optional<DType> dtype = dtypeOf(global.getTensorType().getElementType());
    std::vector<int64_t> shape = global.getTensorType().getShape().vec();
    std::string expected = dtype ? typeText(*dtype, shape) : std::string("?");
    llvm::SmallVector<const Found *> found;
    Keys keys;
    for (Attribute key : global.getKeys() ? global.getKeys()->getValue() : ArrayRef<Attribute>()) {
      keys.push_back(cast<StringAttr>(key).str());
      if (const Found *entry = find(keys.back())) {
        found.push_back(entry);
        used.insert(entry->name);
      }
    }
    if (found.empty() && mayBeAbsent(global, keys)) {
      --report.numSlots;
      return;
    }
    if (found.empty()) {
      report.missing.push_back({(isOurs() ? "" : names.prefix) + keys.front(), expected});
      missingKeys.push_back(std::move(keys));
      return;
    }
    for (const Found *entry : found)
      if (!holdsBytes(global, *entry, shape) &&
          (entry->shape != shape || !dtype || !converts(entry->type, *dtype)))
        return report.misshapen.push_back(
            {entry->name, expected, typeText(entry->type, entry->shape)});
    for (const Found *other : ArrayRef(found).drop_front())
      if (!holdSame(*found[0], *other, *dtype))
        return report.conflicting.push_back({found[0]->name, other->name});
    adopt(global, *dtype, shape, *found[0]);
  }

  /// Whether a file's integers are the bytes of packed i4, without a sign, or words of which each
  /// is the last axis (i32[m, n] for i4[m, n, 8] or i8[m, n, 4]).
  static bool holdsBytes(nn::GlobalOp global, const Found &entry,
                         const std::vector<int64_t> &bytes) {
    bool isPacked = global->hasAttr("packed");
    if (!isPacked && !global.getTensorType().getElementType().isInteger(8))
      return false;
    if (entry.type == DType::U8)
      return isPacked && entry.shape == bytes;
    bool isWord = entry.type == DType::I16 || entry.type == DType::I32 || entry.type == DType::I64;
    return isWord && entry.shape.size() + 1 == bytes.size() &&
           std::equal(entry.shape.begin(), entry.shape.end(), bytes.begin()) &&
           bytes.back() == int64_t(dtypeBytes(entry.type));
  }

  static bool converts(DType from, DType to) {
    return from == to || (format::isConvertibleFloat(from) && format::isConvertibleFloat(to));
  }

  void adopt(nn::GlobalOp global, DType dtype, const std::vector<int64_t> &shape,
             const Found &entry) {
    ++report.numAgreeing;
    WeightTensor tensor{dtype, shape, entry.data};
    if (dtype != entry.type && !holdsBytes(global, entry, shape)) {
      tensor.stored = entry.type;
      report.converted.push_back({entry.name, typeText(dtype, shape), typeText(entry.type, shape)});
    }
    store.addView(global.getSymName(), std::move(tensor));
  }

  bool isPresent(const std::string &prefix, const Keys &keys) const {
    return llvm::any_of(keys, [&](const std::string &key) { return file->find(prefix + key); });
  }

  /// Tries the starts that some of the first missing keys have in the file; one under which at
  /// least half of the missing keys are is better than what was asked for.
  void findPrefix() {
    constexpr size_t Tried = 4;
    if (missingKeys.size() * 2 < report.numSlots)
      return; // most keys are right as they are
    llvm::StringSet<> tried;
    for (const Keys &keys : ArrayRef(missingKeys).take_front(Tried))
      for (const std::string &key : keys)
        for (const KeyReport::Key &candidate : report.unused) {
          StringRef name = candidate.name;
          if (!name.consume_back(key) || !(name.empty() || name.ends_with(".")) ||
              !tried.insert(name).second || tried.size() > 64)
            continue;
          size_t fitting = llvm::count_if(
              missingKeys, [&](const Keys &missing) { return isPresent(name.str(), missing); });
          if (fitting * 2 >= missingKeys.size() &&
              (!report.betterPrefix || fitting > report.betterPrefix->fitting))
            report.betterPrefix = KeyReport::Prefix{name.str(), fitting};
        }
  }

  std::shared_ptr<const format::Checkpoint> file;
  const CheckpointNames &names;
  WeightStore &store;
  llvm::StringSet<> used, read;  ///< of the file's keys, of the model's globals
  std::vector<Keys> missingKeys; ///< without prefix, as KeyReport::missing
  KeyReport report;
};

} // namespace

KeyReport matchCheckpoint(ModuleOp module, std::shared_ptr<const format::Checkpoint> file,
                          const CheckpointNames &names, WeightStore &store) {
  return Matcher(std::move(file), names, store).run(module);
}

} // namespace nnc::codegen
