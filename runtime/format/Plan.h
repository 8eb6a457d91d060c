// Reading and writing the plan section, and its size expressions. The schema is model.fbs.
#ifndef NNC_RUNTIME_FORMAT_PLAN_H
#define NNC_RUNTIME_FORMAT_PLAN_H

#include "runtime/format/Container.h"
#include "runtime/format/DType.h"
#include "runtime/format/model_generated.h"

#include <map>

namespace nnc::format {

/// More axes than this are refused.
constexpr unsigned MaxRank = 16;

/// Evaluates a postfix expression over the dimensions of its entry. Errors: malformed expression,
/// overflow of i64, division by zero or by a negative number.
Result<int64_t> evaluate(const ExprT &expr, std::span<const int64_t> dims);

/// The expression as the user would write it, e.g. "B*28 + 1", with names by symbol.
std::string exprText(const ExprT &expr, const EntryT &entry);

/// A type as the user would write it, e.g. "f32[B, 1, 28, 28]"; `shape` are indices of Entry.exprs.
std::string shapeText(DType type, std::span<const uint32_t> shape, const EntryT &entry);
std::string portText(const PortT &port, const EntryT &entry);

/// Fills Entry.exprs: equal expressions get equal indices. Keep one per entry while building.
class ExprPool {
public:
  explicit ExprPool(EntryT &entry);
  uint32_t add(std::vector<ExprNode> nodes);
  uint32_t constant(int64_t value);
  uint32_t symbol(uint32_t dim);

private:
  EntryT &entry;
  std::map<std::vector<std::pair<uint8_t, int64_t>>, uint32_t> known;
};

/// The plan as the bytes of section `plan`.
std::vector<std::byte> packModel(const ModelT &model);

/// Loops within loops of a plan.
inline constexpr unsigned MaxLoopDepth = 8;

/// Calls visit(step) for every step, those of a loop behind it.
template <typename Visit>
void forEachStep(const std::vector<std::unique_ptr<StepT>> &steps, Visit &&visit) {
  for (const std::unique_ptr<StepT> &step : steps) {
    visit(*step);
    if (const LoopT *loop = step->what.AsLoop())
      forEachStep(loop->steps, visit);
  }
}

/// By index of Model.weights: whether steps read it. Others are only what states start as, or are
/// kept for checkpoints.
std::vector<bool> weightsOfSteps(const ModelT &model);

/// Whether calls of an entry draw random numbers.
bool drawsNumbers(const ModelT &model, const EntryT &entry);

/// Bytes of an input or output at the upper bounds of the entry's dimensions.
uint64_t maxPortBytes(const PortT &port, const EntryT &entry);

/// The location as "lenet.nn:12:15"; empty if it is unknown.
std::string locationText(const LocationT *location);

/// Verifies the plan of a container against its sections and unpacks it. What holds afterwards:
/// every index, offset and expression is in range, and every arena buffer fits at the upper bounds.
Result<std::unique_ptr<ModelT>> readModel(const Container &container, const std::string &name);

/// The sizes in bytes of the sections that a plan points into.
struct SectionSizes {
  uint64_t weights = 0, cpu = 0, cubins = 0, source = 0;
};

/// Checks what the schema cannot say; see readModel. Used by the compiler on what it built, too.
Result<void> verifyModel(const ModelT &model, const SectionSizes &sizes);

} // namespace nnc::format

#endif
