//===- Winograd.h - Windows of three rows by fewer products -------------------------*- C++ -*-===//
//
// Winograd's minimal filtering: `tile` results of a window of 3 are sums of `tile + 2` products of
// sums of the input with sums of the window, `y = A ((G w) * (B d))`, instead of `3 tile` products.
// Here along the height only: rows are combined as a whole, so vectors stay contiguous, and the
// sums of a tile of 4 stay within twice the rounding of plain f32 sums (measured; both ways would
// multiply the errors).
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_IR_WINOGRAD_H
#define NNC_IR_WINOGRAD_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

#include <vector>

namespace nnc::nn {

class Lowering;
class WinogradConv2dOp;

using Matrix = std::vector<std::vector<double>>;

/// The matrices for tiles of 2 to 4 results.
struct WinogradMatrices {
  Matrix input;  ///< B: tile + 2 products from as many rows
  Matrix window; ///< G: tile + 2 from 3
  Matrix output; ///< A: tile results from tile + 2 products
};
WinogradMatrices getWinogradMatrices(int64_t tile);

/// The loops of the one generic that `nn.winograd_conv2d` becomes, in this order: image, output
/// channel, tile, row of the tile, column; product, input channel, column of the window, row read.
namespace winograd {
enum Loop : unsigned { Image, Output, Tile, Row, Column, Product, Channel, Tap, Read, NumLoops };
}
/// Its maps for tiles of this size: of the image, the weight, A, B, and the result.
llvm::SmallVector<mlir::AffineMap> getWinogradMaps(mlir::MLIRContext *context, int64_t tile);

/// What is read off such a generic.
struct WinogradForm {
  int64_t tile;
  Matrix input, output;
};
std::optional<WinogradForm> matchWinograd(mlir::Operation *op);
bool isWinograd(mlir::Operation *op);

} // namespace nnc::nn

#endif // NNC_IR_WINOGRAD_H
