//===- Source.cpp - Source buffers and positions in them ------------------------------------===//

#include "frontend/syntax/Source.h"

#include "frontend/syntax/Diagnostics.h"
#include "frontend/syntax/Utf8.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <deque>
#include <mutex>
#include <shared_mutex>

namespace nnc::syntax {
namespace {

/// Offsets are 32 bits wide; a source beyond this is a mistake (a checkpoint given as a model).
constexpr size_t kMaxSourceBytes = size_t(256) << 20;
constexpr uint32_t kBlock = 4096;
/// Set in the ids of shared texts.
constexpr uint32_t kSharedBit = 1U << 31;

/// The whole file, or why not.
struct ReadResult {
  std::string text;
  std::string error;
};

ReadResult readFile(const std::string &path) {
  std::unique_ptr<std::FILE, int (*)(std::FILE *)> stream(std::fopen(path.c_str(), "rb"),
                                                          std::fclose);
  if (!stream)
    return {{}, std::strerror(errno)};
  ReadResult result;
  char chunk[1 << 16];
  while (size_t n = std::fread(chunk, 1, sizeof(chunk), stream.get())) {
    result.text.append(chunk, n);
    if (result.text.size() > kMaxSourceBytes)
      return {{}, fmt::format("larger than {} MiB", kMaxSourceBytes >> 20)};
  }
  if (std::ferror(stream.get()))
    return {{}, std::strerror(errno)};
  return result;
}

std::vector<uint32_t> findLineStarts(std::string_view text) {
  std::vector<uint32_t> starts = {0};
  for (size_t pos = text.find('\n'); pos != text.npos; pos = text.find('\n', pos + 1))
    starts.push_back(static_cast<uint32_t>(pos + 1));
  return starts;
}

std::vector<uint32_t> countByBlocks(std::string_view text) {
  std::vector<uint32_t> before = {0};
  for (size_t pos = 0; pos + kBlock <= text.size(); pos += kBlock)
    before.push_back(before.back() + static_cast<uint32_t>(utf8::count(text.substr(pos, kBlock))));
  return before;
}

/// Why `text` cannot be a source file; empty if it can.
std::string findProblem(std::string_view name, std::string_view text) {
  if (text.size() > kMaxSourceBytes)
    return fmt::format("cannot read '{}': larger than {} MiB", name, kMaxSourceBytes >> 20);
  std::optional<size_t> bad = utf8::findInvalid(text);
  if (!bad)
    return {};
  auto line = std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(*bad), '\n') + 1;
  return fmt::format("'{}' is not UTF-8: byte 0x{:02x} at offset {}, in line {}", name,
                     static_cast<unsigned char>(text[*bad]), *bad, line);
}

} // namespace

struct SourceManager::Buffer {
  std::string name;
  std::string text;
  std::vector<uint32_t> lineStarts;
  /// Characters before each multiple of kBlock bytes, so that columns in long lines are cheap.
  std::vector<uint32_t> charactersBefore;
  bool isFile = false;

  Buffer(std::string name, std::string content)
      : name(std::move(name)), text(std::move(content)), lineStarts(findLineStarts(text)),
        charactersBefore(countByBlocks(text)) {}

  uint32_t countCharacters(uint32_t offset) const {
    uint32_t block = offset / kBlock;
    std::string_view rest = std::string_view(text).substr(block * kBlock, offset % kBlock);
    return charactersBefore[block] + static_cast<uint32_t>(utf8::count(rest));
  }
};

struct SourceManager::SharedBuffers {
  std::shared_mutex mutex;
  std::deque<Buffer> list;
};

SourceManager::SharedBuffers &SourceManager::sharedBuffers() {
  static SharedBuffers buffers;
  return buffers;
}

SourceManager::SourceManager() = default;
SourceManager::~SourceManager() = default;

std::optional<FileId> SourceManager::load(const std::string &path, Diagnostics &diags) {
  for (size_t i = 0; i < buffers.size(); ++i)
    if (buffers[i]->isFile && buffers[i]->name == path)
      return FileId{static_cast<uint32_t>(i + 1)};
  auto edited = overlays.find(path);
  ReadResult read = edited == overlays.end() ? readFile(path) : ReadResult{edited->second, {}};
  if (!read.error.empty()) {
    diags.error(fmt::format("cannot read '{}': {}", path, read.error));
    return std::nullopt;
  }
  std::optional<FileId> file = addText(path, std::move(read.text), diags);
  if (file)
    buffers.back()->isFile = true;
  return file;
}

void SourceManager::overlay(std::string path, std::string text) {
  overlays[std::move(path)] = std::move(text);
}

std::optional<FileId> SourceManager::addText(std::string name, std::string text,
                                             Diagnostics &diags) {
  if (std::string problem = findProblem(name, text); !problem.empty()) {
    diags.error(std::move(problem));
    return std::nullopt;
  }
  return add(std::move(name), std::move(text));
}

FileId SourceManager::add(std::string name, std::string text) {
  buffers.push_back(std::make_unique<Buffer>(std::move(name), std::move(text)));
  return FileId{static_cast<uint32_t>(buffers.size())};
}

FileId SourceManager::share(std::string_view name, std::string_view text) {
  assert(findProblem(name, text).empty() && "no text of a source");
  SharedBuffers &shared = sharedBuffers();
  std::unique_lock lock(shared.mutex);
  shared.list.emplace_back(std::string(name), std::string(text));
  return FileId{static_cast<uint32_t>(shared.list.size()) | kSharedBit};
}

bool SourceManager::isShared(FileId file) { return (file.index & kSharedBit) != 0; }

const SourceManager::Buffer &SourceManager::buffer(FileId file) const {
  if (isShared(file)) {
    SharedBuffers &shared = sharedBuffers();
    std::shared_lock lock(shared.mutex);
    return shared.list.at((file.index & ~kSharedBit) - 1);
  }
  assert(file && file.index <= buffers.size() && "no such file");
  return *buffers[file.index - 1];
}

const std::string &SourceManager::name(FileId file) const { return buffer(file).name; }

std::string_view SourceManager::text(FileId file) const { return buffer(file).text; }

std::string_view SourceManager::text(Span span) const {
  return text(span.file).substr(span.begin, span.size());
}

LineCol SourceManager::lineCol(FileId file, uint32_t offset) const {
  const Buffer &source = buffer(file);
  auto next = std::upper_bound(source.lineStarts.begin(), source.lineStarts.end(), offset);
  auto line = static_cast<unsigned>(next - source.lineStarts.begin());
  uint32_t start = source.lineStarts[line - 1];
  return {line, source.countCharacters(offset) - source.countCharacters(start) + 1};
}

std::string SourceManager::location(Span span) const {
  LineCol at = lineCol(span);
  return fmt::format("{}:{}:{}", name(span.file), at.line, at.col);
}

unsigned SourceManager::numLines(FileId file) const {
  return static_cast<unsigned>(buffer(file).lineStarts.size());
}

Span SourceManager::lineSpan(FileId file, unsigned line) const {
  const Buffer &source = buffer(file);
  assert(line >= 1 && line <= source.lineStarts.size() && "no such line");
  uint32_t begin = source.lineStarts[line - 1];
  if (line == source.lineStarts.size())
    return {file, begin, static_cast<uint32_t>(source.text.size())};
  uint32_t end = source.lineStarts[line] - 1;
  if (end > begin && source.text[end - 1] == '\r')
    --end;
  return {file, begin, end};
}

} // namespace nnc::syntax
