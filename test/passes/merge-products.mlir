// RUN: nnc-opt %s --nn-merge-products --canonicalize --cse | FileCheck %s

#x = affine_map<()[s0] -> (s0, 16)>
#k = affine_map<()[s0] -> (s0, 8)>
#q = affine_map<()[s0] -> (s0, 4, 4)>
#h = affine_map<()[s0] -> (s0, 2, 4)>
#xt = affine_map<()[s0] -> (1, s0, 16)>
#kt = affine_map<()[s0] -> (1, s0, 8)>
#qt = affine_map<()[s0] -> (1, s0, 4, 4)>
#ht = affine_map<()[s0] -> (1, s0, 2, 4)>
#x1 = affine_map<()[s0] -> (s0, 1, 16)>
#k1 = affine_map<()[s0] -> (s0, 1, 8)>
#q1 = affine_map<()[s0] -> (s0, 4, 1, 4)>
#h1 = affine_map<()[s0] -> (s0, 2, 1, 4)>

nn.global @wq : tensor<16x16xbf16> {kind = "param"}
nn.global @wk : tensor<8x16xbf16> {kind = "param"}
nn.global @wv : tensor<8x16xbf16> {kind = "param"}
nn.global @bq : tensor<16xbf16> {kind = "param"}
nn.global @bk : tensor<8xbf16> {kind = "param"}

// CHECK-DAG: #[[S0:.*]] = affine_map<() -> (0, 0, 0)>
// CHECK-DAG: #[[S4:.*]] = affine_map<() -> (0, 4, 0)>
// CHECK-DAG: #[[S6:.*]] = affine_map<() -> (0, 6, 0)>

// Four heads of queries, two of keys, two of values.
// CHECK-LABEL: func.func @heads
// CHECK-SAME: (%[[X:.*]]: tensor
// CHECK: %[[W:.*]] = nn.concat %{{.*}}, %{{.*}}, %{{.*}} {axis = 0
// CHECK: %[[Y:.*]] = nn.matmul %[[X]], %[[W]] {transpose_b}
// CHECK: %[[A:.*]] = nn.reshape %[[Y]] : {{.*}} -> tensor<?x8x4xbf16
// CHECK-DAG: %[[Q:.*]] = nn.slice %[[A]] start #[[S0]] step [1, 1, 1] : {{.*}} -> tensor<?x4x4xbf16
// CHECK-DAG: %[[K:.*]] = nn.slice %[[A]] start #[[S4]]
// CHECK-DAG: %[[V:.*]] = nn.slice %[[A]] start #[[S6]]
// CHECK: return %[[Q]], %[[K]], %[[V]] :
func.func @heads(%x: tensor<?x16xbf16, #x>) -> (tensor<?x4x4xbf16, #q>, tensor<?x2x4xbf16, #h>, tensor<?x2x4xbf16, #h>) attributes {nn.entry, nn.dims = ["T"]} {
  %wq = nn.get @wq : tensor<16x16xbf16>
  %0 = nn.matmul %x, %wq {transpose_b} : tensor<?x16xbf16, #x>, tensor<16x16xbf16> -> tensor<?x16xbf16, #x>
  %1 = nn.reshape %0 : tensor<?x16xbf16, #x> -> tensor<?x4x4xbf16, #q>
  %wk = nn.get @wk : tensor<8x16xbf16>
  %2 = nn.matmul %x, %wk {transpose_b} : tensor<?x16xbf16, #x>, tensor<8x16xbf16> -> tensor<?x8xbf16, #k>
  %3 = nn.reshape %2 : tensor<?x8xbf16, #k> -> tensor<?x2x4xbf16, #h>
  %wv = nn.get @wv : tensor<8x16xbf16>
  %4 = nn.matmul %x, %wv {transpose_b} : tensor<?x16xbf16, #x>, tensor<8x16xbf16> -> tensor<?x8xbf16, #k>
  %5 = nn.reshape %4 : tensor<?x8xbf16, #k> -> tensor<?x2x4xbf16, #h>
  return %1, %3, %5 : tensor<?x4x4xbf16, #q>, tensor<?x2x4xbf16, #h>, tensor<?x2x4xbf16, #h>
}

