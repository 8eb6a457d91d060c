//===- IndexMath.h - polynomials as index values ----------------*- C++ -*-===//
//
// Holds the atoms of the polynomials of one function, and turns polynomials into arith operations
// at the builder's insertion point.
//
//===----------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CPU_INDEXMATH_H
#define NNC_CODEGEN_CPU_INDEXMATH_H

#include "codegen/cpu/Poly.h"

#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/Builders.h"

#include "llvm/ADT/DenseMap.h"

namespace nnc::codegen {

class IndexMath {
public:
  explicit IndexMath(mlir::OpBuilder &builder);

  /// Atom 0: the number of the lane within a vector, 0 in the first. Never materialized.
  static constexpr unsigned laneAtom = 0;
  static Poly lane() { return Poly::atom(laneAtom); }

  /// The polynomial of an index value: an atom of its own, or the constant it is. `symbolic` is its
  /// value as an expression over the dimensions of the entry, where there is one.
  Poly get(mlir::Value value, mlir::AffineExpr symbolic = {});
  mlir::Value materialize(mlir::Location loc, const Poly &poly);
  /// As an expression over the dimensions of the entry; null if an atom has none.
  mlir::AffineExpr symbolic(const Poly &poly) const;

  Poly minimum(mlir::Location loc, const Poly &a, const Poly &b);
  Poly maximum(mlir::Location loc, const Poly &a, const Poly &b);
  /// Of values that are not negative.
  Poly floorDiv(mlir::Location loc, const Poly &a, const Poly &b);
  Poly remainder(mlir::Location loc, const Poly &a, const Poly &b);
  /// Divisions and remainders must be of values that are not negative, as all sizes are.
  Poly evaluate(mlir::Location loc, mlir::AffineExpr expr, llvm::ArrayRef<Poly> dims,
                llvm::ArrayRef<Poly> symbols);

  /// What an atom is that stands for a quotient by a constant.
  struct Quotient {
    Poly numerator;
    int64_t divisor;
  };
  /// Null for other atoms.
  const Quotient *quotientOf(unsigned atom) const {
    auto found = quotients.find(atom);
    return found == quotients.end() ? nullptr : &found->second;
  }

  /// The atom of a value that `get` has seen.
  unsigned find(mlir::Value value) const { return ids.lookup(value); }
  /// Null for the lane.
  mlir::Value valueOf(unsigned atom) const { return atoms[atom].value; }

private:
  mlir::OpBuilder &builder;
  struct Atom {
    mlir::Value value;
    mlir::AffineExpr symbolic;
  };
  llvm::SmallVector<Atom> atoms;
  llvm::DenseMap<mlir::Value, unsigned> ids;
  llvm::DenseMap<unsigned, Quotient> quotients;
};

} // namespace nnc::codegen

#endif
