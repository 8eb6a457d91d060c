// What verifiers refuse, and in which words.
// RUN: nnc-opt %s -split-input-file -verify-diagnostics -o /dev/null

func.func @no_dims(%x: tensor<?xf32>) {
  // expected-error @+1 {{'nn.neg' op operand #0 must be tensor with known dimensions of}}
  %0 = nn.neg %x : tensor<?xf32>
  return
}

// -----

// A static size that the encoding contradicts.
func.func @lying_dims(%x: tensor<?x8xf32, affine_map<()[s0] -> (s0, 9)>>) {
  // expected-error @+1 {{'nn.neg' op operand #0 must be tensor with known dimensions of}}
  %0 = nn.neg %x : tensor<?x8xf32, affine_map<()[s0] -> (s0, 9)>>
  return
}

// -----

func.func @element(%x: tensor<4xi32>) {
  // expected-error @+1 {{'nn.exp' op operand #0 must be tensor with known dimensions of 32-bit float or 16-bit float or bfloat16 type values, but got 'tensor<4xi32>'}}
  %0 = nn.exp %x : tensor<4xi32>
  return
}

// -----

func.func @binary(%x: tensor<4xf32>, %y: tensor<5xf32>) {
  // expected-error @+1 {{'nn.add' op requires the same type for all operands and results}}
  %0 = "nn.add"(%x, %y) : (tensor<4xf32>, tensor<5xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @cmp(%x: tensor<4xf32>) {
  // expected-error @+1 {{'nn.cmp' op failed to verify that result has the operands' dimensions and element type i1}}
  %0 = "nn.cmp"(%x, %x) <{predicate = #nn<cmp lt>}> : (tensor<4xf32>, tensor<4xf32>) -> tensor<5xi1>
  return
}

// -----

func.func @select(%c: tensor<5xi1>, %x: tensor<4xf32>) {
  // expected-error @+1 {{'nn.select' op failed to verify that condition has the result's dimensions and element type i1}}
  %0 = "nn.select"(%c, %x, %x) : (tensor<5xi1>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @cast(%x: tensor<4xf32>) {
  // expected-error @+1 {{'nn.cast' op expected operand and result of the same dimensions, found [4] and [5]}}
  %0 = nn.cast %x : tensor<4xf32> -> tensor<5xbf16>
  return
}

// -----

func.func @full() {
  // expected-error @+1 {{'nn.full' op expected a value of the element type 'i32', found 1.000000e+00 : f32}}
  %0 = nn.full 1.0 : f32 -> tensor<4xi32>
  return
}

// -----

func.func @iota() {
  // expected-error @+1 {{'nn.iota' op expected an axis below the rank 2, found 2}}
  %0 = nn.iota {axis = 2} : tensor<4x5xi32>
  return
}

// -----

func.func @size_results() {
  // expected-error @+1 {{'nn.size' op expected a map without dims and with one result, found affine_map<()[s0] -> (s0, 1)>}}
  %0 = nn.size affine_map<()[s0] -> (s0, 1)> : tensor<i64>
  return
}

// -----

func.func @size_rank() {
  // expected-error @+1 {{'nn.size' op expected a result of rank 0, found 'tensor<1xi64>'}}
  %0 = nn.size affine_map<()[s0] -> (s0)> : tensor<1xi64>
  return
}

// -----

func.func @reshape(%x: tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>) {
  // expected-error @+1 {{'nn.reshape' op expected as many elements in the result as in the operand, found [s0, 8] and [s0 * 8 + 1]}}
  %0 = nn.reshape %x : tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>> -> tensor<?xf32, affine_map<()[s0] -> (s0 * 8 + 1)>>
  return
}

// -----

func.func @reshape_element(%x: tensor<4xf32>) {
  // expected-error @+1 {{'nn.reshape' op expected equal element types, found 'f32' and 'i32'}}
  %0 = nn.reshape %x : tensor<4xf32> -> tensor<4xi32>
  return
}

// -----

func.func @permutation(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'nn.transpose' op expected a permutation of the axes below 2, found [1, 1]}}
  %0 = nn.transpose %x {permutation = array<i64: 1, 1>} : tensor<4x8xf32> -> tensor<8x8xf32>
  return
}

// -----

func.func @transpose(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'nn.transpose' op expected a result of type 'tensor<8x4xf32>', found 'tensor<4x8xf32>'}}
  %0 = nn.transpose %x {permutation = array<i64: 1, 0>} : tensor<4x8xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @broadcast_dims(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'nn.broadcast' op expected increasing axes in 'dims', found 0 after 1}}
  %0 = nn.broadcast %x {dims = array<i64: 1, 0>} : tensor<4x8xf32> -> tensor<8x4xf32>
  return
}

