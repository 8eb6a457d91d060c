//===- LoopEmitter.h - the loops of one computation -------------*- C++ -*-===//
//
// Emits a Nest as loops. The body is first looked at once, on placeholders, to learn what it does
// with memory; LoopPlan decides; then the loops are emitted with the body evaluated for one or more
// lanes.
//
//===----------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CPU_LOOPEMITTER_H
#define NNC_CODEGEN_CPU_LOOPEMITTER_H

#include "codegen/cpu/KernelEmitter.h"

namespace nnc::codegen {

class LoopEmitter {
public:
  LoopEmitter(KernelEmitter &emitter, const Nest &nest);
  void emit();

private:
  using Values = llvm::SmallVector<mlir::Value>;
  using Body = llvm::function_ref<void(Poly counter)>;
  using CarryingBody = llvm::function_ref<Values(Poly counter, mlir::ValueRange carried)>;

  LoopAccesses look();
  void plan();
  void emitParallel(llvm::ArrayRef<unsigned> order);
  void emitVectors(const LoopDim &loop, llvm::function_ref<void()> body);
  void emitUnrolled(llvm::ArrayRef<std::pair<unsigned, int64_t>> rest);
  void emitElements();
  void emitReduction();
  Values emitSums(llvm::ArrayRef<unsigned> order, Values carried);
  Values emitVectorSums(const LoopDim &loop, Values carried);
  Values zerosLike(mlir::ValueRange sums);
  Values addEach(mlir::ValueRange before, Values sums);
  int chooseBlockedLoop(llvm::ArrayRef<unsigned> order) const;
  Values computeOnce(mlir::ValueRange carried);
  Values initialValues();
  void storeAll(mlir::ValueRange values);
  mlir::Value joinHalves(mlir::Operation *combiner, mlir::Value a, mlir::Value b, int64_t run);
  mlir::Value joinLanes(mlir::Operation *combiner, Values vectors);
  Values joinAll(mlir::ValueRange starts, mlir::ValueRange sums);
  mlir::Value join(mlir::Operation *combiner, mlir::Value a, mlir::Value b);
  mlir::Value neutralVector(const Nest::Output &output);

  void forEach(Poly from, Poly to, int64_t step, Body body);
  Values forEachCarrying(Poly from, Poly to, int64_t step, Values carried, CarryingBody body);
  Values forEachSumming(bool inBlocks, Poly from, Poly to, int64_t step, Values carried,
                        CarryingBody body);
  Poly roundDown(const Poly &size, int64_t step);
  mlir::Value maskOf(int64_t count, const Poly &live);
  bool canMask() const;
  void setCounter(const LoopDim &loop, Poly counter);
  void withLanes(Lanes lanes, llvm::function_ref<void()> body);

  KernelEmitter &e;
  const Nest &nest;
  mlir::OpBuilder &builder;
  mlir::Location loc;
  LoopPlan planned;
  int64_t leastBytes = 8; ///< the smallest element in memory
  llvm::SmallVector<Coord> coords;
  /// Coordinates of the iterations that are done at once.
  llvm::SmallVector<llvm::SmallVector<Coord>> copies;
  bool hasReduction;
  bool sumsHaveRest = false; ///< lanes of a sum without masks leave a rest for a scalar sum
  int blockedLoop = -1;      ///< the loop whose iterations are summed in blocks, or -1
};

} // namespace nnc::codegen

#endif
