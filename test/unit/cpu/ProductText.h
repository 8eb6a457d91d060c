// Products and convolutions as functions of the dialect.
#pragma once

#include <cstdint>
#include <string>

namespace nnc::test {

inline std::string product(int64_t m, int64_t k, int64_t n, bool transposeA, bool transposeB) {
  auto type = [](int64_t a, int64_t b, bool swap) {
    return "tensor<" + std::to_string(swap ? b : a) + "x" + std::to_string(swap ? a : b) + "xf32>";
  };
  std::string a = type(m, k, transposeA), b = type(k, n, transposeB), c = type(m, n, false);
  return "func.func @f(%a: " + a + ", %b: " + b + ") -> " + c +
         " attributes {nn.entry, nn.dims = []} {\n%0 = nn.matmul %a, %b {" +
         (transposeA ? "transpose_a" : "") + (transposeA && transposeB ? ", " : "") +
         (transposeB ? "transpose_b" : "") + "} : " + a + ", " + b + " -> " + c +
         "\nreturn %0 : " + c + "\n}";
}

struct Convolution {
  int64_t channels, size, filters, kernel, stride, padding, dilation, groups;
};

inline std::string convolution(const Convolution &c) {
  auto text = [](int64_t n) { return std::to_string(n); };
  int64_t out = (c.size + 2 * c.padding - c.dilation * (c.kernel - 1) - 1) / c.stride + 1;
  std::string x =
      "tensor<?x" + text(c.channels) + "x" + text(c.size) + "x" + text(c.size) + "xf32, #x>";
  std::string y = "tensor<?x" + text(c.filters) + "x" + text(out) + "x" + text(out) + "xf32, #y>";
  std::string w = "tensor<" + text(c.filters) + "x" + text(c.channels / c.groups) + "x" +
                  text(c.kernel) + "x" + text(c.kernel) + "xf32>";
  std::string b = "tensor<" + text(c.filters) + "xf32>", p = text(c.padding);
  return "#x = affine_map<()[s0] -> (s0, " + text(c.channels) + ", " + text(c.size) + ", " +
         text(c.size) + ")>\n#y = affine_map<()[s0] -> (s0, " + text(c.filters) + ", " + text(out) +
         ", " + text(out) + ")>\nfunc.func @f(%x: " + x + ", %w: " + w + ", %b: " + b + ") -> " +
         y +
         " attributes {nn.entry, nn.dims = [\"B\"]} {\n%0 = nn.conv2d %x, %w {strides = "
         "array<i64: " +
         text(c.stride) + ", " + text(c.stride) + ">, padding = array<i64: " + p + ", " + p + ", " +
         p + ", " + p + ">, dilation = array<i64: " + text(c.dilation) + ", " + text(c.dilation) +
         ">, groups = " + text(c.groups) + " : i64} : " + x + ", " + w + " -> " + y +
         "\n%1 = nn.broadcast %b {dims = array<i64: 1>} : " + b + " -> " + y +
         "\n%2 = nn.add %0, %1 : " + y + "\n%3 = nn.full 0.0 : f32 -> " + y +
         "\n%4 = nn.max %2, %3 : " + y + "\nreturn %4 : " + y + "\n}";
}

} // namespace nnc::test
