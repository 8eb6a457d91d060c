// RUN: nnc-opt %s --nn-form-kernels=target=cpu | FileCheck %s

#x = affine_map<()[s0, s1] -> (s0, s1, 64)>
#r = affine_map<()[s0, s1] -> (s0, s1)>
#k = affine_map<()[s0, s1] -> (s0, s1, 1)>
nn.global @g : tensor<64xf32> {kind = "param"}
nn.global @b : tensor<64xf32> {kind = "param"}
nn.global @w : tensor<64x64xf32> {kind = "param"}
// A layer norm with its two means, its affine end and the residual before it is one kernel. The sum
// is needed again, so it is a result too.
// CHECK-LABEL: func.func @ln
// CHECK: %[[LN:.*]]:2 = nn.kernel "ln_1"(%arg0, %arg1, %{{[^,]*}}, %{{[^,]*}} : {{.*}} attributes {anchor = "reduction"}
// CHECK: %[[SUM:.*]] = nn.add
// CHECK: nn.reduce {{ ?}}mean
// CHECK: nn.reduce {{ ?}}mean
// CHECK: nn.rsqrt
// CHECK: %[[Y:.*]] = nn.add
// CHECK-NEXT: nn.yield %[[SUM]], %[[Y]]
// CHECK: %[[P:.*]] = nn.kernel "proj"(%[[LN]]#0, %[[LN]]#1
// CHECK: nn.matmul
// CHECK-NEXT: nn.add
// CHECK: nn.kernel "soft"(%[[P]]
// CHECK: nn.softmax
func.func @ln(%a: tensor<?x?x64xf32, #x>, %c: tensor<?x?x64xf32, #x>) -> (tensor<?x?x64xf32, #x>, tensor<?x?x64xf32, #x>) attributes {nn.entry, nn.dims = ["B", "T"]} {
  %x = nn.add %a, %c : tensor<?x?x64xf32, #x> loc("res")
  %m = nn.reduce mean %x {axes = array<i64: 2>} : tensor<?x?x64xf32, #x> -> tensor<?x?xf32, #r> loc("ln_1")
  %m1 = nn.reshape %m : tensor<?x?xf32, #r> -> tensor<?x?x1xf32, #k>
  %m2 = nn.broadcast %m1 {dims = array<i64: 0, 1, 2>} : tensor<?x?x1xf32, #k> -> tensor<?x?x64xf32, #x>
  %h = nn.sub %x, %m2 : tensor<?x?x64xf32, #x>
  %two = nn.full 2.0 : f32 -> tensor<?x?x64xf32, #x>
  %sq = nn.pow %h, %two : tensor<?x?x64xf32, #x>
  %v = nn.reduce mean %sq {axes = array<i64: 2>} : tensor<?x?x64xf32, #x> -> tensor<?x?xf32, #r> loc("ln_1")
  %v1 = nn.reshape %v : tensor<?x?xf32, #r> -> tensor<?x?x1xf32, #k>
  %eps = nn.full 1.0e-5 : f32 -> tensor<?x?x1xf32, #k>
  %v2 = nn.add %v1, %eps : tensor<?x?x1xf32, #k>
  %rs = nn.rsqrt %v2 : tensor<?x?x1xf32, #k>
  %rs1 = nn.broadcast %rs {dims = array<i64: 0, 1, 2>} : tensor<?x?x1xf32, #k> -> tensor<?x?x64xf32, #x>
  %n = nn.mul %h, %rs1 : tensor<?x?x64xf32, #x>
  %g = nn.get @g : tensor<64xf32>
  %g1 = nn.broadcast %g {dims = array<i64: 2>} : tensor<64xf32> -> tensor<?x?x64xf32, #x>
  %n1 = nn.mul %n, %g1 : tensor<?x?x64xf32, #x>
  %b = nn.get @b : tensor<64xf32>
  %b1 = nn.broadcast %b {dims = array<i64: 2>} : tensor<64xf32> -> tensor<?x?x64xf32, #x>
  %n2 = nn.add %n1, %b1 : tensor<?x?x64xf32, #x>
  %w = nn.get @w : tensor<64x64xf32>
  %p = nn.matmul %n2, %w {transpose_b} : tensor<?x?x64xf32, #x>, tensor<64x64xf32> -> tensor<?x?x64xf32, #x> loc("proj")
  %y = nn.add %x, %p : tensor<?x?x64xf32, #x>
  %s = nn.softmax %y {axis = 2 : i64} : tensor<?x?x64xf32, #x> loc("soft")
  return %y, %s : tensor<?x?x64xf32, #x>, tensor<?x?x64xf32, #x>
}

