// RUN: nnc-opt %s --nn-choose-layouts --canonicalize --cse | FileCheck %s

#x = affine_map<()[s0] -> (s0, 3, 8, 8)>
#y = affine_map<()[s0] -> (s0, 16, 8, 8)>
#z = affine_map<()[s0] -> (s0, 32, 4, 4)>
#m = affine_map<()[s0] -> (s0, 16)>
#f = affine_map<()[s0] -> (s0, 16, 64)>
#r = affine_map<()[s0] -> (s0, 64, 16)>

nn.global @w : tensor<16x3x3x3xbf16> {kind = "param"}
nn.global @v : tensor<16x16x3x3xbf16> {kind = "param"}
nn.global @d : tensor<16x1x3x3xbf16> {kind = "param"}
nn.global @b : tensor<16xbf16> {kind = "param"}
nn.global @g : tensor<16x3x3x3xf32> {kind = "param"}
nn.global @one : tensor<16x1x3x3xf32> {kind = "param"}
nn.global @six : tensor<16x6x3x3xf32> {kind = "param"}
nn.global @sixteen : tensor<16x16x3x3xf32> {kind = "param"}
nn.global @up : tensor<64x16x1x1xbf16> {kind = "param"}
nn.global @out : tensor<2x16x1x1xbf16> {kind = "param"}
nn.global @head : tensor<10x1024xf32> {kind = "param"}

// One transposition where the image comes in; none between, and none where the mean over the image
// ends it. The first convolution reads three channels as they are.
// CHECK-LABEL: func.func @chain
// CHECK-SAME: (%[[X:.*]]: tensor
// CHECK-DAG: %[[T:.*]] = nn.transpose %[[X]] {permutation = array<i64: 0, 2, 3, 1>}
// CHECK-DAG: %[[WT:.*]] = nn.transpose %{{.*}} {permutation = array<i64: 0, 2, 3, 1>} : tensor<16x3x3x3xbf16>
// CHECK: %[[C:.*]] = nn.conv2d %[[T]], %[[WT]] {channels_last
// CHECK: %[[B:.*]] = nn.broadcast %{{.*}} {dims = array<i64: 3>} : tensor<16xbf16>
// CHECK: %[[A:.*]] = nn.add %[[C]], %[[B]]
// CHECK: %[[D:.*]] = nn.conv2d %[[A]], %{{.*}} {channels_last, {{.*}}groups = 16
// CHECK: %[[E:.*]] = nn.conv2d %[[D]], %{{.*}} {channels_last
// CHECK: %[[S:.*]] = nn.add %[[E]], %[[A]]
// CHECK: %[[J:.*]] = nn.concat %[[S]], %[[S]] {axis = 3
// CHECK: %[[Q:.*]] = nn.pool2d{{ +}}max %[[J]] {channels_last
// CHECK: %[[O:.*]] = nn.transpose %[[Q]] {permutation = array<i64: 0, 3, 1, 2>}
// CHECK: %[[M:.*]] = nn.reduce{{ +}}sum %[[S]] {axes = array<i64: 1, 2>
// CHECK: return %[[M]], %[[O]]
func.func @chain(%x: tensor<?x3x8x8xbf16, #x>) -> (tensor<?x16xbf16, #m>, tensor<?x32x4x4xbf16, #z>) attributes {nn.entry, nn.dims = ["B"]} {
  %w = nn.get @w : tensor<16x3x3x3xbf16>
  %v = nn.get @v : tensor<16x16x3x3xbf16>
  %d = nn.get @d : tensor<16x1x3x3xbf16>
  %b = nn.get @b : tensor<16xbf16>
  %0 = nn.conv2d %x, %w {strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>}
      : tensor<?x3x8x8xbf16, #x>, tensor<16x3x3x3xbf16> -> tensor<?x16x8x8xbf16, #y>
  %1 = nn.broadcast %b {dims = array<i64: 1>} : tensor<16xbf16> -> tensor<?x16x8x8xbf16, #y>
  %2 = nn.add %0, %1 : tensor<?x16x8x8xbf16, #y>
  %3 = nn.conv2d %2, %d {strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>, groups = 16}
      : tensor<?x16x8x8xbf16, #y>, tensor<16x1x3x3xbf16> -> tensor<?x16x8x8xbf16, #y>
  %4 = nn.conv2d %3, %v {strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>}
      : tensor<?x16x8x8xbf16, #y>, tensor<16x16x3x3xbf16> -> tensor<?x16x8x8xbf16, #y>
  %5 = nn.add %4, %2 : tensor<?x16x8x8xbf16, #y>
  %6 = nn.concat %5, %5 {axis = 1} : tensor<?x16x8x8xbf16, #y>, tensor<?x16x8x8xbf16, #y> -> tensor<?x32x8x8xbf16, affine_map<()[s0] -> (s0, 32, 8, 8)>>
  %7 = nn.pool2d max %6 {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, padding = array<i64: 0, 0, 0, 0>}
      : tensor<?x32x8x8xbf16, affine_map<()[s0] -> (s0, 32, 8, 8)>> -> tensor<?x32x4x4xbf16, #z>
  %8 = nn.reduce sum %5 {axes = array<i64: 2, 3>} : tensor<?x16x8x8xbf16, #y> -> tensor<?x16xbf16, #m>
  return %8, %7 : tensor<?x16xbf16, #m>, tensor<?x32x4x4xbf16, #z>
}

