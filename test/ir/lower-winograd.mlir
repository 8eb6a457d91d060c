// A 3x3 convolution by fewer products as linalg: one generic with both matrices, tiles to rows, and no rows beyond the last.
// RUN: nnc-opt %s --nn-lower-to-linalg=functions | FileCheck %s

// CHECK-DAG: #[[ROWS:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7, d8) -> (d0, d6, d2 * 3 + d8, d4 + d7)>
// CHECK-DAG: #[[WINDOW:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7, d8) -> (d5, d1, d6, d7)>
// CHECK-DAG: #[[A:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7, d8) -> (d3, d5)>
// CHECK-DAG: #[[B:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7, d8) -> (d5, d8)>
// CHECK-DAG: #[[OUT:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7, d8) -> (d0, d1, d2, d3, d4)>
// CHECK-LABEL: func.func @winograd
// CHECK-SAME: (%[[X:.*]]: tensor<?x4x7x8xf32>, %[[U:.*]]: tensor<5x6x4x3xf32>)
func.func @winograd(%x: tensor<?x4x7x8xf32, affine_map<()[s0] -> (s0, 4, 7, 8)>>, %u: tensor<5x6x4x3xf32>)
    -> tensor<?x6x7x8xf32, affine_map<()[s0] -> (s0, 6, 7, 8)>> {
  // Three tiles of three rows read eleven rows.
  // CHECK-DAG: %[[PADDED:.*]] = tensor.pad %[[X]] low[0, 0, 1, 1] high[0, 0, 3, 1]
  // CHECK-DAG: %[[MA:.*]] = arith.constant dense<{{\[\[}}1.000000e+00, 1.000000e+00, 1.000000e+00, 1.000000e+00, 0.000000e+00], [0.000000e+00, 1.000000e+00, -1.000000e+00, 5.000000e-01, 0.000000e+00], [0.000000e+00, 1.000000e+00, 1.000000e+00, 2.500000e-01, 1.000000e+00]]>
  // CHECK-DAG: %[[MB:.*]] = arith.constant dense<{{.*}}> : tensor<5x5xf32>
  // CHECK: %[[R:.*]] = linalg.generic {indexing_maps = [#[[ROWS]], #[[WINDOW]], #[[A]], #[[B]], #[[OUT]]], {{.*}}} ins(%[[PADDED]], %[[U]], %[[MA]], %[[MB]]
  // CHECK: } -> tensor<?x6x3x3x8xf32>
  // CHECK: %[[ALL:.*]] = tensor.collapse_shape %[[R]] {{\[\[}}0], [1], [2, 3], [4]]
  // CHECK: tensor.extract_slice %[[ALL]][0, 0, 0, 0] [%{{.*}}, 6, 7, 8] [1, 1, 1, 1]
  %0 = nn.winograd_conv2d %x, %u {tile = 3 : i64, padding = array<i64: 1, 1, 1, 1>}
      : tensor<?x4x7x8xf32, affine_map<()[s0] -> (s0, 4, 7, 8)>>, tensor<5x6x4x3xf32> -> tensor<?x6x7x8xf32, affine_map<()[s0] -> (s0, 6, 7, 8)>>
  return %0 : tensor<?x6x7x8xf32, affine_map<()[s0] -> (s0, 6, 7, 8)>>
}
