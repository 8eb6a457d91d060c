//===- WinogradEmitter.h - 3x3 convolutions with fewer products -*- C++ -*-===//
//
// Emits the generic of `nn.winograd_conv2d` (ir/Winograd.h), whose loops as they stand would do
// each product many times, as three nests: sums of rows of the image, into a buffer; a product for
// each of these with the combined window; and sums of products, which are the rows of the result.
// Where buffers for the whole box would be too large it is done in parts.
//
//===----------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CPU_WINOGRADEMITTER_H
#define NNC_CODEGEN_CPU_WINOGRADEMITTER_H

#include "codegen/cpu/KernelEmitter.h"
#include "ir/Winograd.h"

namespace nnc::codegen {

/// Elements of the buffers for a part of a result.
struct WinogradBuffers {
  int64_t image, sums, products;

  static constexpr int64_t mostSums = 24 * 1024;
  static constexpr int64_t mostProducts = 32 * 1024;
};
/// For so many tiles of `tile` rows, columns, output and input channels.
WinogradBuffers getWinogradBuffers(int64_t tile, int64_t tiles, int64_t columns, int64_t outputs,
                                   int64_t channels);

class WinogradEmitter {
public:
  WinogradEmitter(KernelEmitter &emitter, mlir::linalg::LinalgOp op, nn::WinogradForm form);
  /// Writes `box` of the generic's result.
  void emit(const Box &box, const View &dest);

private:
  void chooseParts();
  void forParts(llvm::ArrayRef<nn::winograd::Loop> loops, llvm::function_ref<void()> body);
  void emitPart(const View &dest);
  void emitSums(const View &sums);
  void emitZeros(const View &products);
  void emitProducts(const View &sums, const View &products, bool accumulate);
  void emitResults(const View &products, const View &dest);
  Nest makeNest(llvm::ArrayRef<nn::winograd::Loop> loops);
  Interval readColumns() const;
  Element combine(llvm::ArrayRef<double> factors, llvm::ArrayRef<Element> values);
  mlir::Value numberLike(mlir::Value like, double number);

  KernelEmitter &e;
  mlir::linalg::LinalgOp op;
  nn::WinogradForm form;
  mlir::OpBuilder &builder;
  mlir::Location loc;
  llvm::SmallVector<Interval> ranges; ///< by loop
  llvm::SmallVector<int64_t> parts;   ///< by loop: how much is done at once
};

} // namespace nnc::codegen

#endif