// -----

func.func @broadcast_size(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'nn.broadcast' op expected axis 1 of the operand to have size 1 or 9, found 8}}
  %0 = nn.broadcast %x {dims = array<i64: 0, 1>} : tensor<4x8xf32> -> tensor<4x9xf32>
  return
}

// -----

func.func @concat(%x: tensor<4x8xf32>, %y: tensor<5x8xf32>) {
  // expected-error @+1 {{'nn.concat' op expected operand 1 to agree with the first but for axis 1, found [5, 8] and [4, 8]}}
  %0 = nn.concat %x, %y {axis = 1} : tensor<4x8xf32>, tensor<5x8xf32> -> tensor<4x16xf32>
  return
}

// -----

func.func @slice_start(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'nn.slice' op expected a start without dims and with 2 results, found affine_map<() -> (0)>}}
  %0 = nn.slice %x start affine_map<() -> (0)> step [1, 1] : tensor<4x8xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @slice_backwards(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'nn.slice' op expected entries of at least 1 in 'step', found -1}}
  %0 = nn.slice %x start affine_map<() -> (3, 0)> step [-1, 1] : tensor<4x8xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @slice_outside(%x: tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>) {
  // expected-error @+1 {{'nn.slice' op expected elements inside of axis 0 of size s0, found 1 to s0}}
  %0 = nn.slice %x start affine_map<()[s0] -> (1, 0)> step [1, 1]
      : tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>> -> tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>
  return
}

// -----

func.func @pad(%x: tensor<4xf32>) {
  // expected-error @+1 {{'nn.pad' op expected entries of at least 0 in 'low', found -1}}
  %0 = nn.pad %x {low = array<i64: -1>, high = array<i64: 0>, value = 0.0 : f32} : tensor<4xf32> -> tensor<3xf32>
  return
}

// -----

func.func @gather(%x: tensor<4x8xf32>, %ids: tensor<2x3xi32>) {
  // expected-error @+1 {{'nn.gather' op expected a result of type 'tensor<4x2x3xf32>', found 'tensor<2x3x8xf32>'}}
  %0 = nn.gather %x, %ids {axis = 1} : tensor<4x8xf32>, tensor<2x3xi32> -> tensor<2x3x8xf32>
  return
}

// -----

func.func @gather_empty(%x: tensor<0x8xf32>, %ids: tensor<2xi32>) {
  // expected-error @+1 {{'nn.gather' op expected a table that is not empty along axis 0}}
  %0 = nn.gather %x, %ids {axis = 0} : tensor<0x8xf32>, tensor<2xi32> -> tensor<2x8xf32>
  return
}

// -----

func.func @reduce(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'nn.reduce' op expected axes below the rank 2 in 'axes', found 2}}
  %0 = nn.reduce sum %x {axes = array<i64: 2>} : tensor<4x8xf32> -> tensor<4xf32>
  return
}

// -----

func.func @mean(%x: tensor<4xi32>) {
  // expected-error @+1 {{'nn.reduce' op expected floats to take the mean of, found 'i32'}}
  %0 = nn.reduce mean %x {axes = array<i64: 0>} : tensor<4xi32> -> tensor<i32>
  return
}

// -----

func.func @argreduce(%x: tensor<4x0xf32>) {
  // expected-error @+1 {{'nn.argreduce' op expected an operand that is not empty along axis 1}}
  %0 = nn.argreduce max %x {axis = 1} : tensor<4x0xf32> -> tensor<4xi32>
  return
}

// -----

func.func @softmax(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'nn.softmax' op expected an axis below the rank 2, found -1}}
  %0 = nn.softmax %x {axis = -1} : tensor<4x8xf32>
  return
}

// -----

