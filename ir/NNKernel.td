// What surrounds the tensor functions: checkpoint slots, and level 2: kernels and library GEMMs.

#ifndef NNC_IR_NNKERNEL
#define NNC_IR_NNKERNEL

include "NNBase.td"
include "mlir/IR/SymbolInterfaces.td"

def NN_GlobalOp : NN_Op<"global", [Symbol]> {
  let summary = "Slot of the checkpoint, or a constant of the model";
  let description = [{
    Declares a tensor that outlives calls. Its data is never in the IR: it is kept in a weight store
    under the symbol's name. `keys` are the names under which a checkpoint may hold it, the first is
    the one written. `init` says how to make it without a checkpoint.

    1. (C1) `kind` is `param`, `buffer`, `state` or `const`.
    2. (C2) `init` is `{kind = "full", value}`, `{kind = "kaiming_uniform"}`,
       `{kind = "normal", mean, std}` or `{kind = "uniform", low, high}`, numbers being f64.
    3. (C3) only a `state` has dynamic sizes. Its symbols are its own dimension variables; the entry
       points that use it say what they are.

    ```mlir
    nn.global @"conv1.weight" : tensor<6x1x5x5xf32> {kind = "param", keys = ["conv1.weight"],
                                                     init = {kind = "kaiming_uniform"}}
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<NN_Tensor>:$type, StrAttr:$kind,
                       OptionalAttr<StrArrayAttr>:$keys, OptionalAttr<DictionaryAttr>:$init);
  let assemblyFormat = "$sym_name `:` $type attr-dict";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::RankedTensorType getTensorType() {
      return ::llvm::cast<::mlir::RankedTensorType>(getType());
    }
  }];
}

def NN_GetOp : NN_Op<"get", [Pure, NN_FusionInterface,
                             DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Value of a global";
  let description = [{
    1. (C1) the symbol names an `nn.global` of the result's type; where the global's size is
       dynamic, that of the result may be anything.

    ```mlir
    %w = nn.get @"conv1.weight" : tensor<6x1x5x5xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$name);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = "$name attr-dict `:` type($result)";
  let extraClassDeclaration = [{
    ::nnc::nn::FusionRole getFusionRole() { return ::nnc::nn::FusionRole::Source; }
  }];
}

def NN_SetOp : NN_Op<"set", [MemoryEffects<[MemWrite]>,
                             DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "What a state holds after the call";
  let description = [{
    Stands behind all that computes in an entry point, at most once per global. What `nn.get` gives
    is always the value on entry.

    1. (C1) the symbol names an `nn.global` of kind `state`, `buffer` or `param` of the value's type,
       as for `nn.get`.

    ```mlir
    nn.set @"pos", %next : tensor<i32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$name, NN_Tensor:$value);
  let assemblyFormat = "$name `,` $value attr-dict `:` type($value)";
}

def NN_DrawOp : NN_Op<"draw", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "The next numbers of the session's generator";
  let description = [{
    No two draws give the same numbers: neither two of these operations, nor one in two steps of a
    scan or in two calls. `nn-number-draws` makes each an `nn.random`, once all functions of an
    entry point are inlined, so that its place in it is known.

    1. (C1) the result is i32 for `bits`, f32 for `normal`.

    ```mlir
    %x = nn.draw normal : tensor<4xf32>
    ```
  }];
  let arguments = (ins NN_RandomKindAttr:$kind);
  let results = (outs NN_TensorOf<[I32, F32]>:$result);
  let assemblyFormat = "$kind attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def NN_KernelOp : NN_Op<"kernel", [IsolatedFromAbove, SingleBlock, Pure]> {
  let summary = "Tensor functions that run as one kernel";
  let description = [{
    The body has one block argument per operand and ends in `nn.yield` with one value per result.
    Before lowering it holds nn operations, and its types are those of operands and results; after
    it, linalg on types without encodings. Operands and results keep their encodings. Code for
    `attention`, `attention_grad` and `scatter` is written from the nn operation, which is never
    lowered.

    A kernel with `start` and `step` ends in an update: its only result is its first operand with a
    part replaced, which `nn.update` describes; it yields that part alone. It writes into the
    operand's memory, which nothing else in the body reads.

    1. (C1) `anchor` is `pointwise`, `reduction`, `contraction`, `convolution`, `window`,
       `gather`, `scatter`, `attention` or `attention_grad`.
    2. (C2) every block argument has its operand's type, with or without the encoding.
    3. (C3) every yielded value has its result's type, with or without the encoding.
    4. (C4) there is at least one result.
    5. (C5) an update has one result, of its first operand's type, and yields as many axes.

    ```mlir
    %r = nn.kernel "relu" (%x : tensor<4xf32>) -> (tensor<4xf32>) attributes {anchor = "pointwise"} {
    ^bb0(%a: tensor<4xf32>):
      %zero = nn.full 0.0 : f32 -> tensor<4xf32>
      %m = nn.max %a, %zero : tensor<4xf32>
      nn.yield %m : tensor<4xf32>
    }
    ```
  }];
  let arguments = (ins StrAttr:$kernel_name, Variadic<NN_Tensor>:$operands, StrAttr:$anchor,
                       OptionalAttr<AffineMapAttr>:$start, OptionalAttr<DenseI64ArrayAttr>:$step);
  let results = (outs Variadic<NN_Tensor>:$outputs);
  let regions = (region SizedRegion<1>:$bodyRegion);
  let assemblyFormat = [{
    $kernel_name `(` ($operands^ `:` type($operands))? `)` `->` `(` type($outputs) `)`
    attr-dict-with-keyword $bodyRegion
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    /// Whether it writes a part of its first operand's memory.
    bool isUpdate() { return getStart().has_value(); }
  }];
}

def NN_ScanOp : NN_Op<"scan", [SingleBlock, Pure]> {
  let summary = "Loop at run time";
  let description = [{
    Runs its body `length` times. Symbol `counter` has in it the values 0 to `length` - 1, downwards
    with `reverse`. The block arguments are the carried values: `inits` at first, then what the last
    iteration yielded. The body ends in `nn.yield` of the carried values, then of those to stack.
    Results are the carried values after the last iteration, then the stacked ones, whose first axis
    is the counter, in either direction. The body may use values from outside of it.

    1. (C1) `length` has no dims and one result, which does not mention `counter`.
    2. (C2) block arguments, carried results and carried yields have the types of `inits`.
    3. (C3) a stacked result has the dimensions `[length, d..]` where the yield has `[d..]`.

    ```mlir
    %last, %all = nn.scan 1 length affine_map<()[s0] -> (s0)> init(%h0 : tensor<4xf32>)
        -> (tensor<4xf32>, tensor<?x4xf32, affine_map<()[s0] -> (s0, 4)>>) {
    ^bb0(%h: tensor<4xf32>):
      %row = nn.slice %x start affine_map<()[s0, s1] -> (s1, 0)> step [1, 1]
          : tensor<?x4xf32, affine_map<()[s0] -> (s0, 4)>> -> tensor<1x4xf32>
      %xt = nn.reshape %row : tensor<1x4xf32> -> tensor<4xf32>
      %sum = nn.add %h, %xt : tensor<4xf32>
      nn.yield %sum, %sum : tensor<4xf32>, tensor<4xf32>
    }
    ```
  }];
  let arguments = (ins ConfinedAttr<I64Attr, [IntNonNegative]>:$counter, AffineMapAttr:$length,
                       Variadic<NN_Tensor>:$inits, UnitAttr:$reverse);
  let results = (outs Variadic<NN_Tensor>:$outputs);
  let regions = (region SizedRegion<1>:$bodyRegion);
  let assemblyFormat = [{
    $counter `length` $length (`init` `(` $inits^ `:` type($inits) `)`)? (`reverse` $reverse^)?
    `->` `(` type($outputs) `)` attr-dict-with-keyword $bodyRegion
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let hasCanonicalizer = 1;
  let extraClassDeclaration = [{
    unsigned getNumCarried() { return getInits().size(); }
    ::mlir::ResultRange getCarried() { return getResults().take_front(getNumCarried()); }
    ::mlir::ResultRange getStacked() { return getResults().drop_front(getNumCarried()); }
    ::mlir::AffineExpr getLengthExpr() { return getLength().getResult(0); }
    ::nnc::nn::YieldOp getYield();
    /// Values from outside that the body uses, each once, in order of their first use.
    ::llvm::SetVector<::mlir::Value> getCaptured();
    /// Whether an attribute of `op` or of an operation in it mentions the counter.
    bool isCounterUsedBy(::mlir::Operation *op);
  }];
}

def NN_YieldOp : NN_Op<"yield", [Pure, Terminator, ParentOneOf<["KernelOp", "ScanOp"]>]> {
  let summary = "Results of a kernel, or of an iteration of a scan";
  let description = [{
    ```mlir
    nn.yield %r : tensor<4xf32>
    ```
  }];
  let arguments = (ins Variadic<AnyType>:$operands);
  let assemblyFormat = "($operands^ `:` type($operands))? attr-dict";
  let builders = [OpBuilder<(ins), "build($_builder, $_state, ::mlir::ValueRange());">];
}

def NN_SymbolOp : NN_Op<"symbol", [Pure]> {
  let summary = "Run-time value of a dimension of the entry point";
  let description = [{
    1. (C1) `position >= 0`.

    ```mlir
    %b = nn.symbol 0 : index
    ```
  }];
  let arguments = (ins ConfinedAttr<I64Attr, [IntNonNegative]>:$position);
  let results = (outs Index:$result);
  let assemblyFormat = "$position attr-dict `:` type($result)";
}

def NN_GemmOp : NN_Op<"gemm", [Pure, AttrSizedOperandSegments,
                               DeclareOpInterfaceMethods<NN_ShapeInterface>]> {
  let summary = "Matrix product by the library";
  let description = [{
    `result = epilogue(lhs @ rhs + bias + residual)`, the product as in `nn.matmul`, everything
    before the single rounding at the end in f32. `bias` is added along the last axis. The epilogues
    are `none`, `relu` = `max(x, 0)` and `gelu` = `0.5 * x * (1 + tanh(sqrt(2/pi) * (x + 0.044715 *
    x**3)))`.

    1. (C1) as for `nn.matmul`, and the element type is a float.
    2. (C2) `bias` has the dimensions `[N]`, `residual` has the result's type.
    3. (C3) `epilogue` is `none`, `relu` or `gelu`.

    ```mlir
    %y = nn.gemm %x, %w bias %b {transpose_b, epilogue = "relu"}
        : (tensor<4x400xf32>, tensor<120x400xf32>, tensor<120xf32>) -> tensor<4x120xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$lhs, NN_FloatTensor:$rhs, Optional<NN_FloatTensor>:$bias,
                       Optional<NN_FloatTensor>:$residual, UnitAttr:$transpose_a,
                       UnitAttr:$transpose_b, DefaultValuedAttr<StrAttr, "\"none\"">:$epilogue);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = [{
    $lhs `,` $rhs (`bias` $bias^)? (`residual` $residual^)? attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

#endif // NNC_IR_NNKERNEL
