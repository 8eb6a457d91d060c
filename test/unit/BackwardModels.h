// Functions with gradients, whose kernels both targets are tested with: what a training step of
// common networks consists of.
#pragma once

#include <string>
#include <vector>

namespace nnc::test {

struct BackwardModel {
  const char *name, *text;
};

inline std::vector<BackwardModel> backwardModels() {
  return {
      {"convolutions and pools", R"(
func.func @f(%x: tensor<3x4x9x10xf32>, %w: tensor<6x4x3x3xf32>, %d: tensor<6x1x3x3xf32>, %r: tensor<6xf32>)
    -> (tensor<3x4x9x10xf32>, tensor<6x4x3x3xf32>, tensor<6x1x3x3xf32>) attributes {nn.entry, nn.dims = []} {
  %a = nn.conv2d %x, %w {strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>} : tensor<3x4x9x10xf32>, tensor<6x4x3x3xf32> -> tensor<3x6x9x10xf32>
  %z = nn.full 0.0 : f32 -> tensor<3x6x9x10xf32>
  %b = nn.max %a, %z : tensor<3x6x9x10xf32>
  %c = nn.pool2d max %b {kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, padding = array<i64: 1, 1, 1, 1>} : tensor<3x6x9x10xf32> -> tensor<3x6x5x5xf32>
  %e = nn.conv2d %c, %d {strides = array<i64: 2, 2>, padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>, groups = 6 : i64} : tensor<3x6x5x5xf32>, tensor<6x1x3x3xf32> -> tensor<3x6x3x3xf32>
  %m = nn.pool2d avg %e {kernel = array<i64: 2, 2>, strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>} : tensor<3x6x3x3xf32> -> tensor<3x6x2x2xf32>
  %s = nn.broadcast %r {dims = array<i64: 1>} : tensor<6xf32> -> tensor<3x6x2x2xf32>
  %p = nn.mul %m, %s : tensor<3x6x2x2xf32>
  %l = nn.reduce sum %p {axes = array<i64: 0, 1, 2, 3>} : tensor<3x6x2x2xf32> -> tensor<f32>
  %g:3 = nn.gradient %l wrt(%x, %w, %d : tensor<3x4x9x10xf32>, tensor<6x4x3x3xf32>, tensor<6x1x3x3xf32>) : tensor<f32>
  return %g#0, %g#1, %g#2 : tensor<3x4x9x10xf32>, tensor<6x4x3x3xf32>, tensor<6x1x3x3xf32>
})"},
      {"embedding, layer norm, cross entropy", R"(
func.func @f(%t: tensor<11x8xf32>, %i: tensor<2x5xi32>, %y: tensor<2x5xi32>, %w: tensor<8x7xf32>, %s: tensor<8xf32>)
    -> (tensor<11x8xf32>, tensor<8x7xf32>, tensor<8xf32>) attributes {nn.entry, nn.dims = []} {
  %x = nn.gather %t, %i {axis = 0 : i64} : tensor<11x8xf32>, tensor<2x5xi32> -> tensor<2x5x8xf32>
  %m = nn.reduce mean %x {axes = array<i64: 2>} : tensor<2x5x8xf32> -> tensor<2x5xf32>
  %mb = nn.broadcast %m {dims = array<i64: 0, 1>} : tensor<2x5xf32> -> tensor<2x5x8xf32>
  %c = nn.sub %x, %mb : tensor<2x5x8xf32>
  %q = nn.mul %c, %c : tensor<2x5x8xf32>
  %v = nn.reduce mean %q {axes = array<i64: 2>} : tensor<2x5x8xf32> -> tensor<2x5xf32>
  %eps = nn.full 1.0e-05 : f32 -> tensor<2x5xf32>
  %ve = nn.add %v, %eps : tensor<2x5xf32>
  %r = nn.rsqrt %ve : tensor<2x5xf32>
  %rb = nn.broadcast %r {dims = array<i64: 0, 1>} : tensor<2x5xf32> -> tensor<2x5x8xf32>
  %n = nn.mul %c, %rb : tensor<2x5x8xf32>
  %sb = nn.broadcast %s {dims = array<i64: 2>} : tensor<8xf32> -> tensor<2x5x8xf32>
  %h = nn.mul %n, %sb : tensor<2x5x8xf32>
  %o = nn.matmul %h, %w : tensor<2x5x8xf32>, tensor<8x7xf32> -> tensor<2x5x7xf32>
  %p = nn.log_softmax %o {axis = 2 : i64} : tensor<2x5x7xf32>
  %k = nn.iota {axis = 2 : i64} : tensor<2x5x7xi32>
  %yb = nn.broadcast %y {dims = array<i64: 0, 1>} : tensor<2x5xi32> -> tensor<2x5x7xi32>
  %is = nn.cmp eq %k, %yb : tensor<2x5x7xi32>
  %z = nn.full 0.0 : f32 -> tensor<2x5x7xf32>
  %e = nn.select %is, %p, %z : tensor<2x5x7xf32>
  %l0 = nn.reduce sum %e {axes = array<i64: 0, 1, 2>} : tensor<2x5x7xf32> -> tensor<f32>
  %l = nn.neg %l0 : tensor<f32>
  %g:3 = nn.gradient %l wrt(%t, %w, %s : tensor<11x8xf32>, tensor<8x7xf32>, tensor<8xf32>) : tensor<f32>
  return %g#0, %g#1, %g#2 : tensor<11x8xf32>, tensor<8x7xf32>, tensor<8xf32>
})"},
      {"attention", R"(
func.func @f(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x6x8xf32>, %v: tensor<2x2x6x8xf32>, %y: tensor<2x4x6x8xf32>, %s: tensor<f32>)
    -> (tensor<2x4x6x8xf32>, tensor<2x2x6x8xf32>, tensor<2x2x6x8xf32>) attributes {nn.entry, nn.dims = []} {
  %b = nn.broadcast %s {dims = array<i64>} : tensor<f32> -> tensor<2x4x6x8xf32>
  %qq = nn.mul %q, %b : tensor<2x4x6x8xf32>
  %a = nn.softmax %qq {axis = 3 : i64} : tensor<2x4x6x8xf32>
  %kt = nn.transpose %k {permutation = array<i64: 0, 1, 3, 2>} : tensor<2x2x6x8xf32> -> tensor<2x2x8x6xf32>
  %qr = nn.reshape %a : tensor<2x4x6x8xf32> -> tensor<2x2x12x8xf32>
  %c = nn.matmul %qr, %kt : tensor<2x2x12x8xf32>, tensor<2x2x8x6xf32> -> tensor<2x2x12x6xf32>
  %p = nn.softmax %c {axis = 3 : i64} : tensor<2x2x12x6xf32>
  %o = nn.matmul %p, %v : tensor<2x2x12x6xf32>, tensor<2x2x6x8xf32> -> tensor<2x2x12x8xf32>
  %r = nn.reshape %o : tensor<2x2x12x8xf32> -> tensor<2x4x6x8xf32>
  %w = nn.mul %r, %y : tensor<2x4x6x8xf32>
  %l = nn.reduce sum %w {axes = array<i64: 0, 1, 2, 3>} : tensor<2x4x6x8xf32> -> tensor<f32>
  %g:3 = nn.gradient %l wrt(%q, %k, %v : tensor<2x4x6x8xf32>, tensor<2x2x6x8xf32>, tensor<2x2x6x8xf32>) : tensor<f32>
  return %g#0, %g#1, %g#2 : tensor<2x4x6x8xf32>, tensor<2x2x6x8xf32>, tensor<2x2x6x8xf32>
})"},
      {"a convolution of bf16 with params of f32", R"(
func.func @f(%x: tensor<2x8x6x6xbf16>, %w: tensor<8x8x3x3xf32>) -> (tensor<2x8x6x6xbf16>, tensor<8x8x3x3xf32>) attributes {nn.entry, nn.dims = []} {
  %n = nn.cast %w : tensor<8x8x3x3xf32> -> tensor<8x8x3x3xbf16>
  %a = nn.conv2d %x, %n {strides = array<i64: 2, 2>, padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>} : tensor<2x8x6x6xbf16>, tensor<8x8x3x3xbf16> -> tensor<2x8x3x3xbf16>
  %t = nn.tanh %a : tensor<2x8x3x3xbf16>
  %f = nn.cast %t : tensor<2x8x3x3xbf16> -> tensor<2x8x3x3xf32>
  %l = nn.reduce sum %f {axes = array<i64: 0, 1, 2, 3>} : tensor<2x8x3x3xf32> -> tensor<f32>
  %g:2 = nn.gradient %l wrt(%x, %w : tensor<2x8x6x6xbf16>, tensor<8x8x3x3xf32>) : tensor<f32>
  return %g#0, %g#1 : tensor<2x8x6x6xbf16>, tensor<8x8x3x3xf32>
})"},
      {"convolutions of bf16 with a stride, and a pool, whose sums are cut", R"(
func.func @f(%x: tensor<4x3x12x16xbf16>, %w: tensor<8x3x3x3xf32>, %v: tensor<16x8x3x3xf32>) -> (tensor<4x3x12x16xbf16>, tensor<8x3x3x3xf32>, tensor<16x8x3x3xf32>) attributes {nn.entry, nn.dims = []} {
  %wn = nn.cast %w : tensor<8x3x3x3xf32> -> tensor<8x3x3x3xbf16>
  %vn = nn.cast %v : tensor<16x8x3x3xf32> -> tensor<16x8x3x3xbf16>
  %a = nn.conv2d %x, %wn {strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>} : tensor<4x3x12x16xbf16>, tensor<8x3x3x3xbf16> -> tensor<4x8x12x16xbf16>
  %p = nn.pool2d max %a {kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, padding = array<i64: 1, 1, 1, 1>} : tensor<4x8x12x16xbf16> -> tensor<4x8x6x8xbf16>
  %b = nn.conv2d %p, %vn {strides = array<i64: 2, 2>, padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>} : tensor<4x8x6x8xbf16>, tensor<16x8x3x3xbf16> -> tensor<4x16x3x4xbf16>
  %t = nn.tanh %b : tensor<4x16x3x4xbf16>
  %f = nn.cast %t : tensor<4x16x3x4xbf16> -> tensor<4x16x3x4xf32>
  %l = nn.reduce sum %f {axes = array<i64: 0, 1, 2, 3>} : tensor<4x16x3x4xf32> -> tensor<f32>
  %g:3 = nn.gradient %l wrt(%x, %w, %v : tensor<4x3x12x16xbf16>, tensor<8x3x3x3xf32>, tensor<16x8x3x3xf32>) : tensor<f32>
  return %g#0, %g#1, %g#2 : tensor<4x3x12x16xbf16>, tensor<8x3x3x3xf32>, tensor<16x8x3x3xf32>
})"},
      {"a convolution of unknown sizes", R"(
#x = affine_map<()[s0, s1] -> (s0, 2, s1, s1)>
#y = affine_map<()[s0, s1] -> (s0, 4, (s1 - 1) floordiv 2 + 1, (s1 - 1) floordiv 2 + 1)>
func.func @f(%x: tensor<?x2x?x?xf32, #x>, %w: tensor<4x2x3x3xf32>) -> (tensor<?x2x?x?xf32, #x>, tensor<4x2x3x3xf32>)
    attributes {nn.entry, nn.dims = ["B", "T"], nn.ranges = [array<i64: 1, 64>, array<i64: 1, 512>]} {
  %a = nn.conv2d %x, %w {strides = array<i64: 2, 2>, padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>} : tensor<?x2x?x?xf32, #x>, tensor<4x2x3x3xf32> -> tensor<?x4x?x?xf32, #y>
  %t = nn.tanh %a : tensor<?x4x?x?xf32, #y>
  %l = nn.reduce mean %t {axes = array<i64: 0, 1, 2, 3>} : tensor<?x4x?x?xf32, #y> -> tensor<f32>
  %g:2 = nn.gradient %l wrt(%x, %w : tensor<?x2x?x?xf32, #x>, tensor<4x2x3x3xf32>) : tensor<f32>
  return %g#0, %g#1 : tensor<?x2x?x?xf32, #x>, tensor<4x2x3x3xf32>
})"},
  };
}

} // namespace nnc::test
