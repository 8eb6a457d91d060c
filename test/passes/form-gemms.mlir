// RUN: nnc-opt %s --nn-form-kernels=target=cuda | FileCheck %s
// RUN: nnc-opt %s --nn-form-kernels=target=cpu | FileCheck %s --check-prefix=CPU

// CPU-NOT: nn.gemm

#x = affine_map<()[s0] -> (s0, 64)>
#l = affine_map<()[s0] -> (s0, 4096)>

nn.global @w : tensor<64x64xf32> {kind = "param"}
nn.global @wide : tensor<4096x64xf32> {kind = "param"}
nn.global @b : tensor<64xf32> {kind = "param"}
nn.global @b4096 : tensor<4096xf32> {kind = "param"}
nn.global @h : tensor<64x64xbf16> {kind = "param"}
nn.global @hb : tensor<64xbf16> {kind = "param"}

// CHECK-LABEL: func.func @bias_relu
// CHECK: %[[Y:.*]] = nn.gemm %{{.*}}, %{{.*}} bias %{{.*}} {epilogue = "relu", transpose_b}
// CHECK-NEXT: return %[[Y]]
func.func @bias_relu(%x: tensor<?x64xf32, #x>) -> tensor<?x64xf32, #x> attributes {nn.entry, nn.dims = ["B"]} {
  %w = nn.get @w : tensor<64x64xf32>
  %b = nn.get @b : tensor<64xf32>
  %0 = nn.matmul %x, %w {transpose_b} : tensor<?x64xf32, #x>, tensor<64x64xf32> -> tensor<?x64xf32, #x>
  %1 = nn.broadcast %b {dims = array<i64: 1>} : tensor<64xf32> -> tensor<?x64xf32, #x>
  %2 = nn.add %0, %1 : tensor<?x64xf32, #x>
  %zero = nn.full 0.0 : f32 -> tensor<?x64xf32, #x>
  %3 = nn.max %zero, %2 : tensor<?x64xf32, #x>
  return %3 : tensor<?x64xf32, #x>
}

// The residual may come before the bias, and be computed after the product.
// CHECK-LABEL: func.func @residual
// CHECK: %[[R:.*]] = nn.kernel "softmax"
// CHECK: nn.gemm %{{.*}}, %{{.*}} bias %{{.*}} residual %[[R]] :
// CHECK-NOT: nn.kernel
// CHECK: return
func.func @residual(%x: tensor<?x64xf32, #x>) -> tensor<?x64xf32, #x> attributes {nn.entry, nn.dims = ["B"]} {
  %w = nn.get @w : tensor<64x64xf32>
  %b = nn.get @b : tensor<64xf32>
  %0 = nn.matmul %x, %w : tensor<?x64xf32, #x>, tensor<64x64xf32> -> tensor<?x64xf32, #x>
  %r = nn.softmax %x {axis = 1 : i64} : tensor<?x64xf32, #x>
  %1 = nn.add %r, %0 : tensor<?x64xf32, #x>
  %2 = nn.broadcast %b {dims = array<i64: 1>} : tensor<64xf32> -> tensor<?x64xf32, #x>
  %3 = nn.add %2, %1 : tensor<?x64xf32, #x>
  return %3 : tensor<?x64xf32, #x>
}

// The sum of two products is the residual of one of them, not of both.
// CHECK-LABEL: func.func @sum
// CHECK: %[[A:.*]] = nn.gemm %{{[^,]*}}, %{{[^,]*}} {transpose_b} :
// CHECK: %[[B:.*]] = nn.gemm %{{[^,]*}}, %{{[^,]*}} residual %[[A]] :
// CHECK: return %[[B]]
func.func @sum(%x: tensor<?x64xf32, #x>) -> tensor<?x64xf32, #x> attributes {nn.entry, nn.dims = ["B"]} {
  %w = nn.get @w : tensor<64x64xf32>
  %0 = nn.matmul %x, %w : tensor<?x64xf32, #x>, tensor<64x64xf32> -> tensor<?x64xf32, #x>
  %1 = nn.matmul %x, %w {transpose_b} : tensor<?x64xf32, #x>, tensor<64x64xf32> -> tensor<?x64xf32, #x>
  %2 = nn.add %0, %1 : tensor<?x64xf32, #x>
  return %2 : tensor<?x64xf32, #x>
}

