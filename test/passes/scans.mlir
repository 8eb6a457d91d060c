// What leaves loops, and the kernels of what stays.
// RUN: nnc-opt %s --nn-hoist-invariants | FileCheck %s --check-prefix=HOIST
// RUN: nnc-opt %s --nn-hoist-invariants --nn-batch-steps --canonicalize --cse | FileCheck %s --check-prefix=BATCH
// RUN: nnc-opt %s --nn-pipeline --nn-kernel-pipeline | FileCheck %s --check-prefix=KERNELS

#t = affine_map<()[s0, s1] -> (s1)>
#x = affine_map<()[s0, s1] -> (s0, s1, 8)>
#xt = affine_map<()[s0] -> (s0, 1, 8)>
#x2 = affine_map<()[s0] -> (s0, 8)>
#h = affine_map<()[s0] -> (s0, 4)>
#ys = affine_map<()[s0, s1] -> (s1, s0, 4)>
#all = affine_map<()[s0, s1] -> (s0, s1, 4)>

nn.global @w_ih : tensor<4x8xf32> {kind = "param"}
nn.global @w_hh : tensor<4x4xf32> {kind = "param"}
nn.global @b : tensor<4xf32> {kind = "param"}

// Elman's net: the product of the inputs is one large product; what is left is one kernel a step,
// which reads its slice of that.

// HOIST-LABEL: func.func @rnn
// HOIST: nn.broadcast %{{.*}} {dims = array<i64: 1>}
// HOIST: nn.scan 2
// HOIST-NEXT: ^bb0(%[[H:.*]]: tensor
// HOIST-NEXT: nn.slice
// HOIST-NEXT: nn.reshape
// HOIST-NEXT: nn.matmul
// HOIST-NEXT: nn.add
// HOIST-NEXT: nn.matmul %[[H]]

// BATCH-LABEL: func.func @rnn
// BATCH-SAME: (%[[X:[a-z0-9]+]]: tensor<?x?x8xf32
// BATCH: %[[XW:.*]] = nn.matmul %[[X]], %{{.*}} {transpose_b} : {{.*}} -> tensor<?x?x4xf32
// BATCH: %[[BIAS:.*]] = nn.broadcast %{{.*}} : tensor<4xf32> -> tensor<?x?x4xf32
// BATCH: %[[ALLX:.*]] = nn.add %[[XW]], %[[BIAS]]
// BATCH: nn.scan 2
// BATCH-NEXT: ^bb0(%[[H:.*]]: tensor
// BATCH-NEXT: %[[ROW:.*]] = nn.slice %[[ALLX]] start #{{.*}} step [1, 1, 1]
// BATCH-NEXT: %[[XT:.*]] = nn.reshape %[[ROW]]
// BATCH-NEXT: %[[HW:.*]] = nn.matmul %[[H]], %{{.*}} {transpose_b}
// BATCH-NEXT: %[[SUM:.*]] = nn.add %[[XT]], %[[HW]]
// BATCH-NEXT: %[[Y:.*]] = nn.tanh %[[SUM]]
// BATCH-NEXT: nn.yield %[[Y]], %[[Y]]

