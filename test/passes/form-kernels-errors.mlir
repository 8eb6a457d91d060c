// RUN: nnc-opt %s --split-input-file --verify-diagnostics --nn-form-kernels

func.func @foreign(%x: tensor<8xf32>) -> tensor<8xf32> attributes {nn.entry, nn.dims = []} {
  // expected-error @below {{'math.exp' op cannot be part of a kernel}}
  %0 = math.exp %x : tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

// expected-error @below {{'func.func' op must have one block to form kernels}}
func.func @blocks(%x: tensor<8xf32>) -> tensor<8xf32> attributes {nn.entry, nn.dims = []} {
  cf.br ^bb1
^bb1:
  return %x : tensor<8xf32>
}
