// A kernel, or several that stand side by side, as one launch.
#include "codegen/plan/KernelWork.h"
#include "codegen/plan/StepBuilder.h"
#include "ir/Dims.h"
#include "ir/KernelAttrs.h"

#include <fmt/format.h>

using namespace mlir;

namespace nnc::codegen {

std::string launchName(nn::KernelOp first, size_t parts) {
  std::string name = first.getKernelName().str();
  return parts == 1 ? name : fmt::format("{} and {} more", name, parts - 1);
}

/// Kernels that stand side by side with the same number are parts of the first one's launch.
static SmallVector<nn::KernelOp> partsOf(nn::KernelOp kernel) {
  SmallVector<nn::KernelOp> parts{kernel};
  for (Operation *next = kernel->getNextNode(); nn::areLaunchedTogether(kernel, next);
       next = next->getNextNode())
    parts.push_back(cast<nn::KernelOp>(next));
  return parts;
}

void StepBuilder::addLaunch(nn::KernelOp kernel) {
  if (Operation *before = kernel->getPrevNode(); before && nn::areLaunchedTogether(kernel, before))
    return;
  auto found = draft.context.launches.find(kernel.getOperation());
  if (found == draft.context.launches.end())
    return draft.fail(fmt::format("kernel `{}` has no code", kernel.getKernelName().str()));
  const LaunchInfo &info = found->second;
  SmallVector<nn::KernelOp> parts = partsOf(kernel);
  for (nn::KernelOp part : parts)
    if (part.isUpdate())
      placeUpdate(part);
  format::LaunchT launch;
  addLaunchBuffers(launch, parts);
  launch.kernel = info.kernel;
  launch.update = llvm::any_of(parts, [](nn::KernelOp part) { return part.isUpdate(); });
  launch.table = info.hasTable;
  launch.grid = draft.pool.addAll(info.grid.getResults());
  launch.block.assign(info.block.begin(), info.block.end());
  launch.shared_bytes = info.sharedBytes;
  launch.work = describeWork(parts);
  launch.shared_elsewhere = info.sharedElsewhere;
  launch.persists = info.persists;
  for (const MappedTensor &map : info.maps)
    launch.maps.push_back(describeMap(map));
  if (AffineMap scratch = info.scratch)
    launch.scratch = addScratch(scratch.getResult(0), kernel);
  finish(std::move(launch), launchName(kernel, parts.size()), kernel.getLoc());
  if (AffineMap grid = info.phaseGrid; depth > 0 && grid)
    launches[steps->back().get()] = {kernel, draft.pool.add(grid.getResult(0))};
}

//===- Buffers --------------------------------------------------------------------------------===//

/// Gives the result of an update its operand's memory, or else a copy of that.
void StepBuilder::placeUpdate(nn::KernelOp kernel) {
  uint32_t old = places.use(kernel.getOperand(0));
  if (places.stateWrites().overwrittenBy(kernel->getResult(0)))
    return places.set(kernel.getResult(0), old);
  uint32_t copy = places.define(kernel.getResult(0), kernel.getKernelName());
  addCopy(old, copy, kernel.getKernelName(), kernel.getLoc());
}

void StepBuilder::addLaunchBuffers(format::LaunchT &launch, ArrayRef<nn::KernelOp> parts) {
  for (nn::KernelOp part : parts)
    for (OpOperand &operand : part->getOpOperands()) {
      bool isUpdated = part.isUpdate() && operand.getOperandNumber() == 0;
      launch.buffers.push_back(places.use(isUpdated ? part.getResult(0) : operand.get()));
    }
  for (nn::KernelOp part : parts)
    for (OpResult result : part->getResults())
      launch.buffers.push_back(places.defineResult(result, part.getKernelName()));
}

/// Memory that a launch has for itself: so many numbers.
int32_t StepBuilder::addScratch(AffineExpr count, nn::KernelOp kernel) {
  RankedTensorType type = nn::getTensorType(count, Float32Type::get(kernel.getContext()));
  return static_cast<int32_t>(buffers.addArena(type, kernel.getKernelName().str() + ".scratch"));
}

//===- Descriptions ---------------------------------------------------------------------------===//

std::unique_ptr<format::WorkT> StepBuilder::describeWork(ArrayRef<nn::KernelOp> parts) {
  KernelWork work = workOf(parts.front());
  for (nn::KernelOp part : parts.drop_front())
    work.add(workOf(part));
  auto add = [&](AffineExpr figure) { // 0 where nobody can count so far
    return boundsOf(figure, draft.ranges) ? figures.add(figure) : figures.constant(0);
  };
  auto stored = std::make_unique<format::WorkT>();
  llvm::append_range(stored->reads, llvm::map_range(work.reads, add));
  llvm::append_range(stored->writes, llvm::map_range(work.writes, add));
  stored->products = add(work.products);
  stored->operations = add(work.operations);
  stored->precision = work.isHalf   ? format::Precision::Half
                      : work.isTf32 ? format::Precision::Tf32
                                    : format::Precision::F32;
  return stored;
}

std::unique_ptr<format::CopyMapT> StepBuilder::describeMap(const MappedTensor &map) {
  auto added = std::make_unique<format::CopyMapT>();
  added->operand = map.operand;
  added->rows = map.rows;
  added->sizes = draft.pool.addAll(map.sizes.getResults());
  added->strides = draft.pool.addAll(map.strides.getResults());
  if (map.window)
    for (const std::array<int, 2> &part :
         {map.window->before, map.window->behind, map.window->steps})
      added->window.insert(added->window.end(), part.begin(), part.end());
  return added;
}

} // namespace nnc::codegen
