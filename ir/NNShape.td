// Operations that make tensors from nothing, or that only move elements.

#ifndef NNC_IR_NNSHAPE
#define NNC_IR_NNSHAPE

include "NNBase.td"

def NN_FullOp : NN_PureOp<"full", "Source", [ConstantLike]> {
  let summary = "Tensor of one number";
  let description = [{
    Every element is `value`. The dialect's constants are materialized as this operation.

    1. (C1) the type of `value` is the result's element type.

    ```mlir
    %half = nn.full 5.000000e-01 : f32 -> tensor<4x8xf32>
    ```
  }];
  let arguments = (ins TypedAttrInterface:$value);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = "$value attr-dict `->` type($result)";
  let builders = [
    OpBuilder<(ins "::mlir::RankedTensorType":$type, "double":$value),
              "build($_builder, $_state, type, getScalarAttr(type.getElementType(), value));">];
  let hasFolder = 1;
  let hasVerifier = 1;
}

def NN_IotaOp : NN_PureOp<"iota", "Source"> {
  let summary = "Counting along an axis";
  let description = [{
    Element `[..., i, ...]` is `i`, the position along `axis`. With -1 it is the position along all
    axes, row-major, which is the number of the element.

    1. (C1) `-1 <= axis < rank(result)`.

    ```mlir
    %i = nn.iota {axis = 0 : i64} : tensor<16xi32>
    ```
  }];
  let arguments = (ins I64Attr:$axis);
  let results = (outs NN_IndexTensor:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def NN_SizeOp : NN_PureOp<"size", "Source"> {
  let summary = "Dimension expression as a scalar tensor";
  let description = [{
    The value of an expression over the dimensions of the entry point.

    1. (C1) `size` has no dims and exactly one result.
    2. (C2) the result has rank 0.

    ```mlir
    %t = nn.size affine_map<()[s0, s1] -> (s1 + 1)> : tensor<i64>
    ```
  }];
  let arguments = (ins AffineMapAttr:$size);
  let results = (outs NN_IndexTensor:$result);
  let assemblyFormat = "$size attr-dict `:` type($result)";
  let hasFolder = 1;
  let hasVerifier = 1;
}

class NN_ViewOp<string mnemonic, list<Trait> traits = []>
    : NN_PureOp<mnemonic, "View", traits> {
  let arguments = (ins NN_Tensor:$input);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def NN_ReshapeOp : NN_ViewOp<"reshape", [NN_Derivative]> {
  let summary = "Same elements in row-major order, other dimensions";
  let description = [{
    1. (C1) operand and result have the same element type.
    2. (C2) the numbers of elements are not provably different.

    ```mlir
    %y = nn.reshape %x : tensor<4x16x5x5xf32> -> tensor<4x400xf32>
    ```
  }];
  let hasCanonicalizer = 1;
}

def NN_TransposeOp : NN_InferredOp<"transpose", "View", [NN_Derivative]> {
  let summary = "Permutation of axes";
  let description = [{
    Axis `i` of the result is axis `permutation[i]` of the operand.

    1. (C1) `permutation` is a permutation of `0 .. rank(input)`.
    2. (C2) `dim(result, i) = dim(input, permutation[i])`.

    ```mlir
    %y = nn.transpose %x {permutation = array<i64: 1, 0>} : tensor<4x8xf32> -> tensor<8x4xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$input, DenseI64ArrayAttr:$permutation);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def NN_BroadcastOp : NN_ViewOp<"broadcast", [NN_Derivative]> {
  let summary = "Repetition along axes";
  let description = [{
    Axis `i` of the operand becomes axis `dims[i]` of the result; an operand axis of size 1 is
    repeated, as are the result's other axes.

    1. (C1) `dims` has one entry per operand axis, strictly increasing, in `0 .. rank(result)`.
    2. (C2) `dim(input, i)` is 1 or not provably different from `dim(result, dims[i])`.
    3. (C3) operand and result have the same element type.

    ```mlir
    %y = nn.broadcast %x {dims = array<i64: 1>} : tensor<8xf32> -> tensor<4x8xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$input, DenseI64ArrayAttr:$dims);
  let hasCanonicalizer = 1;
}

def NN_ConcatOp : NN_InferredOp<"concat", "View", [NN_Derivative]> {
  let summary = "Tensors joined along an axis";
  let description = [{
    1. (C1) there is at least one operand; all have the same rank and element type.
    2. (C2) `0 <= axis < rank`.
    3. (C3) dimensions other than `axis` are not provably different.
    4. (C4) `dim(result, axis)` is the sum of the operands'.

    ```mlir
    %z = nn.concat %x, %y {axis = 1 : i64}
        : tensor<4x8xf32>, tensor<4x2xf32> -> tensor<4x10xf32>
    ```
  }];
  let arguments = (ins Variadic<NN_Tensor>:$inputs, I64Attr:$axis);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = "$inputs attr-dict `:` type($inputs) `->` type($result)";
  let hasFolder = 1;
}

def NN_SliceOp : NN_ViewOp<"slice", [NN_Derivative]> {
  let summary = "Regular part of a tensor";
  let description = [{
    Element `[i0, i1, ...]` of the result is element `[start0 + i0 * step0, ...]` of the operand.
    The starts are expressions over the dimensions of the entry point.

    1. (C1) `start` has no dims and one result per axis; `step` has one entry per axis.
    2. (C2) every step is at least 1.
    3. (C3) operand and result have the same rank and element type.
    4. (C4) no start and no last element lies provably outside the operand.

    ```mlir
    %y = nn.slice %x start affine_map<() -> (0, 2)> step [1, 2]
        : tensor<4x8xf32> -> tensor<4x3xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$input, AffineMapAttr:$start, DenseI64ArrayAttr:$step);
  let assemblyFormat = [{
    $input `start` $start `step` $step attr-dict `:` type($input) `->` type($result)
  }];
}

def NN_UpdateOp : NN_PureOp<"update", "Update", [NN_Derivative, AllTypesMatch<["input", "result"]>]> {
  let summary = "Tensor with a regular part replaced";
  let description = [{
    Element `[start0 + i0 * step0, ...]` of the result is element `[i0, i1, ...]` of `value`, every
    other one that of `input`. The starts are expressions over the symbols of the entry point. As a
    kernel it writes the part into the operand's memory.

    1. (C1) `start` has no dims and one result per axis; `step` has one entry per axis.
    2. (C2) every step is at least 1.
    3. (C3) all have the same rank and element type; the result has the operand's type.
    4. (C4) no start and no last element lies provably outside the operand.

    ```mlir
    %y = nn.update %x, %v start affine_map<()[s0] -> (0, s0)> step [1, 1]
        : tensor<4x8xf32>, tensor<4x2xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$input, NN_Tensor:$value, AffineMapAttr:$start,
                       DenseI64ArrayAttr:$step);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = [{
    $input `,` $value `start` $start `step` $step attr-dict `:` type($input) `,` type($value)
  }];
  let hasVerifier = 1;
}

def NN_PadOp : NN_InferredOp<"pad", "View", [NN_Derivative]> {
  let summary = "Tensor with a border of one number";
  let description = [{
    Adds `low[i]` elements before and `high[i]` after along axis `i`, all equal to `value`.

    1. (C1) `low` and `high` have one entry per axis, none negative.
    2. (C2) the type of `value` is the element type.
    3. (C3) `dim(result, i) = low[i] + dim(input, i) + high[i]`.

    ```mlir
    %y = nn.pad %x {low = array<i64: 0, 1>, high = array<i64: 0, 1>, value = 0.0 : f32}
        : tensor<4x8xf32> -> tensor<4x10xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$input, DenseI64ArrayAttr:$low, DenseI64ArrayAttr:$high,
                       TypedAttrInterface:$value);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let builders = [
    OpBuilder<(ins "::mlir::RankedTensorType":$type, "::mlir::Value":$input,
                   "::llvm::ArrayRef<int64_t>":$low, "::llvm::ArrayRef<int64_t>":$high,
                   "double":$value),
      "build($_builder, $_state, type, input, low, high, "
      "getScalarAttr(type.getElementType(), value));">];
  let hasFolder = 1;
}

def NN_GatherOp : NN_InferredOp<"gather", "Gather", [NN_Derivative]> {
  let summary = "Rows of a table by number";
  let description = [{
    The result's dimensions are the table's before `axis`, then all of `ids`, then the table's after
    `axis`: `result[a.., i.., b..] = table[a.., ids[i..], b..]`. A number outside `0 .. n-1` is
    replaced by the nearest inside (negative ones by 0).

    1. (C1) `0 <= axis < rank(table)`.
    2. (C2) the dimensions of the result are as said.
    3. (C3) axis `axis` of the table is not provably empty.

    ```mlir
    %y = nn.gather %table, %ids {axis = 0 : i64}
        : tensor<100x8xf32>, tensor<4x5xi32> -> tensor<4x5x8xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$table, NN_IndexTensor:$ids, I64Attr:$axis);
  let results = (outs NN_Tensor:$result);
  let hasCanonicalizer = 1;
  let assemblyFormat = [{
    $table `,` $ids attr-dict `:` type($table) `,` type($ids) `->` type($result)
  }];
}

#endif // NNC_IR_NNSHAPE
