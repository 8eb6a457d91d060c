// Comparing outputs with expected values.
#ifndef NNC_TOOLS_NNCRUN_COMPARE_H
#define NNC_TOOLS_NNCRUN_COMPARE_H

#include "runtime/Tensor.h"

namespace nnc::run {

/// The elements of a host tensor as f64; exact for all but the largest integers of i64. Error:
/// 8-bit floats.
Result<std::vector<double>> toDoubles(const Tensor &tensor);

/// One line about how near `found` is to `expected`: every element must satisfy
/// |found - expected| <= atol + rtol * |expected|; NaN equals NaN. Error: they differ, or their
/// shapes do, or one has integers and the other floats.
Result<std::string> compare(const std::string &name, const Tensor &found, const Tensor &expected,
                            double rtol, double atol);

} // namespace nnc::run

#endif
