// RUN: nnc-opt %s --nn-fold-batch-norm --canonicalize --cse | FileCheck %s

#x = affine_map<()[s0] -> (s0, 3, 8, 8)>
#y = affine_map<()[s0] -> (s0, 4, 8, 8)>
#v = affine_map<()[s0] -> (s0, 16)>
#m = affine_map<()[s0] -> (s0, 4)>

nn.global @w : tensor<4x3x3x3xf32> {kind = "param"}
nn.global @gamma : tensor<4xf32> {kind = "param"}
nn.global @beta : tensor<4xf32> {kind = "param"}
nn.global @mean : tensor<4xf32> {kind = "buffer"}
nn.global @var : tensor<4xf32> {kind = "buffer"}
nn.global @fc : tensor<4x16xf32> {kind = "param"}
nn.global @h : tensor<4x3x3x3xbf16> {kind = "param"}
nn.global @memory : tensor<4xf32> {kind = "state"}

// The prelude's BatchNorm2d, with axes added before the arithmetic.
// CHECK-LABEL: func.func @batch_norm
// CHECK-SAME: (%[[X:.*]]: tensor
// CHECK-DAG: %[[W:.*]] = nn.get @w
// CHECK-DAG: %[[RSQRT:.*]] = nn.rsqrt
// CHECK-DAG: %[[RS:.*]] = nn.reshape %[[RSQRT]] : tensor<4x1x1xf32> -> tensor<4xf32>
// CHECK: %[[SHIFT:.*]] = nn.mul %{{.*}}, %[[RS]] : tensor<4xf32>
// CHECK: %[[SCALE:.*]] = nn.mul %[[RS]], %{{.*}} : tensor<4xf32>
// CHECK: %[[TIMES:.*]] = nn.mul %[[SHIFT]]
// CHECK: %[[SUM:.*]] = nn.add %[[TIMES]]
// CHECK: %[[FACTOR:.*]] = nn.broadcast %[[SCALE]] {dims = array<i64: 0>} : tensor<4xf32> -> tensor<4x3x3x3xf32>
// CHECK: %[[W2:.*]] = nn.mul %[[W]], %[[FACTOR]]
// CHECK: %[[CONV:.*]] = nn.conv2d %[[X]], %[[W2]]
// CHECK: %[[T:.*]] = nn.broadcast %[[SUM]] {dims = array<i64: 1>}
// CHECK: %[[Y:.*]] = nn.add %[[CONV]], %[[T]]
// CHECK: return %[[Y]]
func.func @batch_norm(%x: tensor<?x3x8x8xf32, #x>) -> tensor<?x4x8x8xf32, #y> attributes {nn.entry, nn.dims = ["B"]} {
  %w = nn.get @w : tensor<4x3x3x3xf32>
  %0 = nn.conv2d %x, %w {strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>}
      : tensor<?x3x8x8xf32, #x>, tensor<4x3x3x3xf32> -> tensor<?x4x8x8xf32, #y>
  %mean = nn.get @mean : tensor<4xf32>
  %mean1 = nn.reshape %mean : tensor<4xf32> -> tensor<4x1x1xf32>
  %mean2 = nn.broadcast %mean1 {dims = array<i64: 1, 2, 3>} : tensor<4x1x1xf32> -> tensor<?x4x8x8xf32, #y>
  %1 = nn.sub %0, %mean2 : tensor<?x4x8x8xf32, #y>
  %var = nn.get @var : tensor<4xf32>
  %var1 = nn.reshape %var : tensor<4xf32> -> tensor<4x1x1xf32>
  %eps = nn.full 1.000000e-05 : f32 -> tensor<4x1x1xf32>
  %var2 = nn.add %var1, %eps : tensor<4x1x1xf32>
  %rsqrt = nn.rsqrt %var2 : tensor<4x1x1xf32>
  %rsqrt1 = nn.broadcast %rsqrt {dims = array<i64: 1, 2, 3>} : tensor<4x1x1xf32> -> tensor<?x4x8x8xf32, #y>
  %2 = nn.mul %1, %rsqrt1 : tensor<?x4x8x8xf32, #y>
  %gamma = nn.get @gamma : tensor<4xf32>
  %gamma1 = nn.broadcast %gamma {dims = array<i64: 1>} : tensor<4xf32> -> tensor<?x4x8x8xf32, #y>
  %3 = nn.mul %2, %gamma1 : tensor<?x4x8x8xf32, #y>
  %beta = nn.get @beta : tensor<4xf32>
  %beta1 = nn.broadcast %beta {dims = array<i64: 1>} : tensor<4xf32> -> tensor<?x4x8x8xf32, #y>
  %4 = nn.add %3, %beta1 : tensor<?x4x8x8xf32, #y>
  return %4 : tensor<?x4x8x8xf32, #y>
}

