//===- TensorMaps.h - Operands that the machine copies by itself --------------------*- C++ -*-===//
//
// What the driver has to be told of a tensor so that a kernel can copy parts of it to shared memory
// with one instruction each (TensorMap in bulk.cuh).
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CUDA_TENSORMAPS_H
#define NNC_CODEGEN_CUDA_TENSORMAPS_H

#include "mlir/IR/AffineMap.h"
#include <array>
#include <optional>

namespace nnc::codegen {

/// Windows over images whose channels are last: along x, then along y.
struct MappedWindow {
  std::array<int, 2> before; ///< where windows begin, from the beginning of the image
  std::array<int, 2> behind; ///< where the first that does not begin any more would, from its end
  std::array<int, 2> steps;
  std::array<int, 2> dilation; ///< from one element of a window to the next
};

/// A tensor of elements of 16 bits: a matrix, one whose rows are dealt, or images with a window.
struct MappedTensor {
  unsigned operand; ///< of the kernel
  unsigned rows;    ///< that are copied at once, of 64 elements; of images positions of the window
  mlir::AffineMap sizes;   ///< ()[dims of the entry] -> the innermost first
  mlir::AffineMap strides; ///< in elements, of all sizes but the first
  std::optional<MappedWindow> window = {};
  /// Whether rows come as copyColumns in bulk.cuh brings them.
  bool isDealt() const { return sizes.getNumResults() == 5; }
};

} // namespace nnc::codegen

#endif // NNC_CODEGEN_CUDA_TENSORMAPS_H
