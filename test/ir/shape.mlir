// Textual round trip of sources and movements of elements.
// RUN: nnc-opt %s | nnc-opt | FileCheck %s
// RUN: nnc-opt %s --mlir-print-op-generic | nnc-opt | FileCheck %s

#map = affine_map<()[s0] -> (s0, 8)>
!t = tensor<?x8xf32, #map>

// CHECK-LABEL: @sources
func.func @sources() {
  // CHECK: nn.full 5.000000e-01 : f32 -> tensor<?x8xf32, #{{.*}}>
  %0 = nn.full 0.5 : f32 -> !t
  // CHECK: nn.full 0x7F800000 : f32 -> tensor<f32>
  %1 = nn.full 0x7F800000 : f32 -> tensor<f32>
  // CHECK: nn.full -3 : i64 -> tensor<2xi64>
  %2 = nn.full -3 : i64 -> tensor<2xi64>
  // CHECK: nn.full true -> tensor<2xi1>
  %3 = nn.full true -> tensor<2xi1>
  // CHECK: nn.iota {axis = 1 : i64} : tensor<4x5xi32>
  %4 = nn.iota {axis = 1} : tensor<4x5xi32>
  // CHECK: nn.size #{{.*}} : tensor<i64>
  %5 = nn.size affine_map<()[s0] -> (s0 * 2)> : tensor<i64>
  return
}

// CHECK-LABEL: @movements
func.func @movements(%x: !t, %y: tensor<4x8xf32>, %ids: tensor<2x3xi64>) {
  // CHECK: nn.reshape %{{.*}} : tensor<?x8xf32, #{{.*}}> -> tensor<?x2x4xf32, #{{.*}}>
  %0 = nn.reshape %x : !t -> tensor<?x2x4xf32, affine_map<()[s0] -> (s0, 2, 4)>>
  // CHECK: nn.transpose %{{.*}} {permutation = array<i64: 1, 0>} : tensor<4x8xf32> -> tensor<8x4xf32>
  %1 = nn.transpose %y {permutation = array<i64: 1, 0>} : tensor<4x8xf32> -> tensor<8x4xf32>
  // CHECK: nn.broadcast %{{.*}} {dims = array<i64: 0, 2>} : tensor<4x8xf32> -> tensor<4x3x8xf32>
  %2 = nn.broadcast %y {dims = array<i64: 0, 2>} : tensor<4x8xf32> -> tensor<4x3x8xf32>
  // CHECK: nn.concat %{{.*}}, %{{.*}} {axis = 0 : i64} : tensor<?x8xf32, #{{.*}}>, tensor<4x8xf32> -> tensor<?x8xf32, #{{.*}}>
  %3 = nn.concat %x, %y {axis = 0}
      : !t, tensor<4x8xf32> -> tensor<?x8xf32, affine_map<()[s0] -> (s0 + 4, 8)>>
  // CHECK: nn.slice %{{.*}} start #{{.*}} step [1, 2] : tensor<4x8xf32> -> tensor<4x3xf32>
  %4 = nn.slice %y start affine_map<() -> (0, 2)> step [1, 2] : tensor<4x8xf32> -> tensor<4x3xf32>
  // CHECK: nn.pad %{{.*}} {high = array<i64: 0, 1>, low = array<i64: 2, 0>, value = 0.000000e+00 : f32} : tensor<4x8xf32> -> tensor<6x9xf32>
  %5 = nn.pad %y {low = array<i64: 2, 0>, high = array<i64: 0, 1>, value = 0.0 : f32}
      : tensor<4x8xf32> -> tensor<6x9xf32>
  // CHECK: nn.gather %{{.*}}, %{{.*}} {axis = 0 : i64} : tensor<4x8xf32>, tensor<2x3xi64> -> tensor<2x3x8xf32>
  %6 = nn.gather %y, %ids {axis = 0} : tensor<4x8xf32>, tensor<2x3xi64> -> tensor<2x3x8xf32>
  return
}
