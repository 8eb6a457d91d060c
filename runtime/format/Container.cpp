#include "runtime/format/Container.h"
#include "runtime/format/AtomicFile.h"
#include "runtime/format/Half.h"
#include "runtime/format/Hash.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <fmt/format.h>

using namespace nnc;
using namespace nnc::format;

static_assert(std::endian::native == std::endian::little, "model.bin is little endian");

namespace {

constexpr std::string_view Magic = "\x89nncbin\n";
constexpr size_t MaxSections = 64;

struct Header {
  char magic[8];
  uint32_t version;
  uint32_t numSections;
  uint64_t fileSize;
};

struct TableRow {
  char name[16];
  uint64_t offset, size, hash;
};

static_assert(sizeof(Header) == 24 && sizeof(TableRow) == 40);

/// The header with its table and its own hash.
size_t headerSize(size_t numSections) {
  return sizeof(Header) + numSections * sizeof(TableRow) + sizeof(uint64_t);
}

size_t alignUp(size_t offset, size_t alignment) {
  return (offset + alignment - 1) / alignment * alignment;
}

template <typename T> T readAt(std::span<const std::byte> bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

bool isZero(std::span<const std::byte> bytes) {
  return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

Error truncated(const std::string &name, uint64_t expected, size_t found) {
  return Error{fmt::format("{} is truncated: expected {} bytes, found {}", name, expected, found)};
}

Error damagedHeader(const std::string &name) {
  return Error{fmt::format("{} is damaged: the header has changed since it was written", name)};
}

/// Checks everything before the sections and returns the number of sections.
Result<size_t> verifyHeader(std::span<const std::byte> bytes, const std::string &name) {
  size_t magicBytes = std::min(bytes.size(), Magic.size());
  if (bytes.empty() || std::memcmp(bytes.data(), Magic.data(), magicBytes) != 0)
    return Error{fmt::format("{} is not a model.bin", name)};
  if (bytes.size() < headerSize(0))
    return truncated(name, headerSize(0), bytes.size());

  auto header = readAt<Header>(bytes, 0);
  if (header.version > FormatVersion)
    return Error{fmt::format("{} was made by a newer version of nnc (format {}; this one reads {})",
                             name, header.version, FormatVersion)};
  if (header.version < FormatVersion)
    return Error{fmt::format("{} was made by an older version of nnc (format {}; this one reads "
                             "{}): compile it again",
                             name, header.version, FormatVersion)};
  if (header.numSections > MaxSections)
    return damagedHeader(name);
  size_t size = headerSize(header.numSections);
  if (bytes.size() < size)
    return truncated(name, std::max<uint64_t>(header.fileSize, size), bytes.size());
  size_t hashed = size - sizeof(uint64_t);
  if (hash(bytes.first(hashed)) != readAt<uint64_t>(bytes, hashed))
    return damagedHeader(name);
  if (bytes.size() < header.fileSize)
    return truncated(name, header.fileSize, bytes.size());
  if (bytes.size() > header.fileSize)
    return Error{fmt::format("{} is damaged: {} bytes follow its end", name,
                             bytes.size() - header.fileSize)};
  return header.numSections;
}

} // namespace

Result<Container> Container::open(const std::string &path) {
  Result<MappedFile> file = MappedFile::open(path);
  if (!file)
    return file.error();
  return verify(std::move(*file), path);
}

Result<Container> Container::fromMemory(std::span<const std::byte> bytes, const std::string &name) {
  Result<MappedFile> copy = MappedFile::anonymous(bytes.size());
  if (!copy)
    return copy.error();
  if (!bytes.empty())
    std::memcpy(copy->writable().data(), bytes.data(), bytes.size());
  return verify(std::move(*copy), name);
}

Result<Container> Container::verify(MappedFile file, const std::string &name) {
  Container container;
  container.file = std::move(file);
  std::span<const std::byte> bytes = container.file.bytes();
  Result<size_t> numSections = verifyHeader(bytes, name);
  if (!numSections)
    return numSections.error();

  size_t end = headerSize(*numSections); // of what has been covered so far
  for (size_t i = 0; i < *numSections; ++i) {
    size_t at = sizeof(Header) + i * sizeof(TableRow);
    auto row = readAt<TableRow>(bytes, at);
    std::string_view title(reinterpret_cast<const char *>(bytes.data()) + at,
                           strnlen(row.name, sizeof(row.name)));
    if (row.offset < end || row.offset % 64 != 0 || row.offset > bytes.size() ||
        row.size > bytes.size() - row.offset)
      return damagedHeader(name);
    std::span<const std::byte> content = bytes.subspan(row.offset, row.size);
    if (!isZero(bytes.subspan(end, row.offset - end)))
      return Error{
          fmt::format("{} is damaged: section `{}` is not preceded by zeros", name, title)};
    if (hash(content) != row.hash)
      return Error{
          fmt::format("{} is damaged: section `{}` has changed since it was written", name, title)};
    container.sections.push_back({title, content});
    end = row.offset + row.size;
  }
  if (end != bytes.size())
    return damagedHeader(name);
  return container;
}

std::span<const std::byte> Container::section(std::string_view name) const {
  for (const Section &section : sections)
    if (section.name == name)
      return section.bytes;
  return {};
}

void ContainerWriter::add(std::string_view name, std::span<const std::byte> bytes,
                          size_t alignment) {
  add(name, std::vector<Piece>{{0, bytes}}, alignment);
}

void ContainerWriter::add(std::string_view name, std::vector<Piece> pieces, size_t alignment) {
  sections.push_back({std::string(name.substr(0, 15)), std::move(pieces), alignment});
}

ContainerWriter::Layout ContainerWriter::layOut() const {
  Layout layout = {{}, headerSize(sections.size())};
  for (const Section &section : sections) {
    layout.offsets.push_back(alignUp(layout.fileSize, section.alignment));
    layout.fileSize = layout.offsets.back() + section.size();
  }
  return layout;
}

/// Converts a piece a little at a time.
static Result<void>
convertPiece(const Piece &piece,
             const std::function<Result<void>(std::span<const std::byte>)> &sink) {
  constexpr size_t Elements = 1 << 16;
  std::vector<std::byte> converted(Elements * dtypeBytes(piece.type));
  size_t count = piece.bytes.size() / dtypeBytes(piece.stored);
  for (size_t at = 0; at < count; at += Elements) {
    size_t part = std::min(Elements, count - at);
    convertFloats(piece.stored, piece.bytes.data() + at * dtypeBytes(piece.stored), piece.type,
                  converted.data(), part);
    if (Result<void> done = sink(std::span(converted).first(part * dtypeBytes(piece.type))); !done)
      return done;
  }
  return {};
}

/// Gives the bytes of a section to `sink`, in parts that fit a cache: what hashes and writes reads
/// memory once.
Result<void> ContainerWriter::stream(const Section &section, const Sink &sink) {
  static constexpr std::byte Zeros[4096] = {};
  constexpr size_t Part = 1 << 18;
  size_t at = 0;
  for (const Piece &piece : section.pieces) {
    for (; at < piece.offset; at += std::min(piece.offset - at, sizeof(Zeros)))
      if (Result<void> done =
              sink(std::span(Zeros).first(std::min(piece.offset - at, sizeof(Zeros))));
          !done)
        return done;
    at += piece.size();
    if (piece.stored != piece.type) {
      if (Result<void> done = convertPiece(piece, sink); !done)
        return done;
      continue;
    }
    for (size_t from = 0; from < piece.bytes.size(); from += Part)
      if (Result<void> done =
              sink(piece.bytes.subspan(from, std::min(Part, piece.bytes.size() - from)));
          !done)
        return done;
  }
  return {};
}

/// The header with its table and its own hash.
std::vector<std::byte> ContainerWriter::header(const Layout &layout,
                                               std::span<const uint64_t> hashes) const {
  std::vector<TableRow> table;
  for (size_t i = 0; i < sections.size(); ++i) {
    TableRow row = {{}, layout.offsets[i], sections[i].size(), hashes[i]};
    std::memcpy(row.name, sections[i].name.data(), sections[i].name.size());
    table.push_back(row);
  }
  Header header = {{}, FormatVersion, static_cast<uint32_t>(table.size()), layout.fileSize};
  std::memcpy(header.magic, Magic.data(), Magic.size());
  std::vector<std::byte> bytes(headerSize(table.size()));
  std::memcpy(bytes.data(), &header, sizeof(header));
  if (!table.empty())
    std::memcpy(bytes.data() + sizeof(header), table.data(), table.size() * sizeof(TableRow));
  size_t hashed = bytes.size() - sizeof(uint64_t);
  uint64_t own = hash(std::span(bytes).first(hashed));
  std::memcpy(bytes.data() + hashed, &own, sizeof(own));
  return bytes;
}

Result<std::vector<uint64_t>> ContainerWriter::hashSections() const {
  std::vector<uint64_t> hashes;
  for (const Section &section : sections) {
    Hasher hasher;
    Result<void> done = stream(section, [&](std::span<const std::byte> bytes) -> Result<void> {
      hasher.add(bytes);
      return {};
    });
    if (!done)
      return done.error();
    hashes.push_back(hasher.digest());
  }
  return hashes;
}

/// The header comes first but holds the hashes of what follows: it is put in at the end, or, where
/// nothing can be put in later, made from a pass of its own.
Result<void> ContainerWriter::write(const std::string &path) const {
  Result<AtomicFile> file = AtomicFile::create(path);
  if (!file)
    return file.error();
  Layout layout = layOut();
  std::vector<uint64_t> hashes(sections.size());
  if (!file->canPatch()) {
    Result<std::vector<uint64_t>> known = hashSections();
    if (!known)
      return known.error();
    hashes = std::move(*known);
  }
  Result<void> started = file->write(std::span<const std::byte>(header(layout, hashes)));
  if (!started)
    return started;
  for (size_t i = 0; i < sections.size(); ++i) {
    if (Result<void> done = file->zeros(layout.offsets[i] - file->written()); !done)
      return done;
    Hasher hasher;
    Result<void> done = stream(sections[i], [&](std::span<const std::byte> bytes) {
      hasher.add(bytes);
      return file->write(bytes);
    });
    if (!done)
      return done;
    hashes[i] = hasher.digest();
  }
  if (file->canPatch())
    if (Result<void> done = file->patch(0, header(layout, hashes)); !done)
      return done;
  return file->commit();
}

std::vector<std::byte> ContainerWriter::toMemory() const {
  Layout layout = layOut();
  std::vector<std::byte> bytes(layout.fileSize);
  std::vector<uint64_t> hashes;
  for (size_t i = 0; i < sections.size(); ++i) {
    std::byte *at = bytes.data() + layout.offsets[i];
    // Memory takes everything: no error can come.
    (void)stream(sections[i], [&](std::span<const std::byte> part) -> Result<void> {
      at = std::ranges::copy(part, at).out;
      return {};
    });
    hashes.push_back(hash(std::span(bytes).subspan(layout.offsets[i], sections[i].size())));
  }
  std::ranges::copy(header(layout, hashes), bytes.begin());
  return bytes;
}
