//===- HoistConstants.cpp - What depends on weights only is computed once ---------------------===//
//
// The frontier between what is the same in every call and what is not is cut: values of the
// frontier become results of @prepare. Views of weights stay with their readers, for they cost
// nothing there, unless the reader needs them in memory.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/EraseDead.h"
#include "passes/Passes.h"
#include "passes/TacticRules.h"
#include "passes/WeightValues.h"

#include "ir/NNOps.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/OperationSupport.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace nnc {
#define GEN_PASS_DEF_HOISTCONSTANTS
#include "passes/Passes.h.inc"

namespace {

/// Tables made of numbers alone are stored up to this size; larger ones are computed in every call.
constexpr int64_t MaxTableBytes = 64 * 1024;
/// A result may be larger than the weights behind it by this much: enough for a first convolution
/// whose three channels are padded.
constexpr int64_t AllowedGrowthBytes = 64 * 1024;

int64_t addSizes(int64_t a, int64_t b) {
  int64_t sum;
  return llvm::AddOverflow(a, b, sum) ? std::numeric_limits<int64_t>::max() : sum;
}

int64_t byteSize(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  return type.getNumElements() * int64_t(llvm::divideCeil(type.getElementTypeBitWidth(), 8));
}

/// Decides which values of one entry point are prepared.
class Frontier {
public:
  explicit Frontier(func::FuncOp function) : weights(function) {
    Block &block = function.getBody().front();
    for (Operation &op : block)
      measure(op);
    for (Operation &op : block)
      if (!isKnown(&op))
        op.walk([&](Operation *reader) { visitOperands(reader); }); // also in loops
  }

  llvm::SetVector<Value> values;

private:
  struct Cost {
    int64_t weightBytes = 0;  ///< of the weights behind the value
    bool expensive = false;   ///< something not cheap is behind it
    bool dequantized = false; ///< it would take more memory than what is stored
  };

  /// How a value is read.
  enum class Reading : unsigned {
    Anyhow,
    InMemory,
    Stored, ///< a part of a dequantized weight, which is one where readers find it as it is stored
  };
  struct Wanted {
    Value value;
    Reading reading;
    int64_t room = 0; ///< what it may take beyond what is behind it
  };

  void visitOperands(Operation *reader) {
    for (OpOperand &use : reader->getOpOperands())
      if (weights.contains(use.get()))
        visit({use.get(), needsMemory(use) ? Reading::InMemory : Reading::Anyhow, roomFor(use)});
  }

  /// Windows combined for fewer products are larger, and worth it.
  static int64_t roomFor(OpOperand &use) {
    return isa<nn::WinogradConv2dOp>(use.getOwner()) ? byteSize(use.get()) : 0;
  }

  bool isKnown(Operation *op) const {
    return op->getNumResults() > 0 && weights.contains(op->getResult(0));
  }

  void measure(Operation &op) {
    if (!isKnown(&op))
      return;
    Cost cost;
    if (isa<nn::GetOp>(op))
      cost.weightBytes = byteSize(op.getResult(0));
    else
      cost.expensive = roleOf(&op) != nn::FusionRole::View &&
                       roleOf(&op) != nn::FusionRole::Source && !isCheap(&op);
    for (Value operand : op.getOperands()) {
      Cost behind = costs.lookup(operand);
      cost.weightBytes = addSizes(cost.weightBytes, behind.weightBytes);
      cost.expensive |= behind.expensive;
      cost.dequantized |= behind.dequantized && roleOf(&op) == nn::FusionRole::View;
    }
    cost.dequantized |= isa<nn::DequantizeOp>(op);
    costs[op.getResult(0)] = cost;
  }

  static nn::FusionRole roleOf(Operation *op) {
    return cast<nn::FusionInterface>(op).getFusionRole();
  }

  /// Takes a value or, where that does not pay, what it is made of.
  void visit(Wanted first) {
    SmallVector<Wanted> pending{first};
    while (!pending.empty()) {
      Wanted wanted = pending.pop_back_val();
      Operation *op = wanted.value.getDefiningOp();
      if (!seen[unsigned(wanted.reading)].insert(wanted.value).second ||
          roleOf(op) == nn::FusionRole::Source)
        continue;
      if (pays(op, wanted)) {
        values.insert(wanted.value);
        continue;
      }
      for (Value operand : op->getOperands())
        pending.push_back(partOf(op, operand));
    }
  }

  static Wanted partOf(Operation *op, Value operand) {
    if (auto dequantize = dyn_cast<nn::DequantizeOp>(op))
      return {operand, Reading::Stored, byteSize(dequantize.getValues())};
    return {operand, isa<nn::ReshapeOp>(op) ? Reading::InMemory : Reading::Anyhow};
  }

  /// Readers widen floats for nothing, from half the memory.
  static bool isWidening(Operation *op) {
    auto cast = dyn_cast<nn::CastOp>(op);
    return cast && nn::is16BitFloat(getElementTypeOrSelf(cast.getInput())) &&
           cast.getType().getElementType().isF32();
  }

  bool pays(Operation *op, const Wanted &wanted) const {
    bool isPart = wanted.reading == Reading::Stored;
    if (isa<nn::BroadcastOp, nn::ReshapeOp>(op) && !isPart)
      return false;
    bool costsNothing = roleOf(op) == nn::FusionRole::View && !isa<nn::ConcatOp>(op);
    if (costsNothing && wanted.reading == Reading::Anyhow)
      return false;
    Value value = op->getResult(0);
    if (wanted.reading == Reading::Anyhow && isWidening(op))
      return false;
    Cost cost = costs.lookup(value);
    if (cost.dequantized)
      return false;
    if (!weights.readsWeight(value))
      return cost.expensive && byteSize(value) <= MaxTableBytes;
    return byteSize(value) <= addSizes(cost.weightBytes, std::max(AllowedGrowthBytes, wanted.room));
  }

