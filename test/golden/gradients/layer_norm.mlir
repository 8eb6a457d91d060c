func.func @f(%x: tensor<4x6xf32>, %g: tensor<6xf32>, %b: tensor<6xf32>) -> tensor<4x6xf32> {
  %m = nn.reduce mean %x {axes = array<i64: 1>} : tensor<4x6xf32> -> tensor<4xf32>
  %mb = nn.broadcast %m {dims = array<i64: 0>} : tensor<4xf32> -> tensor<4x6xf32>
  %c = nn.sub %x, %mb : tensor<4x6xf32>
  %q = nn.mul %c, %c : tensor<4x6xf32>
  %v = nn.reduce mean %q {axes = array<i64: 1>} : tensor<4x6xf32> -> tensor<4xf32>
  %e = nn.full 0.5 : f32 -> tensor<4xf32>
  %ve = nn.add %v, %e : tensor<4xf32>
  %r = nn.rsqrt %ve : tensor<4xf32>
  %rb = nn.broadcast %r {dims = array<i64: 0>} : tensor<4xf32> -> tensor<4x6xf32>
  %n = nn.mul %c, %rb : tensor<4x6xf32>
  %gb = nn.broadcast %g {dims = array<i64: 1>} : tensor<6xf32> -> tensor<4x6xf32>
  %s = nn.mul %n, %gb : tensor<4x6xf32>
  %bb = nn.broadcast %b {dims = array<i64: 1>} : tensor<6xf32> -> tensor<4x6xf32>
  %y = nn.add %s, %bb : tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}
