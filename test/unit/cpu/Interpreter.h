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

} // namespace nnc::test

#endif
