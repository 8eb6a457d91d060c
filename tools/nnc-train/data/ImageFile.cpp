// PNG by libpng's simplified interface, JPEG by libjpeg-turbo.
#include "tools/nnc-train/data/Image.h"

#include <csetjmp>
#include <cstdio> // before jpeglib.h
#include <cstring>
#include <fmt/format.h>
#include <jpeglib.h>
#include <png.h>

using namespace nnc;
using namespace nnc::train;

namespace {

constexpr int64_t MaxSide = 16384, MaxPixels = int64_t{64} << 20;
constexpr int MaxScans = 256; // a progressive file may ask for any number of passes over its pixels

Result<void> checkSize(uint64_t height, uint64_t width) {
  if (height > 0 && width > 0 && height <= MaxSide && width <= MaxSide &&
      height * width <= MaxPixels)
    return {};
  return Error{fmt::format("it is {} by {} pixels; at most {} a side and {} in all are decoded",
                           width, height, MaxSide, MaxPixels)};
}

/// From [height][width][channels].
Image planar(const std::vector<uint8_t> &rows, int64_t channels, int64_t height, int64_t width) {
  Image image{channels, height, width, std::vector<uint8_t>(rows.size())};
  int64_t area = height * width;
  for (int64_t at = 0; at < area; ++at)
    for (int64_t c = 0; c < channels; ++c)
      image.pixels[static_cast<size_t>(c * area + at)] =
          rows[static_cast<size_t>(at * channels + c)];
  return image;
}

/// Frees what libpng keeps for an image.
struct PngOwner {
  png_image image = {};
  PngOwner() { image.version = PNG_IMAGE_VERSION; }
  ~PngOwner() { png_image_free(&image); }
};

Result<Image> decodePng(std::span<const std::byte> bytes, int64_t channels) {
  PngOwner png;
  png_image &image = png.image;
  if (!png_image_begin_read_from_memory(&image, bytes.data(), bytes.size()))
    return Error{fmt::format("it is a damaged PNG file: {}", image.message)};
  if (Result<void> checked = checkSize(image.height, image.width); !checked)
    return checked.error();
  image.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  std::vector<uint8_t> rows(PNG_IMAGE_SIZE(image));
  png_color black = {0, 0, 0};
  if (!png_image_finish_read(&image, &black, rows.data(), 0, nullptr))
    return Error{fmt::format("it is a damaged PNG file: {}", image.message)};
  return planar(rows, channels, image.height, image.width);
}

/// libjpeg reports errors by a function that must not return.
struct JpegErrors {
  jpeg_error_mgr manager; // first: libjpeg knows its address
  jmp_buf back;
  char message[JMSG_LENGTH_MAX];
};

[[noreturn]] void onError(j_common_ptr info) {
  auto *errors = reinterpret_cast<JpegErrors *>(info->err);
  info->err->format_message(info, errors->message);
  longjmp(errors->back, 1);
}

void onProgress(j_common_ptr info) {
  auto *reader = reinterpret_cast<j_decompress_ptr>(info);
  auto *errors = reinterpret_cast<JpegErrors *>(info->err);
  if (reader->input_scan_number <= MaxScans)
    return;
  std::snprintf(errors->message, sizeof(errors->message), "more than %d scans", MaxScans);
  longjmp(errors->back, 1);
}

/// All of libjpeg's state; nothing between setjmp and longjmp has a destructor to run.
struct JpegReader {
  jpeg_decompress_struct info = {};
  JpegErrors errors = {};
  jpeg_progress_mgr progress = {};

  JpegReader() {
    info.err = jpeg_std_error(&errors.manager);
    errors.manager.error_exit = onError;
    errors.manager.output_message = [](j_common_ptr) {}; // warnings
    progress.progress_monitor = onProgress;
  }
  ~JpegReader() { jpeg_destroy_decompress(&info); }

  bool readHeader(std::span<const std::byte> bytes, int64_t channels) {
    if (setjmp(errors.back))
      return false;
    jpeg_create_decompress(&info);
    info.progress = &progress;
    jpeg_mem_src(&info, reinterpret_cast<const unsigned char *>(bytes.data()), bytes.size());
    jpeg_read_header(&info, TRUE);
    info.out_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    info.dct_method = JDCT_ISLOW; // the same bits on every machine
    return true;
  }

  bool readRows(uint8_t *rows) {
    if (setjmp(errors.back))
      return false;
    jpeg_start_decompress(&info);
    while (info.output_scanline < info.output_height) {
      uint8_t *row = rows + size_t{info.output_scanline} * info.output_width *
                                static_cast<size_t>(info.output_components);
      jpeg_read_scanlines(&info, &row, 1);
    }
    jpeg_finish_decompress(&info);
    return true;
  }
};

Result<Image> decodeJpeg(std::span<const std::byte> bytes, int64_t channels) {
  JpegReader reader;
  auto damaged = [&] {
    return Error{fmt::format("it is a damaged JPEG file: {}", reader.errors.message)};
  };
  if (!reader.readHeader(bytes, channels))
    return damaged();
  int64_t height = reader.info.image_height, width = reader.info.image_width;
  if (Result<void> checked = checkSize(reader.info.image_height, reader.info.image_width); !checked)
    return checked.error();
  std::vector<uint8_t> rows(static_cast<size_t>(height * width * channels));
  if (!reader.readRows(rows.data()))
    return damaged();
  return planar(rows, channels, height, width);
}

bool startsWith(std::span<const std::byte> bytes, std::string_view magic) {
  return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

} // namespace

Result<Image> train::decodeImage(std::span<const std::byte> bytes, int64_t channels) {
  if (startsWith(bytes, "\x89PNG\r\n\x1a\n"))
    return decodePng(bytes, channels);
  if (startsWith(bytes, "\xff\xd8\xff"))
    return decodeJpeg(bytes, channels);
  return Error{"it is neither a PNG nor a JPEG file"};
}
