//===- Doc.h - Layout: text that knows where it may break -----------------------------------===//
//
// The formatter describes its output as a document of texts, possible line breaks and groups; the
// printer chooses the breaks so that lines stay within the width. A group is printed on one line if
// it fits, otherwise its own breaks become line breaks and inner groups decide anew. (Wadler, "A
// prettier printer"; the algorithm is the one of Prettier.) Nothing here recurses.
//
//===----------------------------------------------------------------------------------------===//

#ifndef NNC_FRONTEND_SYNTAX_DOC_H
#define NNC_FRONTEND_SYNTAX_DOC_H

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace nnc::syntax {

struct DocNode;
using Doc = const DocNode *;

struct DocNode {
  enum Kind : uint8_t {
    Text,
    Line,      // a space, or a line break when its group is broken
    SoftLine,  // nothing, or a line break
    HardLine,  // always a line break
    BlankLine, // an empty line, after a line break
    FreshLine, // a line break unless the line is still empty
    Concat,
    Group,
    Indent,     // lines inside are indented two further
    Align,      // lines inside are indented to the current column
    Fill,       // contents and separators alternate; each separator breaks only if it must
    LineSuffix, // text that goes to the end of the line: trailing comments
    IfBroken,   // text only in a broken group: trailing commas
    BreakAfter, // the value after a `=`: see Layout
  };
  Kind kind;
  /// Contains a HardLine, so that no group around it can stand on one line.
  bool mustBreak = false;
  /// Of BreakAfter: whether the value may stay on the line with its bracket and break inside.
  bool hugs = false;
  std::string text;
  std::vector<Doc> children;
};

/// Makes and owns documents.
class DocBuilder {
public:
  Doc text(std::string text);
  Doc line() { return &kLine; }
  Doc softLine() { return &kSoftLine; }
  Doc hardLine() { return &kHardLine; }
  Doc blankLine() { return &kBlankLine; }
  Doc freshLine() { return &kFreshLine; }
  Doc empty() { return &kEmpty; }
  Doc concat(std::vector<Doc> children) { return make(DocNode::Concat, std::move(children)); }
  Doc group(Doc child) { return make(DocNode::Group, {child}); }
  Doc indent(Doc child) { return make(DocNode::Indent, {child}); }
  Doc align(Doc child) { return make(DocNode::Align, {child}); }
  /// children: content, separator, content, ..., content.
  Doc fill(std::vector<Doc> children) { return make(DocNode::Fill, std::move(children)); }
  Doc lineSuffix(std::string text);
  Doc ifBroken(std::string text);
  /// A space and `value` where both fit; else `value` on a line of its own where it fits; else
  /// broken inside: behind the space if `hugs`, on a line of its own otherwise.
  Doc breakAfter(Doc value, bool hugs);

private:
  Doc make(DocNode::Kind kind, std::vector<Doc> children);

  static const DocNode kLine, kSoftLine, kHardLine, kBlankLine, kFreshLine, kEmpty;
  std::deque<DocNode> nodes;
};

/// The text of a document; `width` is the number of columns.
std::string printDoc(Doc doc, unsigned width);

} // namespace nnc::syntax

#endif // NNC_FRONTEND_SYNTAX_DOC_H