func.func @matmul_rank(%x: tensor<4x8xf32>, %y: tensor<2x8x4xf32>) {
  // expected-error @+1 {{'nn.matmul' op expected matrices, or batches of equal rank, found 'tensor<4x8xf32>' and 'tensor<2x8x4xf32>'}}
  %0 = nn.matmul %x, %y : tensor<4x8xf32>, tensor<2x8x4xf32> -> tensor<2x4x4xf32>
  return
}

// -----

func.func @matmul_inner(%x: tensor<4x8xf32>, %y: tensor<9x5xf32>) {
  // expected-error @+1 {{'nn.matmul' op expected equal inner dimensions, found 8 and 9}}
  %0 = nn.matmul %x, %y : tensor<4x8xf32>, tensor<9x5xf32> -> tensor<4x5xf32>
  return
}

// -----

func.func @matmul_narrow(%x: tensor<4x8xf32>, %y: tensor<8x5xf32>) {
  // expected-error @+1 {{'nn.matmul' op expected a result of type 'tensor<4x5xf32>', found 'tensor<4x5xbf16>'}}
  %0 = nn.matmul %x, %y : tensor<4x8xf32>, tensor<8x5xf32> -> tensor<4x5xbf16>
  return
}

// -----

func.func @matmul_other(%x: tensor<4x8xbf16>, %y: tensor<8x5xbf16>) {
  // expected-error @+1 {{'nn.matmul' op expected a result of type 'tensor<4x5xbf16>', found 'tensor<4x5xf16>'}}
  %0 = nn.matmul %x, %y : tensor<4x8xbf16>, tensor<8x5xbf16> -> tensor<4x5xf16>
  return
}

// -----

func.func @matmul_batch(%x: tensor<2x4x8xf32>, %y: tensor<3x8x5xf32>) {
  // expected-error @+1 {{'nn.matmul' op expected equal batch dimensions, found [2] and [3]}}
  %0 = nn.matmul %x, %y : tensor<2x4x8xf32>, tensor<3x8x5xf32> -> tensor<2x4x5xf32>
  return
}

// -----

func.func @conv_rank(%x: tensor<8x8xf32>, %w: tensor<4x3x3x3xf32>) {
  // expected-error @+1 {{'nn.conv2d' op expected an input of rank 4, found 'tensor<8x8xf32>'}}
  %0 = nn.conv2d %x, %w {strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, dilation = array<i64: 1, 1>}
      : tensor<8x8xf32>, tensor<4x3x3x3xf32> -> tensor<1x4x6x6xf32>
  return
}

// -----

func.func @conv_strides(%x: tensor<1x3x8x8xf32>, %w: tensor<4x3x3x3xf32>) {
  // expected-error @+1 {{'nn.conv2d' op expected 2 entries in 'strides', found 1}}
  %0 = nn.conv2d %x, %w {strides = array<i64: 1>, padding = array<i64: 0, 0, 0, 0>, dilation = array<i64: 1, 1>}
      : tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32> -> tensor<1x4x6x6xf32>
  return
}

// -----

func.func @conv_channels(%x: tensor<1x4x8x8xf32>, %w: tensor<4x3x3x3xf32>) {
  // expected-error @+1 {{'nn.conv2d' op expected 1 groups of input channels in 4, found groups of 3}}
  %0 = nn.conv2d %x, %w {strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, dilation = array<i64: 1, 1>}
      : tensor<1x4x8x8xf32>, tensor<4x3x3x3xf32> -> tensor<1x4x6x6xf32>
  return
}

// -----

func.func @conv_groups(%x: tensor<1x6x8x8xf32>, %w: tensor<5x3x3x3xf32>) {
  // expected-error @+1 {{'nn.conv2d' op expected output channels divisible by 2 groups, found 5}}
  %0 = nn.conv2d %x, %w {strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, dilation = array<i64: 1, 1>, groups = 2}
      : tensor<1x6x8x8xf32>, tensor<5x3x3x3xf32> -> tensor<1x5x6x6xf32>
  return
}

// -----

func.func @conv_small(%x: tensor<1x3x8x2xf32>, %w: tensor<4x3x3x3xf32>) {
  // expected-error @+1 {{'nn.conv2d' op expected a padded width of at least 3, found 2}}
  %0 = nn.conv2d %x, %w {strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, dilation = array<i64: 1, 1>}
      : tensor<1x3x8x2xf32>, tensor<4x3x3x3xf32> -> tensor<1x4x6x1xf32>
  return
}

