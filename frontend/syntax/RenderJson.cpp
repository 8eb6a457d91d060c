//===- RenderJson.cpp - Diagnostics as JSON, for editors ------------------------------------===//

#include "frontend/syntax/Render.h"
#include "frontend/syntax/Utf8.h"

#include <fmt/format.h>

namespace nnc::syntax {
namespace {

std::string quote(std::string_view text) {
  std::string out = "\"";
  for (size_t pos = 0; pos < text.size();) {
    utf8::CodePoint c = utf8::decode(text, pos);
    std::string_view bytes = text.substr(pos, c.size);
    pos += c.size;
    if (!c.valid)
      out += "\\ufffd";
    else if (c.value == '"' || c.value == '\\')
      out.append("\\").append(bytes);
    else if (c.value == '\n')
      out += "\\n";
    else if (c.value < 0x20 || c.value == 0x7F)
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c.value));
    else
      out += bytes;
  }
  return out + "\"";
}

std::string place(const SourceManager &sources, Span span) {
  LineCol begin = sources.lineCol(span);
  LineCol end = sources.lineCol(span.file, span.end);
  return fmt::format("\"file\": {}, \"line\": {}, \"column\": {}, \"end_line\": {}, "
                     "\"end_column\": {}, \"begin\": {}, \"end\": {}",
                     quote(sources.name(span.file)), begin.line, begin.col, end.line, end.col,
                     span.begin, span.end);
}

/// `[a, b]` of the printed elements of a range.
template <typename Range, typename Print> std::string list(const Range &range, Print print) {
  std::string out = "[";
  for (const auto &element : range)
    out += (out.size() > 1 ? ", " : "") + print(element);
  return out + "]";
}

std::string spans(const SourceManager &sources, const Diagnostic &diag) {
  std::vector<const Label *> labels;
  if (diag.primary.span.isValid())
    labels.push_back(&diag.primary);
  for (const Label &label : diag.labels)
    if (label.span.isValid())
      labels.push_back(&label);
  return list(labels, [&](const Label *label) {
    return fmt::format("{{{}, \"primary\": {}, \"label\": {}}}", place(sources, label->span),
                       label == &diag.primary, quote(label->text));
  });
}

std::string note(const SourceManager &sources, const Note &note) {
  std::string where = note.place.isValid() ? ", " + place(sources, note.place) : "";
  // In the text form the place follows the comma; here it has fields of its own.
  std::string_view text = note.text;
  if (note.place.isValid() && text.ends_with(','))
    text.remove_suffix(1);
  return fmt::format("{{\"message\": {}{}}}", quote(text), where);
}

std::string fix(const SourceManager &sources, const FixIt &fix) {
  std::string edits = list(fix.edits, [&](const Edit &edit) {
    return fmt::format("{{{}, \"text\": {}}}", place(sources, edit.span), quote(edit.text));
  });
  return fmt::format("{{\"title\": {}, \"edits\": {}}}", quote(fix.title), edits);
}

} // namespace

std::string renderJson(const SourceManager &sources, const Diagnostic &diag) {
  Span span = diag.primary.span;
  return fmt::format(
      "{{\"severity\": \"{}\", \"code\": {}, \"message\": {}, \"file\": {}, \"spans\": {}, "
      "\"notes\": {}, \"fixes\": {}, \"modules\": {}}}",
      diag.severity == Severity::Error ? "error" : "warning", quote(diag.code), quote(diag.message),
      span.isValid() ? quote(sources.name(span.file)) : "null", spans(sources, diag),
      list(diag.notes, [&](const Note &n) { return note(sources, n); }),
      list(diag.fixIts, [&](const FixIt &f) { return fix(sources, f); }),
      list(diag.paths, [](const std::string &path) { return quote(path); }));
}

} // namespace nnc::syntax
