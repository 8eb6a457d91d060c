// RUN: nnc-opt %s --nn-pipeline --nn-form-kernels=target=cpu | FileCheck %s
// RUN: nnc-opt %s --nn-pipeline=target=cuda --nn-form-kernels=target=cuda | FileCheck %s --check-prefixes=CUDA
// RUN: nnc-opt %s --nn-pipeline --nn-kernel-pipeline=target=cpu | FileCheck %s --check-prefix=LOWERED
// RUN: nnc-opt %s --nn-pipeline=target=cuda --nn-kernel-pipeline=target=cuda | FileCheck %s --check-prefix=LOWERED

// All of LeNet: two convolutions, two poolings, three products.
// CHECK: %[[C1:.*]] = nn.kernel "conv1"(%arg0, {{.*}}anchor = "convolution"
// CHECK: %[[P1:.*]] = nn.kernel "pool2d"(%[[C1]] {{.*}}anchor = "window"
// CHECK: %[[C2:.*]] = nn.kernel "conv2"(%[[P1]], {{.*}}anchor = "convolution"
// CHECK: %[[P2:.*]] = nn.kernel "pool2d_2"(%[[C2]] {{.*}}anchor = "window"
// CHECK: %[[R:.*]] = nn.reshape %[[P2]]
// CHECK: %[[F1:.*]] = nn.kernel "fc1"(%[[R]], {{.*}}anchor = "contraction"
// CHECK: %[[F2:.*]] = nn.kernel "fc2"(%[[F1]], {{.*}}anchor = "contraction"
// CHECK: %[[F3:.*]] = nn.kernel "fc3"(%[[F2]], {{.*}}anchor = "contraction"
// CHECK: return %[[F3]]

// The small products take the tanh in, which the library has not; the last one is the library's.
// CUDA: nn.kernel "fc1"
// CUDA: %[[F2:.*]] = nn.kernel "fc2"
// CUDA: %[[F3:.*]] = nn.gemm %[[F2]], %{{.*}} bias %{{.*}} {transpose_b}
// CUDA: return %[[F3]]

// LOWERED: tensor.pad
// LOWERED: linalg.conv_2d_nchw_fchw
// LOWERED: math.tanh
// LOWERED-NOT: nn.tanh
// LOWERED: return

