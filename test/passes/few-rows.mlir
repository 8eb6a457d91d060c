// What joins products of few rows, which read their matrices once (cuda).
// RUN: nnc-opt %s --nn-form-kernels=target=cuda | FileCheck %s
// RUN: nnc-opt %s --nn-form-kernels=target=cpu | FileCheck %s --check-prefix=CPU

nn.global @gate : tensor<256x128xbf16> {kind = "param"}
nn.global @up : tensor<256x128xbf16> {kind = "param"}
nn.global @down : tensor<128x256xbf16> {kind = "param"}
nn.global @head : tensor<40000x128xbf16> {kind = "param"}

// A norm, two products of it and the gate are one kernel; the product with what comes of them is
// another.
// CHECK-LABEL: func.func @gated
// CHECK: nn.kernel {{.*}}anchor = "contraction"
// CHECK: nn.reduce
// CHECK: nn.matmul
// CHECK: nn.matmul
// CHECK: nn.yield
// CHECK: nn.kernel {{.*}}anchor = "contraction"
// CHECK-NOT: nn.kernel
// CHECK: return
// CPU-LABEL: func.func @gated
// CPU-COUNT-4: nn.kernel
func.func @gated(%x: tensor<1x128xbf16>) -> tensor<1x128xbf16> attributes {nn.entry, nn.dims = []} {
  %gate = nn.get @gate : tensor<256x128xbf16>
  %up = nn.get @up : tensor<256x128xbf16>
  %down = nn.get @down : tensor<128x256xbf16>
  %0 = nn.mul %x, %x : tensor<1x128xbf16>
  %1 = nn.reduce sum %0 {axes = array<i64: 1>} : tensor<1x128xbf16> -> tensor<1xbf16>
  %2 = nn.rsqrt %1 : tensor<1xbf16>
  %3 = nn.broadcast %2 {dims = array<i64: 0>} : tensor<1xbf16> -> tensor<1x128xbf16>
  %4 = nn.mul %x, %3 : tensor<1x128xbf16>
  %5 = nn.matmul %4, %gate {transpose_b} : tensor<1x128xbf16>, tensor<256x128xbf16> -> tensor<1x256xbf16>
  %6 = nn.tanh %5 : tensor<1x256xbf16>
  %7 = nn.matmul %4, %up {transpose_b} : tensor<1x128xbf16>, tensor<256x128xbf16> -> tensor<1x256xbf16>
  %8 = nn.mul %6, %7 : tensor<1x256xbf16>
  %9 = nn.matmul %8, %down {transpose_b} : tensor<1x256xbf16>, tensor<128x256xbf16> -> tensor<1x128xbf16>
  return %9 : tensor<1x128xbf16>
}

// Sums that are not along the rows stay apart: every block would add up all there is.
// CHECK-LABEL: func.func @pooled
// CHECK: nn.kernel {{.*}}anchor = "reduction"
// CHECK: nn.kernel {{.*}}anchor = "contraction"
// CHECK: return
func.func @pooled(%x: tensor<1x49x128xbf16>) -> tensor<1x256xbf16> attributes {nn.entry, nn.dims = []} {
  %gate = nn.get @gate : tensor<256x128xbf16>
  %0 = nn.reduce sum %x {axes = array<i64: 1>} : tensor<1x49x128xbf16> -> tensor<1x128xbf16>
  %1 = nn.matmul %0, %gate {transpose_b} : tensor<1x128xbf16>, tensor<256x128xbf16> -> tensor<1x256xbf16>
  return %1 : tensor<1x256xbf16>
}

// So do those that others read, and those of a matrix with so many columns that it has too many blocks.
// CHECK-LABEL: func.func @apart
// CHECK: nn.kernel {{.*}}anchor = "reduction"
// CHECK: nn.kernel {{.*}}anchor = "contraction"
// CHECK: nn.kernel {{.*}}anchor = "reduction"
// CHECK: nn.kernel {{.*}}anchor = "contraction"
// CHECK: return
func.func @apart(%x: tensor<1x128xbf16>, %y: tensor<1x128xbf16>)
    -> (tensor<1x128xbf16>, tensor<1x256xbf16>, tensor<1x40000xbf16>) attributes {nn.entry, nn.dims = []} {
  %gate = nn.get @gate : tensor<256x128xbf16>
  %head = nn.get @head : tensor<40000x128xbf16>
  %1 = nn.reduce sum %x {axes = array<i64: 1>} : tensor<1x128xbf16> -> tensor<1xbf16>
  %3 = nn.broadcast %1 {dims = array<i64: 0>} : tensor<1xbf16> -> tensor<1x128xbf16>
  %4 = nn.mul %x, %3 : tensor<1x128xbf16>
  %5 = nn.matmul %4, %gate {transpose_b} : tensor<1x128xbf16>, tensor<256x128xbf16> -> tensor<1x256xbf16>
  %6 = nn.reduce sum %y {axes = array<i64: 1>} : tensor<1x128xbf16> -> tensor<1xbf16>
  %7 = nn.broadcast %6 {dims = array<i64: 0>} : tensor<1xbf16> -> tensor<1x128xbf16>
  %8 = nn.mul %y, %7 : tensor<1x128xbf16>
  %9 = nn.matmul %8, %head {transpose_b} : tensor<1x128xbf16>, tensor<40000x128xbf16> -> tensor<1x40000xbf16>
  return %4, %5, %9 : tensor<1x128xbf16>, tensor<1x256xbf16>, tensor<1x40000xbf16>
}
