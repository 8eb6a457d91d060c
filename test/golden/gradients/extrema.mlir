func.func @f(%a: tensor<12xf32>, %b: tensor<12xf32>) -> (tensor<12xf32>, tensor<12xf32>) {
  %y = nn.max %a, %b : tensor<12xf32>
  %z = nn.min %a, %b : tensor<12xf32>
  return %y, %z : tensor<12xf32>, tensor<12xf32>
}
