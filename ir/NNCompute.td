// Operations that combine many elements into one: reductions, contractions, windows.

#ifndef NNC_IR_NNCOMPUTE
#define NNC_IR_NNCOMPUTE

include "NNBase.td"

def NN_ReduceOp : NN_InferredOp<"reduce", "Reduction", [NN_Derivative]> {
  let summary = "Sum, mean, maximum or minimum over axes";
  let description = [{
    The axes named in `axes` are dropped. Sums and means of f16 and bf16 accumulate in f32 and are
    rounded once; integer sums wrap. Maximum and minimum are NaN if any element is; of no elements
    they are the least or greatest number of the type. The mean of no elements is NaN.

    1. (C1) `axes` is strictly increasing, in `0 .. rank(input)`.
    2. (C2) `mean` needs a float element type.
    3. (C3) the result has the operand's element type and its dimensions without `axes`.

    ```mlir
    %y = nn.reduce sum %x {axes = array<i64: 1>} : tensor<4x8xf32> -> tensor<4xf32>
    ```
  }];
  let arguments = (ins NN_ReduceKindAttr:$kind, NN_NumTensor:$input, DenseI64ArrayAttr:$axes);
  let results = (outs NN_NumTensor:$result);
  let assemblyFormat = "$kind $input attr-dict `:` type($input) `->` type($result)";
  let hasFolder = 1;
}

def NN_ArgReduceOp : NN_InferredOp<"argreduce", "Reduction"> {
  let summary = "Place of the maximum or minimum along an axis";
  let description = [{
    The first of equal elements wins; the first NaN wins over everything.

    1. (C1) `0 <= axis < rank(input)`, and that axis is not provably empty.
    2. (C2) the result is i32 with the operand's dimensions without `axis`.

    ```mlir
    %y = nn.argreduce max %x {axis = 1 : i64} : tensor<4x10xf32> -> tensor<4xi32>
    ```
  }];
  let arguments = (ins NN_ArgReduceKindAttr:$kind, NN_NumTensor:$input, I64Attr:$axis);
  let results = (outs NN_TensorOf<[I32]>:$result);
  let assemblyFormat = "$kind $input attr-dict `:` type($input) `->` type($result)";
}

class NN_SoftmaxLikeOp<string mnemonic, string formula>
    : NN_PureOp<mnemonic, "Reduction", [SameOperandsAndResultType, NN_Derivative]> {
  let summary = "`" # formula # "` along an axis";
  let description = !strconcat([{
    Computes `}], formula, [{` along `axis`, with the maximum of the row subtracted first and sums
    and exponentials in f32. Rounded once.

    1. (C1) `0 <= axis < rank(input)`.

    ```mlir
    %y = nn.}], mnemonic, [{ %x {axis = 1 : i64} : tensor<4x10xf32>
    ```
  }]);
  let arguments = (ins NN_FloatTensor:$input, I64Attr:$axis);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def NN_SoftmaxOp : NN_SoftmaxLikeOp<"softmax", "exp(x) / sum(exp(x))">;
def NN_LogSoftmaxOp : NN_SoftmaxLikeOp<"log_softmax", "x - log(sum(exp(x)))">;

def NN_MatmulOp : NN_InferredOp<"matmul", "Contraction", [NN_Derivative]> {
  let summary = "Matrix product";
  let description = [{
    `result[.., m, n] = sum_k a[.., m, k] * b[.., k, n]`. A flag swaps the last two axes of its
    operand. Float products accumulate in f32 and are rounded once, products of f16 and bf16 with an
    f32 result not at all.

    1. (C1) `rank(a) >= 2` and `rank(b)` is 2 or `rank(a)`.
    2. (C2) both operands have the same element type.
    3. (C3) the inner dimensions are not provably different, nor are the batch dimensions.
    4. (C4) the result's dimensions are those of `a`'s batch, then M, then N.
    5. (C5) the result's element type is that of the operands, or f32 if that is f16 or bf16.

    ```mlir
    %y = nn.matmul %x, %w {transpose_b} : tensor<4x400xf32>, tensor<120x400xf32> -> tensor<4x120xf32>
    %z = nn.matmul %a, %b : tensor<4x400xbf16>, tensor<400x120xbf16> -> tensor<4x120xf32>
    ```
  }];
  let arguments = (ins NN_NumTensor:$lhs, NN_NumTensor:$rhs, UnitAttr:$transpose_a,
                       UnitAttr:$transpose_b);
  let results = (outs NN_NumTensor:$result);
  let assemblyFormat = [{
    $lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs) `->` type($result)
  }];
  let hasCanonicalizer = 1;
  let extraClassDeclaration = roleDeclaration # [{
    /// Whether 16-bit operands have a product that is not rounded.
    bool isWide() { return getType().getElementType() != getLhs().getType().getElementType(); }
  }];
}

