// What the verifiers of globals, kernels, library products and entry functions refuse.
// RUN: nnc-opt %s -split-input-file -verify-diagnostics -o /dev/null

// expected-error @+1 {{'nn.global' op expected kind param, buffer, state or const, found 'weight'}}
nn.global @w : tensor<4xf32> {kind = "weight"}

// -----

// expected-error @+1 {{'nn.global' op expected 'init' of kind full, kaiming_uniform, normal or uniform, found {kind = "ones"}}}
nn.global @w : tensor<4xf32> {kind = "param", init = {kind = "ones"}}

// -----

// expected-error @+1 {{'nn.global' op expected an f64 'std' in 'init', found {kind = "normal", mean = 0.000000e+00 : f64}}}
nn.global @w : tensor<4xf32> {kind = "param", init = {kind = "normal", mean = 0.0}}

// -----

// expected-error @+1 {{'nn.global' op expected nothing else in 'init', found {kind = "kaiming_uniform", low = 0.000000e+00 : f64}}}
nn.global @w : tensor<4xf32> {kind = "param", init = {kind = "kaiming_uniform", low = 0.0}}

// -----

func.func @get() {
  // expected-error @+1 {{'nn.get' op expected the name of an nn.global, found @w}}
  %0 = nn.get @w : tensor<4xf32>
  return
}

// -----

// expected-note @+1 {{declared here}}
nn.global @w : tensor<4xf32> {kind = "param"}
func.func @get() {
  // expected-error @+1 {{'nn.get' op expected the global's type 'tensor<4xf32>', found 'tensor<5xf32>'}}
  %0 = nn.get @w : tensor<5xf32>
  return
}

// -----

func.func @anchor(%x: tensor<4xf32>) {
  // expected-error @+1 {{'nn.kernel' op expected anchor pointwise, reduction, contraction, convolution, window, gather, scatter, attention or attention_grad, found 'view'}}
  %0 = nn.kernel "k" (%x : tensor<4xf32>) -> (tensor<4xf32>) attributes {anchor = "view"} {
  ^bb0(%a: tensor<4xf32>):
    nn.yield %a : tensor<4xf32>
  }
  return
}

// -----

func.func @arguments(%x: tensor<4xf32>) {
  // expected-error @+1 {{'nn.kernel' op expected 1 block arguments, found 0}}
  %0 = nn.kernel "k" (%x : tensor<4xf32>) -> (tensor<4xf32>) attributes {anchor = "pointwise"} {
    %z = nn.full 0.0 : f32 -> tensor<4xf32>
    nn.yield %z : tensor<4xf32>
  }
  return
}

// -----

func.func @argument_type(%x: tensor<4xf32>) {
  // expected-error @+1 {{'nn.kernel' op expected block argument 0 of type 'tensor<4xf32>', found 'tensor<5xf32>'}}
  %0 = nn.kernel "k" (%x : tensor<4xf32>) -> (tensor<5xf32>) attributes {anchor = "pointwise"} {
  ^bb0(%a: tensor<5xf32>):
    nn.yield %a : tensor<5xf32>
  }
  return
}

// -----

func.func @results(%x: tensor<4xf32>) {
  // expected-error @+1 {{'nn.kernel' op expected a body that ends in an nn.yield of 1 values}}
  %0 = nn.kernel "k" (%x : tensor<4xf32>) -> (tensor<4xf32>) attributes {anchor = "pointwise"} {
  ^bb0(%a: tensor<4xf32>):
    nn.yield %a, %a : tensor<4xf32>, tensor<4xf32>
  }
  return
}

// -----

func.func @result_type(%x: tensor<4xf32>) {
  %0 = nn.kernel "k" (%x : tensor<4xf32>) -> (tensor<2x2xf32>) attributes {anchor = "pointwise"} {
  ^bb0(%a: tensor<4xf32>):
    // expected-error @+1 {{'nn.yield' op expected value 0 of type 'tensor<2x2xf32>', found 'tensor<4xf32>'}}
    nn.yield %a : tensor<4xf32>
  }
  return
}

// -----

func.func @isolated(%x: tensor<4xf32>) {
  // expected-note @+1 {{required by region isolation constraints}}
  %0 = nn.kernel "k" () -> (tensor<4xf32>) attributes {anchor = "pointwise"} {
    // expected-error @+1 {{'nn.yield' op using value defined outside the region}}
    nn.yield %x : tensor<4xf32>
  }
  return
}

// -----

func.func @symbol() {
  // expected-error @+1 {{'nn.symbol' op attribute 'position' failed to satisfy constraint: 64-bit signless integer attribute whose value is non-negative}}
  %0 = nn.symbol -1 : index
  return
}

// -----

func.func @bias(%x: tensor<4x8xf32>, %w: tensor<8x5xf32>, %b: tensor<4xf32>) {
  // expected-error @+1 {{'nn.gemm' op expected a bias of type 'tensor<5xf32>', found 'tensor<4xf32>'}}
  %0 = nn.gemm %x, %w bias %b : (tensor<4x8xf32>, tensor<8x5xf32>, tensor<4xf32>) -> tensor<4x5xf32>
  return
}

// -----

