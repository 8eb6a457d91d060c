// IDX, the format of MNIST's files (http://yann.lecun.com/exdb/mnist).
#pragma once

#include "tools/nnc-train/data/Files.h"

namespace nnc::train {

/// A file's array of bytes.
struct IdxArray {
  std::vector<int64_t> shape;
  std::span<const std::byte> data;
};

/// Reads the array; its data lies in `file`. Errors: no IDX file, elements that are no bytes, other
/// than `rank` axes, a size that does not fit the file.
Result<IdxArray> readIdx(FileBytes &file, size_t rank);

} // namespace nnc::train
