#include "runtime/format/Safetensors.h"
#include "TestFiles.h"

#include <gtest/gtest.h>

using namespace nnc;
using namespace nnc::format;

static std::string fileText(std::string_view header, size_t dataBytes) {
  uint64_t size = header.size();
  std::string text(reinterpret_cast<const char *>(&size), sizeof(size));
  return text + std::string(header) + std::string(dataBytes, 'd');
}

static std::string errorOf(std::string_view text) {
  std::vector<std::byte> bytes = bytesOf(text);
  Result<std::vector<StoredTensor>> tensors = parseSafetensors(bytes, "x.safetensors");
  return tensors ? "" : tensors.error().message;
}

static std::string errorOf(std::string_view header, size_t dataBytes) {
  return errorOf(fileText(header, dataBytes));
}

TEST(Safetensors, reads) {
  std::vector<std::byte> bytes =
      bytesOf(fileText(R"({"__metadata__":{"format":"pt"},)"
                       R"("b":{"dtype":"I64","shape":[],"data_offsets":[24,32]},)"
                       R"("a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
                       R"("e":{"dtype":"F32","shape":[0,3],"data_offsets":[24,24]}}  )",
                       32));
  Result<std::vector<StoredTensor>> tensors = parseSafetensors(bytes, "x");
  ASSERT_TRUE(tensors) << tensors.error().message;
  ASSERT_EQ(tensors->size(), 3u);
  EXPECT_EQ((*tensors)[0].name, "b");
  EXPECT_EQ((*tensors)[0].type, DType::I64);
  EXPECT_EQ((*tensors)[1].shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ((*tensors)[1].data.size(), 24u);
  EXPECT_EQ(errorOf("{}", 0), "");
}

TEST(Safetensors, lyingHeaders) {
  EXPECT_EQ(errorOf("abc"), "x.safetensors is not a safetensors file: it has only 3 bytes");
  EXPECT_EQ(errorOf(std::string(8, '\xff') + "{}"),
            "x.safetensors is not a safetensors file: it says that its header has "
            "18446744073709551615 bytes");
  EXPECT_EQ(errorOf(std::string("\x10\0\0\0\0\0\0\0{}", 10)),
            "x.safetensors is truncated: its header has 16 bytes, but only 2 are there");
  std::string start = "the header of x.safetensors is malformed: ";
  EXPECT_EQ(errorOf("", 0), start + "it is not valid JSON at byte 1");
  EXPECT_EQ(errorOf(R"({"a":)", 0), start + "it is not valid JSON at byte 6");
  EXPECT_EQ(errorOf("[]", 0), start + "it is not a table of tensors");
  EXPECT_EQ(errorOf("1", 0), start + "it is not a table of tensors");
  EXPECT_EQ(errorOf("{}{}", 0), start + "it is not valid JSON at byte 3");
  EXPECT_EQ(errorOf("{\"\xff\":1}", 0), start + "it is not valid JSON at byte 3");
  EXPECT_EQ(errorOf(R"({"a":7})", 0), start + "tensor `a` is malformed");
  EXPECT_EQ(errorOf(R"({"a":{"dtype":"F32","shape":[1]}})", 0),
            start + "tensor `a` lacks `dtype`, `shape` or `data_offsets`");
  EXPECT_EQ(errorOf(R"({"a":{"dtype":7}})", 0), start + "tensor `a` is malformed");
  EXPECT_EQ(errorOf(R"({"a":{"shape":[-1]}})", 0), start + "tensor `a` is malformed");
  EXPECT_EQ(errorOf(R"({"a":{"shape":[1.5]}})", 0), start + "tensor `a` is malformed");
  EXPECT_EQ(errorOf(R"({"a":{"shape":[[1]]}})", 0), start + "tensor `a` is malformed");
  EXPECT_EQ(errorOf(R"({"a":{"colour":"red"}})", 0), start + "tensor `a` has an unknown field "
                                                             "`colour`");
  EXPECT_EQ(errorOf(R"({"a":{"dtype":"F32","dtype":"F32"}})", 0),
            start + "tensor `a` has `dtype` twice");
  std::string a = R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
  EXPECT_EQ(errorOf("{" + a + "," + a + "}", 1), start + "tensor `a` is there twice");
}

TEST(Safetensors, manyBracketsNeedNoStack) {
  EXPECT_NE(errorOf(std::string(100'000, '['), 0), "");
  EXPECT_NE(errorOf(R"({"a":)" + std::string(100'000, '{'), 0), "");
}

TEST(Safetensors, lyingTensors) {
  auto error = [](const std::string &dtype, const std::string &shape, const std::string &offsets) {
    return errorOf(R"({"a":{"dtype":")" + dtype + R"(","shape":[)" + shape +
                       R"(],"data_offsets":[)" + offsets + "]}}",
                   16);
  };
  std::string start = "x.safetensors is malformed: tensor `a` ";
  EXPECT_EQ(error("F32", "4", "0,16"), "");
  EXPECT_EQ(error("Q4", "4", "0,16"), start + "has the unsupported element type `Q4`");
  EXPECT_EQ(error("F32", "4", "0"), start + "has malformed `data_offsets`");
  EXPECT_EQ(error("F32", "4", "16,0"), start + "has malformed `data_offsets`");
  EXPECT_EQ(error("F32", "5", "0,20"), start + "ends at byte 20 of 16 bytes of data");
  EXPECT_EQ(error("F32", "4", "0,18446744073709551615"),
            start + "ends at byte 18446744073709551615 of 16 bytes of data");
  EXPECT_EQ(error("F32", "3", "0,16"), start + "has 16 bytes, which do not fit its shape f32[3]");
  EXPECT_EQ(error("F32", "4294967296,4294967296,4294967296", "0,16"),
            start + "has 16 bytes, which do not fit its shape "
                    "f32[4294967296, 4294967296, 4294967296]");
  EXPECT_EQ(error("F32", "0,18446744073709551615", "0,0"), start + "has a size that is too large");
  EXPECT_EQ(error("F32", "2", "0,8"),
            "x.safetensors is malformed: 8 bytes after the last tensor belong to none");
  EXPECT_EQ(error("F32", "2", "8,16"),
            "x.safetensors is malformed: there is a gap before tensor `a`");
  EXPECT_EQ(errorOf(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                    R"("b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})",
                    6),
            "x.safetensors is malformed: tensor `b` overlaps another one");
}

TEST(Safetensors, everyTruncationIsRefused) {
  std::string text = fileText(R"({"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}})", 24);
  for (size_t size = 0; size < text.size(); ++size)
    EXPECT_NE(errorOf(std::string_view(text).substr(0, size)), "") << size;
}

static const std::vector<std::byte> letters = bytesOf("abcdefgh");

TEST(Safetensors, writesWhatItReads) {
  TemporaryFolder folder;
  StoredTensor tensors[] = {{"z\"quoted\"", DType::F16, {2, 1}, std::span(letters).first(4)},
                            {"a", DType::I32, {}, std::span(letters).subspan(4)}};
  std::string path = folder.path("x.safetensors");
  ASSERT_TRUE(writeSafetensors(path, tensors));
  Result<Checkpoint> checkpoint = Checkpoint::open(path);
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  ASSERT_EQ(checkpoint->tensors().size(), 2u);
  EXPECT_EQ(checkpoint->tensors()[0].name, "a");
  const StoredTensor *quoted = checkpoint->find("z\"quoted\"");
  ASSERT_TRUE(quoted);
  EXPECT_EQ(quoted->shape, (std::vector<int64_t>{2, 1}));
  EXPECT_TRUE(std::ranges::equal(quoted->data, std::span(letters).first(4)));
  EXPECT_EQ(checkpoint->find("b"), nullptr);

  StoredTensor wrong[] = {{"a", DType::F32, {3}, letters}};
  Result<void> written = writeSafetensors(path, wrong);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().message,
            "cannot write " + path + ": the bytes of `a` do not fit its shape");
}

TEST(Safetensors, shards) {
  TemporaryFolder folder;
  StoredTensor first[] = {{"a", DType::U8, {8}, letters}};
  StoredTensor second[] = {{"b", DType::I64, {}, letters}};
  ASSERT_TRUE(writeSafetensors(folder.path("1.safetensors"), first));
  ASSERT_TRUE(writeSafetensors(folder.path("2.safetensors"), second));
  std::string index = folder.write("x.safetensors.index.json",
                                   R"({"weight_map":{"a":"1.safetensors","b":"2.safetensors"}})");
  Result<Checkpoint> checkpoint = Checkpoint::open(index);
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  EXPECT_EQ(checkpoint->tensors().size(), 2u);
  EXPECT_TRUE(checkpoint->find("b"));
}

TEST(Safetensors, malformedIndexes) {
  TemporaryFolder folder;
  auto error = [&](std::string_view text) {
    Result<Checkpoint> checkpoint = Checkpoint::open(folder.write("x.index.json", text));
    return checkpoint ? "" : checkpoint.error().message;
  };
  std::string start = folder.path("x.index.json") + " is not an index of safetensors files: ";
  EXPECT_EQ(error("{"), start + "it is not valid JSON");
  EXPECT_EQ(error("[]"), start + "it has no `weight_map`");
  EXPECT_EQ(error(R"({"weight_map":7})"), start + "it has no `weight_map`");
  std::string beside = start + "a name in `weight_map` is not that of a file beside it";
  EXPECT_EQ(error(R"({"weight_map":{"a":7}})"), beside);
  EXPECT_EQ(error(R"({"weight_map":{"a":"../../etc/passwd"}})"), beside);
  EXPECT_EQ(error(R"({"weight_map":{"a":"1.safetensors"}})"),
            "cannot open " + folder.path("1.safetensors") + ": No such file or directory");
  EXPECT_EQ(error(std::string(100'000, '[')), start + "it is not valid JSON");
}
