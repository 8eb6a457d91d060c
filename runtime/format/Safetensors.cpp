#include "runtime/format/Safetensors.h"
#include "runtime/format/AtomicFile.h"
#include "runtime/format/SafetensorsHeader.h"
#include "runtime/format/SafetensorsIndex.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <set>

using namespace nnc;
using namespace nnc::format;

namespace {

constexpr uint64_t MaxHeader = 100'000'000; // as in the format's own library
constexpr size_t MaxAxes = 16;

/// Bytes of a dense tensor, or nothing if they overflow.
template <typename Size>
std::optional<uint64_t> bytesOf(DType type, const std::vector<Size> &shape) {
  uint64_t bytes = dtypeBytes(type);
  for (Size size : shape)
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(size), &bytes))
      return std::nullopt;
  return bytes;
}

/// Checks one entry of the header against itself and the data.
Result<StoredTensor> toTensor(HeaderEntry &entry, std::span<const std::byte> data) {
  auto error = [&](const std::string &what) {
    return Error{fmt::format("tensor `{}` {}", entry.name, what)};
  };
  std::optional<DType> type = dtypeFromSafetensors(entry.dtype);
  if (!type)
    return error(fmt::format("has the unsupported element type `{}`", entry.dtype));
  if (entry.shape.size() > MaxAxes)
    return error(fmt::format("has {} axes; at most {} are supported", entry.shape.size(), MaxAxes));
  if (entry.offsets.size() != 2 || entry.offsets[0] > entry.offsets[1])
    return error("has malformed `data_offsets`");
  if (entry.offsets[1] > data.size())
    return error(fmt::format("ends at byte {} of {} bytes of data", entry.offsets[1], data.size()));
  uint64_t bytes = entry.offsets[1] - entry.offsets[0];
  std::optional<uint64_t> expected = bytesOf(*type, entry.shape);
  if (!expected || *expected != bytes)
    return error(fmt::format("has {} bytes, which do not fit its shape {}[{}]", bytes,
                             dtypeName(*type), fmt::join(entry.shape, ", ")));
  std::vector<int64_t> shape;
  for (uint64_t size : entry.shape) {
    if (size > INT64_MAX)
      return error("has a size that is too large");
    shape.push_back(static_cast<int64_t>(size));
  }
  return StoredTensor{std::move(entry.name), *type, std::move(shape),
                      data.subspan(entry.offsets[0], bytes)};
}

/// The data is covered exactly once: no tensor overlaps another, and there are no gaps.
Result<void> verifyCoverage(const std::vector<StoredTensor> &tensors,
                            std::span<const std::byte> data) {
  std::vector<const StoredTensor *> order;
  for (const StoredTensor &tensor : tensors)
    order.push_back(&tensor);
  std::ranges::sort(order, {}, [](const StoredTensor *tensor) {
    return std::pair(tensor->data.data(), tensor->data.size());
  });
  const std::byte *end = data.data();
  for (const StoredTensor *tensor : order) {
    if (tensor->data.data() < end && !tensor->data.empty())
      return Error{fmt::format("tensor `{}` overlaps another one", tensor->name)};
    if (tensor->data.data() > end)
      return Error{fmt::format("there is a gap before tensor `{}`", tensor->name)};
    end += tensor->data.size();
  }
  if (end != data.data() + data.size())
    return Error{fmt::format("{} bytes after the last tensor belong to none",
                             data.data() + data.size() - end)};
  return {};
}

/// The text of the header and the data behind it.
struct Parts {
  std::string_view header;
  std::span<const std::byte> data;
};

/// What a file of another kind is that users take for weights; empty if it is none of these.
std::string_view otherKind(std::span<const std::byte> bytes) {
  std::string_view text(reinterpret_cast<const char *>(bytes.data()), bytes.size());
  if (text.starts_with("PK\x03\x04") || text.starts_with("\x80\x02\x8a\x0a"))
    return "a file of torch.save; write one with "
           "safetensors.torch.save_file(model.state_dict(), path)";
  if (text.starts_with("GGUF"))
    return "a GGUF file";
  if (text.starts_with("\x89HDF\r\n\x1a\n"))
    return "an HDF5 file";
  if (text.starts_with("\x93NUMPY"))
    return "a .npy file";
  return "";
}

