//===- ExplainTest.cpp - The catalogue of error codes ---------------------------------------===//

#include "TestSource.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

using namespace nnc::syntax;

namespace {

/// The ```nn blocks of an entry.
std::vector<std::string> codeBlocks(std::string_view text) {
  constexpr std::string_view kOpen = "```nn\n", kClose = "```";
  std::vector<std::string> blocks;
  for (size_t pos = text.find(kOpen); pos != text.npos; pos = text.find(kOpen, pos)) {
    size_t begin = pos + kOpen.size();
    size_t end = text.find(kClose, begin);
    blocks.emplace_back(text.substr(begin, end - begin));
    pos = end;
  }
  return blocks;
}

std::set<std::string> codesOf(const std::string &text) {
  TestSource source(text);
  parseFile(source.sources, source.file, source.diags);
  std::set<std::string> codes;
  for (const Diagnostic &diag : source.diags.all())
    codes.insert(diag.code);
  return codes;
}

TEST(Explain, FindsEntries) {
  ASSERT_TRUE(explain("E0301"));
  EXPECT_EQ(explain("e0301"), explain("E0301"));
  EXPECT_EQ(explain("0301"), explain("E0301"));
  EXPECT_EQ(explain("301"), explain("E0301"));
  EXPECT_FALSE(explain("E9999"));
  EXPECT_FALSE(explain(""));
}

TEST(Explain, EntriesAreSortedAndComplete) {
  std::string_view previous;
  for (const Explanation &entry : explanations()) {
    EXPECT_LT(previous, entry.code);
    EXPECT_FALSE(entry.title.empty()) << entry.code;
    EXPECT_FALSE(entry.text.empty()) << entry.code;
    previous = entry.code;
  }
}

/// The first example of a syntax error has it and nothing else, the others have none. The examples
/// of all other families are syntactically right.
TEST(Explain, ExamplesSayWhatTheyShould) {
  for (const Explanation &entry : explanations()) {
    bool isSyntax = entry.code.starts_with("E01") && entry.code != "E0109" &&
                    entry.code != "E0118"; // too long to show; found when the pattern is used
    std::vector<std::string> blocks = codeBlocks(entry.text);
    for (size_t i = 0; i < blocks.size(); ++i) {
      std::set<std::string> expected;
      if (isSyntax && i == 0)
        expected.insert(std::string(entry.code));
      EXPECT_EQ(codesOf(blocks[i]), expected) << entry.code << " example " << i + 1;
    }
    if (isSyntax)
      EXPECT_GE(blocks.size(), 2u) << entry.code;
  }
}

/// Every code in the sources, written "E0301", has an entry.
TEST(Explain, AllUsedCodesHaveEntries) {
  for (std::string folder : {"frontend", "codegen", "passes", "tools"}) {
    std::filesystem::path root = std::filesystem::path(NNC_SOURCE_DIR) / folder;
    for (const auto &entry : std::filesystem::recursive_directory_iterator(root)) {
      if (entry.path().extension() != ".cpp" && entry.path().extension() != ".h")
        continue;
      std::ifstream stream(entry.path());
      std::stringstream text;
      text << stream.rdbuf();
      std::string source = text.str();
      static const std::regex code("\"([EW]0[0-9]{3})\"");
      for (std::sregex_iterator it(source.begin(), source.end(), code), end; it != end; ++it)
        EXPECT_TRUE(explain((*it)[1].str())) << (*it)[1] << " in " << entry.path();
    }
  }
}

/// docs/errors.md is the catalogue. NNC_UPDATE=1 writes it.
TEST(Explain, DocumentIsCurrent) {
  std::string path = NNC_SOURCE_DIR "/docs/errors.md";
  if (std::getenv("NNC_UPDATE"))
    std::ofstream(path) << explanationsAsMarkdown();
  std::ifstream stream(path);
  std::stringstream text;
  text << stream.rdbuf();
  EXPECT_TRUE(text.str() == explanationsAsMarkdown())
      << "run this test with NNC_UPDATE=1 to write " << path;
}

} // namespace
