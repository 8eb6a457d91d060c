// Examples: sizes at which two dimensions differ, or at which one is negative.
#include "frontend/Dim.h"

#include "frontend/DimNormal.h"

#include <algorithm>
#include <functional>

namespace nnc::frontend {
namespace {

/// A variable of a search: its sizes are first, first + step, ... up to last.
struct Candidate {
  std::string name;
  int64_t first, step, last;
};

Candidate makeCandidate(const DimVariable &variable, const DimFacts &facts) {
  DimInterval range = facts.rangeOf(variable.name);
  int64_t low = std::clamp<int64_t>(range.low, 0, INT64_MAX / 4);
  int64_t up = floorModulo(variable.remainder - low, variable.divisor);
  return {variable.name, low + up, variable.divisor, std::min(range.high, INT64_MAX / 2)};
}

/// Looks for sizes with some property, the smallest first, within a budget.
class SizeSearch {
public:
  using Property = std::function<bool(const DimSizes &)>;

  SizeSearch(std::vector<DimVariable> variables, const DimFacts &facts, Property property)
      : facts(facts), property(std::move(property)) {
    for (size_t i = 0, count = variables.size(); i < count; ++i)
      if (!variables[i].by.empty())
        variables.push_back(DimVariable{variables[i].by});
    std::sort(variables.begin(), variables.end());
    for (const DimVariable &variable : variables) {
      // Of H and H', which are rarely seen together, the one with more conditions comes last.
      if (!candidates.empty() && candidates.back().name == variable.name)
        candidates.pop_back();
      candidates.push_back(makeCandidate(variable, facts));
    }
  }

  std::optional<DimSizes> run() {
    for (const Candidate &candidate : candidates)
      sizes[candidate.name] = candidate.first;
    for (const Candidate &candidate : candidates) {
      if (tryAlong(candidate, 4096))
        return sizes;
      sizes[candidate.name] = candidate.first;
    }
    for (int64_t perAxis = 2; perAxis <= 16; perAxis *= 2)
      if (tryGrid(0, perAxis))
        return sizes;
    return std::nullopt;
  }

private:
  bool matches() const {
    return property(sizes) &&
           std::all_of(facts.nonNegative.begin(), facts.nonNegative.end(), [&](const Dim &fact) {
             std::optional<int64_t> value = fact.evaluate(sizes);
             return !value || *value >= 0;
           });
  }

  bool tryAlong(const Candidate &candidate, int64_t steps) {
    for (int64_t i = 0; i < steps; ++i) {
      int64_t size = candidate.first + i * candidate.step;
      if (size > candidate.last)
        return false;
      sizes[candidate.name] = size;
      if (matches())
        return true;
    }
    return false;
  }

  /// All combinations of the first few sizes of each variable, as far as the budget reaches.
  bool tryGrid(size_t axis, int64_t perAxis) {
    if (axis == candidates.size())
      return budget-- > 0 && matches();
    const Candidate &candidate = candidates[axis];
    for (int64_t i = 0; i < perAxis && budget > 0; ++i) {
      int64_t size = candidate.first + i * candidate.step;
      if (size > candidate.last)
        break;
      sizes[candidate.name] = size;
      if (tryGrid(axis + 1, perAxis))
        return true;
    }
    return false;
  }

  const DimFacts &facts;
  Property property;
  std::vector<Candidate> candidates;
  DimSizes sizes;
  int64_t budget = 20'000;
};

} // namespace

std::optional<DimSizes> findDifference(const Dim &a, const Dim &b, const DimFacts &facts) {
  std::vector<DimVariable> variables = a.getVariables(), more = b.getVariables();
  variables.insert(variables.end(), more.begin(), more.end());
  return SizeSearch(std::move(variables), facts,
                    [&](const DimSizes &sizes) {
                      std::optional<int64_t> x = a.evaluate(sizes), y = b.evaluate(sizes);
                      return x && y && *x != *y;
                    })
      .run();
}

std::optional<DimSizes> findNegative(const Dim &value, const DimFacts &facts) {
  return SizeSearch(value.getVariables(), facts,
                    [&](const DimSizes &sizes) {
                      std::optional<int64_t> at = value.evaluate(sizes);
                      return at && *at < 0;
                    })
      .run();
}

} // namespace nnc::frontend
