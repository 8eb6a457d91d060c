//===- Diagnostics.h - Errors and warnings with places, notes and fixes ---------------------===//
//
// A Diagnostic has a code, a message, a primary place (carets) and optionally further labels, notes
// and fixes. Producers build one fluently:
//
//   diags.error("E0301", use.span, fmt::format("`{}` takes {} features, ...", ...))
//       .primaryLabel("expected float[..., 256], found float[B, 400]")
//       .label(arg.span, "`d_in` = 256 comes from here")
//       .note("400 = (c h w) of float[B, 16, 5, 5],", pattern.span)
//       .fixIt("make `d_in` 400", {{arg.span, "400"}});
//
// Diagnostics collects them; rendering (Render.h) sorts them, drops repetitions and limits their
// number. Messages are lower case, without a full stop; `code` in back quotes.
//
//===----------------------------------------------------------------------------------------===//

#ifndef NNC_FRONTEND_SYNTAX_DIAGNOSTICS_H
#define NNC_FRONTEND_SYNTAX_DIAGNOSTICS_H

#include "frontend/syntax/Source.h"

#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace nnc::syntax {

enum class Severity : uint8_t { Error, Warning };

struct Label {
  Span span;
  std::string text;
};

/// A `= note:` line. With a place, ` at file:line:col` is appended to the text.
struct Note {
  std::string text;
  Span place;
};

/// Replaces the bytes of `span` (inserts when it is empty).
struct Edit {
  Span span;
  std::string text;
};

/// A `help:` line, shown with the edited source. Without edits it is advice only.
struct FixIt {
  std::string title;
  std::vector<Edit> edits;
};

class Diagnostic {
public:
  Severity severity = Severity::Error;
  /// "E0101"; empty for errors about no source text (unreadable files and the like).
  std::string code;
  std::string message;
  /// Where the carets go; invalid for an error without location.
  Label primary;
  std::vector<Label> labels;
  std::vector<Note> notes;
  std::vector<FixIt> fixIts;
  /// Of a syntax error: source that was left out of the tree because of it, beside its line.
  Span lost;
  /// Module paths of the instances in which the error occurs, e.g. "lstm.0".
  std::vector<std::string> paths;

  /// The text beside the carets.
  Diagnostic &primaryLabel(std::string text);
  /// A secondary place, underlined with dashes; it may be in another file.
  Diagnostic &label(Span span, std::string text);
  Diagnostic &note(std::string text, Span place = {});
  Diagnostic &help(std::string title);
  Diagnostic &fixIt(std::string title, std::vector<Edit> edits);
  /// Notes the instance; equal errors of several instances are shown once with all their paths, or
  /// with the first, where labels say what its values are.
  Diagnostic &inModule(std::string path);
};

class Diagnostics {
public:
  /// No more than this many errors and warnings each are kept; more are counted only.
  static constexpr size_t kMaxCollected = 200;

  Diagnostic &error(std::string_view code, Span span, std::string message);
  Diagnostic &warning(std::string_view code, Span span, std::string message);
  /// An error without a place in a source file.
  Diagnostic &error(std::string message);
  Diagnostic &warning(std::string message);

  bool hasErrors() const { return errors != 0; }
  size_t numErrors() const { return errors; }
  /// True once so many errors were reported that going on helps nobody.
  bool isFull() const { return errors >= kMaxCollected; }

  /// In the order of reporting.
  const std::deque<Diagnostic> &all() const { return list; }
  /// What is shown: without repetitions (the same code at the same place; their module paths are
  /// merged), those without a place first, then by file and offset.
  std::vector<Diagnostic> forDisplay() const;
  void clear();

  /// Writes `text` beside the carets of the diagnostics from number `first` on that lie within
  /// `region` and have nothing there yet.
  void labelSince(size_t first, Span region, std::string_view text);
  /// Puts the carets of the diagnostics from number `first` on to `place` where they are in a file
  /// that `isInside` names; where they were gets a label.
  void moveSince(size_t first, Span place, const std::function<bool(FileId)> &isInside);

private:
  Diagnostic &add(Severity severity, std::string_view code, Span span, std::string message);

  std::deque<Diagnostic> list; // references handed out stay valid
  Diagnostic overflow;         // takes what comes after kMaxCollected
  size_t errors = 0;
  size_t warnings = 0;
};

} // namespace nnc::syntax

#endif // NNC_FRONTEND_SYNTAX_DIAGNOSTICS_H
