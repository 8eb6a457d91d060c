// Text as tokens: the bytes of a file, or a list of numbers in an .npy file. An example is as many
// tokens as its input is long, and the same list one token later.
#include "tools/nnc-train/data/Dataset.h"

#include "runtime/format/MappedFile.h"
#include "runtime/format/Npy.h"

#include <fmt/format.h>

using namespace nnc;
using namespace nnc::train;

namespace {

class TextSet : public Dataset {
public:
  TextSet(std::string path, format::MappedFile file, DType type, std::span<const std::byte> tokens)
      : path(std::move(path)), file(std::move(file)), type(type), tokens(tokens),
        list{{"tokens", type, {Field::AnySize}}, {"targets", type, {Field::AnySize}}} {}

  const std::string &name() const override { return path; }
  size_t size(int64_t length) const override {
    return (tokens.size() / dtypeBytes(type) - 1) / static_cast<size_t>(length);
  }
  std::span<const Field> fields() const override { return list; }

  Result<void> read(size_t example, size_t field, const Target &target) const override {
    auto length = static_cast<size_t>(target.shape[0]), first = example * length + field;
    if (first + length > tokens.size() / dtypeBytes(type))
      return Error{fmt::format("{} has no {} tokens from token {}", path, length, first)};
    size_t bytes = dtypeBytes(type);
    Result<void> converted = convertElements(type, tokens.subspan(first * bytes, length * bytes),
                                             target.dtype, target.memory);
    if (converted)
      return converted;
    return Error{
        fmt::format("{}: a token behind number {}: {}", path, first, converted.error().message)};
  }

private:
  std::string path;
  format::MappedFile file;
  DType type;
  std::span<const std::byte> tokens;
  std::vector<Field> list;
};

} // namespace

Result<Data> train::openText(const std::string &path) {
  Result<format::MappedFile> file = format::MappedFile::open(path);
  if (!file)
    return file.error();
  DType type = DType::U8;
  std::span<const std::byte> tokens = file->bytes();
  if (path.ends_with(".npy")) {
    Result<format::StoredTensor> array = format::parseNpy(file->bytes(), path);
    if (!array)
      return array.error();
    bool isInteger = array->type == DType::I32 || array->type == DType::I64 ||
                     array->type == DType::I16 || array->type == DType::U8;
    if (array->shape.size() != 1 || !isInteger)
      return Error{fmt::format("{} is {}; tokens are one axis of integers", path,
                               tensorText(array->type, array->shape))};
    type = array->type;
    tokens = array->data;
  }
  if (tokens.size() / dtypeBytes(type) < 2)
    return Error{
        fmt::format("{} is too short: it has {} tokens", path, tokens.size() / dtypeBytes(type))};
  return Data{std::make_shared<TextSet>(path, std::move(*file), type, tokens), nullptr, {}, {}};
}