// 0.5 * x * (1 + tanh(sqrt(2/pi) * (x + 0.044715 * x**3))) as the prelude writes it.
// CHECK-LABEL: func.func @gelu_tanh
// CHECK: nn.gemm {{.*}} {epilogue = "gelu", transpose_b}
// CHECK-NEXT: return
func.func @gelu_tanh(%x: tensor<?x64xf32, #x>) -> tensor<?x64xf32, #x> attributes {nn.entry, nn.dims = ["B"]} {
  %w = nn.get @w : tensor<64x64xf32>
  %b = nn.get @b : tensor<64xf32>
  %0 = nn.matmul %x, %w {transpose_b} : tensor<?x64xf32, #x>, tensor<64x64xf32> -> tensor<?x64xf32, #x>
  %1 = nn.broadcast %b {dims = array<i64: 1>} : tensor<64xf32> -> tensor<?x64xf32, #x>
  %2 = nn.add %0, %1 : tensor<?x64xf32, #x>
  %half = nn.full 0.5 : f32 -> tensor<?x64xf32, #x>
  %3 = nn.mul %half, %2 : tensor<?x64xf32, #x>
  %three = nn.full 3.0 : f32 -> tensor<?x64xf32, #x>
  %4 = nn.pow %2, %three : tensor<?x64xf32, #x>
  %k = nn.full 0.044715 : f32 -> tensor<?x64xf32, #x>
  %5 = nn.mul %k, %4 : tensor<?x64xf32, #x>
  %6 = nn.add %2, %5 : tensor<?x64xf32, #x>
  %c = nn.full 0.7978845608 : f32 -> tensor<?x64xf32, #x>
  %7 = nn.mul %c, %6 : tensor<?x64xf32, #x>
  %8 = nn.tanh %7 : tensor<?x64xf32, #x>
  %one = nn.full 1.0 : f32 -> tensor<?x64xf32, #x>
  %9 = nn.add %one, %8 : tensor<?x64xf32, #x>
  %10 = nn.mul %3, %9 : tensor<?x64xf32, #x>
  return %10 : tensor<?x64xf32, #x>
}

// The same with another constant is not what the library computes.
// CHECK-LABEL: func.func @almost_gelu
// CHECK: nn.kernel "matmul{{.*}}anchor = "contraction"
// CHECK: nn.tanh
// CHECK: return
func.func @almost_gelu(%x: tensor<?x64xf32, #x>) -> tensor<?x64xf32, #x> attributes {nn.entry, nn.dims = ["B"]} {
  %w = nn.get @w : tensor<64x64xf32>
  %2 = nn.matmul %x, %w {transpose_b} : tensor<?x64xf32, #x>, tensor<64x64xf32> -> tensor<?x64xf32, #x>
  %three = nn.full 3.0 : f32 -> tensor<?x64xf32, #x>
  %4 = nn.pow %2, %three : tensor<?x64xf32, #x>
  %k = nn.full 0.05 : f32 -> tensor<?x64xf32, #x>
  %5 = nn.mul %k, %4 : tensor<?x64xf32, #x>
  %6 = nn.add %2, %5 : tensor<?x64xf32, #x>
  %c = nn.full 0.7978845608 : f32 -> tensor<?x64xf32, #x>
  %7 = nn.mul %c, %6 : tensor<?x64xf32, #x>
  %8 = nn.tanh %7 : tensor<?x64xf32, #x>
  %one = nn.full 1.0 : f32 -> tensor<?x64xf32, #x>
  %9 = nn.add %one, %8 : tensor<?x64xf32, #x>
  %half = nn.full 0.5 : f32 -> tensor<?x64xf32, #x>
  %3 = nn.mul %half, %2 : tensor<?x64xf32, #x>
  %10 = nn.mul %3, %9 : tensor<?x64xf32, #x>
  return %10 : tensor<?x64xf32, #x>
}

// The erf form is another function: a small product takes it into its kernel.
// CHECK-LABEL: func.func @gelu_erf
// CHECK: nn.kernel "matmul{{.*}}anchor = "contraction"
// CHECK: nn.erf
// CHECK: return
func.func @gelu_erf(%x: tensor<?x64xf32, #x>) -> tensor<?x64xf32, #x> attributes {nn.entry, nn.dims = ["B"]} {
  %w = nn.get @w : tensor<64x64xf32>
  %0 = nn.matmul %x, %w {transpose_b} : tensor<?x64xf32, #x>, tensor<64x64xf32> -> tensor<?x64xf32, #x>
  %c = nn.full 0.70710678 : f32 -> tensor<?x64xf32, #x>
  %1 = nn.mul %0, %c : tensor<?x64xf32, #x>
  %2 = nn.erf %1 : tensor<?x64xf32, #x>
  %one = nn.full 1.0 : f32 -> tensor<?x64xf32, #x>
  %3 = nn.add %2, %one : tensor<?x64xf32, #x>
  %4 = nn.mul %0, %3 : tensor<?x64xf32, #x>
  return %4 : tensor<?x64xf32, #x>
}

