//===- QuantizeWeights.cpp - Weights in fewer bits
//---------------------------------------------===//
//
// The checkpoint holds floats; what is quantized of it when the model is assembled is described by
// new globals. Only here is it known which axis of a weight a product sums over.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/Passes.h"
#include "passes/WeightValues.h"

#include "ir/NNOps.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace nnc {
#define GEN_PASS_DEF_QUANTIZEWEIGHTS
#include "passes/Passes.h.inc"

namespace {

/// What `quant` of a global says.
struct Rule {
  explicit Rule(DictionaryAttr attribute)
      : element(attribute.getAs<StringAttr>("element").getValue()) {
    if (auto size = attribute.getAs<IntegerAttr>("group"))
      group = size.getInt();
    zero = attribute.get("zero") != nullptr;
    if (auto name = attribute.getAs<StringAttr>("act"))
      act = name.getValue();
  }

  bool isPacked() const { return element == "i4"; }

  StringRef element, act;
  int64_t group = 0;
  bool zero = false;
};

/// What a reader sums over.
struct InputAxis {
  int64_t axis;
  bool isWindow = false; ///< a convolution: axes 2 and further are its window
};

/// How the reader behind `use` takes a weight, if it is a product or the like.
std::optional<InputAxis> findInputAxis(OpOperand &use) {
  Operation *op = use.getOwner();
  unsigned number = use.getOperandNumber();
  int64_t rank = cast<RankedTensorType>(use.get().getType()).getRank();
  if (auto matmul = dyn_cast<nn::MatmulOp>(op)) {
    bool isTransposed = number == 0 ? matmul.getTransposeA() : matmul.getTransposeB();
    bool sumsLast = (number == 0) != isTransposed;
    return InputAxis{sumsLast ? rank - 1 : rank - 2};
  }
  if (isa<nn::Conv2dOp>(op) && number == 1)
    return InputAxis{1, true};
  if (auto gather = dyn_cast<nn::GatherOp>(op); gather && number == 0)
    return InputAxis{int64_t(gather.getAxis()) == rank - 1 ? 0 : rank - 1};
  if (!isa<nn::CastOp, nn::TransposeOp>(op))
    return std::nullopt;
  auto transpose = dyn_cast<nn::TransposeOp>(op);
  for (OpOperand &next : op->getUses())
    if (std::optional<InputAxis> input = findInputAxis(next)) {
      if (transpose)
        input->axis = transpose.getPermutation()[input->axis];
      return input;
    }
  return std::nullopt;
}

class Quantizer {
public:
  explicit Quantizer(ModuleOp module) : module(module), symbols(module) {
    module.walk([&](nn::GetOp get) { readers[get.getNameAttr().getAttr()].push_back(get); });
  }

  unsigned run() {
    unsigned count = 0;
    llvm::DenseSet<StringAttr> written = getWrittenGlobals(module); // these are trained as floats
    for (auto global : llvm::make_early_inc_range(module.getOps<nn::GlobalOp>()))
      if (auto attribute = global->getAttrOfType<DictionaryAttr>("quant");
          attribute && !written.contains(global.getSymNameAttr()))
        count += quantize(global, Rule(attribute));
    return count;
  }

private:
  bool quantize(nn::GlobalOp global, const Rule &rule) {
    SmallVector<nn::GetOp> gets = readers.lookup(global.getSymNameAttr());
    RankedTensorType type = global.getTensorType();
    if (gets.empty())
      return false;
    InputAxis input{type.getRank() - 1};
    for (nn::GetOp get : llvm::reverse(gets))
      for (OpOperand &use : get->getUses())
        input = findInputAxis(use).value_or(input);
    makeGlobals(global, rule, input);
    for (nn::GetOp get : gets) {
      if (!rule.act.empty())
        quantizeActivations(get.getResult(), rule.act);
      replace(get, rule);
    }
    return true;
  }

  /// A scale for each group along the input axis, and for each place along all other axes but
  /// those of a window.
  SmallVector<int64_t> scaleShape(RankedTensorType type, const Rule &rule, InputAxis input) {
    SmallVector<int64_t> shape(type.getShape());
    int64_t &along = shape[input.axis];
    along = rule.group > 0 ? llvm::divideCeil(along, rule.group) : 1;
    for (int64_t axis = 2; input.isWindow && axis < type.getRank(); ++axis)
      shape[axis] = 1;
    return shape;
  }

