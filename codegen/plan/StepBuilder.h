// The steps of an entry point, in the order of its text.
#pragma once

#include "codegen/plan/ValuePlaces.h"

#include "llvm/ADT/SmallSet.h"

namespace nnc::codegen {

class StepBuilder {
public:
  StepBuilder(EntryDraft &draft, BufferTable &buffers, ValuePlaces &places, LoopLaunches &launches)
      : draft(draft), buffers(buffers), places(places), launches(launches),
        steps(&draft.entry->steps), figures(draft.entry->figures, draft.function.getContext()) {}

  void addOperation(mlir::Operation &op);

  //===- CopySteps.cpp ------------------------------------------------------------------------===//

  /// Copies results that no step could write where the caller wants them.
  void copyOutputs();
  /// Copies what a state holds after the call, where no kernel put it there.
  void copyStates();

private:
  /// Appends a step to the entry, or to the loop that is being built.
  template <typename Step> void finish(Step step, llvm::StringRef name, mlir::Location loc) {
    auto stored = std::make_unique<format::StepT>();
    stored->what.Set(std::move(step));
    stored->name = name.str();
    stored->location = locationOf(loc);
    steps->push_back(std::move(stored));
    buffers.advance();
  }
  void addGemm(nn::GemmOp gemm);

  void addCopy(uint32_t source, uint32_t target, llvm::StringRef name, mlir::Location loc);
  uint32_t putAside(uint32_t source, nn::SetOp set);

  //===- LaunchSteps.cpp ----------------------------------------------------------------------===//

  void addLaunch(nn::KernelOp kernel);
  void placeUpdate(nn::KernelOp kernel);
  void addLaunchBuffers(format::LaunchT &launch, llvm::ArrayRef<nn::KernelOp> parts);
  int32_t addScratch(mlir::AffineExpr count, nn::KernelOp kernel);
  std::unique_ptr<format::WorkT> describeWork(llvm::ArrayRef<nn::KernelOp> parts);
  std::unique_ptr<format::CopyMapT> describeMap(const MappedTensor &map);

  //===- LoopSteps.cpp ------------------------------------------------------------------------===//

  void addLoop(nn::ScanOp scan);
  void carryIn(nn::ScanOp scan, format::LoopT &loop);
  void placeStacks(nn::ScanOp scan, format::LoopT &loop);
  void addBody(nn::ScanOp scan, format::LoopT &loop);
  void carryOn(nn::ScanOp scan, unsigned index, format::CarriedT &carried,
               llvm::SmallDenseSet<uint32_t> &taken);
  bool isSlotAligned(mlir::RankedTensorType type);

  EntryDraft &draft;
  BufferTable &buffers;
  ValuePlaces &places;
  LoopLaunches &launches;
  std::vector<std::unique_ptr<format::StepT>> *steps; ///< of the entry, or of the loop being built
  unsigned depth = 0;                                 ///< of loops
  ExprPool figures;                                   ///< of Entry.figures
};

} // namespace nnc::codegen
