// RUN: nnc-opt %s --nn-kernel-pipeline=target=cuda | FileCheck %s
// RUN: nnc-opt %s --nn-kernel-pipeline=target=cpu | FileCheck %s --check-prefix=CPU
// CPU-NOT: nn.launch

nn.global @a : tensor<64x32xf32> {kind = "param"}
nn.global @b : tensor<32x16xf32> {kind = "param"}
nn.global @step : tensor<i32> {kind = "state"}

// Weights are rounded in one launch at the beginning, params and the count of steps are updated in one
// at the end. What the rate of learning depends on is read before it changes.
// CHECK-LABEL: func.func @train
// CHECK-DAG: %[[A:.*]] = nn.get @a
// CHECK-DAG: %[[B:.*]] = nn.get @b
// CHECK: nn.kernel {{.*}}(%[[A]] {{.*}}nn.launch = [[FIRST:[0-9]+]] : i64
// CHECK: nn.kernel {{.*}}(%[[B]] {{.*}}nn.launch = [[FIRST]] : i64
// CHECK: nn.gemm
// CHECK: nn.gemm
// CHECK: nn.kernel {{.*}}nn.launch = [[LAST:[0-9]+]] : i64
// CHECK: nn.kernel {{.*}}nn.launch = [[LAST]] : i64
// CHECK: nn.set
func.func @train(%x: tensor<8x64xbf16>, %ga: tensor<64x32xf32>, %gb: tensor<32x16xf32>) -> tensor<8x16xbf16> attributes {nn.entry, nn.dims = []} {
  %a = nn.get @a : tensor<64x32xf32>
  %b = nn.get @b : tensor<32x16xf32>
  %step = nn.get @step : tensor<i32>
  %a16 = nn.cast %a : tensor<64x32xf32> -> tensor<64x32xbf16>
  %h = nn.matmul %x, %a16 : tensor<8x64xbf16>, tensor<64x32xbf16> -> tensor<8x32xbf16>
  %b16 = nn.cast %b : tensor<32x16xf32> -> tensor<32x16xbf16>
  %y = nn.matmul %h, %b16 : tensor<8x32xbf16>, tensor<32x16xbf16> -> tensor<8x16xbf16>
  %a1 = nn.sub %a, %ga : tensor<64x32xf32>
  nn.set @a, %a1 : tensor<64x32xf32>
  %b1 = nn.sub %b, %gb : tensor<32x16xf32>
  nn.set @b, %b1 : tensor<32x16xf32>
  %one = nn.full 1 : i32 -> tensor<i32>
  %next = nn.add %step, %one : tensor<i32>
  nn.set @step, %next : tensor<i32>
  return %y : tensor<8x16xbf16>
}
