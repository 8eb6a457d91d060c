#include "codegen/Initialize.h"

#include "llvm/Support/Parallel.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

namespace nnc::codegen {

void philox(uint64_t counter, uint64_t key, uint32_t out[4]) {
  uint32_t c[4] = {uint32_t(counter), uint32_t(counter >> 32), 0, 0};
  uint32_t k[2] = {uint32_t(key), uint32_t(key >> 32)};
  for (int round = 0; round < 10; ++round) {
    uint64_t p0 = uint64_t(0xD2511F53) * c[0];
    uint64_t p1 = uint64_t(0xCD9E8D57) * c[2];
    uint32_t next[4] = {uint32_t(p1 >> 32) ^ c[1] ^ k[0], uint32_t(p1),
                        uint32_t(p0 >> 32) ^ c[3] ^ k[1], uint32_t(p0)};
    std::copy(next, next + 4, c);
    k[0] += 0x9E3779B9;
    k[1] += 0xBB67AE85;
  }
  std::copy(c, c + 4, out);
}

namespace {

/// FNV-1a: the same on every machine, unlike std::hash.
uint64_t hashKey(std::string_view key) {
  uint64_t hash = 0xcbf29ce484222325;
  for (unsigned char c : key)
    hash = (hash ^ c) * 0x100000001b3;
  return hash;
}

/// Uniform in (0, 1), never an end.
double unit(uint32_t word) { return (word + 0.5) * 0x1p-32; }

/// Two normal numbers from two uniform ones (Box and Muller, 1958).
std::pair<double, double> normalPair(double u, double v) {
  double radius = std::sqrt(-2 * std::log(u));
  double angle = 2 * std::numbers::pi * v;
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

/// Fills `values` four at a time from uniforms u[0..3]. The numbers depend on their place only, so
/// threads share the work.
template <typename Map> void fill(std::vector<float> &values, uint64_t key, Map map) {
  constexpr size_t Part = 1 << 18;
  auto fillPart = [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; i += 4) {
      uint32_t words[4];
      philox(i / 4, key, words);
      double u[4], out[4];
      for (int lane = 0; lane < 4; ++lane)
        u[lane] = unit(words[lane]);
      map(u, out);
      for (size_t lane = 0; lane < 4 && i + lane < end; ++lane)
        values[i + lane] = float(out[lane]);
    }
  };
  llvm::parallelFor(0, (values.size() + Part - 1) / Part, [&](size_t part) {
    fillPart(part * Part, std::min(values.size(), (part + 1) * Part));
  });
}

void fillUniform(std::vector<float> &values, uint64_t key, double low, double high) {
  fill(values, key, [=](const double(&u)[4], double(&out)[4]) {
    for (int lane = 0; lane < 4; ++lane)
      out[lane] = low + (high - low) * u[lane];
  });
}

void fillNormal(std::vector<float> &values, uint64_t key, double mean, double deviation) {
  fill(values, key, [=](const double(&u)[4], double(&out)[4]) {
    for (int pair = 0; pair < 4; pair += 2) {
      auto [x, y] = normalPair(u[pair], u[pair + 1]);
      out[pair] = mean + deviation * x;
      out[pair + 1] = mean + deviation * y;
    }
  });
}

} // namespace

std::vector<float> initialValues(const Initializer &initializer, std::string_view key,
                                 std::span<const int64_t> shape, uint64_t seed) {
  int64_t count =
      std::accumulate(shape.begin(), shape.end(), int64_t(1), std::multiplies<int64_t>());
  std::vector<float> values(count);
  uint64_t stream = hashKey(key) ^ (seed * 0x9E3779B97F4A7C15);
  switch (initializer.kind) {
  case Initializer::Kind::Full:
    values.assign(count, float(initializer.a));
    break;
  case Initializer::Kind::KaimingUniform: {
    int64_t fanIn = shape.empty() || shape[0] == 0 ? 1 : std::max<int64_t>(count / shape[0], 1);
    double bound = 1 / std::sqrt(double(fanIn));
    fillUniform(values, stream, -bound, bound);
    break;
  }
  case Initializer::Kind::Normal:
    fillNormal(values, stream, initializer.a, initializer.b);
    break;
  case Initializer::Kind::Uniform:
    fillUniform(values, stream, initializer.a, initializer.b);
    break;
  }
  return values;
}

} // namespace nnc::codegen
