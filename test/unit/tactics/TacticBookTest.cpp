// Who decides: an attribute before the lock file before the cost model; and what of a file did
// nothing.
#include "codegen/cuda/Tactics.h"

#include "ir/TacticAttr.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <gtest/gtest.h>

using namespace nnc::codegen;

namespace {

class Tactics : public testing::Test {
protected:
  Tactics() : op(mlir::ModuleOp::create(mlir::UnknownLoc::get(&context))) {}

  static TacticBook bookOf(const std::string &lines, const std::string &arch = "sm_90a") {
    std::vector<LockMistake> mistakes;
    LockFile file = LockFile::parse("# nnc tune 1\n" + lines, mistakes);
    EXPECT_TRUE(mistakes.empty());
    return TacticBook(std::move(file), arch);
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> op;
  std::vector<std::string> candidates = {"A<1>", "B<2>", "C<3>"};
};

TEST_F(Tactics, costModelAlone) {
  TacticBook book;
  EXPECT_EQ(book.choose(*op, "k", candidates), 0u);
  EXPECT_EQ(book.choose(*op, "k", candidates), 0u);
  ASSERT_EQ(book.decisions().size(), 1u);
  EXPECT_EQ(book.decisions().at("k").count, 1u);
  mlir::OwningOpRef<mlir::ModuleOp> another = op->clone();
  EXPECT_EQ(book.choose(*another, "k", candidates), 0u);
  EXPECT_EQ(book.decisions().at("k").count, 2u);
  EXPECT_EQ(book.decisions().at("k").candidates, candidates);
}

TEST_F(Tactics, lockFileOfTheArchitecture) {
  std::string lines = "k | sm_80 | g | C<3> | 1\nk | sm_90a | g | B<2> | 1\n";
  TacticBook hopper = bookOf(lines), ampere = bookOf(lines, "sm_80"),
             other = bookOf(lines, "sm_86");
  EXPECT_EQ(hopper.choose(*op, "k", candidates), 1u);
  EXPECT_EQ(ampere.choose(*op, "k", candidates), 2u);
  EXPECT_EQ(other.choose(*op, "k", candidates), 0u);
  EXPECT_TRUE(hopper.unused().empty());
}

TEST_F(Tactics, attributeFirst) {
  TacticBook book = bookOf("k | sm_90a | g | B<2> | 1\n");
  op->getOperation()->setAttr(nnc::nn::kTacticAttr, mlir::StringAttr::get(&context, "C<3>"));
  EXPECT_EQ(book.choose(*op, "k", candidates), 2u);
  op->getOperation()->setAttr(nnc::nn::kTacticAttr, mlir::StringAttr::get(&context, "D<4>"));
  EXPECT_EQ(book.choose(*op, "k", candidates), 1u); // it has no such tactic
}

TEST_F(Tactics, linesThatDidNothing) {
  TacticBook book = bookOf("gone | sm_90a | g | A<1> | 1\nk | sm_90a | g | D<4> | 1\n"
                           "m | sm_80 | g | A<1> | 1\n");
  EXPECT_EQ(book.choose(*op, "k", candidates), 0u);
  std::vector<LockMistake> unused = book.unused();
  ASSERT_EQ(unused.size(), 2u);
  EXPECT_EQ(unused[0].line, 2u);
  EXPECT_EQ(unused[0].message, "there is no kernel `gone` in this build");
  EXPECT_EQ(unused[1].line, 3u);
  EXPECT_EQ(unused[1].message, "the kernel `k` has no tactic `D<4>` any more");
}

} // namespace
