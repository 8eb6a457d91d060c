// What has no gradient is said at its place.
// RUN: nnc-opt %s --split-input-file --verify-diagnostics --nn-differentiate

#w = affine_map<()[s0] -> (2, 2, s0, 3)>
#y = affine_map<()[s0] -> (1, 2, 9 - s0, 6)>

func.func @window(%x: tensor<1x2x8x8xf32>, %w: tensor<2x2x?x3xf32, #w>) -> tensor<1x2x8x8xf32>
    attributes {nn.entry, nn.dims = ["K"], nn.ranges = [array<i64: 1, 8>]} {
  // expected-error @+1 {{not supported: gradients of a convolution whose window has sizes that are known at run time only are not supported yet}}
  %y = nn.conv2d %x, %w {strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, dilation = array<i64: 1, 1>} : tensor<1x2x8x8xf32>, tensor<2x2x?x3xf32, #w> -> tensor<1x2x?x6xf32, #y>
  %l = nn.reduce sum %y {axes = array<i64: 0, 1, 2, 3>} : tensor<1x2x?x6xf32, #y> -> tensor<f32>
  %g = nn.gradient %l wrt(%x : tensor<1x2x8x8xf32>) : tensor<f32>
  return %g : tensor<1x2x8x8xf32>
}

// -----

// An op of level 2 never stands here; it is one without a gradient.
func.func @gemm(%x: tensor<2x8xf32>, %w: tensor<8x4xf32>) -> tensor<8x4xf32>
    attributes {nn.entry, nn.dims = []} {
  // expected-error @+1 {{not supported: `gemm` has no gradient, but the loss depends on a parameter through it}}
  %y = nn.gemm %x, %w : (tensor<2x8xf32>, tensor<8x4xf32>) -> tensor<2x4xf32>
  %l = nn.reduce sum %y {axes = array<i64: 0, 1>} : tensor<2x4xf32> -> tensor<f32>
  %g = nn.gradient %l wrt(%w : tensor<8x4xf32>) : tensor<f32>
  return %g : tensor<8x4xf32>
}

// -----

func.func @loop(%x: tensor<4xf32>) -> tensor<4xf32> attributes {nn.entry, nn.dims = ["t"], nn.kinds = ["loop"]} {
  %0 = nn.scan 0 length affine_map<() -> (3)> init(%x : tensor<4xf32>) -> (tensor<4xf32>) {
  ^bb0(%h: tensor<4xf32>):
    %l = nn.reduce sum %h {axes = array<i64: 0>} : tensor<4xf32> -> tensor<f32>
    // expected-error @+1 {{'nn.gradient' op must not be in a loop}}
    %g = nn.gradient %l wrt(%h : tensor<4xf32>) : tensor<f32>
    nn.yield %g : tensor<4xf32>
  }
  return %0 : tensor<4xf32>
}
