//===- NNKernel.cpp - Definitions and verifiers -----------------------------------------------===//

#include "ir/NNOps.h"
#include "ir/Verify.h"

#include "mlir/IR/OpImplementation.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

#define GET_OP_CLASSES
#include "ir/NNKernel.cpp.inc"

namespace nnc::nn {

/// (C2) of nn.global: `init` has exactly these numbers beside its kind.
static LogicalResult verifyInit(GlobalOp op, DictionaryAttr init) {
  auto kind = init.getAs<StringAttr>("kind");
  using Names = SmallVector<StringRef, 2>;
  std::optional<Names> names = llvm::StringSwitch<std::optional<Names>>(kind ? kind.getValue() : "")
                                   .Case("full", Names{"value"})
                                   .Case("kaiming_uniform", Names{})
                                   .Case("normal", Names{"mean", "std"})
                                   .Case("uniform", Names{"low", "high"})
                                   .Default(std::nullopt);
  if (!names)
    return op.emitOpError() << "expected 'init' of kind full, kaiming_uniform, normal or uniform, "
                               "found "
                            << init;
  for (StringRef name : *names) {
    auto number = init.getAs<FloatAttr>(name);
    if (!number || !number.getType().isF64())
      return op.emitOpError() << "expected an f64 '" << name << "' in 'init', found " << init;
  }
  if (init.size() != names->size() + 1)
    return op.emitOpError() << "expected nothing else in 'init', found " << init;
  return success();
}

LogicalResult GlobalOp::verify() {
  if (!llvm::is_contained({"param", "buffer", "state", "const"}, getKind())) // (C1)
    return emitOpError() << "expected kind param, buffer, state or const, found '" << getKind()
                         << "'";
  if (getKind() != "state" && !getTensorType().hasStaticShape()) // (C3)
    return emitOpError() << "expected fixed sizes for a " << getKind() << ", found " << getType();
  std::optional<DictionaryAttr> init = getInit();
  return init ? verifyInit(*this, *init) : success(); // (C2)
}

/// Whether a value of `type` may be that of a global: its dynamic sizes are any.
static bool isTypeOf(RankedTensorType global, RankedTensorType type) {
  if (global.getElementType() != type.getElementType() || global.getRank() != type.getRank())
    return false;
  return llvm::all_of(llvm::zip(global.getShape(), type.getShape()), [](auto sizes) {
    auto [declared, found] = sizes;
    return ShapedType::isDynamic(declared) || declared == found;
  });
}

/// (C1) of nn.get and nn.set.
static LogicalResult verifyGlobalUse(Operation *op, FlatSymbolRefAttr name, RankedTensorType type,
                                     SymbolTableCollection &symbols) {
  auto global = symbols.lookupNearestSymbolFrom<GlobalOp>(op, name);
  if (!global)
    return op->emitOpError() << "expected the name of an nn.global, found " << name;
  if (isTypeOf(global.getTensorType(), type))
    return success();
  InFlightDiagnostic error = op->emitOpError() << "expected the global's type " << global.getType()
                                               << ", found " << type;
  error.attachNote(global.getLoc()) << "declared here";
  return error;
}

LogicalResult GetOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyGlobalUse(*this, getNameAttr(), getType(), symbols);
}

LogicalResult SetOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (failed(verifyGlobalUse(*this, getNameAttr(), getValue().getType(), symbols)))
    return failure();
  StringRef kind = symbols.lookupNearestSymbolFrom<GlobalOp>(*this, getNameAttr()).getKind();
  if (kind != "const")
    return success();
  return emitOpError() << "expected the name of a param, buffer or state, found that of a " << kind;
}

LogicalResult DrawOp::verify() {
  return verifyRandomElement(*this, getKind(), getType().getElementType()); // (C1)
}

/// A type inside of a kernel stands for one outside: the same, or without its encoding.
static bool standsFor(Type inside, Type outside) {
  return inside == outside || inside == stripDims(cast<RankedTensorType>(outside));
}

