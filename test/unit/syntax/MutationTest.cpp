//===- MutationTest.cpp - Damaged sources crash nothing -------------------------------------===//
//
// Real files, damaged in reproducible ways, go through the lexer, the parser, the dumps, the
// renderer and, where they still parse, twice through the formatter.
//
//===----------------------------------------------------------------------------------------===//

#include "TestSource.h"

#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <sstream>

using namespace nnc::syntax;

namespace {

std::string read(const std::string &path) {
  std::ifstream stream(path, std::ios::binary);
  std::stringstream text;
  text << stream.rdbuf();
  return text.str();
}

/// Runs everything on `text`; a source that parses must format idempotently.
void exercise(const std::string &text) {
  SourceManager sources;
  Diagnostics diags;
  std::optional<FileId> file = sources.addText("mutant.nn", text, diags);
  if (!file)
    return;
  dumpTokens(sources, lex(sources, *file));
  std::unique_ptr<File> tree = parseFile(sources, *file, diags);
  dumpAst(sources, *tree);
  render(sources, diags, {.color = true});
  render(sources, diags, {.json = true});
  if (diags.hasErrors())
    return;
  std::optional<std::string> once = formatSource(sources, *file, diags);
  ASSERT_TRUE(once) << render(sources, diags) << text;
  FileId again = *sources.addText("again.nn", *once, diags);
  EXPECT_EQ(formatSource(sources, again, diags), once) << text;
}

const char *const kPieces[] = {
    "(",      ")",      "[",     "]",    "{",    "}",  ",",      "\n",      "|>",   "->",
    "<-",     "=",      "# c\n", "\"",   " as ", "..", "...",    ":",       " if ", " then ",
    " else ", "@",      " for ", " fn ", "-",    "**", " not ",  " in ",    ";",    "é",
    "//",     "## d\n", "1",     "x",    "|",    "?",  " scan ", " return "};

std::string mutate(std::string text, std::mt19937 &random) {
  unsigned count = 1 + random() % 3;
  for (unsigned i = 0; i < count && !text.empty(); ++i) {
    size_t at = random() % text.size();
    size_t length = std::min<size_t>(random() % 12, text.size() - at);
    switch (random() % 4) {
    case 0:
      text.erase(at, length);
      break;
    case 1:
      text.insert(at, kPieces[random() % std::size(kPieces)]);
      break;
    case 2:
      text.replace(at, length, kPieces[random() % std::size(kPieces)]);
      break;
    case 3:
      text.insert(random() % text.size(), text.substr(at, length));
      break;
    }
  }
  return text;
}

TEST(Mutation, DamagedExamples) {
  std::mt19937 random(1);
  for (const std::string &path : exampleFiles()) {
    std::string text = read(path);
    for (int i = 0; i < 60; ++i)
      exercise(mutate(text, random));
  }
}

TEST(Mutation, TruncatedExamples) {
  for (const std::string &path : exampleFiles()) {
    std::string text = read(path);
    for (size_t size = 0; size < text.size(); size += 61)
      exercise(text.substr(0, size));
  }
}

TEST(Mutation, NothingButPieces) {
  std::mt19937 random(2);
  for (int i = 0; i < 5000; ++i) {
    std::string text;
    for (unsigned n = random() % 30; n > 0; --n)
      text += kPieces[random() % std::size(kPieces)];
    exercise(text);
  }
}

TEST(Mutation, Nesting) {
  for (std::string open : {"(", "[", "{", "f(", "x[", "-", "not ", "if ", "fn f() {", "if x {",
                           "[x for y in ", "a ** ", "x: (", "module M {", "a.", "x |> ", "a + "}) {
    std::string text;
    for (int i = 0; i < 20000; ++i)
      text += open;
    exercise("x = " + text);
    exercise("fn f() {\n" + text);
  }
}

} // namespace
