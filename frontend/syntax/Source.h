//===- Source.h - Source buffers and positions in them --------------------------------------===//
//
// Every position in a `.nn` file is a Span: a file and two byte offsets. The SourceManager owns the
// text that spans, tokens and trees point into, so it must outlive all of them, but for shared
// texts, which belong to the process. Buffers are valid UTF-8 and never move.
//
//===----------------------------------------------------------------------------------------===//

#ifndef NNC_FRONTEND_SYNTAX_SOURCE_H
#define NNC_FRONTEND_SYNTAX_SOURCE_H

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nnc::syntax {

class Diagnostics;

/// Names a buffer of a SourceManager, or a shared one; 0 is "no file".
struct FileId {
  uint32_t index = 0;
  explicit operator bool() const { return index != 0; }
  friend bool operator==(FileId, FileId) = default;
  friend auto operator<=>(FileId, FileId) = default;
};

/// The bytes [begin, end) of a file. A default-constructed span is invalid ("no location").
struct Span {
  FileId file;
  uint32_t begin = 0;
  uint32_t end = 0;

  bool isValid() const { return static_cast<bool>(file); }
  uint32_t size() const { return end - begin; }
  /// The empty span just before / just after this one: where an insertion goes.
  Span before() const { return {file, begin, begin}; }
  Span after() const { return {file, end, end}; }
  /// The smallest span over both; both are of one file.
  Span to(Span last) const { return {file, begin, last.end}; }
  friend bool operator==(const Span &, const Span &) = default;
  friend auto operator<=>(const Span &, const Span &) = default;
};

/// Line and column for people: both count from 1, columns count characters (code points).
struct LineCol {
  unsigned line = 0;
  unsigned col = 0;
};

class SourceManager {
public:
  SourceManager();
  ~SourceManager();
  SourceManager(const SourceManager &) = delete;
  SourceManager &operator=(const SourceManager &) = delete;

  /// Reads a file. On failure reports one sentence without location (`cannot read 'x.nn': No such
  /// file or directory`, not UTF-8, too large) and returns nothing. A path that was read before
  /// gives the same id.
  std::optional<FileId> load(const std::string &path, Diagnostics &diags);

  /// From now on load(path) takes this text instead of the file's: what an editor holds.
  void overlay(std::string path, std::string text);

  /// Adds text that is not a file (the embedded prelude, source given as a string). `name` is what
  /// diagnostics show. Reports and returns nothing if the text is not UTF-8.
  std::optional<FileId> addText(std::string name, std::string text, Diagnostics &diags);

  /// Keeps a text as long as the process lives, under an id that every SourceManager knows, so that
  /// its tree can be shared. Any thread may call it. The text is UTF-8.
  static FileId share(std::string_view name, std::string_view text);
  /// Whether share() gave this id.
  static bool isShared(FileId file);

  /// The name as given to load(), addText() or share().
  const std::string &name(FileId file) const;
  std::string_view text(FileId file) const;
  std::string_view text(Span span) const;

  LineCol lineCol(FileId file, uint32_t offset) const;
  LineCol lineCol(Span span) const { return lineCol(span.file, span.begin); }
  /// `lenet.nn:3:26`, for messages and notes.
  std::string location(Span span) const;

  /// The number of lines (at least 1) and the text of one, without its line break; lines count
  /// from 1. The last line may be empty.
  unsigned numLines(FileId file) const;
  Span lineSpan(FileId file, unsigned line) const;

private:
  struct Buffer;
  struct SharedBuffers;
  static SharedBuffers &sharedBuffers();
  const Buffer &buffer(FileId file) const;
  FileId add(std::string name, std::string text);

  std::vector<std::unique_ptr<Buffer>> buffers;
  std::map<std::string, std::string> overlays;
};

} // namespace nnc::syntax

#endif // NNC_FRONTEND_SYNTAX_SOURCE_H
