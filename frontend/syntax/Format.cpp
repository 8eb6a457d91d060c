//===- Format.cpp - `nnc fmt`: tokens, comments, bodies -------------------------------------===//

#include "frontend/syntax/Format.h"

#include "frontend/syntax/FormatImpl.h"
#include "frontend/syntax/Parser.h"
#include "frontend/syntax/Pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace nnc::syntax {
namespace {

constexpr unsigned kWidth = 100;

/// What formatting keeps: the tree without places, and the comments. Spaces inside of lines do not
/// count, because patterns may lose some.
std::string essence(const SourceManager &sources, const File &tree) {
  std::string dump = dumpAst(sources, tree);
  std::string kept;
  for (size_t pos = 0; pos < dump.size();) {
    size_t end = dump.find('\n', pos);
    size_t place = dump.rfind(" <", end);
    size_t first = dump.find_first_not_of(' ', pos);
    kept += fmt::format("\n{} ", first - pos); // the depth
    std::copy_if(dump.begin() + static_cast<ptrdiff_t>(first),
                 dump.begin() + static_cast<ptrdiff_t>(place), std::back_inserter(kept),
                 [](char c) { return c != ' '; });
    pos = end + 1;
  }
  for (const Comment &comment : lex(sources, tree.id).comments)
    for (char c : sources.text(Span{tree.id, comment.begin, comment.end}))
      if (c != ' ')
        kept += c;
  return kept;
}

/// Whether the result says the same as the source: a guard against mistakes of the formatter.
bool saysTheSame(const SourceManager &sources, const File &tree, const std::string &result) {
  SourceManager scratch;
  Diagnostics diags;
  std::optional<FileId> again = scratch.addText("formatted", result, diags);
  if (!again)
    return false;
  std::unique_ptr<File> newTree = parseFile(scratch, *again, diags);
  return !diags.hasErrors() && essence(sources, tree) == essence(scratch, *newTree);
}

} // namespace

std::optional<std::string> formatSource(const SourceManager &sources, FileId file,
                                        Diagnostics &diags) {
  Diagnostics own;
  std::unique_ptr<File> tree = parseFile(sources, file, own);
  if (own.hasErrors()) {
    parseFile(sources, file, diags);
    return std::nullopt;
  }
  Formatter formatter(sources, file);
  std::string result = printDoc(formatter.format(*tree), kWidth);
  if (!saysTheSame(sources, *tree, result)) {
    diags.error(fmt::format("formatting would change the meaning of '{}'; it is left as it is",
                            sources.name(file)));
    return std::nullopt;
  }
  return result;
}

Formatter::Formatter(const SourceManager &sources, FileId file)
    : sources(sources), stream(lex(sources, file)), text(sources.text(file)) {}

Doc Formatter::format(const File &file) { return statements(file.items); }

//===----------------------------------------------------------------------------------------===//
// Tokens and comments
//===----------------------------------------------------------------------------------------===//

void Formatter::skipNewlines() {
  while (at(Tok::Newline))
    ++index;
}

Doc Formatter::take() {
  skipNewlines();
  return takeAs(std::string(text.substr(token().begin, token().end - token().begin)));
}

Doc Formatter::takeAs(std::string word) {
  skipNewlines();
  Doc before = leadingComments();
  uint32_t end = token().end;
  index += index + 1 < stream.tokens.size();
  Doc after = trailingComments(end);
  return b.concat({before, b.text(std::move(word)), after});
}

Doc Formatter::skip() {
  skipNewlines();
  bool before = endedWithComment;
  Doc leading = leadingComments();
  uint32_t end = token().end;
  index += index + 1 < stream.tokens.size();
  Doc after = trailingComments(end);
  endedWithComment |= before;
  return b.concat({leading, after});
}

bool Formatter::hasCommentBefore(uint32_t offset) const {
  return comment < stream.comments.size() && stream.comments[comment].begin < offset;
}

uint32_t Formatter::nextBegin() const {
  uint32_t begin = token().begin;
  return hasCommentBefore(begin) ? stream.comments[comment].begin : begin;
}

bool Formatter::hasBlankLine(uint32_t begin, uint32_t end) const {
  if (begin >= end)
    return false;
  std::string_view between = text.substr(begin, end - begin);
  return std::count(between.begin(), between.end(), '\n') > 1;
}

