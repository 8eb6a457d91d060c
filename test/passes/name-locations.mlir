// RUN: nnc-opt %s --inline --symbol-dce --nn-name-locations --mlir-print-debuginfo --mlir-print-local-scope | FileCheck %s

// The paths of calls are joined, outermost first. The position is the innermost in the file of the
// outermost call.
// CHECK: func.func @forward
// CHECK: nn.exp %{{.*}} loc("layers.2.conv1.exp"("m.nn":12:5))
// CHECK: nn.tanh %{{.*}} loc("layers.2"("m.nn":9:4))
// CHECK: nn.abs %{{.*}} loc("m.nn":5:6)
// CHECK-NOT: @layer
func.func private @layer(%x: tensor<8xf32>) -> tensor<8xf32> {
  %0 = func.call @conv(%x) : (tensor<8xf32>) -> tensor<8xf32> loc("conv1"("m.nn":12:5))
  return %0 : tensor<8xf32>
}
func.func private @conv(%x: tensor<8xf32>) -> tensor<8xf32> {
  %0 = nn.exp %x : tensor<8xf32> loc("exp"("prelude/math.nn":30:4))
  return %0 : tensor<8xf32>
}
func.func @forward(%x: tensor<8xf32>) -> tensor<8xf32> attributes {nn.entry, nn.dims = []} {
  %0 = func.call @layer(%x) : (tensor<8xf32>) -> tensor<8xf32> loc("layers.2"("m.nn":9:4))
  %1 = nn.tanh %0 : tensor<8xf32> loc(fused["layers.2"("m.nn":9:4), "other"])
  %2 = nn.abs %1 : tensor<8xf32> loc("m.nn":5:6)
  return %2 : tensor<8xf32>
}

// What is called with @remat is named by the outermost such call.
// CHECK: func.func @again
// CHECK: nn.exp %{{.*}} {nn.remat = "layers.3:9:4"} {{.*}} loc("layers.3.conv1.exp"("m.nn":12:5))
// CHECK: nn.abs %{{[0-9]*}} : tensor<8xf32> loc("abs"("m.nn":5:6))
func.func @again(%x: tensor<8xf32>) -> tensor<8xf32> attributes {nn.entry, nn.dims = []} {
  %0 = func.call @layer(%x) : (tensor<8xf32>) -> tensor<8xf32> loc(fused<"remat">["layers.3"("m.nn":9:4)])
  %1 = nn.abs %0 : tensor<8xf32> loc("abs"("m.nn":5:6))
  return %1 : tensor<8xf32>
}
