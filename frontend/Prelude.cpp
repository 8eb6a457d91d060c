// Holds the texts that CMake made of prelude/*.nn, and their trees, which all compilations of a
// process share.
#include "frontend/Prelude.h"

#include "frontend/AttributePlaces.h"
#include "frontend/syntax/Parser.h"

#include <algorithm>
#include <array>
#include <mutex>

namespace nnc::frontend {

static constexpr Package kPackages[] = {
#include "frontend/prelude/packages.inc"
};

std::span<const Package> packages() { return kPackages; }

const Package *findPackage(std::string_view name) {
  auto *found = std::ranges::find(kPackages, name, &Package::name);
  return found == std::end(kPackages) ? nullptr : found;
}

namespace {
struct Entry {
  std::once_flag once;
  ParsedPackage parsed;
};
} // namespace

static void parse(const Package &package, ParsedPackage &parsed) {
  syntax::SourceManager sources;
  syntax::FileId id = syntax::SourceManager::share(package.file, package.text);
  parsed.tree = syntax::parseFile(sources, id, parsed.diags);
  checkAttributePlaces(*parsed.tree, parsed.diags);
}

const ParsedPackage &parsePackage(const Package &package) {
  static std::array<Entry, std::size(kPackages)> entries;
  Entry &entry = entries[static_cast<size_t>(&package - kPackages)];
  std::call_once(entry.once, [&] { parse(package, entry.parsed); });
  return entry.parsed;
}

const ParsedPackage &parsePrelude() { return parsePackage(*findPackage("std")); }

} // namespace nnc::frontend
