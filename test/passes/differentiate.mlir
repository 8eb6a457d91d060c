// Gradients become backward passes.
// RUN: nnc-opt %s --nn-differentiate --canonicalize --cse | FileCheck %s

nn.global @w : tensor<8x3xf32> {kind = "param", keys = ["w"]}
nn.global @b : tensor<3xf32> {kind = "param", keys = ["b"]}

#rows8 = affine_map<()[s0] -> (s0, 8)>
#rows = affine_map<()[s0] -> (s0, 3)>

// A product by a weight, a bias, a mean over an unknown number of rows.
// CHECK-LABEL: @linear(
// CHECK-SAME: %[[X:[^:]*]]: tensor<?x8xf32
func.func @linear(%x: tensor<?x8xf32, #rows8>)
    -> (tensor<f32>, tensor<8x3xf32>, tensor<3xf32>)
    attributes {nn.entry, nn.dims = ["B"], nn.ranges = [array<i64: 1, 64>]} {
  %w = nn.get @w : tensor<8x3xf32>
  %b = nn.get @b : tensor<3xf32>
  %p = nn.matmul %x, %w : tensor<?x8xf32, #rows8>, tensor<8x3xf32> -> tensor<?x3xf32, #rows>
  %bias = nn.broadcast %b {dims = array<i64: 1>} : tensor<3xf32> -> tensor<?x3xf32, #rows>
  %s = nn.add %p, %bias : tensor<?x3xf32, #rows>
  %t = nn.tanh %s : tensor<?x3xf32, #rows>
  %l = nn.reduce mean %t {axes = array<i64: 0, 1>} : tensor<?x3xf32, #rows> -> tensor<f32>
  %g:2 = nn.gradient %l wrt(%w, %b : tensor<8x3xf32>, tensor<3xf32>) : tensor<f32>
  return %l, %g#0, %g#1 : tensor<f32>, tensor<8x3xf32>, tensor<3xf32>
}
// CHECK: %[[Y:.*]] = nn.tanh
// CHECK: %[[LOSS:.*]] = nn.reduce mean %[[Y]]
// CHECK: %[[COUNT:.*]] = nn.cast %{{.*}} : tensor<i64> -> tensor<f32>
// CHECK: %[[SHARE:.*]] = nn.div %{{.*}}, %[[COUNT]]
// CHECK: %[[G:.*]] = nn.broadcast %[[SHARE]]
// CHECK: %[[SQUARE:.*]] = nn.mul %[[Y]], %[[Y]]
// CHECK: %[[NEG:.*]] = nn.neg %[[SQUARE]]
// CHECK: %[[SLOPE:.*]] = nn.add %[[NEG]], %{{.*}}
// CHECK: %[[GS:.*]] = nn.mul %[[G]], %[[SLOPE]]
// CHECK: %[[GB:.*]] = nn.reduce sum %[[GS]] {axes = array<i64: 0>}
// CHECK: %[[GW:.*]] = nn.matmul %[[X]], %[[GS]] {transpose_a}
// CHECK: return %[[LOSS]], %[[GW]], %[[GB]]

// Uses add up; what is stopped, or only counted, gives nothing.
// CHECK-LABEL: @paths(
// CHECK-SAME: %[[W:[^:]*]]: tensor<4xf32>, %[[SEED:[^:]*]]: tensor<f32>
func.func @paths(%w: tensor<4xf32>, %seed: tensor<f32>) -> (tensor<4xf32>, tensor<4xf32>)
    attributes {nn.entry, nn.dims = [], nn.ranges = []} {
  %stopped = nn.stop_gradient %w : tensor<4xf32>
  %a = nn.mul %w, %stopped : tensor<4xf32>
  %i = nn.cast %w : tensor<4xf32> -> tensor<4xi32>
  %f = nn.cast %i : tensor<4xi32> -> tensor<4xf32>
  %b = nn.add %a, %f : tensor<4xf32>
  %c = nn.add %b, %w : tensor<4xf32>
  %l = nn.reduce sum %c {axes = array<i64: 0>} : tensor<4xf32> -> tensor<f32>
  %other = nn.neg %w : tensor<4xf32>
  // CHECK-DAG: %[[ZEROS:.*]] = nn.full 0.000000e+00 : f32 -> tensor<4xf32>
  // CHECK-DAG: %[[G:.*]] = nn.broadcast %[[SEED]]
  // CHECK: %[[PRODUCT:.*]] = nn.mul %[[G]], %[[W]]
  // CHECK: %[[SUM:.*]] = nn.add %[[G]], %[[PRODUCT]]
  // CHECK: return %[[SUM]], %[[ZEROS]]
  %g:2 = nn.gradient %l seed %seed : tensor<f32> wrt(%w, %other : tensor<4xf32>, tensor<4xf32>)
      : tensor<f32>
  return %g#0, %g#1 : tensor<4xf32>, tensor<4xf32>
}

// A parameter in f32 that is used in bf16 gets its gradient in f32.
// CHECK-LABEL: @mixed(
func.func @mixed(%x: tensor<2x8xbf16>) -> tensor<8x3xf32>
    attributes {nn.entry, nn.dims = [], nn.ranges = []} {
  %w = nn.get @w : tensor<8x3xf32>
  %short = nn.cast %w : tensor<8x3xf32> -> tensor<8x3xbf16>
  %p = nn.matmul %x, %short : tensor<2x8xbf16>, tensor<8x3xbf16> -> tensor<2x3xbf16>
  %l = nn.reduce sum %p {axes = array<i64: 0, 1>} : tensor<2x3xbf16> -> tensor<bf16>
  // CHECK: %[[G:.*]] = nn.matmul %{{.*}}, %{{.*}} {transpose_a} : tensor<2x8xbf16>, tensor<2x3xbf16> -> tensor<8x3xbf16>
  // CHECK: nn.cast %[[G]] : tensor<8x3xbf16> -> tensor<8x3xf32>
  %g = nn.gradient %l wrt(%w : tensor<8x3xf32>) : tensor<bf16>
  return %g : tensor<8x3xf32>
}

// A sum that is rounded once: the gradient that comes in is 16 bits wide, and multiplied so.
// CHECK-LABEL: @rounded_once(
// CHECK-SAME: %[[X:[^:]*]]: tensor<2x8xbf16>, %[[W:[^:]*]]: tensor<3x8xbf16>
// CHECK: %[[G:.*]] = nn.broadcast %{{.*}} -> tensor<2x3xbf16>
// CHECK: nn.matmul %[[G]], %[[X]] {transpose_a} : tensor<2x3xbf16>, tensor<2x8xbf16> -> tensor<3x8xbf16>
func.func @rounded_once(%x: tensor<2x8xbf16>, %w: tensor<3x8xbf16>, %b: tensor<2x3xf32>, %seed: tensor<f32>) -> tensor<3x8xbf16>
    attributes {nn.entry, nn.dims = [], nn.ranges = []} {
  %p = nn.matmul %x, %w {transpose_b} : tensor<2x8xbf16>, tensor<3x8xbf16> -> tensor<2x3xf32>
  %s = nn.add %p, %b : tensor<2x3xf32>
  %y = nn.cast %s : tensor<2x3xf32> -> tensor<2x3xbf16>
  %l = nn.reduce sum %y {axes = array<i64: 0, 1>} : tensor<2x3xbf16> -> tensor<bf16>
  %g = nn.gradient %l seed %seed : tensor<f32> wrt(%w : tensor<3x8xbf16>) : tensor<bf16>
  return %g : tensor<3x8xbf16>
}

// Where it is not, the operands are widened, and their gradients rounded once.
// CHECK-LABEL: @not_rounded(
// CHECK-SAME: %[[X:[^:]*]]: tensor<2x8xbf16>, %[[W:[^:]*]]: tensor<3x8xbf16>
// CHECK: %[[WIDE:.*]] = nn.cast %[[X]] : tensor<2x8xbf16> -> tensor<2x8xf32>
// CHECK: %[[G:.*]] = nn.matmul %{{.*}}, %[[WIDE]] {transpose_a} : tensor<2x3xf32>, tensor<2x8xf32> -> tensor<3x8xf32>
// CHECK: nn.cast %[[G]] : tensor<3x8xf32> -> tensor<3x8xbf16>
func.func @not_rounded(%x: tensor<2x8xbf16>, %w: tensor<3x8xbf16>, %b: tensor<2x3xf32>) -> tensor<3x8xbf16>
    attributes {nn.entry, nn.dims = [], nn.ranges = []} {
  %p = nn.matmul %x, %w {transpose_b} : tensor<2x8xbf16>, tensor<3x8xbf16> -> tensor<2x3xf32>
  %s = nn.mul %p, %b : tensor<2x3xf32>
  %l = nn.reduce sum %s {axes = array<i64: 0, 1>} : tensor<2x3xf32> -> tensor<f32>
  %g = nn.gradient %l wrt(%w : tensor<3x8xbf16>) : tensor<f32>
  return %g : tensor<3x8xbf16>
}

#step = affine_map<()[s0] -> (0, s0, 0)>

// A recurrent cell: the forward loop keeps the product and what was carried in, the backward one
// goes the other way. What the weight gets is one product of all steps, what the input gets is
// stacked.
// CHECK-LABEL: @cell(
// CHECK-SAME: %[[XS:[^:]*]]: tensor<2x5x4xf32>, %[[H0:[^:]*]]: tensor<2x4xf32>, %[[W:[^:]*]]: tensor<4x4xf32>
func.func @cell(%xs: tensor<2x5x4xf32>, %h0: tensor<2x4xf32>, %w: tensor<4x4xf32>)
    -> (tensor<2x4xf32>, tensor<2x5x4xf32>, tensor<2x4xf32>, tensor<4x4xf32>)
    attributes {nn.entry, nn.dims = ["t"], nn.kinds = ["loop"]} {
  // CHECK: %[[FORWARD:.*]]:3 = nn.scan 0 length #{{.*}} init(%[[H0]] : tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<5x2x4xf32>, tensor<5x2x4xf32>)
  // CHECK-NEXT: ^bb0(%[[H:.*]]: tensor<2x4xf32>):
  // CHECK: %[[P:.*]] = nn.matmul %[[H]], %[[W]]
  // CHECK: %[[Y:.*]] = nn.sin
  // CHECK: nn.yield %[[Y]], %[[P]], %[[H]] :
  // CHECK: %[[BACK:.*]]:2 = nn.scan 0 length #{{.*}} reverse -> (tensor<2x4xf32>, tensor<5x2x4xf32>)
  // CHECK-NEXT: ^bb0(%[[G:.*]]: tensor<2x4xf32>):
  // CHECK: nn.slice %[[FORWARD]]#1
  // CHECK-NOT: nn.sin
  // CHECK: nn.cos
  // CHECK: %[[GS:.*]] = nn.mul
  // CHECK: %[[GH:.*]] = nn.matmul %[[GS]], %[[W]] {transpose_b}
  // CHECK: nn.yield %[[GH]], %[[GS]] :
  // CHECK-DAG: %[[HS:.*]] = nn.reshape %[[FORWARD]]#2 : tensor<5x2x4xf32> -> tensor<10x4xf32>
  // CHECK-DAG: %[[GSS:.*]] = nn.reshape %[[BACK]]#1 : tensor<5x2x4xf32> -> tensor<10x4xf32>
  // CHECK-DAG: %[[GW:.*]] = nn.matmul %[[HS]], %[[GSS]] {transpose_a}
  // CHECK-DAG: %[[GX:.*]] = nn.transpose %[[BACK]]#1 {permutation = array<i64: 1, 0, 2>}
  // CHECK: return %[[FORWARD]]#0, %[[GX]], %[[BACK]]#0, %[[GW]]
  %last = nn.scan 0 length affine_map<() -> (5)> init(%h0 : tensor<2x4xf32>) -> (tensor<2x4xf32>) {
  ^bb0(%h: tensor<2x4xf32>):
    %part = nn.slice %xs start #step step [1, 1, 1] : tensor<2x5x4xf32> -> tensor<2x1x4xf32>
    %x = nn.reshape %part : tensor<2x1x4xf32> -> tensor<2x4xf32>
    %p = nn.matmul %h, %w : tensor<2x4xf32>, tensor<4x4xf32> -> tensor<2x4xf32>
    %s = nn.add %p, %x : tensor<2x4xf32>
    %y = nn.sin %s : tensor<2x4xf32>
    nn.yield %y : tensor<2x4xf32>
  }
  %l = nn.reduce sum %last {axes = array<i64: 0, 1>} : tensor<2x4xf32> -> tensor<f32>
  %g:3 = nn.gradient %l wrt(%xs, %h0, %w : tensor<2x5x4xf32>, tensor<2x4xf32>, tensor<4x4xf32>) : tensor<f32>
  return %last, %g#0, %g#1, %g#2 : tensor<2x4xf32>, tensor<2x5x4xf32>, tensor<2x4xf32>, tensor<4x4xf32>
}

// What is called with @remat is computed again from what it reads: the product's operand is, its
// result is not kept. The weight needs no barrier.
// CHECK-LABEL: @remat(
// CHECK-SAME: %[[X:[^:]*]]: tensor<2x8xf32>
func.func @remat(%x: tensor<2x8xf32>) -> (tensor<f32>, tensor<8x3xf32>)
    attributes {nn.entry, nn.dims = []} {
  %w = nn.get @w : tensor<8x3xf32>
  // CHECK: %[[W:.*]] = nn.get @w
  // CHECK: nn.exp %[[X]]
  // CHECK: nn.matmul
  // CHECK: nn.sin
  // CHECK: nn.reduce sum
  // CHECK: %[[XB:.*]] = nn.barrier %[[X]]
  // CHECK: %[[E:.*]] = nn.exp %[[XB]]
  // CHECK: %[[P:.*]] = nn.matmul %[[E]], %[[W]]
  // CHECK: %[[C:.*]] = nn.cos %[[P]]
  // CHECK-NOT: nn.remat
  // CHECK: nn.matmul %[[E]], %{{.*}} {transpose_a}
  %e = nn.exp %x {nn.remat = "layer:1:1"} : tensor<2x8xf32>
  %p = nn.matmul %e, %w {nn.remat = "layer:1:1"} : tensor<2x8xf32>, tensor<8x3xf32> -> tensor<2x3xf32>
  %s = nn.sin %p {nn.remat = "layer:1:1"} : tensor<2x3xf32>
  %l = nn.reduce sum %s {axes = array<i64: 0, 1>} : tensor<2x3xf32> -> tensor<f32>
  %g = nn.gradient %l wrt(%w : tensor<8x3xf32>) : tensor<f32>
  return %l, %g : tensor<f32>, tensor<8x3xf32>
}
