// RUN: nnc-opt %s --nn-kernel-pipeline=target=cpu | FileCheck %s

#x = affine_map<()[s0] -> (s0, 64)>
#r = affine_map<()[s0] -> (s0)>

nn.global @b : tensor<64xf32> {kind = "param"}

// A chain is one loop; numbers are scalars in it, broadcasts are maps.
// CHECK-DAG: #[[ID:.*]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-DAG: #[[ROW:.*]] = affine_map<(d0, d1) -> (d0)>
// CHECK-DAG: #[[COLUMN:.*]] = affine_map<(d0, d1) -> (d1)>
// CHECK-LABEL: func.func @chain
// CHECK: ^bb0(%[[A:.*]]: tensor<?x64xf32>, %[[B:.*]]: tensor<64xf32>):
// CHECK: nn.symbol 0 : index
// CHECK: %[[G:.*]] = linalg.generic {indexing_maps = [#[[ID]], #[[COLUMN]], #[[ID]]]{{.*}} ins(%[[A]], %[[B]] :
// CHECK: arith.addf
// CHECK-NEXT: arith.maximumf
// CHECK-NEXT: math.tanh
// CHECK-NEXT: linalg.yield
// CHECK-NOT: linalg.generic
// CHECK: nn.yield %[[G]]
func.func @chain(%x: tensor<?x64xf32, #x>) -> tensor<?x64xf32, #x> attributes {nn.entry, nn.dims = ["B"]} {
  %b = nn.get @b : tensor<64xf32>
  %0 = nn.broadcast %b {dims = array<i64: 1>} : tensor<64xf32> -> tensor<?x64xf32, #x>
  %1 = nn.add %x, %0 : tensor<?x64xf32, #x>
  %zero = nn.full 0.0 : f32 -> tensor<?x64xf32, #x>
  %2 = nn.max %1, %zero : tensor<?x64xf32, #x>
  %3 = nn.tanh %2 : tensor<?x64xf32, #x>
  return %3 : tensor<?x64xf32, #x>
}

// The exponentials of a softmax are needed twice and expensive: they stay a tensor of the kernel.
// CHECK-LABEL: func.func @softmax
// CHECK: arith.maximumf
// CHECK: %[[E:.*]] = linalg.generic
// CHECK: arith.subf
// CHECK-NEXT: math.exp
// CHECK: %[[S:.*]] = linalg.generic {{.*}} ins(%[[E]] :
// CHECK: arith.addf
// CHECK: linalg.generic {{.*}} ins(%[[E]], %[[S]] :
// CHECK: arith.divf
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @softmax(%x: tensor<?x64xf32, #x>) -> tensor<?x64xf32, #x> attributes {nn.entry, nn.dims = ["B"]} {
  %0 = nn.softmax %x {axis = 1 : i64} : tensor<?x64xf32, #x>
  return %0 : tensor<?x64xf32, #x>
}

// A prologue joins the reduction; what is needed once per row is computed once per row, and the
// cheap difference in both of its readers.
// CHECK-LABEL: func.func @rows
// CHECK: %[[SUM:.*]] = linalg.generic {{.*}}iterator_types = ["parallel", "reduction"]
// CHECK: math.exp
// CHECK-NEXT: arith.addf
// CHECK: %[[SQRT:.*]] = linalg.generic {{.*}}iterator_types = ["parallel"]{{.*}} ins(%[[SUM]] :
// CHECK: math.sqrt
// CHECK: linalg.generic {indexing_maps = [#[[ID]], #[[ROW]], #[[ID]]]{{.*}} ins(%{{.*}}, %[[SQRT]] :
// CHECK: arith.subf
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @rows(%x: tensor<?x64xf32, #x>) -> tensor<?x64xf32, #x> attributes {nn.entry, nn.dims = ["B"]} {
  %e = nn.exp %x : tensor<?x64xf32, #x>
  %0 = nn.reduce sum %e {axes = array<i64: 1>} : tensor<?x64xf32, #x> -> tensor<?xf32, #r>
  %1 = nn.sqrt %0 : tensor<?xf32, #r>
  %2 = nn.broadcast %1 {dims = array<i64: 0>} : tensor<?xf32, #r> -> tensor<?x64xf32, #x>
  %3 = nn.sub %x, %2 : tensor<?x64xf32, #x>
  return %3 : tensor<?x64xf32, #x>
}

// A value that is used twice in one loop is computed once there.
// CHECK-LABEL: func.func @shared
// CHECK: linalg.generic
// CHECK: math.tanh
// CHECK-NOT: math.tanh
// CHECK: arith.mulf
// CHECK: arith.subf
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @shared(%x: tensor<8xf32>) -> tensor<8xf32> attributes {nn.entry, nn.dims = []} {
  %t = nn.tanh %x : tensor<8xf32>
  %s = nn.mul %t, %t : tensor<8xf32>
  %y = nn.sub %t, %s : tensor<8xf32>
  return %y : tensor<8xf32>
}
