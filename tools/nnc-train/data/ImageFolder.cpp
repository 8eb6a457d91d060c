// Folders of image files, one folder per class: DIR/train/cat/1.jpg and DIR/test/cat/2.png (or
// DIR/val), or DIR/cat/1.jpg alone.
#include "tools/nnc-train/data/Pixels.h"

#include "runtime/format/MappedFile.h"

#include <algorithm>
#include <filesystem>

using namespace nnc;
using namespace nnc::train;
namespace fs = std::filesystem;

namespace {

class ImageFolder : public Dataset {
public:
  explicit ImageFolder(std::string folder)
      : folder(std::move(folder)),
        list{{"image", DType::F32, {Field::AnySize, Field::AnySize, Field::AnySize}, true},
             {"label", DType::I64, {}}} {}

  const std::string &name() const override { return folder; }
  size_t size(int64_t) const override { return files.size(); }
  std::span<const Field> fields() const override { return list; }
  std::vector<std::string> classes() const override { return names; }

  Result<void> read(size_t example, size_t field, const Target &target) const override {
    const auto &[path, label] = files[example];
    if (field == 1)
      return convertElements(DType::I64, std::as_bytes(std::span(&label, 1)), target.dtype,
                             target.memory);
    if (target.shape[0] != 1 && target.shape[0] != 3)
      return Error{fmt::format("images have 1 or 3 channels, the input has {}", target.shape[0])};
    Result<format::MappedFile> file = format::MappedFile::open(path);
    if (!file)
      return file.error();
    Result<Image> image = decodeImage(file->bytes(), target.shape[0]);
    if (!image)
      return Error{fmt::format("cannot read the image {}: {}", path, image.error().message)};
    target.transform.apply(*image, target);
    return {};
  }

  /// Errors: no folders, no images in one of them.
  Result<void> scan();

private:
  std::string folder;
  std::vector<Field> list;
  std::vector<std::pair<std::string, int64_t>> files;
  std::vector<std::string> names;
};

/// Names in a folder, in byte order, so that all machines number them alike.
Result<std::vector<fs::path>> listFolder(const std::string &folder) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (fs::directory_iterator item(folder, error), end; !error && item != end;
       item.increment(error))
    if (!item->path().filename().string().starts_with("."))
      paths.push_back(item->path());
  if (error)
    return Error{fmt::format("cannot read the folder {}: {}", folder, error.message())};
  std::ranges::sort(paths);
  return paths;
}

bool isImage(const fs::path &path) {
  std::string ending = path.extension().string();
  std::ranges::transform(ending, ending.begin(), [](unsigned char c) { return std::tolower(c); });
  return ending == ".png" || ending == ".jpg" || ending == ".jpeg";
}

Result<void> ImageFolder::scan() {
  Result<std::vector<fs::path>> inside = listFolder(folder);
  if (!inside)
    return inside.error();
  for (const fs::path &path : *inside) {
    std::error_code ignored;
    if (!fs::is_directory(path, ignored))
      continue;
    Result<std::vector<fs::path>> images = listFolder(path.string());
    if (!images)
      return images.error();
    size_t before = files.size();
    for (const fs::path &image : *images)
      if (isImage(image))
        files.emplace_back(image.string(), static_cast<int64_t>(names.size()));
    if (files.size() == before)
      return Error{fmt::format("the folder {} has no .png, .jpg or .jpeg files", path.string())};
    names.push_back(path.filename().string());
  }
  if (names.empty())
    return Error{
        fmt::format("{} has no folders: images of each class are in a folder of their own, "
                    "which is the name of the class",
                    folder)};
  return {};
}

Result<std::shared_ptr<const ImageFolder>> openFolder(const std::string &folder) {
  auto opened = std::make_shared<ImageFolder>(folder);
  if (Result<void> scanned = opened->scan(); !scanned)
    return scanned.error();
  return std::shared_ptr<const ImageFolder>(opened);
}

} // namespace

Result<Data> train::openImages(const std::string &folder) {
  std::error_code ignored;
  if (!fs::is_directory(folder + "/train", ignored)) {
    Result<std::shared_ptr<const ImageFolder>> all = openFolder(folder);
    return all ? Result<Data>(Data{*all, nullptr, {}, {}}) : all.error();
  }
  Result<std::shared_ptr<const ImageFolder>> train = openFolder(folder + "/train");
  if (!train)
    return train.error();
  for (const char *part : {"/test", "/val"}) {
    if (!fs::is_directory(folder + part, ignored))
      continue;
    Result<std::shared_ptr<const ImageFolder>> test = openFolder(folder + part);
    if (!test)
      return test.error();
    if ((*test)->classes() != (*train)->classes())
      return Error{fmt::format("{} and {} have other classes: their folders must have the same "
                               "names",
                               (*train)->name(), (*test)->name())};
    return Data{*train, *test, {}, {}};
  }
  return Data{*train, nullptr, {}, {}};
}
