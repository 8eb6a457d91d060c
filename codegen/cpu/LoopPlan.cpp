//===- LoopPlan.cpp - which loop becomes vectors --------------------------===//

#include "codegen/cpu/LoopPlan.h"

#include "codegen/cpu/IndexMath.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Operation.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::codegen;

namespace {

/// Reads strides of accesses off their addresses.
class Strides {
public:
  Strides(ArrayRef<LoopDim> loops, const LoopAccesses &accesses, const IndexMath &math)
      : accesses(accesses.list), math(math) {
    for (const LoopDim &loop : loops)
      ids.try_emplace(loop.placeholder, math.find(loop.placeholder));
  }

  /// Elements between one iteration of `loop` and the next; none if it is not the same everywhere.
  std::optional<Poly> get(const Access &access, const LoopDim &loop) {
    unsigned id = ids.lookup(loop.placeholder);
    bool isHidden = !access.address.isFreeOf(
        [&](unsigned atom) { return atom != id && depends(math.valueOf(atom), loop.placeholder); });
    return isHidden ? std::nullopt : access.address.coefficient(id);
  }

  /// True if `loop` moves the address only through a quotient of what counts with it, so that few
  /// elements serve a register of lanes: halves of bytes, or runs that are at least as long.
  bool isByRuns(const Access &access, const LoopDim &loop, int64_t lanes) {
    unsigned id = ids.lookup(loop.placeholder);
    for (const auto &[monomial, factor] : access.address.getTerms()) {
      bool moves = llvm::any_of(
          monomial, [&](unsigned atom) { return depends(math.valueOf(atom), loop.placeholder); });
      if (!moves)
        continue;
      const IndexMath::Quotient *quotient =
          monomial.size() == 1 ? math.quotientOf(monomial.front()) : nullptr;
      bool isShort = quotient && quotient->divisor == 2 && factor == 1 && access.bytes == 1;
      if (!quotient || (quotient->divisor < lanes && !isShort))
        return false;
      std::optional<Poly> step = quotient->numerator.coefficient(id);
      if (!step || !step->isConstant(1))
        return false;
    }
    return true;
  }

  /// True if the counter of `loop` is used other than in addresses.
  static bool isUsedAsValue(const LoopDim &loop) {
    return llvm::any_of(loop.placeholder.getUsers(),
                        [](Operation *user) { return !isa<UnrealizedConversionCastOp>(user); });
  }

  ArrayRef<Access> accesses;

private:
  bool depends(Value value, Value placeholder) {
    if (!value || value == placeholder)
      return value == placeholder;
    if (!placeholder.getParentRegion()->isAncestor(value.getParentRegion()))
      return false;
    Operation *op = value.getDefiningOp();
    if (!op || op->getBlock() != placeholder.getParentBlock() || op->getNumRegions() > 0)
      return op || value.getParentBlock() != placeholder.getParentBlock();
    auto [at, isNew] = known.try_emplace({value, placeholder}, false);
    if (!isNew)
      return at->second;
    bool result = llvm::any_of(op->getOperands(),
                               [&](Value operand) { return depends(operand, placeholder); });
    known[{value, placeholder}] = result;
    return result;
  }

  const IndexMath &math;
  DenseMap<Value, unsigned> ids;
  DenseMap<std::pair<Value, Value>, bool> known;
};

class Planner {
public:
  Planner(SmallVector<LoopDim> loops, const LoopAccesses &accesses, const IndexMath &math,
          const CpuFeatures &features, bool canSplitSum)
      : strides(loops, accesses, math), features(features), scalarOnly(accesses.scalarOnly),
        canSplitSum(canSplitSum) {
    plan.loops = std::move(loops);
  }

  LoopPlan run() {
    mergeLoops();
    chooseRegister();
    if (!scalarOnly)
      chooseVectorLoop();
    chooseUnrolling();
    return plan;
  }

private:
  void mergeLoops();
  bool canMerge(const LoopDim &outer, const LoopDim &inner);
  void chooseRegister();
  void chooseVectorLoop();
  double costOfVectors(const LoopDim &loop);
  void chooseUnrolling();
  void unrollAround(unsigned vectorLoop);
  void unroll(unsigned loop, int64_t most);
  static int64_t secondFactor(const LoopDim &loop);
  bool isInvariant(const Access &access, const LoopDim &loop) {
    std::optional<Poly> stride = strides.get(access, loop);
    return stride && stride->isConstant(0);
  }
  int64_t reuse(const LoopDim &loop);
  bool hasReductions() const {
    return llvm::any_of(plan.loops, [](const LoopDim &loop) { return loop.reduction; });
  }
  /// For cost: sizes that are not known count as large.
  static int64_t sizeOf(const LoopDim &loop) {
    if (std::optional<int64_t> size = loop.size.constant())
      return *size;
    return loop.bound > 0 ? loop.bound : 1024;
  }

  LoopPlan plan;
  Strides strides;
  const CpuFeatures &features;
  bool scalarOnly, canSplitSum;
};

} // namespace

bool Planner::canMerge(const LoopDim &outer, const LoopDim &inner) {
  if (outer.reduction != inner.reduction)
    return false;
  bool inMemoryOnly = !Strides::isUsedAsValue(outer) && !Strides::isUsedAsValue(inner);
  return inMemoryOnly && llvm::all_of(strides.accesses, [&](const Access &access) {
           std::optional<Poly> a = strides.get(access, outer), b = strides.get(access, inner);
           return a && b && *a == *b * inner.size;
         });
}

