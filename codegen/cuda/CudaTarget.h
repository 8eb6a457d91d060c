//===- CudaTarget.h - CUDA C++ from lowered kernels ---------------------------------*- C++ -*-===//
//
// The cuda target's front door: nn.kernel bodies (linalg, tensor, arith, math on plain tensors) go
// in, readable and deterministic CUDA C++ comes out. Compiling that text is Cubin.h's business, so
// that who only compiles text needs no MLIR.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CUDA_CUDATARGET_H
#define NNC_CODEGEN_CUDA_CUDATARGET_H

#include "codegen/cuda/Cubin.h"
#include "codegen/cuda/LoopParts.h"
#include "codegen/cuda/TensorMaps.h"
#include "mlir/IR/AffineMap.h"
#include "runtime/format/Result.h"
#include "llvm/ADT/ArrayRef.h"
#include <array>
#include <optional>
#include <string>
#include <vector>

namespace nnc::nn {
class KernelOp;
} // namespace nnc::nn

namespace nnc::codegen {

class TacticBook;

struct CudaOptions {
  TacticBook *tactics = nullptr; ///< who chooses tiles; null: the cost model
};

/// A kernel as one step of a loop that runs as one kernel: what a device function needs.
struct CudaPhase {
  std::vector<std::string> parameters; ///< types of operands and results, then of the symbols
  std::string function; ///< `(const unsigned blockId, ...) {...}`: a function but for its name
  std::vector<std::string> headers;
  unsigned threads = 0;                        ///< of a block
  unsigned staticShared = 0;                   ///< bytes, at most
  std::vector<std::string> templateParameters; ///< of the function, which is a template then
  /// Then the function has a `bool Prepares`, and two parameters more are first: `char *weights,
  /// float *sums`.
  std::optional<ResidentProduct> resident = {};
  /// Then its first parameter is `const long long threadId`, of a thread of the grid.
  std::optional<ElementReads> reads = {};
};

/// One `extern "C" __global__ void symbol(in pointers..., out pointers..., long long d0, ...)`.
/// Pointers are in the order of the kernel's operands, then its results; every symbol of the entry
/// point follows in order, used or not: sizes and loop counters as numbers, run-time scalars as
/// pointers to where the device has them, so that a graph stays valid when they change. Every
/// pointer is aligned to 16 bytes; i1 tensors take one byte (0 or 1) per element.
struct CudaKernel {
  std::string symbol;
  /// The generated part only, beginning with `#include "prelude.cuh"` and the templates it needs:
  /// what `--emit=cuda` prints. translationUnit(source) is what compilers get and model.bin
  /// carries.
  std::string source;
  mlir::AffineMap grid;            ///< ()[dims of the entry] -> (x, y, z): blocks to launch
  std::array<unsigned, 3> block{}; ///< threads of a block
  unsigned sharedBytes = 0; ///< dynamic shared memory of a block (static memory is not counted)
  /// The same on GPUs without what bulk.cuh has (Hopper has it), if it is not 0.
  unsigned sharedElsewhere = 0;
  bool startsEarly = false; ///< reads nothing but weights before it waits for the kernels before it
  std::string tactic;       ///< for people: "MmaTile<128, 256, 2, 4, 4, 1>", "rows", "elements"
  /// If not 0, blocks take turn after turn: launch so many for each multiprocessor at most.
  unsigned persists = 0;
  std::vector<MappedTensor> maps; ///< parameters after all others
  bool hasTable = false; ///< operands and results of all its parts are one parameter (parts.cuh)
  /// ()[dims of the entry] -> (numbers of 4 bytes that a launch has for itself), null if none: then
  /// two parameters more are last, `void *scratch` and `unsigned *arrivals`, zeros before and after
  /// a launch.
  mlir::AffineMap scratch;
  /// Of a kernel in a scan, if it can be part of a larger one; all of one outermost scan have
  /// equally many threads.
  std::optional<CudaPhase> phase;
  mlir::AffineMap phaseGrid; ///< as `grid`, of the phase
};

/// Emits every kernel of `kernels`, whose bodies nn-lower-to-linalg has lowered: one result per
/// kernel in the same order; kernels equal but for locations and names share symbol and source.
/// Fails with a sentence that names the kernel and its place when a body holds what cannot be
/// emitted.
Result<std::vector<CudaKernel>> emitCuda(llvm::ArrayRef<nn::KernelOp> kernels,
                                         const CudaOptions &options);

} // namespace nnc::codegen

#endif // NNC_CODEGEN_CUDA_CUDATARGET_H
