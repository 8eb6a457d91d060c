func.func @f(%t: tensor<6x4xf32>, %i: tensor<3x5xi64>) -> tensor<3x5x4xf32> {
  %y = nn.gather %t, %i {axis = 0 : i64} : tensor<6x4xf32>, tensor<3x5xi64> -> tensor<3x5x4xf32>
  return %y : tensor<3x5x4xf32>
}
