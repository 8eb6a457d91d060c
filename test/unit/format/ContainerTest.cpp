#include "runtime/format/Container.h"
#include "TestFiles.h"

#include "runtime/format/Half.h"

#include <cstring>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <thread>

using namespace nnc;
using namespace nnc::format;

static std::vector<std::byte> smallContainer() {
  static const std::vector<std::byte> plan = bytesOf("a plan"), weights = bytesOf("some weights");
  ContainerWriter writer;
  writer.add(section::Plan, plan);
  writer.add(section::Weights, weights, 128);
  return writer.toMemory();
}

static std::string errorOf(std::span<const std::byte> bytes) {
  Result<Container> container = Container::fromMemory(bytes, "x.bin");
  return container ? "" : container.error().message;
}

static std::string text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

TEST(Container, roundTripInMemoryAndInAFile) {
  TemporaryFolder folder;
  std::vector<std::byte> bytes = smallContainer();
  Result<Container> inMemory = Container::fromMemory(bytes, "x.bin");
  ASSERT_TRUE(inMemory);
  EXPECT_EQ(text(inMemory->section(section::Plan)), "a plan");
  EXPECT_EQ(text(inMemory->section(section::Weights)), "some weights");
  EXPECT_TRUE(inMemory->section(section::Cubins).empty());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(inMemory->section(section::Weights).data()) % 128, 0u);

  std::vector<std::byte> plan = bytesOf("a plan"), weights = bytesOf("some weights");
  ContainerWriter writer;
  writer.add(section::Plan, plan);
  writer.add(section::Weights, weights, 128);
  ASSERT_TRUE(writer.write(folder.path("x.bin")));
  EXPECT_EQ(folder.read("x.bin"), text(bytes));
  EXPECT_TRUE(Container::open(folder.path("x.bin")));
  EXPECT_EQ(folder.count(), 1u);
}

/// A section in pieces is the same bytes as one made before: with zeros between them, and floats
/// converted.
TEST(Container, pieces) {
  TemporaryFolder folder;
  std::vector<float> numbers(100'000);
  for (size_t i = 0; i < numbers.size(); ++i)
    numbers[i] = float(i) / 7;
  std::vector<uint16_t> halves(numbers.size());
  convertFloats(DType::F32, numbers.data(), DType::BF16, halves.data(), numbers.size());
  std::vector<std::byte> letters = bytesOf("abc");
  std::vector<std::byte> whole(10'064 + halves.size() * 2);
  std::ranges::copy(letters, whole.begin());
  std::ranges::copy(std::as_bytes(std::span(halves)), whole.begin() + 10'064);

  ContainerWriter expected, writer;
  expected.add(section::Weights, whole, 4096);
  writer.add(
      section::Weights,
      std::vector<Piece>{{0, letters},
                         {10'064, std::as_bytes(std::span(numbers)), DType::F32, DType::BF16}},
      4096);
  EXPECT_EQ(writer.toMemory(), expected.toMemory());
  ASSERT_TRUE(writer.write(folder.path("x.bin")));
  EXPECT_EQ(folder.read("x.bin"), text(expected.toMemory()));
}

/// A pipe cannot be gone back in: its header is right from the start.
TEST(Container, intoAPipe) {
  TemporaryFolder folder;
  std::string path = folder.path("pipe");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  std::string received;
  std::thread reader([&] { received = folder.read("pipe"); });
  ContainerWriter writer;
  std::vector<std::byte> plan = bytesOf("a plan"), weights = bytesOf("some weights");
  writer.add(section::Plan, plan);
  writer.add(section::Weights, weights, 128);
  Result<void> written = writer.write(path);
  reader.join();
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_EQ(received, text(smallContainer()));
}

TEST(Container, everyTruncationIsRefused) {
  std::vector<std::byte> bytes = smallContainer();
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_NE(errorOf(std::span(bytes).first(size)), "") << size;
}

TEST(Container, everyFlippedBitIsRefused) {
  std::vector<std::byte> bytes = smallContainer();
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::vector<std::byte> changed = bytes;
    changed[bit / 8] ^= std::byte(1 << bit % 8);
    EXPECT_NE(errorOf(changed), "") << bit;
  }
}

TEST(Container, errors) {
  std::vector<std::byte> bytes = smallContainer();
  EXPECT_EQ(errorOf({}), "x.bin is not a model.bin");
  EXPECT_EQ(errorOf(bytesOf("hello, this is no model")), "x.bin is not a model.bin");
  EXPECT_EQ(errorOf(std::span(bytes).first(200)),
            "x.bin is truncated: expected 268 bytes, found 200");
  EXPECT_EQ(errorOf(std::span(bytes).first(10)), "x.bin is truncated: expected 32 bytes, found 10");

  std::vector<std::byte> longer = bytes;
  longer.resize(bytes.size() + 3);
  EXPECT_EQ(errorOf(longer), "x.bin is damaged: 3 bytes follow its end");

  std::vector<std::byte> weights = bytes;
  weights[260] ^= std::byte(1);
  EXPECT_EQ(errorOf(weights),
            "x.bin is damaged: section `weights` has changed since it was written");
  std::vector<std::byte> padding = bytes;
  padding[240] = std::byte(1);
  EXPECT_EQ(errorOf(padding), "x.bin is damaged: section `weights` is not preceded by zeros");
  std::vector<std::byte> header = bytes;
  header[17] ^= std::byte(1);
  EXPECT_EQ(errorOf(header), "x.bin is damaged: the header has changed since it was written");
}

TEST(Container, otherVersions) {
  std::vector<std::byte> bytes = smallContainer();
  bytes[8] = std::byte(FormatVersion + 1);
  EXPECT_EQ(errorOf(bytes),
            "x.bin was made by a newer version of nnc (format 6; this one reads 5)");
  bytes[8] = std::byte(0);
  EXPECT_EQ(errorOf(bytes), "x.bin was made by an older version of nnc (format 0; this one reads "
                            "5): compile it again");
}

TEST(Container, unreadableFiles) {
  TemporaryFolder folder;
  Result<Container> missing = Container::open("/nowhere/x.bin");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message, "cannot open /nowhere/x.bin: No such file or directory");
  Result<Container> directory = Container::open(folder.path(""));
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().message, "cannot read " + folder.path("") + ": not a regular file");
}