// Few images: three channels are padded to whole loads.
// CHECK-LABEL: func.func @few
// CHECK-SAME: (%[[X:.*]]: tensor
// CHECK-DAG: %[[T:.*]] = nn.transpose %[[X]] {permutation = array<i64: 0, 2, 3, 1>}
// CHECK-DAG: %[[P:.*]] = nn.pad %[[T]] {high = array<i64: 0, 0, 0, 5>
// CHECK-DAG: %[[WT:.*]] = nn.transpose %{{.*}} {permutation = array<i64: 0, 2, 3, 1>} : tensor<16x3x3x3xbf16>
// CHECK-DAG: %[[WP:.*]] = nn.pad %[[WT]]
// CHECK: nn.conv2d %[[P]], %[[WP]] {channels_last
func.func @few(%x: tensor<4x3x8x8xbf16>) -> tensor<4x16x8x8xbf16> attributes {nn.entry, nn.dims = []} {
  %w = nn.get @w : tensor<16x3x3x3xbf16>
  %0 = nn.conv2d %x, %w {strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>}
      : tensor<4x3x8x8xbf16>, tensor<16x3x3x3xbf16> -> tensor<4x16x8x8xbf16>
  return %0 : tensor<4x16x8x8xbf16>
}

// Patches as rows, the way vision transformers read them: no transposition is left of it.
// CHECK-LABEL: func.func @patches
// CHECK: %[[C:.*]] = nn.conv2d
// CHECK-NEXT: %[[R:.*]] = nn.reshape %[[C]] : {{.*}} -> tensor<?x64x16xbf16
// CHECK-NEXT: return %[[R]]
func.func @patches(%x: tensor<?x3x8x8xbf16, #x>) -> tensor<?x64x16xbf16, #r> attributes {nn.entry, nn.dims = ["B"]} {
  %w = nn.get @w : tensor<16x3x3x3xbf16>
  %0 = nn.conv2d %x, %w {strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>}
      : tensor<?x3x8x8xbf16, #x>, tensor<16x3x3x3xbf16> -> tensor<?x16x8x8xbf16, #y>
  %1 = nn.reshape %0 : tensor<?x16x8x8xbf16, #y> -> tensor<?x16x64xbf16, #f>
  %2 = nn.transpose %1 {permutation = array<i64: 0, 2, 1>} : tensor<?x16x64xbf16, #f> -> tensor<?x64x16xbf16, #r>
  return %2 : tensor<?x64x16xbf16, #r>
}

// f32 is loaded by four channels.
// CHECK-LABEL: func.func @single
// CHECK: nn.pad %{{.*}} {high = array<i64: 0, 0, 0, 1>
// CHECK: nn.conv2d %{{.*}} {channels_last,
func.func @single(%x: tensor<?x3x8x8xf32, #x>) -> tensor<?x16x8x8xf32, #y> attributes {nn.entry, nn.dims = ["B"]} {
  %g = nn.get @g : tensor<16x3x3x3xf32>
  %0 = nn.conv2d %x, %g {strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>}
      : tensor<?x3x8x8xf32, #x>, tensor<16x3x3x3xf32> -> tensor<?x16x8x8xf32, #y>
  return %0 : tensor<?x16x8x8xf32, #y>
}

