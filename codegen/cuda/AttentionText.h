//===- AttentionText.h - What schedules of attention and of its gradients write -----*- C++ -*-===//
//
// Operands by their strides, sizes, and the functions `seen` and `mask` that the templates take.
// Like KernelBody.cpp this knows the nn dialect, for these kernels are not lowered to linalg.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CUDA_ATTENTIONTEXT_H
#define NNC_CODEGEN_CUDA_ATTENTIONTEXT_H

#include "codegen/cuda/AttentionTiles.h"
#include "codegen/cuda/Schedule.h"
#include "ir/AttentionAccess.h"

namespace nnc::codegen {

class AttentionText {
public:
  AttentionText(const KernelBody &body, const nn::AttentionInputs &inputs);

  mlir::AffineExpr simplify(mlir::AffineExpr expr) const { return math.simplify(expr); }
  std::string text(mlir::AffineExpr expr) const { return math.text(math.simplify(expr)); }

  /// How many elements one load may take: as many as divide the head and keep every row of
  /// `tensors` aligned.
  int64_t chooseLanes(llvm::ArrayRef<const nn::StridedAccess *> tensors) const;
  AttentionProblem describe(int64_t lanes) const;
  /// "0.125f"
  std::string scale() const;

  /// `{in0 + 64, stride, stride, stride}`: an AttentionTensor, or AttentionNumbers.
  std::string placed(const nn::StridedAccess &tensor, bool isResult) const;
  void writeTensor(const std::string &name, const nn::StridedAccess &tensor, bool isResult);
  void writeSizes(); ///< `sizes`
  void writeShown(); ///< `seen` and `mask`: reads the offset
  void writeSeen();
  void writeMask();

  const KernelBody &body;
  const nn::AttentionInputs &inputs;
  Writing writing;
  IndexMath &math;
  CodeWriter &out;
  std::string element; ///< as the device calls it
  mlir::AffineExpr groups, rows;
};

} // namespace nnc::codegen

#endif // NNC_CODEGEN_CUDA_ATTENTIONTEXT_H
