//===- LoopPlan.h - which loop becomes vectors ------------------*- C++ -*-===//
//
// Decides, from the addresses that a computation touches, how its loops are merged, which of them
// is done by vectors, and which are unrolled so that values in registers are used several times.
//
//===----------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CPU_LOOPPLAN_H
#define NNC_CODEGEN_CPU_LOOPPLAN_H

#include "codegen/cpu/Features.h"
#include "codegen/cpu/Poly.h"

#include "mlir/IR/Value.h"

namespace nnc::codegen {

class IndexMath;

/// One load or store of the innermost body.
struct Access {
  Poly address; ///< in elements
  int64_t bytes = 4;
  bool isOutput = false;
};

/// What was seen while a body was looked at with one placeholder value per dimension.
struct LoopAccesses {
  llvm::SmallVector<Access> list;
  bool scalarOnly = false; ///< something in the body cannot be done by vectors
};

/// A loop of the computation, before and after merging.
struct LoopDim {
  unsigned dim = 0; ///< the dimension of the computation that counts; those merged into it stay 0
  Poly size;
  int64_t bound = -1; ///< greatest size, -1 if unknown
  bool reduction = false;
  mlir::Value placeholder; ///< stands for the counter in addresses
};

struct LoopPlan {
  llvm::SmallVector<LoopDim> loops; ///< outermost first; reductions last
  int vectorLoop = -1;              ///< the loop that is done by vectors, or -1
  int64_t lanes = 1;                ///< elements of one step of it
  int64_t registerLanes = 1;        ///< elements of one register
  /// Loops of which several iterations are done at once, and how many.
  llvm::SmallVector<std::pair<unsigned, int64_t>> unrolled;

  bool isVectorReduction() const { return vectorLoop >= 0 && loops[vectorLoop].reduction; }
};

/// `canSplitSum`: partial results of a reduction may be joined at its end.
LoopPlan planLoops(llvm::SmallVector<LoopDim> loops, const LoopAccesses &accesses,
                   const IndexMath &math, const CpuFeatures &features, bool canSplitSum);

} // namespace nnc::codegen

#endif
