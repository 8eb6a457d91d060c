// Folding and canonicalization; what must stay, stays.
// RUN: nnc-opt %s --canonicalize | FileCheck %s

!t = tensor<4x8xf32>
!i = tensor<4x8xi32>
!b = tensor<4x8xi1>

// CHECK-LABEL: @neutral
// CHECK-SAME: (%[[X:.*]]: tensor<4x8xf32>, %[[I:.*]]: tensor<4x8xi32>, %[[B:.*]]: tensor<4x8xi1>)
func.func @neutral(%x: !t, %i: !i, %b: !b) -> (!t, !t, !t, !t, !t, !i, !i, !i, !b, !b) {
  %zero = nn.full 0.0 : f32 -> !t
  %negativeZero = nn.full -0.0 : f32 -> !t
  %one = nn.full 1.0 : f32 -> !t
  %izero = nn.full 0 : i32 -> !i
  %ione = nn.full 1 : i32 -> !i
  %true = nn.full true -> !b
  %false = nn.full false -> !b
  %0 = nn.add %x, %negativeZero : !t
  %1 = nn.sub %x, %zero : !t
  %2 = nn.mul %one, %x : !t
  %3 = nn.div %x, %one : !t
  %4 = nn.pow %x, %one : !t
  %5 = nn.add %izero, %i : !i
  %6 = nn.mul %i, %ione : !i
  %7 = nn.floordiv %i, %ione : !i
  %8 = nn.and %b, %true : !b
  %9 = nn.or %false, %b : !b
  // CHECK-NEXT: return %[[X]], %[[X]], %[[X]], %[[X]], %[[X]], %[[I]], %[[I]], %[[I]], %[[B]], %[[B]]
  return %0, %1, %2, %3, %4, %5, %6, %7, %8, %9 : !t, !t, !t, !t, !t, !i, !i, !i, !b, !b
}

// x + 0.0 is 0.0 for x = -0.0; 0.0 * x is not 0.0 for NaN and infinity; x - x neither.
// CHECK-LABEL: @bits_differ
func.func @bits_differ(%x: !t) -> (!t, !t, !t) {
  %zero = nn.full 0.0 : f32 -> !t
  // CHECK: nn.add
  %0 = nn.add %x, %zero : !t
  // CHECK: nn.mul
  %1 = nn.mul %x, %zero : !t
  // CHECK: nn.sub
  %2 = nn.sub %x, %x : !t
  return %0, %1, %2 : !t, !t, !t
}

// CHECK-LABEL: @twice
// CHECK-SAME: (%[[X:.*]]: tensor<4x8xf32>, %[[B:.*]]: tensor<4x8xi1>)
func.func @twice(%x: !t, %b: !b) -> (!t, !t, !t, !t, !t, !b, !t) {
  %0 = nn.neg %x : !t
  %1 = nn.neg %0 : !t
  // CHECK-NEXT: %[[ABS:.*]] = nn.abs %[[X]]
  %2 = nn.abs %0 : !t
  %3 = nn.abs %2 : !t
  // CHECK-NEXT: %[[FLOOR:.*]] = nn.floor %[[X]]
  %4 = nn.floor %x : !t
  %5 = nn.floor %4 : !t
  // CHECK-NEXT: %[[ROUND:.*]] = nn.round %[[X]]
  %6 = nn.round %x : !t
  %7 = nn.round %6 : !t
  %8 = nn.not %b : !b
  %9 = nn.not %8 : !b
  %10 = nn.max %x, %x : !t
  %11 = nn.select %b, %x, %x : !t
  // CHECK-NEXT: return %[[X]], %[[ABS]], %[[FLOOR]], %[[ROUND]], %[[X]], %[[B]], %[[X]]
  return %1, %3, %5, %7, %10, %9, %11 : !t, !t, !t, !t, !t, !b, !t
}

