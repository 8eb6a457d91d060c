// The forms that ir/README.md promises to code generators. Numbers are checked by numeric.test.
// RUN: nnc-opt %s --nn-lower-to-linalg=functions | FileCheck %s

#n = affine_map<()[s0, s1] -> (s0, s1)>
!t = tensor<?x?xf32, #n>

// CHECK-DAG: #[[ID:.*]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-DAG: #[[ROW:.*]] = affine_map<(d0, d1) -> (d0)>

// CHECK-LABEL: func.func @elementwise(
// CHECK-SAME: %[[X:.*]]: tensor<?x?xf32>, %[[Y:.*]]: tensor<?x?xf32>) -> tensor<?x?xf32>
func.func @elementwise(%x: !t, %y: !t) -> !t {
  // CHECK: %[[S0:.*]] = nn.symbol 0 : index
  // CHECK: %[[S1:.*]] = nn.symbol 1 : index
  // CHECK: %[[OUT:.*]] = tensor.empty(%[[S0]], %[[S1]]) : tensor<?x?xf32>
  // CHECK: %[[SUM:.*]] = linalg.generic {indexing_maps = [#[[ID]], #[[ID]], #[[ID]]], iterator_types = ["parallel", "parallel"]} ins(%[[X]], %[[Y]] : {{.*}}) outs(%[[OUT]] :
  // CHECK: arith.addf
  // CHECK: return %[[SUM]]
  %0 = nn.add %x, %y : !t
  return %0 : !t
}

// Sixteen bits: computed in f32, rounded once.
// CHECK-LABEL: func.func @narrow
func.func @narrow(%x: tensor<4xbf16>) -> tensor<4xbf16> {
  // CHECK: ^bb0(%[[IN:.*]]: bf16, %{{.*}}: bf16):
  // CHECK: %[[WIDE:.*]] = arith.extf %[[IN]] : bf16 to f32
  // CHECK: %[[TANH:.*]] = math.tanh %[[WIDE]] : f32
  // CHECK: %[[ROUNDED:.*]] = arith.truncf %[[TANH]] : f32 to bf16
  // CHECK: linalg.yield %[[ROUNDED]]
  %0 = nn.tanh %x : tensor<4xbf16>
  return %0 : tensor<4xbf16>
}

// CHECK-LABEL: func.func @select
func.func @select(%c: tensor<4xi1>, %x: tensor<4xf16>) -> tensor<4xf16> {
  // CHECK-NOT: arith.extf
  // CHECK: arith.select %{{.*}}, %{{.*}}, %{{.*}} : f16
  %0 = nn.select %c, %x, %x : tensor<4xf16>
  return %0 : tensor<4xf16>
}

// CHECK-LABEL: func.func @sources
func.func @sources() -> (!t, tensor<?xi32, affine_map<()[s0, s1] -> (s0)>>, tensor<i64>) {
  // CHECK: %[[HALF:.*]] = arith.constant 5.000000e-01 : f32
  // CHECK: linalg.fill ins(%[[HALF]] : f32) outs(%{{.*}} : tensor<?x?xf32>)
  %0 = nn.full 0.5 : f32 -> !t
  // CHECK: linalg.generic {indexing_maps = [#{{.*}}], iterator_types = ["parallel"]} outs(
  // CHECK: %[[I:.*]] = linalg.index 0 : index
  // CHECK: arith.index_cast %[[I]] : index to i32
  %1 = nn.iota {axis = 0} : tensor<?xi32, affine_map<()[s0, s1] -> (s0)>>
  // CHECK: %[[A:.*]] = nn.symbol 0 : index
  // CHECK: %[[B:.*]] = nn.symbol 1 : index
  // CHECK: %[[SIZE:.*]] = affine.apply #{{.*}}()[%[[A]], %[[B]]]
  // CHECK: %[[CAST:.*]] = arith.index_cast %[[SIZE]] : index to i64
  // CHECK: linalg.fill ins(%[[CAST]] : i64) outs(%{{.*}} : tensor<i64>)
  %2 = nn.size affine_map<()[s0, s1] -> (s0 * s1)> : tensor<i64>
  return %0, %1, %2 : !t, tensor<?xi32, affine_map<()[s0, s1] -> (s0)>>, tensor<i64>
}

