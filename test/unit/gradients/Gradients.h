// Derivatives of functions of the nn dialect, and finite differences to compare them with.
#pragma once

#include "Interpreter.h"

#include <string>
#include <vector>

namespace nnc::test {

/// Where random arguments lie.
struct Range {
  double low = -2, high = 2;
};

/// The gradients of the sum of the results of the only function of `text`, each element times its
/// weight, by every float argument. `arguments` are those of the function, then a weight per
/// result.
std::vector<Array> gradientsOf(const std::string &text, const std::vector<Array> &arguments,
                               const std::vector<int64_t> &dims = {});

/// As above, of the only entry point of a model's text, at one argument of rank 1, all weights 1.
Array gradientOfModel(const std::string &source, const Array &argument);

/// Compares them with central differences at random arguments; integers are in -1..6.
void checkGradients(const std::string &text, Range range = {},
                    const std::vector<int64_t> &dims = {});

/// `value` as a tensor of rank 1, and of any shape.
Array vector(std::vector<double> values);
Array tensor(std::vector<int64_t> shape, std::vector<double> values);

} // namespace nnc::test