// CHECK-LABEL: @constants
func.func @constants() -> (!t, !t, !t, !i, !i, !b, !t, tensor<2xbf16>, tensor<2xi8>, tensor<i64>, !t, !t) {
  %a = nn.full 2.0 : f32 -> !t
  %b = nn.full -3.0 : f32 -> !t
  %i = nn.full -7 : i32 -> !i
  %j = nn.full 2 : i32 -> !i
  %z = nn.full 0 : i32 -> !i
  // CHECK-DAG: %[[SUM:.*]] = nn.full -1.000000e+00 : f32 -> tensor<4x8xf32>
  %0 = nn.add %a, %b : !t
  // CHECK-DAG: %[[ROOT:.*]] = nn.full 1.41421354 : f32 -> tensor<4x8xf32>
  %1 = nn.sqrt %a : !t
  // CHECK-DAG: %[[MAX:.*]] = nn.full 2.000000e+00 : f32 -> tensor<4x8xf32>
  %2 = nn.max %b, %a : !t
  // CHECK-DAG: %[[QUOTIENT:.*]] = nn.full -4 : i32 -> tensor<4x8xi32>
  %3 = nn.floordiv %i, %j : !i
  // CHECK-DAG: %[[NONE:.*]] = nn.full 0 : i32 -> tensor<4x8xi32>
  %4 = nn.mod %i, %z : !i
  // CHECK-DAG: %[[TRUE:.*]] = nn.full true -> tensor<4x8xi1>
  %5 = nn.cmp lt %b, %a : !t
  %6 = nn.select %5, %a, %b : !t
  %third = nn.full 0.333333343 : f32 -> tensor<2xf32>
  // CHECK-DAG: %[[THIRD:.*]] = nn.full 3.339840e-01 : bf16 -> tensor<2xbf16>
  %7 = nn.cast %third : tensor<2xf32> -> tensor<2xbf16>
  %large = nn.full 300 : i32 -> tensor<2xi32>
  // CHECK-DAG: %[[LOW:.*]] = nn.full 44 : i8 -> tensor<2xi8>
  %8 = nn.cast %large : tensor<2xi32> -> tensor<2xi8>
  // CHECK-DAG: %[[SIZE:.*]] = nn.full 12 : i64 -> tensor<i64>
  %9 = nn.size affine_map<()[s0] -> (s0 * 2 - s0 - s0 + 12)> : tensor<i64>
  // Libraries differ in the exponential.
  // CHECK-DAG: %[[EXP:.*]] = nn.exp %[[MAX]]
  %10 = nn.exp %a : !t
  %scalar = nn.full 2.0 : f32 -> tensor<f32>
  %11 = nn.broadcast %scalar {dims = array<i64>} : tensor<f32> -> !t
  // CHECK: return %[[SUM]], %[[ROOT]], %[[MAX]], %[[QUOTIENT]], %[[NONE]], %[[TRUE]], %[[MAX]], %[[THIRD]], %[[LOW]], %[[SIZE]], %[[EXP]], %[[MAX]]
  return %0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11
      : !t, !t, !t, !i, !i, !b, !t, tensor<2xbf16>, tensor<2xi8>, tensor<i64>, !t, !t
}

// CHECK-LABEL: @casts
// CHECK-SAME: (%[[X:.*]]: tensor<4xf32>, %[[H:.*]]: tensor<4xf16>, %[[I:.*]]: tensor<4xi8>)
func.func @casts(%x: tensor<4xf32>, %h: tensor<4xf16>, %i: tensor<4xi8>)
    -> (tensor<4xf32>, tensor<4xf16>, tensor<4xbf16>, tensor<4xf32>, tensor<4xf32>) {
  %0 = nn.cast %x : tensor<4xf32> -> tensor<4xf32>
  %1 = nn.cast %h : tensor<4xf16> -> tensor<4xf32>
  %2 = nn.cast %1 : tensor<4xf32> -> tensor<4xf16>
  // CHECK: %[[HB:.*]] = nn.cast %[[H]] : tensor<4xf16> -> tensor<4xbf16>
  %3 = nn.cast %1 : tensor<4xf32> -> tensor<4xbf16>
  %4 = nn.cast %i : tensor<4xi8> -> tensor<4xi64>
  // CHECK: %[[IF:.*]] = nn.cast %[[I]] : tensor<4xi8> -> tensor<4xf32>
  %5 = nn.cast %4 : tensor<4xi64> -> tensor<4xf32>
  // Rounds on the way.
  // CHECK: %[[N:.*]] = nn.cast %[[X]] : tensor<4xf32> -> tensor<4xbf16>
  %6 = nn.cast %x : tensor<4xf32> -> tensor<4xbf16>
  // CHECK: %[[W:.*]] = nn.cast %[[N]] : tensor<4xbf16> -> tensor<4xf32>
  %7 = nn.cast %6 : tensor<4xbf16> -> tensor<4xf32>
  // CHECK: return %[[X]], %[[H]], %[[HB]], %[[IF]], %[[W]]
  return %0, %2, %3, %5, %7
      : tensor<4xf32>, tensor<4xf16>, tensor<4xbf16>, tensor<4xf32>, tensor<4xf32>
}

