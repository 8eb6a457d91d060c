#include "PlanFixture.h"
#include "TestFiles.h"

#include <functional>
#include <gtest/gtest.h>
#include <random>

using namespace nnc;
using namespace nnc::format;

/// The error of a valid plan after a change.
static std::string errorAfter(const std::function<void(ModelT &, EntryT &)> &change) {
  ModelT model = makePlan();
  change(model, *model.entries[0]);
  Result<void> verified = verifyModel(model, makeSizes());
  return verified ? "" : verified.error().message;
}

TEST(VerifyModel, acceptsTheFixture) {
  EXPECT_EQ(errorAfter([](ModelT &, EntryT &) {}), "");
}

TEST(VerifyModel, model) {
  EXPECT_EQ(errorAfter([](ModelT &m, EntryT &) { m.target = static_cast<Target>(7); }),
            "the plan is for an unknown target");
  EXPECT_EQ(errorAfter([](ModelT &m, EntryT &) { m.cpu.reset(); }),
            "the plan has no code for its target");
  EXPECT_EQ(errorAfter([](ModelT &m, EntryT &) { m.target = Target::Cuda; }),
            "the plan has no code for its target");
  EXPECT_EQ(errorAfter([](ModelT &m, EntryT &) { m.weights[0]->bytes = 20; }),
            "the plan has a tensor whose bytes do not fit its shape");
  EXPECT_EQ(errorAfter([](ModelT &m, EntryT &) { m.weights[0]->offset = 64; }),
            "the plan has a weight outside its section");
  EXPECT_EQ(errorAfter([](ModelT &m, EntryT &) { m.weights[0]->offset = UINT64_MAX - 63; }),
            "the plan has a weight outside its section");
  EXPECT_EQ(errorAfter([](ModelT &m, EntryT &) { m.weights[0]->shape = {-4}; }),
            "the plan has a negative size");
  EXPECT_EQ(errorAfter([](ModelT &m, EntryT &) { m.weights[0]->shape = {1L << 62, 1L << 62}; }),
            "the plan has a tensor that is too large");
  EXPECT_EQ(errorAfter([](ModelT &m, EntryT &) { m.entries.emplace_back(); }),
            "the plan has a hole");
}

TEST(VerifyModel, entries) {
  EXPECT_EQ(errorAfter([](ModelT &, EntryT &e) { e.dims[0]->min = 9; }),
            "in `forward` the plan has an empty range");
  EXPECT_EQ(errorAfter([](ModelT &, EntryT &e) { e.exprs[0]->nodes.clear(); }),
            "in `forward` a size expression has no single value at the upper bounds of its "
            "dimensions");
  EXPECT_EQ(errorAfter([](ModelT &, EntryT &e) { e.dims[0]->max = INT64_MAX; }),
            "in `forward` a size is too large at the upper bounds of its dimensions");
  EXPECT_EQ(errorAfter([](ModelT &, EntryT &e) { e.inputs[0]->dtype = 77; }),
            "in `forward` the plan has an unknown element type");
  EXPECT_EQ(errorAfter([](ModelT &, EntryT &e) { e.inputs[0]->shape[0] = 77; }),
            "in `forward` the plan lacks a size expression");
  EXPECT_EQ(errorAfter([](ModelT &, EntryT &e) { e.inputs[0]->shape.assign(17, 0); }),
            "in `forward` the plan has a tensor of too many axes");
  EXPECT_EQ(errorAfter([](ModelT &, EntryT &e) { e.guards[0]->expr = 77; }),
            "in `forward` the plan lacks a size expression");
}

TEST(VerifyModel, buffers) {
  EXPECT_EQ(errorAfter([](ModelT &, EntryT &e) { e.arena_bytes = 191; }),
            "in `forward` the plan has a buffer that is larger than its memory");
  EXPECT_EQ(errorAfter([](ModelT &, EntryT &e) { e.buffers[2]->offset = 8; }),
            "in `forward` the plan has a misaligned buffer");
  EXPECT_EQ(errorAfter([](ModelT &, EntryT &e) { e.buffers[0]->index = 1; }),
            "in `forward` the plan has a buffer of something that does not exist");
  EXPECT_EQ(errorAfter([](ModelT &, EntryT &e) { e.buffers[1]->bytes = e.buffers[0]->bytes; }),
            "in `forward` the plan has a buffer that is larger than its memory");
  EXPECT_EQ(
      errorAfter([](ModelT &, EntryT &e) { e.buffers[0]->kind = static_cast<BufferKind>(9); }),
      "in `forward` the plan has a buffer of something that does not exist");
}

