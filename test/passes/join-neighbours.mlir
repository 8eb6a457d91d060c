// RUN: nnc-opt %s --nn-join-neighbours | FileCheck %s

nn.global @keys : tensor<1x32x8xf32> {kind = "state"}
nn.global @values : tensor<1x32x8xf32> {kind = "state"}

// Two caches get their rows in one launch, with what stands between them only because it is another
// name. What reads a result waits.
// CHECK-LABEL: func.func @decode
// CHECK: %[[NAME:.*]] = nn.reshape
// CHECK: nn.kernel "keys"{{.*}}nn.launch = [[LAUNCH:[0-9]+]] : i64
// CHECK: nn.kernel "values"(%{{.*}}, %[[NAME]] {{.*}}nn.launch = [[LAUNCH]] : i64
// CHECK: nn.kernel "reader"
// CHECK-NOT: nn.launch
// CHECK: return
func.func @decode(%k: tensor<1x1x8xf32>, %v: tensor<8xf32>) -> tensor<1x32x8xf32>
    attributes {nn.entry, nn.dims = []} {
  %0 = nn.get @keys : tensor<1x32x8xf32>
  %1 = nn.get @values : tensor<1x32x8xf32>
  %2 = nn.kernel "keys" (%0, %k : tensor<1x32x8xf32>, tensor<1x1x8xf32>) -> (tensor<1x32x8xf32>)
      attributes {anchor = "pointwise", start = affine_map<() -> (0, 3, 0)>, step = array<i64: 1, 1, 1>} {
  ^bb0(%a: tensor<1x32x8xf32>, %b: tensor<1x1x8xf32>):
    nn.yield %b : tensor<1x1x8xf32>
  }
  %3 = nn.reshape %v : tensor<8xf32> -> tensor<1x1x8xf32>
  %4 = nn.kernel "values" (%1, %3 : tensor<1x32x8xf32>, tensor<1x1x8xf32>) -> (tensor<1x32x8xf32>)
      attributes {anchor = "pointwise", start = affine_map<() -> (0, 3, 0)>, step = array<i64: 1, 1, 1>} {
  ^bb0(%a: tensor<1x32x8xf32>, %b: tensor<1x1x8xf32>):
    nn.yield %b : tensor<1x1x8xf32>
  }
  %5 = nn.kernel "reader" (%2, %4 : tensor<1x32x8xf32>, tensor<1x32x8xf32>) -> (tensor<1x32x8xf32>)
      attributes {anchor = "pointwise"} {
  ^bb0(%a: tensor<1x32x8xf32>, %b: tensor<1x32x8xf32>):
    nn.yield %b : tensor<1x32x8xf32>
  }
  nn.set @keys, %2 : tensor<1x32x8xf32>
  nn.set @values, %4 : tensor<1x32x8xf32>
  return %5 : tensor<1x32x8xf32>
}

// Who reads what a state was has done so before another kernel writes over it.
// CHECK-LABEL: func.func @over
// CHECK-NOT: nn.launch
// CHECK: return
func.func @over(%k: tensor<1x1x8xf32>) -> tensor<1x1x8xf32> attributes {nn.entry, nn.dims = []} {
  %0 = nn.get @keys : tensor<1x32x8xf32>
  %1 = nn.kernel "old" (%0 : tensor<1x32x8xf32>) -> (tensor<1x1x8xf32>) attributes {anchor = "pointwise"} {
  ^bb0(%a: tensor<1x32x8xf32>):
    %s = tensor.extract_slice %a[0, 3, 0] [1, 1, 8] [1, 1, 1] : tensor<1x32x8xf32> to tensor<1x1x8xf32>
    nn.yield %s : tensor<1x1x8xf32>
  }
  %2 = nn.kernel "keys" (%0, %k : tensor<1x32x8xf32>, tensor<1x1x8xf32>) -> (tensor<1x32x8xf32>)
      attributes {anchor = "pointwise", start = affine_map<() -> (0, 3, 0)>, step = array<i64: 1, 1, 1>} {
  ^bb0(%a: tensor<1x32x8xf32>, %b: tensor<1x1x8xf32>):
    nn.yield %b : tensor<1x1x8xf32>
  }
  nn.set @keys, %2 : tensor<1x32x8xf32>
  return %1 : tensor<1x1x8xf32>
}
