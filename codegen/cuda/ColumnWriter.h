// Writes the kernel of reductions of few results over very many elements: how the elements, a
// matrix, are shared out, and the text.
#ifndef NNC_CODEGEN_CUDA_COLUMNWRITER_H
#define NNC_CODEGEN_CUDA_COLUMNWRITER_H

#include "codegen/cuda/Schedule.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace nnc::codegen {

class ColumnWriter {
public:
  explicit ColumnWriter(const KernelBody &body)
      : body(body), writing(body), math(writing.math), out(writing.out),
        evaluator(writing.evaluator) {}

  Result<Scheduled> write();
  /// As scheduleSumPart. Statements are told how many threads have something to do, and how many
  /// blocks share the sum.
  Result<Scheduled> writePart();

private:
  /// A reduction, and the variables that hold it.
  struct Sum {
    mlir::linalg::LinalgOp op;
    bool isSpread;
    std::string type;       ///< of an accumulator: "float", "Spread"
    std::string variable;   ///< the accumulators, one per column of the thread
    std::string identity;   ///< what changes nothing
    std::string combine;    ///< a lambda
    std::string total = {}; ///< the variable with the result for the thread's column
    unsigned words() const { return isSpread ? 3 : 1; }
  };

  /// How the matrix is shared out.
  struct Shape {
    bool isAcross = true; ///< threads of a block beside each other, in columns of their own
    unsigned across = 1;  ///< so many
    int64_t width = 1;    ///< neighbours that a thread takes at once
    unsigned threads = 256;
    int64_t parts = 1; ///< blocks of one tile
    int64_t columnsOfThread() const { return isAcross ? width : 1; }
    int64_t columns() const { return isAcross ? across * width : 1; } ///< of a tile
    unsigned down() const { return threads / across; }
  };

  //===- ColumnPlan.cpp -----------------------------------------------------------------------===//
  std::optional<nnc::Error> plan();
  std::optional<nnc::Error> sortOutputs(std::vector<Output> outputs);
  std::optional<nnc::Error> addSum(mlir::linalg::LinalgOp op);
  bool isOfSums(const Output &output, std::vector<mlir::linalg::LinalgOp> *found) const;
  bool dependsOnSums(mlir::linalg::LinalgOp op) const;
  /// The element of which a reduction with nn.spread adds the squared distance from the mean.
  static mlir::Value elementOfSpread(mlir::linalg::LinalgOp op);
  int64_t vectorWidth() const;
  bool chooseShape();
  bool choosePartShape();

  //===- ColumnSchedule.cpp -------------------------------------------------------------------===//
  void writeBody();
  void writeNumbers();
  void writeAccumulators();
  void writePivots();
  void writeRows();
  void accumulate(const Sum &sum, const IndexList &loops, const std::string &place);
  void writeTotals();
  void writeParts();
  void writeResults();
  IndexList loopsAt(mlir::AffineExpr column, mlir::AffineExpr row) const;
  mlir::AffineExpr turns() const;
  std::string turnsText() const;
  std::string blocksOfTile() const;
  std::string step() const;
  unsigned wordsOfSums() const;
  std::string scratchBefore(unsigned words) const;
  std::string spreadElement(const Sum &sum, const IndexList &loops);

  const KernelBody &body;
  Writing writing;
  IndexMath &math;
  CodeWriter &out;
  Evaluator &evaluator;
  std::vector<Output> full, perColumn;
  std::vector<Sum> sums;
  IndexList space, keptDims, reducedDims;
  llvm::SmallBitVector isReduced;
  mlir::AffineExpr columns, rows;
  Shape shape;
  bool isPart = false; ///< of a launch, in which functions do not know how long their column is
  mlir::AffineExpr column, row; ///< of the thread: of groups of neighbours, if it takes several
};

} // namespace nnc::codegen

#endif // NNC_CODEGEN_CUDA_COLUMNWRITER_H