// -----

func.func @conv_result(%x: tensor<?x3x8x8xf32, affine_map<()[s0] -> (s0, 3, 8, 8)>>, %w: tensor<4x3x3x3xf32>) {
  // expected-error @+1 {{'nn.conv2d' op expected a result of type 'tensor<?x4x6x6xf32, affine_map<()[s0] -> (s0, 4, 6, 6)>>', found 'tensor<?x4x8x8xf32, affine_map<()[s0] -> (s0, 4, 8, 8)>>'}}
  %0 = nn.conv2d %x, %w {strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, dilation = array<i64: 1, 1>}
      : tensor<?x3x8x8xf32, affine_map<()[s0] -> (s0, 3, 8, 8)>>, tensor<4x3x3x3xf32>
      -> tensor<?x4x8x8xf32, affine_map<()[s0] -> (s0, 4, 8, 8)>>
  return
}

// -----

func.func @winograd_rank(%x: tensor<3x8x8xf32>, %u: tensor<6x4x3x3xf32>) {
  // expected-error @+1 {{'nn.winograd_conv2d' op expected an input of rank 4, found 'tensor<3x8x8xf32>'}}
  %0 = nn.winograd_conv2d %x, %u {tile = 4 : i64, padding = array<i64: 1, 1, 1, 1>} : tensor<3x8x8xf32>, tensor<6x4x3x3xf32> -> tensor<1x4x8x8xf32>
  return
}

// -----

func.func @winograd_padding(%x: tensor<1x3x8x8xf32>, %u: tensor<6x4x3x3xf32>) {
  // expected-error @+1 {{'nn.winograd_conv2d' op expected 4 entries in 'padding', found 2}}
  %0 = nn.winograd_conv2d %x, %u {tile = 4 : i64, padding = array<i64: 1, 1>} : tensor<1x3x8x8xf32>, tensor<6x4x3x3xf32> -> tensor<1x4x8x8xf32>
  return
}

// -----

func.func @winograd_tile(%x: tensor<1x3x8x8xf32>, %u: tensor<7x4x3x3xf32>) {
  // expected-error @+1 {{'nn.winograd_conv2d' op expected a tile of 2 to 4 rows, found 5}}
  %0 = nn.winograd_conv2d %x, %u {tile = 5 : i64, padding = array<i64: 1, 1, 1, 1>} : tensor<1x3x8x8xf32>, tensor<7x4x3x3xf32> -> tensor<1x4x8x8xf32>
  return
}

// -----

func.func @winograd_weight(%x: tensor<1x3x8x8xf32>, %u: tensor<5x4x3x3xf32>) {
  // expected-error @+1 {{'nn.winograd_conv2d' op expected a weight of 6 products, 3 channels and 3 columns, found 'tensor<5x4x3x3xf32>'}}
  %0 = nn.winograd_conv2d %x, %u {tile = 4 : i64, padding = array<i64: 1, 1, 1, 1>} : tensor<1x3x8x8xf32>, tensor<5x4x3x3xf32> -> tensor<1x4x8x8xf32>
  return
}

// -----

func.func @winograd_width(%x: tensor<1x3x8x2xf32>, %u: tensor<6x4x3x3xf32>) {
  // expected-error @+1 {{'nn.winograd_conv2d' op expected a padded width of at least 3, found 2}}
  %0 = nn.winograd_conv2d %x, %u {tile = 4 : i64, padding = array<i64: 1, 1, 0, 0>} : tensor<1x3x8x2xf32>, tensor<6x4x3x3xf32> -> tensor<1x4x8x1xf32>
  return
}

// -----

func.func @winograd_result(%x: tensor<1x3x8x8xf32>, %u: tensor<6x4x3x3xf32>) {
  // expected-error @+1 {{'nn.winograd_conv2d' op expected a result of type 'tensor<1x4x8x8xf32>', found 'tensor<1x4x6x6xf32>'}}
  %0 = nn.winograd_conv2d %x, %u {tile = 4 : i64, padding = array<i64: 1, 1, 1, 1>} : tensor<1x3x8x8xf32>, tensor<6x4x3x3xf32> -> tensor<1x4x6x6xf32>
  return
}

// -----

