// Textual round trip of loops, and what canonicalization makes of them.
// RUN: nnc-opt %s | nnc-opt | FileCheck %s
// RUN: nnc-opt %s --mlir-print-op-generic | nnc-opt | FileCheck %s
// RUN: nnc-opt %s --canonicalize | FileCheck %s --check-prefix=CANON

#t = affine_map<()[s0] -> (s0)>
#t4 = affine_map<()[s0] -> (s0, 4)>

// CHECK-LABEL: @carry_and_stack
// CANON-LABEL: @carry_and_stack
func.func @carry_and_stack(%x: tensor<?x4xf32, #t4>, %h0: tensor<4xf32>)
    -> (tensor<4xf32>, tensor<?x4xf32, #t4>) {
  // CHECK: %[[R:.*]]:2 = nn.scan 1 length #{{.*}} init(%{{.*}} : tensor<4xf32>) reverse -> (tensor<4xf32>, tensor<?x4xf32, #{{.*}}>) {
  // CHECK-NEXT: ^bb0(%[[H:.*]]: tensor<4xf32>):
  // CHECK: nn.yield %{{.*}}, %{{.*}} : tensor<4xf32>, tensor<4xf32>
  // CANON: nn.scan 1 length #{{.*}} init(%{{.*}} : tensor<4xf32>) reverse ->
  %0:2 = nn.scan 1 length #t init(%h0 : tensor<4xf32>) reverse
      -> (tensor<4xf32>, tensor<?x4xf32, #t4>) {
  ^bb0(%h: tensor<4xf32>):
    %row = nn.slice %x start affine_map<()[s0, s1] -> (s1, 0)> step [1, 1]
        : tensor<?x4xf32, #t4> -> tensor<1x4xf32>
    %xt = nn.reshape %row : tensor<1x4xf32> -> tensor<4xf32>
    %sum = nn.add %h, %xt : tensor<4xf32>
    nn.yield %sum, %sum : tensor<4xf32>, tensor<4xf32>
  }
  return %0#0, %0#1 : tensor<4xf32>, tensor<?x4xf32, #t4>
}

// CHECK-LABEL: @nothing_carried
func.func @nothing_carried(%x: tensor<4xf32>) -> tensor<?x4xf32, #t4> {
  // CHECK: nn.scan 1 length #{{.*}} -> (tensor<?x4xf32, #{{.*}}>) {
  // CHECK-NEXT: nn.exp
  %0 = nn.scan 1 length #t -> (tensor<?x4xf32, #t4>) {
    %y = nn.exp %x : tensor<4xf32>
    nn.yield %y : tensor<4xf32>
  }
  return %0 : tensor<?x4xf32, #t4>
}

// A value that no step changes and one that nobody reads are not carried.
// CANON-LABEL: @needless
// CANON-SAME: (%[[A:.*]]: tensor<4xf32>, %[[B:.*]]: tensor<4xf32>)
func.func @needless(%a: tensor<4xf32>, %b: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  // CANON: %[[R:.*]] = nn.scan 1 length #{{.*}} init(%[[B]] : tensor<4xf32>) -> (tensor<4xf32>) {
  // CANON-NEXT: ^bb0(%[[H:.*]]: tensor<4xf32>):
  // CANON-NEXT: %[[Y:.*]] = nn.add %[[H]], %[[A]]
  // CANON-NEXT: nn.yield %[[Y]] : tensor<4xf32>
  // CANON: return %[[A]], %[[R]]
  %0:4 = nn.scan 1 length #t init(%a, %b, %b : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>)
      -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?x4xf32, #t4>) {
  ^bb0(%same: tensor<4xf32>, %h: tensor<4xf32>, %unread: tensor<4xf32>):
    %y = nn.add %h, %same : tensor<4xf32>
    %z = nn.exp %h : tensor<4xf32>
    nn.yield %same, %y, %z, %z : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  }
  return %0#0, %0#1 : tensor<4xf32>, tensor<4xf32>
}

// One step is no loop; the counter is 0 in it.
// CANON-LABEL: @one_step
// CANON-SAME: (%[[X:.*]]: tensor<1x4xf32>, %[[H:.*]]: tensor<4xf32>)
func.func @one_step(%x: tensor<1x4xf32>, %h0: tensor<4xf32>) -> (tensor<4xf32>, tensor<1x4xf32>) {
  // CANON-NOT: nn.scan
  // CANON: %[[XT:.*]] = nn.reshape %[[X]] : tensor<1x4xf32> -> tensor<4xf32>
  // CANON: %[[SUM:.*]] = nn.add %[[H]], %[[XT]]
  // CANON: %[[ALL:.*]] = nn.reshape %[[SUM]] : tensor<4xf32> -> tensor<1x4xf32>
  // CANON: return %[[SUM]], %[[ALL]]
  %0:2 = nn.scan 0 length affine_map<() -> (1)> init(%h0 : tensor<4xf32>)
      -> (tensor<4xf32>, tensor<1x4xf32>) {
  ^bb0(%h: tensor<4xf32>):
    %row = nn.slice %x start affine_map<()[s0] -> (s0, 0)> step [1, 1]
        : tensor<1x4xf32> -> tensor<1x4xf32>
    %xt = nn.reshape %row : tensor<1x4xf32> -> tensor<4xf32>
    %sum = nn.add %h, %xt : tensor<4xf32>
    nn.yield %sum, %sum : tensor<4xf32>, tensor<4xf32>
  }
  return %0#0, %0#1 : tensor<4xf32>, tensor<1x4xf32>
}

// CANON-LABEL: @no_step
// CANON-SAME: (%[[H:.*]]: tensor<4xf32>)
func.func @no_step(%h0: tensor<4xf32>) -> (tensor<4xf32>, tensor<0x4xf32>) {
  // CANON: %[[NONE:.*]] = nn.full 0.000000e+00 : f32 -> tensor<0x4xf32>
  // CANON: return %[[H]], %[[NONE]]
  %0:2 = nn.scan 0 length affine_map<() -> (0)> init(%h0 : tensor<4xf32>)
      -> (tensor<4xf32>, tensor<0x4xf32>) {
  ^bb0(%h: tensor<4xf32>):
    %y = nn.exp %h : tensor<4xf32>
    nn.yield %y, %y : tensor<4xf32>, tensor<4xf32>
  }
  return %0#0, %0#1 : tensor<4xf32>, tensor<0x4xf32>
}
