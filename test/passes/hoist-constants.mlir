// RUN: nnc-opt %s --split-input-file --nn-hoist-constants | FileCheck %s

#x = affine_map<()[s0] -> (s0, 16)>
#y = affine_map<()[s0] -> (s0, 4)>

// A scaled weight is computed once, for both entry points; the views of it stay with their readers.
// CHECK: nn.global @w : tensor<4x16xf32> {kind = "param", unused}
// CHECK: nn.global @g : tensor<4xf32> {kind = "param"}
nn.global @w : tensor<4x16xf32> {kind = "param"}
nn.global @g : tensor<4xf32> {kind = "param"}

// CHECK-LABEL: func.func @first
// CHECK: %[[W:.*]] = nn.get @prepared.0 : tensor<4x16xf32>
// CHECK: %[[G:.*]] = nn.get @g
// CHECK-NEXT: nn.matmul %{{.*}}, %[[W]]
// CHECK-NEXT: nn.broadcast %[[G]]
// CHECK-NEXT: nn.add
// CHECK-NEXT: return
func.func @first(%x: tensor<?x16xf32, #x>) -> tensor<?x4xf32, #y> attributes {nn.entry, nn.dims = ["B"]} {
  %w = nn.get @w : tensor<4x16xf32>
  %g = nn.get @g : tensor<4xf32>
  %0 = nn.broadcast %g {dims = array<i64: 0>} : tensor<4xf32> -> tensor<4x16xf32>
  %1 = nn.mul %w, %0 : tensor<4x16xf32>
  %2 = nn.matmul %x, %1 {transpose_b} : tensor<?x16xf32, #x>, tensor<4x16xf32> -> tensor<?x4xf32, #y>
  %3 = nn.broadcast %g {dims = array<i64: 1>} : tensor<4xf32> -> tensor<?x4xf32, #y>
  %4 = nn.add %2, %3 : tensor<?x4xf32, #y>
  return %4 : tensor<?x4xf32, #y>
}

// CHECK-LABEL: func.func @second
// CHECK-NEXT: %[[W:.*]] = nn.get @prepared.0
// CHECK-NEXT: return %[[W]]
func.func @second() -> tensor<4x16xf32> attributes {nn.entry, nn.dims = []} {
  %g = nn.get @g : tensor<4xf32>
  %w = nn.get @w : tensor<4x16xf32>
  %0 = nn.broadcast %g {dims = array<i64: 0>} : tensor<4xf32> -> tensor<4x16xf32>
  %1 = nn.mul %w, %0 : tensor<4x16xf32>
  return %1 : tensor<4x16xf32>
}

// CHECK: nn.global @prepared.0 : tensor<4x16xf32> {kind = "const", prepared = 0 : i64}
// CHECK-LABEL: func.func @prepare() -> tensor<4x16xf32> attributes {nn.prepare}
// CHECK: %[[P:.*]] = nn.mul
// CHECK-NEXT: return %[[P]] : tensor<4x16xf32>

// -----

// Nothing to prepare: a weight as it is, views of it, what depends on a state or on the input.
nn.global @w : tensor<4x16xf32> {kind = "param"}
nn.global @s : tensor<4xf32> {kind = "state"}

// CHECK-LABEL: func.func @nothing
// CHECK: nn.get @w
// CHECK: nn.transpose
// CHECK: nn.tanh
// CHECK: return
// CHECK-NOT: prepare
func.func @nothing(%x: tensor<16x4xf32>) -> (tensor<16x4xf32>, tensor<4xf32>) attributes {nn.entry, nn.dims = []} {
  %w = nn.get @w : tensor<4x16xf32>
  %0 = nn.transpose %w {permutation = array<i64: 1, 0>} : tensor<4x16xf32> -> tensor<16x4xf32>
  %1 = nn.add %x, %0 : tensor<16x4xf32>
  %s = nn.get @s : tensor<4xf32>
  %2 = nn.tanh %s : tensor<4xf32>
  return %1, %2 : tensor<16x4xf32>, tensor<4xf32>
}

// -----

// A product reads memory, so the transposed weight is worth preparing.
nn.global @w : tensor<4x16x2xf32> {kind = "param"}

// CHECK-LABEL: func.func @transposed
// CHECK: %[[W:.*]] = nn.get @prepared.0 : tensor<4x2x16xf32>
// CHECK: %[[R:.*]] = nn.reshape %[[W]]
// CHECK: nn.matmul %{{.*}}, %[[R]]
// CHECK-LABEL: func.func @prepare
// CHECK: nn.transpose
func.func @transposed(%x: tensor<3x8xf32>) -> tensor<3x16xf32> attributes {nn.entry, nn.dims = []} {
  %w = nn.get @w : tensor<4x16x2xf32>
  %0 = nn.transpose %w {permutation = array<i64: 0, 2, 1>} : tensor<4x16x2xf32> -> tensor<4x2x16xf32>
  %1 = nn.reshape %0 : tensor<4x2x16xf32> -> tensor<8x16xf32>
  %2 = nn.matmul %x, %1 : tensor<3x8xf32>, tensor<8x16xf32> -> tensor<3x16xf32>
  return %2 : tensor<3x16xf32>
}

// -----

// An outer product of weights is much larger than they are; its factors are prepared instead.
nn.global @a : tensor<1000xf32> {kind = "param"}

