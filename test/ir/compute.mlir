// Textual round trip of reductions, contractions and windows.
// RUN: nnc-opt %s | nnc-opt | FileCheck %s
// RUN: nnc-opt %s --mlir-print-op-generic | nnc-opt | FileCheck %s

// CHECK-LABEL: @reductions
func.func @reductions(%x: tensor<4x8xf32>) {
  // CHECK: nn.reduce sum %{{.*}} {axes = array<i64: 1>} : tensor<4x8xf32> -> tensor<4xf32>
  %0 = nn.reduce sum %x {axes = array<i64: 1>} : tensor<4x8xf32> -> tensor<4xf32>
  // CHECK: nn.reduce mean %{{.*}} {axes = array<i64: 0, 1>} : tensor<4x8xf32> -> tensor<f32>
  %1 = nn.reduce mean %x {axes = array<i64: 0, 1>} : tensor<4x8xf32> -> tensor<f32>
  // CHECK: nn.reduce max
  %2 = nn.reduce max %x {axes = array<i64: 0>} : tensor<4x8xf32> -> tensor<8xf32>
  // CHECK: nn.reduce min
  %3 = nn.reduce min %x {axes = array<i64: 0>} : tensor<4x8xf32> -> tensor<8xf32>
  // CHECK: nn.argreduce max %{{.*}} {axis = 1 : i64} : tensor<4x8xf32> -> tensor<4xi32>
  %4 = nn.argreduce max %x {axis = 1} : tensor<4x8xf32> -> tensor<4xi32>
  // CHECK: nn.argreduce min
  %5 = nn.argreduce min %x {axis = 1} : tensor<4x8xf32> -> tensor<4xi32>
  // CHECK: nn.softmax %{{.*}} {axis = 1 : i64} : tensor<4x8xf32>
  %6 = nn.softmax %x {axis = 1} : tensor<4x8xf32>
  // CHECK: nn.log_softmax %{{.*}} {axis = 0 : i64} : tensor<4x8xf32>
  %7 = nn.log_softmax %x {axis = 0} : tensor<4x8xf32>
  return
}

