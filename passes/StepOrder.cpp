//===- StepOrder.cpp - Which step of a block has to run before which --------------------------===//
#include "passes/StepOrder.h"

#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/PriorityQueue.h"

using namespace mlir;

namespace nnc {

Value withoutReshapes(Value value) {
  while (auto reshape = value.getDefiningOp<nn::ReshapeOp>())
    value = reshape->getOperand(0);
  return value;
}

SmallVector<Operation *> readersOf(Value value, Block &block) {
  SmallVector<Operation *> readers;
  SmallVector<Value> names{value};
  while (!names.empty())
    for (Operation *user : names.pop_back_val().getUsers()) {
      if (isa<nn::ReshapeOp>(user))
        names.push_back(user->getResult(0));
      else if (Operation *step =
                   block.findAncestorOpInBlock(*user)) // a loop reads what its body does
        readers.push_back(step);
    }
  return readers;
}

StepOrder::StepOrder(Block &block) : block(block) {
  for (Operation &op : block) {
    places[&op] = steps.size();
    steps.push_back({&op, {}, {}});
  }
  llvm::StringMap<SmallVector<nn::GetOp, 1>> gets;
  for (Step &step : steps) {
    for (Operation *user : step.op->getUsers())
      if (Operation *reader = block.findAncestorOpInBlock(*user))
        add(step.op, reader);
    if (auto get = dyn_cast<nn::GetOp>(step.op))
      gets[get.getName()].push_back(get);
  }
  for (Step &step : steps) {
    if (auto kernel = dyn_cast<nn::KernelOp>(step.op); kernel && kernel.isUpdate())
      keepReaders(withoutReshapes(kernel.getOperand(0)), kernel);
    if (auto set = dyn_cast<nn::SetOp>(step.op))
      for (nn::GetOp get : gets.lookup(set.getName()))
        if (Operation *maker = withoutReshapes(set.getValue()).getDefiningOp())
          keepReaders(get.getResult(), maker);
  }
}

void StepOrder::keepReaders(Value old, Operation *maker) {
  for (Operation *reader : readersOf(old, block))
    if (reader != maker && place(reader) < place(maker))
      add(reader, maker);
}

void StepOrder::add(Operation *before, Operation *after) {
  unsigned from = place(before), to = place(after);
  if (llvm::is_contained(steps[to].before, from))
    return;
  steps[to].before.push_back(from);
  steps[from].behind.push_back(to);
}

bool StepOrder::waitsFor(Operation *after, Operation *before) const {
  llvm::BitVector seen(steps.size());
  SmallVector<unsigned> pending{place(after)};
  while (!pending.empty())
    for (unsigned earlier : steps[pending.pop_back_val()].before) {
      if (earlier == place(before))
        return true;
      if (!seen.test(earlier))
        pending.push_back(earlier);
      seen.set(earlier);
    }
  return false;
}

void StepOrder::sort() const {
  std::vector<unsigned> missing;
  llvm::PriorityQueue<unsigned, std::vector<unsigned>, std::greater<unsigned>> ready;
  for (auto [number, step] : llvm::enumerate(steps)) {
    missing.push_back(step.before.size());
    if (step.before.empty())
      ready.push(number);
  }
  while (!ready.empty()) {
    const Step &step = steps[ready.top()];
    ready.pop();
    step.op->moveBefore(&block, block.end());
    for (unsigned next : step.behind)
      if (--missing[next] == 0)
        ready.push(next);
  }
}

} // namespace nnc
