#include "TestModel.h"

#include <cstring>

using namespace nnc;
using namespace nnc::format;

HandMadeEntry::HandMadeEntry(const char *name) : entry(std::make_unique<EntryT>()), pool(*entry) {
  entry->name = name;
}

uint32_t HandMadeEntry::dim(const char *name, int64_t min, int64_t max) {
  auto made = std::make_unique<DimT>();
  made->name = name;
  made->min = min;
  made->max = max;
  entry->dims.push_back(std::move(made));
  return pool.symbol(static_cast<uint32_t>(entry->dims.size() - 1));
}

uint32_t HandMadeEntry::apply(ExprOp op, uint32_t expr, int64_t operand) {
  std::vector<ExprNode> nodes = entry->exprs[expr]->nodes;
  nodes.push_back(ExprNode(ExprOp::Const, operand));
  nodes.push_back(ExprNode(op, 0));
  return pool.add(std::move(nodes));
}

uint32_t HandMadeEntry::byteExpr(DType type, const std::vector<uint32_t> &shape) {
  std::vector<ExprNode> nodes = {ExprNode(ExprOp::Const, static_cast<int64_t>(dtypeBytes(type)))};
  for (uint32_t expr : shape) {
    const std::vector<ExprNode> &size = entry->exprs[expr]->nodes;
    nodes.insert(nodes.end(), size.begin(), size.end());
    nodes.push_back(ExprNode(ExprOp::Mul, 0));
  }
  return pool.add(std::move(nodes));
}

uint32_t HandMadeEntry::buffer(BufferKind kind, uint32_t index, DType type,
                               std::vector<uint32_t> shape) {
  auto made = std::make_unique<BufferT>();
  made->kind = kind;
  made->index = index;
  made->bytes = byteExpr(type, shape);
  made->dtype = static_cast<uint8_t>(type);
  made->shape = std::move(shape);
  entry->buffers.push_back(std::move(made));
  return static_cast<uint32_t>(entry->buffers.size() - 1);
}

static std::unique_ptr<PortT> port(const char *name, DType type, std::vector<uint32_t> shape) {
  auto made = std::make_unique<PortT>();
  made->name = name;
  made->dtype = static_cast<uint8_t>(type);
  made->shape = std::move(shape);
  return made;
}

uint32_t HandMadeEntry::input(const char *name, DType type, std::vector<uint32_t> shape) {
  entry->inputs.push_back(port(name, type, shape));
  return buffer(BufferKind::Input, static_cast<uint32_t>(entry->inputs.size() - 1), type,
                std::move(shape));
}

uint32_t HandMadeEntry::output(const char *name, DType type, std::vector<uint32_t> shape) {
  entry->outputs.push_back(port(name, type, shape));
  return buffer(BufferKind::Output, static_cast<uint32_t>(entry->outputs.size() - 1), type,
                std::move(shape));
}

uint32_t HandMadeEntry::arena(DType type, std::vector<uint32_t> shape, uint64_t offset,
                              uint64_t maxBytes) {
  uint32_t index = buffer(BufferKind::Arena, 0, type, std::move(shape));
  entry->buffers[index]->offset = offset;
  entry->arena_bytes = std::max(entry->arena_bytes, offset + maxBytes);
  return index;
}

uint32_t HandMadeEntry::weight(uint32_t index, DType type, std::vector<uint32_t> shape) {
  return buffer(BufferKind::Weight, index, type, std::move(shape));
}

uint32_t HandMadeEntry::state(uint32_t index, DType type, std::vector<uint32_t> shape) {
  return buffer(BufferKind::State, index, type, std::move(shape));
}

static std::unique_ptr<StepT> step(const char *name) {
  auto made = std::make_unique<StepT>();
  made->name = name;
  made->location = std::make_unique<LocationT>();
  made->location->file = "tiny.nn";
  made->location->line = 12;
  made->location->column = 5;
  return made;
}

void HandMadeEntry::launch(const char *name, uint32_t kernel, std::vector<uint32_t> buffers,
                           uint32_t grid) {
  LaunchT what;
  what.kernel = kernel;
  what.buffers = std::move(buffers);
  what.grid = {grid};
  what.block = {32, 1, 1};
  entry->steps.push_back(step(name));
  entry->steps.back()->what.Set(std::move(what));
}

void HandMadeEntry::copy(uint32_t source, uint32_t target) {
  CopyT what;
  what.src = source;
  what.dst = target;
  what.bytes = entry->buffers[source]->bytes;
  entry->steps.push_back(step("copy"));
  entry->steps.back()->what.Set(std::move(what));
}