TEST(VerifyModel, steps) {
  EXPECT_EQ(errorAfter([](ModelT &, EntryT &e) { e.steps[0]->what.AsLaunch()->kernel = 1; }),
            "in `forward` the plan lacks a kernel");
  EXPECT_EQ(errorAfter([](ModelT &, EntryT &e) { e.steps[0]->what.AsLaunch()->buffers[1] = 4; }),
            "in `forward` the plan lacks a buffer");
  EXPECT_EQ(errorAfter([](ModelT &, EntryT &e) { e.steps[0]->what.AsLaunch()->grid = {0, 0}; }),
            "in `forward` the plan has a malformed grid");
  EXPECT_EQ(errorAfter([](ModelT &, EntryT &e) {
              auto map = std::make_unique<CopyMapT>();
              map->sizes = {0, 0};
              map->strides = {0};
              e.steps[0]->what.AsLaunch()->maps.push_back(std::move(map)); // not for a GPU
            }),
            "in `forward` the plan has a malformed tensor map");
  EXPECT_EQ(errorAfter([](ModelT &, EntryT &e) { e.steps[1]->what.AsCopy()->dst = 4; }),
            "in `forward` the plan lacks a buffer");
  EXPECT_EQ(errorAfter([](ModelT &, EntryT &e) { e.steps[1]->what.Reset(); }),
            "in `forward` the plan has an unknown step");
  EXPECT_EQ(errorAfter([](ModelT &, EntryT &e) { e.steps[1] = makeStep(GemmT(), "fc"); }),
            "in `forward` the plan has a gemm that is not for a GPU");
}

/// Adds a state of one i32, and the symbol that stands for its value.
static void addScalar(ModelT &model, EntryT &entry) {
  model.states.push_back(std::make_unique<StateT>());
  model.states[0]->name = "pos";
  model.states[0]->dtype = static_cast<uint8_t>(DType::I32);
  model.states[0]->bytes = 4;
  entry.dims.push_back(std::make_unique<DimT>());
  entry.dims[1]->name = "pos";
  entry.dims[1]->min = INT32_MIN;
  entry.dims[1]->max = INT32_MAX;
  entry.dims[1]->kind = SymbolKind::Scalar;
  entry.dims[1]->source = ScalarSource::State;
}

static std::string errorWithScalar(const std::function<void(ModelT &, EntryT &)> &change) {
  return errorAfter([&](ModelT &model, EntryT &entry) {
    addScalar(model, entry);
    change(model, entry);
  });
}

TEST(VerifyModel, statesAndScalars) {
  const char *noScalar = "in `forward` the plan has a scalar that is none";
  EXPECT_EQ(errorWithScalar([](ModelT &, EntryT &) {}), "");
  EXPECT_EQ(errorWithScalar([](ModelT &, EntryT &e) { e.dims[1]->index = 1; }), noScalar);
  EXPECT_EQ(errorWithScalar([](ModelT &, EntryT &e) { e.dims[1]->source = ScalarSource::Input; }),
            noScalar);
  EXPECT_EQ(errorWithScalar([](ModelT &m, EntryT &) { m.states[0]->dtype = 0; }), noScalar);
  EXPECT_EQ(
      errorWithScalar([](ModelT &, EntryT &e) { e.dims[1]->kind = static_cast<SymbolKind>(9); }),
      "in `forward` the plan has an unknown kind of symbol");
  EXPECT_EQ(errorWithScalar([](ModelT &m, EntryT &) { m.states[0]->weight = 1; }),
            "the plan has a state that starts as nothing");
  EXPECT_EQ(errorWithScalar([](ModelT &m, EntryT &) { m.states[0]->weight = 0; }),
            "the plan has a state that starts as something of another size");
  EXPECT_EQ(errorWithScalar([](ModelT &, EntryT &e) {
              ExprPool pool(e);
              e.buffers[2]->bytes = pool.symbol(1);
            }),
            "in `forward` the plan has a size that depends on a scalar");
  EXPECT_EQ(errorWithScalar([](ModelT &, EntryT &e) { e.buffers[0]->kind = BufferKind::State; }),
            "in `forward` the plan has a buffer that is not of its state's type");
  EXPECT_EQ(
      errorWithScalar([](ModelT &, EntryT &e) { e.steps[0]->what.AsLaunch()->update = true; }),
      "in `forward` the plan has an update of nothing");
}

