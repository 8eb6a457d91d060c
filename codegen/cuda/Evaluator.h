//===- Evaluator.h - One element of a tensor as CUDA statements ---------------------*- C++ -*-===//
//
// Fusion by demand: asked for the element of a tensor at an index, the evaluator writes the
// statements that compute it from the kernel's arguments, walking through all that produces it.
// Schedules decide who asks for which elements, and may offer better ways for some tensors: a row's
// threads together for a reduction, a tile of a contraction, vectors for neighbouring elements.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CUDA_EVALUATOR_H
#define NNC_CODEGEN_CUDA_EVALUATOR_H

#include "codegen/cuda/CodeWriter.h"
#include "codegen/cuda/Sizes.h"
#include "runtime/format/Result.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <functional>

namespace mlir::linalg {
class LinalgOp;
} // namespace mlir::linalg
namespace mlir::tensor {
class InsertSliceOp;
class PadOp;
} // namespace mlir::tensor

namespace nnc::codegen {

class Evaluator {
public:
  Evaluator(const KernelBody &body, IndexMath &math, CodeWriter &out);

  /// The name of a variable, or the literal, that holds the element of `tensor` at `indices`.
  /// Statements are added to the innermost scope; what is already known there is not computed
  /// again. After a failure (see error) the text means nothing.
  std::string element(mlir::Value tensor, IndexList indices);

  /// The value that `value`, inside the body of `op`, has in the iteration `loops`; loops on which
  /// it does not depend may be null.
  std::string bodyValue(mlir::linalg::LinalgOp op, mlir::Value value, const IndexList &loops);

  /// Has `sums`, one variable per result of the reduction `op`, take in the iteration `loops`.
  void accumulateAt(mlir::linalg::LinalgOp op, const std::vector<std::string> &sums,
                    const IndexList &loops);

  /// Where an element is in the memory of an argument, if it is there and not computed.
  struct Address {
    std::string pointer;     ///< "in0"
    mlir::AffineExpr linear; ///< elements from it
    std::string condition;   ///< the element is 0 where this does not hold; empty if it always does
  };
  std::optional<Address> addressOf(mlir::Value tensor, IndexList indices);

  // Scopes: everything between is in braces; names made inside are forgotten at the end.
  /// `isUniform`: whether all threads of a row do the same in it.
  void openBlock(const std::string &header, bool isUniform = true);
  /// A loop from 0 to `extent`, which closeScope ends.
  mlir::AffineExpr openLoop(const std::string &stem, mlir::AffineExpr extent, bool unrolls = false);
  /// The same, shared out among the threads of a row (see `row`).
  mlir::AffineExpr openRowLoop(const std::string &stem, mlir::AffineExpr extent);
  /// How many neighbours of `extent` elements a thread of a row takes at once.
  int64_t rowVector(mlir::AffineExpr extent) const;
  /// A vector that may be loaded long before it is needed.
  struct AheadLoad {
    std::string type, name, value; ///< "Vector<f16, 8>", "v3", "loadVector<8>(in0 + m * 64)"
  };
  struct AheadLoads {
    std::vector<AheadLoad> loads;
    mlir::AffineExpr of = {};      ///< if set, a variable
    std::vector<AheadLoad> others; ///< that do not depend on it: members of `columns`
  };
  /// An unrolled loop over `width` neighbours, which closeLanes ends: loads that run along it
  /// become one vector load before it. With `ahead`, loads that depend on no variable declared
  /// later than the loop's are not written but listed there, and read as members of `ahead`.
  mlir::AffineExpr openLanes(int64_t width, AheadLoads *ahead = nullptr);
  void closeLanes();
  void closeScope(const std::string &closing = "}");
  /// Declares a variable of the innermost scope; the caller writes its declaration.
  mlir::AffineExpr declare(const std::string &name, mlir::AffineExpr extent);
  std::string freshName(const std::string &stem);

  /// Asked before an element is computed; may give its text.
  std::function<std::optional<std::string>(mlir::Value, const IndexList &)> intercept;

  /// Set while the threads of a row work together: reductions whose place does not depend on the
  /// thread are done by all of them. `threads` run through a row, each from `lane` on.
  struct RowThreads {
    unsigned threads;
    std::string lane;
  };
  std::optional<RowThreads> row;
  IndexMath &math;
  CodeWriter &out;
  Sizes sizes;