// A large product leaves what the library cannot do to a second kernel, which says so.
// CHECK-LABEL: func.func @large
// CHECK: %[[G:.*]] = nn.gemm {{.*}} bias
// CHECK: nn.kernel "tanh"(%[[G]] : {{.*}} attributes {anchor = "pointwise", nn.refused = ["matmul{{.*}}: nothing can follow it in one kernel"]}
func.func @large(%x: tensor<?x64xf32, #x>) -> tensor<?x4096xf32, #l> attributes {nn.entry, nn.dims = ["B"]} {
  %w = nn.get @wide : tensor<4096x64xf32>
  %b = nn.get @b4096 : tensor<4096xf32>
  %0 = nn.matmul %x, %w {transpose_b} : tensor<?x64xf32, #x>, tensor<4096x64xf32> -> tensor<?x4096xf32, #l>
  %1 = nn.broadcast %b {dims = array<i64: 1>} : tensor<4096xf32> -> tensor<?x4096xf32, #l>
  %2 = nn.add %0, %1 : tensor<?x4096xf32, #l>
  %3 = nn.tanh %2 : tensor<?x4096xf32, #l>
  return %3 : tensor<?x4096xf32, #l>
}

// In 16 bits the model rounds between product and bias; the library would not.
// CHECK-LABEL: func.func @rounding
// CHECK: %[[K:.*]] = nn.kernel "matmul{{.*}}anchor = "contraction"
// CHECK: nn.matmul
// CHECK: nn.add
// CHECK: nn.gemm %{{[^,]*}}, %{{[^,]*}} {epilogue = "relu"}
// CHECK-NEXT: return
func.func @rounding(%x: tensor<?x64xbf16, #x>) -> tensor<?x64xbf16, #x> attributes {nn.entry, nn.dims = ["B"]} {
  %w = nn.get @h : tensor<64x64xbf16>
  %b = nn.get @hb : tensor<64xbf16>
  %0 = nn.matmul %x, %w : tensor<?x64xbf16, #x>, tensor<64x64xbf16> -> tensor<?x64xbf16, #x>
  %1 = nn.broadcast %b {dims = array<i64: 1>} : tensor<64xbf16> -> tensor<?x64xbf16, #x>
  %2 = nn.add %0, %1 : tensor<?x64xbf16, #x>
  %3 = nn.matmul %2, %w : tensor<?x64xbf16, #x>, tensor<64x64xbf16> -> tensor<?x64xbf16, #x>
  %zero = nn.full 0.0 : bf16 -> tensor<?x64xbf16, #x>
  %4 = nn.max %3, %zero : tensor<?x64xbf16, #x>
  return %4 : tensor<?x64xbf16, #x>
}

// The library multiplies floats.
// CHECK-LABEL: func.func @integers
// CHECK: nn.kernel "matmul{{.*}}anchor = "contraction"
func.func @integers(%x: tensor<8x8xi32>) -> tensor<8x8xi32> attributes {nn.entry, nn.dims = []} {
  %0 = nn.matmul %x, %x : tensor<8x8xi32>, tensor<8x8xi32> -> tensor<8x8xi32>
  return %0 : tensor<8x8xi32>
}

// A product of few rows is a kernel that reads the matrix as fast as memory gives it, with all that
// follows; not if its rows do not run along the depth, or are many.
// CHECK-LABEL: func.func @few_rows
// CHECK-NOT: nn.gemm
// CHECK: %[[A:.*]]:2 = nn.kernel "matmul
// CHECK: nn.matmul
// CHECK: nn.add
// CHECK: nn.exp
// CHECK-NOT: nn.kernel
// CHECK: nn.gemm %{{.*}}, %{{.*}} :
// CHECK-NEXT: nn.gemm
// CHECK-NEXT: return
func.func @few_rows(%x: tensor<2x2x64xbf16>, %y: tensor<5x64xbf16>, %r: tensor<2x2x64xbf16>) -> (tensor<2x2x64xbf16>, tensor<2x2x64xbf16>, tensor<2x2x64xbf16>, tensor<5x64xbf16>) attributes {nn.entry, nn.dims = []} {
  %w = nn.get @h : tensor<64x64xbf16>
  %0 = nn.matmul %x, %w {transpose_b} : tensor<2x2x64xbf16>, tensor<64x64xbf16> -> tensor<2x2x64xbf16>
  %1 = nn.add %0, %r : tensor<2x2x64xbf16>
  %2 = nn.exp %1 : tensor<2x2x64xbf16>
  %3 = nn.matmul %2, %w : tensor<2x2x64xbf16>, tensor<64x64xbf16> -> tensor<2x2x64xbf16>
  %4 = nn.matmul %y, %w {transpose_b} : tensor<5x64xbf16>, tensor<64x64xbf16> -> tensor<5x64xbf16>
  return %1, %2, %3, %4 : tensor<2x2x64xbf16>, tensor<2x2x64xbf16>, tensor<2x2x64xbf16>, tensor<5x64xbf16>
}

