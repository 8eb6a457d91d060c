// What no step can write where it belongs is copied there.
#include "codegen/plan/StepBuilder.h"

using namespace mlir;

namespace nnc::codegen {

void StepBuilder::addCopy(uint32_t source, uint32_t target, StringRef name, Location loc) {
  buffers.touch(source);
  buffers.touch(target);
  format::CopyT copy;
  copy.src = source;
  copy.dst = target;
  copy.bytes = buffers[source].bytes;
  finish(std::move(copy), name, loc);
}

void StepBuilder::copyOutputs() {
  for (auto [value, output] : places.copiedOutputs()) {
    uint32_t source = places.use(value);
    uint32_t target = buffers.add(buffers.typeOf(source), format::BufferKind::Output, output,
                                  draft.entry->outputs[output]->name);
    addCopy(source, target, "copy", value.getLoc());
  }
}

/// A value that lies in a state which another copy overwrites is put aside first.
uint32_t StepBuilder::putAside(uint32_t source, nn::SetOp set) {
  const format::BufferT &from = buffers[source];
  bool isOverwritten = from.kind == format::BufferKind::State &&
                       llvm::any_of(places.stateWrites().copies(), [&](nn::SetOp other) {
                         return draft.context.states.lookup(other.getName()) == from.index;
                       });
  if (!isOverwritten)
    return source;
  uint32_t aside = buffers.addLike(source);
  addCopy(source, aside, set.getName(), set.getLoc());
  return aside;
}

void StepBuilder::copyStates() {
  ArrayRef<nn::SetOp> sets = places.stateWrites().copies();
  SmallVector<uint32_t> sources;
  for (nn::SetOp set : sets)
    sources.push_back(putAside(places.use(set.getValue()), set));
  for (auto [set, source] : llvm::zip_equal(sets, sources)) {
    nn::SetOp write = set;
    auto type = cast<RankedTensorType>(write.getValue().getType());
    addCopy(source, places.addState(type, write.getName(), type), write.getName(), write.getLoc());
  }
}

} // namespace nnc::codegen
