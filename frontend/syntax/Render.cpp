//===- Render.cpp - Diagnostics as text -----------------------------------------------------===//

#include "frontend/syntax/Render.h"

#include "frontend/syntax/Snippet.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <unistd.h>

namespace nnc::syntax {
namespace {

/// Messages may quote the user's text, which may be anything.
constexpr size_t kMaxMessageBytes = 2000;

/// A message on one line, of bounded length.
std::string clean(std::string_view message) {
  std::string text = shorten(message, kMaxMessageBytes);
  std::replace_if(text.begin(), text.end(), [](char c) { return c >= 0 && c < ' '; }, ' ');
  return text;
}

/// Some lines of one file with marks, e.g. an edited region.
struct EditedLines {
  FileId file;
  unsigned firstLine = 0;
  std::string text;
  std::vector<Mark> marks; // offsets into text
};

class Renderer {
public:
  Renderer(const SourceManager &sources, const Diagnostic &diag, bool color)
      : sources(sources), diag(diag), color(color) {}
  std::string run();

private:
  void header();
  void snippets();
  void fileSnippet(FileId file, const std::vector<const Label *> &labels, bool first);
  void notes();
  void fixIt(const FixIt &fix);
  std::vector<EditedLines> applyEdits(const FixIt &fix) const;
  void gutterLine() { out += fmt::format("{} ", pad()), put("|\n", Style::Gutter); }
  void rows(unsigned line, const std::vector<std::string> &rows);
  unsigned lineOf(Span span) const { return sources.lineCol(span).line; }
  unsigned maxLine() const;
  std::vector<const Label *> allLabels() const;
  std::string pad() const { return std::string(gutterWidth, ' '); }
  void put(std::string_view text, Style style) { append(out, text, style, color); }
  Style severityStyle() const {
    return diag.severity == Severity::Error ? Style::Error : Style::Warning;
  }

