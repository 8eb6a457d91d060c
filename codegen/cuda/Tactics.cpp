//===- Tactics.cpp - Who decides between ways to do the same ----------------------------------===//
#include "codegen/cuda/Tactics.h"

#include "ir/TacticAttr.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Operation.h"
#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <fmt/format.h>

using namespace mlir;

namespace nnc::codegen {

size_t TacticBook::choose(Operation *op, const std::string &key,
                          std::vector<std::string> candidates) {
  auto placeOf = [&](StringRef choice) {
    return size_t(llvm::find(candidates, choice) - candidates.begin());
  };
  size_t chosen = 0;
  auto given = op->getAttrOfType<StringAttr>(nn::kTacticAttr);
  if (const LockLine *line = lock.find(key, arch);
      line && placeOf(line->choice) < candidates.size()) {
    chosen = placeOf(line->choice);
    used.insert(key);
  }
  if (given && placeOf(given.getValue()) < candidates.size())
    chosen = placeOf(given.getValue());
  auto [place, isNew] = made.try_emplace(key);
  if (isNew)
    place->second = {std::move(candidates), chosen, op, op, 1};
  else if (place->second.last != op) // an op may ask again, with fewer candidates
    ++place->second.count;
  place->second.last = op;
  return chosen;
}

std::vector<LockMistake> TacticBook::unused() const {
  std::vector<LockMistake> list;
  for (const auto &[place, line] : lock.all()) {
    if (line.arch != arch || used.contains(line.key))
      continue;
    bool isKnown = made.contains(line.key);
    list.push_back(
        {line.line,
         isKnown ? fmt::format("the kernel `{}` has no tactic `{}` any more", line.key, line.choice)
                 : fmt::format("there is no kernel `{}` in this build", line.key)});
  }
  std::ranges::sort(list, {}, [](const LockMistake &mistake) { return mistake.line; });
  return list;
}

} // namespace nnc::codegen