  void makeGlobals(nn::GlobalOp global, const Rule &rule, InputAxis input) {
    RankedTensorType type = global.getTensorType();
    SmallVector<int64_t> shape(type.getShape());
    if (rule.isPacked())
      shape.back() = (shape.back() + 1) / 2;
    OpBuilder builder(global);
    Type element =
        rule.element == "f8e4m3" ? Type(builder.getFloat8E4M3FNType()) : Type(builder.getI8Type());
    SmallVector<int64_t> runs = scaleShape(type, rule, input);
    auto scaleType = RankedTensorType::get(runs, builder.getF32Type());
    values = makePart(global, "values", RankedTensorType::get(shape, element));
    scales = makePart(global, "scales", scaleType);
    zeros = rule.zero ? makePart(global, "zeros", scaleType) : nn::GlobalOp();
  }

  nn::GlobalOp makePart(nn::GlobalOp global, StringRef part, RankedTensorType type) {
    OpBuilder builder(global);
    auto made = builder.create<nn::GlobalOp>(
        global.getLoc(), builder.getStringAttr(global.getSymName() + "." + part),
        TypeAttr::get(type), builder.getStringAttr("const"), ArrayAttr(), DictionaryAttr());
    made->setAttr("quantized", builder.getDictionaryAttr(
                                   {builder.getNamedAttr("of", FlatSymbolRefAttr::get(global)),
                                    builder.getNamedAttr("part", builder.getStringAttr(part)),
                                    builder.getNamedAttr("rule", global->getAttr("quant"))}));
    symbols.insert(made);
    return made;
  }

  void replace(nn::GetOp get, const Rule &rule) {
    OpBuilder builder(get);
    auto read = [&](nn::GlobalOp part) -> Value {
      if (!part)
        return {};
      return builder.create<nn::GetOp>(get.getLoc(), part.getTensorType(), part.getSymName());
    };
    auto group = rule.group > 0 ? builder.getI64IntegerAttr(rule.group) : IntegerAttr();
    auto packed = rule.isPacked() ? builder.getUnitAttr() : UnitAttr();
    // A cast of what was stored rounds once: from the product with the scale.
    for (OpOperand &use : llvm::make_early_inc_range(get->getUses())) {
      auto cast = dyn_cast<nn::CastOp>(use.getOwner());
      if (!cast || !isa<FloatType>(cast.getType().getElementType()))
        continue;
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPoint(cast);
      cast.replaceAllUsesWith(builder
                                  .create<nn::DequantizeOp>(cast.getLoc(), cast.getType(),
                                                            read(values), read(scales), read(zeros),
                                                            group, packed)
                                  .getResult());
      cast.erase();
    }
    if (!get->use_empty())
      get.replaceAllUsesWith(builder
                                 .create<nn::DequantizeOp>(get.getLoc(), get.getType(),
                                                           read(values), read(scales), read(zeros),
                                                           group, packed)
                                 .getResult());
    get.erase();
  }

  //===- Activations --------------------------------------------------------------------------===//

  /// Rounds what is multiplied with `weight`, directly or through casts and transposes.
  void quantizeActivations(Value weight, StringRef element) {
    for (OpOperand &use : llvm::make_early_inc_range(weight.getUses())) {
      Operation *op = use.getOwner();
      if (isa<nn::CastOp, nn::TransposeOp>(op))
        quantizeActivations(op->getResult(0), element);
      auto matmul = dyn_cast<nn::MatmulOp>(op);
      if (!matmul)
        continue;
      unsigned other = 1 - use.getOperandNumber();
      auto type = cast<RankedTensorType>(op->getOperand(other).getType());
      bool isTransposed = other == 0 ? matmul.getTransposeA() : matmul.getTransposeB();
      int64_t axis = (other == 0) != isTransposed ? type.getRank() - 1 : type.getRank() - 2;
      Value &known = rounded[{op->getOperand(other), axis}][element];
      if (!known)
        known = roundRows(op->getOperand(other), axis, element);
      op->setOperand(other, known);
    }
  }

