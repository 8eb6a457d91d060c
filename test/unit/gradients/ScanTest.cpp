// Loops: what is carried, stacked and captured.
#include "Gradients.h"

#include <gtest/gtest.h>

using namespace nnc::test;

/// A recurrent cell over a sequence: its weight and bias are captured, its input is read at the
/// counter, its state is carried and stacked.
static std::string cell(const std::string &direction) {
  return R"(func.func @f(%xs: tensor<2x5x3xf32>, %h0: tensor<2x4xf32>, %w: tensor<4x4xf32>, %u: tensor<3x4xf32>, %b: tensor<4xf32>) -> (tensor<2x4xf32>, tensor<5x2x4xf32>) {
  %last, %all = nn.scan 0 length affine_map<() -> (5)> init(%h0 : tensor<2x4xf32>) )" +
         direction + R"( -> (tensor<2x4xf32>, tensor<5x2x4xf32>) {
  ^bb0(%h: tensor<2x4xf32>):
    %part = nn.slice %xs start affine_map<()[s0] -> (0, s0, 0)> step [1, 1, 1] : tensor<2x5x3xf32> -> tensor<2x1x3xf32>
    %x = nn.reshape %part : tensor<2x1x3xf32> -> tensor<2x3xf32>
    %p = nn.matmul %h, %w : tensor<2x4xf32>, tensor<4x4xf32> -> tensor<2x4xf32>
    %q = nn.matmul %x, %u : tensor<2x3xf32>, tensor<3x4xf32> -> tensor<2x4xf32>
    %s = nn.add %p, %q : tensor<2x4xf32>
    %bb = nn.broadcast %b {dims = array<i64: 1>} : tensor<4xf32> -> tensor<2x4xf32>
    %t = nn.add %s, %bb : tensor<2x4xf32>
    %n = nn.tanh %t : tensor<2x4xf32>
    %o = nn.sin %n : tensor<2x4xf32>
    nn.yield %n, %o : tensor<2x4xf32>, tensor<2x4xf32>
  }
  return %last, %all : tensor<2x4xf32>, tensor<5x2x4xf32>
})";
}

TEST(Scans, Cell) {
  checkGradients(cell(""));
  checkGradients(cell("reverse"));
}

/// Only the stacked results, only the carried ones; a carried value without floats; values that
/// pass unchanged or exchange places.
TEST(Scans, Carried) {
  checkGradients(
      R"(func.func @f(%a0: tensor<3xf32>, %b0: tensor<3xf32>, %k: tensor<3xf32>) -> tensor<3xf32> {
  %n0 = nn.full 0 : i32 -> tensor<i32>
  %a, %n, %b = nn.scan 0 length affine_map<() -> (4)> init(%a0, %n0, %b0 : tensor<3xf32>, tensor<i32>, tensor<3xf32>) -> (tensor<3xf32>, tensor<i32>, tensor<3xf32>) {
  ^bb0(%x: tensor<3xf32>, %m: tensor<i32>, %y: tensor<3xf32>):
    %one = nn.full 1 : i32 -> tensor<i32>
    %m1 = nn.add %m, %one : tensor<i32>
    %f = nn.cast %m1 : tensor<i32> -> tensor<f32>
    %ff = nn.broadcast %f {dims = array<i64>} : tensor<f32> -> tensor<3xf32>
    %s = nn.sin %y : tensor<3xf32>
    %p = nn.mul %s, %k : tensor<3xf32>
    %z = nn.mul %p, %ff : tensor<3xf32>
    nn.yield %z, %m1, %x : tensor<3xf32>, tensor<i32>, tensor<3xf32>
  }
  return %a : tensor<3xf32>
})");
}

TEST(Scans, OnlyStacked) {
  checkGradients(R"(func.func @f(%h0: tensor<3xf32>) -> tensor<4x3xf32> {
  %h, %all = nn.scan 0 length affine_map<() -> (4)> init(%h0 : tensor<3xf32>) -> (tensor<3xf32>, tensor<4x3xf32>) {
  ^bb0(%x: tensor<3xf32>):
    %s = nn.exp %x : tensor<3xf32>
    %t = nn.sin %s : tensor<3xf32>
    nn.yield %t, %x : tensor<3xf32>, tensor<3xf32>
  }
  return %all : tensor<4x3xf32>
})");
}