/// Two loops become one where every access walks through memory as if they were.
void Planner::mergeLoops() {
  SmallVector<LoopDim> merged;
  for (LoopDim loop : plan.loops) {
    if (loop.size.isConstant(1) && !Strides::isUsedAsValue(loop))
      continue;
    while (!merged.empty() && canMerge(merged.back(), loop)) {
      const LoopDim &outer = merged.back();
      loop.bound = outer.bound < 0 || loop.bound < 0 ? -1 : outer.bound * loop.bound;
      loop.size = loop.size * outer.size;
      merged.pop_back();
    }
    merged.push_back(loop);
  }
  plan.loops = std::move(merged);
}

void Planner::chooseRegister() {
  int64_t bytes = 4;
  for (const Access &access : strides.accesses)
    bytes = std::max(bytes, access.bytes);
  plan.registerLanes = features.vectorBytes / bytes;
}

/// Estimated cost per element of doing `loop` by vectors, in loads of full registers.
double Planner::costOfVectors(const LoopDim &loop) {
  double cost = 0;
  for (const Access &access : strides.accesses) {
    std::optional<Poly> stride = strides.get(access, loop);
    std::optional<int64_t> step = stride ? stride->constant() : std::nullopt;
    if (access.isOutput && step != (loop.reduction ? 0 : 1))
      return HUGE_VAL;
    if (step == 0)
      cost += 0.5;
    else if (step == 1)
      cost += 1;
    else if (step && *step > 1 && *step <= 4)
      cost += double(*step);
    else if (!stride && strides.isByRuns(access, loop, plan.registerLanes))
      cost += 2;
    else
      cost += 1.2 * double(plan.registerLanes);
  }
  double used = std::min(1.0, double(sizeOf(loop)) / double(plan.registerLanes));
  return cost / used;
}

void Planner::chooseVectorLoop() {
  double best = double(strides.accesses.size() * plan.registerLanes);
  for (auto [i, loop] : llvm::enumerate(plan.loops)) {
    if ((loop.reduction && !canSplitSum) || loop.size.isConstant(1))
      continue;
    double cost = costOfVectors(loop);
    if (cost < best) {
      best = cost;
      plan.vectorLoop = int(i);
    }
  }
  if (plan.vectorLoop < 0)
    return;
  // Sums keep several registers busy, because an addition takes longer than a load.
  int64_t size = sizeOf(plan.loops[plan.vectorLoop]);
  int64_t most = plan.registerLanes * (hasReductions() ? 4 : 1);
  plan.lanes = std::min<int64_t>(most, llvm::PowerOf2Ceil(size));
  if (plan.lanes < 2)
    plan.vectorLoop = -1;
}

/// How many accesses are the same in all iterations of `loop`, and so are loaded once for several.
int64_t Planner::reuse(const LoopDim &loop) {
  return llvm::count_if(strides.accesses, [&](const Access &access) {
    return !access.isOutput && isInvariant(access, loop);
  });
}

void Planner::unroll(unsigned loop, int64_t most) {
  int64_t size = sizeOf(plan.loops[loop]);
  int64_t factor = std::min(most, size);
  if (plan.loops[loop].size.constant()) {
    // No rest, or else parts that are nearly equal.
    for (int64_t divisor = factor; divisor * 2 > factor && divisor > 1; --divisor)
      if (size % divisor == 0)
        return plan.unrolled.push_back({loop, divisor});
    factor = llvm::divideCeil(size, llvm::divideCeil(size, factor));
  }
  if (factor > 1)
    plan.unrolled.push_back({loop, factor});
}

/// Register blocking of products: `most` accumulators around one loop of vectors.
void Planner::unrollAround(unsigned vectorLoop) {
  SmallVector<unsigned> candidates;
  for (auto [i, loop] : llvm::enumerate(plan.loops))
    if (i != vectorLoop && !loop.reduction && reuse(loop) > 0 && sizeOf(loop) > 1)
      candidates.push_back(i);
  llvm::sort(candidates, [&](unsigned a, unsigned b) {
    int64_t x = sizeOf(plan.loops[a]), y = sizeOf(plan.loops[b]);
    return x == y ? a < b : x > y;
  });
  if (candidates.empty())
    return;
  int64_t registers = features.vectorRegisters >= 32 ? 24 : 12;
  if (plan.isVectorReduction()) {
    // The longer loop inside: what the shorter one reads stays in the cache.
    bool isTwice = candidates.size() > 1;
    plan.lanes = std::min(plan.lanes, plan.registerLanes);
    if (isTwice)
      unroll(candidates[1], features.vectorRegisters >= 32 ? 4 : 2);
    unroll(candidates[0], isTwice ? 4 : 8);
    return;
  }
  plan.lanes = std::min(plan.lanes, 2 * plan.registerLanes);
  if (plan.lanes > plan.registerLanes)
    return unroll(candidates[0], registers / 2);
  // One register of lanes: a second loop shares what is loaded for the first.
  int64_t second = candidates.size() > 1 ? secondFactor(plan.loops[candidates[1]]) : 1;
  unroll(candidates[0], registers / second);
  if (second > 1)
    plan.unrolled.push_back({candidates[1], second});
}

/// The smallest divisor up to 8 that is not 1, or 2 where the rest does not matter.
int64_t Planner::secondFactor(const LoopDim &loop) {
  int64_t size = sizeOf(loop);
  for (int64_t factor = 2; factor <= 8 && loop.size.constant(); ++factor)
    if (size % factor == 0)
      return factor;
  return size >= 8 ? 2 : 1;
}

void Planner::chooseUnrolling() {
  if (hasReductions() && plan.vectorLoop >= 0)
    unrollAround(plan.vectorLoop);
}

LoopPlan codegen::planLoops(SmallVector<LoopDim> loops, const LoopAccesses &accesses,
                            const IndexMath &math, const CpuFeatures &features, bool canSplitSum) {
  return Planner(std::move(loops), accesses, math, features, canSplitSum).run();
}
