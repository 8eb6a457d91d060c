//===- OutlineKernels.cpp - Carry out a plan of kernels ---------------------------------------===//
//
// Steps are built from the last to the first, so that when a step is built, everything that reads
// its values is there and says which of them are results. Each body is built from its results
// backwards, which leaves out what nothing needs.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/FusionPlan.h"
#include "passes/ModulePath.h"

#include "ir/NNOps.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace nnc {
namespace {

/// Builds the body of one kernel.
class BodyBuilder {
public:
  BodyBuilder(const FusionPlan &plan, unsigned step, Block &body)
      : plan(plan), step(step), body(body), builder(plan.steps[step].anchor->getContext()) {
    builder.setInsertionPointToEnd(&body);
  }

  SmallVector<Value> inputs; ///< what the block arguments stand for

  /// `value` inside the body. Recursion is bounded by the limits on the size of groups.
  Value emit(Value value) {
    if (Value known = mapping.lookupOrNull(value))
      return known;
    Operation *op = value.getDefiningOp();
    if (op && isInside(op)) {
      for (Value operand : op->getOperands())
        emit(operand);
      builder.clone(*op, mapping); // maps all results
    } else {
      inputs.push_back(value);
      mapping.map(value, body.addArgument(value.getType(), value.getLoc()));
    }
    return mapping.lookup(value);
  }

  void yield(Location loc, ValueRange values) { builder.create<nn::YieldOp>(loc, values); }

  /// An operand that comes first, whether or not anything reads it.
  void addOperand(Value value) {
    inputs.push_back(value);
    body.addArgument(value.getType(), value.getLoc());
  }

private:
  /// Members, and views and numbers, which are members of no step.
  bool isInside(Operation *op) const {
    if (op->getBlock() != plan.steps[step].anchor->getBlock())
      return false; // from around the loop
    if (plan.recomputed.contains({step, op}))
      return true;
    auto it = plan.stepOf.find(op);
    if (it != plan.stepOf.end())
      return it->second == step;
    return !isa<nn::GetOp, nn::KernelOp, nn::GemmOp, nn::ScanOp>(op);
  }

  const FusionPlan &plan;
  unsigned step;
  Block &body;
  OpBuilder builder;
  IRMapping mapping;
};

class Outliner {
public:
  Outliner(Block &block, const FusionPlan &plan, KernelNames &names)
      : block(block), plan(plan), builder(block.getTerminator()) {
    SmallVector<Operation *> sets;
    for (Operation &op : block.without_terminator())
      (isa<nn::SetOp>(op) ? sets : old).push_back(&op);
    for (Operation *set : sets) {
      set->moveBefore(block.getTerminator());
      needed.insert(set->operand_begin(), set->operand_end());
    }
    if (!sets.empty())
      builder.setInsertionPoint(sets.front());
    for (Operation *op : old)
      if (!isa<nn::ScanOp>(op)) // loops stay
        isOld.insert(op);
    needed.insert(block.getTerminator()->operand_begin(), block.getTerminator()->operand_end());
    for (const PlannedStep &step : plan.steps)
      stepNames.push_back(isNamed(step) ? names.make(step.anchor) : "");
  }

  OutlinedCount run() {
    for (unsigned index = plan.steps.size(); index-- > 0;)
      build(index);
    for (Operation *op : llvm::reverse(old))
      if (op->use_empty())
        op->erase();
    return count;
  }

private:
  static bool isNamed(const PlannedStep &step) {
    return step.kind != PlannedStep::Kind::Alias && step.kind != PlannedStep::Kind::Loop;
  }

  void build(unsigned index) {
    const PlannedStep &step = plan.steps[index];
    if (auto scan = dyn_cast<nn::ScanOp>(step.anchor))
      return placeScan(scan);
    SmallVector<Value> outputs;
    for (Operation *op : step.ops)
      for (Value result : op->getResults())
        if (needed.contains(result))
          outputs.push_back(result);
    if (outputs.empty())
      return;
    Operation *made = nullptr;
    if (step.kind == PlannedStep::Kind::Alias)
      made = builder.clone(*step.anchor);
    else if (step.kind == PlannedStep::Kind::Library)
      made = buildLibrary(step);
    else if (auto update = dyn_cast<nn::UpdateOp>(step.ops.back()))
      return buildUpdate(index, update);
    else
      made = buildKernel(index, outputs);
    needed.insert(made->operand_begin(), made->operand_end());
    for (auto [output, result] : llvm::zip_equal(outputs, made->getResults())) {
      needed.erase(output);
      // What is still to be built may compute the value again, before this step.
      output.replaceUsesWithIf(result,
                               [&](OpOperand &use) { return !isOld.contains(use.getOwner()); });
    }
    builder.setInsertionPoint(made);
  }

  /// The loop itself stays; what it reads is made before it.
  void placeScan(nn::ScanOp scan) {
    if (llvm::none_of(scan.getResults(), [&](Value result) { return needed.contains(result); }))
      return;
    scan->moveBefore(&block, builder.getInsertionPoint());
    for (Value result : scan.getResults())
      needed.erase(result);
    needed.insert(scan->operand_begin(), scan->operand_end());
    for (Value value : scan.getCaptured())
      needed.insert(value);
    builder.setInsertionPoint(scan);
  }

  Operation *buildLibrary(const PlannedStep &step) {
    auto product = cast<nn::MatmulOp>(step.anchor);
    const ProductTactic &tactic = plan.products.find(product)->second;
    ++count.gemms;
    Operation *last = tactic.absorbed.empty() ? product : tactic.absorbed.back();
    auto gemm = builder.create<nn::GemmOp>(product.getLoc(), last->getResult(0).getType(),
                                           product.getLhs(), product.getRhs(), tactic.bias,
                                           tactic.residual, product.getTransposeA(),
                                           product.getTransposeB(), tactic.epilogue);
    if (product->hasAttr(nn::kTf32Attr))
      gemm->setAttr(nn::kTf32Attr, builder.getUnitAttr());
    keepNumbers(step, gemm);
    return gemm;
  }