// Biases are joined too; a product without one stays by itself.
// CHECK-LABEL: func.func @biases
// CHECK: %[[W:.*]] = nn.concat %{{.*}}, %{{.*}} {axis = 0 : i64} : tensor<16x16xbf16>, tensor<8x16xbf16>
// CHECK: %[[Y:.*]] = nn.matmul %{{.*}}, %[[W]]
// CHECK: %[[B:.*]] = nn.concat %{{.*}}, %{{.*}} {axis = 0 : i64} : tensor<16xbf16>, tensor<8xbf16>
// CHECK: %[[R:.*]] = nn.broadcast %[[B]] {dims = array<i64: 1>}
// CHECK: %[[S:.*]] = nn.add %[[Y]], %[[R]]
// CHECK: nn.reshape %[[S]] : {{.*}} -> tensor<?x6x4xbf16
// CHECK: nn.matmul
func.func @biases(%x: tensor<?x16xbf16, #x>) -> (tensor<?x4x4xbf16, #q>, tensor<?x2x4xbf16, #h>, tensor<?x2x4xbf16, #h>) attributes {nn.entry, nn.dims = ["T"]} {
  %wq = nn.get @wq : tensor<16x16xbf16>
  %0 = nn.matmul %x, %wq {transpose_b} : tensor<?x16xbf16, #x>, tensor<16x16xbf16> -> tensor<?x16xbf16, #x>
  %bq = nn.get @bq : tensor<16xbf16>
  %1 = nn.broadcast %bq {dims = array<i64: 1>} : tensor<16xbf16> -> tensor<?x16xbf16, #x>
  %2 = nn.add %0, %1 : tensor<?x16xbf16, #x>
  %3 = nn.reshape %2 : tensor<?x16xbf16, #x> -> tensor<?x4x4xbf16, #q>
  %wk = nn.get @wk : tensor<8x16xbf16>
  %4 = nn.matmul %x, %wk {transpose_b} : tensor<?x16xbf16, #x>, tensor<8x16xbf16> -> tensor<?x8xbf16, #k>
  %bk = nn.get @bk : tensor<8xbf16>
  %5 = nn.broadcast %bk {dims = array<i64: 1>} : tensor<8xbf16> -> tensor<?x8xbf16, #k>
  %6 = nn.add %4, %5 : tensor<?x8xbf16, #k>
  %7 = nn.reshape %6 : tensor<?x8xbf16, #k> -> tensor<?x2x4xbf16, #h>
  %wv = nn.get @wv : tensor<8x16xbf16>
  %8 = nn.matmul %x, %wv {transpose_b} : tensor<?x16xbf16, #x>, tensor<8x16xbf16> -> tensor<?x8xbf16, #k>
  %9 = nn.reshape %8 : tensor<?x8xbf16, #k> -> tensor<?x2x4xbf16, #h>
  return %3, %7, %9 : tensor<?x4x4xbf16, #q>, tensor<?x2x4xbf16, #h>, tensor<?x2x4xbf16, #h>
}

