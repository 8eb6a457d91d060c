#include "runtime/format/Npy.h"
#include "TestFiles.h"

#include <gtest/gtest.h>

using namespace nnc;
using namespace nnc::format;

/// A file of version 1 with this header and so much data.
static std::vector<std::byte> npy(std::string header, size_t dataBytes) {
  std::string text = "\x93NUMPY\x01";
  text += '\0';
  text += static_cast<char>(header.size() & 0xff);
  text += static_cast<char>(header.size() >> 8);
  return bytesOf(text + header + std::string(dataBytes, 'd'));
}

static std::vector<std::byte> plain(const std::string &descr, const std::string &order,
                                    const std::string &shape, size_t dataBytes) {
  return npy("{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape +
                 ", }          \n",
             dataBytes);
}

static std::string errorOf(const std::vector<std::byte> &bytes) {
  Result<StoredTensor> tensor = parseNpy(bytes, "x.npy");
  return tensor ? "" : tensor.error().message;
}

TEST(Npy, reads) {
  std::vector<std::byte> bytes = plain("<f4", "False", "(2, 3)", 24);
  Result<StoredTensor> tensor = parseNpy(bytes, "x.npy");
  ASSERT_TRUE(tensor);
  EXPECT_EQ(tensor->type, DType::F32);
  EXPECT_EQ(tensor->shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(tensor->data.size(), 24u);
  EXPECT_EQ(errorOf(plain("|b1", "False", "()", 1)), "");
  EXPECT_EQ(errorOf(plain("<i8", "False", "(3,)", 24)), "");
  EXPECT_EQ(errorOf(plain("<f2", "False", "(0, 7)", 0)), "");
}

TEST(Npy, refuses) {
  EXPECT_EQ(errorOf(bytesOf("PK")), "x.npy is not an .npy file");
  EXPECT_EQ(errorOf(plain("<f4", "True", "(2, 3)", 24)),
            "cannot read x.npy: it is in Fortran order; save numpy.ascontiguousarray(x)");
  EXPECT_EQ(errorOf(plain("|O", "False", "(2,)", 24)),
            "cannot read x.npy: it holds pickled Python objects");
  EXPECT_EQ(errorOf(plain(">f4", "False", "(2,)", 8)),
            "cannot read x.npy: its elements are big endian (`>f4`)");
  EXPECT_EQ(errorOf(plain("<c8", "False", "(2,)", 16)),
            "cannot read x.npy: its element type `<c8` is not supported");
  EXPECT_EQ(errorOf(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", 4)),
            "cannot read x.npy: it has structured elements");
  EXPECT_EQ(errorOf(plain("<f4", "False", "(2, 3)", 23)),
            "cannot read x.npy: f32[2, 3] needs 24 bytes of data, found 23");
  EXPECT_EQ(errorOf(plain("<f4", "False", "(4611686018427387904, 4611686018427387904)", 0)),
            "cannot read x.npy: its shape is too large");
  EXPECT_EQ(errorOf(plain("<f4", "False", "(-1,)", 0)),
            "cannot read x.npy: its header is malformed");
  EXPECT_EQ(errorOf(plain("<f4", "False", "(99999999999999999999,)", 0)),
            "cannot read x.npy: its header is malformed");
  EXPECT_EQ(errorOf(npy("{'descr': '<f4', 'shape': (1,)}", 4)),
            "cannot read x.npy: its header is malformed");
  EXPECT_EQ(errorOf(npy(std::string(20, '{'), 0)), "cannot read x.npy: its header is malformed");
  std::vector<std::byte> version = plain("<f4", "False", "()", 4);
  version[6] = std::byte(9);
  EXPECT_EQ(errorOf(version), "x.npy has the unknown .npy version 9");
}

TEST(Npy, everyTruncationIsRefused) {
  std::vector<std::byte> bytes = plain("<f4", "False", "(2, 3)", 24);
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_NE(errorOf({bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size)}), "") << size;
}

TEST(Npy, noChangedByteCrashes) {
  std::vector<std::byte> bytes = plain("<f4", "False", "(2, 3)", 24);
  for (size_t place = 0; place + 24 < bytes.size(); ++place)
    for (unsigned value : {0u, 0x27u, 0x28u, 0x7bu, 0xffu}) {
      std::vector<std::byte> changed = bytes;
      changed[place] = std::byte(value);
      (void)errorOf(changed);
    }
}

TEST(Npy, writesWhatItReads) {
  TemporaryFolder folder;
  std::vector<std::byte> data = bytesOf("abcdefghijkl");
  for (std::vector<int64_t> shape : {std::vector<int64_t>{3}, {1, 3}, {3, 1, 1}}) {
    ASSERT_TRUE(writeNpy(folder.path("x.npy"), {"", DType::I32, shape, data}));
    std::string text = folder.read("x.npy");
    EXPECT_EQ((text.size() - data.size()) % 64, 0u);
    std::vector<std::byte> bytes = bytesOf(text);
    Result<StoredTensor> tensor = parseNpy(bytes, "x.npy");
    ASSERT_TRUE(tensor) << tensor.error().message;
    EXPECT_EQ(tensor->shape, shape);
    EXPECT_TRUE(std::ranges::equal(tensor->data, data));
  }
  Result<void> written = writeNpy("x.npy", {"", DType::BF16, {6}, data});
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().message,
            "cannot write x.npy: numpy has no type for bf16; write a .safetensors file");
}
