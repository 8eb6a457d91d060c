func.func @f(%x: tensor<3x4x5xf32>) -> (tensor<4xf32>, tensor<3x4xf32>) {
  %y = nn.reduce max %x {axes = array<i64: 0, 2>} : tensor<3x4x5xf32> -> tensor<4xf32>
  %z = nn.reduce min %x {axes = array<i64: 2>} : tensor<3x4x5xf32> -> tensor<3x4xf32>
  return %y, %z : tensor<4xf32>, tensor<3x4xf32>
}
