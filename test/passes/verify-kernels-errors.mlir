// RUN: nnc-opt %s --split-input-file --verify-diagnostics --nn-verify-kernels

func.func @outside(%x: tensor<8xf32>) -> tensor<8xf32> attributes {nn.entry, nn.dims = []} {
  // expected-error @below {{'nn.exp' op is outside of a kernel in 'outside'}}
  %0 = nn.exp %x : tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

func.func @not_lowered(%x: tensor<8xf32>) -> tensor<8xf32> attributes {nn.entry, nn.dims = []} {
  %0 = nn.kernel "k"(%x : tensor<8xf32>) -> (tensor<8xf32>) attributes {anchor = "pointwise"} {
  ^bb0(%a: tensor<8xf32>):
    // expected-error @below {{'nn.exp' op must have been lowered in kernel 'k'}}
    %1 = nn.exp %a : tensor<8xf32>
    nn.yield %1 : tensor<8xf32>
  }
  return %0 : tensor<8xf32>
}

// -----

#d = affine_map<()[s0] -> (s0)>
func.func @encoded(%x: tensor<?xf32, #d>) -> tensor<?xf32, #d> attributes {nn.entry, nn.dims = ["B"]} {
  // expected-error @below {{'nn.kernel' op has an argument with dimensions: 'tensor<?xf32, affine_map<()[s0] -> (s0)>>'}}
  %0 = nn.kernel "k"(%x : tensor<?xf32, #d>) -> (tensor<?xf32, #d>) attributes {anchor = "pointwise"} {
  ^bb0(%a: tensor<?xf32, #d>):
    nn.yield %a : tensor<?xf32, #d>
  }
  return %0 : tensor<?xf32, #d>
}

// -----

func.func @dimension(%x: tensor<8xf32>) -> tensor<8xf32> attributes {nn.entry, nn.dims = ["B"]} {
  %0 = nn.kernel "k"(%x : tensor<8xf32>) -> (tensor<8xf32>) attributes {anchor = "pointwise"} {
  ^bb0(%a: tensor<8xf32>):
    // expected-error @below {{'nn.symbol' op reads dimension 1 of an entry point that has 1}}
    %1 = nn.symbol 1 : index
    nn.yield %a : tensor<8xf32>
  }
  return %0 : tensor<8xf32>
}

// -----

#id = affine_map<(d0) -> (d0)>
#none = affine_map<(d0) -> ()>
func.func @anchor(%x: tensor<8xf32>) -> tensor<f32> attributes {nn.entry, nn.dims = []} {
  // expected-error @below {{'nn.kernel' op with the anchor 'pointwise' has 1 ops that reduce}}
  %0 = nn.kernel "k"(%x : tensor<8xf32>) -> (tensor<f32>) attributes {anchor = "pointwise"} {
  ^bb0(%a: tensor<8xf32>):
    %zero = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<f32>
    %f = linalg.fill ins(%zero : f32) outs(%e : tensor<f32>) -> tensor<f32>
    %r = linalg.generic {indexing_maps = [#id, #none], iterator_types = ["reduction"]}
        ins(%a : tensor<8xf32>) outs(%f : tensor<f32>) {
    ^bb0(%in: f32, %out: f32):
      %s = arith.addf %in, %out : f32
      linalg.yield %s : f32
    } -> tensor<f32>
    nn.yield %r : tensor<f32>
  }
  return %0 : tensor<f32>
}
