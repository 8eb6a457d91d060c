// RUN: nnc-opt %s --nn-form-kernels=target=cpu | FileCheck %s

#c = affine_map<()[s0] -> (s0, 4, 8, 8)>
#p = affine_map<()[s0] -> (s0, 4, 4, 4)>
#f = affine_map<()[s0] -> (s0, 64)>
#row = affine_map<() -> (0, 0)>

nn.global @k : tensor<4x4x3x3xf32> {kind = "param"}
nn.global @kb : tensor<4xf32> {kind = "param"}
nn.global @w : tensor<64x64xf32> {kind = "param"}
nn.global @table : tensor<100x64xf32> {kind = "param"}

// Bias, activation and residual end the convolution that is computed last; the other convolution,
// the pooling and the alias stand between.
// CHECK-LABEL: func.func @block
// CHECK: %[[A:.*]] = nn.kernel "conv1"(%arg0, %{{[^,]*}}, %{{[^,]*}} : {{.*}} attributes {anchor = "convolution"}
// CHECK: nn.conv2d
// CHECK-NEXT: nn.broadcast
// CHECK-NEXT: nn.add
// CHECK-NEXT: nn.full
// CHECK-NEXT: %[[RELU:.*]] = nn.max
// CHECK-NEXT: nn.yield %[[RELU]]
// CHECK: %[[B:.*]] = nn.kernel "conv2"(%arg0, %[[A]], %{{[^,]*}} : {{.*}} attributes {anchor = "convolution", nn.refused = ["conv1: a kernel has one anchor"]}
// CHECK: ^bb0(%[[RES:.*]]: tensor<{{[^%]*}}%[[IN:.*]]: tensor<{{[^%]*}}%[[W:.*]]: tensor
// CHECK: %[[CONV:.*]] = nn.conv2d %[[IN]], %[[W]]
// CHECK: nn.add %[[RES]], %[[CONV]]
// CHECK: nn.tanh
// CHECK: %[[P:.*]] = nn.kernel "pool2d"(%[[B]] : {{.*}} attributes {anchor = "window"
// CHECK: nn.pool2d
// CHECK: nn.neg
// CHECK: %[[R:.*]] = nn.reshape %[[P]]
// CHECK-NEXT: return %[[R]]
func.func @block(%x: tensor<?x4x8x8xf32, #c>) -> tensor<?x64xf32, #f> attributes {nn.entry, nn.dims = ["B"]} {
  %k = nn.get @k : tensor<4x4x3x3xf32>
  %b = nn.get @kb : tensor<4xf32>
  %0 = nn.conv2d %x, %k {strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>}
      : tensor<?x4x8x8xf32, #c>, tensor<4x4x3x3xf32> -> tensor<?x4x8x8xf32, #c> loc("conv1")
  %1 = nn.broadcast %b {dims = array<i64: 1>} : tensor<4xf32> -> tensor<?x4x8x8xf32, #c>
  %2 = nn.add %0, %1 : tensor<?x4x8x8xf32, #c>
  %zero = nn.full 0.0 : f32 -> tensor<?x4x8x8xf32, #c>
  %3 = nn.max %2, %zero : tensor<?x4x8x8xf32, #c>
  %4 = nn.conv2d %3, %k {strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>}
      : tensor<?x4x8x8xf32, #c>, tensor<4x4x3x3xf32> -> tensor<?x4x8x8xf32, #c> loc("conv2")
  %5 = nn.add %x, %4 : tensor<?x4x8x8xf32, #c>
  %6 = nn.tanh %5 : tensor<?x4x8x8xf32, #c>
  %7 = nn.pool2d max %6 {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, padding = array<i64: 0, 0, 0, 0>}
      : tensor<?x4x8x8xf32, #c> -> tensor<?x4x4x4xf32, #p>
  %8 = nn.neg %7 : tensor<?x4x4x4xf32, #p>
  %9 = nn.reshape %8 : tensor<?x4x4x4xf32, #p> -> tensor<?x64xf32, #f>
  return %9 : tensor<?x64xf32, #f>
}