#in = affine_map<()[s0] -> (s0, 1, 28, 28)>
#c1 = affine_map<()[s0] -> (s0, 6, 28, 28)>
#p1 = affine_map<()[s0] -> (s0, 6, 14, 14)>
#c2 = affine_map<()[s0] -> (s0, 16, 10, 10)>
#p2 = affine_map<()[s0] -> (s0, 16, 5, 5)>
#f0 = affine_map<()[s0] -> (s0, 400)>
#f1 = affine_map<()[s0] -> (s0, 120)>
#f2 = affine_map<()[s0] -> (s0, 84)>
#f3 = affine_map<()[s0] -> (s0, 10)>
nn.global @"conv1.weight" : tensor<6x1x5x5xf32> {kind = "param", keys = ["conv1.weight"]}
nn.global @"conv1.bias" : tensor<6xf32> {kind = "param", keys = ["conv1.bias"]}
nn.global @"conv2.weight" : tensor<16x6x5x5xf32> {kind = "param", keys = ["conv2.weight"]}
nn.global @"conv2.bias" : tensor<16xf32> {kind = "param", keys = ["conv2.bias"]}
nn.global @"fc1.weight" : tensor<120x400xf32> {kind = "param", keys = ["fc1.weight"]}
nn.global @"fc1.bias" : tensor<120xf32> {kind = "param", keys = ["fc1.bias"]}
nn.global @"fc2.weight" : tensor<84x120xf32> {kind = "param", keys = ["fc2.weight"]}
nn.global @"fc2.bias" : tensor<84xf32> {kind = "param", keys = ["fc2.bias"]}
nn.global @"fc3.weight" : tensor<10x84xf32> {kind = "param", keys = ["fc3.weight"]}
nn.global @"fc3.bias" : tensor<10xf32> {kind = "param", keys = ["fc3.bias"]}
func.func @forward(%image: tensor<?x1x28x28xf32, #in> {nn.name = "image"}) -> (tensor<?x10xf32, #f3> {nn.name = "logits"})
    attributes {nn.entry, nn.dims = ["B"], nn.ranges = [array<i64: 1, 1024>]} {
  %w1 = nn.get @"conv1.weight" : tensor<6x1x5x5xf32>
  %b1 = nn.get @"conv1.bias" : tensor<6xf32>
  %0 = nn.conv2d %image, %w1 {strides = array<i64: 1, 1>, padding = array<i64: 2, 2, 2, 2>, dilation = array<i64: 1, 1>, groups = 1 : i64}
      : tensor<?x1x28x28xf32, #in>, tensor<6x1x5x5xf32> -> tensor<?x6x28x28xf32, #c1> loc("conv1.conv2d"("lenet.nn":3:11))
  %1 = nn.broadcast %b1 {dims = array<i64: 1>} : tensor<6xf32> -> tensor<?x6x28x28xf32, #c1>
  %2 = nn.add %0, %1 : tensor<?x6x28x28xf32, #c1> loc("conv1.conv2d"("lenet.nn":3:11))
  %3 = nn.tanh %2 : tensor<?x6x28x28xf32, #c1>
  %4 = nn.pool2d avg %3 {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, padding = array<i64: 0, 0, 0, 0>}
      : tensor<?x6x28x28xf32, #c1> -> tensor<?x6x14x14xf32, #p1>
  %w2 = nn.get @"conv2.weight" : tensor<16x6x5x5xf32>
  %b2 = nn.get @"conv2.bias" : tensor<16xf32>
  %5 = nn.conv2d %4, %w2 {strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, dilation = array<i64: 1, 1>, groups = 1 : i64}
      : tensor<?x6x14x14xf32, #p1>, tensor<16x6x5x5xf32> -> tensor<?x16x10x10xf32, #c2> loc("conv2.conv2d"("lenet.nn":4:11))
  %6 = nn.broadcast %b2 {dims = array<i64: 1>} : tensor<16xf32> -> tensor<?x16x10x10xf32, #c2>
  %7 = nn.add %5, %6 : tensor<?x16x10x10xf32, #c2>
  %8 = nn.tanh %7 : tensor<?x16x10x10xf32, #c2>
  %9 = nn.pool2d avg %8 {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, padding = array<i64: 0, 0, 0, 0>}
      : tensor<?x16x10x10xf32, #c2> -> tensor<?x16x5x5xf32, #p2>
  %10 = nn.reshape %9 : tensor<?x16x5x5xf32, #p2> -> tensor<?x400xf32, #f0>
  %w3 = nn.get @"fc1.weight" : tensor<120x400xf32>
  %b3 = nn.get @"fc1.bias" : tensor<120xf32>
  %11 = nn.matmul %10, %w3 {transpose_b} : tensor<?x400xf32, #f0>, tensor<120x400xf32> -> tensor<?x120xf32, #f1> loc("fc1.matmul"("lenet.nn":5:9))
  %12 = nn.broadcast %b3 {dims = array<i64: 1>} : tensor<120xf32> -> tensor<?x120xf32, #f1>
  %13 = nn.add %11, %12 : tensor<?x120xf32, #f1>
  %14 = nn.tanh %13 : tensor<?x120xf32, #f1>
  %w4 = nn.get @"fc2.weight" : tensor<84x120xf32>
  %b4 = nn.get @"fc2.bias" : tensor<84xf32>
  %15 = nn.matmul %14, %w4 {transpose_b} : tensor<?x120xf32, #f1>, tensor<84x120xf32> -> tensor<?x84xf32, #f2> loc("fc2.matmul"("lenet.nn":6:9))
  %16 = nn.broadcast %b4 {dims = array<i64: 1>} : tensor<84xf32> -> tensor<?x84xf32, #f2>
  %17 = nn.add %15, %16 : tensor<?x84xf32, #f2>
  %18 = nn.tanh %17 : tensor<?x84xf32, #f2>
  %w5 = nn.get @"fc3.weight" : tensor<10x84xf32>
  %b5 = nn.get @"fc3.bias" : tensor<10xf32>
  %19 = nn.matmul %18, %w5 {transpose_b} : tensor<?x84xf32, #f2>, tensor<10x84xf32> -> tensor<?x10xf32, #f3> loc("fc3.matmul"("lenet.nn":7:9))
  %20 = nn.broadcast %b5 {dims = array<i64: 1>} : tensor<10xf32> -> tensor<?x10xf32, #f3>
  %21 = nn.add %19, %20 : tensor<?x10xf32, #f3>
  return %21 : tensor<?x10xf32, #f3>
}