void HandMadeEntry::gemm(const char *name, GemmT what) {
  entry->steps.push_back(step(name));
  entry->steps.back()->what.Set(std::move(what));
}

void HandMadeEntry::guard(uint32_t expr, GuardKind kind, const char *text, const char *message,
                          uint32_t line) {
  auto made = std::make_unique<GuardT>();
  made->expr = expr;
  made->kind = kind;
  made->text = text;
  made->message = message;
  made->location = std::make_unique<LocationT>();
  made->location->file = "tiny.nn";
  made->location->line = line;
  entry->guards.push_back(std::move(made));
}

static std::unique_ptr<EntryT> makeForward() {
  HandMadeEntry entry("forward");
  uint32_t b = entry.dim("B", 1, 1024), four = entry.constant(4);
  uint32_t x = entry.input("x", DType::F32, {b, four});
  uint32_t w = entry.weight(0, DType::F32, {four});
  uint32_t scaled = entry.arena(DType::F32, {b, four}, 64, 1024 * 16);
  uint32_t out = entry.output("scaled", DType::F32, {b, four});
  uint32_t sums = entry.output("sums", DType::F32, {b});
  entry.launch("fc.scale", 0, {x, w, scaled}, b);
  entry.launch("sum", 1, {scaled, sums}, entry.constant(1));
  entry.copy(scaled, out);
  return entry.take();
}

static std::unique_ptr<EntryT> makeHalves() {
  HandMadeEntry entry("halves");
  uint32_t n = entry.dim("N", 0, 100);
  uint32_t x = entry.input("x", DType::BF16, {n});
  entry.copy(x, entry.output("y", DType::BF16, {n}));
  return entry.take();
}

static std::unique_ptr<EntryT> makePair() {
  HandMadeEntry entry("pair");
  uint32_t h = entry.dim("H", 1, 64);
  entry.input("a", DType::F32, {entry.plus(h, 1), entry.constant(3)});
  uint32_t ids = entry.input("ids", DType::I32, {h});
  entry.copy(ids, entry.output("y", DType::I32, {h}));
  entry.guard(entry.modulo(h, 2), GuardKind::Eq0, "H % 2 == 0", "rows come in pairs", 9);
  return entry.take();
}

static std::unique_ptr<EntryT> makeTick() {
  HandMadeEntry entry("tick");
  uint32_t state = entry.state(0, DType::I64, {});
  uint32_t n = entry.output("n", DType::I64, {});
  entry.launch("tick", 2, {state, n}, entry.constant(1));
  return entry.take();
}

ModelT nnc::makeTestModel() {
  ModelT model;
  model.compiler = "0.1.0";
  model.name = "Tiny";
  model.cpu = std::make_unique<CpuT>();
  model.cpu->triple = "x86_64-linux-gnu";
  model.cpu->cpu = "x86-64";
  for (const char *symbol : {"scale", "row_sums", "count"}) {
    model.kernels.push_back(std::make_unique<KernelT>());
    model.kernels.back()->symbol = symbol;
  }
  model.weights.push_back(std::make_unique<WeightT>());
  model.weights[0]->name = "w";
  model.weights[0]->shape = {4};
  model.weights[0]->bytes = 16;
  model.states.push_back(std::make_unique<StateT>());
  model.states[0]->name = "calls";
  model.states[0]->dtype = static_cast<uint8_t>(DType::I64);
  model.states[0]->bytes = 8;
  for (auto make : {makeForward, makeHalves, makePair, makeTick})
    model.entries.push_back(make());
  return model;
}

std::vector<std::byte> nnc::makeTestBinary(const ModelT &model) {
  Result<MappedFile> object = MappedFile::open(NNC_TEST_KERNELS);
  std::vector<std::byte> plan = packModel(model);
  const float weights[4] = {1, 2, 3, 4};
  ContainerWriter writer;
  writer.add(section::Plan, plan);
  writer.add(section::Weights, std::as_bytes(std::span(weights)), 4096);
  writer.add(section::Cpu, object->bytes());
  return writer.toMemory();
}

std::vector<std::byte> nnc::makeTestBinary() { return makeTestBinary(makeTestModel()); }

Engine nnc::loadTestModel() {
  Result<Engine> engine = Engine::fromMemory(makeTestBinary(), "tiny.bin");
  return *engine;
}

Tensor nnc::zeros(DType type, std::initializer_list<int64_t> shape) {
  Result<Tensor> tensor = Tensor::empty(type, std::span(shape.begin(), shape.size()));
  std::memset(tensor->data(), 0, tensor->bytes());
  return *tensor;
}