// Divisions, differences from the left, numbers; the columns of a product.
// CHECK-LABEL: func.func @columns
// CHECK-SAME: (%[[X:.*]]: tensor
// CHECK: %[[G:.*]] = nn.get @gamma
// CHECK: %[[DIV:.*]] = nn.div %{{.*}}, %[[G]]
// CHECK: %[[SCALE:.*]] = nn.neg %[[DIV]]
// CHECK: %[[FACTOR:.*]] = nn.broadcast %[[SCALE]] {dims = array<i64: 0>} : tensor<4xf32> -> tensor<4x16xf32>
// CHECK: %[[W:.*]] = nn.mul %{{.*}}, %[[FACTOR]]
// CHECK: %[[M:.*]] = nn.matmul %[[X]], %[[W]] {transpose_b}
// CHECK: %[[Y:.*]] = nn.add %[[M]]
// CHECK: return %[[Y]]
func.func @columns(%x: tensor<?x16xf32, #v>) -> tensor<?x4xf32, #m> attributes {nn.entry, nn.dims = ["B"]} {
  %w = nn.get @fc : tensor<4x16xf32>
  %0 = nn.matmul %x, %w {transpose_b} : tensor<?x16xf32, #v>, tensor<4x16xf32> -> tensor<?x4xf32, #m>
  %one = nn.full 1.000000e+00 : f32 -> tensor<?x4xf32, #m>
  %1 = nn.sub %one, %0 : tensor<?x4xf32, #m>
  %gamma = nn.get @gamma : tensor<4xf32>
  %gamma1 = nn.broadcast %gamma {dims = array<i64: 1>} : tensor<4xf32> -> tensor<?x4xf32, #m>
  %2 = nn.div %1, %gamma1 : tensor<?x4xf32, #m>
  %3 = nn.neg %2 : tensor<?x4xf32, #m>
  return %3 : tensor<?x4xf32, #m>
}

// A bias alone is left where it is.
// CHECK-LABEL: func.func @bias
// CHECK: %[[W:.*]] = nn.get @fc
// CHECK: nn.matmul %{{.*}}, %[[W]]
func.func @bias(%x: tensor<?x16xf32, #v>) -> tensor<?x4xf32, #m> attributes {nn.entry, nn.dims = ["B"]} {
  %w = nn.get @fc : tensor<4x16xf32>
  %0 = nn.matmul %x, %w {transpose_b} : tensor<?x16xf32, #v>, tensor<4x16xf32> -> tensor<?x4xf32, #m>
  %b = nn.get @beta : tensor<4xf32>
  %b1 = nn.broadcast %b {dims = array<i64: 1>} : tensor<4xf32> -> tensor<?x4xf32, #m>
  %1 = nn.add %0, %b1 : tensor<?x4xf32, #m>
  return %1 : tensor<?x4xf32, #m>
}