// Mean and mean of squares share rows through what reads both.
// CHECK-LABEL: func.func @variance
// CHECK: nn.kernel "variance"({{.*}} -> (tensor<8xf32>) attributes {anchor = "reduction"}
// CHECK-COUNT-2: nn.reduce
// CHECK-NOT: nn.kernel
// CHECK: return
func.func @variance(%x: tensor<8x64xf32>) -> tensor<8xf32> attributes {nn.entry, nn.dims = []} {
  %0 = nn.reduce mean %x {axes = array<i64: 1>} : tensor<8x64xf32> -> tensor<8xf32> loc("variance")
  %1 = nn.mul %x, %x : tensor<8x64xf32>
  %2 = nn.reduce mean %1 {axes = array<i64: 1>} : tensor<8x64xf32> -> tensor<8xf32> loc("variance")
  %3 = nn.mul %0, %0 : tensor<8xf32>
  %4 = nn.sub %2, %3 : tensor<8xf32>
  return %4 : tensor<8xf32>
}

// A row value stretched along the wrong axis of a square is not a value of the same row.
// CHECK-LABEL: func.func @square
// CHECK: %[[R:.*]] = nn.kernel "sum"
// CHECK: nn.kernel "add"(%arg0, %[[R]] : {{.*}}["sum: it is read in another order than it is computed"]
func.func @square(%x: tensor<8x8xf32>) -> tensor<8x8xf32> attributes {nn.entry, nn.dims = []} {
  %0 = nn.reduce sum %x {axes = array<i64: 1>} : tensor<8x8xf32> -> tensor<8xf32> loc("sum")
  %1 = nn.broadcast %0 {dims = array<i64: 1>} : tensor<8xf32> -> tensor<8x8xf32>
  %2 = nn.add %x, %1 : tensor<8x8xf32> loc("add")
  return %2 : tensor<8x8xf32>
}

// A reduction of a reduction has other rows.
// CHECK-LABEL: func.func @nested
// CHECK: %[[A:.*]] = nn.kernel "inner"
// CHECK: nn.kernel "outer"(%[[A]] : {{.*}}["inner: its rows are others"]
func.func @nested(%x: tensor<8x4x2xf32>) -> tensor<8xf32> attributes {nn.entry, nn.dims = []} {
  %0 = nn.reduce max %x {axes = array<i64: 2>} : tensor<8x4x2xf32> -> tensor<8x4xf32> loc("inner")
  %1 = nn.reduce sum %0 {axes = array<i64: 1>} : tensor<8x4xf32> -> tensor<8xf32> loc("outer")
  return %1 : tensor<8xf32>
}

// The best class of a softmax over another axis than the last.
// CHECK-LABEL: func.func @classes
// CHECK: nn.kernel "probability"{{.*}} -> (tensor<8x6xi32>) attributes {anchor = "reduction"}
// CHECK: nn.softmax
// CHECK: nn.argreduce
// CHECK-NOT: nn.kernel
// CHECK: return
func.func @classes(%x: tensor<8x10x6xf32>) -> tensor<8x6xi32> attributes {nn.entry, nn.dims = []} {
  %0 = nn.softmax %x {axis = 1 : i64} : tensor<8x10x6xf32> loc("probability")
  %1 = nn.argreduce max %0 {axis = 1 : i64} : tensor<8x10x6xf32> -> tensor<8x6xi32>
  return %1 : tensor<8x6xi32>
}