// CHECK-LABEL: func.func @reshape
// CHECK-SAME: (%[[X:.*]]: tensor<?x16x5x5xf32>
func.func @reshape(%x: tensor<?x16x5x5xf32, affine_map<()[s0] -> (s0, 16, 5, 5)>>)
    -> (tensor<?x400xf32, affine_map<()[s0] -> (s0, 400)>>,
        tensor<?x2x8x5x5xf32, affine_map<()[s0] -> (s0, 2, 8, 5, 5)>>,
        tensor<16x?x25xf32, affine_map<()[s0] -> (16, s0, 25)>>) {
  // CHECK: tensor.collapse_shape %[[X]] {{\[\[}}0], [1, 2, 3]] : tensor<?x16x5x5xf32> into tensor<?x400xf32>
  %0 = nn.reshape %x : tensor<?x16x5x5xf32, affine_map<()[s0] -> (s0, 16, 5, 5)>>
                    -> tensor<?x400xf32, affine_map<()[s0] -> (s0, 400)>>
  // CHECK: %[[S:.*]] = nn.symbol 0
  // CHECK: tensor.expand_shape %[[X]] {{\[\[}}0], [1, 2], [3], [4]] output_shape [%[[S]], 2, 8, 5, 5]
  %1 = nn.reshape %x : tensor<?x16x5x5xf32, affine_map<()[s0] -> (s0, 16, 5, 5)>>
                    -> tensor<?x2x8x5x5xf32, affine_map<()[s0] -> (s0, 2, 8, 5, 5)>>
  // Nothing but the whole agrees at the front.
  // CHECK: %[[FLAT:.*]] = tensor.collapse_shape %[[X]] {{\[\[}}0, 1], [2, 3]]
  // CHECK: tensor.expand_shape %[[FLAT]] {{\[\[}}0, 1], [2]] output_shape [16, %{{.*}}, 25]
  %2 = nn.reshape %x : tensor<?x16x5x5xf32, affine_map<()[s0] -> (s0, 16, 5, 5)>>
                    -> tensor<16x?x25xf32, affine_map<()[s0] -> (16, s0, 25)>>
  return %0, %1, %2 : tensor<?x400xf32, affine_map<()[s0] -> (s0, 400)>>,
      tensor<?x2x8x5x5xf32, affine_map<()[s0] -> (s0, 2, 8, 5, 5)>>,
      tensor<16x?x25xf32, affine_map<()[s0] -> (16, s0, 25)>>
}

