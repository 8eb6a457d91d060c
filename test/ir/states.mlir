// States: textual round trip.
// RUN: nnc-opt %s | nnc-opt | FileCheck %s
// RUN: nnc-opt %s --mlir-print-op-generic | nnc-opt | FileCheck %s

#b = affine_map<()[s0] -> (s0, 8)>
#part = affine_map<()[s0, s1] -> (s0, s1)>

// CHECK: nn.global @kept : tensor<?x8xf32, #{{.*}}> {init = {kind = "full", value = 0.000000e+00 : f64}, kind = "state"}
nn.global @kept : tensor<?x8xf32, #b> {kind = "state", init = {kind = "full", value = 0.0 : f64}}
nn.global @pos : tensor<i32> {kind = "state"}

// CHECK-LABEL: @forward
// CHECK-SAME: nn.kinds = ["dim", "dim", "scalar"]
func.func @forward(%x: tensor<?x?xf32, #part>) attributes {nn.entry, nn.dims = ["B", "T", "pos"], nn.kinds = ["dim", "dim", "scalar"],
    nn.ranges = [array<i64: 1, 4>, array<i64: 1, 8>, array<i64: -9, 9>], nn.sources = [{}, {}, {state = @pos}]} {
  // CHECK: %[[OLD:.*]] = nn.get @kept : tensor<?x8xf32, #{{.*}}>
  %old = nn.get @kept : tensor<?x8xf32, #b>
  // CHECK: %[[NEW:.*]] = nn.update %[[OLD]], %{{.*}} start #{{.*}} step [1, 1] : tensor<?x8xf32, #{{.*}}>, tensor<?x?xf32, #{{.*}}>
  %new = nn.update %old, %x start affine_map<()[s0, s1, s2] -> (0, s2)> step [1, 1] : tensor<?x8xf32, #b>, tensor<?x?xf32, #part>
  // CHECK: nn.set @kept, %[[NEW]] : tensor<?x8xf32, #{{.*}}>
  nn.set @kept, %new : tensor<?x8xf32, #b>
  return
}