  /// For reports: who numbers ops finds them again in kernels, and here in what the library does.
  void keepNumbers(const PlannedStep &step, nn::GemmOp gemm) {
    SmallVector<Attribute> numbers;
    for (Operation *op : step.ops)
      if (Attribute number = op->getAttr(kNumberAttr))
        numbers.push_back(number);
    if (numbers.empty())
      return;
    gemm->setAttr(kNumberAttr, builder.getArrayAttr(numbers));
    if (ArrayAttr refused = describeRefusals(step))
      gemm->setAttr("nn.refused", refused);
  }

  /// The memory that a value lies in: updates and reshapes only give it other names.
  static Value memoryOf(Value value) {
    while (isa_and_nonnull<nn::UpdateOp, nn::ReshapeOp>(value.getDefiningOp()))
      value = value.getDefiningOp()->getOperand(0);
    return value;
  }

  /// A kernel that writes into its first operand. What it stores is computed in it too, unless that
  /// reads the same memory, where other threads may have written already.
  void buildUpdate(unsigned index, nn::UpdateOp update) {
    needed.erase(update.getResult());
    auto region = std::make_unique<Region>();
    BodyBuilder body(plan, index, region->emplaceBlock());
    body.addOperand(update.getInput());
    body.yield(update.getLoc(), body.emit(update.getValue()));
    auto isSame = [&](Value input) { return memoryOf(input) == memoryOf(update.getInput()); };
    Operation *computed = nullptr;
    if (llvm::any_of(ArrayRef(body.inputs).drop_front(), isSame)) {
      Value value = update.getValue();
      computed = buildKernel(index, value);
      needed.insert(computed->operand_begin(), computed->operand_end());
      region = std::make_unique<Region>();
      BodyBuilder alone(plan, index, region->emplaceBlock());
      alone.addOperand(update.getInput());
      alone.addOperand(computed->getResult(0));
      alone.yield(update.getLoc(), region->front().getArgument(1));
      body.inputs = alone.inputs;
    }
    OperationState state = stateOf(index, body.inputs, update->getResultTypes(), std::move(region));
    state.addAttribute("start", update.getStartAttr());
    state.addAttribute("step", update.getStepAttr());
    Operation *made = builder.create(state);
    needed.insert(made->operand_begin(), made->operand_end());
    update.getResult().replaceAllUsesWith(made->getResult(0));
    builder.setInsertionPoint(computed ? computed : made);
  }

  Operation *buildKernel(unsigned index, ArrayRef<Value> outputs) {
    auto region = std::make_unique<Region>();
    BodyBuilder body(plan, index, region->emplaceBlock());
    SmallVector<Value> results;
    for (Value output : outputs)
      results.push_back(body.emit(output));
    body.yield(plan.steps[index].anchor->getLoc(), results);
    return builder.create(
        stateOf(index, body.inputs, ValueRange(outputs).getTypes(), std::move(region)));
  }

  OperationState stateOf(unsigned index, ArrayRef<Value> inputs, TypeRange types,
                         std::unique_ptr<Region> region) {
    const PlannedStep &step = plan.steps[index];
    OperationState state(step.anchor->getLoc(), nn::KernelOp::getOperationName());
    state.addOperands(inputs);
    state.addTypes(types);
    state.addAttribute("kernel_name", builder.getStringAttr(stepNames[index]));
    state.addAttribute("anchor", builder.getStringAttr(nn::stringifyFusionRole(step.role)));
    if (ArrayAttr refused = describeRefusals(step))
      state.addAttribute("nn.refused", refused);
    state.addRegion(std::move(region));
    ++count.kernels;
    return state;
  }

  /// `["conv1: a kernel has one anchor"]`; null if nothing was refused.
  ArrayAttr describeRefusals(const PlannedStep &step) {
    SmallVector<Attribute> texts;
    for (const Refusal &refusal : step.refusals) {
      const std::string &neighbour = stepNames[plan.stepOfGroup.lookup(refusal.group)];
      auto text = builder.getStringAttr(neighbour + ": " + refusal.reason);
      if (!neighbour.empty() && !llvm::is_contained(texts, text))
        texts.push_back(text);
    }
    return texts.empty() ? ArrayAttr() : builder.getArrayAttr(texts);
  }

  Block &block;
  const FusionPlan &plan;
  OpBuilder builder;
  SmallVector<Operation *> old;
  llvm::DenseSet<Operation *> isOld;
  llvm::DenseSet<Value> needed; ///< read by what has been built
  std::vector<std::string> stepNames;
  OutlinedCount count;
};

} // namespace

std::string KernelNames::make(Operation *anchor) {
  std::string name = getModulePath(anchor->getLoc());
  name.resize(std::min(name.size(), name.rfind('.'))); // the last step is the op's own name
  if (name.empty())
    name = anchor->getName().stripDialect().str();
  for (char &c : name)
    if (!llvm::isAlnum(c) && c != '_')
      c = '_';
  if (llvm::isDigit(name.front()))
    name.insert(0, "k");
  std::string unique = name;
  while (!used.try_emplace(unique, 1).second)
    unique = name + "_" + std::to_string(++used[name]);
  return unique;
}

OutlinedCount outlineKernels(Block &block, const FusionPlan &plan, KernelNames &names) {
  return Outliner(block, plan, names).run();
}

} // namespace nnc