  const SourceManager &sources;
  const Diagnostic &diag;
  bool color;
  unsigned gutterWidth = 1;
  std::string out;
};

std::string Renderer::run() {
  gutterWidth = static_cast<unsigned>(fmt::formatted_size("{}", maxLine()));
  header();
  snippets();
  notes();
  for (const FixIt &fix : diag.fixIts)
    fixIt(fix);
  return std::move(out);
}

std::vector<const Label *> Renderer::allLabels() const {
  std::vector<const Label *> labels;
  if (diag.primary.span.isValid())
    labels.push_back(&diag.primary);
  for (const Label &label : diag.labels)
    if (label.span.isValid())
      labels.push_back(&label);
  return labels;
}

unsigned Renderer::maxLine() const {
  unsigned line = 1;
  for (const Label *label : allLabels())
    line = std::max(line, lineOf(label->span));
  for (const FixIt &fix : diag.fixIts)
    for (const EditedLines &lines : applyEdits(fix))
      line = std::max(line, lines.firstLine + static_cast<unsigned>(std::count(
                                                  lines.text.begin(), lines.text.end(), '\n')));
  return line;
}

void Renderer::header() {
  std::string kind = diag.severity == Severity::Error ? "error" : "warning";
  put(diag.code.empty() ? kind : fmt::format("{}[{}]", kind, diag.code), severityStyle());
  put(": " + clean(diag.message) + "\n", Style::Bold);
}

void Renderer::snippets() {
  std::vector<FileId> files;
  std::map<FileId, std::vector<const Label *>> byFile;
  for (const Label *label : allLabels()) {
    std::vector<const Label *> &list = byFile[label->span.file];
    if (list.empty())
      files.push_back(label->span.file);
    list.push_back(label);
  }
  for (FileId file : files)
    fileSnippet(file, byFile[file], file == files.front());
}

void Renderer::fileSnippet(FileId file, const std::vector<const Label *> &labels, bool first) {
  if (!first)
    gutterLine();
  out += pad();
  put(first ? "-->" : ":::", Style::Gutter);
  out += fmt::format(" {}\n", sources.location(labels.front()->span));
  gutterLine();

  std::map<unsigned, std::vector<Mark>> byLine;
  for (const Label *label : labels) {
    bool isPrimary = label == &diag.primary;
    unsigned line = lineOf(label->span);
    Span whole = sources.lineSpan(file, line);
    // A span over several lines is marked on its first one.
    size_t begin = std::min(label->span.begin, whole.end) - whole.begin;
    size_t end = std::clamp(label->span.end, label->span.begin, whole.end) - whole.begin;
    byLine[line].push_back({begin, std::max(begin, end), isPrimary ? '^' : '-',
                            isPrimary ? severityStyle() : Style::Secondary, clean(label->text)});
  }
  for (auto &[line, marks] : byLine)
    rows(line, renderLine(sources.text(sources.lineSpan(file, line)), std::move(marks), color));
}

void Renderer::rows(unsigned line, const std::vector<std::string> &rows) {
  for (size_t i = 0; i < rows.size(); ++i) {
    std::string number = i == 0 ? fmt::format("{:>{}}", line, gutterWidth) : pad();
    put(number + " |", Style::Gutter);
    if (!rows[i].empty())
      out += " " + rows[i];
    out += '\n';
  }
}

/// "in lstm.0, lstm.1 and 3 more"
std::string describePaths(const std::vector<std::string> &paths) {
  constexpr size_t kShown = 3;
  std::string text = "in " + paths.front();
  for (size_t i = 1; i < std::min(paths.size(), kShown); ++i)
    text += ", " + paths[i];
  if (paths.size() > kShown)
    text += fmt::format(" and {} more", paths.size() - kShown);
  return text;
}

void Renderer::notes() {
  bool hasNotes = !diag.notes.empty() || !diag.paths.empty();
  if (diag.primary.span.isValid() && (hasNotes || !diag.fixIts.empty()))
    gutterLine();
  std::vector<std::string> texts;
  for (const Note &note : diag.notes)
    texts.push_back(note.place.isValid()
                        ? fmt::format("{} at {}", note.text, sources.location(note.place))
                        : note.text);
  if (!diag.paths.empty()) {
    std::string where = describePaths(diag.paths);
    if (texts.empty())
      texts.push_back(where);
    else
      texts.front() = where + "; " + texts.front();
  }
  for (const std::string &text : texts) {
    out += pad() + " ";
    put("=", Style::Gutter);
    put(" note: ", Style::Bold);
    out += clean(text) + "\n";
  }
}

/// The edited regions in order: edits on one line, or overlapping in lines, share a region.
std::vector<EditedLines> Renderer::applyEdits(const FixIt &fix) const {
  std::vector<const Edit *> edits;
  for (const Edit &edit : fix.edits)
    if (edit.span.isValid())
      edits.push_back(&edit);
  std::sort(edits.begin(), edits.end(),
            [](const Edit *a, const Edit *b) { return a->span < b->span; });
  std::vector<EditedLines> regions;
  for (size_t i = 0; i < edits.size();) {
    FileId file = edits[i]->span.file;
    unsigned line = lineOf(edits[i]->span);
    Span rest = sources.lineSpan(file, line); // what is not yet copied
    EditedLines region = {file, line, {}, {}};
    for (; i < edits.size(); ++i) {
      const Edit &edit = *edits[i];
      if (edit.span.file != file || edit.span.begin > rest.end || edit.span.begin < rest.begin)
        break;
      region.text += sources.text(Span{file, rest.begin, edit.span.begin});
      // Spaces around what is inserted are not marked.
      size_t first = edit.text.find_first_not_of(' ');
      size_t last = edit.text.find_last_not_of(' ');
      size_t begin = region.text.size();
      if (first != std::string::npos)
        region.marks.push_back(
            {begin + first, begin + last + 1, edit.span.size() ? '~' : '+', Style::Added, {}});
      region.text += edit.text;
      unsigned lastLine = sources.lineCol(file, edit.span.end).line;
      rest = {file, edit.span.end, std::max(sources.lineSpan(file, lastLine).end, edit.span.end)};
    }
    region.text += sources.text(rest);
    regions.push_back(std::move(region));
    // Overlapping edits are a mistake of their author; all but the first are not shown.
    while (i < edits.size() && edits[i]->span.file == file && edits[i]->span.begin < rest.begin)
      ++i;
  }
  return regions;
}

void Renderer::fixIt(const FixIt &fix) {
  put("help", Style::Help);
  out += ": " + clean(fix.title) + "\n";
  for (const EditedLines &region : applyEdits(fix)) {
    if (region.file != diag.primary.span.file) {
      out += pad();
      put("-->", Style::Gutter);
      out += fmt::format(" {}:{}\n", sources.name(region.file), region.firstLine);
    }
    unsigned line = region.firstLine;
    for (size_t begin = 0; begin <= region.text.size(); ++line) {
      size_t end = std::min(region.text.find('\n', begin), region.text.size());
      std::vector<Mark> marks;
      for (Mark mark : region.marks) {
        if (mark.begin > end || mark.end <= begin)
          continue;
        mark.begin = std::max(mark.begin, begin) - begin;
        mark.end = std::min(mark.end, end) - begin;
        if (mark.begin < mark.end)
          marks.push_back(mark);
      }
      rows(line, renderLine(std::string_view(region.text).substr(begin, end - begin),
                            std::move(marks), color));
      begin = end + 1;
    }
  }
}

std::string renderAsJson(const SourceManager &sources, const std::vector<Diagnostic> &diags) {
  std::string out;
  for (const Diagnostic &diag : diags)
    out += renderJson(sources, diag) + "\n";
  return out;
}

} // namespace

std::string render(const SourceManager &sources, const Diagnostic &diag, bool color) {
  return Renderer(sources, diag, color).run();
}

std::string render(const SourceManager &sources, const Diagnostics &diags,
                   const RenderOptions &options) {
  std::vector<Diagnostic> shown = diags.forDisplay();
  if (options.json)
    return renderAsJson(sources, shown);
  std::string out;
  size_t errors = 0, hidden = 0;
  for (const Diagnostic &diag : shown) {
    bool isError = diag.severity == Severity::Error;
    if (isError && options.errorLimit != 0 && errors == options.errorLimit) {
      ++hidden;
      continue;
    }
    errors += isError;
    if (!out.empty())
      out += '\n';
    out += render(sources, diag, options.color);
  }
  if (hidden != 0) {
    bool isCut = diags.isFull();
    out +=
        fmt::format("\nerror: {}{} more errors are not shown\n", isCut ? "at least " : "", hidden);
  }
  return out;
}

bool wantsColor(std::FILE *stream) {
  const char *noColor = std::getenv("NO_COLOR");
  const char *term = std::getenv("TERM");
  bool isDumb = !term || std::strcmp(term, "dumb") == 0;
  return isatty(fileno(stream)) && !isDumb && !(noColor && *noColor);
}

} // namespace nnc::syntax