#n = affine_map<()[s0] -> (s0, 8)>
// CHECK-LABEL: @movements
// CHECK-SAME: (%[[X:.*]]: tensor<4x8xf32>, %[[D:.*]]: tensor<?x8xf32, #{{.*}}>)
func.func @movements(%x: !t, %d: tensor<?x8xf32, #n>)
    -> (!t, tensor<8x4xf32>, !t, tensor<2x4x3x8xf32>, tensor<2x1xf32>, tensor<1x4x8xf32>,
        tensor<4x1x8xf32>, !t, !t, tensor<?x8xf32, #n>, !t) {
  // CHECK-NEXT: %[[FLAT:.*]] = nn.reshape %[[X]] : tensor<4x8xf32> -> tensor<8x4xf32>
  %0 = nn.reshape %x : !t -> tensor<32xf32>
  %1 = nn.reshape %0 : tensor<32xf32> -> !t
  %2 = nn.reshape %0 : tensor<32xf32> -> tensor<8x4xf32>
  %3 = nn.transpose %x {permutation = array<i64: 1, 0>} : !t -> tensor<8x4xf32>
  %4 = nn.transpose %3 {permutation = array<i64: 1, 0>} : tensor<8x4xf32> -> !t
  // CHECK-NEXT: %[[WIDE:.*]] = nn.broadcast %[[X]] {dims = array<i64: 1, 3>} : tensor<4x8xf32> -> tensor<2x4x3x8xf32>
  %5 = nn.broadcast %x {dims = array<i64: 0, 2>} : !t -> tensor<4x3x8xf32>
  %6 = nn.broadcast %5 {dims = array<i64: 1, 2, 3>} : tensor<4x3x8xf32> -> tensor<2x4x3x8xf32>
  // CHECK-NEXT: %[[PART:.*]] = nn.slice %[[X]] start #{{.*}} step [1, 4] : tensor<4x8xf32> -> tensor<2x1xf32>
  %7 = nn.slice %x start affine_map<() -> (1, 1)> step [1, 2] : !t -> tensor<3x3xf32>
  %8 = nn.slice %7 start affine_map<() -> (1, 1)> step [1, 2] : tensor<3x3xf32> -> tensor<2x1xf32>
  // CHECK-NEXT: %[[AXIS:.*]] = nn.reshape %[[X]] : tensor<4x8xf32> -> tensor<1x4x8xf32>
  %9 = nn.broadcast %x {dims = array<i64: 1, 2>} : !t -> tensor<1x4x8xf32>
  // CHECK-NEXT: %[[MOVED:.*]] = nn.reshape %[[X]] : tensor<4x8xf32> -> tensor<4x1x8xf32>
  %10 = nn.transpose %9 {permutation = array<i64: 1, 0, 2>} : tensor<1x4x8xf32> -> tensor<4x1x8xf32>
  %11 = nn.concat %x {axis = 0} : !t -> !t
  %12 = nn.pad %x {low = array<i64: 0, 0>, high = array<i64: 0, 0>, value = 0.0 : f32} : !t -> !t
  %13 = nn.slice %d start affine_map<()[s0] -> (0, 0)> step [1, 1]
      : tensor<?x8xf32, #n> -> tensor<?x8xf32, #n>
  %14 = nn.reduce sum %x {axes = array<i64>} : !t -> !t
  // CHECK-NEXT: return %[[X]], %[[FLAT]], %[[X]], %[[WIDE]], %[[PART]], %[[AXIS]], %[[MOVED]], %[[X]], %[[X]], %[[D]], %[[X]]
  return %1, %2, %4, %6, %8, %9, %10, %11, %12, %13, %14
      : !t, tensor<8x4xf32>, !t, tensor<2x4x3x8xf32>, tensor<2x1xf32>, tensor<1x4x8xf32>,
        tensor<4x1x8xf32>, !t, !t, tensor<?x8xf32, #n>, !t
}

// CHECK-LABEL: @broadcast_of_reshape
// CHECK-SAME: (%[[X:.*]]: tensor<8xf32>)
func.func @broadcast_of_reshape(%x: tensor<8xf32>) -> tensor<4x8x5xf32> {
  %0 = nn.reshape %x : tensor<8xf32> -> tensor<1x8x1xf32>
  // CHECK-NEXT: nn.broadcast %[[X]] {dims = array<i64: 1>} : tensor<8xf32> -> tensor<4x8x5xf32>
  %1 = nn.broadcast %0 {dims = array<i64: 0, 1, 2>} : tensor<1x8x1xf32> -> tensor<4x8x5xf32>
  return %1 : tensor<4x8x5xf32>
}

// CHECK-LABEL: @reshape_of_widened
// CHECK-SAME: (%[[X:.*]]: tensor<8xbf16>, %[[Y:.*]]: tensor<8xbf16>)
func.func @reshape_of_widened(%x: tensor<8xbf16>, %y: tensor<8xbf16>) -> (tensor<2x4xf32>, tensor<2x4xf32>, tensor<8xf32>) {
  // CHECK: %[[R:.*]] = nn.reshape %[[X]] : tensor<8xbf16> -> tensor<2x4xbf16>
  // CHECK: %[[A:.*]] = nn.cast %[[R]] : tensor<2x4xbf16> -> tensor<2x4xf32>
  %0 = nn.cast %x : tensor<8xbf16> -> tensor<8xf32>
  %1 = nn.reshape %0 : tensor<8xf32> -> tensor<2x4xf32>
  // CHECK: %[[C:.*]] = nn.cast %[[Y]]
  // CHECK: %[[B:.*]] = nn.reshape %[[C]]
  // CHECK: return %[[A]], %[[B]], %[[C]]
  %2 = nn.cast %y : tensor<8xbf16> -> tensor<8xf32>
  %3 = nn.reshape %2 : tensor<8xf32> -> tensor<2x4xf32>
  return %1, %3, %2 : tensor<2x4xf32>, tensor<2x4xf32>, tensor<8xf32>
}

// CHECK-LABEL: @transpose_into_matmul
// CHECK-SAME: (%[[X:.*]]: tensor<4x8xf32>, %[[W:.*]]: tensor<5x8xf32>)
func.func @transpose_into_matmul(%x: !t, %w: tensor<5x8xf32>) -> (tensor<4x5xf32>, tensor<8x8xf32>) {
  %0 = nn.transpose %w {permutation = array<i64: 1, 0>} : tensor<5x8xf32> -> tensor<8x5xf32>
  // CHECK-NEXT: nn.matmul %[[X]], %[[W]] {transpose_b}
  %1 = nn.matmul %x, %0 : !t, tensor<8x5xf32> -> tensor<4x5xf32>
  %2 = nn.transpose %x {permutation = array<i64: 1, 0>} : !t -> tensor<8x4xf32>
  // CHECK-NEXT: nn.matmul %[[X]], %[[X]] {transpose_a}
  %3 = nn.matmul %2, %2 {transpose_b} : tensor<8x4xf32>, tensor<8x4xf32> -> tensor<8x8xf32>
  return %1, %3 : tensor<4x5xf32>, tensor<8x8xf32>
}

// The last axis stays the last, whatever happens to the others.
// CHECK-LABEL: @part_of_transpose_into_matmul
// CHECK-SAME: (%[[X:.*]]: tensor<2x4x3x8xf32>)
func.func @part_of_transpose_into_matmul(%x: tensor<2x4x3x8xf32>) -> tensor<2x3x4x4xf32> {
  // CHECK: nn.transpose %[[X]] {permutation = array<i64: 0, 2, 1, 3>}
  // CHECK-NOT: permutation = array<i64: 0, 2, 3, 1>
  // CHECK: nn.matmul %{{.*}}, %{{.*}} {transpose_b} : tensor<2x3x4x8xf32>, tensor<2x3x4x8xf32> -> tensor<2x3x4x4xf32>
  %0 = nn.transpose %x {permutation = array<i64: 0, 2, 1, 3>} : tensor<2x4x3x8xf32> -> tensor<2x3x4x8xf32>
  %1 = nn.transpose %x {permutation = array<i64: 0, 2, 3, 1>} : tensor<2x4x3x8xf32> -> tensor<2x3x8x4xf32>
  %2 = nn.matmul %0, %1 : tensor<2x3x4x8xf32>, tensor<2x3x8x4xf32> -> tensor<2x3x4x4xf32>
  return %2 : tensor<2x3x4x4xf32>
}

// What was 16 bits wide is multiplied so, through views too; a sum that is rounded at once is a product that
// rounds, and TF32 has nothing left to round.
// CHECK-LABEL: @matmul_of_widened
// CHECK-SAME: (%[[X:.*]]: tensor<8xbf16>, %[[W:.*]]: tensor<5x6xbf16>, %[[Y:.*]]: tensor<4x8xf32>)
func.func @matmul_of_widened(%x: tensor<8xbf16>, %w: tensor<5x6xbf16>, %y: !t)
    -> (tensor<4x5xf32>, tensor<4x5xbf16>, tensor<4x5xf16>, tensor<4x5xf32>) {
  // CHECK-DAG: %[[B:.*]] = nn.broadcast %[[X]] {dims = array<i64: 1>} : tensor<8xbf16> -> tensor<4x8xbf16>
  // CHECK-DAG: %[[P:.*]] = nn.pad %[[W]] {high = array<i64: 0, 2>, low = array<i64: 0, 0>, value = 0.000000e+00 : bf16} : tensor<5x6xbf16> -> tensor<5x8xbf16>
  %0 = nn.cast %x : tensor<8xbf16> -> tensor<8xf32>
  %1 = nn.broadcast %0 {dims = array<i64: 1>} : tensor<8xf32> -> !t
  %2 = nn.cast %w : tensor<5x6xbf16> -> tensor<5x6xf32>
  %3 = nn.pad %2 {low = array<i64: 0, 0>, high = array<i64: 0, 2>, value = 0.0 : f32} : tensor<5x6xf32> -> tensor<5x8xf32>
  %4 = nn.transpose %3 {permutation = array<i64: 1, 0>} : tensor<5x8xf32> -> tensor<8x5xf32>
  // CHECK: %[[WIDE:.*]] = nn.matmul %[[B]], %[[P]] {transpose_b} : tensor<4x8xbf16>, tensor<5x8xbf16> -> tensor<4x5xf32>
  %5 = nn.matmul %1, %4 {nn.tf32} : !t, tensor<8x5xf32> -> tensor<4x5xf32>
  // CHECK: %[[ROUNDED:.*]] = nn.matmul %{{.*}}, %{{.*}} {nn.name = "n", transpose_b} : tensor<4x8xbf16>, tensor<5x8xbf16> -> tensor<4x5xbf16>
  %6 = nn.matmul %1, %4 {nn.name = "n"} : !t, tensor<8x5xf32> -> tensor<4x5xf32>
  %7 = nn.cast %6 : tensor<4x5xf32> -> tensor<4x5xbf16>
  // CHECK: %[[OTHER:.*]] = nn.cast %{{.*}} : tensor<4x5xf32> -> tensor<4x5xf16>
  %8 = nn.matmul %1, %4 : !t, tensor<8x5xf32> -> tensor<4x5xf32>
  %9 = nn.cast %8 : tensor<4x5xf32> -> tensor<4x5xf16>
  // CHECK: %[[MIXED:.*]] = nn.matmul %[[Y]], %{{.*}} : tensor<4x8xf32>, tensor<5x8xf32> -> tensor<4x5xf32>
  %10 = nn.matmul %y, %4 : !t, tensor<8x5xf32> -> tensor<4x5xf32>
  // CHECK: return %[[WIDE]], %[[ROUNDED]], %[[OTHER]], %[[MIXED]]
  return %5, %7, %9, %10 : tensor<4x5xf32>, tensor<4x5xbf16>, tensor<4x5xf16>, tensor<4x5xf32>
}

// CHECK-LABEL: @unused
func.func @unused(%x: !t, %w: tensor<8x8xf32>) {
  %0 = nn.matmul %x, %w : !t, tensor<8x8xf32> -> !t
  %1 = nn.softmax %0 {axis = 1} : !t
  // CHECK-NEXT: return
  return
}

!q = tensor<1x4x3x8xf32>
!m = tensor<1x4x3x3xi1>
// CHECK-LABEL: @attention_without_offset_and_mask
// CHECK-SAME: (%[[Q:.*]]: tensor<1x4x3x8xf32>)
func.func @attention_without_offset_and_mask(%q: !q) -> !q {
  %zero = nn.full 0 : i32 -> tensor<i32>
  %true = nn.full true -> !m
  // CHECK-NEXT: nn.attention %[[Q]], %[[Q]], %[[Q]] {causal} :
  %0 = nn.attention %q, %q, %q mask %true offset %zero {causal} : (!q, !q, !q, !m, tensor<i32>) -> !q
  return %0 : !q
}

!l = tensor<1x4x3xf32>
// CHECK-LABEL: @attention_grad_without_offset_and_mask
func.func @attention_grad_without_offset_and_mask(%q: !q, %l: !l) -> !q {
  %zero = nn.full 0 : i32 -> tensor<i32>
  %true = nn.full true -> !m
  // CHECK-NEXT: nn.attention_grad %{{[^:]*}} {causal} : ({{.*}}, tensor<1x4x3xf32>, tensor<1x4x3xf32>) ->
  %0:3 = nn.attention_grad %q, %q, %q, %q, %l, %l mask %true offset %zero {causal}
      : (!q, !q, !q, !q, !l, !l, !m, tensor<i32>) -> (!q, !q, !q)
  return %0#0 : !q
}

// CHECK-LABEL: @attention_keeps_what_counts
func.func @attention_keeps_what_counts(%q: !q) -> !q {
  %one = nn.full 1 : i32 -> tensor<i32>
  %false = nn.full false -> !m
  // CHECK: nn.attention {{.*}} mask %{{.*}} offset %{{.*}} {causal} :
  %0 = nn.attention %q, %q, %q mask %false offset %one {causal} : (!q, !q, !q, !m, tensor<i32>) -> !q
  return %0 : !q
}

#b = affine_map<()[s0, s1] -> (s0, s1, 96)>
#c = affine_map<()[s0, s1] -> (s0, s1, 32)>
#d = affine_map<()[s0, s1] -> (s0, s1, 4, 8)>
// The second third of a fused projection, cut into heads.
// CHECK-LABEL: @reshape_of_slice
// CHECK-SAME: (%[[X:.*]]: tensor<?x?x96xf32, #{{.*}}>)
func.func @reshape_of_slice(%x: tensor<?x?x96xf32, #b>) -> tensor<?x?x4x8xf32, #d> {
  // CHECK-NEXT: %[[CUT:.*]] = nn.reshape %[[X]] : tensor<?x?x96xf32, #{{.*}}> -> tensor<?x?x12x8xf32, #{{.*}}>
  // CHECK-NEXT: nn.slice %[[CUT]] start #{{.*}} step [1, 1, 1, 1] : tensor<?x?x12x8xf32, #{{.*}}> -> tensor<?x?x4x8xf32, #{{.*}}>
  %0 = nn.slice %x start affine_map<()[s0, s1] -> (0, 0, 32)> step [1, 1, 1] : tensor<?x?x96xf32, #b> -> tensor<?x?x32xf32, #c>
  %1 = nn.reshape %0 : tensor<?x?x32xf32, #c> -> tensor<?x?x4x8xf32, #d>
  return %1 : tensor<?x?x4x8xf32, #d>
}

// CHECK-LABEL: @reshape_of_uneven_slice
func.func @reshape_of_uneven_slice(%x: tensor<2x96xf32>) -> tensor<2x4x8xf32> {
  // CHECK-NEXT: nn.slice
  // CHECK-NEXT: nn.reshape
  %0 = nn.slice %x start affine_map<() -> (0, 33)> step [1, 1] : tensor<2x96xf32> -> tensor<2x32xf32>
  %1 = nn.reshape %0 : tensor<2x32xf32> -> tensor<2x4x8xf32>
  return %1 : tensor<2x4x8xf32>
}