// Of two products, the one that ends last takes the sum in.
// CHECK-LABEL: func.func @two_products
// CHECK: %[[A:.*]] = nn.kernel "a"
// CHECK: %[[C:.*]] = nn.kernel "c"(%[[A]], {{.*}}nn.refused = ["a: a kernel has one anchor"]
// CHECK: nn.matmul
// CHECK: nn.add
// CHECK: return %[[C]]
func.func @two_products(%x: tensor<8x64xf32>) -> tensor<8x64xf32> attributes {nn.entry, nn.dims = []} {
  %w = nn.get @w : tensor<64x64xf32>
  %0 = nn.matmul %x, %w : tensor<8x64xf32>, tensor<64x64xf32> -> tensor<8x64xf32> loc("a")
  %1 = nn.matmul %x, %w {transpose_b} : tensor<8x64xf32>, tensor<64x64xf32> -> tensor<8x64xf32> loc("c")
  %2 = nn.add %0, %1 : tensor<8x64xf32>
  return %2 : tensor<8x64xf32>
}

// What the product reads cannot wait for what follows the product.
// CHECK-LABEL: func.func @no_cycle
// CHECK: %[[T:.*]] = nn.kernel "t"
// CHECK: %[[P:.*]] = nn.kernel "p"(%[[T]], {{.*}}["t: its values would be computed many times"]
// CHECK: %[[S:.*]] = nn.kernel "s"(%[[T]], %[[P]] : {{.*}}"t: other kernels read it before they end"
// CHECK: nn.softmax
// CHECK: nn.add
// CHECK: return %[[S]]
func.func @no_cycle(%x: tensor<8x64xf32>) -> tensor<8x64xf32> attributes {nn.entry, nn.dims = []} {
  %t = nn.exp %x : tensor<8x64xf32> loc("t")
  %w = nn.get @w : tensor<64x64xf32>
  %p = nn.matmul %t, %w : tensor<8x64xf32>, tensor<64x64xf32> -> tensor<8x64xf32> loc("p")
  %s = nn.softmax %p {axis = 1 : i64} : tensor<8x64xf32> loc("s")
  %y = nn.add %t, %s : tensor<8x64xf32>
  return %y : tensor<8x64xf32>
}

// One kernel, several results.
// CHECK-LABEL: func.func @results
// CHECK: %[[K:.*]]:3 = nn.kernel
// CHECK-NOT: nn.kernel
// CHECK: return %[[K]]#0, %[[K]]#1, %[[K]]#2
func.func @results(%x: tensor<8xf32>, %y: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) attributes {nn.entry, nn.dims = []} {
  %0 = nn.exp %x : tensor<8xf32>
  %1 = nn.log %y : tensor<8xf32>
  %2 = nn.add %0, %1 : tensor<8xf32>
  return %0, %1, %2 : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>
}

// Rows of a table, looked up where they are summed.
// CHECK-LABEL: func.func @embed
// CHECK: nn.kernel "mean"{{.*}} attributes {anchor = "reduction"}
// CHECK: nn.gather
// CHECK: nn.reduce
// CHECK: nn.tanh
// CHECK: nn.kernel "look_up"{{.*}} attributes {anchor = "gather"}
// CHECK: nn.gather
// CHECK: nn.neg
// CHECK: return
func.func @embed(%ids: tensor<8x5xi32>) -> (tensor<8x64xf32>, tensor<8x5x64xf32>) attributes {nn.entry, nn.dims = []} {
  %t = nn.get @table : tensor<100x64xf32>
  %0 = nn.gather %t, %ids {axis = 0 : i64} : tensor<100x64xf32>, tensor<8x5xi32> -> tensor<8x5x64xf32>
  %1 = nn.reduce mean %0 {axes = array<i64: 1>} : tensor<8x5x64xf32> -> tensor<8x64xf32> loc("mean")
  %2 = nn.tanh %1 : tensor<8x64xf32>
  %3 = nn.gather %t, %ids {axis = 0 : i64} : tensor<100x64xf32>, tensor<8x5xi32> -> tensor<8x5x64xf32> loc("look.up.gather")
  %4 = nn.neg %3 : tensor<8x5x64xf32>
  return %2, %4 : tensor<8x64xf32>, tensor<8x5x64xf32>
}

