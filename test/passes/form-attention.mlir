// RUN: nnc-opt %s --nn-form-kernels=target=cpu | FileCheck %s
// RUN: nnc-opt %s --nn-kernel-pipeline=target=cuda | FileCheck %s --check-prefix=WHOLE

#x = affine_map<()[s0, s1] -> (s0, s1, 12, 8)>
#h = affine_map<()[s0, s1] -> (s0, s1, 4, 8)>
#q = affine_map<()[s0, s1] -> (s0, 4, s1, 8)>
#f = affine_map<()[s0, s1] -> (s0, s1, 32)>
#m = affine_map<()[s0, s1] -> (s0, s1)>
#s = affine_map<()[s0, s1] -> (s0, 4, s1, s1)>
!x = tensor<?x?x12x8xf32, #x>
!h = tensor<?x?x4x8xf32, #h>
!q = tensor<?x4x?x8xf32, #q>
!f = tensor<?x?x32xf32, #f>
!m = tensor<?x?xi1, #m>
!s = tensor<?x4x?x?xi1, #s>

// The thirds of a projection, cut into heads; the mask; and the heads joined again: nothing of it
// is moved in memory.
// CHECK-LABEL: func.func @self_attention
// CHECK-SAME: (%[[X:.*]]: tensor<{{.*}}>, %[[M:.*]]: tensor<{{.*}}>)
// CHECK-NEXT: %[[R:.*]] = nn.kernel "attend"(%[[X]], %[[M]] : {{.*}}) attributes {anchor = "attention"}
// CHECK-NEXT: ^bb0(%[[A:.*]]: tensor<{{.*}}>, %[[B:.*]]: tensor<{{.*}}>):
// CHECK: nn.slice %[[A]]
// CHECK: nn.transpose
// CHECK: %[[MASK:.*]] = nn.broadcast %[[B]]
// CHECK: %[[Y:.*]] = nn.attention {{.*}} mask %[[MASK]]
// CHECK: %[[T:.*]] = nn.transpose %[[Y]]
// CHECK-NEXT: nn.yield %[[T]]
// CHECK: %[[F:.*]] = nn.reshape %[[R]]
// CHECK-NEXT: return %[[F]]
// WHOLE-LABEL: func.func @self_attention
// WHOLE: nn.attention
func.func @self_attention(%x: !x, %m: !m) -> !f attributes {nn.entry, nn.dims = ["B", "T"]} {
  %q0 = nn.slice %x start affine_map<()[s0, s1] -> (0, 0, 0, 0)> step [1, 1, 1, 1] : !x -> !h
  %k0 = nn.slice %x start affine_map<()[s0, s1] -> (0, 0, 4, 0)> step [1, 1, 1, 1] : !x -> !h
  %v0 = nn.slice %x start affine_map<()[s0, s1] -> (0, 0, 8, 0)> step [1, 1, 1, 1] : !x -> !h
  %q = nn.transpose %q0 {permutation = array<i64: 0, 2, 1, 3>} : !h -> !q
  %k = nn.transpose %k0 {permutation = array<i64: 0, 2, 1, 3>} : !h -> !q
  %v = nn.transpose %v0 {permutation = array<i64: 0, 2, 1, 3>} : !h -> !q
  %b = nn.broadcast %m {dims = array<i64: 0, 3>} : !m -> !s
  %a = nn.attention %q, %k, %v mask %b : (!q, !q, !q, !s) -> !q loc("attend")
  %t = nn.transpose %a {permutation = array<i64: 0, 2, 1, 3>} : !q -> !h
  %f = nn.reshape %t : !h -> !f
  return %f : !f
}

// What is computed is stored first: a mask by its own shape, not by that of the scores.
// CHECK-LABEL: func.func @computed
// CHECK: %[[Q:.*]] = nn.kernel "exp"
// CHECK: nn.exp
// CHECK: %[[N:.*]] = nn.kernel "not"{{.*}} -> (tensor<?x?xi1
// CHECK: nn.not
// CHECK: nn.kernel "attention{{.*}}"(%[[Q]], %{{.*}}, %[[N]] :
// CHECK: nn.broadcast
// CHECK: nn.attention
// CHECK: nn.kernel "neg"
func.func @computed(%x: !q, %m: !m) -> !q attributes {nn.entry, nn.dims = ["B", "T"]} {
  %q = nn.exp %x : !q
  %n = nn.not %m : !m
  %b = nn.broadcast %n {dims = array<i64: 0, 3>} : !m -> !s
  %a = nn.attention %q, %x, %x mask %b : (!q, !q, !q, !s) -> !q
  %y = nn.neg %a : !q
  return %y : !q
}