Result<Parts> split(std::span<const std::byte> bytes, const std::string &name) {
  uint64_t size = 0;
  if (bytes.size() < sizeof(size))
    return Error{
        fmt::format("{} is not a safetensors file: it has only {} bytes", name, bytes.size())};
  std::memcpy(&size, bytes.data(), sizeof(size));
  if (std::string_view kind = otherKind(bytes); !kind.empty() && size > bytes.size())
    return Error{fmt::format("{} is not a safetensors file, but {}", name, kind)};
  bytes = bytes.subspan(sizeof(size));
  if (size > MaxHeader)
    return Error{fmt::format("{} is not a safetensors file: it says that its header has {} bytes",
                             name, size)};
  if (size > bytes.size())
    return Error{fmt::format("{} is truncated: its header has {} bytes, but only {} are there",
                             name, size, bytes.size())};
  return Parts{{reinterpret_cast<const char *>(bytes.data()), size}, bytes.subspan(size)};
}

/// The checkpoint in a folder, as Hugging Face lays it out.
Result<std::string> findInFolder(const std::string &folder) {
  namespace fs = std::filesystem;
  std::error_code error;
  for (const char *name : {"model.safetensors.index.json", "model.safetensors"})
    if (fs::path file = fs::path(folder) / name; fs::exists(file, error))
      return file.string();
  std::vector<std::string> found;
  for (fs::directory_iterator item(folder, error), end; !error && item != end;
       item.increment(error))
    if (item->path().extension() == ".safetensors")
      found.push_back(item->path().string());
  if (error)
    return Error{fmt::format("cannot read {}: {}", folder, error.message())};
  if (found.size() == 1)
    return found.front();
  return Error{fmt::format("{} holds {} .safetensors files{}", folder,
                           found.empty() ? "no" : "several",
                           found.empty() ? "" : " and no index of them: name one")};
}

} // namespace

Result<std::vector<StoredTensor>> format::parseSafetensors(std::span<const std::byte> bytes,
                                                           const std::string &name,
                                                           Metadata *metadata) {
  Result<Parts> parts = split(bytes, name);
  if (!parts)
    return parts.error();
  Result<SafetensorsHeader> header = parseSafetensorsHeader(parts->header);
  if (!header)
    return Error{fmt::format("the header of {} is malformed: {}", name, header.error().message)};

  std::vector<StoredTensor> tensors;
  for (HeaderEntry &entry : header->entries) {
    Result<StoredTensor> tensor = toTensor(entry, parts->data);
    if (!tensor)
      return Error{fmt::format("{} is malformed: {}", name, tensor.error().message)};
    tensors.push_back(std::move(*tensor));
  }
  if (Result<void> covered = verifyCoverage(tensors, parts->data); !covered)
    return Error{fmt::format("{} is malformed: {}", name, covered.error().message)};
  if (metadata)
    metadata->merge(header->metadata);
  return tensors;
}

Result<Checkpoint> Checkpoint::open(const std::string &path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    Result<std::string> inside = findInFolder(path);
    return inside ? open(*inside) : inside.error();
  }
  return path.ends_with(".json") ? openIndex(path) : openFile(path);
}

Result<Checkpoint> Checkpoint::openFile(const std::string &path) {
  Checkpoint checkpoint;
  if (Result<void> added = checkpoint.addFile(path); !added)
    return added.error();
  if (Result<void> sorted = checkpoint.sortByName(path); !sorted)
    return sorted.error();
  return checkpoint;
}

