#include "codegen/cuda/AttentionText.h"

#include "codegen/cuda/ScalarOps.h"

#include <cmath>
#include <fmt/format.h>

using namespace mlir;

namespace nnc::codegen {

constexpr int64_t BytesOfALoad = 16;

AttentionText::AttentionText(const KernelBody &body, const nn::AttentionInputs &inputs)
    : body(body), inputs(inputs), writing(body), math(writing.math), out(writing.out),
      element(*typeText(inputs.element)),
      groups(math.simplify(inputs.heads.floorDiv(inputs.keyHeads))),
      rows(math.simplify(inputs.queries * groups)) {}

int64_t AttentionText::chooseLanes(ArrayRef<const nn::StridedAccess *> tensors) const {
  int64_t lanes = BytesOfALoad * 8 / inputs.element.getIntOrFloatBitWidth();
  auto fits = [&](AffineExpr expr) {
    return math.constantOf(expr) == 0 || math.divisorOf(math.simplify(expr)) % lanes == 0;
  };
  for (; lanes > 1; lanes /= 2) {
    bool allFit = inputs.headSize % lanes == 0;
    for (const nn::StridedAccess *tensor : tensors)
      allFit = allFit && fits(tensor->offset) &&
               llvm::all_of(ArrayRef(tensor->strides).drop_back(), fits);
    if (allFit)
      break;
  }
  return lanes;
}

AttentionProblem AttentionText::describe(int64_t lanes) const {
  return {!inputs.element.isF32(),
          inputs.headSize,
          lanes,
          typicalValue(body, math, math.simplify(inputs.batch * inputs.keyHeads)),
          typicalValue(body, math, rows),
          typicalValue(body, math, inputs.keys),
          inputs.isCausal};
}

std::string AttentionText::scale() const {
  return fmt::format("{:.9g}f", float(1 / std::sqrt(double(inputs.headSize))));
}

std::string AttentionText::placed(const nn::StridedAccess &tensor, bool isResult) const {
  std::string pointer = (isResult ? "out" : "in") + std::to_string(tensor.number);
  if (math.constantOf(tensor.offset) != 0)
    pointer += " + " + text(tensor.offset);
  return fmt::format("{{{}, {}, {}, {}}}", pointer, text(tensor.strides[0]),
                     text(tensor.strides[1]), text(tensor.strides[2]));
}

void AttentionText::writeTensor(const std::string &name, const nn::StridedAccess &tensor,
                                bool isResult) {
  out.line(fmt::format("const AttentionTensor<{}{}, Index> {} = {};", isResult ? "" : "const ",
                       element, name, placed(tensor, isResult)));
}

void AttentionText::writeSizes() {
  out.line(fmt::format("const AttentionSizes<Index> sizes = {{{}, {}, {}, {}}};",
                       text(inputs.keyHeads), text(groups), text(inputs.queries),
                       text(inputs.keys)));
}

void AttentionText::writeShown() {
  writeSeen();
  writeMask();
}

void AttentionText::writeSeen() {
  std::string count = text(inputs.keys);
  if (!inputs.isCausal) {
    out.line("auto seen = [&](Index) -> Index { return " + count + "; };");
    return;
  }
  std::string before =
      inputs.offset ? fmt::format(" + toIndex<Index>(in{}[0])", *inputs.offset) : "";
  out.line("const Index before = 1" + before + ";");
  out.line("auto seen = [&](Index t) -> Index {");
  out.line("  return minimum((Index)(" + count + "), maximum((Index)0, t + before));");
  out.line("};");
}

void AttentionText::writeMask() {
  if (!inputs.mask) {
    out.line("const NoMask mask;");
    return;
  }
  AffineExpr place = inputs.mask->offset;
  const char *names[] = {"b", "h", "t", "j"};
  AffineExpr extents[] = {inputs.batch, inputs.heads, inputs.queries, inputs.keys};
  for (auto [name, extent, stride] : llvm::zip(names, extents, inputs.mask->strides))
    place = place + math.addVariable(name, extent) * stride;
  auto isBroadcast = [&](unsigned axis) {
    return math.constantOf(math.simplify(inputs.mask->strides[axis])) == 0;
  };
  bool isOfKeys = isBroadcast(1) && isBroadcast(2);
  out.line(isOfKeys ? "const auto mask = maskOfKeys([&](Index b, Index j) {"
                    : "auto mask = [&](Index b, Index h, Index t, Index j) {");
  out.line(fmt::format("  return (bool)in{}[{}];", inputs.mask->number, text(place)));
  out.line(isOfKeys ? "});" : "};");
}

} // namespace nnc::codegen
