//===- ErrorTest.cpp - What syntax errors look like -----------------------------------------===//
//
// Each data/errors/NAME.nn is parsed; what is printed must be NAME.txt. NNC_UPDATE=1 writes these
// files: read what they say before you keep it.
//
//===----------------------------------------------------------------------------------------===//

#include "TestSource.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

using namespace nnc::syntax;

namespace {

std::string read(const std::filesystem::path &path) {
  std::ifstream stream(path, std::ios::binary);
  std::stringstream text;
  text << stream.rdbuf();
  return text.str();
}

class ErrorTest : public testing::TestWithParam<std::string> {};

TEST_P(ErrorTest, PrintsAsExpected) {
  std::filesystem::path path = std::filesystem::path(NNC_UNIT_DATA) / "errors" / GetParam();
  std::string printed = errorsOf(read(path), path.filename());
  std::filesystem::path expected = path.replace_extension(".txt");
  if (std::getenv("NNC_UPDATE"))
    std::ofstream(expected, std::ios::binary) << printed;
  EXPECT_EQ(printed, read(expected));
}

std::vector<std::string> errorFiles() {
  std::vector<std::string> names;
  for (const auto &entry :
       std::filesystem::directory_iterator(std::filesystem::path(NNC_UNIT_DATA) / "errors"))
    if (entry.path().extension() == ".nn")
      names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

INSTANTIATE_TEST_SUITE_P(Files, ErrorTest, testing::ValuesIn(errorFiles()), [](const auto &info) {
  return info.param.substr(0, info.param.find('.'));
});

TEST(Error, LongLineIsCut) {
  std::string line = "x = " + std::string(10'000'000, 'a') + " y";
  std::string printed = errorsOf(line);
  EXPECT_EQ(printed, "error[E0101]: expected the end of the statement\n"
                     " --> test.nn:1:10000006\n"
                     "  |\n"
                     "1 | ..." +
                         std::string(59, 'a') + " y\n  | " + std::string(63, ' ') +
                         "^ found `y`\n");
}

TEST(Error, ManyErrorsAreLimited) {
  std::string text;
  for (int i = 0; i < 30; ++i)
    text += "x = 1 2\n";
  std::string printed = errorsOf(text);
  EXPECT_TRUE(printed.ends_with("\nerror: 10 more errors are not shown\n"));
}

TEST(Error, DeepNestingIsOneError) {
  TestSource source("x = " + std::string(100'000, '['));
  parseFile(source.sources, source.file, source.diags);
  ASSERT_EQ(source.diags.all().size(), 1u);
  EXPECT_EQ(source.diags.all().front().message, "nested more than 200 levels deep");
}

} // namespace
