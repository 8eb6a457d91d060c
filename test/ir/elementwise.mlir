// Textual round trip of elementwise operations.
// RUN: nnc-opt %s | nnc-opt | FileCheck %s
// RUN: nnc-opt %s --mlir-print-op-generic | nnc-opt | FileCheck %s

// CHECK: #[[MAP:.*]] = affine_map<()[s0] -> (s0, 8)>
#map = affine_map<()[s0] -> (s0, 8)>
!t = tensor<?x8xf32, #map>

// CHECK-LABEL: @unary
func.func @unary(%x: !t, %m: tensor<4xi1>) {
  // CHECK: nn.neg %{{.*}} : tensor<?x8xf32, #[[MAP]]>
  %0 = nn.neg %x : !t
  // CHECK: nn.abs %{{.*}} : tensor<?x8xf32, #[[MAP]]>
  %1 = nn.abs %x : !t
  // CHECK: nn.exp %{{.*}} : tensor<?x8xf32, #[[MAP]]>
  %2 = nn.exp %x : !t
  // CHECK: nn.log %{{.*}} : tensor<?x8xf32, #[[MAP]]>
  %3 = nn.log %x : !t
  // CHECK: nn.sqrt %{{.*}} : tensor<?x8xf32, #[[MAP]]>
  %4 = nn.sqrt %x : !t
  // CHECK: nn.rsqrt %{{.*}} : tensor<?x8xf32, #[[MAP]]>
  %5 = nn.rsqrt %x : !t
  // CHECK: nn.sin %{{.*}} : tensor<?x8xf32, #[[MAP]]>
  %6 = nn.sin %x : !t
  // CHECK: nn.cos %{{.*}} : tensor<?x8xf32, #[[MAP]]>
  %7 = nn.cos %x : !t
  // CHECK: nn.tanh %{{.*}} : tensor<?x8xf32, #[[MAP]]>
  %8 = nn.tanh %x : !t
  // CHECK: nn.erf %{{.*}} : tensor<?x8xf32, #[[MAP]]>
  %9 = nn.erf %x : !t
  // CHECK: nn.floor %{{.*}} : tensor<?x8xf32, #[[MAP]]>
  %10 = nn.floor %x : !t
  // CHECK: nn.round %{{.*}} : tensor<?x8xf32, #[[MAP]]>
  %11 = nn.round %x : !t
  // CHECK: nn.not %{{.*}} : tensor<4xi1>
  %12 = nn.not %m : tensor<4xi1>
  // CHECK: nn.atan %{{.*}} : tensor<?x8xf32, #[[MAP]]>
  %13 = nn.atan %x : !t
  return
}

// CHECK-LABEL: @binary
func.func @binary(%x: !t, %y: !t, %m: tensor<4xi1>, %i: tensor<4xi32>) {
  // CHECK: nn.add %{{.*}}, %{{.*}} : tensor<?x8xf32, #[[MAP]]>
  %0 = nn.add %x, %y : !t
  // CHECK: nn.sub %{{.*}}, %{{.*}} : tensor<?x8xf32, #[[MAP]]>
  %1 = nn.sub %x, %y : !t
  // CHECK: nn.mul %{{.*}}, %{{.*}} : tensor<?x8xf32, #[[MAP]]>
  %2 = nn.mul %x, %y : !t
  // CHECK: nn.div %{{.*}}, %{{.*}} : tensor<?x8xf32, #[[MAP]]>
  %3 = nn.div %x, %y : !t
  // CHECK: nn.floordiv %{{.*}}, %{{.*}} : tensor<4xi32>
  %4 = nn.floordiv %i, %i : tensor<4xi32>
  // CHECK: nn.mod %{{.*}}, %{{.*}} : tensor<4xi32>
  %5 = nn.mod %i, %i : tensor<4xi32>
  // CHECK: nn.pow %{{.*}}, %{{.*}} : tensor<?x8xf32, #[[MAP]]>
  %6 = nn.pow %x, %y : !t
  // CHECK: nn.max %{{.*}}, %{{.*}} : tensor<?x8xf32, #[[MAP]]>
  %7 = nn.max %x, %y : !t
  // CHECK: nn.min %{{.*}}, %{{.*}} : tensor<?x8xf32, #[[MAP]]>
  %8 = nn.min %x, %y : !t
  // CHECK: nn.and %{{.*}}, %{{.*}} : tensor<4xi1>
  %9 = nn.and %m, %m : tensor<4xi1>
  // CHECK: nn.or %{{.*}}, %{{.*}} : tensor<4xi1>
  %10 = nn.or %m, %m : tensor<4xi1>
  return
}

// CHECK-LABEL: @others
func.func @others(%x: !t, %y: !t) {
  // CHECK: %[[M:.*]] = nn.cmp eq %{{.*}}, %{{.*}} : tensor<?x8xf32, #[[MAP]]>
  %0 = nn.cmp eq %x, %y : !t
  // CHECK: nn.cmp ne
  %1 = nn.cmp ne %x, %y : !t
  // CHECK: nn.cmp lt
  %2 = nn.cmp lt %x, %y : !t
  // CHECK: nn.cmp le
  %3 = nn.cmp le %x, %y : !t
  // CHECK: nn.cmp gt
  %4 = nn.cmp gt %x, %y : !t
  // CHECK: nn.cmp ge
  %5 = nn.cmp ge %x, %y : !t
  // CHECK: nn.select %[[M]], %{{.*}}, %{{.*}} : tensor<?x8xf32, #[[MAP]]>
  %6 = nn.select %0, %x, %y : !t
  // CHECK: nn.cast %{{.*}} : tensor<?x8xf32, #[[MAP]]> -> tensor<?x8xbf16, #[[MAP]]>
  %7 = nn.cast %x : !t -> tensor<?x8xbf16, #map>
  return
}

// CHECK-LABEL: @random
func.func @random(%i: tensor<4xi64>) {
  // CHECK: nn.random bits %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} : tensor<4xi64> -> tensor<4xi32>
  %0 = nn.random bits %i, %i, %i, %i : tensor<4xi64> -> tensor<4xi32>
  // CHECK: nn.random normal %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} : tensor<4xi64> -> tensor<4xf32>
  %1 = nn.random normal %i, %i, %i, %i : tensor<4xi64> -> tensor<4xf32>
  // CHECK: nn.draw bits : tensor<?x8xi32, #[[MAP]]>
  %2 = nn.draw bits : tensor<?x8xi32, #map>
  return
}
