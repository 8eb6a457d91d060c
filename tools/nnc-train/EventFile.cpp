#include "tools/nnc-train/EventFile.h"

#include "event.pb.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fmt/format.h>
#include <unistd.h>

using namespace nnc;
using namespace nnc::train;

namespace {

/// Of all bytes, for the polynomial 0x1EDC6F41 with its bits reversed.
constexpr std::array<uint32_t, 256> CrcTable = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < table.size(); ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit)
      crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78 : 0);
    table[byte] = crc;
  }
  return table;
}();

/// As TFRecords keep it, so that a checksum of data with checksums is still one.
uint32_t masked(uint32_t crc) { return (crc >> 15 | crc << 17) + 0xa282ead8; }

template <typename Number> void append(std::string &text, Number number) {
  text.append(reinterpret_cast<const char *>(&number), sizeof(number)); // little endian
}

double now() {
  auto time = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double>(time).count();
}

} // namespace

uint32_t train::crc32c(std::string_view bytes) {
  uint32_t crc = ~uint32_t{0};
  for (char byte : bytes)
    crc = crc >> 8 ^ CrcTable[(crc ^ static_cast<unsigned char>(byte)) & 255];
  return ~crc;
}

Result<EventFile> EventFile::create(const std::string &folder) {
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) != 0)
    host[0] = '-';
  EventFile made;
  made.path = fmt::format("{}/events.out.tfevents.{:010}.{}.{}", folder,
                          static_cast<int64_t>(now()), host.data(), getpid());
  made.file.reset(std::fopen(made.path.c_str(), "wb"));
  if (!made.file)
    return Error{fmt::format("cannot write {}: {}", made.path, std::strerror(errno))};
  proto::Event event;
  event.set_wall_time(now());
  event.set_file_version("brain.Event:2");
  if (Result<void> written = made.write(event.SerializeAsString()); !written)
    return written.error();
  return made;
}

Result<void> EventFile::add(uint64_t step, std::span<const Scalar> scalars) {
  proto::Event event;
  event.set_wall_time(now());
  event.set_step(static_cast<int64_t>(step));
  for (const Scalar &scalar : scalars) {
    proto::Summary::Value *value = event.mutable_summary()->add_value();
    value->set_tag(scalar.name);
    value->set_simple_value(static_cast<float>(scalar.value));
  }
  return write(event.SerializeAsString());
}

/// A record: its length, the length's checksum, the event, its checksum.
Result<void> EventFile::write(std::string_view event) {
  std::string record;
  append(record, static_cast<uint64_t>(event.size()));
  append(record, masked(crc32c(record)));
  record += event;
  append(record, masked(crc32c(event)));
  if (std::fwrite(record.data(), 1, record.size(), file.get()) == record.size() &&
      std::fflush(file.get()) == 0)
    return {};
  return Error{fmt::format("cannot write {}: {}", path, std::strerror(errno))};
}
