// Data sets from files, and files that are none.
#include "Files.h"

#include <zlib.h>

using namespace nnc;
using namespace nnc::train;

namespace {

using Floats = std::vector<float>;
using Labels = std::vector<int64_t>;

std::string gzip(const std::string &text) {
  std::string packed(compressBound(text.size()) + 32, '\0');
  z_stream stream = {};
  deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  stream.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef *>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

class Mnist : public Files {
protected:
  /// All four files, of two images of 1 by 3 in each part.
  void writeAll() {
    for (const char *part : {"train", "t10k"}) {
      write(std::string(part) + "-images-idx3-ubyte", idx({2, 1, 3}, {0, 51, 102, -1, 0, 0}));
      write(std::string(part) + "-labels-idx1-ubyte", idx({2}, {7, 9}));
    }
  }
  std::string images() const { return folder + "/train-images-idx3-ubyte"; }
  std::string labels() const { return folder + "/train-labels-idx1-ubyte"; }
  std::string error() const { return message(openData("mnist:" + folder)); }
};

TEST_F(Mnist, IsRead) {
  writeAll();
  Result<Data> data = openData("mnist:" + folder);
  ASSERT_TRUE(data) << message(data);
  EXPECT_EQ(data->train->size(), 2U);
  EXPECT_EQ(data->test->size(), 2U);
  EXPECT_EQ(data->train->classes().size(), 10U);
  EXPECT_EQ(read<float>(*data->train, 0, 0, DType::F32, {1, 1, 3}), (Floats{0, 0.2F, 0.4F}));
  EXPECT_EQ(read<int64_t>(*data->train, 1, 1, DType::I64, {}), (Labels{9}));
  EXPECT_EQ(data->mean, std::vector<double>{0.1307});
}

TEST_F(Mnist, IsUnpacked) {
  writeAll();
  std::filesystem::remove(images());
  write("train-images-idx3-ubyte.gz", gzip(idx({2, 1, 3}, {0, 51, 102, 3, 4, 5})));
  Result<Data> data = openData("mnist:" + folder);
  ASSERT_TRUE(data) << message(data);
  EXPECT_EQ(read<float>(*data->train, 0, 0, DType::F32, {1, 1, 3}), (Floats{0, 0.2F, 0.4F}));
  std::string packed = gzip(idx({2, 1, 3}, {0, 51, 102, 3, 4, 5}));
  write("train-images-idx3-ubyte.gz", packed.substr(0, packed.size() - 12));
  EXPECT_EQ(error(), images() + ".gz: its gzip data is truncated");
  write("train-images-idx3-ubyte.gz", "this is no gzip");
  EXPECT_EQ(error(), images() + ".gz: its gzip data is damaged");
}

TEST_F(Mnist, IsNotTrusted) {
  EXPECT_EQ(error(), "cannot open " + images() + ": No such file or directory");
  writeAll();
  write("train-images-idx3-ubyte", "hello");
  EXPECT_EQ(error(), images() + " is not an IDX file");
  write("train-images-idx3-ubyte", std::string("\0\0\x0d\3", 4));
  EXPECT_EQ(error(), images() + " has elements that are not bytes");
  write("train-images-idx3-ubyte", idx({2, 3}, "123456"));
  EXPECT_EQ(error(), images() + " has 2 axes, expected 3");
  write("train-images-idx3-ubyte", std::string("\0\0\x08\3\0\0", 6));
  EXPECT_EQ(error(), images() + " is truncated in its header");
  write("train-images-idx3-ubyte", idx({2, 1, 3}, "12345"));
  EXPECT_EQ(error(), images() + " is truncated: it says that it holds 6 bytes, 5 are there");
  write("train-images-idx3-ubyte", idx({2, 1, 3}, "1234567"));
  EXPECT_EQ(error(), images() + " holds more than the 6 bytes that it says");
  write("train-images-idx3-ubyte", idx({~0U, ~0U, ~0U}, "1234567"));
  EXPECT_EQ(error(), images() + " says that it has more than 8589934592 bytes");
  write("train-images-idx3-ubyte", idx({0, 1, 3}, ""));
  EXPECT_EQ(error(), images() + " is empty");
  write("train-images-idx3-ubyte", idx({1, 1, 3}, "123"));
  EXPECT_EQ(error(), images() + " has 1 images, but " + labels() + " has 2 labels");
  writeAll();
  write("train-labels-idx1-ubyte", idx({2}, {9, 10}));
  EXPECT_EQ(error(), labels() + ": the label of image 1 is 10; labels are 0 to 9");
}

class Cifar : public Files {
protected:
  static std::string record(const std::string &labels) {
    std::string text = labels;
    for (int i = 0; i < 3072; ++i)
      text += static_cast<char>(i / 1024); // the channel
    return text;
  }
};

TEST_F(Cifar, TenIsRead) {
  for (int i = 1; i <= 5; ++i)
    write("cifar-10-batches-bin/data_batch_" + std::to_string(i) + ".bin",
          record({static_cast<char>(i)}) + record({0}));
  write("cifar-10-batches-bin/test_batch.bin", record({3}));
  Result<Data> data = openData("cifar10:" + folder);
  ASSERT_TRUE(data) << message(data);
  EXPECT_EQ(data->train->size(), 10U);
  EXPECT_EQ(data->test->size(), 1U);
  EXPECT_EQ(read<int64_t>(*data->train, 4, 1, DType::I64, {}), (Labels{3}));
  Floats image = read<float>(*data->train, 0, 0, DType::F32, {3, 32, 32});
  EXPECT_EQ((Floats{image[0], image[1024], image[2048]}), (Floats{0, 1 / 255.0F, 2 / 255.0F}));
  std::string path = write("cifar-10-batches-bin/data_batch_3.bin", record({1}) + "x");
  EXPECT_EQ(message(openData("cifar10:" + folder)),
            path +
                " has 3074 bytes, not a multiple of 3073 (1 of labels and 3 x 32 x 32 of pixels)");
  write("cifar-10-batches-bin/data_batch_3.bin", record({1}) + record({10}));
  EXPECT_EQ(message(openData("cifar10:" + folder)),
            path + ": the label of image 1 is 10; labels are 0 to 9");
}

TEST_F(Cifar, HundredHasFineLabels) {
  write("train.bin", record({1, 99}));
  write("test.bin", record({1, 5}));
  Result<Data> data = openData("cifar100:" + folder);
  ASSERT_TRUE(data) << message(data);
  EXPECT_EQ(read<int64_t>(*data->train, 0, 1, DType::I64, {}), (Labels{99}));
  EXPECT_EQ(data->test->classes().size(), 100U);
}

/// The bytes of an .npy file of u8.
std::string npy(const std::string &shape, const std::string &data) {
  std::string header = "{'descr': '|u1', 'fortran_order': False, 'shape': (" + shape + "), }";
  header.resize(117, ' ');
  return std::string("\x93NUMPY\x01\x00\x76\x00", 10) + header + "\n" + data;
}

TEST_F(Files, ArraysOfBytesMayBeImages) {
  std::string image = write("i.npy", npy("2, 1, 1, 2", {0, 51, 102, -1}));
  std::string label = write("l.npy", npy("2,", {1, 2}));
  Result<Data> data = openData("arrays:image=" + image + ",label=" + label);
  ASSERT_TRUE(data) << message(data);
  EXPECT_EQ(data->train->size(), 2U);
  EXPECT_EQ(read<float>(*data->train, 1, 0, DType::F32, {1, 1, 2}), (Floats{0.4F, 1}));
  EXPECT_EQ(read<float>(*data->train, 1, 0, DType::F32, {1, 1, 2}, {{0.4}, {0.5}, {}}),
            (Floats{0, 1.2F}));
  EXPECT_EQ(read<int32_t>(*data->train, 1, 0, DType::I32, {1, 1, 2}), (std::vector{102, 255}));
  EXPECT_EQ(read<int64_t>(*data->train, 0, 1, DType::I64, {}), (Labels{1}));
}

TEST_F(Files, TextIsTokens) {
  std::string path = write("t.txt", "abcdefg");
  Result<Data> data = openData("text:" + path);
  ASSERT_TRUE(data) << message(data);
  EXPECT_EQ(data->train->size(3), 2U);
  EXPECT_EQ(data->train->size(7), 0U);
  using Tokens = std::vector<int32_t>;
  EXPECT_EQ(read<int32_t>(*data->train, 1, 0, DType::I32, {3}), (Tokens{'d', 'e', 'f'}));
  EXPECT_EQ(read<int32_t>(*data->train, 1, 1, DType::I32, {3}), (Tokens{'e', 'f', 'g'}));
  EXPECT_EQ(message(openData("text:" + write("t.txt", "a"))),
            path + " is too short: it has 1 tokens");
}

TEST_F(Files, HoldWhatOthersHaveLess) {
  std::string path = write("t.txt", "abcdefghi");
  Result<Data> data = openData("text:" + path);
  ASSERT_TRUE(data);
  std::shared_ptr<const Dataset> part = subset(data->train, {3, 1});
  EXPECT_EQ(part->size(2), 2U);
  EXPECT_EQ(read<int32_t>(*part, 0, 0, DType::I32, {2}), (std::vector<int32_t>{'g', 'h'}));
}

} // namespace
