#include "codegen/plan/StepBuilder.h"

#include "ir/Dims.h"
#include "ir/KernelAttrs.h"

#include <fmt/format.h>

using namespace mlir;

namespace nnc::codegen {

void StepBuilder::addOperation(Operation &op) {
  if (auto get = dyn_cast<nn::GetOp>(op))
    return places.defineGlobal(get);
  if (auto kernel = dyn_cast<nn::KernelOp>(op))
    return addLaunch(kernel);
  if (auto gemm = dyn_cast<nn::GemmOp>(op))
    return addGemm(gemm);
  if (auto scan = dyn_cast<nn::ScanOp>(op))
    return addLoop(scan);
  if (!isa<nn::ReshapeOp, nn::SetOp, nn::YieldOp, func::ReturnOp>(op))
    draft.fail(fmt::format("`{}` is not a step", op.getName().getStringRef().str()));
}

/// The library sees [batch, m, k] x [batch, k, n]; leading axes of a product with one matrix for
/// all are rows.
void StepBuilder::addGemm(nn::GemmOp gemm) {
  ExprPool &pool = draft.pool;
  auto a = nn::getDims(cast<RankedTensorType>(gemm.getLhs().getType()));
  auto b = nn::getDims(cast<RankedTensorType>(gemm.getRhs().getType()));
  auto matrixA = ArrayRef(a).take_back(2), matrixB = ArrayRef(b).take_back(2);
  bool shared = b.size() == 2;
  AffineExpr m = matrixA[gemm.getTransposeA() ? 1 : 0];
  AffineExpr k = matrixA[gemm.getTransposeA() ? 0 : 1];
  AffineExpr n = matrixB[gemm.getTransposeB() ? 0 : 1];
  AffineExpr leading = pool.product(ArrayRef(a).drop_back(2));

  format::GemmT step;
  step.a = places.use(gemm.getLhs());
  step.b = places.use(gemm.getRhs());
  if (Value bias = gemm.getBias())
    step.bias = places.use(bias);
  if (Value residual = gemm.getResidual())
    step.residual = places.use(residual);
  step.d = places.define(gemm.getResult(), "gemm");
  bool rowsJoin = shared && !gemm.getTransposeA();
  step.m = pool.add(rowsJoin ? leading * m : m);
  step.n = pool.add(n);
  step.k = pool.add(k);
  step.batch = rowsJoin ? pool.constant(1) : pool.add(leading);
  step.stride_a = pool.add(m * k);
  step.stride_b = shared ? pool.constant(0) : pool.add(k * n);
  step.stride_d = pool.add(m * n);
  step.tf32 = gemm->hasAttr(nn::kTf32Attr);
  step.transpose_a = gemm.getTransposeA();
  step.transpose_b = gemm.getTransposeB();
  step.epilogue = gemm.getEpilogue() == "relu"   ? format::Epilogue::Relu
                  : gemm.getEpilogue() == "gelu" ? format::Epilogue::Gelu
                                                 : format::Epilogue::None;
  auto name = dyn_cast<NameLoc>(gemm.getLoc());
  finish(std::move(step), name ? name.getName().getValue() : StringRef("gemm"), gemm.getLoc());
}

} // namespace nnc::codegen
