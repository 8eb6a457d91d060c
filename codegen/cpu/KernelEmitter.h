//===- KernelEmitter.h - loops and vectors for one kernel -------*- C++ -*-===//
//
// Turns the tensor operations of a kernel body into loops over memory, by demand: a block of the
// grid asks for its box of each result; what a box needs is either computed where it is used
// (inlined) or first materialized, for just the part needed, into a buffer on the stack. Loops over
// contiguous memory become vectors; products are blocked for registers. The emitted code is scf,
// arith, math and vector operations in a func.func, with loads and stores of the LLVM dialect.
//
// This is used instead of the upstream passes for tiling, vectorization and bufferization because
// it compiles faster, never allocates, and handles reshapes, padding, concatenation and dynamic
// sizes alike.
//
//===----------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CPU_KERNELEMITTER_H
#define NNC_CODEGEN_CPU_KERNELEMITTER_H

#include "codegen/cpu/Features.h"
#include "codegen/cpu/Fusion.h"
#include "codegen/cpu/IndexMath.h"
#include "codegen/cpu/KernelSource.h"
#include "codegen/cpu/LoopPlan.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include "llvm/ADT/MapVector.h"

#include <functional>
#include <memory>
#include <string>

namespace nnc::codegen {

/// Elements in memory: element c has the address pointer + sum(strides * c) + base, in elements.
struct View {
  mlir::Value pointer;
  mlir::Type element;
  Poly base;
  llvm::SmallVector<Poly> strides;
};

/// An interval of an axis. `bound` is the greatest size, or -1 where only the dimensions know.
struct Interval {
  Poly offset, size;
  int64_t bound = -1;

  bool operator==(const Interval &other) const {
    return offset == other.offset && size == other.size && bound == other.bound;
  }
};
using Box = llvm::SmallVector<Interval>;

/// A position along an axis: one per lane if `lanes` is set (a vector of index), else `poly`, which
/// may contain the lane.
struct Coord {
  Poly poly;
  mlir::Value lanes;
};

/// The value of an element: a vector with one per lane, a scalar, or an index not yet materialized.
struct Element {
  mlir::Value value;
  bool isVector = false;
  std::optional<Poly> index;
};

/// How many elements are computed at once, and which of them exist.
struct Lanes {
  int64_t count = 1;
  mlir::Value mask;            ///< vector of i1, or null: all
  std::optional<int64_t> live; ///< the number of lanes that the mask lets through, if constant
};

/// A computation over a box of a loop space: what LoopEmitter turns into loops.
struct Nest {
  explicit Nest(mlir::Location loc) : loc(loc) {}

  mlir::Location loc;
  llvm::SmallVector<Interval> ranges; ///< per dimension
  llvm::SmallVector<bool> reduction;  ///< per dimension
  struct Output {
    View view;
    mlir::AffineMap map;                 ///< dimensions to coordinates; projected permutation
    mlir::Type type;                     ///< of the element
    mlir::Value init;                    ///< the tensor of initial values; null: of zeros
    mlir::Operation *combiner = nullptr; ///< the operation that joins partial results, if known
  };
  llvm::SmallVector<Output> outputs;
  bool accumulate = false;   ///< start from what is in the views instead of the initial values
  bool readsOutputs = false; ///< the body uses the initial values although nothing is reduced
  bool isPlainSum = false;   ///< all outputs are sums of floats, one for each element of an operand
  /// The new values of the outputs, from the coordinates and the present values.
  std::function<llvm::SmallVector<Element>(llvm::ArrayRef<Coord> dims,
                                           llvm::ArrayRef<Element> outputs)>
      compute;
};

/// Whether the elements of an input of a product are each read so often that a copy pays.
bool isReadOften(mlir::linalg::LinalgOp op, mlir::OpOperand &operand,
                 llvm::ArrayRef<Interval> dims);
/// Whether it is moreover read with a step.
bool hasGaps(mlir::linalg::LinalgOp op, mlir::OpOperand &operand, llvm::ArrayRef<Interval> dims);

/// The largest buffer on the stack, and all of them.
inline constexpr int64_t maxBufferBytes = 128 * 1024;
inline constexpr int64_t maxStackBytes = 448 * 1024;

class KernelEmitter {
public:
  KernelEmitter(const KernelSource &source, const CpuFeatures &features, mlir::OpBuilder &builder);

