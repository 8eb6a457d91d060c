//===- JoinLaunches.cpp - Several small kernels, one launch -----------------------------------===//
//
// A training step has hundreds of kernels that wait for nothing but params (weights rounded to the
// model's precision, laid out for convolutions) and hundreds for which nothing waits but each
// other, in few levels (sums of squares of all gradients, what they are multiplied with so that
// their norm is bounded, updates of params). Each would cost a launch, for a few microseconds of
// work.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/LaunchParts.h"
#include "passes/Passes.h"
#include "passes/StepOrder.h"

#include "ir/KernelAttrs.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

#include <array>

using namespace mlir;

namespace nnc {
#define GEN_PASS_DEF_JOINLAUNCHES
#include "passes/Passes.h.inc"

namespace {

/// Pointers to buffers are parameters of the kernel, which may have 32,764 bytes of them.
constexpr size_t MaxPointers = 3072;

/// Bytes: to write so many takes longer than ten launches.
constexpr int64_t MaxEarly = 64 << 20;

/// Launches at the end of a step that wait for each other: whether gradients are finite, sums of
/// their squares, scalars such as the rate of learning, updates that read them, the count of
/// updates.
constexpr unsigned MaxLevels = 8;

/// Bytes that may be kept until the end for a kernel there.
constexpr int64_t MaxKept = 64 << 10;

/// Of a value that is small enough.
int64_t bytesOf(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  return type.getNumElements() * std::max(1u, type.getElementTypeBitWidth() / 8);
}

/// Whether it needs no more than its operands, and writes all of its results.
bool standsAlone(nn::KernelOp kernel) {
  bool readsSymbols = kernel.getBodyRegion()
                          .walk([](nn::SymbolOp) { return WalkResult::interrupt(); })
                          .wasInterrupted();
  return mayBePart(kernel) && !kernel.isUpdate() && !readsSymbols;
}

class Joiner {
public:
  Joiner(Block &block, int64_t &number) : block(block), order(block), number(number) {}

  void run() {
    SmallVector<nn::KernelOp> first;
    std::array<SmallVector<nn::KernelOp>, MaxLevels> last;
    for (Operation &op : llvm::reverse(block)) // so that what waits for a kernel is known
      if (auto kernel = dyn_cast<nn::KernelOp>(op))
        levelOf(kernel);
    for (auto kernel : block.getOps<nn::KernelOp>())
      if (std::optional<unsigned> level = levelOf(kernel))
        last[*level].push_back(kernel);
      else if (isFirst(kernel))
        first.push_back(kernel);
    forEachLaunch(first, [&](ArrayRef<nn::KernelOp> parts) {
      if (parts.size() > 1)
        launchTogether(parts, number++);
    });
    bool hasMoved = false; // then what waits has to follow
    for (ArrayRef<nn::KernelOp> level : llvm::reverse(last))
      forEachLaunch(level, [&](ArrayRef<nn::KernelOp> parts) {
        hasMoved |= parts.size() > 1;
        if (hasMoved)
          joinAtEnd(parts);
      });
  }

private:
  /// How many launches at the end of the block wait for the kernel, one for the other; none if
  /// something else does, or if it would keep too much alive until then.
  std::optional<unsigned> levelOf(nn::KernelOp kernel) {
    auto [known, isNew] = levels.try_emplace(kernel, std::nullopt);
    if (!isNew)
      return known->second;
    std::optional<unsigned> level;
    if (standsAlone(kernel))
      level = levelBefore(kernel);
    if (level == MaxLevels || (level && keepsTooMuch(kernel, *level)))
      level.reset();
    return levels[kernel] = level;
  }

  /// The same for what waits for `op`.
  std::optional<unsigned> levelBefore(Operation *op) {
    unsigned level = 0;
    for (unsigned place : order.behind(op)) {
      Operation *next = order.at(place);
      std::optional<unsigned> behind = 0;
      if (auto kernel = dyn_cast<nn::KernelOp>(next)) {
        behind = levelOf(kernel);
        behind = behind ? std::optional(*behind + 1) : std::nullopt;
      } else if (isa<nn::ReshapeOp>(next)) {
        behind = levelBefore(next);
      } else if (!isa<nn::SetOp>(next) && !next->hasTrait<OpTrait::IsTerminator>()) {
        return std::nullopt;
      }
      if (!behind)
        return std::nullopt;
      level = std::max(level, *behind);
    }
    return level;
  }