// What the product is needed for besides cannot be scaled.
// CHECK-LABEL: func.func @two_readers
// CHECK: %[[W:.*]] = nn.get @fc
// CHECK: nn.matmul %{{.*}}, %[[W]]
func.func @two_readers(%x: tensor<?x16xf32, #v>) -> (tensor<?x4xf32, #m>, tensor<?x4xf32, #m>) attributes {nn.entry, nn.dims = ["B"]} {
  %w = nn.get @fc : tensor<4x16xf32>
  %0 = nn.matmul %x, %w {transpose_b} : tensor<?x16xf32, #v>, tensor<4x16xf32> -> tensor<?x4xf32, #m>
  %1 = nn.neg %0 : tensor<?x4xf32, #m>
  return %0, %1 : tensor<?x4xf32, #m>, tensor<?x4xf32, #m>
}

// An input is not a weight, and a state changes between calls.
// CHECK-LABEL: func.func @input
// CHECK: %[[W:.*]] = nn.get @fc
// CHECK: nn.matmul %{{.*}}, %[[W]]
func.func @input(%x: tensor<?x16xf32, #v>, %s: tensor<4xf32>) -> tensor<?x4xf32, #m> attributes {nn.entry, nn.dims = ["B"]} {
  %w = nn.get @fc : tensor<4x16xf32>
  %0 = nn.matmul %x, %w {transpose_b} : tensor<?x16xf32, #v>, tensor<4x16xf32> -> tensor<?x4xf32, #m>
  %s1 = nn.broadcast %s {dims = array<i64: 1>} : tensor<4xf32> -> tensor<?x4xf32, #m>
  %1 = nn.mul %0, %s1 : tensor<?x4xf32, #m>
  return %1 : tensor<?x4xf32, #m>
}

// CHECK-LABEL: func.func @state
// CHECK: %[[W:.*]] = nn.get @fc
// CHECK: nn.matmul %{{.*}}, %[[W]]
func.func @state(%x: tensor<?x16xf32, #v>) -> tensor<?x4xf32, #m> attributes {nn.entry, nn.dims = ["B"]} {
  %w = nn.get @fc : tensor<4x16xf32>
  %m = nn.get @memory : tensor<4xf32>
  %m1 = nn.broadcast %m {dims = array<i64: 1>} : tensor<4xf32> -> tensor<?x4xf32, #m>
  %0 = nn.matmul %x, %w {transpose_b} : tensor<?x16xf32, #v>, tensor<4x16xf32> -> tensor<?x4xf32, #m>
  %1 = nn.mul %0, %m1 : tensor<?x4xf32, #m>
  return %1 : tensor<?x4xf32, #m>
}

// A factor per row, not per channel.
// CHECK-LABEL: func.func @wrong_axis
// CHECK: %[[W:.*]] = nn.get @fc
// CHECK: nn.matmul %{{.*}}, %[[W]]
func.func @wrong_axis(%x: tensor<4x16xf32>) -> tensor<4x4xf32> attributes {nn.entry, nn.dims = []} {
  %w = nn.get @fc : tensor<4x16xf32>
  %0 = nn.matmul %x, %w {transpose_b} : tensor<4x16xf32>, tensor<4x16xf32> -> tensor<4x4xf32>
  %g = nn.get @gamma : tensor<4xf32>
  %g1 = nn.broadcast %g {dims = array<i64: 0>} : tensor<4xf32> -> tensor<4x4xf32>
  %1 = nn.mul %0, %g1 : tensor<4x4xf32>
  return %1 : tensor<4x4xf32>
}

// In 16 bits the product of weight and factor would be rounded once more.
// CHECK-LABEL: func.func @half
// CHECK: %[[W:.*]] = nn.get @h
// CHECK: nn.conv2d %{{.*}}, %[[W]]
func.func @half(%x: tensor<?x3x8x8xbf16, #x>) -> tensor<?x4x8x8xbf16, #y> attributes {nn.entry, nn.dims = ["B"]} {
  %w = nn.get @h : tensor<4x3x3x3xbf16>
  %0 = nn.conv2d %x, %w {strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>}
      : tensor<?x3x8x8xbf16, #x>, tensor<4x3x3x3xbf16> -> tensor<?x4x8x8xbf16, #y>
  %1 = nn.neg %0 : tensor<?x4x8x8xbf16, #y>
  return %1 : tensor<?x4x8x8xbf16, #y>
}
