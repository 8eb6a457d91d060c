// Data sets of images with a class each.
#pragma once

#include "tools/nnc-train/data/Image.h"

#include <fmt/format.h>

namespace nnc::train {

/// Images of one size, in memory or mapped, one record after the other.
class PixelSet : public Dataset {
public:
  /// Where an example's bytes are in its record.
  struct Layout {
    size_t bytes;  ///< of one record
    size_t pixels; ///< where its image begins
  };

  PixelSet(std::string title, int64_t channels, int64_t height, int64_t width, Layout layout)
      : title(std::move(title)),
        list{{"image", DType::F32, {channels, height, width}, true}, {"label", DType::I64, {}}},
        layout(layout) {}

  const std::string &name() const override { return title; }
  size_t size(int64_t) const override { return labels.size(); }
  std::span<const Field> fields() const override { return list; }
  std::vector<std::string> classes() const override { return names; }
  Result<void> read(size_t example, size_t field, const Target &target) const override;

  /// Records and the labels of all of them; `keep` owns the records.
  void add(std::span<const std::byte> records, std::span<const std::byte> labels,
           std::shared_ptr<void> keep);
  void setClasses(std::vector<std::string> classes) { names = std::move(classes); }

private:
  std::string title;
  std::vector<Field> list;
  Layout layout;
  std::vector<const std::byte *> records;
  std::vector<uint8_t> labels;
  std::vector<std::string> names;
  std::vector<std::shared_ptr<void>> kept;
};

/// "0" to "count - 1".
std::vector<std::string> numberedClasses(size_t count);

/// The lines of a text file that holds names; empty if there is none.
std::vector<std::string> readNames(const std::string &path);

} // namespace nnc::train
