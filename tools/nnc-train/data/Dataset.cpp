#include "tools/nnc-train/data/Dataset.h"
#include "runtime/Suggest.h"
#include "runtime/format/Half.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

using namespace nnc;
using namespace nnc::train;

namespace {

class Subset : public Dataset {
public:
  Subset(std::shared_ptr<const Dataset> whole, std::vector<size_t> examples)
      : whole(std::move(whole)), examples(std::move(examples)) {}

  const std::string &name() const override { return whole->name(); }
  size_t size(int64_t) const override { return examples.size(); }
  std::span<const Field> fields() const override { return whole->fields(); }
  std::vector<std::string> classes() const override { return whole->classes(); }
  Result<void> read(size_t example, size_t field, const Target &target) const override {
    return whole->read(examples[example], field, target);
  }

private:
  std::shared_ptr<const Dataset> whole;
  std::vector<size_t> examples;
};

bool isInteger(DType type) {
  return type == DType::I8 || type == DType::I16 || type == DType::I32 || type == DType::I64 ||
         type == DType::U8;
}

bool converts(DType from, DType to) {
  return from == to || (format::isConvertibleFloat(from) && format::isConvertibleFloat(to)) ||
         (isInteger(from) && isInteger(to));
}

int64_t loadInteger(DType type, const std::byte *at) {
  auto load = [&](auto number) {
    std::memcpy(&number, at, sizeof(number));
    return static_cast<int64_t>(number);
  };
  switch (type) {
  case DType::I8:
    return load(int8_t{});
  case DType::I16:
    return load(int16_t{});
  case DType::I32:
    return load(int32_t{});
  case DType::U8:
    return load(uint8_t{});
  default:
    return load(int64_t{});
  }
}

bool holds(DType type, int64_t value) {
  if (type == DType::U8)
    return value >= 0 && value <= UINT8_MAX;
  size_t bits = dtypeBytes(type) * 8;
  return bits == 64 || (value >= -(int64_t{1} << (bits - 1)) && value < int64_t{1} << (bits - 1));
}

std::string sizeText(const Field &field) {
  std::string text;
  for (int64_t size : field.shape)
    text += (text.empty() ? "" : ", ") + (size < 0 ? std::string("any") : std::to_string(size));
  return fmt::format("{}[{}]", dtypeName(field.dtype), text);
}

using Open = Result<Data> (*)(const std::string &);

struct Kind {
  std::string_view name;
  Open open;
  std::vector<double> mean, deviation;
};

/// Means and deviations are those of the training images, as they are commonly used.
const std::vector<Kind> &kinds() {
  static const std::vector<Kind> List = {
      {"mnist", openMnist, {0.1307}, {0.3081}},
      {"fashion-mnist", openMnist, {0.2860}, {0.3530}},
      {"cifar10",
       [](const std::string &folder) { return openCifar(folder, false); },
       {0.4914, 0.4822, 0.4465},
       {0.2470, 0.2435, 0.2616}},
      {"cifar100",
       [](const std::string &folder) { return openCifar(folder, true); },
       {0.5071, 0.4865, 0.4409},
       {0.2673, 0.2564, 0.2762}},
      {"images", openImages, {0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}},
      {"tensors", openTensors, {}, {}},
      {"arrays", openArrays, {}, {}},
      {"text", openText, {}, {}},
  };
  return List;
}

} // namespace

std::shared_ptr<const Dataset> train::subset(std::shared_ptr<const Dataset> whole,
                                             std::vector<size_t> examples) {
  return std::make_shared<Subset>(std::move(whole), std::move(examples));
}

Result<Data> train::openData(const std::string &specification) {
  size_t colon = std::min(specification.find(':'), specification.size());
  std::string name = specification.substr(0, colon);
  std::vector<std::string_view> names;
  for (const Kind &kind : kinds()) {
    names.push_back(kind.name);
    if (kind.name != name || colon + 1 >= specification.size())
      continue;
    Result<Data> data = kind.open(specification.substr(colon + 1));
    if (data) {
      data->mean = kind.mean;
      data->deviation = kind.deviation;
    }
    return data;
  }
  if (std::ranges::find(names, name) != names.end())
    return Error{fmt::format("`{}` names no files: write `{}:PATH`", specification, name)};
  return Error{fmt::format("there is no kind of data `{}`{}", name, rt::suggestion(name, names))};
}

Result<void> train::checkField(const Dataset &data, const Field &field, const std::string &input,
                               DType dtype, std::span<const int64_t> shape) {
  auto fits = [](int64_t stored, int64_t wanted) {
    return stored == wanted || stored == Field::AnySize;
  };
  bool typeFits =
      converts(field.dtype, dtype) || (field.isImage && format::isConvertibleFloat(dtype));
  if (typeFits && std::ranges::equal(field.shape, shape, fits))
    return {};
  std::string hint = !typeFits && isInteger(field.dtype) && !field.isImage
                         ? "; integers are converted to integers only"
                         : "";
  return Error{fmt::format("the input `{}` takes {} per example, but `{}` of {} is {}{}", input,
                           tensorText(dtype, shape), field.name, data.name(), sizeText(field),
                           hint)};
}

Result<void> train::convertElements(DType from, std::span<const std::byte> source, DType to,
                                    std::span<std::byte> target) {
  size_t count = source.size() / dtypeBytes(from);
  if (from == to) {
    std::memcpy(target.data(), source.data(), source.size());
    return {};
  }
  if (!isInteger(from)) {
    format::convertFloats(from, source.data(), to, target.data(), count);
    return {};
  }
  for (size_t i = 0; i < count; ++i) {
    int64_t value = loadInteger(from, source.data() + i * dtypeBytes(from));
    if (!holds(to, value))
      return Error{fmt::format("{} does not fit into {}", value, dtypeName(to))};
    std::memcpy(target.data() + i * dtypeBytes(to), &value, dtypeBytes(to));
  }
  return {};
}
