// Lock files: what is written is read again, what is wrong is said with its line, and no bytes do
// harm.
#include "codegen/cuda/LockFile.h"

#include <gtest/gtest.h>
#include <random>

using namespace nnc::codegen;

namespace {

constexpr const char *Good =
    "# nnc tune 1\n"
    "# kernel | architecture | GPU | choice | microseconds\n"
    "contraction f32 64x10x32 kk | sm_80 | NVIDIA A100 | GemmTile<16, 32, 16, "
    "2, 4> | 3.50\n"
    "contraction f32 64x10x32 kk | sm_90a | NVIDIA H200 | GemmTile<8, 64, 8, 2, "
    "4> | 2.25\n"
    "product bf16 4096x768x768 nt | sm_90a | NVIDIA H200 | library | 31.00\n";

/// Mistakes as "line: text".
std::vector<std::string> mistakesIn(const std::string &text) {
  std::vector<LockMistake> mistakes;
  LockFile::parse(text, mistakes);
  std::vector<std::string> lines;
  for (const LockMistake &mistake : mistakes)
    lines.push_back(std::to_string(mistake.line) + ": " + mistake.message);
  return lines;
}

std::string mistakeIn(const std::string &line) {
  std::vector<std::string> lines = mistakesIn("# nnc tune 1\n" + line + "\n");
  return lines.size() == 1 ? lines.front() : std::to_string(lines.size()) + " mistakes";
}

TEST(LockFile, readsWhatItWrites) {
  std::vector<LockMistake> mistakes;
  LockFile file = LockFile::parse(Good, mistakes);
  EXPECT_TRUE(mistakes.empty());
  EXPECT_EQ(file.text(), Good);
  const LockLine *line = file.find("contraction f32 64x10x32 kk", "sm_90a");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->choice, "GemmTile<8, 64, 8, 2, 4>");
  EXPECT_EQ(line->gpu, "NVIDIA H200");
  EXPECT_EQ(line->microseconds, 2.25);
  EXPECT_EQ(line->line, 4u);
  EXPECT_EQ(file.find("contraction f32 64x10x32 kk", "sm_86"), nullptr);
  EXPECT_EQ(file.find("contraction", "sm_90a"), nullptr);
}

TEST(LockFile, isSortedAndHasOneLineEach) {
  LockFile file;
  file.set({"b", "sm_90a", "", "x | y\n", 1});
  file.set({"a", "sm_90a", "a | b", "z", 2});
  file.set({"b", "sm_90a", "G", "w", 3});
  EXPECT_EQ(file.text(), "# nnc tune 1\n# kernel | architecture | GPU | choice | microseconds\n"
                         "a | sm_90a | a _ b | z | 2.00\nb | sm_90a | G | w | 3.00\n");
}

TEST(LockFile, acceptsCommentsAndLineEnds) {
  EXPECT_EQ(mistakesIn("# nnc tune 1\r\n\r\n# more\r\na | sm_80 | g | c | 1e-3\r\n").size(), 0u);
  EXPECT_EQ(mistakesIn("# nnc tune 1\na | sm_80 | g | c | 1").size(), 0u); // no end of line
}

TEST(LockFile, mistakes) {
  EXPECT_EQ(mistakesIn(""),
            std::vector<std::string>{"1: expected `# nnc tune 1`: the file is empty"});
  EXPECT_EQ(
      mistakesIn("# nnc tune 2\na"),
      std::vector<std::string>{"1: expected `# nnc tune 1`: this is no lock file of this version"});
  EXPECT_EQ(mistakeIn("a | sm_80 | g | c"),
            "2: expected 5 fields with ` | ` between them, found 4");
  EXPECT_EQ(mistakeIn("a"), "2: expected 5 fields with ` | ` between them, found 1");
  EXPECT_EQ(mistakeIn("a | sm_80 | g | c | 1 | 2"),
            "2: expected 5 fields with ` | ` between them, found more than 5");
  EXPECT_EQ(mistakeIn(" | sm_80 | g | c | 1"), "2: expected a kernel in field 1, found ``");
  EXPECT_EQ(mistakeIn("a | sm_80 |  | c | 1"), "2: expected a GPU in field 3, found ``");
  EXPECT_EQ(mistakeIn("a | sm_80 | g |  c | 1"), "2: expected a choice in field 4, found ` c`");
  EXPECT_EQ(mistakeIn("a | sm80 | g | c | 1"),
            "2: expected an architecture such as `sm_90a`, found `sm80`");
  EXPECT_EQ(mistakeIn("a | sm_90aa | g | c | 1"),
            "2: expected an architecture such as `sm_90a`, found `sm_90aa`");
  for (const char *time : {"x", "1 us", "-1", "nan", "inf", "1e999", ""})
    EXPECT_EQ(mistakeIn(std::string("a | sm_80 | g | c | ") + time),
              std::string("2: expected microseconds, found `") + time + "`");
  EXPECT_EQ(mistakeIn(std::string("a\0b | sm_80 | g | c | 1", 23)),
            "2: a line with control characters");
  EXPECT_EQ(mistakeIn(std::string(5000, 'a')), "2: a line of 5000 bytes");
  EXPECT_EQ(mistakeIn("a | sm_80 | g | c | 1\na | sm_90 | g | c | 1\na | sm_80 | h | d | 2"),
            "4: the kernel has a line for sm_80 already: line 2");
  EXPECT_EQ(mistakesIn("# nnc tune 1\nx\na | sm_80 | g | c | 1\ny\n").size(), 2u);
}

/// Any bytes: read or refused; what is read is written so that it is read again.
TEST(LockFile, anyBytes) {
  std::mt19937 random(7);
  const std::string alphabet = "a|#\n\r \0\x7f\xff"
                               "0.9s_m<>,nt",
                    good = Good;
  for (int round = 0; round < 20'000; ++round) {
    std::string text = round % 2 ? good : std::string("# nnc tune 1\n");
    for (unsigned change = random() % 8; change > 0; --change) {
      size_t at = random() % (text.size() + 1);
      char c = alphabet[random() % alphabet.size()];
      if (random() % 3 == 0 && at < text.size())
        text.erase(at, random() % 20);
      else if (random() % 2)
        text.insert(at, random() % 12, c);
      else if (at < text.size())
        text[at] = c;
    }
    std::vector<LockMistake> mistakes, again;
    LockFile file = LockFile::parse(text, mistakes);
    unsigned last = 0;
    for (const LockMistake &mistake : mistakes) {
      EXPECT_GT(mistake.line, last);
      last = mistake.line;
    }
    LockFile reread = LockFile::parse(file.text(), again);
    EXPECT_TRUE(again.empty()) << text;
    EXPECT_EQ(reread.text(), file.text());
  }
}

} // namespace
