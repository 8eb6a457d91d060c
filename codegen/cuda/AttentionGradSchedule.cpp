//===- AttentionGradSchedule.cpp - The gradients of attention on their templates --------------===//
//
// attention_grad.cuh does the work; here the tile is chosen and what it takes is written.
//
//===------------------------------------------------------------------------------------------===//
#include "codegen/cuda/AttentionText.h"
#include <fmt/format.h>

using namespace mlir;

namespace nnc::codegen {
namespace {

class AttentionGradWriter : AttentionText {
public:
  AttentionGradWriter(const KernelBody &body, const nn::AttentionGradAccess &access)
      : AttentionText(body, access), access(access) {}

  Scheduled write();

private:
  void writeTensors();
  int64_t lanesOfAll() const;

  const nn::AttentionGradAccess &access;
};

int64_t AttentionGradWriter::lanesOfAll() const {
  SmallVector<const nn::StridedAccess *> tensors = {&access.query, &access.key, &access.value,
                                                    &access.gradient};
  for (const auto *result : {&access.queryGrad, &access.keyGrad, &access.valueGrad})
    if (*result)
      tensors.push_back(&**result);
  return chooseLanes(tensors);
}

/// All in the order of AttentionGradTensors.
void AttentionGradWriter::writeTensors() {
  out.line(fmt::format("const AttentionGradTensors<{}, Index> tensors = {{", element));
  for (const nn::StridedAccess *tensor :
       {&access.query, &access.key, &access.value, &access.gradient, &access.lse, &access.delta})
    out.line("    " + placed(*tensor, false) + ",");
  for (const auto *result : {&access.queryGrad, &access.keyGrad, &access.valueGrad})
    out.line("    " + (*result ? placed(**result, true) : "{}") +
             (result == &access.valueGrad ? "};" : ","));
}

Scheduled AttentionGradWriter::write() {
  AttentionTile tile = chooseAttentionGradTile(describe(lanesOfAll()));
  writeTensors();
  writeSizes();
  writeShown();
  AffineExpr heads = inputs.batch * inputs.keyHeads, none = math.constant(0);
  bool hasKeys = access.keyGrad || access.valueGrad;
  AffineExpr keyBlocks = hasKeys ? heads * inputs.keys.ceilDiv(tile.rows) : none;
  AffineExpr queryBlocks = access.queryGrad ? heads * rows.ceilDiv(tile.rows) : none;
  out.line(fmt::format(
      "{}{}>((Index)blockId, (Index)({}), (Index)({}), sizes, tensors, {}, seen, mask);",
      tile.function, element, text(keyBlocks), text(heads), scale()));
  Scheduled scheduled;
  scheduled.statements = out.take();
  scheduled.blocks = simplify(keyBlocks + queryBlocks);
  scheduled.threads = tile.threads;
  scheduled.headers = {"attention.cuh"};
  llvm::append_range(scheduled.headers, tile.headers);
  scheduled.sharedBytes = tile.sharedBytes;
  scheduled.sharedElsewhere = tile.sharedElsewhere;
  scheduled.together = tile.together;
  scheduled.tactic = tile.tactic();
  return scheduled;
}

} // namespace

Result<Scheduled> scheduleAttentionGrad(const KernelBody &body) {
  return AttentionGradWriter(body, nn::getAttentionGradAccess(cast<nn::KernelOp>(body.op))).write();
}

} // namespace nnc::codegen