// One row, as in decoding: axes of size 1 stand between the heads and the rest.
// CHECK-LABEL: func.func @row
// CHECK: %[[Y:.*]] = nn.matmul %{{.*}}, %{{.*}} {transpose_b} : tensor<1x1x16xbf16>, tensor<24x16xbf16> -> tensor<1x1x24xbf16>
// CHECK: %[[A:.*]] = nn.reshape %[[Y]] : tensor<1x1x24xbf16> -> tensor<6x4xbf16>
// CHECK: %[[S:.*]] = nn.slice %[[A]] {{.*}} -> tensor<4x4xbf16>
// CHECK: %[[Q:.*]] = nn.reshape %[[S]] {{.*}} -> tensor<1x4x1x4xbf16>
// CHECK: %[[B:.*]] = nn.reshape %[[Y]] : tensor<1x1x24xbf16> -> tensor<3x2x1x4xbf16>
// CHECK: %[[K:.*]] = nn.slice %[[B]] {{.*}} -> tensor<1x2x1x4xbf16>
// CHECK: return %[[Q]], %[[K]]
func.func @row(%x: tensor<1x1x16xbf16>) -> (tensor<1x4x1x4xbf16>, tensor<1x2x1x4xbf16>) attributes {nn.entry, nn.dims = []} {
  %wq = nn.get @wq : tensor<16x16xbf16>
  %0 = nn.matmul %x, %wq {transpose_b} : tensor<1x1x16xbf16>, tensor<16x16xbf16> -> tensor<1x1x16xbf16>
  %1 = nn.reshape %0 : tensor<1x1x16xbf16> -> tensor<1x4x1x4xbf16>
  %wk = nn.get @wk : tensor<8x16xbf16>
  %2 = nn.matmul %x, %wk {transpose_b} : tensor<1x1x16xbf16>, tensor<8x16xbf16> -> tensor<1x1x8xbf16>
  %3 = nn.reshape %2 : tensor<1x1x8xbf16> -> tensor<1x2x1x4xbf16>
  return %1, %3 : tensor<1x4x1x4xbf16>, tensor<1x2x1x4xbf16>
}

// One sequence: nothing moves, so heads are cut behind its axis of 1 and read as they are.
// CHECK-LABEL: func.func @sequence
// CHECK: %[[Y:.*]] = nn.matmul %{{.*}}, %{{.*}} {transpose_b} : {{.*}}, tensor<24x16xbf16> -> tensor<1x?x24xbf16
// CHECK: %[[A:.*]] = nn.reshape %[[Y]] : {{.*}} -> tensor<1x?x6x4xbf16
// CHECK-DAG: %[[Q:.*]] = nn.slice %[[A]] {{.*}} -> tensor<1x?x4x4xbf16
// CHECK-DAG: %[[K:.*]] = nn.slice %[[A]] {{.*}} -> tensor<1x?x2x4xbf16
// CHECK-NOT: nn.reshape
// CHECK: return %[[Q]], %[[K]]
func.func @sequence(%x: tensor<1x?x16xbf16, #xt>) -> (tensor<1x?x4x4xbf16, #qt>, tensor<1x?x2x4xbf16, #ht>) attributes {nn.entry, nn.dims = ["T"]} {
  %wq = nn.get @wq : tensor<16x16xbf16>
  %0 = nn.matmul %x, %wq {transpose_b} : tensor<1x?x16xbf16, #xt>, tensor<16x16xbf16> -> tensor<1x?x16xbf16, #xt>
  %1 = nn.reshape %0 : tensor<1x?x16xbf16, #xt> -> tensor<1x?x4x4xbf16, #qt>
  %wk = nn.get @wk : tensor<8x16xbf16>
  %2 = nn.matmul %x, %wk {transpose_b} : tensor<1x?x16xbf16, #xt>, tensor<8x16xbf16> -> tensor<1x?x8xbf16, #kt>
  %3 = nn.reshape %2 : tensor<1x?x8xbf16, #kt> -> tensor<1x?x2x4xbf16, #ht>
  return %1, %3 : tensor<1x?x4x4xbf16, #qt>, tensor<1x?x2x4xbf16, #ht>
}

// Several sequences with one token each: the same behind their number.
// CHECK-LABEL: func.func @rows
// CHECK: %[[Y:.*]] = nn.matmul %{{.*}}, %{{.*}} {transpose_b} : {{.*}}, tensor<24x16xbf16> -> tensor<?x1x24xbf16
// CHECK: %[[A:.*]] = nn.reshape %[[Y]] : {{.*}} -> tensor<?x6x1x4xbf16
// CHECK-DAG: %[[Q:.*]] = nn.slice %[[A]] {{.*}} -> tensor<?x4x1x4xbf16
// CHECK-DAG: %[[K:.*]] = nn.slice %[[A]] {{.*}} -> tensor<?x2x1x4xbf16
// CHECK: return %[[Q]], %[[K]]
func.func @rows(%x: tensor<?x1x16xbf16, #x1>) -> (tensor<?x4x1x4xbf16, #q1>, tensor<?x2x1x4xbf16, #h1>) attributes {nn.entry, nn.dims = ["B"]} {
  %wq = nn.get @wq : tensor<16x16xbf16>
  %0 = nn.matmul %x, %wq {transpose_b} : tensor<?x1x16xbf16, #x1>, tensor<16x16xbf16> -> tensor<?x1x16xbf16, #x1>
  %1 = nn.reshape %0 : tensor<?x1x16xbf16, #x1> -> tensor<?x4x1x4xbf16, #q1>
  %wk = nn.get @wk : tensor<8x16xbf16>
  %2 = nn.matmul %x, %wk {transpose_b} : tensor<?x1x16xbf16, #x1>, tensor<8x16xbf16> -> tensor<?x1x8xbf16, #k1>
  %3 = nn.reshape %2 : tensor<?x1x8xbf16, #k1> -> tensor<?x2x1x4xbf16, #h1>
  return %1, %3 : tensor<?x4x1x4xbf16, #q1>, tensor<?x2x1x4xbf16, #h1>
}