TEST(VerifyModel, generator) {
  auto errorWith = [](const std::function<void(ModelT &)> &change) {
    return errorAfter([&](ModelT &model, EntryT &) {
      model.states.push_back(std::make_unique<StateT>());
      model.states[0]->dtype = static_cast<uint8_t>(DType::I64);
      model.states[0]->shape = {2};
      model.states[0]->bytes = 16;
      model.generator = 0;
      change(model);
    });
  };
  EXPECT_EQ(errorWith([](ModelT &) {}), "");
  EXPECT_EQ(errorWith([](ModelT &m) { m.generator = 1; }),
            "the plan lacks the state of its generator");
  EXPECT_EQ(errorWith([](ModelT &m) { m.generator = -2; }),
            "the plan lacks the state of its generator");
  const char *otherType = "the plan has a generator of another type";
  EXPECT_EQ(errorWith([](ModelT &m) { m.states[0]->dtype = static_cast<uint8_t>(DType::F64); }),
            otherType);
  EXPECT_EQ(errorWith([](ModelT &m) {
              m.states[0]->shape = {1};
              m.states[0]->bytes = 8;
            }),
            otherType);
}

TEST(VerifyModel, loops) {
  auto after = [](auto change) {
    ModelT model = makeLoopPlan();
    EntryT &entry = *model.entries[0];
    change(entry, *entry.steps[0]->what.AsLoop());
    Result<void> verified = verifyModel(model, makeSizes());
    return verified ? std::string() : verified.error().message;
  };
  EXPECT_EQ(after([](EntryT &, LoopT &) {}), "");
  EXPECT_EQ(after([](EntryT &, LoopT &loop) { loop.counter = 0; }),
            "in `forward` the plan has a loop without a counter");
  EXPECT_EQ(after([](EntryT &, LoopT &loop) { loop.counter = 2; }),
            "in `forward` the plan has a loop without a counter");
  EXPECT_EQ(after([](EntryT &, LoopT &loop) { loop.length = 99; }),
            "in `forward` the plan lacks a size expression");
  EXPECT_EQ(after([](EntryT &, LoopT &loop) { loop.carried[0]->argument = 3; }),
            "in `forward` the plan has a loop that moves a buffer of another kind");
  EXPECT_EQ(after([](EntryT &, LoopT &loop) { loop.carried[0]->init = 7; }),
            "in `forward` the plan uses a buffer outside of its loop");
  EXPECT_EQ(after([](EntryT &, LoopT &loop) { loop.carried[0]->spare = 99; }),
            "in `forward` the plan lacks a buffer");
  EXPECT_EQ(after([](EntryT &, LoopT &loop) { loop.stacked[0]->slot = 4; }),
            "in `forward` the plan has a buffer of two loops");
  EXPECT_EQ(after([](EntryT &, LoopT &loop) { loop.stacked[0].reset(); }),
            "in `forward` the plan has a hole");
  EXPECT_EQ(after([](EntryT &, LoopT &loop) { loop.steps[0]->what.AsLaunch()->buffers[0] = 6; }),
            "in `forward` the plan uses a buffer outside of its loop");
  EXPECT_EQ(after([](EntryT &entry, LoopT &) { entry.steps[1]->what.AsCopy()->src = 4; }),
            "in `forward` the plan uses a buffer outside of its loop");
  EXPECT_EQ(after([](EntryT &, LoopT &loop) { loop.kernel = 0; }),
            "in `forward` the plan has a malformed loop kernel");
  EXPECT_EQ(after([](EntryT &entry, LoopT &) {
              for (unsigned depth = 0; depth < MaxLoopDepth; ++depth) {
                LoopT outer;
                outer.counter = 1;
                outer.steps.push_back(std::move(entry.steps[0]));
                entry.steps[0] = makeStep(std::move(outer), "outer");
              }
            }),
            "in `forward` the plan has too many loops within each other");
}

