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
  std::string instead = "x.safetensors is not a safetensors file, but ";
  EXPECT_EQ(errorOf("PK\x03\x04 model/data.pkl"),
            instead + "a file of torch.save; write one with "
                      "safetensors.torch.save_file(model.state_dict(), path)");
  EXPECT_EQ(errorOf("GGUF\x03 and more"), instead + "a GGUF file");
  EXPECT_EQ(errorOf("\x93NUMPY\x01 and more"), instead + "a .npy file");
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

/// A folder with the tensors `a` and `b` in two shards.
static void writeShards(const TemporaryFolder &folder) {
  StoredTensor first[] = {{"a", DType::U8, {8}, letters}};
  StoredTensor second[] = {{"b", DType::I64, {}, letters}};
  ASSERT_TRUE(writeSafetensors(folder.path("1.safetensors"), first));
  ASSERT_TRUE(writeSafetensors(folder.path("2.safetensors"), second));
}

TEST(Safetensors, shards) {
  TemporaryFolder folder;
  writeShards(folder);
  std::string index =
      folder.write("model.safetensors.index.json",
                   R"({"metadata":{"total_size":16,"deep":[[{"weight_map":1}]]},)"
                   R"("weight_map":{"a":"1.safetensors","b":"2.safetensors"},"x":null})");
  for (const std::string &path : {index, folder.path("")}) {
    Result<Checkpoint> checkpoint = Checkpoint::open(path);
    ASSERT_TRUE(checkpoint) << checkpoint.error().message;
    EXPECT_EQ(checkpoint->tensors().size(), 2u);
    EXPECT_TRUE(checkpoint->find("b"));
    ASSERT_EQ(checkpoint->files().size(), 2u);
    EXPECT_EQ(checkpoint->files()[1].path, folder.path("2.safetensors"));
  }
}

TEST(Safetensors, folders) {
  TemporaryFolder folder;
  auto error = [&](const std::string &path) {
    Result<Checkpoint> checkpoint = Checkpoint::open(path);
    return checkpoint ? "" : checkpoint.error().message;
  };
  std::string at = folder.path("x");
  std::filesystem::create_directory(at);
  EXPECT_EQ(error(at), at + " holds no .safetensors files");
  StoredTensor tensors[] = {{"a", DType::U8, {8}, letters}};
  ASSERT_TRUE(writeSafetensors(at + "/one.safetensors", tensors));
  EXPECT_EQ(error(at), "");
  ASSERT_TRUE(writeSafetensors(at + "/two.safetensors", tensors));
  EXPECT_EQ(error(at), at + " holds several .safetensors files and no index of them: name one");
  ASSERT_TRUE(writeSafetensors(at + "/model.safetensors", tensors));
  EXPECT_EQ(error(at), "");
  std::ofstream(at + "/model.safetensors.index.json") << "{}";
  EXPECT_EQ(error(at), at + "/model.safetensors.index.json is not an index of safetensors files: "
                            "it has no `weight_map`");
}

TEST(Safetensors, malformedIndexes) {
  TemporaryFolder folder;
  auto error = [&](std::string_view text) {
    Result<Checkpoint> checkpoint = Checkpoint::open(folder.write("x.index.json", text));
    return checkpoint ? "" : checkpoint.error().message;
  };
  std::string index = folder.path("x.index.json");
  std::string start = index + " is not an index of safetensors files: ";
  EXPECT_EQ(error(""), start + "it is not valid JSON at byte 1");
  EXPECT_EQ(error("{"), start + "it is not valid JSON at byte 2");
  EXPECT_EQ(error("[]"), start + "it is not an object");
  EXPECT_EQ(error("7"), start + "it is not an object");
  EXPECT_EQ(error("{}"), start + "it has no `weight_map`");
  EXPECT_EQ(error(R"({"weight_map":7})"), start + "it has no `weight_map`");
  EXPECT_EQ(error(R"({"x":{"weight_map":{"a":"1.safetensors"}}})"),
            start + "it has no `weight_map`");
  EXPECT_EQ(error(R"({"weight_map":{},"weight_map":{}})"), start + "it has `weight_map` twice");
  std::string notAName = start + "the shard of tensor `a` is not a name";
  EXPECT_EQ(error(R"({"weight_map":{"a":7}})"), notAName);
  EXPECT_EQ(error(R"({"weight_map":{"a":["1.safetensors"]}})"), notAName);
  EXPECT_EQ(error(R"({"weight_map":{"a":{}}})"), notAName);
  EXPECT_EQ(error(R"({"weight_map":{"a":"1.safetensors","a":"2.safetensors"}})"),
            start + "tensor `a` is there twice");
  std::string outside = start + "the shard of tensor `a` is not a .safetensors file beside it";
  for (const char *shard : {"../../etc/passwd", "/etc/passwd", "../1.safetensors",
                            "sub/1.safetensors", "..", ".", "", "x.index.json", "1.bin"})
    EXPECT_EQ(error(R"({"weight_map":{"a":")" + std::string(shard) + R"("}})"), outside) << shard;
  EXPECT_EQ(error(R"({"weight_map":{"a":"1.safetensors"}})"),
            "cannot open " + folder.path("1.safetensors") +
                ": No such file or directory (a shard of " + index + ")");
  EXPECT_EQ(error(std::string(100'000, '[')), start + "it is not an object");
  EXPECT_EQ(error(R"({"a":)" + std::string(100'000, '[')),
            start + "it is not valid JSON at byte 100006");
  std::string many = R"({"weight_map":{"a":"1.safetensors")";
  for (int i = 0; i < 10'000; ++i)
    many += ",\"" + std::to_string(i) + "\":\"" + std::to_string(i) + "x.safetensors\"";
  EXPECT_EQ(error(many + "}}"), start + "it has more than 10000 shards");

  writeShards(folder);
  EXPECT_EQ(error(R"({"weight_map":{"a":"1.safetensors","c":"2.safetensors"}})"),
            index + " is malformed: tensor `c` is not in " + folder.path("2.safetensors"));
  StoredTensor again[] = {{"a", DType::U8, {8}, letters}};
  ASSERT_TRUE(writeSafetensors(folder.path("2.safetensors"), again));
  EXPECT_EQ(error(R"({"weight_map":{"a":"1.safetensors","b":"2.safetensors"}})"),
            index + " is malformed: tensor `a` is in two of its files");
  folder.write("2.safetensors", "abc");
  EXPECT_EQ(error(R"({"weight_map":{"a":"1.safetensors","b":"2.safetensors"}})"),
            folder.path("2.safetensors") +
                " is not a safetensors file: it has only 3 bytes (a "
                "shard of " +
                index + ")");
}