func.func @weight_grad_result(%x: tensor<2x4x8x8xbf16>, %g: tensor<2x6x6x6xbf16>) {
  // expected-error @+1 {{'nn.conv2d_weight_grad' op expected a gradient of type 'tensor<2x6x7x7xbf16>', found 'tensor<2x6x6x6xbf16>'}}
  %0 = nn.conv2d_weight_grad %x, %g {strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, dilation = array<i64: 1, 1>}
      : tensor<2x4x8x8xbf16>, tensor<2x6x6x6xbf16> -> tensor<6x4x2x2xbf16>
  return
}

// -----

func.func @weight_grad_element(%x: tensor<2x4x8x8xbf16>, %g: tensor<2x6x6x6xbf16>) {
  // expected-error @+1 {{'nn.conv2d_weight_grad' op expected a result of f32 or of the operands' elements, found 'tensor<6x4x3x3xf16>'}}
  %0 = nn.conv2d_weight_grad %x, %g {strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, dilation = array<i64: 1, 1>}
      : tensor<2x4x8x8xbf16>, tensor<2x6x6x6xbf16> -> tensor<6x4x3x3xf16>
  return
}

// -----

func.func @weight_grad_parts(%x: tensor<2x4x8x8xbf16>, %g: tensor<2x6x6x6xbf16>) {
  // expected-error @+1 {{'nn.conv2d_weight_grad' op expected a number of rows that 4 parts divide, found 6}}
  %0 = nn.conv2d_weight_grad %x, %g {strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, dilation = array<i64: 1, 1>, parts = array<i64: 2, 4>}
      : tensor<2x4x8x8xbf16>, tensor<2x6x6x6xbf16> -> tensor<2x4x6x4x3x3xf32>
  return
}

// -----

func.func @weight_grad_part_result(%x: tensor<2x4x8x8xbf16>, %g: tensor<2x6x6x6xbf16>) {
  // expected-error @+1 {{'nn.conv2d_weight_grad' op expected a result of f32 for 2 x 3 parts, found 'tensor<2x2x6x4x3x3xf32>'}}
  %0 = nn.conv2d_weight_grad %x, %g {strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, dilation = array<i64: 1, 1>, parts = array<i64: 2, 3>}
      : tensor<2x4x8x8xbf16>, tensor<2x6x6x6xbf16> -> tensor<2x2x6x4x3x3xf32>
  return
}

// -----

func.func @pool_padding(%x: tensor<1x3x8x8xf32>) {
  // expected-error @+1 {{'nn.pool2d' op expected padding of at most half of the window of 2, found 2}}
  %0 = nn.pool2d max %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, padding = array<i64: 2, 0, 0, 0>}
      : tensor<1x3x8x8xf32> -> tensor<1x3x5x4xf32>
  return
}

// -----

// Sizes that nothing decides are accepted.
func.func @undecided(%x: tensor<?x4xf32, affine_map<()[s0, s1] -> (s0, 4)>>, %y: tensor<?x4xf32, affine_map<()[s0, s1] -> (s1, 4)>>) {
  %0 = nn.concat %x, %y {axis = 1}
      : tensor<?x4xf32, affine_map<()[s0, s1] -> (s0, 4)>>, tensor<?x4xf32, affine_map<()[s0, s1] -> (s1, 4)>>
      -> tensor<?x8xf32, affine_map<()[s0, s1] -> (s0, 8)>>
  return
}

// -----

func.func @attention_rank(%q: tensor<4x3x8xf32>, %k: tensor<2x2x5x8xf32>) {
  // expected-error @+1 {{'nn.attention' op expected queries of rank 4, found 'tensor<4x3x8xf32>'}}
  %0 = nn.attention %q, %k, %k : (tensor<4x3x8xf32>, tensor<2x2x5x8xf32>, tensor<2x2x5x8xf32>) -> tensor<4x3x8xf32>
  return
}

// -----

func.func @attention_values(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x5x8xf32>, %v: tensor<2x2x6x8xf32>) {
  // expected-error @+1 {{'nn.attention' op expected keys and values of equal dimensions, found [2, 2, 5, 8] and [2, 2, 6, 8]}}
  %0 = nn.attention %q, %k, %v : (tensor<2x4x3x8xf32>, tensor<2x2x5x8xf32>, tensor<2x2x6x8xf32>) -> tensor<2x4x3x8xf32>
  return
}