Doc Formatter::leadingComments() {
  std::vector<Doc> docs;
  uint32_t begin = token().begin;
  while (hasCommentBefore(begin)) {
    const Comment &next = stream.comments[comment++];
    docs.push_back(b.freshLine());
    docs.push_back(b.text(std::string(text.substr(next.begin, next.end - next.begin))));
    uint32_t following = nextBegin();
    docs.push_back(hasBlankLine(next.end, following) ? b.blankLine() : b.hardLine());
  }
  return docs.empty() ? b.empty() : b.concat(std::move(docs));
}

/// A comment on the line of the token that was just taken.
Doc Formatter::trailingComments(uint32_t tokenEnd) {
  endedWithComment = false;
  if (comment >= stream.comments.size())
    return b.empty();
  const Comment &next = stream.comments[comment];
  uint32_t nextToken =
      token().kind == Tok::Newline ? stream.tokens[index + 1].begin : token().begin;
  if (next.ownLine || next.begin < tokenEnd || next.begin > nextToken)
    return b.empty();
  ++comment;
  endedWithComment = true;
  return b.lineSuffix("  " + std::string(text.substr(next.begin, next.end - next.begin)));
}

Doc Formatter::closingComments() {
  std::vector<Doc> docs;
  while (hasCommentBefore(token().begin)) {
    const Comment &next = stream.comments[comment];
    docs.push_back(hasBlankLine(previousEnd(), next.begin) ? b.blankLine() : b.freshLine());
    docs.push_back(b.text(std::string(text.substr(next.begin, next.end - next.begin))));
    ++comment;
  }
  return docs.empty() ? b.empty() : b.concat(std::move(docs));
}

uint32_t Formatter::previousEnd() const {
  uint32_t end = comment > 0 ? stream.comments[comment - 1].end : 0;
  for (size_t i = index; i-- > 0;)
    if (stream.tokens[i].kind != Tok::Newline)
      return std::max(end, stream.tokens[i].end);
  return end;
}

//===----------------------------------------------------------------------------------------===//
// Lists and bodies
//===----------------------------------------------------------------------------------------===//

Doc Formatter::joined(size_t count, const std::function<Doc(size_t)> &element) {
  std::vector<Doc> parts;
  for (size_t i = 0; i < count; ++i) {
    Doc content = element(i);
    skipNewlines();
    bool isLast = i + 1 == count;
    if (!isLast)
      content = b.concat({content, take()});
    parts.push_back(content);
    if (!isLast)
      parts.push_back(lineAfterComma());
  }
  return b.fill(std::move(parts));
}

Doc Formatter::filled(size_t count, const std::function<Doc(size_t)> &element) {
  Doc open = take();
  Doc first = endedWithComment ? b.hardLine() : b.empty();
  Doc elements = joined(count, element);
  skipNewlines();
  Doc comma = at(Tok::Comma) ? skip() : b.empty();
  Doc last = endedWithComment ? b.hardLine() : b.empty();
  return b.concat({open, b.align(b.concat({first, elements, comma, last, take()}))});
}

/// Statements, one per line, with at most one empty line between them, and the comments behind
/// them.
Doc Formatter::statements(const std::vector<StmtPtr> &stmts) {
  std::vector<Doc> docs;
  for (const StmtPtr &each : stmts) {
    uint32_t end = previousEnd();
    skipNewlines();
    if (!docs.empty())
      docs.push_back(hasBlankLine(end, nextBegin()) ? b.blankLine() : b.hardLine());
    docs.push_back(stmt(*each));
  }
  skipNewlines();
  docs.push_back(closingComments());
  return b.concat(std::move(docs));
}

Doc Formatter::body(const std::vector<StmtPtr> &stmts) {
  skipNewlines();
  uint32_t open = token().end;
  Doc brace = take();
  bool startsWithComment = endedWithComment;
  skipNewlines();
  if (stmts.empty() && !hasCommentBefore(token().begin))
    return b.concat({brace, startsWithComment ? b.hardLine() : b.empty(), take()});
  std::string_view between = text.substr(open, nextBegin() - open);
  bool isOneLine = stmts.size() == 1 && between.find('\n') == between.npos && !startsWithComment;
  Doc inner = statements(stmts);
  Doc line = isOneLine ? b.line() : b.hardLine();
  Doc block = b.concat({brace, b.indent(b.concat({line, inner})), line, take()});
  return isOneLine ? b.group(block) : block;
}

} // namespace nnc::syntax
