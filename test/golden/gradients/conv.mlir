// Padding that differs on every side, as of a padded input.
func.func @f(%x: tensor<2x4x9x8xf32>, %w: tensor<6x2x3x2xf32>) -> tensor<2x6x4x6xf32> {
  %y = nn.conv2d %x, %w {strides = array<i64: 2, 1>, padding = array<i64: 1, 2, 0, 1>, dilation = array<i64: 2, 3>, groups = 2 : i64} : tensor<2x4x9x8xf32>, tensor<6x2x3x2xf32> -> tensor<2x6x4x6xf32>
  return %y : tensor<2x6x4x6xf32>
}
