// Which batches come in which order, and how inputs find their fields.
#include "tools/nnc-train/data/Loader.h"
#include "Files.h"
#include "tools/nnc-train/Metrics.h"

#include <algorithm>
#include <set>

using namespace nnc;
using namespace nnc::train;

namespace {

/// Example i is the number i.
class Numbers : public Dataset {
public:
  explicit Numbers(size_t count) : count(count) {}
  const std::string &name() const override { return title; }
  size_t size(int64_t) const override { return count; }
  std::span<const Field> fields() const override { return list; }
  Result<void> read(size_t example, size_t, const Target &target) const override {
    if (example == broken)
      return Error{"example " + std::to_string(example) + " is broken"};
    auto value = static_cast<int64_t>(example);
    if (target.random)
      value += static_cast<int64_t>(target.random->below(1000)) * 1000;
    std::memcpy(target.memory.data(), &value, sizeof(value));
    return {};
  }
  size_t broken = ~size_t{0};

private:
  std::string title = "numbers";
  std::vector<Field> list{{"label", DType::I64, {}}};
  size_t count;
};

using Batches = std::vector<std::vector<int64_t>>;

Batches batchesOf(const Dataset &data, const Binding &binding, const LoaderOptions &options) {
  ImageTransform transform;
  Loader loader(data, binding, transform, options);
  Batches batches;
  while (true) {
    Result<std::optional<Batch>> batch = loader.next();
    EXPECT_TRUE(batch) << message(batch);
    if (!batch || !*batch)
      return batches;
    auto values = (*batch)->tensors["label"].values<int64_t>();
    EXPECT_EQ(values.size(), (*batch)->count);
    batches.emplace_back(values.begin(), values.end());
  }
}

const Binding Whole{{{"label", DType::I64, {}, 0}}, 4, 1, 1};

TEST(Loader, KeepsTheOrderForEvaluation) {
  EXPECT_EQ(batchesOf(Numbers(10), Whole, {}), (Batches{{0, 1, 2, 3}, {4, 5, 6, 7}, {8, 9}}));
  EXPECT_EQ(batchesOf(Numbers(8), Whole, {}), (Batches{{0, 1, 2, 3}, {4, 5, 6, 7}}));
}

TEST(Loader, LeavesOutWhatIsNoBatch) {
  Binding fixed = Whole;
  fixed.leastBatch.reset();
  EXPECT_EQ(batchesOf(Numbers(10), fixed, {}), (Batches{{0, 1, 2, 3}, {4, 5, 6, 7}}));
  EXPECT_EQ(examplesLeftOut(Numbers(10), fixed), 2U);
  fixed.leastBatch = 3;
  EXPECT_EQ(batchesOf(Numbers(10), fixed, {}).size(), 2U);
  EXPECT_EQ(batchesOf(Numbers(11), fixed, {}).size(), 3U);
}

TEST(Loader, DependsOnSeedAndEpochAlone) {
  LoaderOptions options{.isTraining = true, .seed = 3, .epoch = 2, .workers = 0};
  Batches batches = batchesOf(Numbers(101), Whole, options);
  EXPECT_EQ(batches.size(), 26U);
  for (unsigned workers : {1, 2, 7}) {
    options.workers = workers;
    EXPECT_EQ(batchesOf(Numbers(101), Whole, options), batches);
  }
  std::set<int64_t> examples;
  for (const std::vector<int64_t> &batch : batches)
    for (int64_t value : batch)
      examples.insert(value % 1000);
  EXPECT_EQ(examples.size(), 101U);
  options.epoch = 3;
  EXPECT_NE(batchesOf(Numbers(101), Whole, options), batches);
  options.epoch = 2;
  options.seed = 4;
  EXPECT_NE(batchesOf(Numbers(101), Whole, options), batches);
}

TEST(Loader, BeginsInTheMiddle) {
  LoaderOptions options{.isTraining = true, .seed = 3};
  Batches batches = batchesOf(Numbers(30), Whole, options);
  options.first = 5;
  EXPECT_EQ(batchesOf(Numbers(30), Whole, options), Batches(batches.begin() + 5, batches.end()));
}

TEST(Loader, TellsWhatIsBrokenInItsTurn) {
  Numbers data(10);
  data.broken = 5;
  ImageTransform transform;
  Loader loader(data, Whole, transform, {.workers = 3});
  EXPECT_TRUE(loader.next());
  EXPECT_EQ(message(loader.next()), "example 5 is broken");
}

TEST(Loader, CanBeLeftEarly) {
  Numbers data(100000);
  ImageTransform transform;
  Loader loader(data, Whole, transform, {.workers = 4});
  EXPECT_TRUE(loader.next());
}

TEST(Random, IsUniform) {
  Random random{1, 2, 3};
  std::array<int, 5> counts{};
  for (int i = 0; i < 50000; ++i)
    ++counts[random.below(5)];
  for (int count : counts)
    EXPECT_NEAR(count, 10000, 400);
  EXPECT_NE(Random({1, 2}).next(), Random({2, 1}).next());
}

//===- Measures -------------------------------------------------------------------------------===//

Tensor floats(std::vector<int64_t> shape, const std::vector<float> &values) {
  Result<Tensor> tensor = Tensor::empty(DType::F32, shape);
  std::ranges::copy(values, tensor->values<float>().begin());
  return *tensor;
}

Tensor labels(const std::vector<int32_t> &values) {
  Result<Tensor> tensor =
      Tensor::empty(DType::I32, std::vector<int64_t>{static_cast<int64_t>(values.size())});
  std::ranges::copy(values, tensor->values<int32_t>().begin());
  return *tensor;
}

TEST(Means, WeighsBatchesByTheirExamples) {
  Means means;
  means.add({{"loss", floats({}, {1})}, {"other", floats({2}, {1, 2})}}, 3);
  means.add({{"loss", floats({}, {5})}}, 1);
  EXPECT_EQ(means.examples(), 4U);
  EXPECT_EQ(*means.find("loss"), 2);
  EXPECT_EQ(means.find("other"), nullptr);
}

TEST(Confusion, SaysHowWellClassesAreTold) {
  Confusion confusion(3);
  ASSERT_TRUE(
      confusion.add(floats({4, 3}, {9, 0, 0, 0, 9, 0, 0, 9, 0, 0, 9, 9}), labels({0, 1, 0, 2})));
  EXPECT_EQ(confusion.at(0, 1), 1U);
  EXPECT_EQ(confusion.at(2, 1), 1U); // the first of equal ones
  EXPECT_EQ(confusion.accuracy(), 0.5);
  EXPECT_EQ(confusion.precision(1), 1.0 / 3);
  EXPECT_EQ(confusion.recall(0), 0.5);
  EXPECT_EQ(confusion.f1(0), 2.0 / 3);
  EXPECT_EQ(confusion.precision(2), 0);
  EXPECT_EQ(confusion.f1(2), 0);
  EXPECT_EQ(message(confusion.add(floats({1, 3}, {0, 0, 0}), labels({3}))),
            "the label 3 is no class: the model has 3");
}

TEST(EventFile, HasTheChecksumsOfItsFormat) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U); // RFC 3720, B.4
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);
}

} // namespace
