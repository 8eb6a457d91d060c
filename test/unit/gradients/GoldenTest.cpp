// Gradients against PyTorch's (test/golden/make_gradients.py), in double precision.
#include "Gradients.h"

#include "runtime/format/Safetensors.h"

#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

using namespace nnc;
using namespace nnc::test;

static Array arrayOf(const format::StoredTensor &tensor) {
  Array array{tensor.shape, {}};
  for (size_t at = 0; at < tensor.data.size(); at += 8) {
    double number;
    int64_t integer;
    std::memcpy(&number, tensor.data.data() + at, 8);
    std::memcpy(&integer, tensor.data.data() + at, 8);
    array.data.push_back(tensor.type == DType::F64 ? number : double(integer));
  }
  return array;
}

TEST(Gradients, OfPyTorch) {
  namespace fs = std::filesystem;
  fs::path folder = NNC_GOLDEN_DIR;
  auto golden = format::Checkpoint::open((folder / "gradients.safetensors").string());
  ASSERT_TRUE(golden) << golden.error().message;
  size_t count = 0;
  for (const fs::directory_entry &file : fs::directory_iterator(folder / "gradients")) {
    std::string name = file.path().stem().string();
    SCOPED_TRACE(name);
    std::stringstream text;
    text << std::ifstream(file.path()).rdbuf();
    std::vector<Array> arguments;
    while (const auto *tensor = golden->find(fmt::format("{}/{}", name, arguments.size())))
      arguments.push_back(arrayOf(*tensor));
    std::vector<Array> gradients = gradientsOf(text.str(), arguments);
    ASSERT_FALSE(gradients.empty());
    for (size_t i = 0; i < gradients.size(); ++i, ++count) {
      const auto *wanted = golden->find(fmt::format("{}/gradient{}", name, i));
      ASSERT_TRUE(wanted);
      Array expected = arrayOf(*wanted);
      ASSERT_EQ(gradients[i].shape, expected.shape);
      for (size_t at = 0; at < expected.data.size(); ++at)
        ASSERT_NEAR(gradients[i].data[at], expected.data[at], 1e-6) << "argument " << i;
    }
  }
  EXPECT_EQ(count, 22u);
}

/// Of the prelude's activations, also where their branches meet and where exponentials overflow.
TEST(Gradients, OfActivations) {
  auto golden = format::Checkpoint::open(NNC_GOLDEN_DIR "/gradients.safetensors");
  ASSERT_TRUE(golden) << golden.error().message;
  Array points = arrayOf(*golden->find("points"));
  constexpr std::string_view Prefix = "activation/";
  size_t count = 0;
  for (const format::StoredTensor &tensor : golden->tensors()) {
    if (!tensor.name.starts_with(Prefix))
      continue;
    ++count;
    std::string call = tensor.name.substr(Prefix.size());
    SCOPED_TRACE(call);
    size_t size = points.data.size();
    Array found = gradientOfModel(
        fmt::format("model M() {{\n  fn forward(x: float[{0}]) -> float[{0}] = {1}\n}}\n", size,
                    call),
        points);
    Array wanted = arrayOf(tensor);
    ASSERT_EQ(found.data.size(), size);
    for (size_t at = 0; at < size; ++at)
      EXPECT_NEAR(found.data[at], wanted.data[at], 1e-6) << "at " << points.data[at];
  }
  EXPECT_EQ(count, 17u);
}
