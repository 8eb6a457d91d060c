#include "tools/nnc-train/data/Idx.h"
#include "tools/nnc-train/data/Pixels.h"

using namespace nnc;
using namespace nnc::train;

namespace {

constexpr int64_t MaxBytes = int64_t{1} << 33; // what a packed file may come to

/// The number of 4 bytes, the first of which is the highest.
int64_t bigEndian(std::span<const std::byte> bytes) {
  int64_t value = 0;
  for (size_t i = 0; i < 4; ++i)
    value = value << 8 | std::to_integer<int64_t>(bytes[i]);
  return value;
}

/// The images and labels of one of the two parts.
Result<std::shared_ptr<const Dataset>> openPart(const std::string &folder, const std::string &part,
                                                const std::string &title) {
  struct Files {
    FileBytes images, labels;
  };
  std::string start = folder + "/" + part;
  Result<FileBytes> imageFile = FileBytes::open(start + "-images-idx3-ubyte");
  if (!imageFile)
    return imageFile.error();
  Result<FileBytes> labelFile = FileBytes::open(start + "-labels-idx1-ubyte");
  if (!labelFile)
    return labelFile.error();
  auto files = std::make_shared<Files>(Files{std::move(*imageFile), std::move(*labelFile)});
  Result<IdxArray> images = readIdx(files->images, 3);
  if (!images)
    return images.error();
  Result<IdxArray> labels = readIdx(files->labels, 1);
  if (!labels)
    return labels.error();
  if (images->shape[0] != labels->shape[0])
    return Error{fmt::format("{} has {} images, but {} has {} labels", files->images.name(),
                             images->shape[0], files->labels.name(), labels->shape[0])};
  constexpr size_t Classes = 10;
  for (size_t i = 0; i < labels->data.size(); ++i)
    if (auto label = std::to_integer<size_t>(labels->data[i]); label >= Classes)
      return Error{fmt::format("{}: the label of image {} is {}; labels are 0 to {}",
                               files->labels.name(), i, label, Classes - 1)};
  auto area = static_cast<size_t>(images->shape[1] * images->shape[2]);
  auto set = std::make_shared<PixelSet>(title, 1, images->shape[1], images->shape[2],
                                        PixelSet::Layout{area, 0});
  set->add(images->data, labels->data, files);
  set->setClasses(numberedClasses(Classes));
  return std::shared_ptr<const Dataset>(set);
}

} // namespace

Result<IdxArray> train::readIdx(FileBytes &file, size_t rank) {
  auto wrong = [&](const std::string &what) {
    return Error{fmt::format("{} {}", file.name(), what)};
  };
  size_t headerBytes = 4 + 4 * rank;
  Result<std::span<const std::byte>> header = file.first(headerBytes);
  if (!header)
    return header.error();
  if (header->size() < 4 || (*header)[0] != std::byte{0} || (*header)[1] != std::byte{0})
    return wrong("is not an IDX file");
  if ((*header)[2] != std::byte{8})
    return wrong("has elements that are not bytes");
  if (std::to_integer<size_t>((*header)[3]) != rank)
    return wrong(fmt::format("has {} axes, expected {}", std::to_integer<int>((*header)[3]), rank));
  if (header->size() < headerBytes)
    return wrong("is truncated in its header");
  IdxArray array;
  int64_t count = 1;
  for (size_t axis = 0; axis < rank; ++axis) {
    array.shape.push_back(bigEndian(header->subspan(4 + 4 * axis)));
    if (__builtin_mul_overflow(count, array.shape.back(), &count) || count > MaxBytes)
      return wrong(fmt::format("says that it has more than {} bytes", MaxBytes));
  }
  if (count == 0)
    return wrong("is empty");
  size_t wanted = headerBytes + static_cast<size_t>(count);
  Result<std::span<const std::byte>> all = file.first(wanted + 1);
  if (!all)
    return all.error();
  if (all->size() != wanted)
    return wrong(all->size() < wanted
                     ? fmt::format("is truncated: it says that it holds {} bytes, {} are there",
                                   count, all->size() - headerBytes)
                     : fmt::format("holds more than the {} bytes that it says", count));
  array.data = all->subspan(headerBytes);
  return array;
}

Result<Data> train::openMnist(const std::string &folder) {
  Result<std::shared_ptr<const Dataset>> train = openPart(folder, "train", folder);
  if (!train)
    return train.error();
  Result<std::shared_ptr<const Dataset>> test = openPart(folder, "t10k", folder);
  if (!test)
    return test.error();
  return Data{std::move(*train), std::move(*test), {}, {}};
}
