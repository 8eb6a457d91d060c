//===- ImageLayouts.h - Which ops take images in which layout -----------------------*- C++ -*-===//
//
// What ChooseLayouts.cpp asks about single operations: where axes are, which convolutions want
// their channels last, which ops compute the same on either layout.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_PASSES_IMAGELAYOUTS_H
#define NNC_PASSES_IMAGELAYOUTS_H

#include "ir/NNOps.h"

namespace nnc {

/// Of [batch, channels, ..], the axes that those of [batch, .., channels] are (0, 2, 3, 1), and the
/// reverse (0, 3, 1, 2).
llvm::SmallVector<int64_t> toLast(int64_t rank);
llvm::SmallVector<int64_t> toFirst(int64_t rank);
/// Where an axis of [batch, channels, ..] is in [batch, .., channels].
int64_t placeOf(int64_t axis, int64_t rank);
mlir::RankedTensorType permuted(mlir::RankedTensorType type, llvm::ArrayRef<int64_t> permutation);

/// How many neighbouring channels tensor cores are given together.
int64_t channelsPerLoad(mlir::RankedTensorType type);

/// A convolution that tensor cores compute, of images that are not NHWC yet; null if it is not.
nn::Conv2dOp matchWanting(mlir::Operation *op);
/// The gradient of the weight of such a convolution.
nn::Conv2dWeightGradOp matchWeightGrad(mlir::Operation *op);
/// An op that computes the same on either layout.
bool isFollowing(mlir::Operation *op);
/// The operands that have the layout of the result.
mlir::OperandRange imagesOf(mlir::Operation *op);

/// A large convolution of few channels and few filters, which a kernel computes from the images
/// as they lie (direct.cuh): it reads less than one that loads zeros for the missing channels.
bool isReadDirectly(nn::Conv2dOp conv);

/// Images of few channels read with steps of several pixels: the pixels of a step become channels,
/// so that loads are full of what counts. The windows then begin at whole steps, with zeros in the
/// weights where they began before.
struct Folding {
  int64_t step, channels;    ///< pixels in one, their channels with zeros behind
  int64_t before, after;     ///< zeros in a row of a window
  int64_t padding[2], steps; ///< steps around a row of the image, of a row of a window
};

/// Of a convolution with a weight OIHW or of its gradient; nothing if that is no gain.
std::optional<Folding> foldingOf(nn::Conv2dOp conv);
std::optional<Folding> foldingOf(nn::Conv2dWeightGradOp grad);

} // namespace nnc

#endif // NNC_PASSES_IMAGELAYOUTS_H
