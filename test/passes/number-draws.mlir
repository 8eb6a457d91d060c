// Every draw of an entry point, after inlining, gets a stream of its own.
// RUN: nnc-opt %s --inline --symbol-dce --nn-name-locations --nn-number-draws | FileCheck %s
// RUN: nnc-opt %s --nn-pipeline | FileCheck %s --check-prefix=MERGED

#b = affine_map<()[s0] -> (s0, 3)>
#ys = affine_map<()[s0, s1] -> (s1, s0)>
#t = affine_map<()[s0, s1] -> (s1)>
#v = affine_map<()[s0] -> (s0)>

// CHECK-DAG: nn.global @"random numbers" : tensor<2xi64> {init = {kind = "full", value = 0.000000e+00 : f64}, kind = "state"}
// CHECK-DAG: nn.global @"random stream 0" : tensor<1xi64> {init = {kind = "full", value = 0.000000e+00 : f64}, kind = "const"}
// CHECK-DAG: nn.global @"random stream 1" : tensor<1xi64> {init = {kind = "full", value = 1.000000e+00 : f64}, kind = "const"}

func.func private @noise() -> tensor<?x3xf32, #b> {
  %x = nn.draw normal : tensor<?x3xf32, #b>
  return %x : tensor<?x3xf32, #b>
}

// CHECK-LABEL: func.func @twice
// CHECK-DAG: %[[ONE:.*]] = nn.get @"random stream 1"
// CHECK-DAG: %[[ZERO:.*]] = nn.get @"random stream 0"
// CHECK-DAG: %[[STATE:.*]] = nn.get @"random numbers"
// CHECK-DAG: %[[SEED:.*]] = nn.slice %[[STATE]] start #[[AT0:.*]] step [1]
// CHECK-DAG: %[[CALL:.*]] = nn.slice %[[STATE]] start #[[AT1:.*]] step [1]
// CHECK: nn.iota {axis = -1 : i64}
// CHECK: nn.broadcast %[[SEED]]
// CHECK: nn.broadcast %[[CALL]]
// CHECK: %[[FIRST:.*]] = nn.broadcast %[[ZERO]]
// CHECK: nn.random normal %{{.*}}, %{{.*}}, %{{.*}}, %[[FIRST]] : tensor<?x3xi64
// CHECK: %[[SECOND:.*]] = nn.broadcast %[[ONE]]
// CHECK: nn.random normal %{{.*}}, %{{.*}}, %{{.*}}, %[[SECOND]] : tensor<?x3xi64
// CHECK-NOT: nn.set

// What counts elements is shared; the draws are not.
// MERGED-LABEL: func.func @twice
// MERGED: nn.iota
// MERGED-NOT: nn.iota
// MERGED: nn.random
// MERGED: nn.random
func.func @twice(%x: tensor<?x3xf32, #b> {nn.name = "x"}) -> (tensor<?x3xf32, #b> {nn.name = "y"})
    attributes {nn.entry, nn.dims = ["B"], nn.ranges = [array<i64: 1, 8>]} {
  %a = func.call @noise() : () -> tensor<?x3xf32, #b>
  %b = func.call @noise() : () -> tensor<?x3xf32, #b>
  %s = nn.sub %a, %b : tensor<?x3xf32, #b>
  %y = nn.add %x, %s : tensor<?x3xf32, #b>
  return %y : tensor<?x3xf32, #b>
}

// In a scan the counter of the elements starts at `step * B`.
// CHECK-LABEL: func.func @steps
// CHECK: nn.scan 2
// CHECK: nn.size #[[BEFORE:.*]] : tensor<i64>
// CHECK: nn.random bits

// Nothing of it leaves the loop but what has no part of the counter.
// MERGED-LABEL: func.func @steps
// MERGED: nn.scan 2
// MERGED: nn.size
// MERGED: nn.random bits
func.func @steps(%x: tensor<?x?xf32, #ys> {nn.name = "x"}) -> (tensor<?x?xi32, #ys> {nn.name = "y"})
    attributes {nn.entry, nn.dims = ["B", "T", "t"], nn.kinds = ["dim", "dim", "loop"],
                nn.ranges = [array<i64: 1, 8>, array<i64: 1, 8>, array<i64: 0, 7>]} {
  %y = nn.scan 2 length #t -> (tensor<?x?xi32, #ys>) {
    %r = nn.draw bits : tensor<?xi32, #v>
    nn.yield %r : tensor<?xi32, #v>
  }
  return %y : tensor<?x?xi32, #ys>
}
