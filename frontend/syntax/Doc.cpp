//===- Doc.cpp - Layout: choosing the line breaks -------------------------------------------===//

#include "frontend/syntax/Doc.h"

#include "frontend/syntax/Utf8.h"

#include <algorithm>

namespace nnc::syntax {
namespace {

constexpr int kIndent = 2;
/// Beyond this column, aligning to a bracket leaves too little room.
constexpr int kMaxAlign = 60;

int widthOf(std::string_view text) {
  int width = 0;
  for (size_t pos = 0; pos < text.size();) {
    utf8::CodePoint c = utf8::decode(text, pos);
    width += static_cast<int>(utf8::width(c.value));
    pos += c.size;
  }
  return width;
}

/// A document still to be printed, from its child `next` on.
struct Command {
  int indent = 0;
  bool flat = false;
  Doc doc = nullptr;
  size_t next = 0;
};

class Printer {
public:
  explicit Printer(unsigned width) : width(static_cast<int>(width)) {}
  std::string print(Doc doc);

private:
  void step(Command command);
  void printText(std::string_view text);
  void newLine(int indent);
  void trimLine();
  void flushSuffixes();
  void printFill(Command command);
  void printBreakAfter(const Command &command);
  bool fits(Command first, bool withRest, int room) const;
  /// One command of fits: returns false when the answer is known to be yes.
  static bool measure(const Command &command, std::vector<Command> &local, int &room);
  static void pushNext(const Command &command, std::vector<Command> &stack);

