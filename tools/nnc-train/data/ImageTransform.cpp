#include "runtime/format/Half.h"
#include "tools/nnc-train/data/Image.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

using namespace nnc;
using namespace nnc::train;

namespace {

/// Floats of 0..255 while an image changes.
struct Pixels {
  int64_t channels, height, width;
  std::vector<float> values;

  Pixels(int64_t channels, int64_t height, int64_t width)
      : channels(channels), height(height), width(width),
        values(static_cast<size_t>(channels * height * width)) {}

  float &at(int64_t c, int64_t y, int64_t x) {
    return values[static_cast<size_t>((c * height + y) * width + x)];
  }
  float at(int64_t c, int64_t y, int64_t x) const {
    return values[static_cast<size_t>((c * height + y) * width + x)];
  }
  /// Black outside.
  float inside(int64_t c, int64_t y, int64_t x) const {
    return y < 0 || y >= height || x < 0 || x >= width ? 0 : at(c, y, x);
  }
  /// Between four pixels.
  float between(int64_t c, double y, double x) const {
    double top = std::floor(y), left = std::floor(x);
    auto row = static_cast<int64_t>(top), column = static_cast<int64_t>(left);
    auto down = static_cast<float>(y - top), right = static_cast<float>(x - left);
    float upper = inside(c, row, column) * (1 - right) + inside(c, row, column + 1) * right;
    float lower = inside(c, row + 1, column) * (1 - right) + inside(c, row + 1, column + 1) * right;
    return upper * (1 - down) + lower * down;
  }
};

/// Applies value(channel, y, x) to every pixel of a new image.
template <typename Value>
Pixels make(int64_t channels, int64_t height, int64_t width, Value value) {
  Pixels made(channels, height, width);
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t y = 0; y < height; ++y)
      for (int64_t x = 0; x < width; ++x)
        made.at(c, y, x) = value(c, y, x);
  return made;
}

/// The weighted pixels of one axis that make pixel `at` of an image `scale` times as small: a
/// triangle as wide as what a new pixel covers, so that nothing is left out when shrinking.
struct Taps {
  int64_t first;
  std::vector<float> weights;
};

Taps tapsAt(int64_t at, double scale, int64_t size) {
  double radius = std::max(scale, 1.0), center = (static_cast<double>(at) + 0.5) * scale;
  auto first = std::max<int64_t>(0, static_cast<int64_t>(std::ceil(center - radius - 0.5)));
  auto last = std::min(size - 1, static_cast<int64_t>(std::floor(center + radius - 0.5)));
  Taps taps{first, {}};
  float total = 0;
  for (int64_t i = first; i <= last; ++i) {
    double distance = std::abs(static_cast<double>(i) + 0.5 - center) / radius;
    taps.weights.push_back(static_cast<float>(std::max(0.0, 1 - distance)));
    total += taps.weights.back();
  }
  for (float &weight : taps.weights)
    weight /= total;
  return taps;
}

/// Every row of `image` resampled to `width`.
Pixels resizeRows(const Pixels &image, int64_t width) {
  double scale = static_cast<double>(image.width) / static_cast<double>(width);
  std::vector<Taps> taps;
  for (int64_t x = 0; x < width; ++x)
    taps.push_back(tapsAt(x, scale, image.width));
  return make(image.channels, image.height, width, [&](int64_t c, int64_t y, int64_t x) {
    const Taps &from = taps[static_cast<size_t>(x)];
    float sum = 0;
    for (size_t i = 0; i < from.weights.size(); ++i)
      sum += from.weights[i] * image.at(c, y, from.first + static_cast<int64_t>(i));
    return sum;
  });
}

Pixels transposed(const Pixels &image) {
  return make(image.channels, image.width, image.height,
              [&](int64_t c, int64_t y, int64_t x) { return image.at(c, x, y); });
}

/// Resized, keeping its proportions, to cover height x width, then cut to the middle.
Pixels cover(const Pixels &image, int64_t height, int64_t width) {
  if (image.height == height && image.width == width)
    return image;
  double factor = std::max(static_cast<double>(height) / static_cast<double>(image.height),
                           static_cast<double>(width) / static_cast<double>(image.width));
  auto scaled = [&](int64_t size, int64_t least) {
    return std::max<int64_t>(least, std::llround(static_cast<double>(size) * factor));
  };
  Pixels wide = resizeRows(image, scaled(image.width, width));
  Pixels whole = transposed(resizeRows(transposed(wide), scaled(image.height, height)));
  int64_t top = (whole.height - height) / 2, left = (whole.width - width) / 2;
  return make(image.channels, height, width,
              [&](int64_t c, int64_t y, int64_t x) { return whole.at(c, y + top, x + left); });
}

