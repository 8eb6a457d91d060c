func.func @f(%x: tensor<5x7xf32>, %y: tensor<5xi64>) -> tensor<f32> {
  %p = nn.log_softmax %x {axis = 1 : i64} : tensor<5x7xf32>
  %k = nn.iota {axis = 1 : i64} : tensor<5x7xi64>
  %b = nn.broadcast %y {dims = array<i64: 0>} : tensor<5xi64> -> tensor<5x7xi64>
  %c = nn.cmp eq %k, %b : tensor<5x7xi64>
  %z = nn.full 0.0 : f32 -> tensor<5x7xf32>
  %s = nn.select %c, %p, %z : tensor<5x7xf32>
  %r = nn.reduce sum %s {axes = array<i64: 1>} : tensor<5x7xf32> -> tensor<5xf32>
  %m = nn.reduce mean %r {axes = array<i64: 0>} : tensor<5xf32> -> tensor<f32>
  %l = nn.neg %m : tensor<f32>
  return %l : tensor<f32>
}
