// torch.nn.LSTM, batch first: gates are input, forget, cell, output.
func.func @f(%x: tensor<2x4x3xf32>, %wi: tensor<8x3xf32>, %wh: tensor<8x2xf32>, %b: tensor<8xf32>) -> tensor<2x4x2xf32> {
  %z = nn.full 0.0 : f32 -> tensor<2x2xf32>
  %h, %c, %ys = nn.scan 0 length affine_map<() -> (4)> init(%z, %z : tensor<2x2xf32>, tensor<2x2xf32>) -> (tensor<2x2xf32>, tensor<2x2xf32>, tensor<4x2x2xf32>) {
  ^bb0(%hp: tensor<2x2xf32>, %cp: tensor<2x2xf32>):
    %xs = nn.slice %x start affine_map<()[s0] -> (0, s0, 0)> step [1, 1, 1] : tensor<2x4x3xf32> -> tensor<2x1x3xf32>
    %xt = nn.reshape %xs : tensor<2x1x3xf32> -> tensor<2x3xf32>
    %p = nn.matmul %xt, %wi {transpose_b} : tensor<2x3xf32>, tensor<8x3xf32> -> tensor<2x8xf32>
    %q = nn.matmul %hp, %wh {transpose_b} : tensor<2x2xf32>, tensor<8x2xf32> -> tensor<2x8xf32>
    %s = nn.add %p, %q : tensor<2x8xf32>
    %bb = nn.broadcast %b {dims = array<i64: 1>} : tensor<8xf32> -> tensor<2x8xf32>
    %t = nn.add %s, %bb : tensor<2x8xf32>
    %half = nn.full 0.5 : f32 -> tensor<2x8xf32>
    %th = nn.mul %t, %half : tensor<2x8xf32>
    %tt = nn.tanh %th : tensor<2x8xf32>
    %t2 = nn.mul %tt, %half : tensor<2x8xf32>
    %g = nn.add %t2, %half : tensor<2x8xf32>
    %i = nn.slice %g start affine_map<() -> (0, 0)> step [1, 1] : tensor<2x8xf32> -> tensor<2x2xf32>
    %f = nn.slice %g start affine_map<() -> (0, 2)> step [1, 1] : tensor<2x8xf32> -> tensor<2x2xf32>
    %gp = nn.slice %t start affine_map<() -> (0, 4)> step [1, 1] : tensor<2x8xf32> -> tensor<2x2xf32>
    %o = nn.slice %g start affine_map<() -> (0, 6)> step [1, 1] : tensor<2x8xf32> -> tensor<2x2xf32>
    %gt = nn.tanh %gp : tensor<2x2xf32>
    %fc = nn.mul %f, %cp : tensor<2x2xf32>
    %ig = nn.mul %i, %gt : tensor<2x2xf32>
    %cn = nn.add %fc, %ig : tensor<2x2xf32>
    %ct = nn.tanh %cn : tensor<2x2xf32>
    %hn = nn.mul %o, %ct : tensor<2x2xf32>
    nn.yield %hn, %cn, %hn : tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>
  }
  %y = nn.transpose %ys {permutation = array<i64: 1, 0, 2>} : tensor<4x2x2xf32> -> tensor<2x4x2xf32>
  return %y : tensor<2x4x2xf32>
}
