// Random formulas: whatever the normal form makes of them, their values stay, they lie within their
// bounds, and what is presented to the user means the same.
#include "frontend/Dim.h"

#include <gtest/gtest.h>

#include <random>

using namespace nnc::frontend;

namespace {

/// A formula and, at some sizes, the value that Python's arithmetic gives it.
struct Sample {
  Dim dim;
  int64_t value;
};

class Formulas {
public:
  Formulas(unsigned seed, DimSizes sizes) : random(seed), sizes(std::move(sizes)) {}

  Sample make(unsigned depth) {
    if (depth == 0 || pick(5) == 0)
      return makeLeaf();
    Sample a = make(depth - 1);
    switch (pick(6)) {
    case 0:
      return combine(a, make(depth - 1), +1);
    case 1:
      return combine(a, make(depth - 1), -1);
    case 2: {
      Sample b = make(depth / 2);
      return {a.dim * b.dim, a.value * b.value};
    }
    case 3: {
      int64_t by = 1 + pick(9);
      return {a.dim.mod(by), modulo(a.value, by)};
    }
    default: {
      int64_t by = 1 + pick(9);
      return {a.dim.floorDiv(by), (a.value - modulo(a.value, by)) / by};
    }
    }
  }

private:
  int64_t pick(int64_t count) { return random() % count; }
  static int64_t modulo(int64_t a, int64_t b) { return (a % b + b) % b; }
  static Sample combine(const Sample &a, const Sample &b, int64_t sign) {
    return {sign > 0 ? a.dim + b.dim : a.dim - b.dim, a.value + sign * b.value};
  }

  Sample makeLeaf() {
    if (pick(3) == 0) {
      int64_t value = pick(21) - 10;
      return {value, value};
    }
    auto size = std::next(sizes.begin(), pick(sizes.size()));
    return {Dim::variable(size->first), size->second};
  }

  std::mt19937 random;
  DimSizes sizes;
};

TEST(DimProperties, NormalFormsKeepValuesAndBoundsHold) {
  DimFacts facts{{{"A", {0, 40}}, {"B", {1, 9}}, {"C", {5, 60}}}, {}};
  for (unsigned seed = 0; seed < 4000; ++seed) {
    DimSizes sizes{{"A", seed % 41}, {"B", 1 + seed % 9}, {"C", 5 + seed % 56}};
    Sample sample = Formulas(seed, sizes).make(5);
    if (!sample.dim.isValid())
      continue;
    ASSERT_EQ(sample.dim.evaluate(sizes), sample.value) << seed << ": " << sample.dim.str();
    DimInterval bounds = sample.dim.bounds(facts);
    ASSERT_TRUE(bounds.contains(sample.value)) << seed << ": " << sample.dim.str();
    ASSERT_TRUE(sample.dim - sample.dim == Dim(0)) << seed;
  }
}

TEST(DimProperties, SubstitutionKeepsValues) {
  for (unsigned seed = 0; seed < 4000; ++seed) {
    int64_t modulus = 1 + seed % 12, remainder = seed % 5 % modulus;
    int64_t a = modulus * (seed % 7) + remainder;
    DimSizes sizes{{"A", a}, {"B", 1 + seed % 9}};
    Sample sample = Formulas(seed, sizes).make(4);
    auto guard = solveEquation(Dim::variable("A").mod(modulus), remainder);
    if (modulus == 1 || !sample.dim.isValid())
      continue;
    ASSERT_TRUE(guard) << modulus << " " << remainder;
    Dim known = sample.dim.substitute(guard->variable, guard->by);
    if (!known.isValid())
      continue;
    ASSERT_EQ(known.evaluate(sizes), sample.value) << seed << ": " << sample.dim.str();
    ASSERT_EQ(known.presented().evaluate(sizes), sample.value) << seed << ": " << known.str();
  }
}

} // namespace
