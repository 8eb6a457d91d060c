// RUN: nnc-opt %s -split-input-file -verify-diagnostics -o /dev/null

func.func @dequantize_shape(%q: tensor<4x8xi8>) {
  // expected-error @+1 {{'nn.dequantize' op expected values of the shape of 'tensor<4x17xf32>', found 'tensor<4x8xi8>'}}
  %0 = nn.dequantize %q {packed} : (tensor<4x8xi8>) -> tensor<4x17xf32>
  return
}

// -----

func.func @dequantize_scales(%q: tensor<4x8xi8>, %s: tensor<4x3xf32>) {
  // expected-error @+1 {{'nn.dequantize' op expected scales and zeros for the groups of 'tensor<4x8xf32>', found 'tensor<4x3xf32>'}}
  %0 = nn.dequantize %q scales %s {group = 4} : (tensor<4x8xi8>, tensor<4x3xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @dequantize_zeros(%q: tensor<4x8xi8>, %z: tensor<4x1xf32>) {
  // expected-error @+1 {{'nn.dequantize' op expected zeros only beside scales of the same type}}
  %0 = nn.dequantize %q zeros %z : (tensor<4x8xi8>, tensor<4x1xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @dequantize_integers(%q: tensor<4x8xi8>, %s: tensor<4x1xf32>) {
  // expected-error @+1 {{'nn.dequantize' op expected a result of floats, found 'tensor<4x8xi8>'}}
  %0 = nn.dequantize %q scales %s : (tensor<4x8xi8>, tensor<4x1xf32>) -> tensor<4x8xi8>
  return
}
