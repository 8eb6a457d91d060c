func.func @f(%x: tensor<2x2x7x8xf32>) -> tensor<2x2x4x4xf32> {
  %y = nn.pool2d max %x {kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, padding = array<i64: 1, 1, 1, 1>} : tensor<2x2x7x8xf32> -> tensor<2x2x4x4xf32>
  return %y : tensor<2x2x4x4xf32>
}