// KERNELS-LABEL: func.func @rnn
// KERNELS: nn.kernel {{.*}} attributes {anchor = "contraction"
// KERNELS: %[[S:.*]]:2 = nn.scan 2
// KERNELS-NEXT: ^bb0(%[[H:.*]]: tensor
// KERNELS-NEXT: %[[Y:.*]] = nn.kernel "matmul"({{.*}}%[[H]]{{.*}}anchor = "contraction"
// KERNELS: math.tanh
// KERNELS: nn.yield
// KERNELS: nn.yield %[[Y]], %[[Y]]
// KERNELS-NEXT: }
// KERNELS: nn.kernel {{.*}}(%[[S]]#1
func.func @rnn(%x: tensor<?x?x8xf32, #x> {nn.name = "x"}, %h0: tensor<?x4xf32, #h> {nn.name = "h"})
    -> (tensor<?x?x4xf32, #all>, tensor<?x4xf32, #h>)
    attributes {nn.entry, nn.dims = ["B", "T", "scan.2"], nn.kinds = ["dim", "dim", "loop"],
                nn.ranges = [array<i64: 1, 8>, array<i64: 1, 16>, array<i64: 0, 15>]} {
  %w_ih = nn.get @w_ih : tensor<4x8xf32>
  %w_hh = nn.get @w_hh : tensor<4x4xf32>
  %b = nn.get @b : tensor<4xf32>
  %0:2 = nn.scan 2 length #t init(%h0 : tensor<?x4xf32, #h>)
      -> (tensor<?x4xf32, #h>, tensor<?x?x4xf32, #ys>) {
  ^bb0(%h: tensor<?x4xf32, #h>):
    %row = nn.slice %x start affine_map<()[s0, s1, s2] -> (0, s2, 0)> step [1, 1, 1]
        : tensor<?x?x8xf32, #x> -> tensor<?x1x8xf32, #xt>
    %xt = nn.reshape %row : tensor<?x1x8xf32, #xt> -> tensor<?x8xf32, #x2>
    %1 = nn.matmul %xt, %w_ih {transpose_b} : tensor<?x8xf32, #x2>, tensor<4x8xf32> -> tensor<?x4xf32, #h>
    %bias = nn.broadcast %b {dims = array<i64: 1>} : tensor<4xf32> -> tensor<?x4xf32, #h>
    %2 = nn.add %1, %bias : tensor<?x4xf32, #h>
    %3 = nn.matmul %h, %w_hh {transpose_b} : tensor<?x4xf32, #h>, tensor<4x4xf32> -> tensor<?x4xf32, #h>
    %4 = nn.add %2, %3 : tensor<?x4xf32, #h>
    %5 = nn.tanh %4 : tensor<?x4xf32, #h>
    nn.yield %5, %5 : tensor<?x4xf32, #h>, tensor<?x4xf32, #h>
  }
  %y = nn.transpose %0#1 {permutation = array<i64: 1, 0, 2>} : tensor<?x?x4xf32, #ys> -> tensor<?x?x4xf32, #all>
  return %y, %0#0 : tensor<?x?x4xf32, #all>, tensor<?x4xf32, #h>
}

nn.global @w16 : tensor<4x8xf16> {kind = "param"}

// What is computed for all steps is kept as narrow as the product gave it.

// BATCH-LABEL: func.func @narrow
// BATCH: %[[XW:.*]] = nn.matmul %{{.*}} -> tensor<?x?x4xf16
// BATCH-NOT: nn.cast
// BATCH: nn.scan 2
// BATCH: nn.slice %[[XW]]
// BATCH-NEXT: %[[XT:.*]] = nn.reshape
// BATCH-NEXT: %[[WIDE:.*]] = nn.cast %[[XT]]
// BATCH-NEXT: nn.add %[[WIDE]], %{{.*}}
func.func @narrow(%x: tensor<?x?x8xf16, #x> {nn.name = "x"}, %h0: tensor<?x4xf32, #h> {nn.name = "h"})
    -> tensor<?x4xf32, #h>
    attributes {nn.entry, nn.dims = ["B", "T", "scan.2"], nn.kinds = ["dim", "dim", "loop"],
                nn.ranges = [array<i64: 1, 8>, array<i64: 1, 16>, array<i64: 0, 15>]} {
  %w = nn.get @w16 : tensor<4x8xf16>
  %b = nn.get @b : tensor<4xf32>
  %0 = nn.scan 2 length #t init(%h0 : tensor<?x4xf32, #h>) -> (tensor<?x4xf32, #h>) {
  ^bb0(%h: tensor<?x4xf32, #h>):
    %row = nn.slice %x start affine_map<()[s0, s1, s2] -> (0, s2, 0)> step [1, 1, 1]
        : tensor<?x?x8xf16, #x> -> tensor<?x1x8xf16, #xt>
    %xt = nn.reshape %row : tensor<?x1x8xf16, #xt> -> tensor<?x8xf16, #x2>
    %1 = nn.matmul %xt, %w {transpose_b} : tensor<?x8xf16, #x2>, tensor<4x8xf16> -> tensor<?x4xf16, #h>
    %2 = nn.cast %1 : tensor<?x4xf16, #h> -> tensor<?x4xf32, #h>
    %bias = nn.broadcast %b {dims = array<i64: 1>} : tensor<4xf32> -> tensor<?x4xf32, #h>
    %3 = nn.add %2, %bias : tensor<?x4xf32, #h>
    %4 = nn.add %3, %h : tensor<?x4xf32, #h>
    nn.yield %4 : tensor<?x4xf32, #h>
  }
  return %0 : tensor<?x4xf32, #h>
}
