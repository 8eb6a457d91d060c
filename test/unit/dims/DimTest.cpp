// The algebra of dimensions: what is equal, how it prints, what can be proved and disproved.
#include "frontend/Dim.h"

#include <gtest/gtest.h>

using namespace nnc::frontend;

namespace nnc::frontend {
static void PrintTo(const Dim &dim, std::ostream *stream) { *stream << dim.str(); }
} // namespace nnc::frontend

namespace {

Dim var(const char *name) { return Dim::variable(name); }
const Dim B = var("B"), H = var("H"), W = var("W"), T = var("T"), D = var("D");

TEST(DimArithmetic, ConstantsFold) {
  EXPECT_EQ(Dim(3) + Dim(4), Dim(7));
  EXPECT_EQ(Dim(3) * Dim(4) - 12, Dim(0));
  EXPECT_EQ(Dim(-7).floorDiv(2), Dim(-4));
  EXPECT_EQ(Dim(-7).mod(2), Dim(1));
  EXPECT_EQ(Dim(7).floorDiv(-2), Dim(-4));
  EXPECT_EQ(Dim(7).mod(-2), Dim(-1));
  EXPECT_EQ(Dim(2).pow(10), Dim(1024));
  EXPECT_EQ(Dim(7).exactDiv(2), std::nullopt);
  EXPECT_EQ(*Dim(8).exactDiv(-2), Dim(-4));
  EXPECT_EQ(*Dim(0).exactDiv(5), Dim(0));
}

TEST(DimArithmetic, PolynomialsNormalise) {
  EXPECT_EQ((B + T) * (B - T), B * B - T * T);
  EXPECT_EQ(B * T - T * B, Dim(0));
  EXPECT_EQ((B + 1).pow(2), B * B + 2 * B + 1);
  EXPECT_FALSE(B == T);
  EXPECT_TRUE((B - B).isConstant());
}

TEST(DimArithmetic, FloorDivision) {
  EXPECT_EQ((16 * H).floorDiv(16), H);
  EXPECT_EQ((16 * H + 8).floorDiv(16), H);
  EXPECT_EQ((16 * H + W).floorDiv(16), H + W.floorDiv(16));
  EXPECT_EQ(H.floorDiv(2).floorDiv(4), H.floorDiv(8));
  EXPECT_EQ(((H + 1).floorDiv(2) + 1).floorDiv(2), (H + 3).floorDiv(4));
  EXPECT_EQ((H - 1).floorDiv(2) + 1, (H + 1).floorDiv(2));
  EXPECT_EQ((4 * H + 2).floorDiv(8), (2 * H + 1).floorDiv(4));
  EXPECT_EQ((4 * H + 3).floorDiv(8), H.floorDiv(2));
  EXPECT_EQ((B * D + T).floorDiv(D), B + T.floorDiv(D));
  EXPECT_EQ(B.floorDiv(-2), (-B).floorDiv(2));
  EXPECT_FALSE(B.floorDiv(0).isValid());
}

TEST(DimArithmetic, Remainders) {
  EXPECT_EQ((16 * H).mod(16), Dim(0));
  EXPECT_EQ(8 * H.floorDiv(8) + H.mod(8), H);
  EXPECT_EQ(H.mod(16).floorDiv(16), Dim(0));
  EXPECT_EQ((H + 32).mod(16), H.mod(16));
  EXPECT_EQ((B * D).mod(D), Dim(0));
}

TEST(DimArithmetic, ExactDivision) {
  EXPECT_EQ(*(B * T).exactDiv(T), B);
  EXPECT_EQ(*(B * B - T * T).exactDiv(B + T), B - T);
  EXPECT_EQ(*(4 * H + 8).exactDiv(4), H + 2);
  EXPECT_EQ((4 * H + 2).exactDiv(4), std::nullopt);
  EXPECT_EQ(B.exactDiv(T), std::nullopt);
  EXPECT_EQ(B.exactDiv(0), std::nullopt);
}

TEST(DimArithmetic, OverflowIsInvalidAndStaysSo) {
  Dim big = int64_t(1) << 62;
  EXPECT_FALSE((big + big).isValid());
  EXPECT_FALSE((big * B * 4).isValid());
  EXPECT_FALSE((B * big + B * big).isValid());
  EXPECT_FALSE(((big * 4) - (big * 4)).isValid());
  EXPECT_FALSE(Dim::invalid() == Dim::invalid());
  EXPECT_FALSE(Dim(INT64_MIN).isValid());
  EXPECT_FALSE(B.pow(1000).isValid());
  EXPECT_EQ(Dim::invalid().str(), "?");
}

TEST(DimArithmetic, FormulasCannotGrowWithoutBound) {
  Dim growing = B + T + H + W + D + 1;
  for (int i = 0; i < 100; ++i)
    growing *= growing;
  EXPECT_FALSE(growing.isValid());
  Dim nested = B;
  for (int i = 0; i < 10'000; ++i)
    nested = (nested * nested + T).floorDiv(D + i);
  EXPECT_FALSE(nested.isValid());
}

TEST(DimPrinting, AsTheUserWouldWriteIt) {
  EXPECT_EQ(Dim(0).str(), "0");
  EXPECT_EQ(Dim(-3).str(), "-3");
  EXPECT_EQ(B.str(), "B");
  EXPECT_EQ((-B).str(), "-B");
  EXPECT_EQ((2 - H).str(), "2 - H");
  EXPECT_EQ((2 * H - 1).str(), "2 * H - 1");
  EXPECT_EQ((B * T * 4).str(), "4 * B * T");
  EXPECT_EQ(D.pow(2).str(), "D ** 2");
  EXPECT_EQ(H.floorDiv(8).str(), "H // 8");
  EXPECT_EQ((2 * H.floorDiv(16)).str(), "2 * (H // 16)");
  EXPECT_EQ(((H + 3).floorDiv(4) + 1).str(), "(H + 3) // 4 + 1");
  EXPECT_EQ((B * H.floorDiv(2)).str(), "B * (H // 2)");
  EXPECT_EQ((B * T).floorDiv(D).str(), "(B * T) // D");
  EXPECT_EQ(H.mod(16).str(), "H % 16");
  EXPECT_EQ(((H + 1).mod(4) + B).str(), "B + (H + 1) % 4");
  EXPECT_EQ((3 * H.mod(4) + 1).str(), "3 * (H % 4) + 1");
  EXPECT_EQ((4 - H.mod(4)).str(), "4 - H % 4");
  std::vector<Dim> shape{B, 10, H.floorDiv(2)};
  EXPECT_EQ(formatShape(shape), "[B, 10, H // 2]");
  EXPECT_EQ(formatShape({}), "[]");
}

TEST(DimGuards, DivisibilitySubstitutes) {
  std::optional<DimSubstitution> guard = solveEquation(H.mod(16), 0);
  ASSERT_TRUE(guard);
  auto apply = [&](const Dim &dim) { return dim.substitute(guard->variable, guard->by); };
  EXPECT_EQ(apply(H.floorDiv(8)), apply(2 * H.floorDiv(16)));
  EXPECT_EQ(apply(H).str(), "H");
  EXPECT_EQ(apply(H.floorDiv(2)).str(), "H // 2");
  EXPECT_EQ(apply(H.floorDiv(32)).str(), "H // 32");
  EXPECT_EQ(apply(3 * H.floorDiv(16)).str(), "3 * (H // 16)");
  EXPECT_EQ(apply(H * H).str(), "H ** 2");
  EXPECT_EQ(apply((H * W).floorDiv(16)).str(), "W * (H // 16)");
  EXPECT_EQ(*apply(H.floorDiv(2)).evaluate({{"H", 48}}), 24);
}

TEST(DimGuards, DivisibilityByAVariableSubstitutes) {
  std::optional<DimSubstitution> guard = solveEquation(H.mod(T), 0);
  ASSERT_TRUE(guard);
  auto apply = [&](const Dim &dim) { return dim.substitute(guard->variable, guard->by); };
  EXPECT_EQ(apply(T * H.floorDiv(T)), apply(H));
  EXPECT_EQ(apply(H.mod(T)), Dim(0));
  EXPECT_EQ(apply(H).str(), "H");
  EXPECT_EQ(apply(H * H).str(), "H ** 2");
  EXPECT_EQ(apply(H.floorDiv(T)).str(), "H // T");
  EXPECT_EQ(apply(B * H.floorDiv(T) + 1).str(), "B * (H // T) + 1");
  EXPECT_EQ(apply(H.floorDiv(2)).str(), "H // 2");
  EXPECT_EQ(*apply(H).evaluate({{"H", 12}, {"T", 3}}), 12);
  EXPECT_EQ(*apply(H.floorDiv(T)).evaluate({{"H", 12}, {"T", 3}}), 4);
  EXPECT_FALSE(apply(H).evaluate({{"H", 12}, {"T", 5}})); // no size that the guard allows
  DimFacts facts{{{"H", {1, 64}}, {"T", {2, 8}}}, {}};
  EXPECT_EQ(apply(H.floorDiv(T)).bounds(facts).low, 1);
  EXPECT_EQ(apply(H.floorDiv(T)).bounds(facts).high, 32);
  // Sizes at which two dimensions differ meet the guard.
  std::optional<DimSizes> sizes = findDifference(apply(H.floorDiv(T)), 2, facts);
  ASSERT_TRUE(sizes);
  EXPECT_EQ((*sizes)["H"] % (*sizes)["T"], 0);

  std::optional<DimSubstitution> twice = solveEquation(H.mod(2 * T), 0);
  ASSERT_TRUE(twice);
  auto applyTwice = [&](const Dim &dim) { return dim.substitute(twice->variable, twice->by); };
  EXPECT_EQ(applyTwice(H).str(), "H");
  EXPECT_EQ(applyTwice(H.floorDiv(2)).str(), "H // 2");
  EXPECT_EQ(applyTwice(H.floorDiv(T)).str(), "2 * (H // (2 * T))");
  EXPECT_EQ(applyTwice(H.mod(T)), Dim(0));
  EXPECT_EQ(suggestGuards(T * H.floorDiv(T), H), std::vector<std::string>{"H % T == 0"});
}

TEST(DimGuards, TwoOnOneVariableCombine) {
  DimSubstitution first = *solveEquation(H.mod(4), 0);
  Dim h = H.substitute(first.variable, first.by);
  DimSubstitution second = *solveEquation(h.mod(6), 0);
  h = h.substitute(second.variable, second.by);
  EXPECT_EQ(h.mod(12), Dim(0));
  EXPECT_EQ(h.str(), "H");
  EXPECT_TRUE(second.by.getVariables()[0] == (DimVariable{"H", 12, 0}));
}

TEST(DimGuards, RemaindersAndEquations) {
  DimSubstitution odd = *solveEquation(H.mod(4), 3);
  Dim h = H.substitute(odd.variable, odd.by);
  EXPECT_EQ(h.mod(4), Dim(3));
  EXPECT_EQ(h.str(), "H");
  EXPECT_EQ((h - 3).floorDiv(4).str(), "(H + 1) // 4 - 1"); // H // 4, in normal form

  DimSubstitution shifted = *solveEquation((3 * H + 2).mod(8), 0);
  EXPECT_EQ((3 * H + 2).substitute(shifted.variable, shifted.by).mod(8), Dim(0));

  DimSubstitution same = *solveEquation(T, B);
  EXPECT_EQ(T.substitute(same.variable, same.by), B.substitute(same.variable, same.by));
  DimSubstitution fixed = *solveEquation(H, 32);
  EXPECT_EQ(fixed.by, Dim(32));
  EXPECT_FALSE(solveEquation(H * H, 4));
  EXPECT_FALSE(solveEquation((2 * H).mod(4), 1));
  EXPECT_FALSE(solveEquation(Dim(3), 4));
}

/// What a module that is called requires bounds the sizes of its caller.
TEST(DimFacts, GuardsOfOneVariableAreBounds) {
  DimFacts facts{{{"H", {1, 1024}}}, {H - 4, 64 - H, H + T}};
  EXPECT_EQ((H + 1).floorDiv(2).bounds(facts).low, 2);
  EXPECT_EQ(H.bounds(facts).high, 64);
  EXPECT_EQ(T.bounds(facts).low, 1);
  DimFacts none{{{"H", {1, 16}}}, {H - 32}};
  EXPECT_EQ(H.bounds(none).high, 16);
}

TEST(DimFacts, Bounds) {
  DimFacts facts{{{"H", {16, 1024}}, {"B", {1, 64}}}, {}};
  EXPECT_EQ((H - 1).bounds(facts).low, 15);
  EXPECT_EQ((H * B).bounds(facts).high, 65536);
  EXPECT_EQ(H.floorDiv(16).bounds(facts).high, 64);
  EXPECT_EQ(H.mod(16).bounds(facts).high, 15);
  EXPECT_EQ((B - H).bounds(facts).low, -1023);
  EXPECT_EQ(T.bounds(facts).low, 1);
  EXPECT_EQ(T.bounds(facts).high, INT64_MAX);
  EXPECT_EQ((T * T).bounds(facts).high, INT64_MAX);
  EXPECT_EQ(H.floorDiv(T).bounds(facts).low, 0);
  EXPECT_EQ(H.floorDiv(T).bounds(facts).high, 1024);
  DimSubstitution guard = *solveEquation(H.mod(16), 8);
  Dim quotient = H.floorDiv(16).substitute(guard.variable, guard.by);
  EXPECT_EQ(quotient.bounds(facts).low, 1);
  EXPECT_EQ(quotient.bounds(facts).high, 63);
}

TEST(DimFacts, Proofs) {
  DimFacts facts{{{"H", {16, 1024}}}, {2048 - B - T}};
  EXPECT_TRUE(provablyDifferent(H, 8, facts));
  EXPECT_FALSE(provablyDifferent(H, 32, facts));
  EXPECT_TRUE(provablyDifferent(B + 1, B));
  EXPECT_TRUE(provablyDifferent(B, 2 * B));
  EXPECT_FALSE(provablyDifferent(B, T));
  EXPECT_FALSE(provablyDifferent(Dim::invalid(), B));
  EXPECT_TRUE(provablyNonNegative(H - 16, facts));
  EXPECT_FALSE(provablyNonNegative(H - 17, facts));
  EXPECT_TRUE(provablyNonNegative(2048 - T - B, facts));
  EXPECT_FALSE(provablyNonNegative(2047 - T - B, facts));
  // A common factor that is not negative leaves the sign alone.
  EXPECT_TRUE(provablyNonNegative(B * H - 16 * B, facts));
  EXPECT_TRUE(provablyNonNegative(B * B * H * T - 16 * B * B * T, facts));
  EXPECT_FALSE(provablyNonNegative(B * H - 17 * B, facts));
  EXPECT_TRUE(provablyNonNegative(Dim(0) * B, facts));
  // H rounded up to a multiple of 4, and half of that less 1; a quotient is close to its dividend.
  EXPECT_TRUE(provablyNonNegative(-(-H).floorDiv(4) * 4 - H, facts));
  EXPECT_TRUE(provablyNonNegative(2 * H - 2 * (3 * H).floorDiv(4) - 8, facts));
  EXPECT_FALSE(provablyNonNegative(2 * H - 2 * (3 * H).floorDiv(4) - 9, facts));
}

std::string difference(const Dim &a, const Dim &b, const DimFacts &facts = {}) {
  std::optional<DimSizes> sizes = findDifference(a, b, facts);
  return sizes ? formatSizes(*sizes) : "none";
}

TEST(DimFacts, Counterexamples) {
  DimFacts facts{{{"H", {16, 1024}}}, {}};
  EXPECT_EQ(difference(H.floorDiv(8), 2 * H.floorDiv(16), facts), "H = 24");
  EXPECT_EQ(difference(B, T), "B = 2, T = 1");
  EXPECT_EQ(difference(B * T, T * B), "none");
  EXPECT_EQ(difference(B * T, B + T - 1), "B = 2, T = 2");
  EXPECT_EQ(difference(H, 1000, facts), "H = 16");
  DimFacts limited{{{"B", {1, 1}}, {"T", {1, 9}}}, {T - 3}};
  EXPECT_EQ(difference(B, T, limited), "B = 1, T = 3");
  DimSubstitution guard = *solveEquation(H.mod(16), 8);
  EXPECT_EQ(difference(H.substitute(guard.variable, guard.by), 24, facts), "H = 40");
}

TEST(DimFacts, EvaluationChecksOverflow) {
  EXPECT_EQ(*(2 * H - 1).evaluate({{"H", 5}}), 9);
  EXPECT_EQ((H * H).evaluate({{"H", INT64_MAX}}), std::nullopt);
  EXPECT_EQ(H.evaluate({}), std::nullopt);
  EXPECT_EQ(H.floorDiv(T).evaluate({{"H", 5}, {"T", 0}}), std::nullopt);
}

} // namespace
