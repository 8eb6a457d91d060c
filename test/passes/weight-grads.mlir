// RUN: nnc-opt %s --nn-cut-weight-grads | FileCheck %s
// RUN: nnc-opt %s --nn-choose-layouts --canonicalize | FileCheck %s --check-prefix=LAST
// RUN: nnc-opt %s --nn-expand-weight-grads | FileCheck %s --check-prefix=CPU

#x = affine_map<()[s0] -> (s0, 3, 34, 34)>
#g = affine_map<()[s0] -> (s0, 16, 32, 32)>

// 64 images of 576 positions for one tile: every image in four parts, which are added up in f32.
// CHECK-LABEL: func.func @small
// CHECK: %[[P:.*]] = nn.conv2d_weight_grad %{{.*}}, %{{.*}} {{{.*}}parts = array<i64: 64, 4>, {{.*}}} : tensor<64x1x28x28xf32>, tensor<64x10x24x24xf32> -> tensor<64x4x10x1x5x5xf32>
// CHECK: %[[R:.*]] = nn.reshape %[[P]] : tensor<64x4x10x1x5x5xf32> -> tensor<256x10x1x5x5xf32>
// CHECK: %[[S:.*]] = nn.reduce sum %[[R]] {axes = array<i64: 0>} : tensor<256x10x1x5x5xf32> -> tensor<10x1x5x5xf32>
// CHECK: return %[[S]]
// f32 stays as it is.
// LAST-LABEL: func.func @small
// LAST: nn.conv2d_weight_grad %{{.*}} -> tensor<10x1x5x5xf32>
// CPU-LABEL: func.func @small
// CPU-SAME: (%[[X:.*]]: tensor<64x1x28x28xf32>, %[[G:.*]]: tensor
// CPU: %[[XT:.*]] = nn.transpose %[[X]] {permutation = array<i64: 1, 0, 2, 3>}
// CPU: %[[GT:.*]] = nn.transpose %[[G]] {permutation = array<i64: 1, 0, 2, 3>}
// CPU: %[[W:.*]] = nn.conv2d %[[XT]], %[[GT]] {{{.*}}} : tensor<1x64x28x28xf32>, tensor<10x64x24x24xf32> -> tensor<1x10x5x5xf32>
// CPU: %[[T:.*]] = nn.transpose %[[W]] {permutation = array<i64: 1, 0, 2, 3>}
// CPU: return %[[T]]
func.func @small(%x: tensor<64x1x28x28xf32>, %g: tensor<64x10x24x24xf32>) -> tensor<10x1x5x5xf32>
    attributes {nn.entry, nn.dims = []} {
  %0 = nn.conv2d_weight_grad %x, %g {strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, dilation = array<i64: 1, 1>}
      : tensor<64x1x28x28xf32>, tensor<64x10x24x24xf32> -> tensor<10x1x5x5xf32>
  return %0 : tensor<10x1x5x5xf32>
}

// Of a batch that is not known, rows are cut. The sum is rounded once.
// CHECK-LABEL: func.func @dynamic
// CHECK: parts = array<i64: 1, 32>{{.*}} -> tensor<1x32x16x3x3x3xf32>
// CHECK: %[[S:.*]] = nn.reduce sum %{{.*}} -> tensor<16x3x3x3xf32>
// CHECK: nn.cast %[[S]] : tensor<16x3x3x3xf32> -> tensor<16x3x3x3xbf16>
// LAST-LABEL: func.func @dynamic
// LAST-SAME: (%[[X:.*]]: tensor<?x3x34x34xbf16, #{{.*}}>, %[[G:.*]]: tensor
// LAST-DAG: %[[XT:.*]] = nn.transpose %[[X]] {permutation = array<i64: 0, 2, 3, 1>}
// LAST-DAG: %[[GT:.*]] = nn.transpose %[[G]] {permutation = array<i64: 0, 2, 3, 1>}
// LAST-DAG: %[[XP:.*]] = nn.pad %[[XT]] {high = array<i64: 0, 0, 0, 5>
// LAST: %[[W:.*]] = nn.conv2d_weight_grad %[[XP]], %[[GT]] {channels_last, {{.*}} -> tensor<16x3x3x8xbf16>
// LAST: %[[C:.*]] = nn.slice %[[W]]
// LAST: %[[T:.*]] = nn.transpose %[[C]] {permutation = array<i64: 0, 3, 1, 2>}
// LAST: return %[[T]]
func.func @dynamic(%x: tensor<?x3x34x34xbf16, #x>, %g: tensor<?x16x32x32xbf16, #g>) -> tensor<16x3x3x3xbf16>
    attributes {nn.entry, nn.dims = ["B"], nn.ranges = [array<i64: 1, 64>]} {
  %0 = nn.conv2d_weight_grad %x, %g {strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, dilation = array<i64: 1, 1>}
      : tensor<?x3x34x34xbf16, #x>, tensor<?x16x32x32xbf16, #g> -> tensor<16x3x3x3xbf16>
  return %0 : tensor<16x3x3x3xbf16>
}

// Enough tiles as it is.
// CHECK-LABEL: func.func @wide
// CHECK-NOT: parts
// CHECK: return
func.func @wide(%x: tensor<8x512x7x7xbf16>, %g: tensor<8x512x7x7xbf16>) -> tensor<512x512x3x3xbf16>
    attributes {nn.entry, nn.dims = []} {
  %0 = nn.conv2d_weight_grad %x, %g {strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>}
      : tensor<8x512x7x7xbf16>, tensor<8x512x7x7xbf16> -> tensor<512x512x3x3xbf16>
  return %0 : tensor<512x512x3x3xbf16>
}

// As the convolution itself: two pixels in one, of four channels each, and a window of four of them.
// LAST-LABEL: func.func @folded
// LAST: %[[I:.*]] = nn.reshape %{{.*}} : tensor<2x16x16x4xbf16> -> tensor<2x16x8x8xbf16>
// LAST: %[[W:.*]] = nn.conv2d_weight_grad %[[I]], %{{.*}} {channels_last, dilation = array<i64: 1, 1>, padding = array<i64: 3, 3, 2, 1>, strides = array<i64: 2, 1>} : tensor<2x16x8x8xbf16>, tensor<2x8x8x16xbf16> -> tensor<16x7x4x8xbf16>
// LAST: %[[F:.*]] = nn.reshape %[[W]] : tensor<16x7x4x8xbf16> -> tensor<16x7x8x4xbf16>
// LAST: %[[C:.*]] = nn.slice %[[F]] start #{{.*}} step [1, 1, 1, 1] : tensor<16x7x8x4xbf16> -> tensor<16x7x7x3xbf16>
// LAST: nn.transpose %[[C]] {permutation = array<i64: 0, 3, 1, 2>}
func.func @folded(%x: tensor<2x3x16x16xbf16>, %g: tensor<2x16x8x8xbf16>) -> tensor<16x3x7x7xbf16>
    attributes {nn.entry, nn.dims = []} {
  %0 = nn.conv2d_weight_grad %x, %g {strides = array<i64: 2, 2>, padding = array<i64: 3, 3, 3, 3>, dilation = array<i64: 1, 1>}
      : tensor<2x3x16x16xbf16>, tensor<2x16x8x8xbf16> -> tensor<16x3x7x7xbf16>
  return %0 : tensor<16x3x7x7xbf16>
}
