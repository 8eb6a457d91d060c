// Holds the texts that CMake made of library/*/*.nn, and their trees, which all compilations of a
// process share.
#include "frontend/Library.h"

#include "frontend/AttributePlaces.h"
#include "frontend/syntax/Parser.h"

#include <algorithm>
#include <array>
#include <mutex>

namespace nnc::frontend {

static constexpr LibraryFile kFiles[] = {
#include "frontend/library/files.inc"
};

/// The prelude stands first in the table.
static constexpr size_t kNumPrelude = std::ranges::count_if(
    kFiles, [](const LibraryFile &file) { return file.file.starts_with("prelude/"); });

std::span<const LibraryFile> preludeFiles() { return std::span(kFiles).first(kNumPrelude); }

std::span<const LibraryFile> packages() { return std::span(kFiles).subspan(kNumPrelude); }

const LibraryFile *findPackage(std::string_view name) {
  auto found = std::ranges::find(packages(), name, &LibraryFile::name);
  return found == packages().end() ? nullptr : &*found;
}

bool isLibrary(syntax::FileId file) { return syntax::SourceManager::isShared(file); }

namespace {
struct Entry {
  std::once_flag once;
  ParsedLibraryFile parsed;
};
} // namespace

static void parse(const LibraryFile &file, ParsedLibraryFile &parsed) {
  syntax::SourceManager sources;
  syntax::FileId id = syntax::SourceManager::share(file.file, file.text);
  parsed.tree = syntax::parseFile(sources, id, parsed.diags);
  checkAttributePlaces(*parsed.tree, parsed.diags);
}

const ParsedLibraryFile &parseLibraryFile(const LibraryFile &file) {
  static std::array<Entry, std::size(kFiles)> entries;
  Entry &entry = entries[static_cast<size_t>(&file - kFiles)];
  std::call_once(entry.once, [&] { parse(file, entry.parsed); });
  return entry.parsed;
}

std::vector<std::shared_ptr<const syntax::File>> preludeTrees() {
  std::vector<std::shared_ptr<const syntax::File>> trees;
  for (const LibraryFile &file : preludeFiles())
    trees.push_back(parseLibraryFile(file).tree);
  return trees;
}

} // namespace nnc::frontend