  /// Emits `@symbol(pointers..., dims, block)` into `module`; the grid, or null on failure.
  mlir::AffineMap emit(mlir::ModuleOp module, llvm::StringRef symbol);
  const std::string &getFailure() const { return failure; }

private:
  friend class LoopEmitter;
  friend class WinogradEmitter;

  // EmitKernel.cpp: the function, the blocks, and what each of them writes.
  void emitArguments(mlir::func::FuncOp function);
  mlir::AffineExpr emitResult(mlir::Value result, View dest, Poly block, mlir::AffineExpr first,
                              bool isLast);
  void enterWhenInside(mlir::Location loc, const Poly &block, const Poly &count);
  static View denseView(mlir::Value pointer, mlir::Type element, llvm::ArrayRef<Poly> shape);
  View updatedView(mlir::Value pointer);

  // Demands.cpp: which boxes of tensors are wanted, and which of them in memory.
  /// What is read of a tensor, and whether from memory or computed where it is read.
  struct Demand {
    Box box;
    bool inMemory;
  };
  using Demands = llvm::MapVector<mlir::Value, Demand>;
  void demandOperands(mlir::linalg::LinalgOp op, llvm::ArrayRef<Interval> dims, Demands &demands);
  bool note(mlir::Value tensor, Box &box, bool wantsMemory, Demands &demands);
  void demand(mlir::Value tensor, Box box, const UseOfTensor &use, Demands &demands);
  bool wantsPart(mlir::linalg::LinalgOp op, mlir::OpOperand &operand,
                 llvm::ArrayRef<Interval> dims);
  Box reshapeBox(mlir::Operation *reshape, const Box &box);
  void cutOutermost(mlir::Location loc, const ReshapeGroup &group, const Interval &range,
                    Box &inner);
  Box mapBox(mlir::AffineMap map, llvm::ArrayRef<Interval> dims, mlir::Value tensor);
  Box fullBox(mlir::Value tensor);

  // Materialize.cpp: boxes of tensors in memory.
  void emitInto(mlir::Value tensor, const Box &box, const View &dest);
  void emitCopy(mlir::Value tensor, const Box &box, const View &dest);
  void emitPad(mlir::tensor::PadOp op, const Box &box, const View &dest);
  void emitInsert(mlir::tensor::InsertSliceOp op, const Box &box, const View &dest);
  Box intersect(mlir::Location loc, const Box &box, llvm::ArrayRef<Poly> starts,
                llvm::ArrayRef<Poly> extents);
  void emitLinalg(mlir::linalg::LinalgOp op, unsigned result, const Box &box, const View &dest);
  struct PackedOperand {
    unsigned number; ///< of the operand
    llvm::SmallVector<unsigned> dims;
    View view; ///< by the coordinates of `dims`
  };
  using Packs = llvm::SmallVector<PackedOperand>;
  void emitChunks(mlir::linalg::LinalgOp op, Nest &nest, Packs &packs);
  void emitChunk(mlir::linalg::LinalgOp op, Nest &nest, Packs &packs);
  std::optional<std::pair<unsigned, int64_t>> chooseChunk(mlir::linalg::LinalgOp op,
                                                          const Nest &nest);
  void emitInitialValues(const Nest &nest);
  bool fitsInto(mlir::linalg::LinalgOp op, mlir::OpOperand &operand, llvm::ArrayRef<Interval> dims);
  void materializeAll(const Demands &demands);
  bool isMaterialized(mlir::Value tensor, const Box &box);
  struct Materialized;
  const Materialized *findMaterialized(mlir::Value tensor) const;
  const View *findView(mlir::Value tensor) const;

