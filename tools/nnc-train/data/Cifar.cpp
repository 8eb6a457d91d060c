// The binary versions of CIFAR-10 and CIFAR-100 (https://www.cs.toronto.edu/~kriz/cifar.html).
#include "tools/nnc-train/data/Files.h"
#include "tools/nnc-train/data/Pixels.h"

#include <filesystem>

using namespace nnc;
using namespace nnc::train;

namespace {

constexpr int64_t Side = 32;
constexpr size_t Area = 3 * Side * Side;

/// What one of the two data sets looks like on disk.
struct Version {
  std::string folder;     ///< that its archive has
  std::string names;      ///< of classes
  size_t labels, classes; ///< bytes before each image, of which the last is the class
  std::vector<std::string> train, test;
};

Version versionOf(bool isFine) {
  if (isFine)
    return {"cifar-100-binary", "fine_label_names.txt", 2, 100, {"train.bin"}, {"test.bin"}};
  Version version{"cifar-10-batches-bin", "batches.meta.txt", 1, 10, {}, {"test_batch.bin"}};
  for (int i = 1; i <= 5; ++i)
    version.train.push_back(fmt::format("data_batch_{}.bin", i));
  return version;
}

Result<void> addFile(PixelSet &set, const std::string &path, const Version &version) {
  Result<FileBytes> opened = FileBytes::open(path);
  if (!opened)
    return opened.error();
  auto file = std::make_shared<FileBytes>(std::move(*opened));
  constexpr size_t Most = size_t{1} << 30;
  Result<std::span<const std::byte>> bytes = file->first(Most);
  if (!bytes)
    return bytes.error();
  size_t record = version.labels + Area;
  if (bytes->empty() || bytes->size() % record != 0)
    return Error{fmt::format("{} has {} bytes, not a multiple of {} ({} of labels and 3 x 32 x 32 "
                             "of pixels)",
                             file->name(), bytes->size(), record, version.labels)};
  std::vector<std::byte> labels;
  for (size_t at = 0; at < bytes->size(); at += record) {
    labels.push_back((*bytes)[at + version.labels - 1]);
    if (auto label = std::to_integer<size_t>(labels.back()); label >= version.classes)
      return Error{fmt::format("{}: the label of image {} is {}; labels are 0 to {}", file->name(),
                               at / record, label, version.classes - 1)};
  }
  set.add(*bytes, labels, file);
  return {};
}

Result<std::shared_ptr<const Dataset>> openPart(const std::string &folder, const Version &version,
                                                const std::vector<std::string> &files) {
  auto set = std::make_shared<PixelSet>(folder, 3, Side, Side,
                                        PixelSet::Layout{version.labels + Area, version.labels});
  for (const std::string &file : files)
    if (Result<void> added = addFile(*set, folder + "/" + file, version); !added)
      return added.error();
  std::vector<std::string> names = readNames(folder + "/" + version.names);
  set->setClasses(names.size() == version.classes ? names : numberedClasses(version.classes));
  return std::shared_ptr<const Dataset>(set);
}

} // namespace

Result<Data> train::openCifar(const std::string &folder, bool isFine) {
  Version version = versionOf(isFine);
  std::error_code ignored;
  std::string inner = folder + "/" + version.folder;
  std::string place = std::filesystem::is_directory(inner, ignored) ? inner : folder;
  Result<std::shared_ptr<const Dataset>> train = openPart(place, version, version.train);
  if (!train)
    return train.error();
  Result<std::shared_ptr<const Dataset>> test = openPart(place, version, version.test);
  if (!test)
    return test.error();
  return Data{std::move(*train), std::move(*test), {}, {}};
}
