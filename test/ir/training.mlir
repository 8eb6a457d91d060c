// The ops of training: round trips and what their verifiers say.
// RUN: nnc-opt %s --split-input-file --verify-diagnostics | nnc-opt --split-input-file | FileCheck %s

#rows = affine_map<()[s0] -> (s0, 3)>

// CHECK-LABEL: @round_trips
func.func @round_trips(%loss: tensor<f32>, %scale: tensor<f32>, %w: tensor<4x8xf32>,
                       %x: tensor<?x3xbf16, #rows>, %ids: tensor<2xi64>, %g: tensor<2x8xf32>) {
  // CHECK: %{{.*}}:2 = nn.gradient %{{.*}} wrt(%{{.*}}, %{{.*}} : tensor<4x8xf32>, tensor<?x3xbf16, #map>) : tensor<f32>
  %0:2 = nn.gradient %loss wrt(%w, %x : tensor<4x8xf32>, tensor<?x3xbf16, #rows>) : tensor<f32>
  // CHECK: nn.gradient %{{.*}} seed %{{.*}} : tensor<f32> wrt(%{{.*}} : tensor<4x8xf32>) : tensor<f32>
  %1 = nn.gradient %loss seed %scale : tensor<f32> wrt(%w : tensor<4x8xf32>) : tensor<f32>
  // CHECK: nn.gradient %{{.*}} wrt() : tensor<f32>
  nn.gradient %loss wrt() : tensor<f32>
  // CHECK: nn.stop_gradient %{{.*}} : tensor<?x3xbf16, #map>
  %2 = nn.stop_gradient %x : tensor<?x3xbf16, #rows>
  // CHECK: nn.barrier %{{.*}} : tensor<4x8xf32>
  %3 = nn.barrier %w : tensor<4x8xf32>
  // CHECK: nn.scatter_add %{{.*}}, %{{.*}} {axis = 0 : i64} : tensor<2x8xf32>, tensor<2xi64> -> tensor<4x8xf32>
  %4 = nn.scatter_add %g, %ids {axis = 0 : i64} : tensor<2x8xf32>, tensor<2xi64> -> tensor<4x8xf32>
  return
}

// -----

func.func @loss_of_rank_1(%loss: tensor<4xf32>, %w: tensor<4xf32>) {
  // expected-error @+1 {{'nn.gradient' op expected a loss of rank 0, found 'tensor<4xf32>'}}
  %0 = nn.gradient %loss wrt(%w : tensor<4xf32>) : tensor<4xf32>
  return
}

// -----

func.func @seed_of_rank_1(%loss: tensor<f32>, %seed: tensor<1xf32>, %w: tensor<4xf32>) {
  // expected-error @+1 {{'nn.gradient' op expected a seed of rank 0, found 'tensor<1xf32>'}}
  %0 = nn.gradient %loss seed %seed : tensor<1xf32> wrt(%w : tensor<4xf32>) : tensor<f32>
  return
}

// -----

func.func @integers(%loss: tensor<f32>, %w: tensor<4xi32>) {
  // expected-error @+1 {{'nn.gradient' op operand #1 must be variadic of tensor with known dimensions of 32-bit float or 16-bit float or bfloat16 type values, but got 'tensor<4xi32>'}}
  %0 = nn.gradient %loss wrt(%w : tensor<4xi32>) : tensor<f32>
  return
}

// -----

func.func @scatter_shape(%g: tensor<2x8xf32>, %ids: tensor<3xi64>) {
  // expected-error @+1 {{'nn.scatter_add' op expected values of [3, 8], found [2, 8]}}
  %0 = nn.scatter_add %g, %ids {axis = 0 : i64} : tensor<2x8xf32>, tensor<3xi64> -> tensor<4x8xf32>
  return
}

// -----

func.func @scatter_axis(%g: tensor<2x8xf32>, %ids: tensor<2xi64>) {
  // expected-error @+1 {{'nn.scatter_add' op expected an axis below the rank 2, found 2}}
  %0 = nn.scatter_add %g, %ids {axis = 2 : i64} : tensor<2x8xf32>, tensor<2xi64> -> tensor<4x8xf32>
  return
}

// -----

func.func @scatter_nothing(%g: tensor<2x8xf32>, %ids: tensor<2xi64>) {
  // expected-error @+1 {{'nn.scatter_add' op expected a result that is not empty along axis 0}}
  %0 = nn.scatter_add %g, %ids {axis = 0 : i64} : tensor<2x8xf32>, tensor<2xi64> -> tensor<0x8xf32>
  return
}
