// A small valid plan for tests that print it or break it.
#pragma once

#include "runtime/format/Plan.h"

namespace nnc::format {

inline std::unique_ptr<BufferT> makeBuffer(BufferKind kind, uint32_t index, uint64_t offset,
                                           uint32_t bytes, std::vector<uint32_t> shape,
                                           const char *name) {
  auto buffer = std::make_unique<BufferT>();
  buffer->kind = kind;
  buffer->index = index;
  buffer->offset = offset;
  buffer->bytes = bytes;
  buffer->shape = std::move(shape);
  buffer->name = name;
  return buffer;
}

inline std::unique_ptr<PortT> makePort(const char *name, DType type, std::vector<uint32_t> shape) {
  auto port = std::make_unique<PortT>();
  port->name = name;
  port->dtype = static_cast<uint8_t>(type);
  port->shape = std::move(shape);
  return port;
}

template <typename What> std::unique_ptr<StepT> makeStep(What what, const char *name) {
  auto step = std::make_unique<StepT>();
  step->what.Set(std::move(what));
  step->name = name;
  step->location = std::make_unique<LocationT>();
  step->location->file = "tiny.nn";
  step->location->line = 7;
  step->location->column = 3;
  return step;
}

/// forward(x: f32[B, 4]) -> (y: f32[B, 4]): one launch into the arena, one copy to y.
inline ModelT makePlan() {
  ModelT model;
  model.compiler = "0.1.0";
  model.name = "Tiny";
  model.cpu = std::make_unique<CpuT>();
  model.cpu->triple = "x86_64-linux-gnu";
  model.cpu->cpu = "x86-64-v3";
  model.kernels.push_back(std::make_unique<KernelT>());
  model.kernels[0]->symbol = "scale";
  model.weights.push_back(std::make_unique<WeightT>());
  model.weights[0]->name = "fc.weight";
  model.weights[0]->shape = {4};
  model.weights[0]->bytes = 16;

  auto entry = std::make_unique<EntryT>();
  entry->name = "forward";
  entry->dims.push_back(std::make_unique<DimT>());
  entry->dims[0]->name = "B";
  entry->dims[0]->min = 1;
  entry->dims[0]->max = 8;
  ExprPool pool(*entry);
  uint32_t b = pool.symbol(0), four = pool.constant(4), sixteen = pool.constant(16);
  uint32_t bytes =
      pool.add({ExprNode(ExprOp::Sym, 0), ExprNode(ExprOp::Const, 16), ExprNode(ExprOp::Mul, 0)});
  entry->inputs.push_back(makePort("x", DType::F32, {b, four}));
  entry->outputs.push_back(makePort("y", DType::F32, {b, four}));
  entry->buffers.push_back(makeBuffer(BufferKind::Input, 0, 0, bytes, {b, four}, "x"));
  entry->buffers.push_back(makeBuffer(BufferKind::Weight, 0, 0, sixteen, {four}, "fc.weight"));
  entry->buffers.push_back(makeBuffer(BufferKind::Arena, 0, 64, bytes, {b, four}, "scaled"));
  entry->buffers.push_back(makeBuffer(BufferKind::Output, 0, 0, bytes, {b, four}, "y"));
  entry->arena_bytes = 192;
  LaunchT launch;
  launch.buffers = {0, 1, 2};
  launch.grid = {b};
  entry->steps.push_back(makeStep(std::move(launch), "fc.scale"));
  CopyT copy;
  copy.src = 2;
  copy.dst = 3;
  copy.bytes = bytes;
  entry->steps.push_back(makeStep(std::move(copy), ""));
  auto guard = std::make_unique<GuardT>();
  guard->expr = b;
  guard->kind = GuardKind::Ge0;
  guard->text = "B >= 0";
  entry->guards.push_back(std::move(guard));
  model.entries.push_back(std::move(entry));
  return model;
}

/// The same with its launch in a loop of B iterations that carries x, and stacks what it carries.
inline ModelT makeLoopPlan() {
  ModelT model = makePlan();
  EntryT &entry = *model.entries[0];
  entry.dims.push_back(std::make_unique<DimT>());
  entry.dims[1]->name = "scan.1";
  entry.dims[1]->max = 7;
  entry.dims[1]->kind = SymbolKind::Loop;
  uint32_t bytes = entry.buffers[0]->bytes, all = static_cast<uint32_t>(entry.exprs.size());
  entry.exprs.push_back(std::make_unique<ExprT>());
  entry.exprs[all]->nodes = {ExprNode(ExprOp::Sym, 0), ExprNode(ExprOp::Sym, 0),
                             ExprNode(ExprOp::Mul, 0), ExprNode(ExprOp::Const, 16),
                             ExprNode(ExprOp::Mul, 0)};
  const std::vector<uint32_t> shape = entry.buffers[0]->shape;
  entry.arena_bytes = 2048;
  entry.buffers.push_back(makeBuffer(BufferKind::Loop, 0, 0, bytes, shape, "carried")); // 4
  entry.buffers.push_back(makeBuffer(BufferKind::Arena, 0, 256, bytes, shape, "spare"));
  entry.buffers.push_back(makeBuffer(BufferKind::Loop, 0, 0, bytes, shape, "last"));
  entry.buffers.push_back(makeBuffer(BufferKind::Loop, 0, 0, bytes, shape, "slot"));
  entry.buffers.push_back(makeBuffer(BufferKind::Arena, 0, 512, all, {}, "stack")); // 8
  LoopT loop;
  loop.counter = 1;
  loop.length = entry.steps[0]->what.AsLaunch()->grid[0];
  loop.carried.push_back(std::make_unique<CarriedT>());
  loop.carried[0]->argument = 4;
  loop.carried[0]->init = 0;
  loop.carried[0]->next = 2;
  loop.carried[0]->spare = 5;
  loop.carried[0]->result = 6;
  loop.stacked.push_back(std::make_unique<StackedT>());
  loop.stacked[0]->slot = 7;
  loop.stacked[0]->result = 8;
  CopyT copy;
  copy.src = 2;
  copy.dst = 7;
  copy.bytes = bytes;
  entry.steps[0]->what.AsLaunch()->buffers[0] = 4;
  loop.steps.push_back(std::move(entry.steps[0]));
  loop.steps.push_back(makeStep(std::move(copy), "stack"));
  entry.steps[0] = makeStep(std::move(loop), "scan");
  entry.steps[1]->what.AsCopy()->src = 6;
  return model;
}

/// Sections that fit it.
inline SectionSizes makeSizes() { return {16, 100, 0, 0}; }

} // namespace nnc::format