// CHECK-LABEL: func.func @blow_up
// CHECK: %[[E:.*]] = nn.get @prepared.0 : tensor<1000xf32>
// CHECK: nn.broadcast %[[E]]
// CHECK: nn.broadcast %[[E]]
// CHECK: nn.mul
// CHECK: nn.add
func.func @blow_up(%x: tensor<1000x1000xf32>) -> tensor<1000x1000xf32> attributes {nn.entry, nn.dims = []} {
  %a = nn.get @a : tensor<1000xf32>
  %e = nn.exp %a : tensor<1000xf32>
  %0 = nn.broadcast %e {dims = array<i64: 0>} : tensor<1000xf32> -> tensor<1000x1000xf32>
  %1 = nn.broadcast %e {dims = array<i64: 1>} : tensor<1000xf32> -> tensor<1000x1000xf32>
  %2 = nn.mul %0, %1 : tensor<1000x1000xf32>
  %3 = nn.add %x, %2 : tensor<1000x1000xf32>
  return %3 : tensor<1000x1000xf32>
}

// -----

#t = affine_map<()[s0] -> (s0)>

// Tables of numbers: an expensive one of known size is prepared; a cheap one, or one whose size is
// only known in the call, is not.
// CHECK-LABEL: func.func @tables
// CHECK: %[[P:.*]] = nn.get @prepared.0 : tensor<64xf32>
// CHECK: nn.iota {axis = 0 : i64} : tensor<64xi32>
// CHECK: nn.sin %{{.*}} : tensor<?xf32
// CHECK-NOT: prepared.1
func.func @tables() -> (tensor<64xf32>, tensor<64xi32>, tensor<?xf32, #t>) attributes {nn.entry, nn.dims = ["T"]} {
  %0 = nn.iota {axis = 0 : i64} : tensor<64xi32>
  %1 = nn.cast %0 : tensor<64xi32> -> tensor<64xf32>
  %2 = nn.sin %1 : tensor<64xf32>
  %3 = nn.add %0, %0 : tensor<64xi32>
  %4 = nn.iota {axis = 0 : i64} : tensor<?xi32, #t>
  %5 = nn.cast %4 : tensor<?xi32, #t> -> tensor<?xf32, #t>
  %6 = nn.sin %5 : tensor<?xf32, #t>
  return %2, %3, %6 : tensor<64xf32>, tensor<64xi32>, tensor<?xf32, #t>
}

// -----

// An entry point of the same name keeps it.
nn.global @a : tensor<8xf32> {kind = "param"}

// CHECK-LABEL: func.func @prepare() -> tensor<8xf32> attributes {nn.dims = [], nn.entry}
// CHECK: func.func @prepare_0() -> tensor<8xf32> attributes {nn.prepare}
func.func @prepare() -> tensor<8xf32> attributes {nn.entry, nn.dims = []} {
  %a = nn.get @a : tensor<8xf32>
  %e = nn.exp %a : tensor<8xf32>
  return %e : tensor<8xf32>
}

// -----

// A weight that is cast to fewer bits is stored like that; what takes more bytes than what is stored
// stays with its readers, however small.
nn.global @w : tensor<4x16xf32> {kind = "param"}
nn.global @q : tensor<4x8xi8> {kind = "const"}
nn.global @s : tensor<4x1xf32> {kind = "const"}

// CHECK-LABEL: func.func @stored
// CHECK-NEXT: %[[W:.*]] = nn.get @prepared.0 : tensor<4x16xbf16>
// CHECK-DAG: %[[Q:.*]] = nn.get @q : tensor<4x8xi8>
// CHECK-DAG: %[[S:.*]] = nn.get @s : tensor<4x1xf32>
// CHECK: %[[D:.*]] = nn.dequantize %[[Q]] scales %[[S]] {packed}
// CHECK-NEXT: nn.matmul %{{.*}}, %[[W]]
// CHECK-NEXT: nn.matmul %{{.*}}, %[[D]]
func.func @stored(%x: tensor<3x16xbf16>) -> (tensor<3x4xbf16>, tensor<3x4xbf16>) attributes {nn.entry, nn.dims = []} {
  %w = nn.get @w : tensor<4x16xf32>
  %c = nn.cast %w : tensor<4x16xf32> -> tensor<4x16xbf16>
  %q = nn.get @q : tensor<4x8xi8>
  %s = nn.get @s : tensor<4x1xf32>
  %d = nn.dequantize %q scales %s {packed} : (tensor<4x8xi8>, tensor<4x1xf32>) -> tensor<4x16xbf16>
  %0 = nn.matmul %x, %c {transpose_b} : tensor<3x16xbf16>, tensor<4x16xbf16> -> tensor<3x4xbf16>
  %1 = nn.matmul %x, %d {transpose_b} : tensor<3x16xbf16>, tensor<4x16xbf16> -> tensor<3x4xbf16>
  return %0, %1 : tensor<3x4xbf16>, tensor<3x4xbf16>
}

// -----

// A bias that readers widen stays as it is; a weight that a product reads in f32 does not fit in so little more.
nn.global @b : tensor<8xbf16> {kind = "param"}

// CHECK-LABEL: func.func @widened
// CHECK: nn.get @b : tensor<8xbf16>
// CHECK-NEXT: nn.cast
// CHECK-NOT: prepare
func.func @widened(%x: tensor<8xf32>) -> tensor<8xf32> attributes {nn.entry, nn.dims = []} {
  %b = nn.get @b : tensor<8xbf16>
  %0 = nn.cast %b : tensor<8xbf16> -> tensor<8xf32>
  %1 = nn.add %x, %0 : tensor<8xf32>
  return %1 : tensor<8xf32>
}
