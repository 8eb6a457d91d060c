// Image files, folders of them, and what happens to pixels.
#include "Files.h"

#include <csetjmp>
#include <cstdio>
#include <jpeglib.h>
#include <png.h>
#include <zlib.h>

using namespace nnc;
using namespace nnc::train;

namespace {

using Floats = std::vector<float>;
using Pixels = std::vector<uint8_t>;

/// A PNG file of [height][width] pixels in libpng's format.
std::string png(uint32_t format, unsigned height, unsigned width, const Pixels &pixels) {
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  image.format = format;
  image.height = height;
  image.width = width;
  png_alloc_size_t size = 0;
  png_image_write_to_memory(&image, nullptr, &size, 0, pixels.data(), 0, nullptr);
  std::string file(size, '\0');
  png_image_write_to_memory(&image, file.data(), &size, 0, pixels.data(), 0, nullptr);
  return file.substr(0, size);
}

/// A JPEG file of one colour.
std::string jpeg(unsigned height, unsigned width, std::array<uint8_t, 3> color,
                 bool isProgressive) {
  jpeg_compress_struct info = {};
  jpeg_error_mgr errors = {};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char *memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &memory, &size);
  info.image_height = height;
  info.image_width = width;
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, 100, TRUE);
  if (isProgressive)
    jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  Pixels row;
  for (unsigned x = 0; x < width; ++x)
    row.insert(row.end(), color.begin(), color.end());
  uint8_t *rows = row.data();
  while (info.next_scanline < height)
    jpeg_write_scanlines(&info, &rows, 1);
  jpeg_finish_compress(&info);
  std::string file(reinterpret_cast<char *>(memory), size);
  jpeg_destroy_compress(&info);
  std::free(memory);
  return file;
}

Result<Image> decode(const std::string &file, int64_t channels) {
  return decodeImage(std::as_bytes(std::span(file)), channels);
}

