// Reading and writing .npy, numpy's file of one array. Only plain arrays in C order; files are not
// trusted.
#ifndef NNC_RUNTIME_FORMAT_NPY_H
#define NNC_RUNTIME_FORMAT_NPY_H

#include "runtime/format/Safetensors.h"

namespace nnc::format {

/// The array of the bytes of an .npy file (StoredTensor.name is empty); `name` stands for the file
/// in errors. Errors: truncated, Fortran order, pickled objects, structured or big-endian elements.
Result<StoredTensor> parseNpy(std::span<const std::byte> bytes, const std::string &name);

/// Writes one array, beside and renamed. Errors: numpy has no such element type, not writable.
Result<void> writeNpy(const std::string &path, const StoredTensor &tensor);

} // namespace nnc::format

#endif
