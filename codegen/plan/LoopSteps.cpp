// `nn.scan` as a step that holds steps: what it carries, and what it stacks.
#include "codegen/plan/StepBuilder.h"
#include "ir/Dims.h"
#include "passes/StepOrder.h"

#include <fmt/format.h>

using namespace mlir;

namespace nnc::codegen {

void StepBuilder::addLoop(nn::ScanOp scan) {
  if (++depth > format::MaxLoopDepth)
    draft.fail(fmt::format("more than {} scans are within each other", format::MaxLoopDepth));
  int64_t start = buffers.advance(); // the body's own values begin after it
  format::LoopT loop;
  loop.counter = scan.getCounter();
  loop.length = draft.pool.add(scan.getLengthExpr());
  loop.reverse = scan.getReverse();
  carryIn(scan, loop);
  placeStacks(scan, loop);
  auto *outer = std::exchange(steps, &loop.steps);
  addBody(scan, loop);
  steps = outer;
  --depth;
  buffers.keepAlive(start, loop);
  auto name = dyn_cast<NameLoc>(scan.getLoc());
  finish(std::move(loop), name ? name.getName().getValue() : StringRef("scan"), scan.getLoc());
}

void StepBuilder::carryIn(nn::ScanOp scan, format::LoopT &loop) {
  for (auto [init, argument] : llvm::zip_equal(scan.getInits(), scan.getBody()->getArguments())) {
    auto carried = std::make_unique<format::CarriedT>();
    carried->init = places.use(init);
    carried->argument = places.defineInLoop(argument, "carried");
    buffers.liesOn(carried->argument, {carried->init});
    loop.carried.push_back(std::move(carried));
  }
}

//===- Stacks ---------------------------------------------------------------------------------===//

/// Whether every part of a stack begins where kernels may begin to write.
bool StepBuilder::isSlotAligned(RankedTensorType type) {
  constexpr int64_t Alignment = 16;
  int64_t bytes = dtypeBytes(draft.elementOf(type));
  for (AffineExpr dim : nn::getDims(type))
    bytes = bytes * nn::getConstant(dim).value_or(1) % Alignment;
  return draft.model.target == format::Target::Cpu || bytes == 0;
}

/// Gives the stacked values their memory. If a kernel of the body makes a value, it writes there
/// itself.
void StepBuilder::placeStacks(nn::ScanOp scan, format::LoopT &loop) {
  for (unsigned i = scan.getNumCarried(); i < scan.getNumResults(); ++i) {
    auto stacked = std::make_unique<format::StackedT>();
    stacked->result = places.define(scan.getResult(i), "stack");
    buffers.touch(stacked->result);
    Value yielded = scan.getYield().getOperand(i), root = withoutReshapes(yielded);
    auto type = cast<RankedTensorType>(yielded.getType());
    stacked->slot = buffers.add(type, format::BufferKind::Loop, 0, "slot");
    buffers.liesOn(stacked->slot, {stacked->result});
    if (places.isMadeIn(scan, root) && isSlotAligned(type))
      places.writeInto(root, stacked->slot);
    loop.stacked.push_back(std::move(stacked));
  }
}

//===- The body -------------------------------------------------------------------------------===//

void StepBuilder::addBody(nn::ScanOp scan, format::LoopT &loop) {
  for (Operation &op : *scan.getBody())
    addOperation(op);
  for (auto [i, stacked] : llvm::enumerate(loop.stacked)) {
    uint32_t made = places.use(scan.getYield().getOperand(scan.getNumCarried() + i));
    if (made != stacked->slot)
      addCopy(made, stacked->slot, "copy", scan.getLoc());
  }
  llvm::SmallDenseSet<uint32_t> taken;
  for (auto [i, carried] : llvm::enumerate(loop.carried))
    carryOn(scan, i, *carried, taken);
}

/// What an iteration leaves to the next lies where the loop's kernel wrote it.
void StepBuilder::carryOn(nn::ScanOp scan, unsigned index, format::CarriedT &carried,
                          llvm::SmallDenseSet<uint32_t> &taken) {
  Value yielded = scan.getYield().getOperand(index);
  uint32_t made = places.use(yielded);
  if (places.isMadeIn(scan, withoutReshapes(yielded)) && taken.insert(made).second) {
    carried.next = made;
  } else {
    carried.next = buffers.addLike(carried.argument);
    addCopy(made, carried.next, "copy", yielded.getLoc());
  }
  // Memory of its own in every iteration needs nobody to take turns with.
  if (buffers[carried.next].kind == format::BufferKind::Arena)
    carried.spare = static_cast<int32_t>(buffers.addLike(carried.next));
  carried.result = places.defineInLoop(scan.getResult(index), "last");
  SmallVector<uint32_t, 4> memory = {carried.init, carried.next};
  if (carried.spare >= 0)
    memory.push_back(static_cast<uint32_t>(carried.spare));
  buffers.liesOn(carried.result, std::move(memory));
}

} // namespace nnc::codegen