  /// It waits for nothing, and what it writes is no larger than what it reads, nor so large that it
  /// had better be written when it is needed.
  bool isFirst(nn::KernelOp kernel) {
    if (!standsAlone(kernel) || !comesFromOutside(kernel))
      return false;
    int64_t written = sizeOf(kernel->getResults());
    return written <= MaxEarly && written <= sizeOf(kernel->getOperands());
  }

  bool comesFromOutside(Operation *op) {
    return llvm::all_of(order.before(op), [&](unsigned place) {
      Operation *source = order.at(place);
      return isa<nn::GetOp>(source) || (isa<nn::ReshapeOp>(source) && comesFromOutside(source));
    });
  }

  static int64_t sizeOf(ValueRange values) {
    int64_t bytes = 0;
    for (Value value : values)
      bytes += bytesOf(value);
    return bytes;
  }

  /// Whether more would be kept until the end for the kernel than it writes, beside what is kept
  /// for others that run there after it.
  bool keepsTooMuch(nn::KernelOp kernel, unsigned level) {
    int64_t bytes = 0;
    for (Value operand : kernel.getOperands())
      if (Value memory = withoutReshapes(operand);
          isa_and_nonnull<nn::KernelOp, nn::GemmOp, nn::ScanOp>(memory.getDefiningOp()) &&
          !isReadAfter(memory, level))
        bytes += bytesOf(operand);
    return bytes > MaxKept + sizeOf(kernel->getResults());
  }

  /// Whether something at the end that other launches there wait less for than for `level` reads
  /// it.
  bool isReadAfter(Value memory, unsigned level) {
    return llvm::any_of(readersOf(memory, block), [&](Operation *reader) {
      auto kernel = dyn_cast<nn::KernelOp>(reader);
      if (!kernel)
        return isa<nn::SetOp>(reader) || reader->hasTrait<OpTrait::IsTerminator>();
      std::optional<unsigned> behind = levels.lookup(kernel);
      return behind && *behind < level;
    });
  }

  static void forEachLaunch(ArrayRef<nn::KernelOp> kernels,
                            llvm::function_ref<void(ArrayRef<nn::KernelOp>)> join) {
    while (!kernels.empty()) {
      size_t count = 0, pointers = 0;
      for (nn::KernelOp kernel : kernels) {
        pointers += kernel->getNumOperands() + kernel->getNumResults();
        if (count > 0 && pointers > MaxPointers)
          break;
        ++count;
      }
      join(kernels.take_front(count));
      kernels = kernels.drop_front(count);
    }
  }

  void joinAtEnd(ArrayRef<nn::KernelOp> parts) {
    auto sets = block.getOps<nn::SetOp>();
    Operation *place = sets.empty() ? block.getTerminator() : *sets.begin();
    for (nn::KernelOp part : parts)
      part->moveBefore(place);
    for (nn::KernelOp part : parts)
      for (Value result : part.getResults())
        moveReaders(result, place);
    if (parts.size() > 1)
      markLaunch(parts, number++);
  }

  static void moveReaders(Value value, Operation *place) {
    for (Operation *user : value.getUsers())
      if (isa<nn::ReshapeOp>(user)) {
        user->moveBefore(place);
        moveReaders(user->getResult(0), place);
      }
  }

  Block &block;
  StepOrder order;
  int64_t &number;
  llvm::DenseMap<Operation *, std::optional<unsigned>> levels; ///< of kernels at the end
};

struct JoinLaunches : impl::JoinLaunchesBase<JoinLaunches> {
  void runOnOperation() override {
    int64_t number = 0;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function->hasAttr(nn::kEntryAttr))
        Joiner(function.getBody().front(), number).run();
  }
};

} // namespace
} // namespace nnc