// CHECK-LABEL: func.func @movements
// CHECK-SAME: (%[[X:.*]]: tensor<?x?xf32>, %[[ONE:.*]]: tensor<?x1xf32>)
func.func @movements(%x: !t, %one: tensor<?x1xf32, affine_map<()[s0, s1] -> (s0, 1)>>)
    -> (tensor<?x?xf32, affine_map<()[s0, s1] -> (s1, s0)>>, !t,
        tensor<?x?xf32, affine_map<()[s0, s1] -> (s0, s1 + 1)>>,
        tensor<?x1xf32, affine_map<()[s0, s1] -> (s0, 1)>>,
        tensor<?x?xf32, affine_map<()[s0, s1] -> (s0, s1 + 3)>>) {
  // CHECK: linalg.generic {indexing_maps = [#[[SWAP:.*]], #[[ID]]], iterator_types = ["parallel", "parallel"]} ins(%[[X]]
  // CHECK: linalg.yield %in
  %0 = nn.transpose %x {permutation = array<i64: 1, 0>}
      : !t -> tensor<?x?xf32, affine_map<()[s0, s1] -> (s1, s0)>>
  // CHECK: linalg.generic {indexing_maps = [#{{.*}}, #[[ID]]], iterator_types = ["parallel", "parallel"]} ins(%[[ONE]]
  // CHECK: linalg.yield %in
  %1 = nn.broadcast %one {dims = array<i64: 0, 1>}
      : tensor<?x1xf32, affine_map<()[s0, s1] -> (s0, 1)>> -> !t
  // CHECK: %[[E:.*]] = tensor.empty
  // CHECK: %[[FIRST:.*]] = tensor.insert_slice %[[X]] into %[[E]][0, 0] [%{{.*}}, %{{.*}}] [1, 1]
  // CHECK: %[[AT:.*]] = nn.symbol 1
  // CHECK: tensor.insert_slice %[[ONE]] into %[[FIRST]][0, %[[AT]]] [%{{.*}}, 1] [1, 1]
  %2 = nn.concat %x, %one {axis = 1} : !t, tensor<?x1xf32, affine_map<()[s0, s1] -> (s0, 1)>>
      -> tensor<?x?xf32, affine_map<()[s0, s1] -> (s0, s1 + 1)>>
  // CHECK: %[[LAST:.*]] = affine.apply
  // CHECK: tensor.extract_slice %[[X]][0, %[[LAST]]] [%{{.*}}, 1] [1, 1]
  %3 = nn.slice %x start affine_map<()[s0, s1] -> (0, s1 - 1)> step [1, 1]
      : !t -> tensor<?x1xf32, affine_map<()[s0, s1] -> (s0, 1)>>
  // CHECK: tensor.pad %[[X]] low[0, 1] high[0, 2]
  %4 = nn.pad %x {low = array<i64: 0, 1>, high = array<i64: 0, 2>, value = 0.0 : f32}
      : !t -> tensor<?x?xf32, affine_map<()[s0, s1] -> (s0, s1 + 3)>>
  return %0, %1, %2, %3, %4 : tensor<?x?xf32, affine_map<()[s0, s1] -> (s1, s0)>>, !t,
        tensor<?x?xf32, affine_map<()[s0, s1] -> (s0, s1 + 1)>>,
        tensor<?x1xf32, affine_map<()[s0, s1] -> (s0, 1)>>,
        tensor<?x?xf32, affine_map<()[s0, s1] -> (s0, s1 + 3)>>
}

// CHECK-LABEL: func.func @gather
// CHECK-SAME: (%[[TABLE:.*]]: tensor<?x?xf32>, %[[IDS:.*]]: tensor<4xi32>)
func.func @gather(%table: !t, %ids: tensor<4xi32>) -> tensor<4x?xf32, affine_map<()[s0, s1] -> (4, s1)>> {
  // CHECK: %[[ZERO:.*]] = arith.constant 0 : index
  // CHECK: %[[LAST:.*]] = affine.apply
  // CHECK: linalg.generic {indexing_maps = [#[[ROW]], #[[ID]]], iterator_types = ["parallel", "parallel"]} ins(%[[IDS]]
  // CHECK: ^bb0(%[[ID_:.*]]: i32,
  // CHECK: %[[AT:.*]] = arith.index_cast %[[ID_]] : i32 to index
  // CHECK: %[[ABOVE:.*]] = arith.maxsi %[[AT]], %[[ZERO]] : index
  // CHECK: %[[INSIDE:.*]] = arith.minsi %[[ABOVE]], %[[LAST]] : index
  // CHECK: %[[COLUMN:.*]] = linalg.index 1
  // CHECK: tensor.extract %[[TABLE]][%[[INSIDE]], %[[COLUMN]]]
  %0 = nn.gather %table, %ids {axis = 0} : !t, tensor<4xi32> -> tensor<4x?xf32, affine_map<()[s0, s1] -> (4, s1)>>
  return %0 : tensor<4x?xf32, affine_map<()[s0, s1] -> (4, s1)>>
}

// CHECK-LABEL: func.func @reduce
// CHECK-SAME: (%[[X:.*]]: tensor<?x?xf32>)
func.func @reduce(%x: !t) -> tensor<?xf32, affine_map<()[s0, s1] -> (s0)>> {
  // CHECK: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
  // CHECK: %[[INIT:.*]] = linalg.fill ins(%[[ZERO]] : f32)
  // CHECK: %[[SUM:.*]] = linalg.generic {indexing_maps = [#[[ID]], #[[ROW]]], iterator_types = ["parallel", "reduction"]} ins(%[[X]] : {{.*}}) outs(%[[INIT]] :
  // CHECK: arith.addf
  // CHECK: %[[SIZE:.*]] = nn.symbol 1
  // CHECK: %[[WHOLE:.*]] = arith.index_cast %[[SIZE]] : index to i64
  // CHECK: %[[COUNT:.*]] = arith.sitofp %[[WHOLE]] : i64 to f32
  // CHECK: linalg.generic {{.*}} ins(%[[SUM]]
  // CHECK: arith.divf %in, %[[COUNT]]
  %0 = nn.reduce mean %x {axes = array<i64: 1>} : !t -> tensor<?xf32, affine_map<()[s0, s1] -> (s0)>>
  return %0 : tensor<?xf32, affine_map<()[s0, s1] -> (s0)>>
}

