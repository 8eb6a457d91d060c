// RUN: nnc-opt %s --split-input-file --nn-quantize-weights | FileCheck %s
// RUN: nnc-opt %s --split-input-file --nn-quantize-weights --nn-hoist-constants --nn-form-kernels=target=cuda | FileCheck %s --check-prefix=FORM

#x = affine_map<()[s0] -> (s0, 64)>
#y = affine_map<()[s0] -> (s0, 6)>

// [out, in]: a scale per row and per group of 24 columns, the last group shorter.
// CHECK-DAG: nn.global @w.values : tensor<6x32xi8> {kind = "const", quantized = {of = @w, part = "values", rule = {element = "i4", group = 24 : i64, zero}}}
// CHECK-DAG: nn.global @w.scales : tensor<6x3xf32>
// CHECK-DAG: nn.global @w.zeros : tensor<6x3xf32>
// CHECK: nn.global @w : tensor<6x64xf32>
nn.global @w : tensor<6x64xf32> {kind = "param", quant = {element = "i4", group = 24, zero}}

// CHECK-LABEL: func.func @forward
// CHECK-DAG: %[[Q:.*]] = nn.get @w.values
// CHECK-DAG: %[[S:.*]] = nn.get @w.scales
// CHECK-DAG: %[[Z:.*]] = nn.get @w.zeros
// CHECK: %[[W:.*]] = nn.dequantize %[[Q]] scales %[[S]] zeros %[[Z]] {group = 24 : i64, packed} : (tensor<6x32xi8>, tensor<6x3xf32>, tensor<6x3xf32>) -> tensor<6x64xf32>
// CHECK: nn.matmul %{{.*}}, %[[W]] {transpose_b}
// No tensor of floats for it: the product reads the bytes. And no library, which could not.
// FORM-LABEL: func.func @forward
// FORM-NOT: nn.gemm
// FORM: nn.kernel "{{.*}}"(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} : tensor<?x64xf32, #{{.*}}>, tensor<6x32xi8>, tensor<6x3xf32>, tensor<6x3xf32>) -> (tensor<?x6xf32, #{{.*}}>) attributes {anchor = "contraction"}
// FORM: nn.dequantize
// FORM: nn.matmul
// FORM-NOT: nn.kernel
// FORM: return
func.func @forward(%x: tensor<?x64xf32, #x>) -> tensor<?x6xf32, #y> attributes {nn.entry, nn.dims = ["B"], nn.ranges = [array<i64: 1, 8>]} {
  %w = nn.get @w : tensor<6x64xf32>
  %0 = nn.matmul %x, %w {transpose_b} : tensor<?x64xf32, #x>, tensor<6x64xf32> -> tensor<?x6xf32, #y>
  return %0 : tensor<?x6xf32, #y>
}

// -----

// [in, out], cast to the working precision: one scale per column, one rounding.
// CHECK-DAG: nn.global @w.values : tensor<64x6xf8E4M3FN>
// CHECK-DAG: nn.global @w.scales : tensor<1x6xf32>
nn.global @w : tensor<64x6xf32> {kind = "param", quant = {element = "f8e4m3"}}

// CHECK-LABEL: func.func @columns
// CHECK-NOT: nn.cast
// CHECK: nn.dequantize %{{.*}} scales %{{.*}} : (tensor<64x6xf8E4M3FN>, tensor<1x6xf32>) -> tensor<64x6xbf16>
// CHECK-NOT: nn.cast
// CHECK: return
func.func @columns(%x: tensor<3x64xbf16>) -> tensor<3x6xbf16> attributes {nn.entry, nn.dims = []} {
  %w = nn.get @w : tensor<64x6xf32>
  %c = nn.cast %w : tensor<64x6xf32> -> tensor<64x6xbf16>
  %0 = nn.matmul %x, %c : tensor<3x64xbf16>, tensor<64x6xbf16> -> tensor<3x6xbf16>
  return %0 : tensor<3x6xbf16>
}

// -----

// A convolution sums over its window too; rows of a table have a scale each.
// CHECK-DAG: nn.global @k.scales : tensor<6x2x1x1xf32>
// CHECK-DAG: nn.global @t.scales : tensor<100x1xf32>
nn.global @k : tensor<6x4x3x3xf32> {kind = "param", quant = {element = "i8", group = 2}}
nn.global @t : tensor<100x8xf32> {kind = "param", quant = {element = "i8"}}