  /// The first reason why something could not be written.
  const std::optional<Error> &error() const { return failure; }
  std::string fail(mlir::Operation *op, const std::string &why);

private:
  /// The innermost loop over neighbours.
  struct VectorLane {
    unsigned variable;
    unsigned depth;
    int64_t width;
    AheadLoads *ahead;
  };
  struct Memo {
    mlir::Value tensor;
    IndexList indices;
    std::string text;
  };
  struct Scope {
    std::vector<Memo> memos;
    bool uniform = true;
    llvm::SmallVector<unsigned> condition; ///< variables that decide whether it is entered
  };
  /// A value of a body: index arithmetic stays symbolic as long as it is affine.
  struct Scalar {
    std::string text;
    mlir::AffineExpr index;
  };
  /// One evaluation of an operation's body.
  struct Frame {
    mlir::Operation *op = nullptr;
    IndexList loops; ///< the iteration
    llvm::DenseMap<mlir::Value, Scalar> values;
  };

  // Evaluator.cpp: elements, scopes, loads.
  std::optional<std::string> findMemo(mlir::Value tensor, const IndexList &indices) const;
  void remember(mlir::Value tensor, const IndexList &indices, const std::string &text);
  std::string compute(mlir::Value tensor, const IndexList &indices);
  std::string load(mlir::BlockArgument argument, const IndexList &indices);
  std::optional<std::string> loadFromVector(mlir::BlockArgument argument,
                                            const std::string &pointer, mlir::AffineExpr linear);
  std::string vectorAt(mlir::BlockArgument argument, const std::string &pointer,
                       mlir::AffineExpr base, int64_t width);
  bool isKnownAt(mlir::AffineExpr expr, unsigned depth) const;
  bool isForAhead(mlir::AffineExpr base) const;
  bool dependsOn(mlir::AffineExpr expr, mlir::AffineExpr variable) const;
  void commentOn(mlir::Operation *op);
  std::string define(const std::string &type, const std::string &stem, const std::string &text);

  // EvaluateBodies.cpp: scalar code.
  std::string structured(mlir::linalg::LinalgOp op, unsigned result, const IndexList &indices);
  Scalar scalar(mlir::Value value, Frame &frame);
  Scalar computeScalar(mlir::Operation *op, Frame &frame);
  Scalar input(mlir::BlockArgument argument, Frame &frame);
  std::string textOf(const Scalar &scalar, mlir::Type type);
  mlir::AffineExpr indexOf(const Scalar &scalar);

  // EvaluateReductions.cpp.
  std::string reduce(mlir::linalg::LinalgOp op, unsigned result, const IndexList &indices,
                     Frame frame, const IndexList &extents);
  void reduceAlone(mlir::linalg::LinalgOp op, const std::vector<std::string> &sums, Frame &frame,
                   const IndexList &extents);
  bool canReduceTogether(mlir::linalg::LinalgOp op) const;
  std::string reduceTogether(mlir::linalg::LinalgOp op, const IndexList &indices, Frame &frame,
                             const IndexList &extents);
  std::optional<unsigned> togetherDepth(const IndexList &indices) const;
  void accumulate(mlir::linalg::LinalgOp op, const std::vector<std::string> &sums, Frame &frame);

  // EvaluateViews.cpp.
  /// Where a view's element is in its operand (for a pad: if it is inside); nothing if `view` is
  /// none, or is of unknown size.
  std::optional<IndexList> sourceOf(mlir::Operation *view, const IndexList &indices);
  std::string view(mlir::Operation *op, const IndexList &indices);
  std::string insert(mlir::tensor::InsertSliceOp op, const IndexList &indices);
  std::string pad(mlir::tensor::PadOp op, const IndexList &indices);
  /// The condition that each index is in [low, high); empty if it always is.
  std::string insideText(const IndexList &indices, const IndexList &low, const IndexList &high,
                         llvm::SmallVectorImpl<unsigned> &variables) const;
  /// `name = inside ? yes : no` with branches that compute only what is needed.
  std::string choose(mlir::Operation *op, mlir::Type element, const std::string &condition,
                     llvm::ArrayRef<unsigned> variables, llvm::function_ref<std::string()> yes,
                     llvm::function_ref<std::string()> no, const std::string &initial);

  const KernelBody &body;
  std::optional<VectorLane> lane;
  std::vector<Scope> scopes{1};
  std::vector<unsigned> declaredAt; ///< by variable: depth of its scope
  unsigned nextName = 0;
  unsigned nesting = 0;
  mlir::Operation *commented = nullptr;
  std::optional<Error> failure;
};

/// The operation that adds the elements of reduction `op` up in any order, if that is what its body
/// does, and null otherwise.
mlir::Operation *findCombiner(mlir::linalg::LinalgOp op);

} // namespace nnc::codegen

#endif // NNC_CODEGEN_CUDA_EVALUATOR_H
