//===- Interpreter.h - kernel bodies, the naive way -------------*- C++ -*-===//
//
// What the cpu target's code is compared with: every operation of a lowered kernel body is
// evaluated in turn, element by element, in double precision. Derivatives are compared with
// differences of what it computes.
//
//===----------------------------------------------------------------------===//
#ifndef NNC_TEST_UNIT_CPU_INTERPRETER_H
#define NNC_TEST_UNIT_CPU_INTERPRETER_H

#include "ir/NNOps.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nnc::test {

/// Integers and bools are kept as doubles too; row-major.
struct Array {
  std::vector<int64_t> shape;
  std::vector<double> data;

  size_t offset(const std::vector<int64_t> &index) const;
};

/// The results of `kernel` for these operands, the dimensions of the entry being `dims`.
std::vector<Array> interpret(nn::KernelOp kernel, const std::vector<Array> &operands,
                             const std::vector<int64_t> &dims);
/// The results of a function that `nn-lower-to-linalg{functions=true}` has lowered, loops included.
std::vector<Array> interpret(mlir::Block &function, const std::vector<Array> &operands,
                             const std::vector<int64_t> &dims);
/// `value` as the nearest number of `type`.
double roundTo(mlir::Type type, double value);
/// The sizes of a tensor type with an encoding, the dimensions of the entry being `dims`.
std::vector<int64_t> shapeOf(mlir::RankedTensorType type, const std::vector<int64_t> &dims);

/// Elements of memory to numbers and back.
void writeElements(void *memory, mlir::Type element, const std::vector<double> &values);
std::vector<double> readElements(const void *memory, mlir::Type element, size_t count);
size_t elementBytes(mlir::Type element);
/// Numbers that suit the type: floats in -2..2, integers in -8..8.
Array randomArray(mlir::RankedTensorType type, const std::vector<int64_t> &shape, unsigned seed);
/// Compares a kernel's result with the interpreter's: sums of f32 may have another order, narrow
/// types may differ by a unit in the last place.
void expectClose(const Array &got, const Array &want, mlir::Type element, const std::string &where);

} // namespace nnc::test

#endif
