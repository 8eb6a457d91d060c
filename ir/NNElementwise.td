// Elementwise operations: element i of the result depends on element i of the operands only.

#ifndef NNC_IR_NNELEMENTWISE
#define NNC_IR_NNELEMENTWISE

include "NNBase.td"

class NN_Elementwise<string mnemonic, list<Trait> traits = []>
    : NN_PureOp<mnemonic, "Pointwise", traits> {
  let hasFolder = 1;
}

class NN_UnaryOp<string mnemonic, string formula, Type type = NN_FloatTensor,
                 list<Trait> traits = [NN_Derivative]>
    : NN_Elementwise<mnemonic, !listconcat([SameOperandsAndResultType], traits)> {
  let summary = "Elementwise " # formula;
  let description = !strconcat("\n    Computes ", formula, [{ of every element.

    1. (C1) operand and result have the same type.

    ```mlir
    %y = nn.}], mnemonic, [{ %x : tensor<4x8x}], !if(!eq(mnemonic, "not"), "i1", "f32"), [{>
    ```
  }]);
  let arguments = (ins type:$input);
  let results = (outs type:$result);
  let assemblyFormat = "$input attr-dict `:` type($result)";
}

def NN_NegOp : NN_UnaryOp<"neg", "negation, `-x`", NN_NumTensor>;
def NN_AbsOp : NN_UnaryOp<"abs", "absolute value, `|x|`", NN_NumTensor>;

/// Libraries differ in the last bit of these, so that constants are left to run time.
class NN_Function<string mnemonic, string formula>
    : NN_UnaryOp<mnemonic, formula, NN_FloatTensor, [NN_Derivative, NN_Costly]> {
  let hasFolder = 0;
}

def NN_ExpOp : NN_Function<"exp", "exponential, `e**x`">;
def NN_LogOp : NN_Function<"log", "natural logarithm, `log(x)`">;
def NN_RsqrtOp : NN_Function<"rsqrt", "reciprocal square root, `1 / sqrt(x)`">;
def NN_SinOp : NN_Function<"sin", "sine of radians, `sin(x)`">;
def NN_CosOp : NN_Function<"cos", "cosine of radians, `cos(x)`">;
def NN_AtanOp : NN_Function<"atan", "angle in radians whose tangent is x, `atan(x)`">;
def NN_TanhOp : NN_Function<"tanh", "hyperbolic tangent, `tanh(x)`">;
def NN_ErfOp : NN_Function<"erf", "error function, `erf(x)`">;

def NN_SqrtOp : NN_UnaryOp<"sqrt", "square root, `x**0.5`", NN_FloatTensor, [NN_Derivative, NN_Costly]>;
def NN_FloorOp : NN_UnaryOp<"floor", "greatest integer not above x, `floor(x)`">;
def NN_RoundOp : NN_UnaryOp<"round", "nearest integer, halves to even">;
def NN_NotOp : NN_UnaryOp<"not", "negation of truth values", NN_BoolTensor, []>;

