#include "runtime/format/SafetensorsIndex.h"
#include "runtime/format/MappedFile.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <unordered_set>

using namespace nnc;
using namespace nnc::format;

namespace {

using Json = nlohmann::json;

constexpr size_t MaxIndex = 100'000'000; ///< bytes, as for a header
constexpr size_t MaxShards = 10'000;

/// A name without a folder: an index points at nothing but its neighbours.
bool isShardName(const std::string &name) {
  return name.ends_with(".safetensors") && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos;
}

/// Receives the index piece by piece; what is not in the outermost `weight_map` is skipped.
class IndexReader : public nlohmann::json_sax<Json> {
public:
  std::vector<IndexEntry> entries;
  std::string error;
  bool hasMap = false;

  bool start_object(size_t) override {
    bool isMap = depth == 1 && current == "weight_map";
    if (isMap && hasMap)
      return fail("it has `weight_map` twice");
    hasMap |= isMap;
    inMap |= isMap;
    return enter(/*isArray=*/false);
  }
  bool end_object() override { return leave(); }
  bool start_array(size_t) override { return enter(/*isArray=*/true); }
  bool end_array() override { return leave(); }

  bool key(string_t &name) override {
    current = name;
    if (inMap && depth == 2 && !tensors.insert(name).second)
      return fail(fmt::format("tensor `{}` is there twice", name));
    return true;
  }

  bool string(string_t &text) override {
    if (!inMap)
      return value();
    if (!isShardName(text))
      return fail(
          fmt::format("the shard of tensor `{}` is not a .safetensors file beside it", current));
    if (shards.insert(text).second && shards.size() > MaxShards)
      return fail(fmt::format("it has more than {} shards", MaxShards));
    entries.push_back({current, text});
    return true;
  }

  bool null() override { return value(); }
  bool boolean(bool) override { return value(); }
  bool number_integer(number_integer_t) override { return value(); }
  bool number_unsigned(number_unsigned_t) override { return value(); }
  bool number_float(number_float_t, const string_t &) override { return value(); }
  bool binary(binary_t &) override { return value(); }
  bool parse_error(size_t position, const std::string &, const Json::exception &) override {
    return fail(fmt::format("it is not valid JSON at byte {}", position));
  }

private:
  bool fail(std::string message) {
    if (error.empty())
      error = std::move(message);
    return false;
  }

  bool value() {
    if (inMap)
      return fail(fmt::format("the shard of tensor `{}` is not a name", current));
    return depth > 0 || fail("it is not an object");
  }

  bool enter(bool isArray) {
    if (depth == 0 && isArray)
      return fail("it is not an object");
    if (inMap && depth > 1)
      return value();
    ++depth;
    return true;
  }

  bool leave() {
    --depth;
    inMap &= depth > 1;
    return true;
  }

  size_t depth = 0;
  bool inMap = false;
  std::string current; ///< the last key
  std::unordered_set<std::string> tensors, shards;
};

} // namespace

Result<std::vector<IndexEntry>> format::readSafetensorsIndex(const std::string &path) {
  Result<MappedFile> file = MappedFile::open(path);
  if (!file)
    return file.error();
  auto malformed = [&](std::string_view why) {
    return Error{fmt::format("{} is not an index of safetensors files: {}", path, why)};
  };
  if (file->bytes().size() > MaxIndex)
    return malformed(fmt::format("it has {} bytes", file->bytes().size()));
  auto *begin = reinterpret_cast<const char *>(file->bytes().data());
  IndexReader reader;
  if (!Json::sax_parse(begin, begin + file->bytes().size(), &reader))
    return malformed(reader.error);
  if (!reader.hasMap)
    return malformed("it has no `weight_map`");
  return std::move(reader.entries);
}