TEST(DecodeImage, ReadsPng) {
  std::string file = png(PNG_FORMAT_RGB, 1, 2, {1, 2, 3, 4, 5, 6});
  Result<Image> image = decode(file, 3);
  ASSERT_TRUE(image) << message(image);
  EXPECT_EQ(image->pixels, (Pixels{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(decode(png(PNG_FORMAT_GRAY, 2, 1, {7, 200}), 1)->pixels, (Pixels{7, 200}));
  EXPECT_EQ(decode(png(PNG_FORMAT_GRAY, 1, 1, {7}), 3)->pixels, (Pixels{7, 7, 7}));
  EXPECT_EQ(decode(png(PNG_FORMAT_RGBA, 1, 2, {9, 9, 9, 0, 4, 5, 6, 255}), 3)->pixels,
            (Pixels{0, 4, 0, 5, 0, 6}));
}

TEST(DecodeImage, ReadsJpeg) {
  for (bool isProgressive : {false, true}) {
    Result<Image> image = decode(jpeg(9, 17, {200, 100, 50}, isProgressive), 3);
    ASSERT_TRUE(image) << message(image);
    EXPECT_EQ(image->height, 9);
    EXPECT_EQ(image->width, 17);
    for (size_t at = 0; at < 9 * 17; ++at) {
      EXPECT_NEAR(image->pixels[at], 200, 2);
      EXPECT_NEAR(image->pixels[2 * 9 * 17 + at], 50, 2);
    }
  }
  EXPECT_NEAR(decode(jpeg(8, 8, {200, 100, 50}, false), 1)->pixels[0], 124, 2);
}

TEST(DecodeImage, TrustsNobody) {
  EXPECT_EQ(message(decode("GIF89a", 3)), "it is neither a PNG nor a JPEG file");
  EXPECT_EQ(message(decode("", 3)), "it is neither a PNG nor a JPEG file");
  std::string file = png(PNG_FORMAT_GRAY, 64, 64, Pixels(64 * 64, 9));
  EXPECT_TRUE(
      message(decode(file.substr(0, file.size() / 2), 1)).starts_with("it is a damaged PNG"));
  EXPECT_TRUE(message(decode(file.substr(0, 12), 1)).starts_with("it is a damaged PNG"));
  std::string picture = jpeg(64, 64, {1, 2, 3}, true);
  EXPECT_TRUE(message(decode(picture.substr(0, 30), 3)).starts_with("it is a damaged JPEG"));
  // A file of some bytes that says that it has 4 billion pixels.
  std::string bomb = png(PNG_FORMAT_GRAY, 1, 1, {0});
  auto put = [&](size_t at, uint32_t number) {
    for (size_t i = 0; i < 4; ++i)
      bomb[at + i] = static_cast<char>(number >> (24 - 8 * i));
  };
  put(16, 65536);
  put(20, 65536);
  put(29, static_cast<uint32_t>(crc32(0, reinterpret_cast<const Bytef *>(bomb.data() + 12), 17)));
  EXPECT_EQ(message(decode(bomb, 1)),
            "it is 65536 by 65536 pixels; at most 16384 a side and 67108864 "
            "in all are decoded");
}

TEST_F(Files, FoldersAreClasses) {
  std::string red = png(PNG_FORMAT_RGB, 1, 1, {255, 0, 0});
  for (const char *part : {"train", "val"}) {
    write(std::string(part) + "/dog/b.PNG", red);
    write(std::string(part) + "/cat/x.jpeg", jpeg(4, 4, {0, 0, 255}, false));
    write(std::string(part) + "/cat/notes.txt", "hello");
  }
  Result<Data> data = openData("images:" + folder);
  ASSERT_TRUE(data) << message(data);
  EXPECT_EQ(data->train->size(), 2U);
  EXPECT_EQ(data->train->classes(), (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(read<int64_t>(*data->test, 1, 1, DType::I64, {}), std::vector<int64_t>{1});
  EXPECT_EQ(read<float>(*data->train, 1, 0, DType::F32, {3, 1, 1}), (Floats{1, 0, 0}));
  std::string broken = write("train/dog/b.PNG", red.substr(0, 40));
  float pixel[3];
  int64_t shape[] = {3, 1, 1};
  Result<void> done = data->train->read(
      1, 0, {DType::F32, shape, std::as_writable_bytes(std::span(pixel)), {}, nullptr});
  EXPECT_TRUE(
      message(done).starts_with("cannot read the image " + broken + ": it is a damaged PNG"))
      << message(done);
  std::filesystem::create_directory(folder + "/val/bird");
  EXPECT_EQ(message(openData("images:" + folder)),
            "the folder " + folder + "/val/bird has no .png, .jpg or .jpeg files");
  write("val/bird/1.png", red);
  EXPECT_EQ(message(openData("images:" + folder)),
            folder + "/train and " + folder +
                "/val have other classes: their folders must have the "
                "same names");
}

/// What a transform makes of an image of one channel.
Floats transformed(const ImageTransform &transform, const Image &image, int64_t height,
                   int64_t width, Random *random = nullptr) {
  Floats values(static_cast<size_t>(image.channels * height * width));
  int64_t shape[] = {image.channels, height, width};
  transform.apply(
      image, {DType::F32, shape, std::as_writable_bytes(std::span(values)), transform, random});
  return values;
}

TEST(ImageTransform, Normalizes) {
  Image image{2, 1, 1, {255, 51}};
  EXPECT_EQ(transformed({{0.5}, {0.25}, {}}, image, 1, 1), (Floats{2, (0.2F - 0.5F) / 0.25F}));
  EXPECT_EQ(transformed({{0, 0.2}, {1, 2}, {}}, image, 1, 1), (Floats{1, 0}));
}

TEST(ImageTransform, CoversAndCutsToTheMiddle) {
  // Twice as large as asked for, and wider.
  Image image{1, 2, 6, {0, 0, 255, 255, 0, 0, 0, 0, 255, 255, 0, 0}};
  Floats values = transformed({}, image, 1, 1);
  EXPECT_GT(values[0], 0.7F);
  EXPECT_EQ(transformed({}, Image{1, 1, 1, {51}}, 2, 3), Floats(6, 0.2F));
}

TEST(ImageTransform, ChangesNothingWithoutRandomNumbers) {
  Image image{1, 2, 2, {0, 51, 102, 153}};
  ImageTransform transform({}, {}, {1, true, 45, 0.5});
  EXPECT_EQ(transformed(transform, image, 2, 2), (Floats{0, 0.2F, 0.4F, 0.6F}));
}

TEST(ImageTransform, FlipsAndCropsByTheNumbers) {
  Image image{1, 1, 3, {51, 102, 153}};
  Floats plain{0.2F, 0.4F, 0.6F}, mirrored{0.6F, 0.4F, 0.2F};
  size_t flipped = 0;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    Random random{seed};
    Floats values = transformed({{}, {}, {0, true, 0, 0}}, image, 1, 3, &random);
    EXPECT_TRUE(values == plain || values == mirrored);
    flipped += values == mirrored;
  }
  EXPECT_GT(flipped, 30U);
  EXPECT_LT(flipped, 70U);
  std::map<Floats, int>
      crops; // three columns of 0, a, b, c, 0, in three rows of which one is there
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Random random{seed};
    ++crops[transformed({{}, {}, {1, false, 0, 0}}, image, 1, 3, &random)];
  }
  EXPECT_EQ(crops.size(), 4U);
  EXPECT_TRUE(crops.contains({0, 0.2F, 0.4F}));
  EXPECT_TRUE(crops.contains({0.4F, 0.6F, 0}));
}

TEST(ImageTransform, TurnsAroundTheMiddle) {
  Image image{1, 3, 3, {0, 0, 0, 0, 255, 0, 0, 0, 0}};
  Random random{1};
  Floats values = transformed({{}, {}, {0, false, 90, 0}}, image, 3, 3, &random);
  EXPECT_NEAR(values[4], 1, 1e-6);
}

TEST(ImageTransform, JittersWithinItsPart) {
  Image image{3, 1, 1, {100, 100, 100}};
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Random random{seed};
    Floats values = transformed({{}, {}, {0, false, 0, 0.1}}, image, 1, 1, &random);
    EXPECT_NEAR(values[0], 100 / 255.0F, 0.1 * 100 / 255 + 1e-3);
    EXPECT_NEAR(values[0], values[2], 1e-5); // gray stays gray
  }
}

} // namespace