  WeightValues weights;
  DenseMap<Value, Cost> costs;
  llvm::DenseSet<Value> seen[3]; ///< by how they are read
};

/// Writes @prepare. Equal computations, also of different entry points, appear once.
class PrepareBuilder {
public:
  explicit PrepareBuilder(ModuleOp module) : module(module), symbols(module) {}

  /// Moves `values` of `function` out: afterwards it reads them from globals.
  void hoist(func::FuncOp function, ArrayRef<Value> values) {
    if (!prepare)
      create();
    IRMapping mapping = cloneWhatIsBehind(function, values);
    auto builder = OpBuilder::atBlockBegin(&function.getBody().front());
    for (Value value : values) {
      nn::GlobalOp global = globalFor(mapping.lookup(value), value.getLoc());
      Value get = builder.create<nn::GetOp>(value.getLoc(), value.getType(), global.getSymName());
      value.replaceAllUsesWith(get);
    }
  }

  /// Ends @prepare, if anything was hoisted.
  void finish() {
    if (!prepare)
      return;
    SmallVector<Value> values = llvm::to_vector(llvm::make_first_range(globals));
    auto builder = OpBuilder::atBlockEnd(&prepare.getBody().front());
    builder.create<func::ReturnOp>(prepare.getLoc(), values);
    prepare.setType(builder.getFunctionType({}, ValueRange(values).getTypes()));
  }

  size_t size() const { return globals.size(); }

private:
  void create() {
    auto builder = OpBuilder::atBlockEnd(module.getBody());
    prepare =
        builder.create<func::FuncOp>(module.getLoc(), "prepare", builder.getFunctionType({}, {}));
    prepare->setAttr(nn::kPrepareAttr, builder.getUnitAttr());
    prepare.addEntryBlock();
    symbols.insert(prepare);
  }

  IRMapping cloneWhatIsBehind(func::FuncOp function, ArrayRef<Value> values) {
    llvm::DenseSet<Value> needed(values.begin(), values.end());
    SmallVector<Operation *> ops;
    for (Operation &op : llvm::reverse(function.getBody().front())) {
      if (op.getNumResults() == 0 || !needed.contains(op.getResult(0)))
        continue;
      ops.push_back(&op);
      needed.insert(op.operand_begin(), op.operand_end());
    }
    IRMapping mapping;
    for (Operation *op : llvm::reverse(ops))
      mapping.map(op->getResult(0), cloneOnce(op, mapping));
    return mapping;
  }

  Value cloneOnce(Operation *op, IRMapping &mapping) {
    auto builder = OpBuilder::atBlockEnd(&prepare.getBody().front());
    Operation *clone = builder.clone(*op, mapping);
    llvm::hash_code hash = OperationEquivalence::computeHash(
        clone, OperationEquivalence::directHashValue, OperationEquivalence::ignoreHashValue,
        OperationEquivalence::IgnoreLocations);
    for (Operation *other : clones[hash]) {
      if (!OperationEquivalence::isEquivalentTo(clone, other, OperationEquivalence::exactValueMatch,
                                                nullptr, OperationEquivalence::IgnoreLocations))
        continue;
      clone->erase();
      return other->getResult(0);
    }
    clones[hash].push_back(clone);
    return clone->getResult(0);
  }

  nn::GlobalOp globalFor(Value prepared, Location loc) {
    nn::GlobalOp &global = globals[prepared];
    if (global)
      return global;
    int64_t index = globals.size() - 1;
    OpBuilder builder(prepare);
    global = builder.create<nn::GlobalOp>(
        loc, builder.getStringAttr("prepared." + std::to_string(index)),
        TypeAttr::get(prepared.getType()), builder.getStringAttr("const"), ArrayAttr(),
        DictionaryAttr());
    global->setAttr("prepared", builder.getI64IntegerAttr(index));
    symbols.insert(global);
    return global;
  }

  ModuleOp module;
  SymbolTable symbols;
  func::FuncOp prepare;
  llvm::MapVector<Value, nn::GlobalOp> globals;
  DenseMap<llvm::hash_code, SmallVector<Operation *>> clones;
};

struct HoistConstants : impl::HoistConstantsBase<HoistConstants> {
  void runOnOperation() override {
    PrepareBuilder prepare(getOperation());
    SmallVector<func::FuncOp> entries;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function->hasAttr(nn::kEntryAttr))
        entries.push_back(function);
    for (func::FuncOp function : entries) {
      Frontier frontier(function);
      if (!frontier.values.empty())
        prepare.hoist(function, frontier.values.getArrayRef());
      Block &block = function.getBody().front();
      eraseDead(block.begin(), block.end());
    }
    prepare.finish();
    numHoisted = prepare.size();
    markUnused(entries);
  }

  /// Keys of a checkpoint stay strict, so a slot that nothing reads is marked, not removed.
  void markUnused(ArrayRef<func::FuncOp> entries) {
    llvm::DenseSet<StringAttr> used;
    for (func::FuncOp function : entries)
      function.walk([&](nn::GetOp get) { used.insert(get.getNameAttr().getAttr()); });
    for (auto global : getOperation().getOps<nn::GlobalOp>())
      if ((global.getKind() == "param" || global.getKind() == "buffer") &&
          !used.contains(global.getSymNameAttr()))
        global->setAttr("unused", UnitAttr::get(&getContext()));
  }
};

} // namespace
} // namespace nnc
