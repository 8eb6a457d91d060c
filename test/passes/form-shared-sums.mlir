// On cuda, blocks share out sums of few results over many elements: what needs such a sum for each
// element is another kernel.
// RUN: nnc-opt %s --nn-form-kernels=target=cuda | FileCheck %s
// RUN: nnc-opt %s --nn-form-kernels=target=cpu | FileCheck %s --check-prefix=CPU

// Mean and variance are one pass, and what is one number per column is computed behind them.
// CHECK-LABEL: @norm(
// CHECK: nn.kernel {{.*}}anchor = "reduction"
// CHECK: nn.reduce mean %{{.*}} {axes = array<i64: 0>}
// CHECK: nn.reduce mean %{{.*}} {axes = array<i64: 0>, nn.spread}
// CHECK: nn.rsqrt
// CHECK: nn.yield %{{.*}}, %{{.*}} : tensor<32xf32>, tensor<32xf32>
// CHECK: nn.kernel {{.*}}anchor = "pointwise"
// CHECK-SAME: nn.refused = [{{.*}}its sums are known when all blocks are done"
// CHECK: nn.sub
// CHECK: nn.mul
// CPU-LABEL: @norm(
// CPU-COUNT-1: nn.kernel
// CPU-NOT: nn.spread
// CPU-NOT: nn.kernel
// CPU: return
func.func @norm(%x: tensor<4096x32xf32>) -> tensor<4096x32xf32>
    attributes {nn.entry, nn.dims = [], nn.ranges = []} {
  %m = nn.reduce mean %x {axes = array<i64: 0>} : tensor<4096x32xf32> -> tensor<32xf32>
  %mb = nn.broadcast %m {dims = array<i64: 1>} : tensor<32xf32> -> tensor<4096x32xf32>
  %d = nn.sub %x, %mb : tensor<4096x32xf32>
  %q = nn.mul %d, %d : tensor<4096x32xf32>
  %v = nn.reduce mean %q {axes = array<i64: 0>} : tensor<4096x32xf32> -> tensor<32xf32>
  %r = nn.rsqrt %v : tensor<32xf32>
  %rb = nn.broadcast %r {dims = array<i64: 1>} : tensor<32xf32> -> tensor<4096x32xf32>
  %y = nn.mul %d, %rb : tensor<4096x32xf32>
  return %y : tensor<4096x32xf32>
}

// The mean of other elements is none of a variance: it stays two passes.
// CHECK-LABEL: @other(
// CHECK-NOT: nn.spread
// CHECK: return
func.func @other(%x: tensor<4096x32xf32>, %z: tensor<4096x32xf32>) -> tensor<32xf32>
    attributes {nn.entry, nn.dims = [], nn.ranges = []} {
  %m = nn.reduce mean %z {axes = array<i64: 0>} : tensor<4096x32xf32> -> tensor<32xf32>
  %mb = nn.broadcast %m {dims = array<i64: 1>} : tensor<32xf32> -> tensor<4096x32xf32>
  %d = nn.sub %x, %mb : tensor<4096x32xf32>
  %q = nn.mul %d, %d : tensor<4096x32xf32>
  %v = nn.reduce mean %q {axes = array<i64: 0>} : tensor<4096x32xf32> -> tensor<32xf32>
  return %v : tensor<32xf32>
}

// A product that only sums read is no second result of the convolution before them.
// CHECK-LABEL: @gradients(
// CHECK: nn.kernel {{.*}}anchor = "convolution"
// CHECK: nn.yield %{{[^,]*}} : tensor<64x8x16x16xf32>
// CHECK: nn.kernel {{.*}}anchor = "reduction"
// CHECK-DAG: nn.mul
// CHECK-DAG: nn.reduce sum
// CHECK-DAG: nn.reduce sum
// CHECK: nn.yield %{{.*}}, %{{.*}} : tensor<8xf32>, tensor<8xf32>
// CHECK-NOT: nn.kernel
// CHECK: return
func.func @gradients(%x: tensor<64x8x16x16xf32>, %w: tensor<8x8x1x1xf32>, %z: tensor<64x8x16x16xf32>)
    -> (tensor<8xf32>, tensor<8xf32>) attributes {nn.entry, nn.dims = [], nn.ranges = []} {
  %g = nn.conv2d %x, %w {strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, dilation = array<i64: 1, 1>, groups = 1 : i64} : tensor<64x8x16x16xf32>, tensor<8x8x1x1xf32> -> tensor<64x8x16x16xf32>
  %s = nn.reduce sum %g {axes = array<i64: 0, 2, 3>} : tensor<64x8x16x16xf32> -> tensor<8xf32>
  %p = nn.mul %g, %z : tensor<64x8x16x16xf32>
  %q = nn.reduce sum %p {axes = array<i64: 0, 2, 3>} : tensor<64x8x16x16xf32> -> tensor<8xf32>
  return %s, %q : tensor<8xf32>, tensor<8xf32>
}

// What is computed from many sums stays apart from them, so that they run side by side; three are one
// after the other, each with the sum so far.
// CHECK-LABEL: @three(
// CHECK-NOT: anchor = "pointwise"
// CHECK: return
// CHECK-LABEL: @four(
// CHECK-COUNT-4: anchor = "reduction"
// CHECK: anchor = "pointwise"
// CHECK-COUNT-3: nn.add
// CHECK: nn.sqrt
// CHECK: return
// CPU-LABEL: @four(
// CPU-NOT: anchor = "pointwise"
// CPU: return
func.func @three(%a: tensor<8xf32>, %b: tensor<9xf32>, %c: tensor<10xf32>) -> tensor<f32>
    attributes {nn.entry, nn.dims = [], nn.ranges = []} {
  %0 = nn.reduce sum %a {axes = array<i64: 0>} : tensor<8xf32> -> tensor<f32>
  %1 = nn.reduce sum %b {axes = array<i64: 0>} : tensor<9xf32> -> tensor<f32>
  %2 = nn.reduce sum %c {axes = array<i64: 0>} : tensor<10xf32> -> tensor<f32>
  %3 = nn.add %0, %1 : tensor<f32>
  %4 = nn.add %3, %2 : tensor<f32>
  return %4 : tensor<f32>
}
func.func @four(%a: tensor<8xf32>, %b: tensor<9xf32>, %c: tensor<10xf32>, %d: tensor<11xf32>) -> tensor<f32>
    attributes {nn.entry, nn.dims = [], nn.ranges = []} {
  %0 = nn.reduce sum %a {axes = array<i64: 0>} : tensor<8xf32> -> tensor<f32>
  %1 = nn.reduce sum %b {axes = array<i64: 0>} : tensor<9xf32> -> tensor<f32>
  %2 = nn.reduce sum %c {axes = array<i64: 0>} : tensor<10xf32> -> tensor<f32>
  %3 = nn.reduce sum %d {axes = array<i64: 0>} : tensor<11xf32> -> tensor<f32>
  %4 = nn.add %0, %1 : tensor<f32>
  %5 = nn.add %2, %3 : tensor<f32>
  %6 = nn.add %4, %5 : tensor<f32>
  %7 = nn.sqrt %6 : tensor<f32>
  return %7 : tensor<f32>
}
