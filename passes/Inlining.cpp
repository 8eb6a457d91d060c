//===- Inlining.cpp - What upstream's inliner asks of the nn dialect --------------------------===//
//
// Every op of the dialect may be inlined anywhere: all are pure and none knows its function.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/Passes.h"

#include "ir/NNDialect.h"

#include "mlir/Dialect/Func/Extensions/InlinerExtension.h"
#include "mlir/Transforms/InliningUtils.h"

using namespace mlir;

namespace nnc {
namespace {

struct NNInliner : DialectInlinerInterface {
  using DialectInlinerInterface::DialectInlinerInterface;

  bool isLegalToInline(Operation *, Region *, bool, IRMapping &) const override { return true; }
  /// Into the body of a scan.
  bool isLegalToInline(Region *, Region *, bool, IRMapping &) const override { return true; }
};

} // namespace

void addInlining(DialectRegistry &registry) {
  func::registerInlinerExtension(registry);
  registry.addExtension(
      +[](MLIRContext *, nn::NNDialect *dialect) { dialect->addInterfaces<NNInliner>(); });
}

} // namespace nnc
