// Bytes and temporary files for tests of file formats.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

inline std::vector<std::byte> bytesOf(std::string_view text) {
  auto *begin = reinterpret_cast<const std::byte *>(text.data());
  return {begin, begin + text.size()};
}

/// A folder that is removed with its files.
class TemporaryFolder {
public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "nnc-test-XXXXXX").string();
    folder = mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(folder); }

  std::string path(std::string_view file) const { return (folder / file).string(); }

  std::string write(std::string_view file, std::string_view content) const {
    std::ofstream(folder / file, std::ios::binary) << content;
    return path(file);
  }

  std::string read(std::string_view file) const {
    std::ifstream stream(folder / file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  size_t count() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
  }

private:
  std::filesystem::path folder;
};
