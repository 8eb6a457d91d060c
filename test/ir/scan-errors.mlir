// RUN: nnc-opt %s --split-input-file --verify-diagnostics

func.func @length(%h0: tensor<4xf32>) {
  // expected-error@+1 {{'nn.scan' op expected a length without dims, with one result and without the counter, found affine_map<()[s0] -> (s0 + 1)>}}
  %0 = nn.scan 0 length affine_map<()[s0] -> (s0 + 1)> init(%h0 : tensor<4xf32>) -> (tensor<4xf32>) {
  ^bb0(%h: tensor<4xf32>):
    nn.yield %h : tensor<4xf32>
  }
  return
}

// -----

func.func @carried_result(%h0: tensor<4xf32>) {
  // expected-error@+1 {{'nn.scan' op expected a carried result of type 'tensor<4xf32>', found 'tensor<5xf32>'}}
  %0 = nn.scan 1 length affine_map<()[s0] -> (s0)> init(%h0 : tensor<4xf32>) -> (tensor<5xf32>) {
  ^bb0(%h: tensor<4xf32>):
    nn.yield %h : tensor<4xf32>
  }
  return
}

// -----

func.func @carried_yield(%h0: tensor<4xf32>, %x: tensor<5xf32>) {
  %0 = nn.scan 1 length affine_map<()[s0] -> (s0)> init(%h0 : tensor<4xf32>) -> (tensor<4xf32>) {
  ^bb0(%h: tensor<4xf32>):
    // expected-error@+1 {{'nn.yield' op expected value 0 of type 'tensor<4xf32>', found 'tensor<5xf32>'}}
    nn.yield %x : tensor<5xf32>
  }
  return
}

// -----

func.func @arguments(%h0: tensor<4xf32>) {
  // expected-error@+1 {{'nn.scan' op expected block arguments of the types of the initial values}}
  %0 = nn.scan 1 length affine_map<()[s0] -> (s0)> init(%h0 : tensor<4xf32>) -> (tensor<4xf32>) {
  ^bb0(%h: tensor<5xf32>):
    nn.yield %h0 : tensor<4xf32>
  }
  return
}

// -----

func.func @stacked(%x: tensor<4xf32>) {
  // expected-error@+1 {{'nn.scan' op expected a stacked result of 3 times 'tensor<4xf32>', found 'tensor<2x4xf32>'}}
  %0 = nn.scan 1 length affine_map<() -> (3)> -> (tensor<2x4xf32>) {
    nn.yield %x : tensor<4xf32>
  }
  return
}

// -----

func.func @yields(%x: tensor<4xf32>) {
  // expected-error@+1 {{'nn.scan' op expected a body that ends in an nn.yield of 1 values}}
  %0 = nn.scan 1 length affine_map<() -> (3)> -> (tensor<3x4xf32>) {
    nn.yield %x, %x : tensor<4xf32>, tensor<4xf32>
  }
  return
}