TEST(VerifyModel, weightFiles) {
  auto outside = [](ModelT &model, uint64_t offset, uint64_t size) {
    model.weight_files.push_back(std::make_unique<WeightFileT>());
    model.weight_files[0]->size = size;
    model.weights[0]->file = 0;
    model.weights[0]->offset = offset;
  };
  EXPECT_EQ(errorAfter([&](ModelT &m, EntryT &) { outside(m, 84, 100); }), "");
  EXPECT_EQ(errorAfter([&](ModelT &m, EntryT &) { outside(m, 88, 100); }),
            "the plan has a weight outside its file");
  EXPECT_EQ(errorAfter([&](ModelT &m, EntryT &) { outside(m, 82, 100); }),
            "the plan has a misaligned weight");
  EXPECT_EQ(errorAfter([&](ModelT &m, EntryT &) {
              outside(m, 84, 100);
              m.weights[0]->file = 1;
            }),
            "the plan lacks a weight file");
}

/// Adds a copy of the entry, changed, with a variant's name.
static std::string errorOfVariant(void (*change)(EntryT &), const char *name = "B=1") {
  ModelT model = makePlan();
  model.entries.push_back(std::make_unique<EntryT>(*model.entries[0]));
  model.entries[1]->variant = name;
  change(*model.entries[1]);
  Result<void> verified = verifyModel(model, makeSizes());
  return verified ? "" : verified.error().message;
}

TEST(VerifyModel, variants) {
  EXPECT_EQ(errorOfVariant([](EntryT &) {}), "");
  EXPECT_EQ(errorOfVariant([](EntryT &) {}, ""), "the plan has two things of one name");
  std::string otherwise = "the plan has a variant that is called otherwise";
  EXPECT_EQ(errorOfVariant([](EntryT &e) { e.name = "backward"; }), otherwise);
  EXPECT_EQ(errorOfVariant([](EntryT &e) { e.inputs[0]->name = "z"; }), otherwise);
  EXPECT_EQ(errorOfVariant([](EntryT &e) { e.outputs[0]->dtype = 1; }), otherwise);
  EXPECT_EQ(errorOfVariant([](EntryT &e) { e.inputs[0]->shape.pop_back(); }), otherwise);
  EXPECT_EQ(errorOfVariant([](EntryT &e) { e.outputs.clear(); }), otherwise);
}

TEST(VerifyModel, survivesPacking) {
  std::vector<std::byte> plan = packModel(makePlan());
  std::vector<std::byte> weights(16), code(100);
  ContainerWriter writer;
  writer.add(section::Plan, plan);
  writer.add(section::Weights, weights);
  writer.add(section::Cpu, code);
  Result<Container> container = Container::fromMemory(writer.toMemory(), "x");
  ASSERT_TRUE(container);
  Result<std::unique_ptr<ModelT>> model = readModel(*container, "x");
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ((*model)->entries[0]->steps[0]->name, "fc.scale");
  EXPECT_EQ(packModel(**model), plan);
}

/// Plans whose hashes are right but whose bytes are not: refused or read, never a crash.
TEST(VerifyModel, noChangedPlanCrashes) {
  std::vector<std::byte> plan = packModel(makeLoopPlan());
  std::mt19937 random(1);
  std::vector<std::byte> weights(16), code(100);
  size_t refused = 0;
  for (int round = 0; round < 4000; ++round) {
    std::vector<std::byte> changed = plan;
    for (unsigned change = 0; change < 1 + random() % 3; ++change)
      changed[random() % changed.size()] = std::byte(random() % 256);
    ContainerWriter writer;
    writer.add(section::Plan, changed);
    writer.add(section::Weights, weights);
    writer.add(section::Cpu, code);
    Result<Container> container = Container::fromMemory(writer.toMemory(), "x");
    ASSERT_TRUE(container);
    refused += !readModel(*container, "x");
  }
  EXPECT_GT(refused, 1000u);
}
