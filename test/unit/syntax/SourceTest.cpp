//===- SourceTest.cpp - Reading sources, positions ------------------------------------------===//

#include "TestSource.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

using namespace nnc::syntax;

namespace {

std::string temporary(const std::string &name, const std::string &content) {
  std::string path = testing::TempDir() + name;
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

TEST(Source, MissingFile) {
  SourceManager sources;
  Diagnostics diags;
  EXPECT_FALSE(sources.load("no/such/x.nn", diags));
  EXPECT_EQ(render(sources, diags),
            "error: cannot read 'no/such/x.nn': No such file or directory\n");
}

TEST(Source, Directory) {
  SourceManager sources;
  Diagnostics diags;
  EXPECT_FALSE(sources.load("/", diags));
  EXPECT_EQ(render(sources, diags), "error: cannot read '/': Is a directory\n");
}

TEST(Source, NotUtf8) {
  std::string path = temporary("bad.nn", "x = 1\ny = \xff\n");
  SourceManager sources;
  Diagnostics diags;
  EXPECT_FALSE(sources.load(path, diags));
  EXPECT_EQ(render(sources, diags),
            "error: '" + path + "' is not UTF-8: byte 0xff at offset 10, in line 2\n");
}

TEST(Source, OverlongAndSurrogatesAreNotUtf8) {
  SourceManager sources;
  Diagnostics diags;
  for (std::string text : {"\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80"})
    EXPECT_FALSE(sources.addText("x", text, diags)) << text;
}

TEST(Source, EmptyFileIsEmptyTree) {
  std::string path = temporary("empty.nn", "");
  SourceManager sources;
  Diagnostics diags;
  std::optional<FileId> file = sources.load(path, diags);
  ASSERT_TRUE(file);
  EXPECT_EQ(parseFile(sources, *file, diags)->items.size(), 0u);
  EXPECT_EQ(render(sources, diags), "");
}

TEST(Source, SamePathSameFile) {
  std::string path = temporary("same.nn", "x = 1\n");
  SourceManager sources;
  Diagnostics diags;
  EXPECT_EQ(sources.load(path, diags), sources.load(path, diags));
}

TEST(Source, SharedTextIsTheSameInAllManagers) {
  FileId first = SourceManager::share("lib.nn", "a = 1\nb = 2\n");
  FileId second = SourceManager::share("other.nn", "c = 3\n");
  Diagnostics diags;
  std::unique_ptr<File> tree;
  {
    SourceManager parsing;
    tree = parseFile(parsing, first, diags);
  }
  SourceManager sources;
  FileId own = *sources.addText("own.nn", "d = a\n", diags);
  EXPECT_NE(first, second);
  EXPECT_NE(first, own);
  EXPECT_EQ(sources.name(second), "other.nn");
  EXPECT_EQ(sources.text(own), "d = a\n");
  ASSERT_EQ(tree->items.size(), 2U);
  EXPECT_EQ(sources.location(tree->items[1]->span), "lib.nn:2:1");
  EXPECT_EQ(sources.text(tree->items[1]->span), "b = 2");
}

TEST(Source, LinesAndColumns) {
  TestSource source("ab\ncé日x\r\n");
  EXPECT_EQ(source.sources.numLines(source.file), 3u);
  EXPECT_EQ(source.sources.text(source.sources.lineSpan(source.file, 2)), "cé日x");
  EXPECT_EQ(source.sources.location(source.find(2, "x")), "test.nn:2:4");
  EXPECT_EQ(source.sources.location(Span{source.file, 0, 0}), "test.nn:1:1");
}

} // namespace
