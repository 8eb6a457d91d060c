// Fresh weights for models compiled without a checkpoint: a counter-based generator, so that a
// tensor's numbers depend on the seed and its key only, not on the order of declarations.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace nnc::codegen {

/// How a slot starts. `kaiming_uniform` is PyTorch's default for linear and convolutional layers:
/// uniform in ±1/sqrt(fan_in), where fan_in is the product of all sizes but the first.
struct Initializer {
  enum class Kind { Full, KaimingUniform, Normal, Uniform } kind = Kind::Full;
  double a = 0; ///< the value; the mean; the low end
  double b = 0; ///< the standard deviation; the high end
};

/// Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC'11):
/// four 32-bit words of counter `counter` under `key`.
void philox(uint64_t counter, uint64_t key, uint32_t out[4]);

/// `count` values of the tensor `key` with shape `shape`.
std::vector<float> initialValues(const Initializer &, std::string_view key,
                                 std::span<const int64_t> shape, uint64_t seed);

} // namespace nnc::codegen