// One channel is read by elements, in the layout of what follows. Zeros behind six channels would
// cost more than they bring. What is flattened lies as it is, and the weights it meets are reordered.
// CHECK-LABEL: func.func @small
// CHECK: nn.conv2d %{{.*}} {channels_last, {{.*}} : tensor<?x8x8x1xf32{{.*}}, tensor<16x3x3x1xf32>
// CHECK: %[[C:.*]] = nn.conv2d %{{.*}} {channels_last, {{.*}} -> tensor<?x8x8x16xf32
// CHECK-DAG: %[[X:.*]] = nn.reshape %[[C]] : {{.*}} -> tensor<?x1024xf32
// CHECK-DAG: %[[S:.*]] = nn.reshape %{{.*}} : tensor<10x1024xf32> -> tensor<10x16x8x8xf32>
// CHECK-DAG: %[[T:.*]] = nn.transpose %[[S]] {permutation = array<i64: 0, 2, 3, 1>}
// CHECK-DAG: %[[W:.*]] = nn.reshape %[[T]] : {{.*}} -> tensor<10x1024xf32>
// CHECK: nn.matmul %[[X]], %[[W]] {transpose_b}
// CHECK: nn.conv2d %{{.*}} : tensor<?x6x8x8xf32
func.func @small(%x: tensor<?x1x8x8xf32, affine_map<()[s0] -> (s0, 1, 8, 8)>>, %z: tensor<?x6x8x8xf32, affine_map<()[s0] -> (s0, 6, 8, 8)>>)
    -> (tensor<?x10xf32, affine_map<()[s0] -> (s0, 10)>>, tensor<?x16x8x8xf32, #y>) attributes {nn.entry, nn.dims = ["B"]} {
  %o = nn.get @one : tensor<16x1x3x3xf32>
  %s = nn.get @sixteen : tensor<16x16x3x3xf32>
  %i = nn.get @six : tensor<16x6x3x3xf32>
  %h = nn.get @head : tensor<10x1024xf32>
  %0 = nn.conv2d %x, %o {strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>}
      : tensor<?x1x8x8xf32, affine_map<()[s0] -> (s0, 1, 8, 8)>>, tensor<16x1x3x3xf32> -> tensor<?x16x8x8xf32, #y>
  %1 = nn.conv2d %0, %s {strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>}
      : tensor<?x16x8x8xf32, #y>, tensor<16x16x3x3xf32> -> tensor<?x16x8x8xf32, #y>
  %2 = nn.reshape %1 : tensor<?x16x8x8xf32, #y> -> tensor<?x1024xf32, affine_map<()[s0] -> (s0, 1024)>>
  %3 = nn.matmul %2, %h {transpose_b} : tensor<?x1024xf32, affine_map<()[s0] -> (s0, 1024)>>, tensor<10x1024xf32> -> tensor<?x10xf32, affine_map<()[s0] -> (s0, 10)>>
  %4 = nn.conv2d %z, %i {strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>}
      : tensor<?x6x8x8xf32, affine_map<()[s0] -> (s0, 6, 8, 8)>>, tensor<16x6x3x3xf32> -> tensor<?x16x8x8xf32, #y>
  return %3, %4 : tensor<?x10xf32, affine_map<()[s0] -> (s0, 10)>>, tensor<?x16x8x8xf32, #y>
}

