// RUN: nnc-opt %s --nn-kernel-pipeline=target=cpu | FileCheck %s --check-prefixes=CHECK,CPU
// RUN: nnc-opt %s --nn-kernel-pipeline=target=cuda | FileCheck %s --check-prefixes=CHECK,CUDA

nn.global @w : tensor<4x8xf32> {kind = "param"}
nn.global @m : tensor<4x8xf32> {kind = "state"}
nn.global @n : tensor<i32> {kind = "state"}
nn.global @pos : tensor<i32> {kind = "state"}

// One thread of a GPU computes both results, so both are written over what they read. On the cpu
// what `m` becomes has a kernel of its own, which the other reads.
// CHECK-LABEL: func.func @momentum
// CPU: %[[M:.*]] = nn.kernel {{.*}}nn.in_place = array<i64: {{[0-9]}}>
// CPU: %[[W:.*]] = nn.kernel {{.*}}%[[M]]{{.*}}nn.in_place = array<i64: {{[0-9]}}>
// CUDA: %[[MW:.*]]:2 = nn.kernel {{.*}}nn.in_place = array<i64: {{[0-9], [0-9]}}>
func.func @momentum(%g: tensor<4x8xf32>) -> (tensor<f32>) attributes {nn.entry, nn.dims = []} {
  %w = nn.get @w : tensor<4x8xf32>
  %m = nn.get @m : tensor<4x8xf32>
  %rate = nn.full 0.9 : f32 -> tensor<4x8xf32>
  %decayed = nn.mul %m, %rate : tensor<4x8xf32>
  %m1 = nn.add %decayed, %g : tensor<4x8xf32>
  %w1 = nn.sub %w, %m1 : tensor<4x8xf32>
  nn.set @m, %m1 : tensor<4x8xf32>
  nn.set @w, %w1 : tensor<4x8xf32>
  %loss = nn.reduce sum %g {axes = array<i64: 0, 1>} : tensor<4x8xf32> -> tensor<f32>
  return %loss : tensor<f32>
}

// Elements are read elsewhere than they are written: the plan copies.
// CHECK-LABEL: func.func @flip
// CHECK-NOT: nn.in_place
// CHECK: return
func.func @flip(%x: tensor<8x4xf32>) -> tensor<8x4xf32> attributes {nn.entry, nn.dims = []} {
  %w = nn.get @w : tensor<4x8xf32>
  %turned = nn.transpose %w {permutation = array<i64: 1, 0>} : tensor<4x8xf32> -> tensor<8x4xf32>
  %sum = nn.add %turned, %x : tensor<8x4xf32>
  %new = nn.reshape %sum : tensor<8x4xf32> -> tensor<4x8xf32>
  nn.set @w, %new : tensor<4x8xf32>
  return %x : tensor<8x4xf32>
}

// A reshape is the same elements in the same order.
// CHECK-LABEL: func.func @reshaped
// CHECK: nn.kernel {{.*}}nn.in_place = array<i64: 0>
func.func @reshaped(%x: tensor<32xf32>) -> tensor<32xf32> attributes {nn.entry, nn.dims = []} {
  %w = nn.get @w : tensor<4x8xf32>
  %flat = nn.reshape %w : tensor<4x8xf32> -> tensor<32xf32>
  %sum = nn.add %flat, %x : tensor<32xf32>
  %new = nn.reshape %sum : tensor<32xf32> -> tensor<4x8xf32>
  nn.set @w, %new : tensor<4x8xf32>
  return %x : tensor<32xf32>
}

// Who reads what the state was comes first, if it does not wait for the new value.
// CHECK-LABEL: func.func @reader
// CHECK: %[[W:.*]] = nn.get @w
// CHECK: nn.kernel {{.*}}anchor = "reduction"
// CHECK: nn.kernel {{.*}}nn.in_place
func.func @reader(%x: tensor<4x8xf32>) -> tensor<4xf32> attributes {nn.entry, nn.dims = []} {
  %w = nn.get @w : tensor<4x8xf32>
  %new = nn.add %w, %x : tensor<4x8xf32>
  nn.set @w, %new : tensor<4x8xf32>
  %rows = nn.reduce sum %w {axes = array<i64: 1>} : tensor<4x8xf32> -> tensor<4xf32>
  return %rows : tensor<4xf32>
}

// Here it does wait.
// CHECK-LABEL: func.func @late
// CHECK-NOT: nn.in_place
// CHECK: return
func.func @late(%x: tensor<4x8xf32>) -> tensor<4x4xf32> attributes {nn.entry, nn.dims = []} {
  %w = nn.get @w : tensor<4x8xf32>
  %new = nn.add %w, %x : tensor<4x8xf32>
  nn.set @w, %new : tensor<4x8xf32>
  %both = nn.matmul %new, %w {transpose_b} : tensor<4x8xf32>, tensor<4x8xf32> -> tensor<4x4xf32>
  return %both : tensor<4x4xf32>
}

// What is returned is read at the end.
// CHECK-LABEL: func.func @returned
// CHECK-NOT: nn.in_place
// CHECK: return
func.func @returned(%x: tensor<4x8xf32>) -> tensor<4x8xf32> attributes {nn.entry, nn.dims = []} {
  %w = nn.get @w : tensor<4x8xf32>
  %new = nn.add %w, %x : tensor<4x8xf32>
  nn.set @w, %new : tensor<4x8xf32>
  return %w : tensor<4x8xf32>
}

// A count is written in place, but not one that kernels read as a symbol all the time.
// CHECK-LABEL: func.func @count
// CHECK: nn.kernel {{.*}}nn.in_place = array<i64: 0>
// CHECK-NOT: nn.in_place
// CHECK: return
func.func @count(%x: tensor<4xf32>) -> tensor<4xf32> attributes {nn.entry, nn.dims = ["pos"], nn.kinds = ["scalar"], nn.ranges = [array<i64: 0, 8>], nn.sources = [{state = @pos}]} {
  %one = nn.full 1 : i32 -> tensor<i32>
  %n = nn.get @n : tensor<i32>
  %n1 = nn.add %n, %one : tensor<i32>
  nn.set @n, %n1 : tensor<i32>
  %pos = nn.get @pos : tensor<i32>
  %pos1 = nn.add %pos, %one : tensor<i32>
  nn.set @pos, %pos1 : tensor<i32>
  return %x : tensor<4xf32>
}
