//===- Contraction.h - A kernel understood as a batch of matrix products ------------*- C++ -*-===//
//
// Any sum of products is a matrix product of two operands, batched: parallel loops that only one
// factor depends on are that factor's side, loops that both depend on are the batch, reduction
// loops are the depth. For a convolution this is the implicit GEMM: weights times the im2col view
// of the input, whose padding and strides are part of how the element is read.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CUDA_CONTRACTION_H
#define NNC_CODEGEN_CUDA_CONTRACTION_H

#include "codegen/cuda/Schedule.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace nnc::codegen {

/// What the schedules of products have in common: which loop and axis is what, and the text of
/// operands and results.
class Contraction {
protected:
  explicit Contraction(const KernelBody &body)
      : body(body), writing(body), math(writing.math), out(writing.out),
        evaluator(writing.evaluator) {}

  /// What a factor of the products depends on.
  struct Factor {
    mlir::Value value;          ///< in the body
    llvm::SmallBitVector loops; ///< that it depends on
    bool alongDepth = false;    ///< its memory runs along the depth, not along its side
  };

  /// Which part of the product a loop or an axis of the results belongs to.
  enum Part { Batch, Rows, Columns, Depth };

  /// Finds the one product of the kernel and sorts its loops; says what does not fit. With
  /// `mayHaveTwo` there may be a second one of the same rows.
  std::optional<nnc::Error> understand(bool mayHaveTwo = false);
  /// Makes the rows columns and the reverse.
  void swapSides();

  /// Does `write` with the right factor of the second product, as if that were the first.
  void forSecond(llvm::function_ref<void(const Factor &)> write);

  mlir::AffineExpr extentOf(Part part) const;
  /// How many elements a factor really has, which is less than rows times depth if windows overlap.
  int64_t typicalElements(const Factor &factor, mlir::Type type);
  /// Whether the rows are windows over images, channels last, with fewer channels than are loaded
  /// together.
  bool hasFewChannels() const;
  int64_t typical(Part part) const { return typicalValue(body, math, extentOf(part)); }

  /// A functor of (side, k) that gives one element of a factor, computed.
  void writeFactor(const std::string &name, const Factor &factor, const std::string &side);
  /// The same of a factor that is widened from `type`, before it is; false, with nothing written,
  /// if it is not.
  bool writeNarrowFactor(const std::string &name, const Factor &factor, const std::string &side,
                         mlir::Type type);
  /// The same for `width` neighbours along the depth, as a vector.
  void writeVectorFactor(const std::string &name, const Factor &factor, const std::string &side,
                         int64_t width);
  /// Functors that give addresses of 16 bytes along the depth, of elements of type `type`; false,
  /// with nothing written, if the factor is computed or its memory does not run along the depth in
  /// such pieces.
  bool writeAddress(const std::string &name, const Factor &factor, const std::string &side,
                    mlir::Type type);
  /// The same for 16 bytes along the factor's side.
  bool writeSideAddress(const std::string &name, const Factor &factor, const std::string &side,
                        mlir::Type type);
  /// Whether that would write something.
  bool runsAcross(const Factor &factor, const std::string &side, mlir::Type type) {
    return findSideChunk(factor, side, type).has_value();
  }
  /// Functors that copy rows of 64 elements of the depth in one piece or, of a factor whose memory
  /// runs along its side, 64 of the side of as many of the depth, by the kernel's parameter number
  /// `number` of that kind; nothing, with nothing written, if the factor's memory is not of that
  /// form. The caller says how many rows, in the result's `rows`. Of products in a batch only the
  /// latter, and of a depth that is cut nowhere between.
  std::optional<MappedTensor> writeMap(const std::string &name, const Factor &factor,
                                       const std::string &side, mlir::Type type, unsigned number);
  /// What an operand knows of a row: loops, computed of its number, and where in memory it is.
  struct Known {
    std::vector<std::string> members; ///< l0, l1, ...
    std::string pointer, from;        ///< a type and a value, or empty
  };
  void writeKnown(const std::string &name, const std::string &side, const Known &known);
  /// An element of a result, where it goes and what it is.
  struct StoredElement {
    const Output &output;
    mlir::AffineExpr place;
    std::string value;
  };
  std::vector<StoredElement> writeResults(mlir::AffineExpr row, mlir::AffineExpr column,
                                          llvm::ArrayRef<std::string> sums);
  /// The functor that stores what comes of the product's element (m, n); its third parameter has
  /// the sum, or that of each product.
  void writeElementStore(const std::string &parameter, llvm::ArrayRef<std::string> sums);
  /// The loops of the product, when the parts have these indices (null: not known here).
  IndexList loopsAt(mlir::AffineExpr row, mlir::AffineExpr column, mlir::AffineExpr depth);