// Views of what elementwise ops compute: the computation follows the view.
// CHECK-LABEL: func.func @views
// CHECK: %[[K:.*]] = nn.kernel "mul"(%arg0, %arg1, %arg2
// CHECK: nn.exp
// CHECK: nn.transpose
// CHECK: nn.add
// CHECK: nn.neg
// CHECK: nn.broadcast
// CHECK: nn.mul
// CHECK-NOT: nn.kernel
// CHECK: return %[[K]]
func.func @views(%x: tensor<8x64xf32>, %y: tensor<64x8xf32>, %q: tensor<8xf32>) -> tensor<64x8xf32> attributes {nn.entry, nn.dims = []} {
  %e = nn.exp %x : tensor<8x64xf32>
  %t = nn.transpose %e {permutation = array<i64: 1, 0>} : tensor<8x64xf32> -> tensor<64x8xf32>
  %a = nn.add %t, %y : tensor<64x8xf32>
  %n = nn.neg %q : tensor<8xf32>
  %n1 = nn.broadcast %n {dims = array<i64: 1>} : tensor<8xf32> -> tensor<64x8xf32>
  %m = nn.mul %a, %n1 : tensor<64x8xf32>
  return %m : tensor<64x8xf32>
}

// An expensive value is not computed once per repetition, nor a product in another order.
// CHECK-LABEL: func.func @views_of_expensive
// CHECK: %[[E:.*]] = nn.kernel "e"
// CHECK: %[[R:.*]] = nn.kernel "r"({{.*}}["e: it is read in another order than it is computed"]
// CHECK: %[[P:.*]] = nn.kernel "product"
// CHECK: %[[T:.*]] = nn.kernel "q"(%[[P]] : {{.*}}["product: it is read in another order than it is computed"]
// CHECK: nn.transpose
// CHECK: nn.neg
// CHECK: return %[[R]], %[[T]]
func.func @views_of_expensive(%x: tensor<8x64xf32>, %v: tensor<64xf32>) -> (tensor<8x64xf32>, tensor<64x8xf32>) attributes {nn.entry, nn.dims = []} {
  %0 = nn.exp %v : tensor<64xf32> loc("e")
  %1 = nn.broadcast %0 {dims = array<i64: 1>} : tensor<64xf32> -> tensor<8x64xf32>
  %2 = nn.add %x, %1 : tensor<8x64xf32> loc("r")
  %w = nn.get @w : tensor<64x64xf32>
  %3 = nn.matmul %x, %w : tensor<8x64xf32>, tensor<64x64xf32> -> tensor<8x64xf32> loc("product")
  %4 = nn.transpose %3 {permutation = array<i64: 1, 0>} : tensor<8x64xf32> -> tensor<64x8xf32>
  %5 = nn.neg %4 : tensor<64x8xf32> loc("q")
  return %2, %5 : tensor<8x64xf32>, tensor<64x8xf32>
}

// What anchors read lies in memory; numbers and views that are results do too.
// CHECK-LABEL: func.func @memory
// CHECK-DAG: nn.kernel "full"() -> (tensor<4xf32>)
// CHECK-DAG: %[[T:.*]] = nn.kernel "transpose"(%arg0
// CHECK: nn.kernel "matmul"(%arg0, %[[T]]
// CHECK: %[[C:.*]] = nn.kernel "concat"
// CHECK: nn.kernel "exp"(%[[C]] : {{.*}}["concat: nothing can follow it in one kernel"]
func.func @memory(%x: tensor<8x64xf32>, %c: tensor<2x64xf32>) -> (tensor<8x8xf32>, tensor<10x64xf32>, tensor<4xf32>) attributes {nn.entry, nn.dims = []} {
  %f = nn.full 1.0 : f32 -> tensor<4xf32>
  %t = nn.transpose %x {permutation = array<i64: 1, 0>} : tensor<8x64xf32> -> tensor<64x8xf32>
  %m = nn.matmul %x, %t : tensor<8x64xf32>, tensor<64x8xf32> -> tensor<8x8xf32>
  %k = nn.concat %x, %c {axis = 0 : i64} : tensor<8x64xf32>, tensor<2x64xf32> -> tensor<10x64xf32>
  %e = nn.exp %k : tensor<10x64xf32>
  return %m, %e, %f : tensor<8x8xf32>, tensor<10x64xf32>, tensor<4xf32>
}