  // Buffers.cpp: parts of the stack.
  bool isSmall(mlir::Value tensor, const Box &box);
  View allocate(mlir::Location loc, mlir::Type element, const Box &box);
  struct Buffer;
  Buffer *findFree(mlir::Type stored, int64_t bytes);
  int64_t freeStackBytes() const;

  // Pack.cpp: operands copied in the order in which loops walk through them.
  bool isScattered(mlir::linalg::LinalgOp op, mlir::OpOperand &operand,
                   llvm::ArrayRef<Interval> dims);
  bool isWorthPacking(mlir::linalg::LinalgOp op, mlir::OpOperand &operand,
                      llvm::ArrayRef<Interval> dims);
  bool wantsPacking(mlir::linalg::LinalgOp op, mlir::OpOperand &operand,
                    llvm::ArrayRef<Interval> dims);
  PackedOperand pack(mlir::linalg::LinalgOp op, mlir::OpOperand &operand,
                     llvm::ArrayRef<Interval> dims);

  // Evaluate.cpp: single elements, or vectors of them.
  Element evaluate(mlir::Value tensor, llvm::ArrayRef<Coord> coords);
  Element evaluateLinalg(mlir::linalg::LinalgOp op, unsigned result, llvm::ArrayRef<Coord> coords);
  Element evaluateReduction(mlir::linalg::LinalgOp op, unsigned result,
                            llvm::ArrayRef<Coord> coords);
  llvm::SmallVector<Element> evaluateBody(mlir::linalg::LinalgOp op, llvm::ArrayRef<Coord> dims,
                                          llvm::function_ref<Element(unsigned)> argument);
  Element evaluateOp(mlir::Operation *op, llvm::ArrayRef<Element> operands);
  std::optional<Element> evaluateIndexOp(mlir::Operation *op, llvm::ArrayRef<Element> operands);
  Element evaluateOperand(mlir::linalg::LinalgOp op, unsigned number, llvm::ArrayRef<Coord> dims);
  Element evaluateConstant(mlir::Operation *op, mlir::Value tensor, llvm::ArrayRef<Coord> coords);
  View tableOf(mlir::arith::ConstantOp constant, mlir::DenseElementsAttr numbers);
  Element evaluateScalar(mlir::Value scalar);
  llvm::SmallVector<Coord> applyMap(mlir::Location loc, mlir::AffineMap map,
                                    llvm::ArrayRef<Coord> dims);
  Coord applyExpr(mlir::Location loc, mlir::AffineExpr expr, llvm::ArrayRef<Coord> dims);
  Coord toCoord(mlir::Location loc, const Element &element);
  Element fromCoord(const Coord &coord);
  Coord combineCoords(mlir::Location loc, mlir::AffineExprKind kind, const Coord &a,
                      const Coord &b);

  // EvaluateViews.cpp: of views, pads and inserts.
  Element evaluateSlice(mlir::tensor::ExtractSliceOp slice, llvm::ArrayRef<Coord> coords);
  Element evaluateReshape(mlir::Operation *op, llvm::ArrayRef<Coord> coords);
  Element evaluatePad(mlir::tensor::PadOp op, llvm::ArrayRef<Coord> coords);
  Element evaluateInsert(mlir::tensor::InsertSliceOp op, llvm::ArrayRef<Coord> coords);
  Element evaluateWhere(mlir::Location loc, mlir::Type type, mlir::Value condition,
                        llvm::function_ref<Element()> inside,
                        llvm::function_ref<Element()> outside);
  Element evaluateWithin(mlir::Location loc, mlir::Type type,
                         llvm::ArrayRef<mlir::Value> conditions,
                         llvm::function_ref<Element()> inside,
                         llvm::function_ref<Element()> outside);
  mlir::Value isInside(mlir::Location loc, const Coord &coord, const Poly &lower,
                       const Poly &upper);

