#include "tools/lsp/Uri.h"

#include "runtime/format/AtomicFile.h"

#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <sstream>

namespace nnc::lsp {

static int hexDigit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  int letter = std::tolower(static_cast<unsigned char>(c));
  return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

std::string pathOf(std::string_view uri) {
  constexpr std::string_view kFile = "file://";
  if (!uri.starts_with(kFile))
    return std::string(uri);
  std::string_view rest = uri.substr(kFile.size());
  rest.remove_prefix(std::min(rest.find('/'), rest.size())); // a host
  std::string path;
  for (size_t i = 0; i < rest.size(); ++i) {
    int high = rest[i] == '%' && i + 2 < rest.size() ? hexDigit(rest[i + 1]) : -1;
    int low = high >= 0 ? hexDigit(rest[i + 2]) : -1;
    if (low < 0) {
      path += rest[i];
      continue;
    }
    path += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return path;
}

std::string uriOf(std::string_view path) {
  if (!path.starts_with('/'))
    return std::string(path);
  constexpr std::string_view kPlain = "/-_.~";
  std::string uri = "file://";
  for (char c : path) {
    auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) || kPlain.find(c) != kPlain.npos)
      uri += c;
    else
      uri += fmt::format("%{:02X}", byte);
  }
  return uri;
}

static std::filesystem::path libraryFolder() {
  if (const char *folder = std::getenv("XDG_CACHE_HOME"); folder && *folder)
    return std::filesystem::path(folder) / "nnc/library";
  const char *home = std::getenv("HOME");
  return home && *home ? std::filesystem::path(home) / ".cache/nnc/library" : "";
}

bool isLibraryPath(std::string_view path) {
  std::string folder = libraryFolder().string();
  return !folder.empty() && path.starts_with(folder + "/");
}

std::string materialise(std::string_view name, std::string_view text) {
  std::filesystem::path folder = libraryFolder();
  if (!folder.is_absolute())
    return {};
  std::filesystem::path path = folder / std::string(name);
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream present;
  present << stream.rdbuf();
  if (stream && present.str() == text)
    return path.string();
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  return format::writeFile(path.string(), text) ? path.string() : std::string();
}

} // namespace nnc::lsp