func.func @residual(%x: tensor<4x8xf32>, %w: tensor<8x5xf32>, %r: tensor<5xf32>) {
  // expected-error @+1 {{'nn.gemm' op expected a residual of type 'tensor<4x5xf32>', found 'tensor<5xf32>'}}
  %0 = nn.gemm %x, %w residual %r : (tensor<4x8xf32>, tensor<8x5xf32>, tensor<5xf32>) -> tensor<4x5xf32>
  return
}

// -----

func.func @epilogue(%x: tensor<4x8xf32>, %w: tensor<8x5xf32>) {
  // expected-error @+1 {{'nn.gemm' op expected epilogue none, relu or gelu, found 'tanh'}}
  %0 = nn.gemm %x, %w {epilogue = "tanh"} : (tensor<4x8xf32>, tensor<8x5xf32>) -> tensor<4x5xf32>
  return
}

// -----

// expected-error @+1 {{'func.func' op expected 'nn.dims' to be a list of strings, found [1]}}
func.func @dims() attributes {nn.dims = [1]} {
  return
}

// -----

// expected-error @+1 {{'func.func' op expected 'nn.ranges' to have one range for each of 2 dimensions, found [array<i64: 1, 2>]}}
func.func @ranges() attributes {nn.dims = ["B", "T"], nn.ranges = [array<i64: 1, 2>]} {
  return
}

// -----

// expected-error @+1 {{'func.func' op expected a range array<i64: low, high> with 0 <= low <= high, found array<i64: 3, 2>}}
func.func @range() attributes {nn.dims = ["B"], nn.ranges = [array<i64: 3, 2>]} {
  return
}

// -----

// expected-error @+1 {{'func.func' op expected 'nn.kinds' to have one of dim, scalar and loop for each of 1 dimensions, found ["size"]}}
func.func @kinds() attributes {nn.dims = ["B"], nn.kinds = ["size"]} {
  return
}

// -----

// expected-error @+1 {{'func.func' op expected the source {input = N} or {state = @symbol} of dimension 0, found {input = 0 : i64}}}
func.func @source(%x: tensor<4xi32>) attributes {nn.dims = ["p"], nn.kinds = ["scalar"], nn.sources = [{input = 0 : i64}]} {
  return
}

// -----

// expected-error @+1 {{'func.func' op expected the source {} of dimension 0, found {input = 0 : i64}}}
func.func @no_source(%x: tensor<i32>) attributes {nn.dims = ["B"], nn.kinds = ["dim"], nn.sources = [{input = 0 : i64}]} {
  return
}

// -----

// expected-error @+1 {{'func.func' op expected a guard with map, kind eq0 or ge0, text, message and line, found {kind = "lt0"}}}
func.func @guard() attributes {nn.guards = [{kind = "lt0"}]} {
  return
}

// -----

// expected-error @+1 {{'func.func' op expected an entry of tensors over 1 dimensions, found 'tensor<?xf32, affine_map<()[s0, s1] -> (s1)>>'}}
func.func @entry(%x: tensor<?xf32, affine_map<()[s0, s1] -> (s1)>>) attributes {nn.entry, nn.dims = ["B"]} {
  return
}

// -----

// expected-error @+1 {{'func.func' op expected 'nn.name' to be a string, found 1 : i64}}
func.func @name(%x: tensor<4xf32> {nn.name = 1}) {
  return
}

// -----

// expected-error @+1 {{'builtin.module' op expected 'nn.entry' on a function only}}
module attributes {nn.entry} {
}

// -----

// expected-error @+1 {{'nn.global' op expected fixed sizes for a param, found 'tensor<?xf32, affine_map<()[s0] -> (s0)>>'}}
nn.global @w : tensor<?xf32, affine_map<()[s0] -> (s0)>> {kind = "param"}

// -----

nn.global @w : tensor<4xf32> {kind = "const"}
func.func @set_const(%x: tensor<4xf32>) {
  // expected-error @+1 {{'nn.set' op expected the name of a param, buffer or state, found that of a const}}
  nn.set @w, %x : tensor<4xf32>
  return
}

// -----

// expected-note @+1 {{declared here}}
nn.global @s : tensor<4xf32> {kind = "state"}
func.func @set_type(%x: tensor<5xf32>) {
  // expected-error @+1 {{'nn.set' op expected the global's type 'tensor<4xf32>', found 'tensor<5xf32>'}}
  nn.set @s, %x : tensor<5xf32>
  return
}

// -----

func.func @update_alone(%x: tensor<4xf32>) {
  // expected-error @+1 {{'nn.kernel' op expected start and step together}}
  %r = nn.kernel "k" (%x : tensor<4xf32>) -> (tensor<4xf32>) attributes {anchor = "pointwise", start = affine_map<() -> (0)>} {
  ^bb0(%a: tensor<4xf32>):
    nn.yield %a : tensor<4xf32>
  }
  return
}

// -----

func.func @update_part(%x: tensor<4xf32>, %v: tensor<2x2xf32>) {
  %r = nn.kernel "k" (%x, %v : tensor<4xf32>, tensor<2x2xf32>) -> (tensor<4xf32>) attributes {anchor = "pointwise", start = affine_map<() -> (0)>, step = array<i64: 1>} {
  ^bb0(%a: tensor<4xf32>, %b: tensor<2x2xf32>):
    // expected-error @+1 {{'nn.yield' op expected a part of 'tensor<4xf32>', found 'tensor<2x2xf32>'}}
    nn.yield %b : tensor<2x2xf32>
  }
  return
}