  int width;
  int column = 0;
  size_t lineStart = 0;
  std::string out;
  std::string suffixes;
  std::vector<Command> stack;
};

std::string Printer::print(Doc doc) {
  stack.push_back({0, false, doc});
  while (!stack.empty()) {
    Command command = stack.back();
    stack.pop_back();
    step(command);
  }
  flushSuffixes();
  trimLine();
  if (!out.empty() && out.back() != '\n')
    out += '\n';
  return std::move(out);
}

/// Pushes the next child of a Concat (or any node with children in sequence) and what follows it.
void Printer::pushNext(const Command &command, std::vector<Command> &stack) {
  const std::vector<Doc> &children = command.doc->children;
  if (command.next >= children.size())
    return;
  if (command.next + 1 < children.size())
    stack.push_back({command.indent, command.flat, command.doc, command.next + 1});
  stack.push_back({command.indent, command.flat, children[command.next]});
}

void Printer::step(Command command) {
  const DocNode &doc = *command.doc;
  switch (doc.kind) {
  case DocNode::Text:
    return printText(doc.text);
  case DocNode::Line:
    return command.flat ? printText(" ") : newLine(command.indent);
  case DocNode::SoftLine:
    return command.flat ? void() : newLine(command.indent);
  case DocNode::HardLine:
    return newLine(command.indent);
  case DocNode::BlankLine:
    flushSuffixes();
    trimLine();
    out += '\n';
    lineStart = out.size();
    return newLine(command.indent);
  case DocNode::FreshLine:
    flushSuffixes();
    trimLine();
    return out.size() == lineStart ? printText(std::string(command.indent, ' '))
                                   : newLine(command.indent);
  case DocNode::Concat:
    return pushNext(command, stack);
  case DocNode::Group: {
    Command inner = {command.indent, true, doc.children[0]};
    inner.flat = command.flat || (!doc.mustBreak && fits(inner, true, width - column));
    stack.push_back(inner);
    return;
  }
  case DocNode::Indent:
    stack.push_back({command.indent + kIndent, command.flat, doc.children[0]});
    return;
  case DocNode::Align: {
    int indent = column <= kMaxAlign ? column : command.indent + 2 * kIndent;
    stack.push_back({indent, command.flat, doc.children[0]});
    return;
  }
  case DocNode::Fill:
    return command.flat ? pushNext(command, stack) : printFill(command);
  case DocNode::LineSuffix:
    suffixes += doc.text;
    return;
  case DocNode::IfBroken:
    return command.flat ? void() : printText(doc.text);
  case DocNode::BreakAfter:
    return printBreakAfter(command);
  }
}

void Printer::printText(std::string_view text) {
  out += text;
  column += widthOf(text);
}

void Printer::trimLine() {
  while (out.size() > lineStart && out.back() == ' ')
    out.pop_back();
  column = static_cast<int>(out.size() == lineStart ? 0 : column);
}

void Printer::flushSuffixes() {
  if (suffixes.empty())
    return;
  trimLine();
  out += suffixes;
  suffixes.clear();
}

void Printer::newLine(int indent) {
  flushSuffixes();
  trimLine();
  out += '\n';
  lineStart = out.size();
  out.append(static_cast<size_t>(indent), ' ');
  column = indent;
}

void Printer::printFill(Command command) {
  const std::vector<Doc> &children = command.doc->children;
  if (command.next >= children.size())
    return;
  Doc child = children[command.next];
  bool isContent = command.next % 2 == 0;
  // What decides: a content by itself, a separator together with the content behind it.
  Doc decisive = isContent ? child : children[command.next + 1];
  bool isLast = command.next + (isContent ? 1 : 2) >= children.size();
  int room = width - column - (isContent ? 0 : 1);
  bool flat = !decisive->mustBreak && fits({command.indent, true, decisive}, isLast, room);
  if (command.next + 1 < children.size())
    stack.push_back({command.indent, false, command.doc, command.next + 1});
  stack.push_back({command.indent, flat, child});
}

void Printer::printBreakAfter(const Command &command) {
  const DocNode &doc = *command.doc;
  Command value = {command.indent, true, doc.children[0]};
  if (command.flat || (!doc.mustBreak && fits(value, true, width - column - 1))) {
    printText(" ");
    stack.push_back(value);
    return;
  }
  int indent = command.indent + kIndent;
  bool fitsBelow = !doc.mustBreak && fits(value, true, width - indent);
  value.flat = fitsBelow;
  if (!fitsBelow && doc.hugs) {
    printText(" ");
  } else {
    newLine(indent);
    value.indent = indent;
  }
  stack.push_back(value);
}

/// Whether `first`, and what comes behind it up to the next possible break, takes at most `room`.
bool Printer::fits(Command first, bool withRest, int room) const {
  std::vector<Command> local = {first};
  size_t rest = withRest ? stack.size() : 0;
  while (room >= 0) {
    if (local.empty()) {
      if (rest == 0)
        return true;
      local.push_back(stack[--rest]);
    }
    Command command = local.back();
    local.pop_back();
    if (!measure(command, local, room))
      return true;
  }
  return false;
}

bool Printer::measure(const Command &command, std::vector<Command> &local, int &room) {
  const DocNode &doc = *command.doc;
  switch (doc.kind) {
  case DocNode::Text:
    room -= widthOf(doc.text);
    return true;
  case DocNode::Line:
  case DocNode::SoftLine:
    room -= doc.kind == DocNode::Line;
    return command.flat;
  case DocNode::HardLine:
  case DocNode::BlankLine:
  case DocNode::FreshLine:
    return false;
  case DocNode::Group:
    local.push_back({command.indent, command.flat && !doc.mustBreak, doc.children[0]});
    return true;
  case DocNode::LineSuffix:
    return true;
  case DocNode::IfBroken:
    room -= command.flat ? 0 : widthOf(doc.text);
    return true;
  case DocNode::BreakAfter:
    if (!command.flat)
      return false;
    --room;
    local.push_back({command.indent, true, doc.children[0]});
    return true;
  case DocNode::Concat:
  case DocNode::Fill:
  case DocNode::Indent:
  case DocNode::Align:
    pushNext(command, local);
    return true;
  }
  return true;
}

} // namespace

const DocNode DocBuilder::kLine = {DocNode::Line, false, false, {}, {}};
const DocNode DocBuilder::kSoftLine = {DocNode::SoftLine, false, false, {}, {}};
const DocNode DocBuilder::kHardLine = {DocNode::HardLine, true, false, {}, {}};
const DocNode DocBuilder::kBlankLine = {DocNode::BlankLine, true, false, {}, {}};
const DocNode DocBuilder::kFreshLine = {DocNode::FreshLine, true, false, {}, {}};
const DocNode DocBuilder::kEmpty = {DocNode::Concat, false, false, {}, {}};

Doc DocBuilder::make(DocNode::Kind kind, std::vector<Doc> children) {
  DocNode &node = nodes.emplace_back();
  node.kind = kind;
  node.mustBreak =
      std::any_of(children.begin(), children.end(), [](Doc child) { return child->mustBreak; });
  node.children = std::move(children);
  return &node;
}

Doc DocBuilder::text(std::string text) {
  DocNode &node = nodes.emplace_back();
  node.kind = DocNode::Text;
  node.text = std::move(text);
  return &node;
}

Doc DocBuilder::lineSuffix(std::string text) {
  DocNode &node = nodes.emplace_back();
  node.kind = DocNode::LineSuffix;
  node.text = std::move(text);
  return &node;
}

Doc DocBuilder::ifBroken(std::string text) {
  DocNode &node = nodes.emplace_back();
  node.kind = DocNode::IfBroken;
  node.text = std::move(text);
  return &node;
}

Doc DocBuilder::breakAfter(Doc value, bool hugs) {
  Doc doc = make(DocNode::BreakAfter, {value});
  nodes.back().hugs = hugs;
  return doc;
}

std::string printDoc(Doc doc, unsigned width) { return Printer(width).print(doc); }

} // namespace nnc::syntax