Pixels rotate(const Pixels &image, double degrees) {
  double angle = degrees * std::numbers::pi / 180, cosine = std::cos(angle), sine = std::sin(angle);
  double middleY = static_cast<double>(image.height - 1) / 2;
  double middleX = static_cast<double>(image.width - 1) / 2;
  return make(image.channels, image.height, image.width, [&](int64_t c, int64_t y, int64_t x) {
    double down = static_cast<double>(y) - middleY, right = static_cast<double>(x) - middleX;
    return image.between(c, middleY + cosine * down - sine * right,
                         middleX + sine * down + cosine * right);
  });
}

/// What eyes see of red, green and blue (ITU-R BT.601).
float grayAt(const Pixels &image, size_t at) {
  size_t area = static_cast<size_t>(image.height * image.width);
  if (image.channels != 3)
    return image.values[at];
  return 0.299F * image.values[at] + 0.587F * image.values[area + at] +
         0.114F * image.values[2 * area + at];
}

/// Brightness, contrast and saturation, each by a factor of 1 - part to 1 + part.
void jitter(Pixels &image, double part, Random &random) {
  auto brightness = static_cast<float>(random.uniform(1 - part, 1 + part));
  auto contrast = static_cast<float>(random.uniform(1 - part, 1 + part));
  auto saturation = static_cast<float>(random.uniform(1 - part, 1 + part));
  size_t area = static_cast<size_t>(image.height * image.width);
  double sum = 0;
  for (float &value : image.values)
    value = std::clamp(value * brightness, 0.0F, 255.0F);
  for (size_t at = 0; at < area; ++at)
    sum += static_cast<double>(grayAt(image, at));
  auto mean = static_cast<float>(sum / static_cast<double>(area));
  for (float &value : image.values)
    value = std::clamp(mean + (value - mean) * contrast, 0.0F, 255.0F);
  for (size_t at = 0; at < area; ++at) {
    float gray = grayAt(image, at);
    for (size_t c = 0; c < static_cast<size_t>(image.channels); ++c) {
      float &value = image.values[c * area + at];
      value = std::clamp(gray + (value - gray) * saturation, 0.0F, 255.0F);
    }
  }
}

/// Draws the same numbers whatever comes of them, in this order.
Pixels augment(Pixels image, const Augmentation &change, Random &random) {
  if (change.rotation > 0)
    image = rotate(image, random.uniform(-change.rotation, change.rotation));
  if (change.padding > 0) {
    auto offset = [&] {
      auto drawn = random.below(static_cast<uint64_t>(2 * change.padding + 1));
      return static_cast<int64_t>(drawn) - change.padding;
    };
    int64_t top = offset(), left = offset();
    image = make(image.channels, image.height, image.width, [&](int64_t c, int64_t y, int64_t x) {
      return image.inside(c, y + top, x + left);
    });
  }
  if (change.isFlipped && random.below(2) == 1)
    image = make(image.channels, image.height, image.width, [&](int64_t c, int64_t y, int64_t x) {
      return image.at(c, y, image.width - 1 - x);
    });
  if (change.jitter > 0)
    jitter(image, change.jitter, random);
  return image;
}

} // namespace

void ImageTransform::apply(const Image &image, const Target &target) const {
  Pixels pixels(image.channels, image.height, image.width);
  std::ranges::copy(image.pixels, pixels.values.begin());
  pixels = cover(pixels, target.shape[1], target.shape[2]);
  if (target.random && change.any())
    pixels = augment(std::move(pixels), change, *target.random);
  size_t area = static_cast<size_t>(pixels.height * pixels.width);
  for (size_t c = 0; c < static_cast<size_t>(pixels.channels); ++c) {
    auto of = [&](const std::vector<double> &list, double otherwise) {
      return list.empty() ? otherwise : list[std::min(c, list.size() - 1)];
    };
    auto shift = static_cast<float>(of(mean, 0)), scale = static_cast<float>(of(deviation, 1));
    for (size_t at = c * area; at < (c + 1) * area; ++at)
      pixels.values[at] = (pixels.values[at] / 255.0F - shift) / scale;
  }
  format::convertFloats(DType::F32, pixels.values.data(), target.dtype, target.memory.data(),
                        pixels.values.size());
}