// CHECK-LABEL: func.func @argreduce
// CHECK-SAME: (%[[X:.*]]: tensor<?x?xf32>)
func.func @argreduce(%x: !t) -> tensor<?xi32, affine_map<()[s0, s1] -> (s0)>> {
  // CHECK: arith.constant 0xFF800000 : f32
  // CHECK: %[[MAX:.*]] = linalg.generic {{.*}} ins(%[[X]]
  // CHECK: arith.maximumf
  // CHECK: %[[NONE:.*]] = arith.constant 2147483647 : i32
  // CHECK: linalg.generic {indexing_maps = [#[[ID]], #[[ROW]], #[[ROW]]], iterator_types = ["parallel", "reduction"]} ins(%[[X]], %[[MAX]]
  // CHECK: arith.minsi
  %0 = nn.argreduce max %x {axis = 1} : !t -> tensor<?xi32, affine_map<()[s0, s1] -> (s0)>>
  return %0 : tensor<?xi32, affine_map<()[s0, s1] -> (s0)>>
}

// CHECK-LABEL: func.func @softmax
func.func @softmax(%x: !t) -> !t {
  // CHECK: arith.maximumf
  // CHECK: linalg.generic {indexing_maps = [#[[ID]], #[[ROW]], #[[ID]]]
  // CHECK: %[[D:.*]] = arith.subf
  // CHECK: math.exp %[[D]]
  // CHECK: arith.addf
  // CHECK: linalg.generic {indexing_maps = [#[[ID]], #[[ROW]], #[[ID]]]
  // CHECK: arith.divf
  %0 = nn.softmax %x {axis = 1} : !t
  return %0 : !t
}

// CHECK-LABEL: func.func @matmul
func.func @matmul(%x: tensor<4x8xbf16>, %w: tensor<5x8xbf16>) -> tensor<4x5xbf16> {
  // CHECK: %[[INIT:.*]] = linalg.fill {{.*}} -> tensor<4x5xf32>
  // CHECK: linalg.generic {{{.*}}iterator_types = ["parallel", "parallel", "reduction"]} ins(%{{.*}}, %{{.*}} : tensor<4x8xbf16>, tensor<5x8xbf16>) outs(%[[INIT]] : tensor<4x5xf32>)
  // CHECK: arith.mulf %{{.*}}, %{{.*}} : f32
  // CHECK: arith.addf %{{.*}}, %{{.*}} : f32
  // CHECK: arith.truncf
  %0 = nn.matmul %x, %w {transpose_b} : tensor<4x8xbf16>, tensor<5x8xbf16> -> tensor<4x5xbf16>
  return %0 : tensor<4x5xbf16>
}

// CHECK-LABEL: func.func @wide_matmul
func.func @wide_matmul(%x: tensor<4x8xf16>, %w: tensor<8x5xf16>) -> tensor<4x5xf32> {
  // CHECK: %[[INIT:.*]] = linalg.fill {{.*}} -> tensor<4x5xf32>
  // CHECK: %[[Y:.*]] = linalg.generic {{{.*}}} ins(%{{.*}}, %{{.*}} : tensor<4x8xf16>, tensor<8x5xf16>) outs(%[[INIT]] : tensor<4x5xf32>)
  // CHECK-COUNT-2: arith.extf
  // CHECK-NOT: arith.truncf
  // CHECK: return %[[Y]]
  %0 = nn.matmul %x, %w : tensor<4x8xf16>, tensor<8x5xf16> -> tensor<4x5xf32>
  return %0 : tensor<4x5xf32>
}