#in = affine_map<()[s0] -> (s0, 3, 28, 28)>
#out = affine_map<()[s0] -> (s0, 6, 14, 14)>
// CHECK-LABEL: @contractions
func.func @contractions(%x: tensor<4x8xf32>, %w: tensor<5x8xf32>, %image: tensor<?x3x28x28xf32, #in>,
                        %kernel: tensor<6x3x5x5xf32>, %b: tensor<2x8x4xf32>) {
  // CHECK: nn.matmul %{{.*}}, %{{.*}} {transpose_b} : tensor<4x8xf32>, tensor<5x8xf32> -> tensor<4x5xf32>
  %0 = nn.matmul %x, %w {transpose_b} : tensor<4x8xf32>, tensor<5x8xf32> -> tensor<4x5xf32>
  // CHECK: nn.matmul %{{.*}}, %{{.*}} {transpose_a} : tensor<2x8x4xf32>, tensor<2x8x4xf32> -> tensor<2x4x4xf32>
  %1 = nn.matmul %b, %b {transpose_a} : tensor<2x8x4xf32>, tensor<2x8x4xf32> -> tensor<2x4x4xf32>
  // CHECK: nn.matmul %{{.*}}, %{{.*}} : tensor<4x8xbf16>, tensor<8x4xbf16> -> tensor<4x4xf32>
  %h = nn.full 1.0 : bf16 -> tensor<4x8xbf16>
  %v = nn.full 1.0 : bf16 -> tensor<8x4xbf16>
  %w1 = nn.matmul %h, %v : tensor<4x8xbf16>, tensor<8x4xbf16> -> tensor<4x4xf32>
  // CHECK: nn.conv2d %{{.*}}, %{{.*}} {dilation = array<i64: 1, 1>, padding = array<i64: 2, 2, 2, 2>, strides = array<i64: 2, 2>}
  // CHECK-SAME: : tensor<?x3x28x28xf32, #{{.*}}>, tensor<6x3x5x5xf32> -> tensor<?x6x14x14xf32, #{{.*}}>
  %2 = nn.conv2d %image, %kernel {strides = array<i64: 2, 2>, padding = array<i64: 2, 2, 2, 2>,
                                  dilation = array<i64: 1, 1>}
      : tensor<?x3x28x28xf32, #in>, tensor<6x3x5x5xf32> -> tensor<?x6x14x14xf32, #out>
  // CHECK: nn.pool2d max %{{.*}} {kernel = array<i64: 2, 2>, padding = array<i64: 0, 0, 0, 0>, strides = array<i64: 2, 2>}
  %3 = nn.pool2d max %2 {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>,
                         padding = array<i64: 0, 0, 0, 0>}
      : tensor<?x6x14x14xf32, #out> -> tensor<?x6x7x7xf32, affine_map<()[s0] -> (s0, 6, 7, 7)>>
  // CHECK: nn.pool2d avg
  %4 = nn.pool2d avg %2 {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>,
                         padding = array<i64: 1, 1, 1, 1>}
      : tensor<?x6x14x14xf32, #out> -> tensor<?x6x14x14xf32, #out>
  // CHECK: nn.winograd_conv2d %{{.*}}, %{{.*}} {padding = array<i64: 1, 1, 1, 0>, tile = 2 : i64} : tensor<?x3x28x28xf32, #{{.*}}>, tensor<4x6x3x3xf32> -> tensor<?x6x28x27xf32, #{{.*}}>
  %combined = nn.full 1.0 : f32 -> tensor<4x6x3x3xf32>
  %5 = nn.winograd_conv2d %image, %combined {tile = 2 : i64, padding = array<i64: 1, 1, 1, 0>}
      : tensor<?x3x28x28xf32, #in>, tensor<4x6x3x3xf32> -> tensor<?x6x28x27xf32, affine_map<()[s0] -> (s0, 6, 28, 27)>>
  return
}

#q = affine_map<()[s0, s1] -> (s0, 4, s1, 64)>
#k = affine_map<()[s0, s1] -> (s0, 2, 128, 64)>
#m = affine_map<()[s0, s1] -> (s0, 4, s1, 128)>
!q = tensor<?x4x?x64xf32, #q>
!k = tensor<?x2x128x64xf32, #k>
!m = tensor<?x4x?x128xi1, #m>
!l = tensor<?x4x?xf32, affine_map<()[s0, s1] -> (s0, 4, s1)>>
// CHECK-LABEL: @attention
func.func @attention(%q: !q, %k: !k, %m: !m, %o: tensor<i32>) {
  // CHECK: nn.attention %{{.*}}, %{{.*}}, %{{.*}} : (tensor<?x4x?x64xf32, #{{.*}}>, tensor<?x2x128x64xf32, #{{.*}}>, tensor<?x2x128x64xf32, #{{.*}}>) -> tensor<?x4x?x64xf32, #{{.*}}>
  %0 = nn.attention %q, %k, %k : (!q, !k, !k) -> !q
  // CHECK: nn.attention %{{.*}}, %{{.*}}, %{{.*}} mask %{{.*}} offset %{{.*}} {causal} :
  %1 = nn.attention %q, %k, %k mask %m offset %o {causal} : (!q, !k, !k, !m, tensor<i32>) -> !q
  // CHECK: nn.attention {{.*}} -> (tensor<?x4x?x64xf32, #{{.*}}>, tensor<?x4x?xf32, #{{.*}}>)
  %2:2 = nn.attention %q, %k, %k : (!q, !k, !k) -> (!q, !l)
  // CHECK: nn.attention_grad %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} mask %{{.*}} offset %{{.*}} {causal} :
  %3:3 = nn.attention_grad %q, %k, %k, %2#0, %2#1, %2#1 mask %m offset %o {causal}
      : (!q, !k, !k, !q, !l, !l, !m, tensor<i32>) -> (!q, !k, !k)
  return
}
