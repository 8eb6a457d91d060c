// The outside of a model.bin: a header with a section table, then the sections.
//
//   0   magic "\x89nncbin\n"                      8 bytes
//   8   format version, number of sections        2 x u32
//   16  bytes of the whole file                   u64
//   24  per section: name (16 bytes, zero padded), offset, size, XXH3-64      40 bytes each
//   ..  XXH3-64 of everything before              u64
//   ..  zeros up to the alignment of the next section, its bytes, zeros, ... to the exact end
//
// All numbers are little endian. Every byte of the file is covered by a hash or must be zero, so a
// change of any bit is found. Sections are in the file in the order of the table.
#ifndef NNC_RUNTIME_FORMAT_CONTAINER_H
#define NNC_RUNTIME_FORMAT_CONTAINER_H

#include "runtime/format/DType.h"
#include "runtime/format/MappedFile.h"

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace nnc::format {

/// What this build writes and the only version it reads.
constexpr uint32_t FormatVersion = 5;

/// The names of the sections of a model.bin.
namespace section {
constexpr std::string_view Plan = "plan";       ///< FlatBuffers, model.fbs
constexpr std::string_view Weights = "weights"; ///< page aligned
constexpr std::string_view Cpu = "cpu";         ///< one relocatable ELF object
constexpr std::string_view Cubins = "cubins";
constexpr std::string_view Source = "source"; ///< CUDA C++ of all modules
} // namespace section

/// A verified container.
class Container {
public:
  /// Maps and verifies a file. Errors name the file and what is wrong with it.
  static Result<Container> open(const std::string &path);
  /// Copies and verifies the bytes of a container; `name` stands for the file in errors.
  static Result<Container> fromMemory(std::span<const std::byte> bytes, const std::string &name);

  /// The section's bytes, aligned to 64; empty if there is no such section.
  std::span<const std::byte> section(std::string_view name) const;
  size_t fileSize() const { return file.bytes().size(); }

private:
  struct Section {
    std::string_view name;
    std::span<const std::byte> bytes;
  };
  static Result<Container> verify(MappedFile file, const std::string &name);

  MappedFile file;
  std::vector<Section> sections;
};

/// A part of a section, for what is too large to be assembled in memory.
struct Piece {
  size_t offset;                    ///< in the section; pieces are in order and do not overlap
  std::span<const std::byte> bytes; ///< elements of `stored`
  DType stored = DType::U8;
  DType type = DType::U8; ///< what is written; floats are converted where it is not `stored`

  /// Bytes written.
  size_t size() const { return bytes.size() / dtypeBytes(stored) * dtypeBytes(type); }
};

/// Collects sections and writes them. The bytes are not copied: they must live until the end.
class ContainerWriter {
public:
  /// Adds a section of at most 15 characters' name. `alignment` is a power of two, at least 64.
  void add(std::string_view name, std::span<const std::byte> bytes, size_t alignment = 64);
  /// The same in pieces, with zeros between them.
  void add(std::string_view name, std::vector<Piece> pieces, size_t alignment = 64);

  /// Writes `path` beside itself and renames it: nobody sees half a file. Every byte is read once,
  /// unless `path` is a pipe. Errors: not writable, disk full; the temporary file is removed then.
  Result<void> write(const std::string &path) const;
  /// The same bytes in memory, for Engine::fromMemory.
  std::vector<std::byte> toMemory() const;

private:
  struct Section {
    std::string name;
    std::vector<Piece> pieces;
    size_t alignment;
    size_t size() const { return pieces.empty() ? 0 : pieces.back().offset + pieces.back().size(); }
  };
  struct Layout {
    std::vector<size_t> offsets; ///< of the sections
    size_t fileSize;
  };
  using Sink = std::function<Result<void>(std::span<const std::byte>)>;

  Layout layOut() const;
  static Result<void> stream(const Section &section, const Sink &sink);
  Result<std::vector<uint64_t>> hashSections() const;
  std::vector<std::byte> header(const Layout &layout, std::span<const uint64_t> hashes) const;

  std::vector<Section> sections;
};

} // namespace nnc::format

#endif
