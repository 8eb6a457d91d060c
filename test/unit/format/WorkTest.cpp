// What steps have to do at given sizes, and the least time that a GPU needs for it.
#include "runtime/format/Work.h"

#include "PlanFixture.h"

#include <gtest/gtest.h>

using namespace nnc;
using namespace nnc::format;

namespace {

/// Adds a figure to the entry: `factor` times B.
uint32_t timesB(EntryT &entry, int64_t factor) {
  auto expr = std::make_unique<ExprT>();
  expr->nodes = {ExprNode(ExprOp::Sym, 0), ExprNode(ExprOp::Const, factor),
                 ExprNode(ExprOp::Mul, 0)};
  entry.figures.push_back(std::move(expr));
  return static_cast<uint32_t>(entry.figures.size() - 1);
}

void addWork(EntryT &entry, LaunchT &launch) {
  launch.work = std::make_unique<WorkT>();
  launch.work->reads = {timesB(entry, 8), timesB(entry, 100)};
  launch.work->writes = {timesB(entry, 16)};
  launch.work->products = timesB(entry, 1000);
  launch.work->operations = timesB(entry, 3);
  launch.work->precision = Precision::Half;
}

TEST(Work, launchAndCopy) {
  ModelT model = makePlan();
  EntryT &entry = *model.entries[0];
  addWork(entry, *entry.steps[0]->what.AsLaunch());
  ASSERT_TRUE(verifyModel(model, makeSizes()));
  const int64_t dims[] = {2};
  StepWork launch = workOf(*entry.steps[0], entry, dims);
  EXPECT_EQ(launch.read, 16 + 16); // the weight has 16 bytes, whatever the figure says
  EXPECT_EQ(launch.written, 32);
  EXPECT_EQ(launch.products, 2000);
  EXPECT_EQ(launch.operations, 6);
  EXPECT_EQ(launch.precision, Precision::Half);
  EXPECT_EQ(launch.launches, 1);
  StepWork copy = workOf(*entry.steps[1], entry, dims);
  EXPECT_EQ(copy.read, 32);
  EXPECT_EQ(copy.written, 32);
  EXPECT_EQ(copy.products + copy.operations, 0);
}

TEST(Work, loops) {
  ModelT model = makeLoopPlan();
  EntryT &entry = *model.entries[0];
  LoopT *loop = entry.steps[0]->what.AsLoop();
  ASSERT_TRUE(loop);
  addWork(entry, *loop->steps[0]->what.AsLaunch());
  const int64_t dims[] = {4, 0};
  StepWork apart = workOf(*entry.steps[0], entry, dims);
  EXPECT_EQ(apart.products, 4 * 4000);
  double launches = apart.launches;
  EXPECT_EQ(launches, 4.0 * static_cast<double>(loop->steps.size()));
  loop->kernel = 0;
  StepWork together = workOf(*entry.steps[0], entry, dims);
  EXPECT_EQ(together.products, apart.products);
  EXPECT_EQ(together.launches, 1);
  EXPECT_EQ(together.read, 16); // the weight, once
  EXPECT_EQ(together.written, 4 * 64);
}

TEST(Work, figuresThatDoNotExist) {
  auto errorAfter = [](auto change) {
    ModelT model = makePlan();
    EntryT &entry = *model.entries[0];
    addWork(entry, *entry.steps[0]->what.AsLaunch());
    change(entry, *entry.steps[0]->what.AsLaunch()->work);
    Result<void> verified = verifyModel(model, makeSizes());
    return verified ? "" : verified.error().message;
  };
  EXPECT_EQ(errorAfter([](EntryT &, WorkT &work) { work.products = 77; }),
            "in `forward` the plan lacks a figure");
  EXPECT_EQ(errorAfter([](EntryT &, WorkT &work) { work.reads[1] = 77; }),
            "in `forward` the plan lacks a figure");
  EXPECT_EQ(errorAfter([](EntryT &, WorkT &work) { work.writes.clear(); }),
            "in `forward` the plan has a kernel that does malformed work");
  EXPECT_EQ(errorAfter([](EntryT &entry, WorkT &) { entry.figures[0].reset(); }),
            "in `forward` the plan has a hole");
  // A figure without a value is 0: no call needs it.
  EXPECT_EQ(errorAfter([](EntryT &entry, WorkT &) { entry.figures[0]->nodes.clear(); }), "");
}

TEST(Work, floors) {
  const GpuRates *h200 = findGpuRates("NVIDIA H200");
  ASSERT_TRUE(h200);
  EXPECT_EQ(findGpuRates("h200"), h200);
  EXPECT_EQ(findGpuRates("NVIDIA T4"), nullptr);
  EXPECT_EQ(findGpuRates(""), nullptr);
  StepWork work;
  work.launches = 1;
  EXPECT_DOUBLE_EQ(floorOf(work, *h200).milliseconds, 1e-3);
  EXPECT_EQ(floorOf(work, *h200).bound, Bound::Launch);
  work.read = work.written = 2.14e9; // half a millisecond each at the rate of copies
  EXPECT_NEAR(floorOf(work, *h200).milliseconds, 1 + 1e-3, 1e-9);
  EXPECT_EQ(floorOf(work, *h200).bound, Bound::Memory);
  work.products = 795e12 * 2e-3;
  EXPECT_EQ(floorOf(work, *h200).bound, Bound::Products);
  EXPECT_GT(floorOf(work, *h200).milliseconds, 30); // in f32
  work.precision = Precision::Half;
  EXPECT_NEAR(floorOf(work, *h200).milliseconds, 2 + 1e-3, 1e-9);
  work.operations = 51e12 * 3e-3;
  EXPECT_EQ(floorOf(work, *h200).bound, Bound::Arithmetic);
}

TEST(Work, counts) {
  EXPECT_EQ(countText(0), "0");
  EXPECT_EQ(countText(999), "999");
  EXPECT_EQ(countText(34304), "34.3 k");
  EXPECT_EQ(countText(2e12), "2 T");
}

} // namespace
