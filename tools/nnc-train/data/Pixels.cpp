#include "tools/nnc-train/data/Pixels.h"

#include <cstring>
#include <fstream>

using namespace nnc;
using namespace nnc::train;

void PixelSet::add(std::span<const std::byte> bytes, std::span<const std::byte> classes,
                   std::shared_ptr<void> keep) {
  for (size_t i = 0; i < classes.size(); ++i) {
    records.push_back(bytes.data() + i * layout.bytes + layout.pixels);
    labels.push_back(std::to_integer<uint8_t>(classes[i]));
  }
  kept.push_back(std::move(keep));
}

Result<void> PixelSet::read(size_t example, size_t field, const Target &target) const {
  if (field == 1) {
    int64_t label = labels[example];
    return convertElements(DType::I64, std::as_bytes(std::span(&label, 1)), target.dtype,
                           target.memory);
  }
  const std::vector<int64_t> &shape = list[0].shape;
  Image image{shape[0], shape[1], shape[2], {}};
  image.pixels.resize(static_cast<size_t>(shape[0] * shape[1] * shape[2]));
  std::memcpy(image.pixels.data(), records[example], image.pixels.size());
  target.transform.apply(image, target);
  return {};
}

std::vector<std::string> train::numberedClasses(size_t count) {
  std::vector<std::string> names;
  for (size_t i = 0; i < count; ++i)
    names.push_back(std::to_string(i));
  return names;
}

std::vector<std::string> train::readNames(const std::string &path) {
  std::ifstream file(path);
  std::vector<std::string> names;
  for (std::string line; names.size() < 1000 && std::getline(file, line);)
    if (!line.empty())
      names.push_back(line);
  return names;
}