// A concat ends the kernel of those parts that only it reads; nothing follows in that kernel.
// CHECK-LABEL: func.func @parts
// CHECK: %[[E:.*]] = nn.kernel "other"(%arg0
// CHECK: %[[C:.*]] = nn.kernel "concat_2"(
// CHECK: nn.neg
// CHECK: nn.concat
// CHECK: nn.kernel "exp_2"(%[[C]] : {{.*}}["concat_2: nothing can follow it in one kernel"]
func.func @parts(%x: tensor<8x64xf32>, %c: tensor<2x64xf32>) -> (tensor<18x64xf32>, tensor<8x64xf32>) attributes {nn.entry, nn.dims = []} {
  %0 = nn.neg %c : tensor<2x64xf32> loc("part")
  %1 = nn.exp %x : tensor<8x64xf32> loc("other")
  %2 = nn.concat %0, %x, %1 {axis = 0 : i64} : tensor<2x64xf32>, tensor<8x64xf32>, tensor<8x64xf32> -> tensor<18x64xf32>
  %3 = nn.exp %2 : tensor<18x64xf32>
  return %3, %1 : tensor<18x64xf32>, tensor<8x64xf32>
}

// A cheap producer of two kernels is computed in both; an expensive one is stored by the first.
// CHECK-LABEL: func.func @recompute
// CHECK: nn.kernel "rows"(%arg0 : tensor<8x64xf32>) -> (tensor<8xf32>)
// CHECK: nn.mul
// CHECK: nn.kernel "columns"(%arg0 : tensor<8x64xf32>) -> (tensor<64xf32>) attributes {anchor = "reduction", nn.refused = ["rows: its rows are others"]}
// CHECK: nn.mul
// CHECK: %[[E:.*]]:2 = nn.kernel "rows_2"(%arg0 : tensor<8x64xf32>) -> (tensor<8x64xf32>, tensor<8xf32>)
// CHECK: nn.exp
// CHECK: nn.kernel "columns_2"(%[[E]]#0
// CHECK-NOT: nn.exp
// CHECK: return
func.func @recompute(%x: tensor<8x64xf32>) -> (tensor<8xf32>, tensor<64xf32>, tensor<8xf32>, tensor<64xf32>) attributes {nn.entry, nn.dims = []} {
  %0 = nn.mul %x, %x : tensor<8x64xf32>
  %1 = nn.reduce sum %0 {axes = array<i64: 1>} : tensor<8x64xf32> -> tensor<8xf32> loc("rows")
  %2 = nn.reduce sum %0 {axes = array<i64: 0>} : tensor<8x64xf32> -> tensor<64xf32> loc("columns")
  %3 = nn.exp %x : tensor<8x64xf32>
  %4 = nn.reduce sum %3 {axes = array<i64: 1>} : tensor<8x64xf32> -> tensor<8xf32> loc("rows")
  %5 = nn.reduce sum %3 {axes = array<i64: 0>} : tensor<8x64xf32> -> tensor<64xf32> loc("columns")
  return %1, %2, %4, %5 : tensor<8xf32>, tensor<64xf32>, tensor<8xf32>, tensor<64xf32>
}