Result<void> Checkpoint::addFile(const std::string &path) {
  Result<MappedFile> file = MappedFile::open(path);
  if (!file)
    return file.error();
  Result<std::vector<StoredTensor>> tensors = parseSafetensors(file->bytes(), path, &said);
  if (!tensors)
    return tensors.error();
  mapped.push_back({path, std::move(*file)});
  std::ranges::move(*tensors, std::back_inserter(list));
  return {};
}

Result<void> Checkpoint::sortByName(const std::string &path) {
  std::ranges::sort(list, {}, &StoredTensor::name);
  auto twice = std::ranges::adjacent_find(list, {}, &StoredTensor::name);
  if (twice == list.end())
    return {};
  return Error{
      fmt::format("{} is malformed: tensor `{}` is in two of its files", path, twice->name)};
}

Result<Checkpoint> Checkpoint::openIndex(const std::string &path) {
  Result<std::vector<IndexEntry>> entries = readSafetensorsIndex(path);
  if (!entries)
    return entries.error();
  Checkpoint checkpoint;
  std::string folder = path.substr(0, path.rfind('/') + 1);
  std::set<std::string_view> shards;
  for (const IndexEntry &entry : *entries)
    if (shards.insert(entry.shard).second)
      if (Result<void> added = checkpoint.addFile(folder + entry.shard); !added)
        return Error{fmt::format("{} (a shard of {})", added.error().message, path)};
  if (Result<void> sorted = checkpoint.sortByName(path); !sorted)
    return sorted.error();
  for (const IndexEntry &entry : *entries)
    if (!checkpoint.find(entry.tensor))
      return Error{fmt::format("{} is malformed: tensor `{}` is not in {}", path, entry.tensor,
                               folder + entry.shard)};
  return checkpoint;
}

const StoredTensor *Checkpoint::find(std::string_view name) const {
  auto place = std::ranges::lower_bound(list, name, {}, &StoredTensor::name);
  return place != list.end() && place->name == name ? &*place : nullptr;
}

/// The header's text, padded with blanks so that the data begins at a multiple of 64.
static Result<std::string> headerText(std::span<const StoredTensor> tensors,
                                      const Metadata &metadata) {
  using Json = nlohmann::json;
  auto quoted = [](const Json &json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
  };
  std::string text = "{";
  if (!metadata.empty())
    text += "\"__metadata__\":" + quoted(Json(metadata));
  std::set<std::string_view> names;
  size_t offset = 0;
  for (const StoredTensor &tensor : tensors) {
    std::optional<uint64_t> bytes = bytesOf(tensor.type, tensor.shape);
    if (!bytes || *bytes != tensor.data.size())
      return Error{fmt::format("the bytes of `{}` do not fit its shape", tensor.name)};
    if (!names.insert(tensor.name).second || tensor.name == "__metadata__")
      return Error{fmt::format("the name `{}` is taken", tensor.name)};
    text += fmt::format(R"({}{}:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                        text.size() > 1 ? "," : "", quoted(Json(tensor.name)),
                        dtypeInfo(tensor.type).safetensors, fmt::join(tensor.shape, ","), offset,
                        offset + *bytes);
    offset += *bytes;
  }
  text += "}";
  text.resize((text.size() + 8 + 63) / 64 * 64 - 8, ' ');
  return text;
}

Result<void> format::writeSafetensors(const std::string &path,
                                      std::span<const StoredTensor> tensors,
                                      const Metadata &metadata) {
  Result<std::string> header = headerText(tensors, metadata);
  if (!header)
    return Error{fmt::format("cannot write {}: {}", path, header.error().message)};
  Result<AtomicFile> file = AtomicFile::create(path);
  if (!file)
    return file.error();
  uint64_t size = header->size();
  if (Result<void> done = file->write(std::as_bytes(std::span(&size, 1))); !done)
    return done;
  if (Result<void> done = file->write(std::string_view(*header)); !done)
    return done;
  for (const StoredTensor &tensor : tensors)
    if (Result<void> done = file->write(tensor.data); !done)
      return done;
  return file->commit();
}
