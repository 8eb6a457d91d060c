//===- JoinNeighbours.cpp - Small kernels that follow each other, one launch ------------------===//
//
// Where little is computed, launches are what takes time. Decoding a token turns the queries, turns
// the keys into their cache and puts the values into theirs: three kernels of a few thousand
// elements, none of which waits for another.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/LaunchParts.h"
#include "passes/Passes.h"
#include "passes/StepOrder.h"

#include "ir/KernelAttrs.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;

namespace nnc {
#define GEN_PASS_DEF_JOINNEIGHBOURS
#include "passes/Passes.h.inc"

namespace {

/// A kernel with more results than this fills a GPU by itself.
constexpr int64_t MostElements = 1 << 15;
constexpr size_t MostParts = 8;

/// How many elements the kernel computes: of an update, those that it puts into its operand.
int64_t elementsOf(nn::KernelOp kernel) {
  int64_t elements = 0;
  for (Value yielded : kernel.getBody()->getTerminator()->getOperands()) {
    auto type = cast<RankedTensorType>(yielded.getType());
    elements += type.hasStaticShape() ? type.getNumElements() : MostElements + 1;
  }
  return elements;
}

bool isSmall(nn::KernelOp kernel) {
  return kernel.getAnchor() == "pointwise" && !kernel->hasAttr(nn::kLaunchAttr) &&
         mayBePart(kernel) && elementsOf(kernel) <= MostElements;
}

/// Kernels that stand side by side but for other names of values.
class Run {
public:
  explicit Run(const StepOrder &order) : order(order) {}

  bool mayTake(nn::KernelOp kernel) const {
    return parts.size() < MostParts && llvm::none_of(
                                           parts,
                                           [&](nn::KernelOp part) {
                                             return order.waitsFor(kernel, part) ||
                                                    writesWhatReads(part, kernel) ||
                                                    writesWhatReads(kernel, part);
                                           });
  }
  void take(nn::KernelOp kernel) { parts.push_back(kernel); }

  /// Puts the parts side by side and gives them the number; whether there are several.
  bool join(int64_t number) {
    if (parts.size() < 2)
      return false;
    launchTogether(parts, number);
    return true;
  }

private:
  /// Whether the step reads what a part makes, or may only run after it. There is nothing but other
  /// names between them.
  bool waitsForPart(Operation *step) const {
    return llvm::any_of(order.before(step), [&](unsigned place) {
      Operation *earlier = order.at(place);
      if (auto kernel = dyn_cast<nn::KernelOp>(earlier))
        return llvm::is_contained(parts, kernel);
      return isa<nn::ReshapeOp>(earlier) && waitsForPart(earlier);
    });
  }

  /// Whether `writer` puts its results where something lies that `reader` reads.
  static bool writesWhatReads(nn::KernelOp writer, nn::KernelOp reader) {
    auto reads = [&](Value value) {
      return llvm::any_of(reader.getOperands(), [&](Value operand) {
        return withoutReshapes(operand) == withoutReshapes(value);
      });
    };
    if (writer.isUpdate() && reads(writer.getOperand(0)))
      return true;
    for (unsigned i = 0; i < writer->getNumResults(); ++i)
      if (int64_t operand = nn::getInPlace(writer, i);
          operand >= 0 && reads(writer->getOperand(operand)))
        return true;
    return false;
  }

  const StepOrder &order;
  SmallVector<nn::KernelOp> parts;
};

/// The first number that no launch has.
int64_t nextNumber(ModuleOp module) {
  int64_t next = 0;
  module.walk([&](nn::KernelOp kernel) {
    if (auto number = kernel->getAttrOfType<IntegerAttr>(nn::kLaunchAttr))
      next = std::max(next, number.getInt() + 1);
  });
  return next;
}

struct JoinNeighbours : impl::JoinNeighboursBase<JoinNeighbours> {
  void runOnOperation() override {
    int64_t number = nextNumber(getOperation());
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (!function->hasAttr(nn::kEntryAttr))
        continue;
      Block &block = function.getBody().front();
      StepOrder order(block);
      std::vector<Run> runs(1, Run(order));
      for (Operation &op : block) {
        auto kernel = dyn_cast<nn::KernelOp>(op);
        if (kernel && isSmall(kernel)) {
          if (!runs.back().mayTake(kernel))
            runs.emplace_back(order);
          runs.back().take(kernel);
        } else if (!isa<nn::ReshapeOp, nn::GetOp>(op)) {
          runs.emplace_back(order);
        }
      }
      for (Run &run : runs)
        number += run.join(number);
    }
  }
};

} // namespace
} // namespace nnc