// Phases that are interleaved: filters are reordered so that channels stay together. A convolution
// of few filters reads what it is given, here with channels last.
// CHECK-LABEL: func.func @interleaved
// CHECK: %[[F:.*]] = nn.reshape %{{.*}} -> tensor<16x2x2x1x1x16xbf16>
// CHECK: %[[T:.*]] = nn.transpose %[[F]] {permutation = array<i64: 1, 2, 0, 3, 4, 5>}
// CHECK: %[[W:.*]] = nn.reshape %[[T]] : {{.*}} -> tensor<64x1x1x16xbf16>
// CHECK: %[[C:.*]] = nn.conv2d %{{.*}}, %[[W]] {channels_last
// CHECK: %[[S:.*]] = nn.reshape %[[C]] : {{.*}} -> tensor<?x8x8x2x2x16xbf16
// CHECK: %[[I:.*]] = nn.transpose %[[S]] {permutation = array<i64: 0, 1, 3, 2, 4, 5>}
// CHECK: %[[X:.*]] = nn.reshape %[[I]] : {{.*}} -> tensor<?x16x16x16xbf16
// CHECK: nn.conv2d %{{.*}} {channels_last, {{.*}}, tensor<2x1x1x16xbf16>
func.func @interleaved(%x: tensor<?x16x8x8xbf16, #y>) -> tensor<?x2x16x16xbf16, affine_map<()[s0] -> (s0, 2, 16, 16)>> attributes {nn.entry, nn.dims = ["B"]} {
  %u = nn.get @up : tensor<64x16x1x1xbf16>
  %v = nn.get @v : tensor<16x16x3x3xbf16>
  %o = nn.get @out : tensor<2x16x1x1xbf16>
  %0 = nn.conv2d %x, %u {strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, dilation = array<i64: 1, 1>}
      : tensor<?x16x8x8xbf16, #y>, tensor<64x16x1x1xbf16> -> tensor<?x64x8x8xbf16, affine_map<()[s0] -> (s0, 64, 8, 8)>>
  %1 = nn.reshape %0 : tensor<?x64x8x8xbf16, affine_map<()[s0] -> (s0, 64, 8, 8)>> -> tensor<?x16x2x2x8x8xbf16, affine_map<()[s0] -> (s0, 16, 2, 2, 8, 8)>>
  %2 = nn.transpose %1 {permutation = array<i64: 0, 1, 4, 2, 5, 3>} : tensor<?x16x2x2x8x8xbf16, affine_map<()[s0] -> (s0, 16, 2, 2, 8, 8)>> -> tensor<?x16x8x2x8x2xbf16, affine_map<()[s0] -> (s0, 16, 8, 2, 8, 2)>>
  %3 = nn.reshape %2 : tensor<?x16x8x2x8x2xbf16, affine_map<()[s0] -> (s0, 16, 8, 2, 8, 2)>> -> tensor<?x16x16x16xbf16, affine_map<()[s0] -> (s0, 16, 16, 16)>>
  %4 = nn.conv2d %3, %v {strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>}
      : tensor<?x16x16x16xbf16, affine_map<()[s0] -> (s0, 16, 16, 16)>>, tensor<16x16x3x3xbf16> -> tensor<?x16x16x16xbf16, affine_map<()[s0] -> (s0, 16, 16, 16)>>
  %5 = nn.conv2d %4, %o {strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, dilation = array<i64: 1, 1>}
      : tensor<?x16x16x16xbf16, affine_map<()[s0] -> (s0, 16, 16, 16)>>, tensor<2x16x1x1xbf16> -> tensor<?x2x16x16xbf16, affine_map<()[s0] -> (s0, 2, 16, 16)>>
  return %5 : tensor<?x2x16x16xbf16, affine_map<()[s0] -> (s0, 2, 16, 16)>>
}

// f32 that may be rounded to TF32 is loaded by four channels too.
// CHECK-LABEL: func.func @rounded
// CHECK: nn.pad %{{.*}} {high = array<i64: 0, 0, 0, 1>
// CHECK: nn.conv2d %{{.*}} {channels_last, {{.*}}nn.tf32
func.func @rounded(%x: tensor<?x3x8x8xf32, #x>) -> tensor<?x16x8x8xf32, #y> attributes {nn.entry, nn.dims = ["B"]} {
  %g = nn.get @g : tensor<16x3x3x3xf32>
  %0 = nn.conv2d %x, %g {strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>, nn.tf32}
      : tensor<?x3x8x8xf32, #x>, tensor<16x3x3x3xf32> -> tensor<?x16x8x8xf32, #y>
  return %0 : tensor<?x16x8x8xf32, #y>
}

