//===- DataFuzzer.cpp - Any bytes as files of data sets --------------------------------------===//
//
// The first byte says as what: gzipped bytes, an IDX array (gzipped or not), or an image. Nothing
// crashes, and what a reader accepts can be read to its end. An image that is decoded is also put
// through every change that augmentation makes.
//
//===----------------------------------------------------------------------------------------===//

#include "test/fuzz/Touch.h"
#include "tools/nnc-train/data/Idx.h"
#include "tools/nnc-train/data/Image.h"

using namespace nnc::train;
using nnc::fuzz::Bytes;
using nnc::fuzz::touch;

namespace {

void unpack(Bytes bytes) {
  if (auto unpacked = unpackGzip(bytes, size_t{1} << 22))
    touch(*unpacked);
}

void readArray(Bytes bytes, const char *name, size_t rank) {
  FileBytes file = FileBytes::view(bytes, name);
  if (auto array = readIdx(file, rank))
    touch(array->data);
}

void readImage(Bytes bytes) {
  // Large images are allowed, but take their time here.
  for (int64_t channels : {1, 3}) {
    auto image = decodeImage(bytes, channels);
    if (!image)
      continue;
    if (image->pixels.size() != static_cast<size_t>(image->channels * image->height * image->width))
      __builtin_trap();
    if (image->pixels.size() > size_t{1} << 16)
      continue;
    ImageTransform transform({0.5}, {0.25}, {2, true, 30, 0.5});
    std::vector<float> memory(static_cast<size_t>(channels * 9 * 7));
    std::vector<int64_t> shape = {channels, 9, 7};
    Random random{1};
    transform.apply(*image, {nnc::DType::F32, shape, std::as_writable_bytes(std::span(memory)),
                             transform, &random});
    touch(std::as_bytes(std::span(memory)));
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0)
    return 0;
  Bytes bytes(reinterpret_cast<const std::byte *>(data) + 1, size - 1);
  switch (data[0] % 5) {
  case 0:
    unpack(bytes);
    break;
  case 1:
    readArray(bytes, "fuzz", 3);
    break;
  case 2:
    readArray(bytes, "fuzz.gz", 1);
    break;
  default:
    readImage(bytes);
  }
  return 0;
}