LogicalResult KernelOp::verify() {
  if (!parseAnchor(getAnchor())) // (C1)
    return emitOpError() << "expected anchor pointwise, reduction, contraction, convolution, "
                            "window, gather, scatter, attention or attention_grad, found '"
                         << getAnchor() << "'";
  if (getNumResults() == 0) // (C4)
    return emitOpError() << "expected at least one result";
  if (getStart().has_value() != getStep().has_value()) // (C5)
    return emitOpError() << "expected start and step together";
  if (isUpdate() && (getNumResults() != 1 || getNumOperands() == 0 ||
                     getResult(0).getType() != getOperand(0).getType()))
    return emitOpError() << "expected an update of its first operand";
  return success();
}

/// (C5): what an update yields has its result's axes and elements.
static LogicalResult verifyYieldedPart(KernelOp op, YieldOp yield) {
  auto whole = cast<RankedTensorType>(op.getResult(0).getType());
  auto part = dyn_cast<RankedTensorType>(yield.getOperand(0).getType());
  uint64_t rank = whole.getRank();
  if (part && part.getRank() == whole.getRank() &&
      part.getElementType() == whole.getElementType() && op.getStart()->getNumDims() == 0 &&
      op.getStart()->getNumResults() == rank && op.getStep()->size() == rank)
    return success();
  return yield.emitOpError() << "expected a part of " << whole << ", found "
                             << yield.getOperand(0).getType();
}

LogicalResult KernelOp::verifyRegions() {
  Block &body = *getBody();
  if (body.getNumArguments() != getNumOperands()) // (C2)
    return emitOpError() << "expected " << getNumOperands() << " block arguments, found "
                         << body.getNumArguments();
  for (auto [argument, operand] : llvm::zip_equal(body.getArguments(), getOperands()))
    if (!standsFor(argument.getType(), operand.getType()))
      return emitOpError() << "expected block argument " << argument.getArgNumber() << " of type "
                           << operand.getType() << ", found " << argument.getType();
  auto yield = dyn_cast<YieldOp>(body.back());
  if (!yield || yield.getNumOperands() != getNumResults()) // (C3)
    return emitOpError() << "expected a body that ends in an nn.yield of " << getNumResults()
                         << " values";
  if (isUpdate())
    return verifyYieldedPart(*this, yield);
  for (auto [index, value] : llvm::enumerate(yield.getOperands()))
    if (!standsFor(value.getType(), getResult(index).getType()))
      return yield.emitOpError() << "expected value " << index << " of type "
                                 << getResult(index).getType() << ", found " << value.getType();
  return success();
}

FailureOr<RankedTensorType> GemmOp::inferResultType() {
  return inferMatmulType(*this, getLhs().getType(), getRhs().getType(), getTransposeA(),
                         getTransposeB()); // (C1)
}

LogicalResult GemmOp::verify() {
  RankedTensorType type = getType();
  if (Value bias = getBias()) { // (C2)
    AffineExpr columns = getDim(type, type.getRank() - 1);
    RankedTensorType expected = getTensorType({columns}, type.getElementType());
    if (bias.getType() != expected)
      return emitOpError() << "expected a bias of type " << expected << ", found "
                           << bias.getType();
  }
  if (Value residual = getResidual(); residual && residual.getType() != type) // (C2)
    return emitOpError() << "expected a residual of type " << type << ", found "
                         << residual.getType();
  if (!llvm::is_contained({"none", "relu", "gelu"}, getEpilogue())) // (C3)
    return emitOpError() << "expected epilogue none, relu or gelu, found '" << getEpilogue() << "'";
  return success();
}

void NNDialect::registerKernelOps() {
  addOperations<
#define GET_OP_LIST
#include "ir/NNKernel.cpp.inc"
      >();
}

} // namespace nnc::nn
