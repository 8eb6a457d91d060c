// RUN: nnc-opt %s --split-input-file --nn-use-winograd | FileCheck %s
// RUN: nnc-opt %s --split-input-file --nn-use-winograd --nn-hoist-constants | FileCheck %s --check-prefix=HOIST

#x = affine_map<()[s0] -> (s0, 64, 14, 14)>
#y = affine_map<()[s0] -> (s0, 32, 14, 14)>

nn.global @w : tensor<32x64x3x3xf32> {kind = "param"}

// 14 rows are four tiles of four; every row of the window is multiplied by its factors in six products.
// CHECK-LABEL: func.func @tiles
// CHECK-SAME: (%[[X:.*]]: tensor<?x64x14x14xf32
// CHECK: %[[W:.*]] = nn.get @w
// CHECK: %[[S:.*]] = nn.slice %[[W]] start #{{.*}} step [1, 1, 1, 1] : tensor<32x64x3x3xf32> -> tensor<32x64x1x3xf32>
// CHECK: %[[T:.*]] = nn.transpose %[[S]] {permutation = array<i64: 2, 0, 1, 3>} : tensor<32x64x1x3xf32> -> tensor<1x32x64x3xf32>
// CHECK: %[[ROW:.*]] = nn.broadcast %[[T]] {dims = array<i64: 0, 1, 2, 3>} : tensor<1x32x64x3xf32> -> tensor<6x32x64x3xf32>
// CHECK: %[[F:.*]] = nn.concat %{{.*}} {axis = 0 : i64} : {{.*}} -> tensor<6xf32>
// CHECK: %[[FACTORS:.*]] = nn.broadcast %[[F]] {dims = array<i64: 0>} : tensor<6xf32> -> tensor<6x32x64x3xf32>
// CHECK: nn.mul %[[ROW]], %[[FACTORS]]
// CHECK: nn.add
// CHECK: %[[U:.*]] = nn.add %{{.*}}, %{{.*}} : tensor<6x32x64x3xf32>
// CHECK: %[[R:.*]] = nn.winograd_conv2d %[[X]], %[[U]] {padding = array<i64: 1, 1, 1, 1>, tile = 4 : i64}
// CHECK: return %[[R]]
// Twice as large as what they are made of, and still prepared.
// HOIST-LABEL: func.func @tiles
// HOIST: %[[U:.*]] = nn.get @prepared.0 : tensor<6x32x64x3xf32>
// HOIST-NEXT: nn.winograd_conv2d %{{.*}}, %[[U]]
func.func @tiles(%x: tensor<?x64x14x14xf32, #x>) -> tensor<?x32x14x14xf32, #y> attributes {nn.entry, nn.dims = ["B"]} {
  %w = nn.get @w : tensor<32x64x3x3xf32>
  %0 = nn.conv2d %x, %w {strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>}
      : tensor<?x64x14x14xf32, #x>, tensor<32x64x3x3xf32> -> tensor<?x32x14x14xf32, #y>
  return %0 : tensor<?x32x14x14xf32, #y>
}

// -----

#z = affine_map<()[s0] -> (1, 16, s0, 8)>

nn.global @w : tensor<16x16x3x3xf32> {kind = "param"}

