// What a training step keeps in memory: what the backward pass reads of the forward pass, what it
// computes again instead, and what lies in memory when most does.
#include "tools/explain/Memory.h"

#include <algorithm>
#include <set>

namespace nnc::explain {
namespace {

/// As nn-differentiate names what it makes: "conv1.grad.matmul".
bool isBackward(const ModelOp &operation) {
  size_t last = operation.name.rfind('.');
  std::string module = last == std::string::npos ? "" : operation.name.substr(0, last);
  return module == "grad" || module.ends_with(".grad");
}

class MemoryReader {
public:
  explicit MemoryReader(Entry &entry) : entry(entry) {
    std::set<unsigned> done;
    for (const Step &step : entry.steps) {
      bool isBackwards = false, isFirst = false;
      for (unsigned number : step.operations) {
        const ModelOp &operation = entry.operations[number];
        isBackwards |= isBackward(operation);
        isFirst |= !isBackward(operation) && operation.role != "view" && done.insert(number).second;
      }
      // The forward pass may end with what only the backward pass needs, as where a relu is 0.
      isBackwardStep.push_back(isBackwards && !isFirst);
    }
  }

  void run() {
    if (std::ranges::find(isBackwardStep, true) == isBackwardStep.end())
      return;
    findLives();
    findKept();
    findRecomputed();
    findPeak();
  }

private:
  struct Life {
    Kept what;
    unsigned first, last; ///< steps
  };

  /// A loop reads and writes as long as it runs.
  std::pair<unsigned, unsigned> spanOf(unsigned step) const {
    unsigned first = step, last = step;
    while (entry.steps[first].depth > 0)
      --first;
    bool isInLoop = first != step || entry.steps[step].kind == "loop";
    while (isInLoop && last + 1 < entry.steps.size() && entry.steps[last + 1].depth > 0)
      ++last;
    return {first, last};
  }

  void findLives() {
    for (unsigned number = 0; number < entry.steps.size(); ++number)
      for (const Tensor &tensor : entry.steps[number].tensors) {
        if (!tensor.isIntermediate)
          continue;
        auto [first, last] = spanOf(number);
        auto [known, isNew] =
            lives.try_emplace(tensor.buffer, Life{{"", tensor.type, 0, number, {}}, first, last});
        Life &life = known->second;
        life.last = std::max(life.last, last);
        life.what.bytes = std::max(life.what.bytes, tensor.size);
        if (!tensor.isWritten && life.what.step != number)
          life.what.readers.push_back(number);
      }
    for (auto &[buffer, life] : lives)
      life.what.name = entry.steps[life.what.step].name;
  }

  void findKept() {
    for (const auto &[buffer, life] : lives) {
      if (isBackwardStep[life.what.step])
        continue;
      Kept kept = life.what;
      std::erase_if(kept.readers, [&](unsigned step) { return !isBackwardStep[step]; });
      if (!kept.readers.empty())
        entry.kept.push_back(std::move(kept));
    }
    sort(entry.kept);
  }

  static void sort(std::vector<Kept> &values) {
    std::ranges::sort(values, [](const Kept &a, const Kept &b) {
      return a.bytes != b.bytes ? a.bytes > b.bytes : a.step < b.step;
    });
  }

  /// Operations of the forward pass that steps of both passes do. Views are no work.
  void findRecomputed() {
    std::set<unsigned> forward;
    for (size_t number = 0; number < entry.steps.size(); ++number)
      for (unsigned operation : entry.steps[number].operations) {
        if (!isBackwardStep[number])
          forward.insert(operation);
        else if (forward.contains(operation) && entry.operations[operation].role != "view")
          entry.recomputed.push_back({operation, unsigned(number)});
      }
  }

  void findPeak() {
    for (unsigned step = 0; step < entry.steps.size(); ++step) {
      double bytes = 0;
      for (const auto &[buffer, life] : lives)
        if (life.first <= step && step <= life.last)
          bytes += life.what.bytes;
      if (bytes > entry.peakBytes) {
        entry.peakBytes = bytes;
        entry.peakStep = step;
      }
    }
    for (const auto &[buffer, life] : lives)
      if (life.first <= entry.peakStep && entry.peakStep <= life.last)
        entry.atPeak.push_back(life.what);
    sort(entry.atPeak);
  }

  Entry &entry;
  std::vector<bool> isBackwardStep;
  std::map<uint32_t, Life> lives; ///< by buffer
};

} // namespace

void describeMemory(Entry &entry) { MemoryReader(entry).run(); }

} // namespace nnc::explain
