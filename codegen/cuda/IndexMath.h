//===- IndexMath.h - Index expressions with known ranges ----------------------------*- C++ -*-===//
//
// Indices of generated code are affine expressions over the variables of that code (affine dims)
// and the dimensions of the entry point (affine symbols). Because ranges are known, reshapes,
// slices and broadcasts simplify away: (i / 28) * 28 + i % 28 is i, and (4 * q + lane) / 784 is q /
// 196.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CUDA_INDEXMATH_H
#define NNC_CODEGEN_CUDA_INDEXMATH_H

#include "codegen/cuda/IndexSum.h"

#include "mlir/IR/AffineExpr.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace nnc::codegen {

/// Both ends included.
struct IndexRange {
  int64_t low = 0;
  int64_t high = INT64_MAX;
};

class IndexMath {
public:
  /// `symbolRanges[i]` is the declared range of symbol i; symbols beyond it are at least 0.
  IndexMath(mlir::MLIRContext *context, std::vector<IndexRange> symbolRanges);

  /// A new variable of the generated code, in [0, extent); a null extent says nothing of its range.
  mlir::AffineExpr addVariable(std::string name, mlir::AffineExpr extent);
  const std::string &nameOf(unsigned variable) const { return variables[variable].name; }
  mlir::AffineExpr extentOf(unsigned variable) const { return variables[variable].extent; }

  mlir::AffineExpr constant(int64_t value) const;
  mlir::AffineExpr simplify(mlir::AffineExpr expr) const;
  mlir::AffineExpr product(llvm::ArrayRef<mlir::AffineExpr> factors) const;

  //===- IndexRanges.cpp ----------------------------------------------------------------------===//
  bool isEqual(mlir::AffineExpr a, mlir::AffineExpr b) const;
  /// Provably so, for all values in the ranges.
  bool isNonNegative(mlir::AffineExpr expr) const;
  bool isLess(mlir::AffineExpr a, mlir::AffineExpr b) const;
  IndexRange rangeOf(mlir::AffineExpr expr) const;
  std::optional<int64_t> constantOf(mlir::AffineExpr expr) const;
  /// A number that surely divides `expr`.
  int64_t divisorOf(mlir::AffineExpr expr) const;

  //===- IndexText.cpp ------------------------------------------------------------------------===//
  /// The row-major position of `indices` in a tensor of `dims`, and the reverse.
  mlir::AffineExpr linearize(llvm::ArrayRef<mlir::AffineExpr> indices,
                             llvm::ArrayRef<mlir::AffineExpr> dims) const;
  llvm::SmallVector<mlir::AffineExpr> delinearize(mlir::AffineExpr linear,
                                                  llvm::ArrayRef<mlir::AffineExpr> dims) const;
  /// As C++; symbols are called n0, n1, ...
  std::string text(mlir::AffineExpr expr) const;
  /// As an operand of `*`, `/` or a comparison.
  std::string operandText(mlir::AffineExpr expr) const;
  /// The variables that occur in `expr`.
  llvm::SmallVector<unsigned> variablesOf(mlir::AffineExpr expr) const;

private:
  struct Variable {
    std::string name;
    mlir::AffineExpr extent;
  };
  struct Division {
    IndexSum quotient, rest;
    mlir::AffineExpr scaledRest, divisor; ///< what is left to divide: rest / g and b / g
    IndexSum low;                         ///< in [0, g), drops out of the quotient
    int64_t scale = 1;                    ///< g
  };
  IndexSum sumOf(mlir::AffineExpr expr) const;
  mlir::AffineExpr exprOf(const IndexSum &sum) const;
  Division divide(const IndexSum &sum, mlir::AffineExpr divisor) const;
  IndexSum floorDivOf(const IndexSum &sum, mlir::AffineExpr divisor) const;
  IndexSum modOf(const IndexSum &sum, mlir::AffineExpr divisor) const;
  void takeCommonFactor(Division &division) const;
  void recombine(IndexSum &sum) const;
  bool recombine(IndexSum &sum, IndexSum::Term term, mlir::AffineBinaryOpExpr mod) const;

  //===- IndexRanges.cpp ----------------------------------------------------------------------===//
  bool isInside(const IndexSum &rest, mlir::AffineExpr divisor) const;
  bool isNonNegative(const IndexSum &sum) const;
  IndexRange rangeOf(const IndexSum &sum) const;
  std::optional<IndexSum> greatestQuotient(mlir::AffineExpr expr) const;
  std::optional<IndexSum> greatest(const IndexSum &sum) const;

  mlir::MLIRContext *context;
  std::vector<IndexRange> symbolRanges;
  std::vector<Variable> variables;
};

} // namespace nnc::codegen

#endif // NNC_CODEGEN_CUDA_INDEXMATH_H