// CHECK-LABEL: func.func @others
// FORM-LABEL: func.func @others
// FORM: nn.kernel {{.*}}tensor<100x8xi8>
func.func @others(%x: tensor<1x4x8x8xf32>, %ids: tensor<5xi32>) -> (tensor<1x6x6x6xf32>, tensor<5x8xf32>) attributes {nn.entry, nn.dims = []} {
  %k = nn.get @k : tensor<6x4x3x3xf32>
  %t = nn.get @t : tensor<100x8xf32>
  %0 = nn.conv2d %x, %k {strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, dilation = array<i64: 1, 1>} : tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32> -> tensor<1x6x6x6xf32>
  %1 = nn.gather %t, %ids {axis = 0} : tensor<100x8xf32>, tensor<5xi32> -> tensor<5x8xf32>
  return %0, %1 : tensor<1x6x6x6xf32>, tensor<5x8xf32>
}

// -----

// Activations are rounded once for both products, with a scale per row.
nn.global @a : tensor<6x64xf32> {kind = "param", quant = {element = "i8", act = "i8"}}
nn.global @b : tensor<6x64xf32> {kind = "param", quant = {element = "i8", act = "i8"}}

// CHECK-LABEL: func.func @activations
// CHECK-SAME: %[[X:.*]]: tensor<3x64xf32>
// CHECK: %[[M:.*]] = nn.reduce max %{{.*}} {axes = array<i64: 1>}
// CHECK: %[[S:.*]] = nn.div %[[M]]
// CHECK: nn.round
// CHECK: %[[R:.*]] = nn.mul
// CHECK-NOT: nn.round
// CHECK: nn.matmul %[[R]], %{{.*}}
// CHECK: nn.matmul %[[R]], %{{.*}}
func.func @activations(%x: tensor<3x64xf32>) -> (tensor<3x6xf32>, tensor<3x6xf32>) attributes {nn.entry, nn.dims = []} {
  %a = nn.get @a : tensor<6x64xf32>
  %b = nn.get @b : tensor<6x64xf32>
  %0 = nn.matmul %x, %a {transpose_b} : tensor<3x64xf32>, tensor<6x64xf32> -> tensor<3x6xf32>
  %1 = nn.matmul %x, %b {transpose_b} : tensor<3x64xf32>, tensor<6x64xf32> -> tensor<3x6xf32>
  return %0, %1 : tensor<3x6xf32>, tensor<3x6xf32>
}

// -----

// Params that are stored in fewer bits are read like that, also transposed and packed.
nn.global @w : tensor<6x64xf8E5M2> {kind = "param"}
nn.global @q : tensor<64x3xi8> {kind = "param"}

// CHECK-LABEL: func.func @stored
// CHECK-NOT: nn.cast
// CHECK: %[[W:.*]] = nn.dequantize %{{.*}} : (tensor<6x64xf8E5M2>) -> tensor<6x64xf32>
// CHECK: nn.transpose %[[W]]
// CHECK: nn.dequantize %{{.*}} {packed} : (tensor<64x3xi8>) -> tensor<64x6xf32>
// CHECK-NOT: nn.cast
// CHECK: return
func.func @stored(%x: tensor<3x64xf32>) -> (tensor<3x6xf32>, tensor<3x6xf32>) attributes {nn.entry, nn.dims = []} {
  %w = nn.get @w : tensor<6x64xf8E5M2>
  %t = nn.transpose %w {permutation = array<i64: 1, 0>} : tensor<6x64xf8E5M2> -> tensor<64x6xf8E5M2>
  %c = nn.cast %t : tensor<64x6xf8E5M2> -> tensor<64x6xf32>
  %q = nn.get @q : tensor<64x3xi8>
  %u = nn.dequantize %q {packed} : (tensor<64x3xi8>) -> tensor<64x6xi8>
  %d = nn.cast %u : tensor<64x6xi8> -> tensor<64x6xf32>
  %0 = nn.matmul %x, %c : tensor<3x64xf32>, tensor<64x6xf32> -> tensor<3x6xf32>
  %1 = nn.matmul %x, %d : tensor<3x64xf32>, tensor<64x6xf32> -> tensor<3x6xf32>
  return %0, %1 : tensor<3x6xf32>, tensor<3x6xf32>
}
