// RUN: nnc-opt %s --nn-kernel-pipeline=target=cuda | FileCheck %s
// RUN: nnc-opt %s --nn-kernel-pipeline=target=cpu | FileCheck %s --check-prefix=CPU
// CPU-NOT: nn.launch

nn.global @a : tensor<64x32xf32> {kind = "param"}
nn.global @b : tensor<32x16xf32> {kind = "param"}
nn.global @step : tensor<i32> {kind = "state"}

// Weights are rounded in one launch at the beginning, params and the count of steps are updated in one
// at the end. What the rate of learning depends on is read before it changes.
// CHECK-LABEL: func.func @train
// CHECK-DAG: %[[A:.*]] = nn.get @a
// CHECK-DAG: %[[B:.*]] = nn.get @b
// CHECK: nn.kernel {{.*}}(%[[A]] {{.*}}nn.launch = [[FIRST:[0-9]+]] : i64
// CHECK: nn.kernel {{.*}}(%[[B]] {{.*}}nn.launch = [[FIRST]] : i64
// CHECK: nn.gemm
// CHECK: nn.gemm
// CHECK: nn.kernel {{.*}}nn.launch = [[LAST:[0-9]+]] : i64
// CHECK: nn.kernel {{.*}}nn.launch = [[LAST]] : i64
// CHECK: nn.set
func.func @train(%x: tensor<8x64xbf16>, %ga: tensor<64x32xf32>, %gb: tensor<32x16xf32>) -> tensor<8x16xbf16> attributes {nn.entry, nn.dims = []} {
  %a = nn.get @a : tensor<64x32xf32>
  %b = nn.get @b : tensor<32x16xf32>
  %step = nn.get @step : tensor<i32>
  %a16 = nn.cast %a : tensor<64x32xf32> -> tensor<64x32xbf16>
  %h = nn.matmul %x, %a16 : tensor<8x64xbf16>, tensor<64x32xbf16> -> tensor<8x32xbf16>
  %b16 = nn.cast %b : tensor<32x16xf32> -> tensor<32x16xbf16>
  %y = nn.matmul %h, %b16 : tensor<8x32xbf16>, tensor<32x16xbf16> -> tensor<8x16xbf16>
  %a1 = nn.sub %a, %ga : tensor<64x32xf32>
  nn.set @a, %a1 : tensor<64x32xf32>
  %b1 = nn.sub %b, %gb : tensor<32x16xf32>
  nn.set @b, %b1 : tensor<32x16xf32>
  %one = nn.full 1 : i32 -> tensor<i32>
  %next = nn.add %step, %one : tensor<i32>
  nn.set @step, %next : tensor<i32>
  return %y : tensor<8x16xbf16>
}

nn.global @w : tensor<64x32xf32> {kind = "param"}
nn.global @v : tensor<32x16xf32> {kind = "param"}
nn.global @u : tensor<16xf32> {kind = "param"}
nn.global @t : tensor<7xf32> {kind = "param"}

