// Heads behind positions: the cpu target's products read them by strides, the library's get copies.
// RUN: nnc-opt %s --nn-form-kernels=target=cpu | FileCheck %s --check-prefix=CPU
// RUN: nnc-opt %s --nn-form-kernels=target=cuda | FileCheck %s --check-prefix=CUDA

#x = affine_map<()[s0] -> (2, s0, 4, 8)>
#h = affine_map<()[s0] -> (2, 4, s0, 8)>
#s = affine_map<()[s0] -> (2, 4, s0, s0)>
!x = tensor<2x?x4x8xf32, #x>
!h = tensor<2x4x?x8xf32, #h>
!s = tensor<2x4x?x?xf32, #s>

// CPU-LABEL: func.func @scores
// CPU-SAME: (%[[X:.*]]: tensor<{{.*}}>, %[[Y:.*]]: tensor<{{.*}}>)
// CPU-NEXT: %[[R:.*]] = nn.kernel "matmul"(%[[X]], %[[Y]] : {{.*}}) attributes {anchor = "contraction"}
// CPU: nn.transpose
// CPU: nn.transpose
// CPU: nn.matmul
// CPU: return %[[R]]
// CUDA-LABEL: func.func @scores
// CUDA-COUNT-2: nn.transpose
// CUDA: nn.gemm %{{.*}}, %{{.*}} {transpose_b}
func.func @scores(%x: !x, %y: !x) -> !s attributes {nn.entry, nn.dims = ["T"]} {
  %q = nn.transpose %x {permutation = array<i64: 0, 2, 1, 3>} : !x -> !h
  %k = nn.transpose %y {permutation = array<i64: 0, 2, 1, 3>} : !x -> !h
  %s = nn.matmul %q, %k {transpose_b} : !h, !h -> !s
  return %s : !s
}
