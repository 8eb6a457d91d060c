// Textual round trip, and the form that code generators get.
// RUN: nnc-opt %s | nnc-opt | FileCheck %s
// RUN: nnc-opt %s --mlir-print-op-generic | nnc-opt | FileCheck %s
// RUN: nnc-opt %s --nn-lower-to-linalg=functions | FileCheck %s --check-prefix=LINALG

// CHECK-LABEL: @dequantize
func.func @dequantize(%q: tensor<6x32xi8>, %f: tensor<6x63xf8E4M3FN>) {
  // CHECK: nn.dequantize %{{.*}} {packed} : (tensor<6x32xi8>) -> tensor<6x63xi8>
  %0 = nn.dequantize %q {packed} : (tensor<6x32xi8>) -> tensor<6x63xi8>
  // CHECK: nn.dequantize %{{.*}} : (tensor<6x63xf8E4M3FN>) -> tensor<6x63xf32>
  %1 = nn.dequantize %f : (tensor<6x63xf8E4M3FN>) -> tensor<6x63xf32>
  return
}

// Scales hold for runs, bytes for two numbers: the maps say for which.
// LINALG-DAG: #[[ID:.*]] = affine_map<(d0, d1) -> (d0, d1)>
// LINALG-DAG: #[[BYTES:.*]] = affine_map<(d0, d1) -> (d0, d1 floordiv 2)>
// LINALG-DAG: #[[RUNS:.*]] = affine_map<(d0, d1) -> (d0, d1 floordiv 6)>
// CHECK-LABEL: @groups
// LINALG-LABEL: func.func @groups
func.func @groups(%q: tensor<4x9xi8>, %s: tensor<4x3xf32>, %z: tensor<4x3xf32>) -> tensor<4x17xbf16> {
  // CHECK: nn.dequantize %{{.*}} scales %{{.*}} zeros %{{.*}} {group = 6 : i64, packed} : (tensor<4x9xi8>, tensor<4x3xf32>, tensor<4x3xf32>) -> tensor<4x17xbf16>
  // LINALG: linalg.generic {indexing_maps = [#[[BYTES]], #[[RUNS]], #[[RUNS]], #[[ID]]]
  // LINALG: linalg.index 1
  // LINALG: arith.shli
  // LINALG: arith.shrsi
  // LINALG: %[[Q:.*]] = arith.sitofp
  // LINALG: %[[SHIFTED:.*]] = arith.subf %[[Q]]
  // LINALG: %[[W:.*]] = arith.mulf %[[SHIFTED]]
  // LINALG: arith.truncf %[[W]] : f32 to bf16
  %0 = nn.dequantize %q scales %s zeros %z {group = 6, packed}
      : (tensor<4x9xi8>, tensor<4x3xf32>, tensor<4x3xf32>) -> tensor<4x17xbf16>
  return %0 : tensor<4x17xbf16>
}
