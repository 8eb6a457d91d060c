// Rows of 16-bit products that are differentiated get whole 16 bytes.
// RUN: nnc-opt %s --nn-align-products | FileCheck %s

#rows = affine_map<()[s0] -> (s0, 1003)>

// CHECK-LABEL: func.func @train
// CHECK: %[[W:.*]] = nn.pad %{{.*}} {high = array<i64: 5, 0>, low = array<i64: 0, 0>, value = 0.000000e+00 : bf16} : tensor<1003x64xbf16> -> tensor<1008x64xbf16>
// CHECK: %[[Y:.*]] = nn.matmul %{{.*}}, %[[W]] {transpose_b} : tensor<?x64xbf16, #{{.*}}>, tensor<1008x64xbf16> -> tensor<?x1008xbf16, #[[LONG:.*]]>
// CHECK: nn.slice %[[Y]] start #{{.*}} step [1, 1] : tensor<?x1008xbf16, #[[LONG]]> -> tensor<?x1003xbf16, #{{.*}}>
func.func @train(%x: tensor<?x64xbf16, affine_map<()[s0] -> (s0, 64)>>, %w: tensor<1003x64xbf16>)
    -> tensor<1003x64xbf16> attributes {nn.entry, nn.dims = ["B"]} {
  %y = nn.matmul %x, %w {transpose_b}
      : tensor<?x64xbf16, affine_map<()[s0] -> (s0, 64)>>, tensor<1003x64xbf16> -> tensor<?x1003xbf16, #rows>
  %l = nn.reduce sum %y {axes = array<i64: 0, 1>} : tensor<?x1003xbf16, #rows> -> tensor<bf16>
  %g = nn.gradient %l wrt(%w : tensor<1003x64xbf16>) : tensor<bf16>
  return %g : tensor<1003x64xbf16>
}

// Few columns, f32, and what nobody differentiates stay.
// CHECK-LABEL: func.func @few
// CHECK-NOT: nn.pad
func.func @few(%x: tensor<4x64xbf16>, %w: tensor<64x10xbf16>, %v: tensor<64x1003xf32>, %u: tensor<4x64xf32>)
    -> (tensor<64x10xbf16>, tensor<4x1003xf32>) attributes {nn.entry, nn.dims = []} {
  %y = nn.matmul %x, %w : tensor<4x64xbf16>, tensor<64x10xbf16> -> tensor<4x10xbf16>
  %z = nn.matmul %u, %v : tensor<4x64xf32>, tensor<64x1003xf32> -> tensor<4x1003xf32>
  %l = nn.reduce sum %y {axes = array<i64: 0, 1>} : tensor<4x10xbf16> -> tensor<bf16>
  %g = nn.gradient %l wrt(%w : tensor<64x10xbf16>) : tensor<bf16>
  return %g, %z : tensor<64x10xbf16>, tensor<4x1003xf32>
}

// CHECK-LABEL: func.func @infer
// CHECK-NOT: nn.pad
func.func @infer(%x: tensor<4x64xbf16>, %w: tensor<64x1003xbf16>) -> tensor<4x1003xbf16>
    attributes {nn.entry, nn.dims = []} {
  %y = nn.matmul %x, %w : tensor<4x64xbf16>, tensor<64x1003xbf16> -> tensor<4x1003xbf16>
  return %y : tensor<4x1003xbf16>
}
