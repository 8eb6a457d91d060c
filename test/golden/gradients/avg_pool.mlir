func.func @f(%x: tensor<1x2x7x8xf32>) -> tensor<1x2x4x4xf32> {
  %y = nn.pool2d avg %x {kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, padding = array<i64: 1, 1, 1, 1>} : tensor<1x2x7x8xf32> -> tensor<1x2x4x4xf32>
  return %y : tensor<1x2x4x4xf32>
}