  // Memory.cpp: loads and stores.
  Element load(mlir::Location loc, const View &view, llvm::ArrayRef<Coord> coords);
  void store(mlir::Location loc, const View &view, llvm::ArrayRef<Coord> coords, Element element);
  Element loadAt(mlir::Location loc, const View &view, const Poly &address);
  Element recordLoad(mlir::Location loc, const View &view, const Poly &address);
  Element loadStrided(mlir::Location loc, const View &view, const Poly &address, int64_t stride);
  Element loadGather(mlir::Location loc, const View &view, mlir::Value index);
  std::optional<Element> loadByRuns(mlir::Location loc, const View &view, const Poly &address,
                                    mlir::Value quotient, const Poly &stride);
  Element loadTwo(mlir::Location loc, const View &view, const Poly &address,
                  const IndexMath::Quotient &quotient, const Poly &stride);
  Element loadHalves(mlir::Location loc, const View &view, const Poly &address,
                     const Poly &numerator);
  mlir::Value pointerTo(mlir::Location loc, const View &view, const Poly &address);
  mlir::Value fromMemory(mlir::Location loc, mlir::Value stored, mlir::Type element);
  mlir::Value toMemory(mlir::Location loc, mlir::Value value, mlir::Type element);
  mlir::Value asValue(mlir::Location loc, const Element &element);
  mlir::Value asVector(mlir::Location loc, const Element &element);
  mlir::Value lanesOf(mlir::Location loc, const Poly &poly);
  mlir::Value zero(mlir::Location loc, mlir::Type type);
  mlir::Type vectorOf(mlir::Type element) const;

  // Sizes.cpp: shapes and the scalars of the kernel's body.
  llvm::ArrayRef<Poly> sizes(mlir::Value tensor);
  llvm::SmallVector<Poly> computeSizes(mlir::Value tensor);
  Poly indexOf(mlir::Value scalar);
  Poly indexOf(mlir::OpFoldResult value);
  llvm::SmallVector<Poly> loopSizes(mlir::linalg::LinalgOp op);

  void fail(mlir::Operation *op, const llvm::Twine &message);

  const KernelSource &source;
  const CpuFeatures &features;
  mlir::OpBuilder &builder;
  IndexMath math;
  std::string failure;

  mlir::Operation *prologueEnd = nullptr; ///< what is made before it is visible everywhere
  llvm::SmallVector<Poly> symbols;        ///< the dimensions of the entry
  llvm::DenseMap<mlir::Value, std::vector<Poly>> knownSizes; ///< vectors stay where they are
  llvm::DenseMap<mlir::Value, Element> scalars;
  llvm::DenseMap<mlir::Value, View> argumentViews; ///< operands of the kernel, and reshapes of them
  llvm::DenseMap<mlir::Value, View> tables;        ///< constants of several numbers
  /// A part of the stack. Those of one result are free for the next.
  struct Buffer {
    mlir::LLVM::AllocaOp alloca;
    int64_t bytes;
    bool isFree;
  };
  llvm::SmallVector<Buffer> buffers;
  int64_t bufferBytes = 0; ///< of all
  /// The parts of tensors that are in memory at the insertion point; the last entry of a tensor
  /// counts. One that is hidden is computed where it is read, for an earlier entry is too small.
  struct Materialized {
    mlir::Value tensor;
    Box box;
    View view;
    bool isHidden;
  };
  llvm::SmallVector<Materialized> materialized;
  Lanes lanes;
  /// Vectors of coordinates that are quotients of what counts with the lanes.
  llvm::DenseMap<mlir::Value, IndexMath::Quotient> laneQuotients;

  /// Loads of the present straight-line code, to make each only once.
  struct CachedLoad {
    mlir::Value pointer;
    Poly address;
    Element element;
  };
  llvm::SmallVector<CachedLoad> loads;
  bool caching = false;
  void startCaching() {
    caching = true;
    loads.clear();
  }
  void stopCaching() {
    caching = false;
    loads.clear();
  }

  /// Set while a computation is only looked at, to learn its memory accesses.
  LoopAccesses *accesses = nullptr;
  llvm::SmallVector<std::unique_ptr<mlir::Region>> lookedAt;
};

} // namespace nnc::codegen

#endif