// A first convolution with a step of two: pairs of pixels are the channels of one, with a channel of
// zeros each; seven columns become four pairs, the first of which begins with zeros.
// CHECK-LABEL: func.func @stem
// CHECK-SAME: (%[[X:.*]]: tensor
// CHECK-DAG: %[[T:.*]] = nn.transpose %[[X]] {permutation = array<i64: 0, 2, 3, 1>}
// CHECK-DAG: %[[P:.*]] = nn.pad %[[T]] {high = array<i64: 0, 0, 0, 1>, low = array<i64: 0, 0, 0, 0>
// CHECK-DAG: %[[I:.*]] = nn.reshape %[[P]] : {{.*}} -> tensor<?x8x4x8xbf16
// CHECK-DAG: %[[Q:.*]] = nn.pad %{{.*}} {high = array<i64: 0, 0, 0, 1>, low = array<i64: 0, 0, 1, 0>
// CHECK-DAG: %[[W:.*]] = nn.reshape %[[Q]] : tensor<16x7x8x4xbf16> -> tensor<16x7x4x8xbf16>
// CHECK: nn.conv2d %[[I]], %[[W]] {channels_last, dilation = array<i64: 1, 1>, padding = array<i64: 3, 3, 2, 1>, strides = array<i64: 2, 1>}
nn.global @s : tensor<16x3x7x7xbf16> {kind = "param"}
func.func @stem(%x: tensor<?x3x8x8xbf16, #x>) -> tensor<?x16x4x4xbf16, affine_map<()[s0] -> (s0, 16, 4, 4)>> attributes {nn.entry, nn.dims = ["B"]} {
  %s = nn.get @s : tensor<16x3x7x7xbf16>
  %0 = nn.conv2d %x, %s {strides = array<i64: 2, 2>, padding = array<i64: 3, 3, 3, 3>, dilation = array<i64: 1, 1>}
      : tensor<?x3x8x8xbf16, #x>, tensor<16x3x7x7xbf16> -> tensor<?x16x4x4xbf16, affine_map<()[s0] -> (s0, 16, 4, 4)>>
  return %0 : tensor<?x16x4x4xbf16, affine_map<()[s0] -> (s0, 16, 4, 4)>>
}

// Views that leave batch and channels alone follow, with the sides of the image cut in two as well:
// two images side by side in their columns, and a border taken away.
// CHECK-LABEL: func.func @views
// CHECK-SAME: (%[[X:.*]]: tensor<2x16x4x4xbf16>
// CHECK: %[[C:.*]] = nn.conv2d %{{.*}} {channels_last
// CHECK-NOT: nn.transpose
// CHECK: %[[R:.*]] = nn.reshape %[[C]] : tensor<2x4x4x16xbf16> -> tensor<2x4x4x1x16xbf16>
// CHECK: %[[J:.*]] = nn.concat %[[R]], %[[R]] {axis = 3 : i64} {{.*}} -> tensor<2x4x4x2x16xbf16>
// CHECK: %[[I:.*]] = nn.reshape %[[J]] : tensor<2x4x4x2x16xbf16> -> tensor<2x4x8x16xbf16>
// CHECK: %[[S:.*]] = nn.slice %[[I]] start #{{.*}} step [1, 1, 1, 1] : tensor<2x4x8x16xbf16> -> tensor<2x4x7x16xbf16>
// CHECK: %[[P:.*]] = nn.pad %[[S]] {high = array<i64: 0, 0, 1, 0>, low = array<i64: 0, 0, 0, 0>
// CHECK: nn.conv2d %[[P]], %{{.*}} {channels_last
func.func @views(%x: tensor<2x16x4x4xbf16>) -> tensor<2x16xbf16> attributes {nn.entry, nn.dims = []} {
  %v = nn.get @v : tensor<16x16x3x3xbf16>
  %0 = nn.conv2d %x, %v {strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>}
      : tensor<2x16x4x4xbf16>, tensor<16x16x3x3xbf16> -> tensor<2x16x4x4xbf16>
  %1 = nn.reshape %0 : tensor<2x16x4x4xbf16> -> tensor<2x16x4x4x1xbf16>
  %2 = nn.concat %1, %1 {axis = 4} : tensor<2x16x4x4x1xbf16>, tensor<2x16x4x4x1xbf16> -> tensor<2x16x4x4x2xbf16>
  %3 = nn.reshape %2 : tensor<2x16x4x4x2xbf16> -> tensor<2x16x4x8xbf16>
  %4 = nn.slice %3 start affine_map<() -> (0, 0, 0, 1)> step [1, 1, 1, 1] : tensor<2x16x4x8xbf16> -> tensor<2x16x4x7xbf16>
  %5 = nn.pad %4 {low = array<i64: 0, 0, 0, 0>, high = array<i64: 0, 0, 0, 1>, value = 0.0 : bf16} : tensor<2x16x4x7xbf16> -> tensor<2x16x4x8xbf16>
  %6 = nn.conv2d %5, %v {strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>}
      : tensor<2x16x4x8xbf16>, tensor<16x16x3x3xbf16> -> tensor<2x16x4x8xbf16>
  %7 = nn.reduce sum %6 {axes = array<i64: 2, 3>} : tensor<2x16x4x8xbf16> -> tensor<2x16xbf16>
  return %7 : tensor<2x16xbf16>
}