// Who is asked for does it, whatever the rules say: the same large product in one kernel, and a small one by the library.
// CHECK-LABEL: func.func @asked_kernel
// CHECK-NOT: nn.gemm
// CHECK: nn.kernel "matmul{{.*}}anchor = "contraction"
// CHECK: nn.matmul {{.*}}nn.tactic = "kernel", transpose_b
// CHECK: nn.tanh
func.func @asked_kernel(%x: tensor<?x64xf32, #x>) -> tensor<?x4096xf32, #l> attributes {nn.entry, nn.dims = ["B"]} {
  %w = nn.get @wide : tensor<4096x64xf32>
  %0 = nn.matmul %x, %w {transpose_b, nn.tactic = "kernel"} : tensor<?x64xf32, #x>, tensor<4096x64xf32> -> tensor<?x4096xf32, #l>
  %1 = nn.tanh %0 : tensor<?x4096xf32, #l>
  return %1 : tensor<?x4096xf32, #l>
}

// CHECK-LABEL: func.func @asked_library
// CHECK: nn.gemm
// CHECK: nn.kernel {{.*}}anchor = "pointwise"
func.func @asked_library(%x: tensor<?x64xf32, #x>) -> tensor<?x64xf32, #x> attributes {nn.entry, nn.dims = ["B"]} {
  %w = nn.get @w : tensor<64x64xf32>
  %0 = nn.matmul %x, %w {transpose_b, nn.tactic = "library"} : tensor<?x64xf32, #x>, tensor<64x64xf32> -> tensor<?x64xf32, #x>
  %1 = nn.tanh %0 : tensor<?x64xf32, #x>
  return %1 : tensor<?x64xf32, #x>
}

// The sum of a 16-bit product and a bias that is rounded once is what the library does; one that is rounded to
// something else, or not, is a kernel's.
// CHECK-LABEL: func.func @rounded_bias
// CHECK: %[[Y:.*]] = nn.gemm %{{.*}}, %{{.*}} bias %{{[a-z0-9]+}} {epilogue = "relu", transpose_b} : (tensor<?x64xbf16, #{{.*}}>, tensor<4096x64xbf16>, tensor<4096xbf16>) -> tensor<?x4096xbf16, #{{.*}}>
// CHECK-NEXT: return %[[Y]]
func.func @rounded_bias(%x: tensor<?x64xbf16, #x>, %w: tensor<4096x64xbf16>, %b: tensor<4096xbf16>) -> tensor<?x4096xbf16, #l> attributes {nn.entry, nn.dims = ["B"]} {
  %0 = nn.matmul %x, %w {transpose_b, nn.tactic = "library"} : tensor<?x64xbf16, #x>, tensor<4096x64xbf16> -> tensor<?x4096xf32, #l>
  %1 = nn.cast %b : tensor<4096xbf16> -> tensor<4096xf32>
  %2 = nn.broadcast %1 {dims = array<i64: 1>} : tensor<4096xf32> -> tensor<?x4096xf32, #l>
  %3 = nn.add %0, %2 : tensor<?x4096xf32, #l>
  %4 = nn.cast %3 : tensor<?x4096xf32, #l> -> tensor<?x4096xbf16, #l>
  %zero = nn.full 0.0 : bf16 -> tensor<?x4096xbf16, #l>
  %5 = nn.max %zero, %4 : tensor<?x4096xbf16, #l>
  return %5 : tensor<?x4096xbf16, #l>
}

// CHECK-LABEL: func.func @wide_product
// CHECK-NOT: nn.gemm
// CHECK: return
func.func @wide_product(%x: tensor<?x64xbf16, #x>, %w: tensor<4096x64xbf16>, %b: tensor<4096xf32>) -> (tensor<?x4096xf32, #l>, tensor<?x4096xbf16, #l>) attributes {nn.entry, nn.dims = ["B"]} {
  %0 = nn.matmul %x, %w {transpose_b, nn.tactic = "library"} : tensor<?x64xbf16, #x>, tensor<4096x64xbf16> -> tensor<?x4096xf32, #l>
  %1 = nn.matmul %x, %w {transpose_b, nn.tactic = "library"} : tensor<?x64xbf16, #x>, tensor<4096x64xbf16> -> tensor<?x4096xf32, #l>
  %2 = nn.broadcast %b {dims = array<i64: 1>} : tensor<4096xf32> -> tensor<?x4096xf32, #l>
  %3 = nn.add %1, %2 : tensor<?x4096xf32, #l>
  %4 = nn.cast %3 : tensor<?x4096xf32, #l> -> tensor<?x4096xbf16, #l>
  return %0, %4 : tensor<?x4096xf32, #l>, tensor<?x4096xbf16, #l>
}