// Views that give no strides, or move the places within a head, are stored.
// CHECK-LABEL: func.func @other_views
// CHECK: %[[P:.*]] = nn.kernel "pad"
// CHECK: nn.pad
// CHECK: %[[T:.*]] = nn.kernel "transpose"
// CHECK: nn.transpose
// CHECK: nn.kernel "attention{{.*}}"(%[[P]], %[[T]], %{{.*}} :
// CHECK-NEXT: ^bb0
// CHECK-NEXT: nn.attention
func.func @other_views(%x: tensor<1x4x8x7xf32>, %y: tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32> attributes {nn.entry, nn.dims = []} {
  %p = nn.pad %x {low = array<i64: 0, 0, 0, 0>, high = array<i64: 0, 0, 0, 1>, value = 0.0 : f32} : tensor<1x4x8x7xf32> -> tensor<1x4x8x8xf32>
  %t = nn.transpose %y {permutation = array<i64: 0, 1, 3, 2>} : tensor<1x4x8x8xf32> -> tensor<1x4x8x8xf32>
  %a = nn.attention %p, %t, %y : (tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  return %a : tensor<1x4x8x8xf32>
}

// One of three stacked projections: what drops its axis renames memory, the rest gives strides.
// CHECK-LABEL: func.func @stacked
// CHECK: %[[PART:.*]] = nn.kernel "slice
// CHECK: %[[Q:.*]] = nn.reshape %[[PART]]
// CHECK: nn.kernel "attention{{.*}}"(%[[Q]] :
// CHECK-NEXT: ^bb0
// CHECK-NEXT: nn.transpose
// CHECK-NEXT: nn.attention
func.func @stacked(%x: tensor<2x3x5x4x8xf32>) -> tensor<2x4x5x8xf32> attributes {nn.entry, nn.dims = []} {
  %s = nn.slice %x start affine_map<() -> (0, 1, 0, 0, 0)> step [1, 1, 1, 1, 1] : tensor<2x3x5x4x8xf32> -> tensor<2x1x5x4x8xf32>
  %r = nn.reshape %s : tensor<2x1x5x4x8xf32> -> tensor<2x5x4x8xf32>
  %q = nn.transpose %r {permutation = array<i64: 0, 2, 1, 3>} : tensor<2x5x4x8xf32> -> tensor<2x4x5x8xf32>
  %a = nn.attention %q, %q, %q : (tensor<2x4x5x8xf32>, tensor<2x4x5x8xf32>, tensor<2x4x5x8xf32>) -> tensor<2x4x5x8xf32>
  return %a : tensor<2x4x5x8xf32>
}

// What training makes of attention over the thirds of a projection: the result is written once, as
// the heads joined again, and read back from there; gradients leave as they are read next.
// CHECK-LABEL: func.func @gradients
// CHECK-SAME: (%[[X:.*]]: tensor<{{.*}}>, %[[G:.*]]: tensor<{{.*}}>)
// CHECK-NEXT: %[[R:.*]]:2 = nn.kernel "attend{{.*}}"(%[[X]] : {{.*}}) -> (tensor<2x4x5xf32>, tensor<2x5x4x8xf32>) attributes {anchor = "attention"}
// CHECK: %[[Y:.*]], %[[L:.*]] = nn.attention
// CHECK-NEXT: %[[T:.*]] = nn.transpose %[[Y]]
// CHECK-NEXT: nn.yield %[[L]], %[[T]]
// CHECK: %[[D:.*]] = nn.kernel "reduce{{.*}}"(%[[G]], %[[R]]#1 :
// CHECK: %[[K:.*]]:3 = nn.kernel "attention_grad{{.*}}"(%[[X]], %[[G]], %[[R]]#0, %[[D]] : {{.*}}) -> (tensor<2x5x4x8xf32>, tensor<2x5x4x8xf32>, tensor<2x5x4x8xf32>) attributes {anchor = "attention_grad"{{.*}}}
// CHECK: nn.slice
// CHECK: %{{.*}}, %{{.*}}, %{{.*}} = nn.attention_grad
// CHECK-COUNT-3: nn.transpose
// CHECK-NEXT: nn.yield
// CHECK: return %[[R]]#1, %[[K]]#0, %[[K]]#1, %[[K]]#2
// WHOLE-LABEL: func.func @gradients
// WHOLE: nn.attention_grad
!h5 = tensor<2x5x4x8xf32>
!q5 = tensor<2x4x5x8xf32>
!l5 = tensor<2x4x5xf32>
func.func @gradients(%x: tensor<2x5x12x8xf32>, %g: !h5) -> (!h5, !h5, !h5, !h5) attributes {nn.entry, nn.dims = []} {
  %q0 = nn.slice %x start affine_map<() -> (0, 0, 0, 0)> step [1, 1, 1, 1] : tensor<2x5x12x8xf32> -> !h5
  %k0 = nn.slice %x start affine_map<() -> (0, 0, 4, 0)> step [1, 1, 1, 1] : tensor<2x5x12x8xf32> -> !h5
  %v0 = nn.slice %x start affine_map<() -> (0, 0, 8, 0)> step [1, 1, 1, 1] : tensor<2x5x12x8xf32> -> !h5
  %q = nn.transpose %q0 {permutation = array<i64: 0, 2, 1, 3>} : !h5 -> !q5
  %k = nn.transpose %k0 {permutation = array<i64: 0, 2, 1, 3>} : !h5 -> !q5
  %v = nn.transpose %v0 {permutation = array<i64: 0, 2, 1, 3>} : !h5 -> !q5
  %a, %l = nn.attention %q, %k, %v {causal} : (!q5, !q5, !q5) -> (!q5, !l5) loc("attend")
  %t = nn.transpose %a {permutation = array<i64: 0, 2, 1, 3>} : !q5 -> !h5
  %gt = nn.transpose %g {permutation = array<i64: 0, 2, 1, 3>} : !h5 -> !q5
  %m = nn.mul %gt, %a : !q5
  %d = nn.reduce sum %m {axes = array<i64: 3>} : !q5 -> !l5
  %dq, %dk, %dv = nn.attention_grad %q, %k, %v, %gt, %l, %d {causal} : (!q5, !q5, !q5, !q5, !l5, !l5) -> (!q5, !q5, !q5)
  %tq = nn.transpose %dq {permutation = array<i64: 0, 2, 1, 3>} : !q5 -> !h5
  %tk = nn.transpose %dk {permutation = array<i64: 0, 2, 1, 3>} : !q5 -> !h5
  %tv = nn.transpose %dv {permutation = array<i64: 0, 2, 1, 3>} : !q5 -> !h5
  return %t, %tq, %tk, %tv : !h5, !h5, !h5, !h5
}

// The gradient of that tensor as a whole: the kernel writes all its parts.
// CHECK-LABEL: func.func @joined_gradients
// CHECK-NEXT: %[[K:.*]] = nn.kernel "attention_grad{{.*}}"({{.*}}) -> (tensor<2x5x12x8xf32>) attributes {anchor = "attention_grad"}
// CHECK: %[[Q:.*]], %[[KEY:.*]], %[[V:.*]] = nn.attention_grad
// CHECK: %[[TQ:.*]] = nn.transpose %[[Q]]
// CHECK: %[[TK:.*]] = nn.transpose %[[KEY]]
// CHECK: %[[TV:.*]] = nn.transpose %[[V]]
// CHECK: %[[ALL:.*]] = nn.concat %[[TQ]], %[[TK]], %[[TV]] {axis = 2 : i64}
// CHECK-NEXT: nn.yield %[[ALL]]
// CHECK: return %[[K]]
func.func @joined_gradients(%x: !q5, %l: !l5) -> tensor<2x5x12x8xf32> attributes {nn.entry, nn.dims = []} {
  %dq, %dk, %dv = nn.attention_grad %x, %x, %x, %x, %l, %l {causal} : (!q5, !q5, !q5, !q5, !l5, !l5) -> (!q5, !q5, !q5)
  %tq = nn.transpose %dq {permutation = array<i64: 0, 2, 1, 3>} : !q5 -> !h5
  %tk = nn.transpose %dk {permutation = array<i64: 0, 2, 1, 3>} : !q5 -> !h5
  %tv = nn.transpose %dv {permutation = array<i64: 0, 2, 1, 3>} : !q5 -> !h5
  %pq = nn.pad %tq {low = array<i64: 0, 0, 0, 0>, high = array<i64: 0, 0, 8, 0>, value = 0.0 : f32} : !h5 -> tensor<2x5x12x8xf32>
  %pk = nn.pad %tk {low = array<i64: 0, 0, 4, 0>, high = array<i64: 0, 0, 4, 0>, value = 0.0 : f32} : !h5 -> tensor<2x5x12x8xf32>
  %pv = nn.pad %tv {low = array<i64: 0, 0, 8, 0>, high = array<i64: 0, 0, 0, 0>, value = 0.0 : f32} : !h5 -> tensor<2x5x12x8xf32>
  %s = nn.add %pv, %pk : tensor<2x5x12x8xf32>
  %r = nn.add %s, %pq : tensor<2x5x12x8xf32>
  return %r : tensor<2x5x12x8xf32>
}

// What leaves a place free, or is read by others too, is put together apart.
// CHECK-LABEL: func.func @parted_gradients
// CHECK-NEXT: nn.kernel "attention_grad{{.*}} -> (tensor<2x5x4x8xf32>, tensor<2x5x4x8xf32>) attributes
// CHECK: nn.kernel "add
func.func @parted_gradients(%x: !q5, %l: !l5) -> tensor<2x5x12x8xf32> attributes {nn.entry, nn.dims = []} {
  %dq, %dk, %dv = nn.attention_grad %x, %x, %x, %x, %l, %l {causal} : (!q5, !q5, !q5, !q5, !l5, !l5) -> (!q5, !q5, !q5)
  %tq = nn.transpose %dq {permutation = array<i64: 0, 2, 1, 3>} : !q5 -> !h5
  %tk = nn.transpose %dk {permutation = array<i64: 0, 2, 1, 3>} : !q5 -> !h5
  %pq = nn.pad %tq {low = array<i64: 0, 0, 0, 0>, high = array<i64: 0, 0, 8, 0>, value = 0.0 : f32} : !h5 -> tensor<2x5x12x8xf32>
  %pk = nn.pad %tk {low = array<i64: 0, 0, 8, 0>, high = array<i64: 0, 0, 0, 0>, value = 0.0 : f32} : !h5 -> tensor<2x5x12x8xf32>
  %r = nn.add %pq, %pk : tensor<2x5x12x8xf32>
  return %r : tensor<2x5x12x8xf32>
}