// Sums that are rounded once stay so; the biases are joined as they are stored.
// CHECK-LABEL: func.func @rounded
// CHECK: %[[Y:.*]] = nn.matmul %{{.*}}, %{{.*}} {transpose_b} : tensor<?x16xbf16, #{{.*}}>, tensor<24x16xbf16> -> tensor<?x24xf32
// CHECK: %[[B:.*]] = nn.concat %{{.*}}, %{{.*}} {axis = 0 : i64} : tensor<16xbf16>, tensor<8xbf16>
// CHECK: %[[C:.*]] = nn.cast %[[B]] : tensor<24xbf16> -> tensor<24xf32>
// CHECK: %[[R:.*]] = nn.broadcast %[[C]] {dims = array<i64: 1>}
// CHECK: %[[S:.*]] = nn.add %[[Y]], %[[R]]
// CHECK: %[[T:.*]] = nn.cast %[[S]] : {{.*}} -> tensor<?x24xbf16
// CHECK: nn.reshape %[[T]] : {{.*}} -> tensor<?x6x4xbf16
// CHECK-NOT: nn.matmul
func.func @rounded(%x: tensor<?x16xbf16, #x>) -> (tensor<?x4x4xbf16, #q>, tensor<?x2x4xbf16, #h>) attributes {nn.entry, nn.dims = ["T"]} {
  %wq = nn.get @wq : tensor<16x16xbf16>
  %0 = nn.matmul %x, %wq {transpose_b} : tensor<?x16xbf16, #x>, tensor<16x16xbf16> -> tensor<?x16xf32, #x>
  %bq = nn.get @bq : tensor<16xbf16>
  %1 = nn.cast %bq : tensor<16xbf16> -> tensor<16xf32>
  %2 = nn.broadcast %1 {dims = array<i64: 1>} : tensor<16xf32> -> tensor<?x16xf32, #x>
  %3 = nn.add %0, %2 : tensor<?x16xf32, #x>
  %4 = nn.cast %3 : tensor<?x16xf32, #x> -> tensor<?x16xbf16, #x>
  %5 = nn.reshape %4 : tensor<?x16xbf16, #x> -> tensor<?x4x4xbf16, #q>
  %wk = nn.get @wk : tensor<8x16xbf16>
  %6 = nn.matmul %x, %wk {transpose_b} : tensor<?x16xbf16, #x>, tensor<8x16xbf16> -> tensor<?x8xf32, #k>
  %bk = nn.get @bk : tensor<8xbf16>
  %7 = nn.cast %bk : tensor<8xbf16> -> tensor<8xf32>
  %8 = nn.broadcast %7 {dims = array<i64: 1>} : tensor<8xf32> -> tensor<?x8xf32, #k>
  %9 = nn.add %6, %8 : tensor<?x8xf32, #k>
  %10 = nn.cast %9 : tensor<?x8xf32, #k> -> tensor<?x8xbf16, #k>
  %11 = nn.reshape %10 : tensor<?x8xbf16, #k> -> tensor<?x2x4xbf16, #h>
  return %5, %11 : tensor<?x4x4xbf16, #q>, tensor<?x2x4xbf16, #h>
}
