// RUN: nnc-opt %s --nn-form-kernels=target=cuda | FileCheck %s

// What follows a concat elementwise is in its kernel, an update too; a product reads memory.

#at = affine_map<() -> (0, 0)>

nn.global @w : tensor<64x64xf32> {kind = "param"}

// CHECK-LABEL: func.func @parts
// CHECK: nn.kernel
// CHECK: nn.neg
// CHECK: nn.concat
// CHECK-NEXT: nn.cast
// CHECK-NEXT: nn.mul
// CHECK-NEXT: nn.yield
// CHECK-NOT: nn.kernel
// CHECK: return
func.func @parts(%x: tensor<8x64xf32>, %c: tensor<2x64xf32>, %f: tensor<10x64xf16>) -> tensor<10x64xf16> attributes {nn.entry, nn.dims = []} {
  %0 = nn.neg %c : tensor<2x64xf32>
  %1 = nn.concat %0, %x {axis = 0 : i64} : tensor<2x64xf32>, tensor<8x64xf32> -> tensor<10x64xf32>
  %2 = nn.cast %1 : tensor<10x64xf32> -> tensor<10x64xf16>
  %3 = nn.mul %2, %f : tensor<10x64xf16>
  return %3 : tensor<10x64xf16>
}

// CHECK-LABEL: func.func @updates
// CHECK: nn.kernel "update"
// CHECK: nn.concat
// CHECK-NEXT: nn.exp
// CHECK-NEXT: nn.yield
// CHECK-NOT: nn.kernel
// CHECK: return
func.func @updates(%memory: tensor<32x64xf32>, %x: tensor<8x64xf32>, %c: tensor<2x64xf32>) -> tensor<32x64xf32> attributes {nn.entry, nn.dims = []} {
  %0 = nn.concat %c, %x {axis = 0 : i64} : tensor<2x64xf32>, tensor<8x64xf32> -> tensor<10x64xf32>
  %1 = nn.exp %0 : tensor<10x64xf32>
  %2 = nn.update %memory, %1 start #at step [1, 1] : tensor<32x64xf32>, tensor<10x64xf32>
  return %2 : tensor<32x64xf32>
}

// CHECK-LABEL: func.func @products
// CHECK: %[[C:.*]] = nn.kernel "concat
// CHECK: nn.gemm %[[C]]
func.func @products(%x: tensor<8x64xf32>, %c: tensor<2x64xf32>) -> tensor<10x64xf32> attributes {nn.entry, nn.dims = []} {
  %w = nn.get @w : tensor<64x64xf32>
  %0 = nn.concat %c, %x {axis = 0 : i64} : tensor<2x64xf32>, tensor<8x64xf32> -> tensor<10x64xf32>
  %1 = nn.matmul %0, %w : tensor<10x64xf32>, tensor<64x64xf32> -> tensor<10x64xf32>
  return %1 : tensor<10x64xf32>
}
