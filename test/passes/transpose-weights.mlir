// RUN: nnc-opt %s --nn-transpose-weights | FileCheck %s

#x = affine_map<()[s0] -> (s0, 8)>
#y = affine_map<()[s0] -> (s0, 16)>

nn.global @w : tensor<8x16xbf16> {kind = "param"}
nn.global @f : tensor<8x16xf32> {kind = "param"}
nn.global @s : tensor<8x16xbf16> {kind = "state"}

// CHECK-LABEL: func.func @weight
// CHECK: %[[T:.*]] = nn.transpose %{{.*}} {permutation = array<i64: 1, 0>} : tensor<8x16xbf16> -> tensor<16x8xbf16>
// CHECK: nn.matmul %{{.*}}, %[[T]] {transpose_b}
func.func @weight(%x: tensor<?x8xbf16, #x>) -> tensor<?x16xbf16, #y> attributes {nn.entry, nn.dims = ["B"]} {
  %w = nn.get @w : tensor<8x16xbf16>
  %0 = nn.matmul %x, %w : tensor<?x8xbf16, #x>, tensor<8x16xbf16> -> tensor<?x16xbf16, #y>
  return %0 : tensor<?x16xbf16, #y>
}

// f32 has no tensor cores to please, and a state is not known when compiling.
// CHECK-LABEL: func.func @others
// CHECK-NOT: nn.transpose
// CHECK: return
func.func @others(%x: tensor<?x8xf32, #x>, %h: tensor<?x8xbf16, #x>) -> (tensor<?x16xf32, #y>, tensor<?x16xbf16, #y>) attributes {nn.entry, nn.dims = ["B"]} {
  %f = nn.get @f : tensor<8x16xf32>
  %s = nn.get @s : tensor<8x16xbf16>
  %0 = nn.matmul %x, %f : tensor<?x8xf32, #x>, tensor<8x16xf32> -> tensor<?x16xf32, #y>
  %1 = nn.matmul %h, %s : tensor<?x8xbf16, #x>, tensor<8x16xbf16> -> tensor<?x16xbf16, #y>
  return %0, %1 : tensor<?x16xf32, #y>, tensor<?x16xbf16, #y>
}