  const KernelBody &body;
  Writing writing;
  IndexMath &math;
  CodeWriter &out;
  Evaluator &evaluator;

  std::vector<Output> outputs;
  mlir::linalg::LinalgOp product;
  mlir::linalg::LinalgOp second; ///< null if there is but one product
  mlir::Type element;
  Factor left, right; ///< left's side is the rows
  mlir::AffineExpr batch;
  std::optional<Evaluator::Address>
      addressed;             ///< a chunk of the factor that writeAddress wrote last
  std::vector<bool> isDense; ///< by result that was written: element (m, n) is at m * N + n

private:
  /// How 16 bytes of a factor are found: what each row knows, and the place from that and the
  /// depth.
  struct Chunk {
    Evaluator::Address address;
    mlir::AffineExpr index, depth; ///< variables
    std::vector<std::string> members;
    std::string depthLine; ///< what declares the depth's variable, if not `k`
  };
  std::optional<Chunk> findSideChunk(const Factor &factor, const std::string &side,
                                     mlir::Type type);
  void writeChunk(const std::string &name, const std::string &side, mlir::Type type,
                  const Chunk &chunk);
  bool areNeighbours(const std::optional<Evaluator::Address> &first,
                     const std::optional<Evaluator::Address> &any, mlir::AffineExpr element,
                     int64_t count) const;
  void writeValue(const std::string &name, mlir::Value value, const std::string &side,
                  mlir::Type type);
  mlir::OpOperand *plainOperand(const Factor &factor, mlir::Type type);
  mlir::AffineMap overSymbols(llvm::ArrayRef<mlir::AffineExpr> exprs) const;
  MappedTensor dealt(const MappedTensor &matrix) const;
  std::optional<MappedTensor> mapMatrix(mlir::OpOperand &operand, mlir::AffineExpr index,
                                        mlir::AffineExpr depth, const IndexList &loops);
  std::optional<MappedTensor> mapImages(mlir::OpOperand &operand, mlir::AffineExpr index,
                                        mlir::AffineExpr depth, const IndexList &loops);
  std::optional<MappedTensor> writeSideMap(const std::string &name, mlir::OpOperand &operand,
                                           const std::string &side, unsigned number);
  std::optional<MappedTensor> mapSides(mlir::OpOperand &operand, mlir::AffineExpr index,
                                       mlir::AffineExpr depth, const IndexList &loops);
  std::optional<MappedTensor> mapWindowSides(mlir::OpOperand &operand, mlir::AffineExpr depth,
                                             const IndexList &loops);
  /// How a window moves along one side of an image, and its size.
  struct WindowSide {
    int64_t step, dilation;
    std::optional<int64_t> size;
  };
  WindowSide sideOf(mlir::linalg::Conv2DNhwcFhwcOp conv, unsigned axis) const;
  std::optional<MappedWindow> windowOf(llvm::ArrayRef<WindowSide> sides,
                                       mlir::tensor::PadOp pad) const;
  std::pair<mlir::BlockArgument, mlir::tensor::PadOp> imagesOf(mlir::OpOperand &operand) const;
  void writePixels(const std::string &name, const std::string &side, const std::string &map,
                   const MappedWindow &window, const IndexList &positions, const IndexList &depths);
  bool findProduct(bool mayHaveTwo);
  Factor factorOf(mlir::Value value);
  bool trace(const Output &output);
  bool traceAll();
  bool splitAxes();
  std::optional<std::string> classify();
  /// A side's loops as members of what an operand knows of its row.
  IndexList knownLoops(const IndexList &loops, mlir::AffineExpr index,
                       std::vector<std::string> &members);
  std::string writeSum(mlir::linalg::LinalgOp op, const IndexList &at, const std::string &sum);
  IndexList axesAt(mlir::AffineExpr row, mlir::AffineExpr column);
  IndexList mergeAxes(const IndexMath &math, const IndexList &axes) const;
  IndexList placeAt(const IndexList &axes) const;

  IndexList extents;           ///< of the product's loops
  std::vector<Part> loopParts; ///< by loop
  /// The axes of the results; an axis that holds several of the product's (groups and filters) is
  /// cut into these.
  IndexList axisDims;
  std::vector<unsigned> axisOwners; ///< by axis: the results' axis that it is cut from
  std::vector<Part> axisParts;      ///< by axis
  std::optional<IndexList> place;   ///< the product's element, over the axes as variables
};

} // namespace nnc::codegen

#endif // NNC_CODEGEN_CUDA_CONTRACTION_H
