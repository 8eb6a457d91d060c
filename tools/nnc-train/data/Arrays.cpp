// Tensors with one example after the other along their first axis: a .safetensors file, or .npy
// files by name. Bytes of [examples, 1 or 3, height, width] are images where floats are asked for.
#include "tools/nnc-train/data/Image.h"

#include "runtime/format/Half.h"
#include "runtime/format/MappedFile.h"
#include "runtime/format/Npy.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

using namespace nnc;
using namespace nnc::train;
using nnc::format::StoredTensor;

namespace {

class ArraySet : public Dataset {
public:
  explicit ArraySet(std::string title) : title(std::move(title)) {}

  const std::string &name() const override { return title; }
  size_t size(int64_t) const override { return count; }
  std::span<const Field> fields() const override { return list; }

  Result<void> read(size_t example, size_t field, const Target &target) const override {
    const Field &what = list[field];
    size_t bytes = arrays[field].data.size() / count;
    std::span<const std::byte> data = arrays[field].data.subspan(example * bytes, bytes);
    if (what.isImage && format::isConvertibleFloat(target.dtype)) {
      Image image{what.shape[0], what.shape[1], what.shape[2], std::vector<uint8_t>(bytes)};
      std::memcpy(image.pixels.data(), data.data(), bytes);
      target.transform.apply(image, target);
      return {};
    }
    Result<void> converted = convertElements(what.dtype, data, target.dtype, target.memory);
    if (converted)
      return converted;
    return Error{fmt::format("{}: `{}` of example {}: {}", title, what.name, example,
                             converted.error().message)};
  }

  /// Errors: no examples, or another number of them than the tensors before.
  Result<void> add(StoredTensor array) {
    if (array.shape.empty() || array.shape[0] == 0 || array.data.empty())
      return Error{fmt::format("{}: `{}` is {}, which holds no examples", title, array.name,
                               tensorText(array.type, array.shape))};
    auto examples = static_cast<size_t>(array.shape[0]);
    if (!list.empty() && examples != count)
      return Error{fmt::format("{}: `{}` has {} examples, but `{}` has {}", title, list[0].name,
                               count, array.name, examples)};
    count = examples;
    bool isImage = array.type == DType::U8 && array.shape.size() == 4 &&
                   (array.shape[1] == 1 || array.shape[1] == 3);
    list.push_back({array.name, array.type, {array.shape.begin() + 1, array.shape.end()}, isImage});
    arrays.push_back(std::move(array));
    return {};
  }

  void keep(std::shared_ptr<void> owner) { kept.push_back(std::move(owner)); }

private:
  std::string title;
  size_t count = 0;
  std::vector<Field> list;
  std::vector<StoredTensor> arrays;
  std::vector<std::shared_ptr<void>> kept;
};

/// Adds the array of an .npy file.
Result<void> addNpy(ArraySet &set, const std::string &name, const std::string &path) {
  Result<format::MappedFile> opened = format::MappedFile::open(path);
  if (!opened)
    return opened.error();
  auto file = std::make_shared<format::MappedFile>(std::move(*opened));
  Result<StoredTensor> array = format::parseNpy(file->bytes(), path);
  if (!array)
    return array.error();
  array->name = name;
  set.keep(file);
  return set.add(std::move(*array));
}

} // namespace

Result<Data> train::openTensors(const std::string &path) {
  Result<format::Checkpoint> opened = format::Checkpoint::open(path);
  if (!opened)
    return opened.error();
  auto file = std::make_shared<format::Checkpoint>(std::move(*opened));
  auto set = std::make_shared<ArraySet>(path);
  if (file->tensors().empty())
    return Error{fmt::format("{} holds no tensors", path)};
  for (const StoredTensor &tensor : file->tensors())
    if (Result<void> added = set->add(tensor); !added)
      return added.error();
  set->keep(file);
  return Data{set, nullptr, {}, {}};
}

Result<Data> train::openArrays(const std::string &list) {
  auto set = std::make_shared<ArraySet>(list);
  for (size_t begin = 0; begin <= list.size();) {
    size_t end = std::min(list.find(',', begin), list.size());
    std::string item = list.substr(begin, end - begin);
    size_t equals = item.find('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == item.size())
      return Error{
          fmt::format("arrays are listed as NAME=FILE.npy,NAME=FILE.npy; found `{}`", item)};
    for (const Field &known : set->fields())
      if (known.name == item.substr(0, equals))
        return Error{fmt::format("the array `{}` is listed twice", known.name)};
    if (Result<void> added = addNpy(*set, item.substr(0, equals), item.substr(equals + 1)); !added)
      return added.error();
    begin = end + 1;
  }
  return Data{set, nullptr, {}, {}};
}
