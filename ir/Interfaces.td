// What the rest of the compiler may ask of any operation of the nn dialect. Passes and code
// generators dispatch on these interfaces and keep no lists of operation names.

#ifndef NNC_IR_INTERFACES
#define NNC_IR_INTERFACES

include "mlir/IR/OpBase.td"

def NN_LinalgLoweringInterface : OpInterface<"LinalgLoweringInterface"> {
  let cppNamespace = "::nnc::nn";
  let description = [{Lowering to linalg, tensor, arith, math and affine on tensors.}];
  let methods = [
    InterfaceMethod<[{
      Creates at the builder's insertion point the operations that compute this one, and returns one
      value per result, of the result's type without its encoding. `operands` correspond to the
      operands of the operation and have types without encodings. Sizes that depend on dimensions
      are made from `nn.symbol`. The operation itself is left in place. Fails with a diagnostic on
      the operation.
    }], "::mlir::FailureOr<::llvm::SmallVector<::mlir::Value>>", "lowerToLinalg",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::ValueRange":$operands)>,
  ];
}

def NN_FusionInterface : OpInterface<"FusionInterface"> {
  let cppNamespace = "::nnc::nn";
  let description = [{The part that an operation may play in a kernel.}];
  let methods = [
    InterfaceMethod<"The role of this operation when kernels are formed.",
      "::nnc::nn::FusionRole", "getFusionRole", (ins)>,
  ];
}

def NN_ShapeInterface : OpInterface<"ShapeInterface"> {
  let cppNamespace = "::nnc::nn";
  let description = [{
    Shape inference. The verifier refuses an operation whose declared result is provably different
    from the inferred one.
  }];
  let methods = [
    InterfaceMethod<[{
      The result type that operands and attributes imply. Fails with a diagnostic on the operation
      if they contradict one another.
    }], "::mlir::FailureOr<::mlir::RankedTensorType>", "inferResultType", (ins)>,
  ];
  let verify = [{ return ::nnc::nn::verifyInferredType($_op); }];
}

/// Of elementwise operations: takes as long as a read of memory, so that who reads the result does not
/// compute it again.
def NN_Costly : NativeOpTrait<"Costly"> {
  let cppNamespace = "::nnc::nn";
}

def NN_DerivativeInterface : OpInterface<"DerivativeInterface"> {
  let cppNamespace = "::nnc::nn";
  let description = [{Reverse-mode differentiation, an operation at a time.}];
  let methods = [
    InterfaceMethod<[{
      Creates at the builder's insertion point the operations that compute, from the gradients of the
      results, that of every operand: `sum_r resultGradients[r] * d result_r / d operand`, of the
      operand's type. A result without a gradient has a null value; at least one has one. The answer
      has one value per operand, null where the derivative is zero everywhere or the operand has no
      floats. May read operands and results. An empty answer says that there is no derivative; a
      diagnostic on the operation says why. Gradients that nothing reads are dropped by the caller.
    }], "::llvm::SmallVector<::mlir::Value>", "buildDerivative",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::ValueRange":$resultGradients)>,
  ];
}

#endif // NNC_IR_INTERFACES
