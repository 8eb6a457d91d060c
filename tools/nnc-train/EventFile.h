// Files that TensorBoard shows: events in TFRecords
// (https://github.com/tensorflow/tensorboard, tensorboard/compat/proto/event.proto).
#pragma once

#include "runtime/format/Result.h"

#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string_view>

namespace nnc::train {

/// A number with a name like "train/loss".
struct Scalar {
  std::string name;
  double value;
};

/// One file of a run, written event by event; each is flushed, so that a run that dies leaves all.
class EventFile {
public:
  /// `FOLDER/events.out.tfevents.TIME.HOST.PROCESS`. Errors: the folder is missing or not writable.
  static Result<EventFile> create(const std::string &folder);
  /// Errors: disk full.
  Result<void> add(uint64_t step, std::span<const Scalar> scalars);

private:
  struct Close {
    void operator()(std::FILE *file) const { std::fclose(file); }
  };
  Result<void> write(std::string_view event);

  std::string path;
  std::unique_ptr<std::FILE, Close> file;
};

/// CRC-32C (Castagnoli) of bytes.
uint32_t crc32c(std::string_view bytes);

} // namespace nnc::train
