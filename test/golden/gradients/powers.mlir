func.func @f(%a: tensor<8xf32>, %b: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) {
  %y = nn.pow %a, %b : tensor<8xf32>
  %n = nn.full 3.0 : f32 -> tensor<8xf32>
  %z = nn.pow %a, %n : tensor<8xf32>
  %one = nn.full 1.0 : f32 -> tensor<8xf32>
  %d = nn.add %a, %one : tensor<8xf32>
  %r = nn.mod %b, %d : tensor<8xf32>
  return %y, %z, %r : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>
}