#in = affine_map<()[s0] -> (s0, 4, 8, 8)>
// CHECK-LABEL: func.func @windows
// CHECK-SAME: (%[[X:.*]]: tensor<?x4x8x8xf32>
func.func @windows(%x: tensor<?x4x8x8xf32, #in>, %w: tensor<6x4x3x3xf32>, %g: tensor<6x2x3x3xf32>)
    -> (tensor<?x6x4x4xf32, affine_map<()[s0] -> (s0, 6, 4, 4)>>,
        tensor<?x6x6x6xf32, affine_map<()[s0] -> (s0, 6, 6, 6)>>,
        tensor<?x4x4x4xf32, affine_map<()[s0] -> (s0, 4, 4, 4)>>) {
  // CHECK: %[[PADDED:.*]] = tensor.pad %[[X]] low[0, 0, 1, 1] high[0, 0, 1, 1]
  // CHECK: tensor<?x4x8x8xf32> to tensor<?x4x10x10xf32>
  // CHECK: linalg.conv_2d_nchw_fchw {dilations = dense<1> : tensor<2xi64>, strides = dense<2> : tensor<2xi64>} ins(%[[PADDED]], %{{.*}} : tensor<?x4x10x10xf32>, tensor<6x4x3x3xf32>) outs(%{{.*}} : tensor<?x6x4x4xf32>)
  %0 = nn.conv2d %x, %w {strides = array<i64: 2, 2>, padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>}
      : tensor<?x4x8x8xf32, #in>, tensor<6x4x3x3xf32> -> tensor<?x6x4x4xf32, affine_map<()[s0] -> (s0, 6, 4, 4)>>
  // CHECK: linalg.conv_2d_ngchw_gfchw {{.*}} ins(%{{.*}}, %{{.*}} : tensor<?x2x2x8x8xf32>, tensor<2x3x2x3x3xf32>) outs(%{{.*}} : tensor<?x2x3x6x6xf32>)
  // CHECK: tensor.collapse_shape %{{.*}} {{\[\[}}0], [1, 2], [3], [4]]
  %1 = nn.conv2d %x, %g {strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, dilation = array<i64: 1, 1>, groups = 2}
      : tensor<?x4x8x8xf32, #in>, tensor<6x2x3x3xf32> -> tensor<?x6x6x6xf32, affine_map<()[s0] -> (s0, 6, 6, 6)>>
  // CHECK: %[[WINDOW:.*]] = tensor.empty() : tensor<2x2xf32>
  // CHECK: linalg.generic {{{.*}}iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]} ins(%[[X]], %[[WINDOW]]
  // CHECK: arith.maximumf
  %2 = nn.pool2d max %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, padding = array<i64: 0, 0, 0, 0>}
      : tensor<?x4x8x8xf32, #in> -> tensor<?x4x4x4xf32, affine_map<()[s0] -> (s0, 4, 4, 4)>>
  return %0, %1, %2 : tensor<?x6x4x4xf32, affine_map<()[s0] -> (s0, 6, 4, 4)>>,
        tensor<?x6x6x6xf32, affine_map<()[s0] -> (s0, 6, 6, 6)>>,
        tensor<?x4x4x4xf32, affine_map<()[s0] -> (s0, 4, 4, 4)>>
}

// CHECK-LABEL: @update
func.func @update(%x: tensor<4x8xf32>, %v: tensor<4x?xf32, affine_map<()[s0] -> (4, s0)>>) -> tensor<4x8xf32> {
  // CHECK: %[[AT:.*]] = nn.symbol 1 : index
  // CHECK: %[[SIZE:.*]] = nn.symbol 0 : index
  // CHECK: tensor.insert_slice %arg1 into %arg0[0, %[[AT]]] [4, %[[SIZE]]] [1, 1] : tensor<4x?xf32> into tensor<4x8xf32>
  %0 = nn.update %x, %v start affine_map<()[s0, s1] -> (0, s1)> step [1, 1] : tensor<4x8xf32>, tensor<4x?xf32, affine_map<()[s0] -> (4, s0)>>
  return %0 : tensor<4x8xf32>
}
