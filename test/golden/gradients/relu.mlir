func.func @f(%x: tensor<9xf32>) -> tensor<9xf32> {
  %z = nn.full 0.0 : f32 -> tensor<9xf32>
  %y = nn.max %x, %z : tensor<9xf32>
  return %y : tensor<9xf32>
}
