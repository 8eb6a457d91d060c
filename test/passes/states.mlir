// RUN: nnc-opt %s --nn-form-kernels=target=cpu | FileCheck %s
// RUN: nnc-opt %s --nn-kernel-pipeline=target=cpu | FileCheck %s --check-prefix=LOWERED

#t = affine_map<()[s0] -> (4, s0, 8)>
#at = affine_map<()[s0, s1] -> (0, s1, 0)>

nn.global @cache : tensor<4x64x8xf32> {kind = "state"}
nn.global @pos : tensor<i32> {kind = "state"}

// What is stored is computed by the kernel that stores it, which yields the part alone.
// CHECK-LABEL: func.func @store
// CHECK: %[[OLD:.*]] = nn.get @cache
// CHECK: %[[NEW:.*]] = nn.kernel "update"(%[[OLD]], %arg0 : {{.*}}) -> (tensor<4x64x8xf32>)
// CHECK-SAME: anchor = "pointwise", start = #{{.*}}, step = array<i64: 1, 1, 1>
// CHECK: ^bb0(%{{.*}}: tensor<4x64x8xf32>, %[[X:.*]]: tensor<4x?x8xf32
// CHECK: %[[Y:.*]] = nn.neg %[[X]]
// CHECK-NEXT: nn.yield %[[Y]]
// CHECK: nn.set @cache, %[[NEW]]
// CHECK-NEXT: return
// LOWERED-LABEL: func.func @store
// LOWERED: nn.kernel "update"({{.*}}start = #
// LOWERED: nn.set @cache
func.func @store(%x: tensor<4x?x8xf32, #t>) -> tensor<4x?x8xf32, #t> attributes {nn.entry, nn.dims = ["T", "pos"], nn.kinds = ["dim", "scalar"], nn.ranges = [array<i64: 1, 64>, array<i64: -5, 64>], nn.sources = [{}, {state = @pos}]} {
  %old = nn.get @cache : tensor<4x64x8xf32>
  %y = nn.neg %x : tensor<4x?x8xf32, #t>
  %new = nn.update %old, %y start #at step [1, 1, 1] : tensor<4x64x8xf32>, tensor<4x?x8xf32, #t>
  nn.set @cache, %new : tensor<4x64x8xf32>
  return %x : tensor<4x?x8xf32, #t>
}

// What is read from the same memory is computed before any of it is overwritten.
// CHECK-LABEL: func.func @shift
// CHECK: %[[OLD:.*]] = nn.get @cache
// CHECK: %[[PART:.*]] = nn.kernel "update_2"(%[[OLD]] : tensor<4x64x8xf32>) -> (tensor<4x63x8xf32>)
// CHECK: nn.kernel "update_2"(%[[OLD]], %[[PART]] : {{.*}}start = #
func.func @shift(%x: tensor<4xf32>) -> tensor<4xf32> attributes {nn.entry, nn.dims = []} {
  %old = nn.get @cache : tensor<4x64x8xf32>
  %part = nn.slice %old start affine_map<() -> (0, 0, 0)> step [1, 1, 1] : tensor<4x64x8xf32> -> tensor<4x63x8xf32>
  %y = nn.neg %part : tensor<4x63x8xf32>
  %new = nn.update %old, %y start affine_map<() -> (0, 1, 0)> step [1, 1, 1] : tensor<4x64x8xf32>, tensor<4x63x8xf32>
  nn.set @cache, %new : tensor<4x64x8xf32>
  return %x : tensor<4xf32>
}
