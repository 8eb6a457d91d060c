// What tests of training share: files in a folder of the test's own.
#pragma once

#include "tools/nnc-train/data/Dataset.h"
#include "tools/nnc-train/data/Image.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <unistd.h>

namespace nnc::train {

class Files : public testing::Test {
protected:
  Files() { std::filesystem::create_directories(folder); }
  ~Files() override { std::filesystem::remove_all(folder); }

  std::string write(const std::string &name, const std::string &bytes) {
    std::filesystem::path path = folder + "/" + name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

  std::string folder = testing::TempDir() + "nnc-train-" + std::to_string(getpid()) + "-" +
                       testing::UnitTest::GetInstance()->current_test_info()->name();
};

/// An IDX file of bytes.
inline std::string idx(std::initializer_list<uint32_t> shape, const std::string &data) {
  std::string text{0, 0, 8, static_cast<char>(shape.size())};
  for (uint32_t size : shape)
    for (int shift : {24, 16, 8, 0})
      text += static_cast<char>(size >> shift);
  return text + data;
}

/// The error of a result; empty if there is none.
template <typename T> std::string message(const Result<T> &result) {
  return result ? "" : result.error().message;
}

/// One field of one example as f32 or another type.
template <typename T>
std::vector<T> read(const Dataset &data, size_t example, size_t field, DType type,
                    std::vector<int64_t> shape, const ImageTransform &transform = {},
                    Random *random = nullptr) {
  size_t count = 1;
  for (int64_t size : shape)
    count *= static_cast<size_t>(size);
  std::vector<T> values(count);
  Result<void> done = data.read(
      example, field, {type, shape, std::as_writable_bytes(std::span(values)), transform, random});
  EXPECT_TRUE(done) << message(done);
  return values;
}

} // namespace nnc::train