// -----

func.func @attention_batch(%q: tensor<2x4x3x8xf32>, %k: tensor<3x2x5x8xf32>) {
  // expected-error @+1 {{'nn.attention' op expected queries and keys of equal batch, found 2 and 3}}
  %0 = nn.attention %q, %k, %k : (tensor<2x4x3x8xf32>, tensor<3x2x5x8xf32>, tensor<3x2x5x8xf32>) -> tensor<2x4x3x8xf32>
  return
}

// -----

func.func @attention_size(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x5x4xf32>) {
  // expected-error @+1 {{'nn.attention' op expected queries and keys of equal head size, found 8 and 4}}
  %0 = nn.attention %q, %k, %k : (tensor<2x4x3x8xf32>, tensor<2x2x5x4xf32>, tensor<2x2x5x4xf32>) -> tensor<2x4x3x8xf32>
  return
}

// -----

func.func @attention_constant_size(%q: tensor<2x4x3x?xf32, affine_map<()[s0] -> (2, 4, 3, s0)>>) {
  // expected-error @+1 {{'nn.attention' op expected a constant head size of at least 1, found s0}}
  %0 = nn.attention %q, %q, %q : (tensor<2x4x3x?xf32, affine_map<()[s0] -> (2, 4, 3, s0)>>, tensor<2x4x3x?xf32, affine_map<()[s0] -> (2, 4, 3, s0)>>, tensor<2x4x3x?xf32, affine_map<()[s0] -> (2, 4, 3, s0)>>) -> tensor<2x4x3x?xf32, affine_map<()[s0] -> (2, 4, 3, s0)>>
  return
}

// -----

func.func @attention_groups(%q: tensor<2x4x3x8xf32>, %k: tensor<2x3x5x8xf32>) {
  // expected-error @+1 {{'nn.attention' op expected query heads that are a multiple of the key heads 3, found 4}}
  %0 = nn.attention %q, %k, %k : (tensor<2x4x3x8xf32>, tensor<2x3x5x8xf32>, tensor<2x3x5x8xf32>) -> tensor<2x4x3x8xf32>
  return
}

// -----

func.func @attention_sums(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x5x8xf32>) {
  // expected-error @+1 {{'nn.attention' op expected 'lse' of [2, 4, 3], found [2, 4, 5]}}
  %0, %1 = nn.attention %q, %k, %k : (tensor<2x4x3x8xf32>, tensor<2x2x5x8xf32>, tensor<2x2x5x8xf32>) -> (tensor<2x4x3x8xf32>, tensor<2x4x5xf32>)
  return
}

// -----

func.func @attention_grad_keys(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x5x8xf32>, %l: tensor<2x4x3xf32>) {
  // expected-error @+1 {{'nn.attention_grad' op expected queries of rank 4, found 'tensor<2x4x3xf32>'}}
  %0:3 = nn.attention_grad %l, %k, %k, %q, %l, %l : (tensor<2x4x3xf32>, tensor<2x2x5x8xf32>, tensor<2x2x5x8xf32>, tensor<2x4x3x8xf32>, tensor<2x4x3xf32>, tensor<2x4x3xf32>) -> (tensor<2x4x3x8xf32>, tensor<2x2x5x8xf32>, tensor<2x2x5x8xf32>)
  return
}

// -----

func.func @attention_grad_sums(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x5x8xf32>, %l: tensor<2x4x3xf32>, %m: tensor<2x4xf32>) {
  // expected-error @+1 {{'nn.attention_grad' op expected 'delta' of [2, 4, 3], found [2, 4]}}
  %0:3 = nn.attention_grad %q, %k, %k, %q, %l, %m : (tensor<2x4x3x8xf32>, tensor<2x2x5x8xf32>, tensor<2x2x5x8xf32>, tensor<2x4x3x8xf32>, tensor<2x4x3xf32>, tensor<2x4xf32>) -> (tensor<2x4x3x8xf32>, tensor<2x2x5x8xf32>, tensor<2x2x5x8xf32>)
  return
}

// -----

