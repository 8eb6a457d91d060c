#include "runtime/format/Npy.h"
#include "runtime/format/AtomicFile.h"

#include <charconv>
#include <cstring>
#include <fmt/format.h>

using namespace nnc;
using namespace nnc::format;

namespace {

constexpr std::string_view Magic = "\x93NUMPY";
constexpr size_t MaxAxes = 16;

/// The header: a Python dictionary of three fixed keys.
struct Header {
  std::string_view descr;
  std::optional<bool> fortran;
  std::optional<std::vector<int64_t>> shape;
};

/// Reads the dictionary. Every method returns false when the text is not what numpy writes.
class HeaderParser {
public:
  explicit HeaderParser(std::string_view text) : text(text) {}

  bool parse(Header &header) {
    if (!take('{'))
      return false;
    while (!take('}')) {
      std::string_view key;
      if (!quoted(key) || !take(':') || !value(key, header))
        return false;
      if (!take(',') && !peek('}'))
        return false;
    }
    skipBlanks();
    return text.empty() && !header.descr.empty() && header.fortran && header.shape;
  }

private:
  bool value(std::string_view key, Header &header) {
    if (key == "descr")
      return header.descr.empty() && descr(header.descr);
    if (key == "fortran_order")
      return !header.fortran && boolean(header.fortran);
    return key == "shape" && !header.shape && tuple(header.shape.emplace());
  }

  /// A list stands for the fields of a structured type.
  bool descr(std::string_view &out) {
    if (peek('[')) {
      out = "[";
      return false;
    }
    return quoted(out);
  }

  bool boolean(std::optional<bool> &out) {
    if (word("True"))
      out = true;
    else if (word("False"))
      out = false;
    return out.has_value();
  }

  bool tuple(std::vector<int64_t> &out) {
    if (!take('('))
      return false;
    while (!take(')')) {
      int64_t size = 0;
      skipBlanks();
      auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), size);
      if (failure != std::errc() || size < 0)
        return false;
      text.remove_prefix(static_cast<size_t>(end - text.data()));
      out.push_back(size);
      if (!take(',') && !peek(')'))
        return false;
    }
    return true;
  }

  bool quoted(std::string_view &out) {
    skipBlanks();
    if (text.empty() || (text[0] != '\'' && text[0] != '"'))
      return false;
    size_t end = text.find(text[0], 1);
    if (end == std::string_view::npos)
      return false;
    out = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    return true;
  }

  bool word(std::string_view expected) {
    skipBlanks();
    if (!text.starts_with(expected))
      return false;
    text.remove_prefix(expected.size());
    return true;
  }

  bool take(char expected) {
    if (!peek(expected))
      return false;
    text.remove_prefix(1);
    return true;
  }

  bool peek(char expected) {
    skipBlanks();
    return text.starts_with(expected);
  }

  void skipBlanks() {
    while (!text.empty() && (text[0] == ' ' || text[0] == '\n'))
      text.remove_prefix(1);
  }

  std::string_view text;
};

/// The text of the header and the data behind it.
struct Parts {
  std::string_view header;
  std::span<const std::byte> data;
};

Result<Parts> split(std::span<const std::byte> bytes, const std::string &name) {
  constexpr size_t Prefix = 8; // magic, major, minor
  if (bytes.size() < Prefix || std::memcmp(bytes.data(), Magic.data(), Magic.size()) != 0)
    return Error{fmt::format("{} is not an .npy file", name)};
  auto major = static_cast<unsigned>(bytes[6]);
  if (major < 1 || major > 3)
    return Error{fmt::format("{} has the unknown .npy version {}", name, major)};
  size_t lengthBytes = major == 1 ? 2 : 4;
  uint32_t length = 0;
  if (bytes.size() < Prefix + lengthBytes)
    return Error{fmt::format("{} is truncated", name)};
  std::memcpy(&length, bytes.data() + Prefix, lengthBytes);
  bytes = bytes.subspan(Prefix + lengthBytes);
  if (length > bytes.size())
    return Error{fmt::format("{} is truncated: its header has {} bytes, but only {} are there",
                             name, length, bytes.size())};
  return Parts{{reinterpret_cast<const char *>(bytes.data()), length}, bytes.subspan(length)};
}

/// Why an array of such elements is not read.
std::string unsupported(std::string_view descr) {
  if (descr == "[")
    return "it has structured elements";
  if (descr.ends_with('O'))
    return "it holds pickled Python objects";
  if (descr.starts_with('>'))
    return fmt::format("its elements are big endian (`{}`)", descr);
  return fmt::format("its element type `{}` is not supported", descr);
}

} // namespace

Result<StoredTensor> format::parseNpy(std::span<const std::byte> bytes, const std::string &name) {
  Result<Parts> parts = split(bytes, name);
  if (!parts)
    return parts.error();
  auto error = [&](const std::string &why) {
    return Error{fmt::format("cannot read {}: {}", name, why)};
  };
  Header header;
  bool parsed = HeaderParser(parts->header).parse(header);
  std::optional<DType> type = dtypeFromNumpy(header.descr);
  if (!header.descr.empty() && !type)
    return error(unsupported(header.descr));
  if (!parsed)
    return error("its header is malformed");
  if (*header.fortran)
    return error("it is in Fortran order; save numpy.ascontiguousarray(x)");
  if (header.shape->size() > MaxAxes)
    return error(
        fmt::format("it has {} axes; at most {} are supported", header.shape->size(), MaxAxes));

  uint64_t expected = dtypeBytes(*type);
  for (int64_t size : *header.shape)
    if (__builtin_mul_overflow(expected, static_cast<uint64_t>(size), &expected))
      return error("its shape is too large");
  if (expected != parts->data.size())
    return error(fmt::format("{}[{}] needs {} bytes of data, found {}", dtypeName(*type),
                             fmt::join(*header.shape, ", "), expected, parts->data.size()));
  return StoredTensor{"", *type, std::move(*header.shape), parts->data};
}

Result<void> format::writeNpy(const std::string &path, const StoredTensor &tensor) {
  std::string_view descr = dtypeInfo(tensor.type).numpy;
  if (descr.empty())
    return Error{fmt::format("cannot write {}: numpy has no type for {}; write a .safetensors file",
                             path, dtypeName(tensor.type))};
  std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}", descr,
                  fmt::join(tensor.shape, ", "), tensor.shape.size() == 1 ? "," : "");
  size_t total = (Magic.size() + 4 + header.size() + 1 + 63) / 64 * 64;
  header.resize(total - Magic.size() - 4 - 1, ' ');
  header += '\n';

  auto length = static_cast<uint16_t>(header.size());
  std::string start = fmt::format("{}{}{}", Magic, '\x01', '\x00');
  start.append(reinterpret_cast<const char *>(&length), sizeof(length));
  Result<AtomicFile> file = AtomicFile::create(path);
  if (!file)
    return file.error();
  if (Result<void> done = file->write(start + header); !done)
    return done;
  if (Result<void> done = file->write(tensor.data); !done)
    return done;
  return file->commit();
}
