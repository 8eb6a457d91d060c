//===- NumberDraws.cpp - Random numbers become functions of seed, call and place --------------===//
//
// Functions are shared by all their calls, so only after inlining is it known how many draws an
// entry point makes. Each gets a stream of its own, in the order of the function; from then on
// draws are pure arithmetic on the state `random numbers`, which passes may move, merge and repeat.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/Passes.h"

#include "ir/NNOps.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;

namespace nnc {
#define GEN_PASS_DEF_NUMBERDRAWS
#include "passes/Passes.h.inc"

namespace {

/// The i64s of one draw's shape that the generator takes.
class DrawOperands {
public:
  DrawOperands(nn::DrawOp draw, RankedTensorType type)
      : builder(draw), draw(draw), loc(draw.getLoc()), dims(nn::getDims(type)),
        type(nn::withElementType(type, builder.getI64Type())) {}

  /// The number of every element; in a scan those of all steps are counted, step after step.
  Value countElements() {
    constexpr int64_t AllAxes = -1;
    Value count = builder.create<nn::IotaOp>(loc, type, AllAxes);
    AffineExpr before = countBefore();
    return nn::getConstant(before) == 0
               ? count
               : builder.create<nn::AddOp>(loc, type, repeatSize(before), count);
  }

  /// The only element of a vector for all elements.
  Value repeat(Value number) {
    return builder.create<nn::BroadcastOp>(loc, type, number, ArrayRef<int64_t>(0));
  }

private:
  Value repeatSize(AffineExpr number) {
    auto scalar = RankedTensorType::get({}, builder.getI64Type());
    AffineMap map = nn::getSymbolMap(number, builder.getContext());
    return builder.create<nn::BroadcastOp>(loc, type, builder.create<nn::SizeOp>(loc, scalar, map),
                                           ArrayRef<int64_t>());
  }

  /// How many elements the steps before this one have drawn.
  AffineExpr countBefore() {
    AffineExpr steps = getAffineConstantExpr(0, builder.getContext()),
               count = nn::getProduct(dims, builder.getContext());
    for (auto scan = draw->getParentOfType<nn::ScanOp>(); scan;
         scan = scan->getParentOfType<nn::ScanOp>()) {
      steps = steps + getAffineSymbolExpr(scan.getCounter(), builder.getContext()) * count;
      count = count * scan.getLengthExpr();
    }
    return steps;
  }

  OpBuilder builder;
  nn::DrawOp draw;
  Location loc;
  SmallVector<AffineExpr> dims;
  RankedTensorType type;
};

/// The globals that draws read: the generator's state and the numbers of streams.
class DrawGlobals {
public:
  explicit DrawGlobals(ModuleOp module)
      : module(module),
        number(RankedTensorType::get({1}, IntegerType::get(module.getContext(), 64))) {}

  static RankedTensorType stateType(MLIRContext *context) {
    return RankedTensorType::get({2}, IntegerType::get(context, 64));
  }

  /// The global that holds this number.
  FlatSymbolRefAttr stream(int64_t index) {
    for (int64_t next = streams.size(); next <= index; ++next) {
      std::string name = "random stream " + std::to_string(next);
      streams.push_back(declare(name, number, "const", static_cast<double>(next)));
    }
    return streams[index];
  }

  FlatSymbolRefAttr state() {
    if (!generator)
      generator = declare(nn::kGenerator, stateType(module.getContext()), "state", 0);
    return generator;
  }

  RankedTensorType numberType() const { return number; }

private:
  FlatSymbolRefAttr declare(StringRef name, RankedTensorType type, StringRef kind, double value) {
    OpBuilder builder(module.getContext());
    builder.setInsertionPoint(module.getBody(), place(module));
    auto init =
        builder.getDictionaryAttr({builder.getNamedAttr("kind", builder.getStringAttr("full")),
                                   builder.getNamedAttr("value", builder.getF64FloatAttr(value))});
    builder.create<nn::GlobalOp>(module.getLoc(), builder.getStringAttr(name), TypeAttr::get(type),
                                 builder.getStringAttr(kind), ArrayAttr(), init);
    return FlatSymbolRefAttr::get(builder.getContext(), name);
  }

  /// Behind the model's own globals.
  static Block::iterator place(ModuleOp module) {
    Block &body = *module.getBody();
    return llvm::find_if(body, [](Operation &op) { return !isa<nn::GlobalOp>(op); });
  }

  ModuleOp module;
  RankedTensorType number;
  FlatSymbolRefAttr generator;
  SmallVector<FlatSymbolRefAttr> streams;
};

/// The draws of one entry point.
class EntryDraws {
public:
  EntryDraws(func::FuncOp entry, DrawGlobals &globals) : entry(entry), globals(globals) {}

  unsigned run() {
    SmallVector<nn::DrawOp> draws;
    entry.walk([&](nn::DrawOp draw) { draws.push_back(draw); });
    for (nn::DrawOp draw : draws)
      replace(draw);
    return draws.size();
  }

private:
  void replace(nn::DrawOp draw) {
    if (!seed)
      readState(draw.getLoc());
    OpBuilder builder(draw);
    auto type = cast<RankedTensorType>(draw.getType());
    auto drawn = type.getRank() > 0 ? type : RankedTensorType::get({1}, type.getElementType());
    auto first = OpBuilder::atBlockBegin(&entry.getBody().front());
    Value stream =
        first.create<nn::GetOp>(draw.getLoc(), globals.numberType(), globals.stream(numDraws++));
    DrawOperands operands(draw, drawn);
    Value counter = operands.countElements();
    Value numbers = builder.create<nn::RandomOp>(draw.getLoc(), drawn, draw.getKind(), counter,
                                                 operands.repeat(seed), operands.repeat(call),
                                                 operands.repeat(stream));
    if (drawn != type)
      numbers = builder.create<nn::ReshapeOp>(draw.getLoc(), type, numbers);
    draw.replaceAllUsesWith(numbers);
    draw.erase();
  }

  /// Seed and number of the call, as vectors of one element.
  void readState(Location loc) {
    auto builder = OpBuilder::atBlockBegin(&entry.getBody().front());
    Value state = builder.create<nn::GetOp>(loc, DrawGlobals::stateType(builder.getContext()),
                                            globals.state());
    auto element = [&](int64_t place) -> Value {
      AffineMap start =
          nn::getSymbolMap(builder.getAffineConstantExpr(place), builder.getContext());
      return builder.create<nn::SliceOp>(loc, globals.numberType(), state, start,
                                         ArrayRef<int64_t>(1));
    };
    seed = element(0);
    call = element(1);
  }

  func::FuncOp entry;
  DrawGlobals &globals;
  Value seed, call;
  int64_t numDraws = 0;
};

struct NumberDraws : impl::NumberDrawsBase<NumberDraws> {
  void runOnOperation() override {
    DrawGlobals globals(getOperation());
    for (auto function : getOperation().getOps<func::FuncOp>())
      numDraws += EntryDraws(function, globals).run();
  }
};

} // namespace
} // namespace nnc
