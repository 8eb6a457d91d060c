//===- KernelBody.h - What the emitter knows of a kernel ----------------------------*- C++ -*-===//
//
// An nn.kernel apart from the dialect's own classes: the rest of this folder works on upstream
// operations only.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CUDA_KERNELBODY_H
#define NNC_CODEGEN_CUDA_KERNELBODY_H

#include "codegen/cuda/IndexMath.h"
#include "mlir/IR/Block.h"
#include "mlir/IR/Operation.h"
#include <string>
#include <vector>

namespace nnc::nn {
class KernelOp;
} // namespace nnc::nn

namespace nnc::codegen {

class TacticBook;

using IndexList = llvm::SmallVector<mlir::AffineExpr>;

struct KernelBody {
  std::string name;   ///< of the nn.kernel
  std::string anchor; ///< "pointwise", "convolution", ...
  mlir::Operation *op = nullptr;
  mlir::Block *block = nullptr;        ///< lowered; ends in nn.yield
  std::vector<IndexList> argumentDims; ///< sizes of the block's arguments, over symbols
  std::vector<IndexList> resultDims;   ///< sizes of the yielded values
  /// Of an update: where in its operand's memory, per axis, what the kernel yields begins, and how
  /// far apart its elements are. Empty else.
  IndexList updateStart;
  llvm::SmallVector<int64_t> updateStep;
  std::vector<std::string> dimNames;    ///< of the entry point's symbols, in order
  std::vector<IndexRange> symbolRanges; ///< of the same
  std::vector<mlir::Type> scalarTypes;  ///< of run-time scalars, null for sizes and counters
  std::vector<int64_t> inPlace;         ///< by result: the argument whose memory it gets, or -1
  bool allowsTf32 = false;              ///< f32 factors of its product may be rounded to TF32
  unsigned threads = 0;                 ///< that a block must have; 0: any
  TacticBook *tactics = nullptr;        ///< who chooses; null: the cost model
  bool isInLoop = false;                ///< a step of a loop
  // Of a kernel that becomes part of a loop's kernel.
  unsigned residentBytes = 0;         ///< shared memory in which its weights may stay
  std::vector<bool> isInvariant;      ///< by argument: the same in all iterations
  std::vector<unsigned> loopCounters; ///< symbols that change from one iteration to the next
  unsigned parts = 1;                 ///< equal runs of columns in which a product is read then
};

KernelBody describeKernel(nn::KernelOp kernel);

/// Whether the operand of a kernel is the same in every call: what a `param` holds that no entry
/// point sets, or what was prepared. Looks through the whole module.
bool isWeight(mlir::Value operand);

/// The number of the dimension that an `nn.symbol` gives; none for any other operation.
std::optional<unsigned> symbolOf(mlir::Operation *op);

/// "conv1.tanh (lenet.nn:12:20)": the module path and source of a location, for comments and
/// errors.
std::string describeLocation(mlir::Location location);

} // namespace nnc::codegen

#endif // NNC_CODEGEN_CUDA_KERNELBODY_H
