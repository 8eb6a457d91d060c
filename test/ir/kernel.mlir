// Textual round trip of globals, kernels and library products.
// RUN: nnc-opt %s | nnc-opt | FileCheck %s
// RUN: nnc-opt %s --mlir-print-op-generic | nnc-opt | FileCheck %s

// CHECK: nn.global @conv1.weight : tensor<6x1x5x5xf32> {init = {kind = "kaiming_uniform"}, keys = ["conv1.weight", "conv1.w"], kind = "param"}
nn.global @"conv1.weight" : tensor<6x1x5x5xf32> {kind = "param", keys = ["conv1.weight", "conv1.w"],
                                                 init = {kind = "kaiming_uniform"}}
// CHECK: nn.global @mean : tensor<6xf32> {init = {kind = "full", value = 0.000000e+00 : f64}, kind = "buffer"}
nn.global @mean : tensor<6xf32> {kind = "buffer", init = {kind = "full", value = 0.0}}
// CHECK: nn.global @folded : tensor<6xf32> {kind = "const"}
nn.global @folded : tensor<6xf32> {kind = "const"}

#map = affine_map<()[s0, s1] -> (s0, s1)>
!t = tensor<?x?xf32, #map>

// CHECK-LABEL: @forward
// CHECK-SAME: nn.dims = ["B", "T"], nn.entry
func.func @forward(%x: !t {nn.name = "x"}) -> (!t {nn.name = "y"}) attributes {
    nn.entry, nn.dims = ["B", "T"], nn.ranges = [array<i64: 1, 8>, array<i64: 1, 512>],
    nn.guards = [{map = affine_map<()[s0, s1] -> (s1 - s0)>, kind = "ge0", text = "B <= T",
                  message = "more rows than columns", line = 3 : i64}]} {
  // CHECK: nn.get @conv1.weight : tensor<6x1x5x5xf32>
  %w = nn.get @"conv1.weight" : tensor<6x1x5x5xf32>
  // CHECK: nn.kernel "relu"(%{{.*}}, %{{.*}} : tensor<?x?xf32, #{{.*}}>, tensor<6x1x5x5xf32>) -> (tensor<?x?xf32, #{{.*}}>, tensor<i64>) attributes {anchor = "pointwise"} {
  // CHECK-NEXT: ^bb0(%{{.*}}: tensor<?x?xf32, #{{.*}}>, %{{.*}}: tensor<6x1x5x5xf32>):
  %r:2 = nn.kernel "relu" (%x, %w : !t, tensor<6x1x5x5xf32>) -> (!t, tensor<i64>)
      attributes {anchor = "pointwise"} {
  ^bb0(%a: !t, %b: tensor<6x1x5x5xf32>):
    // CHECK: nn.symbol 1 : index
    %t = nn.symbol 1 : index
    %zero = nn.full 0.0 : f32 -> !t
    %m = nn.max %a, %zero : !t
    %s = nn.size affine_map<()[s0, s1] -> (s1)> : tensor<i64>
    // CHECK: nn.yield %{{.*}}, %{{.*}} : tensor<?x?xf32, #{{.*}}>, tensor<i64>
    nn.yield %m, %s : !t, tensor<i64>
  }
  // CHECK: nn.kernel "nothing"() -> (tensor<2xf32>) attributes {anchor = "pointwise"}
  %n = nn.kernel "nothing" () -> (tensor<2xf32>) attributes {anchor = "pointwise"} {
    %zero = nn.full 0.0 : f32 -> tensor<2xf32>
    // CHECK: nn.yield %{{.*}} : tensor<2xf32>
    nn.yield %zero : tensor<2xf32>
  }
  return %r#0 : !t
}

// CHECK-LABEL: @gemm
func.func @gemm(%x: tensor<4x8xf32>, %w: tensor<5x8xf32>, %b: tensor<5xf32>, %r: tensor<4x5xf32>) {
  // CHECK: nn.gemm %{{.*}}, %{{.*}} {transpose_b} : (tensor<4x8xf32>, tensor<5x8xf32>) -> tensor<4x5xf32>
  %0 = nn.gemm %x, %w {transpose_b} : (tensor<4x8xf32>, tensor<5x8xf32>) -> tensor<4x5xf32>
  // CHECK: nn.gemm %{{.*}}, %{{.*}} bias %{{.*}} residual %{{.*}} {epilogue = "relu", transpose_b} : (tensor<4x8xf32>, tensor<5x8xf32>, tensor<5xf32>, tensor<4x5xf32>) -> tensor<4x5xf32>
  %1 = nn.gemm %x, %w bias %b residual %r {transpose_b, epilogue = "relu"}
      : (tensor<4x8xf32>, tensor<5x8xf32>, tensor<5xf32>, tensor<4x5xf32>) -> tensor<4x5xf32>
  // CHECK: nn.gemm %{{.*}}, %{{.*}} residual %{{.*}} {epilogue = "gelu", transpose_b}
  %2 = nn.gemm %x, %w residual %r {transpose_b, epilogue = "gelu"}
      : (tensor<4x8xf32>, tensor<5x8xf32>, tensor<4x5xf32>) -> tensor<4x5xf32>
  return
}