class NN_BinaryOp<string mnemonic, string formula, Type type, list<Trait> traits = []>
    : NN_Elementwise<mnemonic, !listconcat([SameOperandsAndResultType], traits)> {
  let summary = "Elementwise " # formula;
  let description = !strconcat("\n    Computes ", formula, [{ of every pair of elements.

    1. (C1) both operands and the result have the same type; `nn.broadcast` stretches.

    ```mlir
    %z = nn.}], mnemonic, [{ %x, %y : tensor<4x8x}],
    !if(!or(!eq(mnemonic, "and"), !eq(mnemonic, "or")), "i1", "f32"), [{>
    ```
  }]);
  let arguments = (ins type:$lhs, type:$rhs);
  let results = (outs type:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($result)";
}

def NN_AddOp : NN_BinaryOp<"add", "sum, `x + y`; integers wrap", NN_NumTensor, [Commutative, NN_Derivative]>;
def NN_SubOp : NN_BinaryOp<"sub", "difference, `x - y`; integers wrap", NN_NumTensor, [NN_Derivative]>;
def NN_MulOp : NN_BinaryOp<"mul", "product, `x * y`; integers wrap", NN_NumTensor, [Commutative, NN_Derivative]>;
def NN_DivOp : NN_BinaryOp<"div", "quotient, `x / y`", NN_FloatTensor, [NN_Derivative, NN_Costly]>;
def NN_FloorDivOp : NN_BinaryOp<"floordiv",
  "quotient rounded down, `floor(x / y)`; an integer divided by zero is 0", NN_NumTensor,
  [NN_Derivative, NN_Costly]>;
def NN_ModOp : NN_BinaryOp<"mod",
  "remainder with the sign of the divisor, `x - y * floor(x / y)`; an integer modulo zero is 0",
  NN_NumTensor, [NN_Derivative, NN_Costly]>;
def NN_PowOp : NN_BinaryOp<"pow", "power, `x ** y`", NN_FloatTensor, [NN_Derivative, NN_Costly]>;
def NN_MaxOp : NN_BinaryOp<"max", "maximum, NaN if either is", NN_NumTensor, [Commutative, NN_Derivative]>;
def NN_MinOp : NN_BinaryOp<"min", "minimum, NaN if either is", NN_NumTensor, [Commutative, NN_Derivative]>;
def NN_AndOp : NN_BinaryOp<"and", "conjunction", NN_BoolTensor, [Commutative]>;
def NN_OrOp : NN_BinaryOp<"or", "disjunction", NN_BoolTensor, [Commutative]>;

def NN_CmpOp : NN_Elementwise<"cmp", [SameTypeOperands,
    TypesMatchWith<"result has the operands' dimensions and element type i1", "lhs", "result",
                   "::nnc::nn::withElementType($_self, ::mlir::IntegerType::get("
                   "$_self.getContext(), 1))">]> {
  let summary = "Elementwise comparison";
  let description = [{
    Compares every pair of elements with one of `eq ne lt le gt ge`. Integers are signed. A NaN is
    unequal to everything and neither less nor greater.

    1. (C1) both operands have the same type.
    2. (C2) the result has the same dimensions and element type i1.

    ```mlir
    %m = nn.cmp lt %x, %y : tensor<4x8xf32>
    ```
  }];
  let arguments = (ins NN_CmpPredicateAttr:$predicate, NN_Tensor:$lhs, NN_Tensor:$rhs);
  let results = (outs NN_BoolTensor:$result);
  let assemblyFormat = "$predicate $lhs `,` $rhs attr-dict `:` type($lhs)";
}

def NN_SelectOp : NN_Elementwise<"select", [NN_Derivative, AllTypesMatch<["onTrue", "onFalse", "result"]>,
    TypesMatchWith<"condition has the result's dimensions and element type i1", "result",
                   "condition", "::nnc::nn::withElementType($_self, ::mlir::IntegerType::get("
                   "$_self.getContext(), 1))">]> {
  let summary = "Elementwise choice, `where(condition, onTrue, onFalse)`";
  let description = [{
    Takes every element from `onTrue` where the condition holds, else from `onFalse`.

    1. (C1) `onTrue`, `onFalse` and the result have the same type.
    2. (C2) the condition has the same dimensions and element type i1.

    ```mlir
    %z = nn.select %m, %x, %y : tensor<4x8xf32>
    ```
  }];
  let arguments = (ins NN_BoolTensor:$condition, NN_Tensor:$onTrue, NN_Tensor:$onFalse);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = "$condition `,` $onTrue `,` $onFalse attr-dict `:` type($result)";
}

def NN_CastOp : NN_Elementwise<"cast", [NN_Derivative]> {
  let summary = "Conversion of elements to another type";
  let description = [{
    Float to float rounds to nearest, halves to even. Float to integer truncates towards zero; a
    value that does not fit gives an unspecified integer. Integers are extended with their sign and
    truncated by dropping high bits. To i1: is it not zero (NaN is not); from i1: 0 or 1.

    1. (C1) operand and result have the same dimensions.

    ```mlir
    %y = nn.cast %x : tensor<4xf32> -> tensor<4xbf16>
    ```
  }];
  let arguments = (ins NN_Tensor:$input);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

def NN_RandomOp
    : NN_Elementwise<"random", [NN_Costly, AllTypesMatch<["counter", "seed", "call", "stream"]>]> {
  let summary = "Random numbers that depend on their place only";
  let description = [{
    Every element is made of the first words of Philox 4x32-10 (Salmon, Moraes, Dror, Shaw:
    Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011) with the key `seed` and the counter
    `(counter, call mod 2**32, stream mod 2**32)`. All arithmetic is on integers, but for
    operations that round as IEEE 754 says, so that every target gives the same bits.

    - `bits`: the upper 24 bits of the first word, as an i32 in `0 .. 2**24-1`.
    - `normal`: standard normal f32s by the method of Box and Muller, from the first two words:
      `sqrt(-2 log(u)) * cos(2 pi v)`, logarithm and cosine in fixed point with absolute errors
      below 2**-28.

    1. (C1) the operands have the same type.
    2. (C2) the result has the same dimensions, and is i32 for `bits`, f32 for `normal`.

    ```mlir
    %r = nn.random bits %i, %seed, %call, %stream : tensor<4xi64> -> tensor<4xi32>
    ```
  }];
  let arguments = (ins NN_RandomKindAttr:$kind, NN_TensorOf<[I64]>:$counter,
                       NN_TensorOf<[I64]>:$seed, NN_TensorOf<[I64]>:$call,
                       NN_TensorOf<[I64]>:$stream);
  let results = (outs NN_TensorOf<[I32, F32]>:$result);
  let assemblyFormat = [{
    $kind $counter `,` $seed `,` $call `,` $stream attr-dict `:` type($counter) `->` type($result)
  }];
  let hasFolder = 0;
  let hasVerifier = 1;
}

#endif // NNC_IR_NNELEMENTWISE