  /// `x` as its rows look in `element`, each with the scale that its largest magnitude needs.
  Value roundRows(Value x, int64_t axis, StringRef element) {
    OpBuilder builder(module.getContext());
    builder.setInsertionPointAfterValue(x);
    Location loc = x.getLoc();
    auto type = cast<RankedTensorType>(x.getType());
    RankedTensorType wide = nn::withElementType(type, builder.getF32Type());
    auto full = [&](RankedTensorType of, double value) -> Value {
      return builder.create<nn::FullOp>(loc, of, value);
    };
    Value exact = type == wide ? x : builder.create<nn::CastOp>(loc, wide, x).getResult();
    SmallVector<AffineExpr> dims = nn::getDims(wide);
    dims.erase(dims.begin() + axis);
    RankedTensorType row = nn::getTensorType(dims, builder.getF32Type());
    Value size = builder.create<nn::AbsOp>(loc, wide, exact);
    Value largest =
        builder.create<nn::ReduceOp>(loc, row, nn::ReduceKind::Max, size, ArrayRef<int64_t>{axis});
    bool isInteger = element == "i8";
    Value scale = builder.create<nn::DivOp>(loc, row, largest, full(row, isInteger ? 127 : 448));
    // A row of zeros stays one.
    scale = builder.create<nn::MaxOp>(loc, row, scale, full(row, 0x1p-126));
    SmallVector<int64_t> kept;
    for (int64_t i = 0; i < wide.getRank(); ++i)
      if (i != axis)
        kept.push_back(i);
    Value scales = builder.create<nn::BroadcastOp>(loc, wide, scale, kept);
    Value scaled = builder.create<nn::DivOp>(loc, wide, exact, scales);
    if (isInteger) {
      scaled = builder.create<nn::RoundOp>(loc, wide, scaled);
    } else {
      auto small = nn::withElementType(wide, builder.getFloat8E4M3FNType());
      scaled = builder.create<nn::CastOp>(loc, small, scaled);
      scaled = builder.create<nn::CastOp>(loc, wide, scaled);
    }
    Value result = builder.create<nn::MulOp>(loc, wide, scaled, scales);
    return type == wide ? result : builder.create<nn::CastOp>(loc, type, result).getResult();
  }

  ModuleOp module;
  SymbolTable symbols;
  llvm::DenseMap<StringAttr, SmallVector<nn::GetOp>> readers;
  llvm::DenseMap<std::pair<Value, int64_t>, llvm::StringMap<Value>> rounded;
  nn::GlobalOp values, scales, zeros; ///< of the global at hand
};

//===- Params that are stored in fewer bits ---------------------------------------------------===//

unsigned bitsOf(Type type) { return cast<RankedTensorType>(type).getElementTypeBitWidth(); }

/// The stored tensor behind a cast, and whether a transpose lies between.
struct StoredCast {
  Value stored;
  nn::TransposeOp transpose;
  bool packed = false;
};

std::optional<StoredCast> matchStoredCast(nn::CastOp cast) {
  StoredCast match;
  match.stored = cast.getInput();
  if (!isa<FloatType>(cast.getType().getElementType()) || bitsOf(match.stored.getType()) > 8 ||
      nn::getDims(cast.getType()).empty() || !cast.getType().hasStaticShape())
    return std::nullopt;
  match.transpose = match.stored.getDefiningOp<nn::TransposeOp>();
  if (match.transpose)
    match.stored = match.transpose.getInput();
  auto unpacked = match.stored.getDefiningOp<nn::DequantizeOp>();
  if (unpacked && !unpacked.getScales()) {
    match.packed = unpacked.getPacked();
    match.stored = unpacked.getValues();
  }
  auto type = mlir::cast<RankedTensorType>(match.stored.getType());
  bool isStored = type.getElementType().isInteger(8) ||
                  (isa<FloatType>(type.getElementType()) && bitsOf(type) == 8);
  return isStored && match.stored.getDefiningOp<nn::GetOp>() ? std::optional(match) : std::nullopt;
}

void readInPlace(nn::CastOp cast, StoredCast match) {
  OpBuilder builder(cast);
  RankedTensorType type = cast.getType();
  RankedTensorType plain =
      match.transpose
          ? nn::withElementType(match.transpose.getInput().getType(), type.getElementType())
          : type;
  auto packed = match.packed ? builder.getUnitAttr() : UnitAttr();
  Value result = builder.create<nn::DequantizeOp>(cast.getLoc(), plain, match.stored, Value(),
                                                  Value(), IntegerAttr(), packed);
  if (match.transpose)
    result = builder.create<nn::TransposeOp>(cast.getLoc(), type, result,
                                             match.transpose.getPermutation());
  cast.replaceAllUsesWith(result);
  cast.erase();
}

struct QuantizeWeights : impl::QuantizeWeightsBase<QuantizeWeights> {
  void runOnOperation() override {
    numQuantized = Quantizer(getOperation()).run();
    SmallVector<nn::CastOp> casts;
    getOperation().walk([&](nn::CastOp cast) { casts.push_back(cast); });
    for (nn::CastOp cast : casts)
      if (std::optional<StoredCast> match = matchStoredCast(cast))
        readInPlace(cast, *match);
  }
};

} // namespace
} // namespace nnc
