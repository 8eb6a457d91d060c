func.func @f(%q: tensor<2x4x5x3xf32>, %k: tensor<2x2x5x3xf32>, %v: tensor<2x2x5x3xf32>) -> tensor<2x4x5x3xf32> {
  %y = nn.attention %q, %k, %v {causal} : (tensor<2x4x5x3xf32>, tensor<2x2x5x3xf32>, tensor<2x2x5x3xf32>) -> tensor<2x4x5x3xf32>
  return %y : tensor<2x4x5x3xf32>
}