func.func @attention_grad_gradient(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x5x8xf32>, %l: tensor<2x4x3xf32>) {
  // expected-error @+1 {{'nn.attention_grad' op expected a gradient of type 'tensor<2x4x3x8xf32>', found 'tensor<2x2x5x8xf32>'}}
  %0:3 = nn.attention_grad %q, %k, %k, %k, %l, %l : (tensor<2x4x3x8xf32>, tensor<2x2x5x8xf32>, tensor<2x2x5x8xf32>, tensor<2x2x5x8xf32>, tensor<2x4x3xf32>, tensor<2x4x3xf32>) -> (tensor<2x4x3x8xf32>, tensor<2x2x5x8xf32>, tensor<2x2x5x8xf32>)
  return
}

// -----

func.func @attention_grad_results(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x5x8xf32>, %l: tensor<2x4x3xf32>) {
  // expected-error @+1 {{'nn.attention_grad' op expected result 1 of type 'tensor<2x2x5x8xf32>', found 'tensor<2x4x5x8xf32>'}}
  %0:3 = nn.attention_grad %q, %k, %k, %q, %l, %l : (tensor<2x4x3x8xf32>, tensor<2x2x5x8xf32>, tensor<2x2x5x8xf32>, tensor<2x4x3x8xf32>, tensor<2x4x3xf32>, tensor<2x4x3xf32>) -> (tensor<2x4x3x8xf32>, tensor<2x4x5x8xf32>, tensor<2x2x5x8xf32>)
  return
}

// -----

func.func @attention_mask(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x5x8xf32>, %m: tensor<2x1x1x5xi1>) {
  // expected-error @+1 {{'nn.attention' op expected a mask of [2, 4, 3, 5], found [2, 1, 1, 5]}}
  %0 = nn.attention %q, %k, %k mask %m : (tensor<2x4x3x8xf32>, tensor<2x2x5x8xf32>, tensor<2x2x5x8xf32>, tensor<2x1x1x5xi1>) -> tensor<2x4x3x8xf32>
  return
}

// -----

func.func @attention_offset(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x5x8xf32>, %o: tensor<i32>) {
  // expected-error @+1 {{'nn.attention' op expected 'offset' of rank 0, and only with 'causal'}}
  %0 = nn.attention %q, %k, %k offset %o : (tensor<2x4x3x8xf32>, tensor<2x2x5x8xf32>, tensor<2x2x5x8xf32>, tensor<i32>) -> tensor<2x4x3x8xf32>
  return
}

// -----

func.func @update_element(%x: tensor<4x8xf32>, %v: tensor<4x2xf16>) {
  // expected-error @+1 {{'nn.update' op expected equal element types, found 'f32' and 'f16'}}
  %0 = nn.update %x, %v start affine_map<() -> (0, 0)> step [1, 1] : tensor<4x8xf32>, tensor<4x2xf16>
  return
}

// -----

func.func @update_outside(%x: tensor<4x8xf32>, %v: tensor<4x2xf32>) {
  // expected-error @+1 {{'nn.update' op expected elements inside of axis 1 of size 8, found 7 to 8}}
  %0 = nn.update %x, %v start affine_map<() -> (0, 7)> step [1, 1] : tensor<4x8xf32>, tensor<4x2xf32>
  return
}

// -----

func.func @update_rank(%x: tensor<4x8xf32>, %v: tensor<4xf32>) {
  // expected-error @+1 {{'nn.update' op expected a part of rank 2, found 'tensor<4xf32>'}}
  %0 = nn.update %x, %v start affine_map<() -> (0, 0)> step [1, 1] : tensor<4x8xf32>, tensor<4xf32>
  return
}

// -----

func.func @random_element(%i: tensor<4xi64>) {
  // expected-error @+1 {{'nn.random' op expected a result of f32, found 'i32'}}
  %0 = nn.random normal %i, %i, %i, %i : tensor<4xi64> -> tensor<4xi32>
  return
}

// -----

func.func @random_dims(%i: tensor<4xi64>) {
  // expected-error @+1 {{'nn.random' op expected a result of the operands' dimensions [4], found [5]}}
  %0 = nn.random bits %i, %i, %i, %i : tensor<4xi64> -> tensor<5xi32>
  return
}

// -----

func.func @draw_element() {
  // expected-error @+1 {{'nn.draw' op expected a result of i32, found 'f32'}}
  %0 = nn.draw bits : tensor<4xf32>
  return
}