// Sums of squares of all gradients are one launch, what is computed from them is one kernel, and
// updates are one launch: none of it waits for each other param by param.
// CHECK-LABEL: func.func @clip
// CHECK-COUNT-2: anchor = "contraction"
// CHECK: nn.kernel {{.*}}anchor = "reduction", nn.launch = [[SUMS:[0-9]+]] : i64
// CHECK: nn.kernel {{.*}}anchor = "reduction", nn.launch = [[SUMS]] : i64
// CHECK: nn.kernel {{.*}}anchor = "reduction", nn.launch = [[SUMS]] : i64
// CHECK: nn.kernel {{.*}}anchor = "reduction", nn.launch = [[SUMS]] : i64
// CHECK: nn.kernel {{.*}}-> (tensor<f32>) attributes {anchor = "pointwise", nn.refused = [{{.*}}"{{.*}}: reductions that are added up run side by side"
// CHECK: nn.kernel {{.*}}anchor = "pointwise"{{.*}}nn.launch = [[LAST:[0-9]+]] : i64
// CHECK: nn.kernel {{.*}}anchor = "pointwise"{{.*}}nn.launch = [[LAST]] : i64
// CHECK: nn.kernel {{.*}}anchor = "pointwise"{{.*}}nn.launch = [[LAST]] : i64
// CHECK: nn.kernel {{.*}}anchor = "pointwise"{{.*}}nn.launch = [[LAST]] : i64
// CHECK-NOT: nn.kernel
// CHECK: nn.set
func.func @clip(%x: tensor<64x8xf32>, %y: tensor<8x32xf32>, %z: tensor<32x8xf32>, %q: tensor<8x16xf32>, %gu: tensor<16xf32>, %gt: tensor<7xf32>) attributes {nn.entry, nn.dims = []} {
  %w = nn.get @w : tensor<64x32xf32>
  %v = nn.get @v : tensor<32x16xf32>
  %u = nn.get @u : tensor<16xf32>
  %t = nn.get @t : tensor<7xf32>
  %gw = nn.matmul %x, %y : tensor<64x8xf32>, tensor<8x32xf32> -> tensor<64x32xf32>
  %gv = nn.matmul %z, %q : tensor<32x8xf32>, tensor<8x16xf32> -> tensor<32x16xf32>
  %qw = nn.mul %gw, %gw : tensor<64x32xf32>
  %sw = nn.reduce sum %qw {axes = array<i64: 0, 1>} : tensor<64x32xf32> -> tensor<f32>
  %qv = nn.mul %gv, %gv : tensor<32x16xf32>
  %sv = nn.reduce sum %qv {axes = array<i64: 0, 1>} : tensor<32x16xf32> -> tensor<f32>
  %qu = nn.mul %gu, %gu : tensor<16xf32>
  %su = nn.reduce sum %qu {axes = array<i64: 0>} : tensor<16xf32> -> tensor<f32>
  %qt = nn.mul %gt, %gt : tensor<7xf32>
  %st = nn.reduce sum %qt {axes = array<i64: 0>} : tensor<7xf32> -> tensor<f32>
  %s0 = nn.add %sw, %sv : tensor<f32>
  %s1 = nn.add %su, %st : tensor<f32>
  %s = nn.add %s0, %s1 : tensor<f32>
  %f = nn.rsqrt %s : tensor<f32>
  %fw = nn.broadcast %f {dims = array<i64>} : tensor<f32> -> tensor<64x32xf32>
  %cw = nn.mul %gw, %fw : tensor<64x32xf32>
  %w1 = nn.sub %w, %cw : tensor<64x32xf32>
  nn.set @w, %w1 : tensor<64x32xf32>
  %fv = nn.broadcast %f {dims = array<i64>} : tensor<f32> -> tensor<32x16xf32>
  %cv = nn.mul %gv, %fv : tensor<32x16xf32>
  %v1 = nn.sub %v, %cv : tensor<32x16xf32>
  nn.set @v, %v1 : tensor<32x16xf32>
  %fu = nn.broadcast %f {dims = array<i64>} : tensor<f32> -> tensor<16xf32>
  %cu = nn.mul %gu, %fu : tensor<16xf32>
  %u1 = nn.sub %u, %cu : tensor<16xf32>
  nn.set @u, %u1 : tensor<16xf32>
  %ft = nn.broadcast %f {dims = array<i64>} : tensor<f32> -> tensor<7xf32>
  %ct = nn.mul %gt, %ft : tensor<7xf32>
  %t1 = nn.sub %t, %ct : tensor<7xf32>
  nn.set @t, %t1 : tensor<7xf32>
  return
}

// What only a sum at the end reads is not kept until then: a step needs no more memory than before.
// CHECK-LABEL: func.func @keep
// CHECK: nn.kernel {{.*}}anchor = "reduction"
// CHECK-NOT: nn.launch
// CHECK: return
func.func @keep(%a: tensor<4096x64xf32>, %b: tensor<64x4096xf32>, %c: tensor<64x4096xf32>) -> (tensor<f32>, tensor<f32>) attributes {nn.entry, nn.dims = []} {
  %m = nn.matmul %a, %b : tensor<4096x64xf32>, tensor<64x4096xf32> -> tensor<4096x4096xf32>
  %s = nn.reduce sum %m {axes = array<i64: 0, 1>} : tensor<4096x4096xf32> -> tensor<f32>
  %n = nn.matmul %a, %c : tensor<4096x64xf32>, tensor<64x4096xf32> -> tensor<4096x4096xf32>
  %t = nn.reduce sum %n {axes = array<i64: 0, 1>} : tensor<4096x4096xf32> -> tensor<f32>
  return %s, %t : tensor<f32>, tensor<f32>
}