// Names are unique and valid in C; an argument may be returned as it is; nothing to do is fine.
// CHECK-LABEL: func.func @names
// CHECK: nn.kernel "layers_0_conv_1"
// CHECK: nn.kernel "k9_layers"
// CHECK: return %arg0
func.func @names(%x: tensor<8xf32>, %y: tensor<9xf32>) -> (tensor<8xf32>, tensor<8xf32>, tensor<9xf32>) attributes {nn.entry, nn.dims = []} {
  %0 = nn.exp %x : tensor<8xf32> loc("layers.0.conv-1.conv2d"("m.nn":1:1))
  %1 = nn.exp %y : tensor<9xf32> loc("9.layers.exp"("m.nn":1:1))
  return %x, %0, %1 : tensor<8xf32>, tensor<8xf32>, tensor<9xf32>
}

// Without an entry point nothing is touched.
// CHECK-LABEL: func.func private @helper
// CHECK-NEXT: nn.exp
func.func private @helper(%x: tensor<8xf32>) -> tensor<8xf32> {
  %0 = nn.exp %x : tensor<8xf32>
  return %0 : tensor<8xf32>
}

// A kernel that computes a value again may run before the one that stores it for others.

// CHECK-LABEL: func.func @computed_again_before
// CHECK: nn.kernel "slice"(%arg0 : {{.*}}) -> (tensor<1x3xf32>)
// CHECK: nn.mul
// CHECK: nn.slice
// CHECK: nn.kernel "abs"(%arg0, %{{[^,]*}} :
// CHECK: nn.kernel "concat{{.*}}"(
func.func @computed_again_before(%x: tensor<4x3xf32>)
    -> (tensor<4x3xf32>, tensor<4x3x2xf32>, tensor<3xf32>) attributes {nn.entry, nn.dims = []} {
  %two = nn.full 2.0 : f32 -> tensor<4x3xf32>
  %y = nn.mul %x, %two : tensor<4x3xf32>
  %row = nn.slice %y start #row step [1, 1] : tensor<4x3xf32> -> tensor<1x3xf32>
  %flat = nn.reshape %row : tensor<1x3xf32> -> tensor<3xf32>
  %neg = nn.neg %flat : tensor<3xf32>
  %rows = nn.broadcast %neg {dims = array<i64: 1>} : tensor<3xf32> -> tensor<4x3xf32>
  %a = nn.mul %y, %rows : tensor<4x3xf32>
  %abs = nn.abs %y : tensor<4x3xf32>
  %p = nn.reshape %y : tensor<4x3xf32> -> tensor<4x3x1xf32>
  %q = nn.reshape %abs : tensor<4x3xf32> -> tensor<4x3x1xf32>
  %b = nn.concat %p, %q {axis = 2 : i64} : tensor<4x3x1xf32>, tensor<4x3x1xf32> -> tensor<4x3x2xf32>
  return %a, %b, %flat : tensor<4x3xf32>, tensor<4x3x2xf32>, tensor<3xf32>
}

// A scatter is a kernel of its own that is not lowered; both operands lie in memory.
// CHECK-LABEL: func.func @scatter
// CHECK: %[[V:.*]] = nn.kernel "{{.*}}"(%{{.*}} : tensor<4x8xf32>)
// CHECK: %[[S:.*]] = nn.kernel "scatter_add"(%[[V]], %{{.*}} : tensor<4x8xf32>, tensor<4xi32>) -> (tensor<100x8xf32>) attributes {anchor = "scatter"
// CHECK-NEXT: ^bb0(%[[A:.*]]: tensor<4x8xf32>, %[[I:.*]]: tensor<4xi32>):
// CHECK-NEXT: %[[R:.*]] = nn.scatter_add %[[A]], %[[I]] {axis = 0 : i64}
// CHECK-NEXT: nn.yield %[[R]]
// CHECK: nn.kernel "{{.*}}"(%[[S]]
func.func @scatter(%x: tensor<4x8xf32>, %ids: tensor<4xi32>) -> tensor<100x8xf32> attributes {nn.entry, nn.dims = []} {
  %v = nn.mul %x, %x : tensor<4x8xf32>
  %s = nn.scatter_add %v, %ids {axis = 0 : i64} : tensor<4x8xf32>, tensor<4xi32> -> tensor<100x8xf32>
  %n = nn.neg %s : tensor<100x8xf32>
  return %n : tensor<100x8xf32>
}
