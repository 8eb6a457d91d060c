// The nn dialect itself: its element types, enumerations and the base classes of its operations.
// Every group of operations (NNElementwise.td, NNShape.td, NNCompute.td, NNTraining.td, NNKernel.td) includes only
// this file, so that each group gets generated headers of its own.

#ifndef NNC_IR_NNBASE
#define NNC_IR_NNBASE

include "mlir/IR/OpBase.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/EnumAttr.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "Interfaces.td"

def NN_Dialect : Dialect {
  let name = "nn";
  let summary = "What a neural network is, before anything about how it runs";
  let description = [{
    Tensor SSA with one operation per primitive of the language. Values are builtin ranked tensors;
    where a size is dynamic, the encoding of the type is an affine map over the symbols of the entry
    point (`s_i` is the i-th name in `nn.dims`) with one result per axis:

    ```mlir
    tensor<?x6x28x28xf32, affine_map<()[s0] -> (s0, 6, 28, 28)>>
    ```

    Shapes are explicit: elementwise operations need equal types, `nn.broadcast` stretches, `nn.full`
    makes tensors of numbers. Level 1 of the compiler holds these operations directly in functions;
    level 2 groups them in `nn.kernel` regions, whose bodies are then lowered to `linalg`.

    All arithmetic on f16 and bf16 is done in f32 and rounded once per operation.
  }];
  let cppNamespace = "::nnc::nn";
  let hasConstantMaterializer = 1;
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let hasRegionResultAttrVerify = 1;
  let extraClassDeclaration = [{
    void registerAttributes();
    /// One per generated group of operations; each lives in the group's own source file.
    void registerElementwiseOps();
    void registerShapeOps();
    void registerComputeOps();
    void registerTrainingOps();
    void registerKernelOps();
  }];
}

//===- Types ----------------------------------------------------------------------------------===//

defvar NN_Floats = [F32, F16, BF16];
defvar NN_Ints = [I8, I32, I64];

class NN_TensorOf<list<Type> elements>
    : RankedTensorOf<elements, [CPred<"::nnc::nn::hasValidDims($_self)">],
                     "tensor with known dimensions">;

/// Floats that are stored, cast and moved, never computed with.
defvar NN_StorageFloats = [F8E4M3FN, F8E5M2];

def NN_Tensor : NN_TensorOf<!listconcat(NN_Floats, NN_StorageFloats, NN_Ints, [I1])>;
def NN_NumTensor : NN_TensorOf<!listconcat(NN_Floats, NN_Ints)>;
def NN_FloatTensor : NN_TensorOf<NN_Floats>;
def NN_IntTensor : NN_TensorOf<NN_Ints>;
def NN_IndexTensor : NN_TensorOf<[I32, I64]>;
def NN_BoolTensor : NN_TensorOf<[I1]>;
def NN_StoredTensor : NN_TensorOf<!listconcat(NN_StorageFloats, [I8])>;

//===- Enumerations ---------------------------------------------------------------------------===//

class NN_Enum<string name, string summary, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::nnc::nn";
  let genSpecializedAttr = 0;
}

def NN_CmpPredicate : NN_Enum<"CmpPredicate", "how two numbers compare", [
  I32EnumAttrCase<"Eq", 0, "eq">, I32EnumAttrCase<"Ne", 1, "ne">,
  I32EnumAttrCase<"Lt", 2, "lt">, I32EnumAttrCase<"Le", 3, "le">,
  I32EnumAttrCase<"Gt", 4, "gt">, I32EnumAttrCase<"Ge", 5, "ge">]>;
def NN_ReduceKind : NN_Enum<"ReduceKind", "how a reduction combines", [
  I32EnumAttrCase<"Sum", 0, "sum">, I32EnumAttrCase<"Mean", 1, "mean">,
  I32EnumAttrCase<"Max", 2, "max">, I32EnumAttrCase<"Min", 3, "min">]>;
def NN_ArgReduceKind : NN_Enum<"ArgReduceKind", "which element's place is wanted", [
  I32EnumAttrCase<"Max", 0, "max">, I32EnumAttrCase<"Min", 1, "min">]>;
def NN_PoolKind : NN_Enum<"PoolKind", "how a window combines", [
  I32EnumAttrCase<"Max", 0, "max">, I32EnumAttrCase<"Avg", 1, "avg">,
  I32EnumAttrCase<"Sum", 2, "sum">]>;
def NN_RandomKind : NN_Enum<"RandomKind", "how random numbers are distributed", [
  I32EnumAttrCase<"Bits", 0, "bits">, I32EnumAttrCase<"Normal", 1, "normal">]>;

def NN_CmpPredicateAttr : EnumAttr<NN_Dialect, NN_CmpPredicate, "cmp">;
def NN_ReduceKindAttr : EnumAttr<NN_Dialect, NN_ReduceKind, "reduce_kind">;
def NN_ArgReduceKindAttr : EnumAttr<NN_Dialect, NN_ArgReduceKind, "arg_reduce_kind">;
def NN_PoolKindAttr : EnumAttr<NN_Dialect, NN_PoolKind, "pool_kind">;
def NN_RandomKindAttr : EnumAttr<NN_Dialect, NN_RandomKind, "random_kind">;

//===- Operations -----------------------------------------------------------------------------===//

class NN_Op<string mnemonic, list<Trait> traits = []> : Op<NN_Dialect, mnemonic, traits>;

/// A tensor function: no side effects, lowers to linalg, has a role in fusion.
class NN_PureOp<string mnemonic, string role, list<Trait> traits = []>
    : NN_Op<mnemonic, !listconcat([Pure, DeclareOpInterfaceMethods<NN_LinalgLoweringInterface>,
                                   NN_FusionInterface], traits)> {
  code roleDeclaration = [{
    ::nnc::nn::FusionRole getFusionRole() { return ::nnc::nn::FusionRole::}] # role # [{; }
  }];
  let extraClassDeclaration = roleDeclaration;
}

/// `buildDerivative` is in the `Derive*.cpp` of its group.
defvar NN_Derivative = DeclareOpInterfaceMethods<NN_DerivativeInterface>;

/// A tensor function whose result type follows from its operands and attributes; the verifier
/// compares the declared type with the inferred one.
class NN_InferredOp<string mnemonic, string role, list<Trait> traits = []>
    : NN_PureOp<mnemonic, role,
                !listconcat([DeclareOpInterfaceMethods<NN_ShapeInterface>], traits)>;

#endif // NNC_IR_NNBASE