/// Read at the counter and one behind it; two axes at the counter; the captured sequence is used
/// otherwise, too.
TEST(Scans, CapturedSequences) {
  checkGradients(
      R"(func.func @f(%xs: tensor<5x3xf32>, %d: tensor<4x4xf32>) -> (tensor<3xf32>, tensor<4x1x1xf32>) {
  %h0 = nn.full 1.0 : f32 -> tensor<3xf32>
  %h, %all = nn.scan 0 length affine_map<() -> (4)> init(%h0 : tensor<3xf32>) -> (tensor<3xf32>, tensor<4x1x1xf32>) {
  ^bb0(%x: tensor<3xf32>):
    %p = nn.slice %xs start affine_map<()[s0] -> (s0, 0)> step [1, 1] : tensor<5x3xf32> -> tensor<1x3xf32>
    %q = nn.slice %xs start affine_map<()[s0] -> (s0 + 1, 0)> step [1, 1] : tensor<5x3xf32> -> tensor<1x3xf32>
    %r = nn.slice %xs start affine_map<() -> (2, 0)> step [1, 1] : tensor<5x3xf32> -> tensor<1x3xf32>
    %e = nn.slice %d start affine_map<()[s0] -> (s0, s0)> step [1, 1] : tensor<4x4xf32> -> tensor<1x1xf32>
    %g = nn.sin %e : tensor<1x1xf32>
    %m = nn.mul %p, %q : tensor<1x3xf32>
    %a = nn.add %m, %r : tensor<1x3xf32>
    %f = nn.reshape %a : tensor<1x3xf32> -> tensor<3xf32>
    %y = nn.mul %f, %x : tensor<3xf32>
    nn.yield %y, %g : tensor<3xf32>, tensor<1x1xf32>
  }
  return %h, %all : tensor<3xf32>, tensor<4x1x1xf32>
})");
}

/// A loop in a loop, whose length is known at run time only. The inner one carries on from the
/// outer.
TEST(Scans, Nested) {
  checkGradients(
      R"(func.func @f(%h0: tensor<2x2xf32>, %w: tensor<2x2xf32>, %v: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %last = nn.scan 1 length affine_map<()[s0] -> (s0)> init(%h0 : tensor<2x2xf32>) -> (tensor<2x2xf32>) {
  ^bb0(%h: tensor<2x2xf32>):
    %inner = nn.scan 2 length affine_map<() -> (2)> init(%h : tensor<2x2xf32>) reverse -> (tensor<2x2xf32>) {
    ^bb0(%i: tensor<2x2xf32>):
      %p = nn.matmul %i, %w : tensor<2x2xf32>, tensor<2x2xf32> -> tensor<2x2xf32>
      %t = nn.tanh %p : tensor<2x2xf32>
      %s = nn.mul %t, %h : tensor<2x2xf32>
      nn.yield %s : tensor<2x2xf32>
    }
    %q = nn.matmul %inner, %v : tensor<2x2xf32>, tensor<2x2xf32> -> tensor<2x2xf32>
    %y = nn.sin %q : tensor<2x2xf32>
    nn.yield %y : tensor<2x2xf32>
  }
  return %last : tensor<2x2xf32>
})",
      {}, {3, 0, 0});
}

/// What is stopped in a loop gives nothing, and a part of the state is replaced in every step.
TEST(Scans, StopsAndUpdates) {
  checkGradients(R"(func.func @f(%b0: tensor<4x2xf32>, %k: tensor<1x2xf32>) -> tensor<4x2xf32> {
  %last = nn.scan 0 length affine_map<() -> (4)> init(%b0 : tensor<4x2xf32>) -> (tensor<4x2xf32>) {
  ^bb0(%b: tensor<4x2xf32>):
    %row = nn.slice %b start affine_map<()[s0] -> (s0, 0)> step [1, 1] : tensor<4x2xf32> -> tensor<1x2xf32>
    %m = nn.mul %row, %k : tensor<1x2xf32>
    %s = nn.sin %m : tensor<1x2xf32>
    %u = nn.update %b, %s start affine_map<()[s0] -> (3 - s0, 0)> step [1, 1] : tensor<4x2xf32>, tensor<1x2xf32>
    nn.yield %u : tensor<4x2xf32>
  }
  return %last : tensor<4x2xf32>
})");
}

/// Two calls that are computed again, one of which reads the other's results and has a loop, and
/// values of both that are read outside.
TEST(Remat, Calls) {
  checkGradients(
      R"(func.func @f(%x: tensor<2x3xf32>, %w: tensor<3x3xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>) {
  %a = nn.exp %x {nn.remat = "a"} : tensor<2x3xf32>
  %b = nn.matmul %a, %w {nn.remat = "a"} : tensor<2x3xf32>, tensor<3x3xf32> -> tensor<2x3xf32>
  %c = nn.sin %b {nn.remat = "a"} : tensor<2x3xf32>
  %o = nn.mul %c, %a : tensor<2x3xf32>
  %d = nn.matmul %o, %w {nn.remat = "b"} : tensor<2x3xf32>, tensor<3x3xf32> -> tensor<2x3xf32>
  %e = nn.scan 0 length affine_map<() -> (3)> init(%d : tensor<2x3xf32>) -> (tensor<2x3xf32>) attributes {nn.remat = "b"} {
  ^bb0(%h: tensor<2x3xf32>):
    %s = nn.sin %h {nn.remat = "b"} : tensor<2x3xf32>
    %m = nn.mul %s, %c {nn.remat = "b"} : tensor<2x3xf32>
    nn.yield %m : tensor<2x3xf32>
  }
  %g = nn.tanh %e {nn.remat = "b"} : tensor<2x3xf32>
  %y = nn.mul %g, %d {nn.remat = "b"} : tensor<2x3xf32>
  return %y, %b : tensor<2x3xf32>, tensor<2x3xf32>
})",
      {-1, 1});
}
