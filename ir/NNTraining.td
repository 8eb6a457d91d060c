// What training needs beside the functions that a model is made of: where a gradient is wanted,
// where it ends, and the derivative of a gather, which no other operation computes.

#ifndef NNC_IR_NNTRAINING
#define NNC_IR_NNTRAINING

include "NNBase.td"

def NN_GradientOp
    : NN_Op<"gradient", [Pure, AttrSizedOperandSegments,
                          DeclareOpInterfaceMethods<InferTypeOpInterface>]> {
  let summary = "Derivatives of a number by tensors";
  let description = [{
    Result i is `d loss / d wrt[i]`, times `seed` (1 without it). The pass `nn-differentiate` replaces
    it by the operations that compute it; a `wrt` value that the loss does not depend on gives zeros.

    1. (C1) `loss` is a float of rank 0.
    2. (C2) `seed` is an f32 of rank 0.
    3. (C3) results have the types of `wrt`.

    ```mlir
    %g = nn.gradient %loss seed %scale : tensor<f32> wrt(%w : tensor<4x8xf32>) : tensor<f32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$loss, Optional<NN_TensorOf<[F32]>>:$seed,
                       Variadic<NN_FloatTensor>:$wrt);
  let results = (outs Variadic<NN_FloatTensor>:$gradients);
  let assemblyFormat = [{
    $loss (`seed` $seed^ `:` type($seed))? `wrt` `(` ($wrt^ `:` type($wrt))? `)` attr-dict
    `:` type($loss)
  }];
  let hasVerifier = 1;
}

class NN_IdentityOp<string mnemonic, list<Trait> traits = []>
    : NN_PureOp<mnemonic, "View", !listconcat([SameOperandsAndResultType], traits)> {
  let arguments = (ins NN_Tensor:$input);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($result)";
}

def NN_StopGradientOp : NN_IdentityOp<"stop_gradient"> {
  let summary = "The operand, as a constant to derivatives";
  let description = [{
    The operand as it is; no gradient passes. `nn-differentiate` drops it.

    ```mlir
    %y = nn.stop_gradient %x : tensor<4x8xf32>
    ```
  }];
}

def NN_BarrierOp : NN_IdentityOp<"barrier"> {
  let summary = "The operand, not known to be it";
  let description = [{
    The operand as it is; what is computed from it is not merged with what is computed from the
    operand. So what `@remat` computes again stays apart from what was computed first.
    `nn-form-kernels` drops it.

    ```mlir
    %y = nn.barrier %x : tensor<4x8xf32>
    ```
  }];
}

def NN_ScatterAddOp : NN_PureOp<"scatter_add", "Scatter", [NN_Derivative]> {
  let summary = "Sums of rows by number, the derivative of a gather";
  let description = [{
    `result[a.., v, b..]` is the sum of `values[a.., i.., b..]` over all `i..` with
    `ids[i..] = v`, in row-major order of `i..`. As in `nn.gather`, a number outside
    `0 .. n-1` is replaced by the nearest inside. The result is f32 whatever the values are.

    1. (C1) `0 <= axis < rank(result)`.
    2. (C2) the dimensions of `values` are the result's before `axis`, then all of `ids`, then the
       result's after `axis`.
    3. (C3) axis `axis` of the result is not provably empty.

    ```mlir
    %t = nn.scatter_add %g, %ids {axis = 0 : i64}
        : tensor<4x5x8xbf16>, tensor<4x5xi32> -> tensor<100x8xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$values, NN_IndexTensor:$ids, I64Attr:$axis);
  let results = (outs NN_TensorOf<[F32]>:$result);
  let assemblyFormat = [{
    $values `,` $ids attr-dict `:` type($values) `,` type($ids) `->` type($result)
  }];
  let hasVerifier = 1;
}

#endif // NNC_IR_NNTRAINING