def NN_DequantizeOp : NN_PureOp<"dequantize", "View", [AttrSizedOperandSegments, NN_Derivative]> {
  let summary = "Numbers from their stored form, read where they are needed";
  let description = [{
    `result = (values - zeros) * scales`, computed in f32 and rounded once; without scales and zeros
    the values as they are. Along an axis there is one scale for all elements, one for each, or one
    for each run of `group` elements (the last run may be shorter). Where `packed`, values are integers of 4 bits with a sign, two in a byte along the
    last axis, the first in the low half; an odd end is padded.

    Readers compute it element by element, as they do views, so that the result need not exist in
    memory.

    1. (C1) shapes are static; values have the result's shape, or packed bytes of it (i8).
    2. (C2) scales and zeros have the result's rank and one shape; for n elements of an axis its size
       is 1, n or, with a `group` of at least 1, `ceil(n / group)`.
    3. (C3) zeros only with scales; with scales the result is a float.

    ```mlir
    %w = nn.dequantize %q scales %s {group = 32 : i64, packed}
        : (tensor<64x32xi8>, tensor<64x2xf32>) -> tensor<64x64xf32>
    ```
  }];
  let arguments = (ins NN_StoredTensor:$values, Optional<NN_TensorOf<[F32]>>:$scales,
                       Optional<NN_TensorOf<[F32]>>:$zeros,
                       OptionalAttr<ConfinedAttr<I64Attr, [IntPositive]>>:$group,
                       UnitAttr:$packed);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = [{
    $values (`scales` $scales^)? (`zeros` $zeros^)? attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def NN_Conv2dOp : NN_InferredOp<"conv2d", "Convolution", [NN_Derivative]> {
  let summary = "Two-dimensional convolution (cross-correlation)";
  let description = [{
    The input is NCHW, the weight OIHW with I = C / groups, `strides` and `dilation` are
    `[height, width]`, `padding` is `[top, bottom, left, right]` with zeros:
    `result[n, o, y, x] = sum_{c, i, j} input[n, g*I + c, y*sh + i*dh - top, x*sw + j*dw - left] *
    weight[o, c, i, j]` where g is the group of o. Accumulates in f32, rounded once. With
    `channels_last`, input and result are NHWC and the weight is OHWI.

    1. (C1) both operands have rank 4 and the same float element type.
    2. (C2) `strides`, `dilation` have 2 entries, all at least 1; `padding` 4, none negative.
    3. (C3) `groups >= 1` divides C and O, and `I * groups = C`.
    4. (C4) height and width of the result are `floor((in + pads - dilation*(kernel-1) - 1) /
       stride) + 1`, not provably below 1.

    ```mlir
    %y = nn.conv2d %x, %w {strides = array<i64: 1, 1>, padding = array<i64: 2, 2, 2, 2>,
                           dilation = array<i64: 1, 1>, groups = 1 : i64}
        : tensor<1x1x28x28xf32>, tensor<6x1x5x5xf32> -> tensor<1x6x28x28xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$input, NN_FloatTensor:$weight, DenseI64ArrayAttr:$strides,
                       DenseI64ArrayAttr:$padding, DenseI64ArrayAttr:$dilation,
                       DefaultValuedAttr<I64Attr, "1">:$groups, UnitAttr:$channels_last);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = [{
    $input `,` $weight attr-dict `:` type($input) `,` type($weight) `->` type($result)
  }];
}

def NN_WinogradConv2dOp : NN_InferredOp<"winograd_conv2d", "Convolution"> {
  let summary = "A 3x3 convolution with fewer products";
  let description = [{
    What `nn.conv2d` without strides, dilation and groups computes of an NCHW image and a 3x3 window, by
    Winograd's minimal filtering along the height: `tile` rows of the result are sums of `tile + 2`
    products. The weight is that of the convolution, combined once:
    `weight[p, o, c, j] = sum_i G[p, i] * window[o, c, i, j]` (`ir/Winograd.h`). An infinity in the
    input may become NaN in all rows of the tiles that read it. For the cpu, where the weight is
    known; made by `nn-use-winograd`.

    1. (C1) both operands have rank 4 and f32 elements.
    2. (C2) `tile` is 2, 3 or 4; `padding` has 4 entries, none negative.
    3. (C3) the weight has `tile + 2` products, the input's channels and 3 columns.
    4. (C4) height and width of the result are those of the padded input less 2, not provably below
       1.

    ```mlir
    %y = nn.winograd_conv2d %x, %u {tile = 4 : i64, padding = array<i64: 1, 1, 1, 1>}
        : tensor<1x16x32x32xf32>, tensor<6x16x16x3xf32> -> tensor<1x16x32x32xf32>
    ```
  }];
  let arguments = (ins NN_TensorOf<[F32]>:$input, NN_TensorOf<[F32]>:$weight, I64Attr:$tile,
                       DenseI64ArrayAttr:$padding);
  let results = (outs NN_TensorOf<[F32]>:$result);
  let assemblyFormat = [{
    $input `,` $weight attr-dict `:` type($input) `,` type($weight) `->` type($result)
  }];
}

def NN_Conv2dWeightGradOp : NN_PureOp<"conv2d_weight_grad", "Convolution"> {
  let summary = "The gradient of a convolution's weight";
  let description = [{
    Of `nn.conv2d %input, %weight` with the same attributes, given the gradient of its result:
    `result[o, c, i, j] = sum_{n, y, x} input[n, g*I + c, y*sh + i*dh - top, x*sw + j*dw - left] *
    gradient[n, o, y, x]` where g is the group of o. Accumulates in f32, rounded once. With
    `channels_last`, input and gradient are NHWC and the result is OHWI.

    With `parts` `[P, Q]` the images are cut into P runs of equally many and the rows of the gradient
    into Q, and the result has two axes of these sizes before the others: the sum of every part. What
    is left to do is to add them up, which more of a machine can share than one long sum.

    1. (C1) both operands have rank 4 and the same float element type; the result has that or f32.
    2. (C2) `strides`, `dilation` have 2 entries, all at least 1; `padding` 4, none negative.
    3. (C3) `groups >= 1` divides C and O, and `I * groups = C`.
    4. (C4) the gradient has the dimensions of the convolution's result.
    5. (C5) `parts` has 2 entries, all at least 1, which divide the images and the rows; where there
       is more than one, the number of these is known. Then the result is f32.

    ```mlir
    %dw = nn.conv2d_weight_grad %x, %dy {strides = array<i64: 1, 1>, padding = array<i64: 2, 2, 2, 2>,
                                         dilation = array<i64: 1, 1>, groups = 1 : i64}
        : tensor<4x1x28x28xf32>, tensor<4x6x28x28xf32> -> tensor<6x1x5x5xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$input, NN_FloatTensor:$gradient,
                       DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$padding,
                       DenseI64ArrayAttr:$dilation, DefaultValuedAttr<I64Attr, "1">:$groups,
                       UnitAttr:$channels_last, OptionalAttr<DenseI64ArrayAttr>:$parts);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = [{
    $input `,` $gradient attr-dict `:` type($input) `,` type($gradient) `->` type($result)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = roleDeclaration # [{
    /// The type of the whole sum: the weight's dimensions.
    ::mlir::RankedTensorType getWeightType();
  }];
}

def NN_Pool2dOp : NN_InferredOp<"pool2d", "Window", [NN_Derivative]> {
  let summary = "Maximum, mean or sum over windows";
  let description = [{
    The input is NCHW, or NHWC with `channels_last`, and so is the result; `kernel`, `strides` and
    `dilation` are `[height, width]`, `padding` is `[top, bottom, left, right]`. A maximum ignores padding and is NaN if the window holds one; a
    mean counts padding as zeros and divides by the whole window. Accumulates in f32.

    1. (C1) the operand has rank 4 and a float element type.
    2. (C2) `kernel`, `strides`, `dilation` have 2 entries, all at least 1; `padding` 4, none
       negative; top and left are at most half of `dilation * (kernel - 1) + 1`, bottom and right
       are less than that, so that every window holds an element.
    3. (C3) height and width of the result are `floor((in + pads - dilation * (kernel - 1) - 1) /
       stride) + 1`, not provably below 1.

    ```mlir
    %y = nn.pool2d max %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>,
                           padding = array<i64: 0, 0, 0, 0>}
        : tensor<1x6x28x28xf32> -> tensor<1x6x14x14xf32>
    ```
  }];
  let arguments = (ins NN_PoolKindAttr:$kind, NN_FloatTensor:$input, DenseI64ArrayAttr:$kernel,
                       DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$padding,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$dilation,
                       UnitAttr:$channels_last);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = "$kind $input attr-dict `:` type($input) `->` type($result)";
}

def NN_AttentionOp : NN_InferredOp<"attention", "Attention", [AttrSizedOperandSegments, NN_Derivative]> {
  let summary = "Scaled dot-product attention with grouped queries";
  let description = [{
    Queries are `[B, H, T, D]`, keys and values `[B, K, S, D]`; each of the K heads of keys serves
    `G = H / K` heads of queries:

    `s[b, h, t, j] = sum_d query[b, h, t, d] * key[b, h / G, j, d] / sqrt(D)`, or `-inf` where
    `mask[b, h, t, j]` is false and, if `causal`, where `t + offset < j`;
    `result[b, h, t, d] = sum_j softmax_j(s)[b, h, t, j] * value[b, h / G, j, d]`.

    Scores, softmax and both sums are f32; with 16-bit elements the weights of the second sum may be
    rounded to the element type, and the result is rounded once. A row in which every key is hidden
    is NaN, as the softmax of nothing but `-inf` is; a row of no keys (S = 0) is 0. Whether a hidden
    key that is not finite spoils its row is not specified. `offset` is what of the keys lies before
    the first query: 0 without the operand.

    `lse[b, h, t]` is the logarithm of the sum of `exp(s)` over the row, `-inf` where no key is seen:
    what `nn.attention_grad` computes the weights from. Without the result it is not stored.

    It is what a function with `@kernel("flash_attention")` becomes (Dao et al., "FlashAttention",
    2022): kernels never hold all scores.

    1. (C1) query, key and value have rank 4 and the same float element type; key and value have the
       same dimensions.
    2. (C2) query and key agree on B and D; D is a constant above 0.
    3. (C3) H is not provably indivisible by K.
    4. (C4) `mask` has the dimensions `[B, H, T, S]`.
    5. (C5) `offset` has rank 0 and is there only if `causal`.
    6. (C6) `lse` has the dimensions `[B, H, T]`.

    ```mlir
    %y = nn.attention %q, %k, %v mask %m offset %pos {causal}
        : (tensor<1x4x3x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x8xf32>, tensor<1x4x3x5xi1>,
           tensor<i32>) -> tensor<1x4x3x8xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$query, NN_FloatTensor:$key, NN_FloatTensor:$value,
                       Optional<NN_BoolTensor>:$mask, Optional<NN_IndexTensor>:$offset,
                       UnitAttr:$causal);
  let results = (outs NN_FloatTensor:$result, Optional<NN_TensorOf<[F32]>>:$lse);
  let assemblyFormat = [{
    $query `,` $key `,` $value (`mask` $mask^)? (`offset` $offset^)? attr-dict
    `:` functional-type(operands, results)
  }];
  let hasCanonicalizer = 1;
  let hasVerifier = 1;
  let extraClassDeclaration = roleDeclaration # [{
    /// That of `result`.
    ::mlir::RankedTensorType getType() { return getResult().getType(); }
  }];
}

def NN_AttentionGradOp : NN_PureOp<"attention_grad", "AttentionGrad", [AttrSizedOperandSegments]> {
  let summary = "Gradients of attention by queries, keys and values";
  let description = [{
    Operands are those of `nn.attention`, then `gradient`, the gradient `g` of its result, its `lse`,
    and `delta[b, h, t] = sum_d g[b, h, t, d] * result[b, h, t, d]`, both f32. With `s` and `G` as
    there (Dao et al., "FlashAttention", 2022, section B.4):

    `p[b, h, t, j] = exp(s[b, h, t, j] - lse[b, h, t])`, and 0 where the key is hidden;
    `e[b, h, t, j] = p[b, h, t, j] * (sum_d g[b, h, t, d] * value[b, h / G, j, d] - delta[b, h, t])`;
    `query_grad[b, h, t, d] = sum_j e[b, h, t, j] * key[b, h / G, j, d] / sqrt(D)`;
    `key_grad[b, k, j, d] = sum_{h / G = k, t} e[b, h, t, j] * query[b, h, t, d] / sqrt(D)`;
    `value_grad[b, k, j, d] = sum_{h / G = k, t} p[b, h, t, j] * g[b, h, t, d]`.

    Sums are f32; with 16-bit elements `p` and `e` may be rounded to the element type, and results
    are rounded once. Neither `p` nor `e` is ever held as a whole. A row that sees no key adds
    nothing to the gradients of keys and values, and that of its query is 0.

    1. (C1) queries, keys, values, `mask` and `offset` are as nn.attention requires.
    2. (C2) `gradient` has the type of the queries, `lse` and `delta` the dimensions `[B, H, T]`.
    3. (C3) the results have the types of queries, keys and values.

    ```mlir
    %dq, %dk, %dv = nn.attention_grad %q, %k, %v, %g, %lse, %delta {causal}
        : (tensor<1x4x3x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x8xf32>, tensor<1x4x3x8xf32>,
           tensor<1x4x3xf32>, tensor<1x4x3xf32>)
        -> (tensor<1x4x3x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x8xf32>)
    ```
  }];
  let arguments = (ins NN_FloatTensor:$query, NN_FloatTensor:$key, NN_FloatTensor:$value,
                       NN_FloatTensor:$gradient, NN_TensorOf<[F32]>:$lse,
                       NN_TensorOf<[F32]>:$delta, Optional<NN_BoolTensor>:$mask,
                       Optional<NN_IndexTensor>:$offset, UnitAttr:$causal);
  let results = (outs NN_FloatTensor:$query_grad, NN_FloatTensor:$key_grad,
                      NN_FloatTensor:$value_grad);
  let assemblyFormat = [{
    $query `,` $key `,` $value `,` $gradient `,` $lse `,` $delta (`mask` $mask^)?
    (`offset` $offset^)? attr-dict `:` functional-type(operands, results)
  }];
  let hasCanonicalizer = 1;
  let hasVerifier = 1;
}

#endif // NNC_IR_NNCOMPUTE
