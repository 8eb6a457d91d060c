// A param that an entry point sets is not known when compiling: nothing is folded into it, prepared
// of it, transposed, merged or quantized, in no entry point.
// RUN: nnc-opt %s --nn-pipeline=target=cuda | FileCheck %s
// RUN: nnc-opt %s --nn-pipeline=target=cpu | FileCheck %s

// CHECK-NOT: func.func @prepare
// CHECK: nn.global @w : tensor<8x8xbf16> {keys = ["w"], kind = "param"
// CHECK-NOT: "const"
nn.global @w : tensor<8x8xbf16> {kind = "param", keys = ["w"], quant = {element = "i8"}}
nn.global @k : tensor<4x2x3x3xf32> {kind = "param", keys = ["k"]}
nn.global @s : tensor<4xf32> {kind = "param", keys = ["s"]}

// CHECK-LABEL: func.func @forward
// CHECK-DAG: %[[W:.*]] = nn.get @w
// CHECK-DAG: %[[K:.*]] = nn.get @k
// CHECK-DAG: nn.matmul %{{.*}}, %[[W]] : tensor<2x8xbf16>, tensor<8x8xbf16>
// CHECK-DAG: nn.conv2d %{{.*}}, %[[K]]
// CHECK: nn.mul
// CHECK: return
func.func @forward(%x: tensor<2x8xbf16>, %i: tensor<1x2x5x5xf32>)
    -> (tensor<2x8xbf16>, tensor<1x4x3x3xf32>) attributes {nn.entry, nn.dims = []} {
  %w = nn.get @w : tensor<8x8xbf16>
  %k = nn.get @k : tensor<4x2x3x3xf32>
  %s = nn.get @s : tensor<4xf32>
  %y = nn.matmul %x, %w : tensor<2x8xbf16>, tensor<8x8xbf16> -> tensor<2x8xbf16>
  %c = nn.conv2d %i, %k {strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, dilation = array<i64: 1, 1>} : tensor<1x2x5x5xf32>, tensor<4x2x3x3xf32> -> tensor<1x4x3x3xf32>
  %b = nn.broadcast %s {dims = array<i64: 1>} : tensor<4xf32> -> tensor<1x4x3x3xf32>
  %z = nn.mul %c, %b : tensor<1x4x3x3xf32>
  return %y, %z : tensor<2x8xbf16>, tensor<1x4x3x3xf32>
}

// CHECK-LABEL: func.func @train_step
// CHECK: nn.set @w
func.func @train_step(%v: tensor<8x8xbf16>, %k: tensor<4x2x3x3xf32>, %s: tensor<4xf32>) -> tensor<f32>
    attributes {nn.entry, nn.dims = []} {
  %l = nn.full 0.0 : f32 -> tensor<f32>
  nn.set @w, %v : tensor<8x8xbf16>
  nn.set @k, %k : tensor<4x2x3x3xf32>
  nn.set @s, %s : tensor<4xf32>
  return %l : tensor<f32>
}
