// Images: decoding of PNG and JPEG, and everything that happens to pixels before a network sees
// them.
#pragma once

#include "tools/nnc-train/data/Dataset.h"

namespace nnc::train {

/// Bytes of [channels][height][width].
struct Image {
  int64_t channels = 0, height = 0, width = 0;
  std::vector<uint8_t> pixels;
};

/// A .png or .jpeg file's image with 1 or 3 channels; transparency is put on black. Files are not
/// trusted: nothing larger than 16384 pixels a side or 64 million in all is decoded. Errors (a
/// clause): neither format, damaged, too large.
Result<Image> decodeImage(std::span<const std::byte> bytes, int64_t channels);

/// How images change from epoch to epoch.
struct Augmentation {
  int64_t padding = 0;    ///< crop at random after this many black pixels were put on each side
  bool isFlipped = false; ///< mirror half of them, left to right
  double rotation = 0;    ///< turn by up to so many degrees
  double jitter = 0;      ///< change brightness, contrast and saturation by up to this part

  bool any() const { return padding > 0 || isFlipped || rotation > 0 || jitter > 0; }
};

/// From bytes to the floats of an input: resized so that they cover it and cut to its middle,
/// augmented, scaled to 0..1, minus the mean, divided by the deviation.
class ImageTransform {
public:
  ImageTransform() = default;
  ImageTransform(std::vector<double> mean, std::vector<double> deviation, Augmentation change)
      : mean(std::move(mean)), deviation(std::move(deviation)), change(change) {}

  /// Writes an image into an input of [channels, height, width] of floats; `target.random` null
  /// leaves augmentation out.
  void apply(const Image &image, const Target &target) const;

private:
  std::vector<double> mean, deviation; ///< by channel; one stands for all, none for 0 and 1
  Augmentation change;
};

} // namespace nnc::train