// Nine rows are three tiles of three; two rows are one of two; rows that only the call knows are in tiles of four.
// CHECK-LABEL: func.func @rows
// CHECK: nn.winograd_conv2d {{.*}}tile = 3
// CHECK: nn.winograd_conv2d {{.*}}tile = 2
// CHECK: nn.winograd_conv2d {{.*}}tile = 4
func.func @rows(%x: tensor<1x16x9x32xf32>, %y: tensor<1x16x4x34xf32>, %z: tensor<1x16x?x8xf32, #z>)
    -> (tensor<1x16x9x32xf32>, tensor<1x16x2x32xf32>, tensor<1x16x?x8xf32, #z>) attributes {nn.entry, nn.dims = ["H"]} {
  %w = nn.get @w : tensor<16x16x3x3xf32>
  %0 = nn.conv2d %x, %w {strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>}
      : tensor<1x16x9x32xf32>, tensor<16x16x3x3xf32> -> tensor<1x16x9x32xf32>
  %1 = nn.conv2d %y, %w {strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, dilation = array<i64: 1, 1>}
      : tensor<1x16x4x34xf32>, tensor<16x16x3x3xf32> -> tensor<1x16x2x32xf32>
  %2 = nn.conv2d %z, %w {strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>}
      : tensor<1x16x?x8xf32, #z>, tensor<16x16x3x3xf32> -> tensor<1x16x?x8xf32, #z>
  return %0, %1, %2 : tensor<1x16x9x32xf32>, tensor<1x16x2x32xf32>, tensor<1x16x?x8xf32, #z>
}

// -----

nn.global @w : tensor<16x16x3x3xf32> {kind = "param"}
nn.global @s : tensor<16x16x3x3xf32> {kind = "state"}
nn.global @h : tensor<16x16x3x3xbf16> {kind = "param"}
nn.global @few : tensor<16x3x3x3xf32> {kind = "param"}
nn.global @five : tensor<16x16x5x5xf32> {kind = "param"}
nn.global @many : tensor<256x512x3x3xf32> {kind = "param"}
nn.global @groups : tensor<16x1x3x3xf32> {kind = "param"}

#x = affine_map<()[s0] -> (1, 512, s0, 16)>
#y = affine_map<()[s0] -> (1, 256, s0, 16)>

// Strides, dilation, groups, other windows, 16 bits, few channels, small images, many channels of an image that only the call knows, and weights that change.
// CHECK-LABEL: func.func @others
// CHECK-NOT: nn.winograd_conv2d
// CHECK: return
func.func @others(%x: tensor<1x16x16x16xf32>, %b: tensor<1x16x16x16xbf16>, %image: tensor<1x3x16x16xf32>,
                  %small: tensor<1x16x7x7xf32>, %high: tensor<1x512x?x16xf32, #x>)
    -> (tensor<1x16x8x8xf32>, tensor<1x16x12x12xf32>, tensor<1x16x14x14xf32>, tensor<1x16x12x12xf32>, tensor<1x16x14x14xbf16>,
        tensor<1x16x14x14xf32>, tensor<1x16x7x7xf32>, tensor<1x256x?x16xf32, #y>, tensor<1x16x14x14xf32>)
    attributes {nn.entry, nn.dims = ["H"]} {
  %w = nn.get @w : tensor<16x16x3x3xf32>
  %s = nn.get @s : tensor<16x16x3x3xf32>
  %h = nn.get @h : tensor<16x16x3x3xbf16>
  %few = nn.get @few : tensor<16x3x3x3xf32>
  %five = nn.get @five : tensor<16x16x5x5xf32>
  %g = nn.get @groups : tensor<16x1x3x3xf32>
  %0 = nn.conv2d %x, %w {strides = array<i64: 2, 2>, padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>}
      : tensor<1x16x16x16xf32>, tensor<16x16x3x3xf32> -> tensor<1x16x8x8xf32>
  %1 = nn.conv2d %x, %w {strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, dilation = array<i64: 2, 2>}
      : tensor<1x16x16x16xf32>, tensor<16x16x3x3xf32> -> tensor<1x16x12x12xf32>
  %2 = nn.conv2d %x, %g {strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, dilation = array<i64: 1, 1>, groups = 16}
      : tensor<1x16x16x16xf32>, tensor<16x1x3x3xf32> -> tensor<1x16x14x14xf32>
  %3 = nn.conv2d %x, %five {strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, dilation = array<i64: 1, 1>}
      : tensor<1x16x16x16xf32>, tensor<16x16x5x5xf32> -> tensor<1x16x12x12xf32>
  %4 = nn.conv2d %b, %h {strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, dilation = array<i64: 1, 1>}
      : tensor<1x16x16x16xbf16>, tensor<16x16x3x3xbf16> -> tensor<1x16x14x14xbf16>
  %5 = nn.conv2d %image, %few {strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, dilation = array<i64: 1, 1>}
      : tensor<1x3x16x16xf32>, tensor<16x3x3x3xf32> -> tensor<1x16x14x14xf32>
  %6 = nn.conv2d %small, %w {strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>}
      : tensor<1x16x7x7xf32>, tensor<16x16x3x3xf32> -> tensor<1x16x7x7xf32>
  %m = nn.get @many : tensor<256x512x3x3xf32>
  %7 = nn.conv2d %high, %m {strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>}
      : tensor<1x512x?x16xf32, #x>, tensor<256x512x3x3xf32> -> tensor<1x256x?x16xf32, #y>
  %8 = nn.conv2d %x, %s {strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, dilation = array<i64: 1, 1>}
      : tensor<1x16x16x16xf32>, tensor<16x16x3x3xf32> -> tensor<1x16x14x14xf32>
  return %0, %1, %2, %3, %4, %5, %6, %7, %8 : tensor<1x16x8x8xf32>, tensor<1x16x12x12xf32>, tensor<1x16x14x14xf32>, tensor<1x16x12x12xf32>,
      tensor<1x16x14x14xbf16>, tensor<1x16x14x14xf32>, tensor<1x16x7x7xf32>, tensor<1x256x?x16xf32, #y>, tensor<1x16x14x14xf32>
}

// -----

#z = affine_map<()[s0] -> (1, 16, s0, 32)>
#half = affine_map<()[s0] -> (1, 16, s0, 16)>

nn.global @w : tensor<16x16x3x3xf32> {kind = "param"}

// Of an image of run-time size what is read in its own place, up to a reduction; not what is shifted.
// CHECK-LABEL: func.func @read
// CHECK: nn.winograd_conv2d
// CHECK-NOT: nn.winograd_conv2d
// CHECK: return
func.func @read(%x: tensor<1x16x?x32xf32, #z>) -> (tensor<1x16xf32>, tensor<1x16x?x16xf32, #half>)
    attributes {nn.entry, nn.dims = ["H"]} {
  %w = nn.get @w : tensor<16x16x3x3xf32>
  %0 = nn.conv2d %x, %w {strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>}
      : tensor<1x16x?x32xf32, #z>, tensor<16x16x3x3xf32> -> tensor<1x16x?x32xf32, #z>
  %1 = nn.tanh %0 : tensor<1x16x?x32xf32, #z>
  %2 = nn.reduce sum %1 {axes = array<i64: 2, 3>} : tensor<1x16x?x32xf32, #z> -> tensor<1x16xf32>
  %3 = nn.conv2d %x, %w {strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>}
      : tensor<1x16x?x32xf32, #z>, tensor<16x16x3x3xf32> -> tensor<1x16x?x32xf32, #z>
  %4 = nn.neg %3 : tensor<1x16x?x32xf32, #z>
  %5 = nn.slice %4 start affine_map<()[s0] -> (0, 0, 0, 1)> step [1, 1, 1, 2] : tensor<1x16x?x32xf32, #z> -> tensor<1x16x?x16xf32, #half>
  return %2, %5 : tensor<1x16xf32>, tensor<1x16x?x16xf32, #half>
}
