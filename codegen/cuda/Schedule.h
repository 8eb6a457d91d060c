//===- Schedule.h - Who computes which elements -------------------------------------*- C++ -*-===//
//
// Ways to spread a kernel over blocks and threads. Each writes the statements of the kernel's body;
// the signature around them is CudaTarget.cpp's.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CUDA_SCHEDULE_H
#define NNC_CODEGEN_CUDA_SCHEDULE_H

#include "codegen/cuda/Evaluator.h"
#include "codegen/cuda/LoopParts.h"
#include "codegen/cuda/TensorMaps.h"

namespace nnc::codegen {

/// Kernels of so many blocks at most start early though they have nothing to do before they wait:
/// one for each multiprocessor of an H200.
constexpr int64_t FewBlocks = 132;

/// A kernel's body and how it is launched. Statements call the number of their block `blockId`.
struct Scheduled {
  std::string statements;              ///< at indentation 0
  mlir::AffineExpr blocks;             ///< over symbols
  unsigned threads = 0;                ///< of a block
  std::vector<std::string> headers;    ///< device files needed besides the prelude
  unsigned sharedBytes = 0;            ///< dynamic shared memory of a block
  unsigned staticShared = 1024;        ///< at most so many bytes of shared memory are declared
  unsigned cluster = 1;                ///< blocks of a cluster
  unsigned together = 0;               ///< blocks that a multiprocessor holds; 0: as it may be
  std::vector<MappedTensor> maps = {}; ///< parameters map0, ... after all others
  unsigned persists = 0; ///< blocks that each multiprocessor gets, which take turn after turn
  unsigned sharedElsewhere = 0; ///< instead of sharedBytes, on GPUs without what bulk.cuh has
  std::optional<ResidentProduct> resident = {};
  std::optional<ElementReads> reads = {};
  /// Numbers of 4 bytes that the launch has for itself, as `scratch`; then `arrivals` counts blocks
  /// that are done with their part, of up to format::MaxArrivals tiles, and is zeros before and
  /// after.
  mlir::AffineExpr scratch = {};
  bool waits = false; ///< for the kernels before it, having begun to read weights if there are any
  std::string tactic = {}; ///< for people: the template and its parameters
  int64_t partThreads = 0; ///< of a part: how many threads have something to do
};

/// Each thread computes one element of the results, or four neighbours. Takes every kernel:
/// reductions are loops of the thread.
Result<Scheduled> schedulePointwise(const KernelBody &body);

/// The same for a part of a launch (PartsKernel.h), whose results have one size, a number. The
/// statements call the number of threads that have something to do `count`.
Result<Scheduled> schedulePart(const KernelBody &body);

/// Threads of a block of a launch of several kernels.
inline constexpr unsigned PartThreads = 256;

/// The same for a part whose results are reductions of all its elements, or computed from such. The
/// statements, which several blocks share, call the number of these `blocks`; `scratch` of what is
/// scheduled are the numbers that each of them has in memory of the launch's own. Fails if a
/// reduction needs another one.
Result<Scheduled> scheduleSumPart(const KernelBody &body);

/// Rows: what is needed by a reduction is read by a warp or a block together. Fails, with a reason
/// that is not the user's business, if the kernel is not of that form.
Result<Scheduled> scheduleRows(const KernelBody &body);

/// Reductions of few results: sums of columns, and of a few long rows, that blocks share out on the
/// template columns.cuh. Fails as above.
Result<Scheduled> scheduleColumns(const KernelBody &body);

/// One contraction or convolution with what is fused around it, on the template gemm.cuh. Fails as
/// above.
Result<Scheduled> scheduleContraction(const KernelBody &body);

/// One contraction with few rows, on the template gemv.cuh. Fails as above.
Result<Scheduled> scheduleVectors(const KernelBody &body);

/// Attention on the template attention.cuh; the kernel is not lowered. Fails, with a sentence for
/// the user, where heads are too large.
Result<Scheduled> scheduleAttention(const KernelBody &body);

/// Its gradients on the template attention_grad.cuh; the kernel is not lowered.
Result<Scheduled> scheduleAttentionGrad(const KernelBody &body);

/// Sums of rows by number on the template scatter.cuh; the kernel is not lowered.
Result<Scheduled> scheduleScatter(const KernelBody &body);

/// What a schedule works with, while it writes.
struct Writing {
  explicit Writing(const KernelBody &body)
      : math(body.op->getContext(), body.symbolRanges), evaluator(body, math, out) {}
  IndexMath math;
  CodeWriter out;
  Evaluator evaluator;
};

/// A result of the kernel. Reshapes at the end do not move anything, so `tensor` is what lies
/// before them.
struct Output {
  mlir::Value tensor;
  std::string pointer; ///< "out0"
  IndexList dims;      ///< of `tensor`
};
/// Where in the output's memory the element of `tensor` at `indices` goes.
mlir::AffineExpr placeOf(const KernelBody &body, const IndexMath &math, const Output &output,
                         const IndexList &indices);
Result<std::vector<Output>> outputsOf(const KernelBody &body, Evaluator &evaluator);

/// Elements of results that are computed one by one in a loop of `width` neighbours, and stored as
/// vectors behind it where they are neighbours in memory.
class VectorStores {
public:
  explicit VectorStores(Evaluator &evaluator) : evaluator(evaluator) {}
  /// Opens the loop; the result counts the neighbours. Loads that run along it are vectors too;
  /// for `ahead` see Evaluator::openLanes.
  mlir::AffineExpr open(llvm::ArrayRef<Output> outputs, int64_t width,
                        Evaluator::AheadLoads *ahead = nullptr);
  void add(const Output &output, mlir::AffineExpr place, const std::string &value);
  void close();

private:
  Evaluator &evaluator;
  mlir::AffineExpr lane;
  int64_t width = 1;
  std::vector<std::string> stores; ///< that follow the loop
};

/// Whether all elements are of at most 32 bits, so that neighbours make good vectors.
bool areNarrow(llvm::ArrayRef<Output> outputs);

/// Whether two lists of sizes are provably the same.
bool sameDims(const IndexMath &math, const IndexList &a, const IndexList &b);

/// The number of the one of `candidates`, the best by the cost model first, that the build uses.
size_t chooseTactic(const KernelBody &body, const std::string &key,
                    std::vector<std::string> candidates);

/// A plausible value of an expression over symbols, for choices that do not change results.
int64_t typicalValue(const KernelBody &body, const IndexMath &math, mlir::AffineExpr expr);

/// `text` with two more spaces before each line.
std::string indented(const std::string &text);

/// Says that a kernel has a tensor that cannot be written.
Error unsupportedElement(const KernelBody &body);

/// Whether 32 bits hold every position in every tensor of the body.
bool fitsInt(const KernelBody &body);

} // namespace nnc::codegen

#endif // NNC_CODEGEN_CUDA_SCHEDULE_H
