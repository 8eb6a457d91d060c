#include "codegen/plan/PlanBuilder.h"

#include "codegen/plan/Bounds.h"
#include "codegen/plan/KernelWork.h"
#include "codegen/plan/MemoryPlanner.h"
#include "codegen/plan/SizeExpr.h"
#include "codegen/plan/StatePlan.h"
#include "ir/Dims.h"
#include "ir/EntryAttrs.h"
#include "ir/KernelAttrs.h"
#include "ir/NNOps.h"
#include "passes/StepOrder.h"
#include "runtime/format/Plan.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SmallSet.h"

#include <fmt/format.h>

using namespace mlir;

namespace nnc::codegen {

std::optional<DType> dtypeOf(Type element) {
  if (element.isF32())
    return DType::F32;
  if (element.isF16())
    return DType::F16;
  if (element.isBF16())
    return DType::BF16;
  if (element.isFloat8E4M3FN())
    return DType::F8E4M3;
  if (element.isFloat8E5M2())
    return DType::F8E5M2;
  if (element.isInteger(1))
    return DType::Bool;
  if (element.isInteger(8))
    return DType::I8;
  if (element.isInteger(32))
    return DType::I32;
  if (element.isInteger(64))
    return DType::I64;
  return std::nullopt;
}

namespace {

constexpr int64_t ArenaAlignment = 256; // what cudaMalloc guarantees

std::unique_ptr<format::LocationT> locationOf(Location loc) {
  auto result = std::make_unique<format::LocationT>();
  loc->walk([&](Location inner) {
    auto file = dyn_cast<FileLineColLoc>(inner);
    if (!file)
      return WalkResult::advance();
    result->file = file.getFilename().str();
    result->line = file.getLine();
    result->column = file.getColumn();
    return WalkResult::interrupt();
  });
  return result;
}

std::string textOf(DictionaryAttr dictionary, StringRef key) {
  auto text = dictionary.getAs<StringAttr>(key);
  return text ? text.str() : std::string();
}

/// Builds one entry point. Buffers are numbered as they are met; arena offsets come last.
class EntryBuilder {
public:
  EntryBuilder(func::FuncOp function, const PlanContext &context, format::ModelT &model,
               LoopLaunches &launches)
      : function(function), context(context), model(model), launches(launches),
        entry(std::make_unique<format::EntryT>()), steps(&entry->steps),
        pool(entry->exprs, function.getContext()), figures(entry->figures, function.getContext()),
        states(function.getBody().front()) {}

  Result<std::unique_ptr<format::EntryT>> build() {
    auto name = function->getAttrOfType<StringAttr>("nn.entry");
    entry->name = (name ? name.getValue() : function.getName()).str();
    if (auto variant = function->getAttrOfType<StringAttr>(nn::kVariantAttr))
      entry->variant = variant.str();
    addDims();
    addGuards();
    addInputs();
    addOutputs();
    for (Operation &op : function.getBody().front())
      addOperation(op);
    copyRemainingOutputs();
    copyStates();
    placeArena();
    if (!failure.empty())
      return Error{fmt::format("in entry point `{}`: {}", entry->name, failure)};
    return std::move(entry);
  }

private:
  void fail(std::string message) {
    if (failure.empty())
      failure = std::move(message);
  }

  //===- The interface
  //-------------------------------------------------------------------------===//

  void addDims() {
    for (const nn::EntrySymbol &symbol : nn::getEntrySymbols(function)) {
      auto dim = std::make_unique<format::DimT>();
      dim->name = symbol.name.str();
      dim->min = symbol.low;
      dim->max = symbol.high;
      dim->kind = symbol.kind == nn::SymbolKind::Scalar ? format::SymbolKind::Scalar
                  : symbol.kind == nn::SymbolKind::Loop ? format::SymbolKind::Loop
                                                        : format::SymbolKind::Size;
      if (symbol.input)
        dim->index = *symbol.input;
      if (symbol.state)
        setStateSource(*dim, symbol.state);
      ranges.push_back({symbol.low, symbol.high});
      entry->dims.push_back(std::move(dim));
    }
  }

  void setStateSource(format::DimT &dim, StringRef symbol) {
    auto state = context.states.find(symbol);
    if (state == context.states.end())
      return fail(fmt::format("`{}` is no state", symbol.str()));
    dim.source = format::ScalarSource::State;
    dim.index = state->second;
  }

  void addGuards() {
    auto guards = function->getAttrOfType<ArrayAttr>("nn.guards");
    for (Attribute attribute : guards ? guards.getValue() : ArrayRef<Attribute>()) {
      auto dictionary = cast<DictionaryAttr>(attribute);
      auto guard = std::make_unique<format::GuardT>();
      guard->expr = pool.add(dictionary.getAs<AffineMapAttr>("map").getValue().getResult(0));
      guard->kind =
          textOf(dictionary, "kind") == "eq0" ? format::GuardKind::Eq0 : format::GuardKind::Ge0;
      guard->text = textOf(dictionary, "text");
      guard->message = textOf(dictionary, "message");
      guard->location = locationOf(function.getLoc());
      if (auto line = dictionary.getAs<IntegerAttr>("line")) {
        guard->location->line = line.getInt();
        guard->location->column = 0;
      }
      entry->guards.push_back(std::move(guard));
    }
  }

  std::unique_ptr<format::PortT> port(Type type, DictionaryAttr attributes, std::string fallback) {
    auto result = std::make_unique<format::PortT>();
    auto name = attributes ? attributes.getAs<StringAttr>("nn.name") : StringAttr();
    result->name = name ? name.str() : std::move(fallback);
    auto tensor = cast<RankedTensorType>(type);
    result->dtype = uint8_t(elementOf(tensor));
    result->shape = pool.addAll(nn::getDims(tensor));
    return result;
  }

  void addInputs() {
    for (auto [index, argument] : llvm::enumerate(function.getArguments())) {
      auto attributes = function.getArgAttrDict(index);
      entry->inputs.push_back(port(argument.getType(), attributes, fmt::format("arg{}", index)));
      addBuffer(argument, format::BufferKind::Input, index, entry->inputs.back()->name);
    }
  }

  void addOutputs() {
    auto returned = cast<func::ReturnOp>(function.getBody().front().getTerminator());
    for (auto [index, value] : llvm::enumerate(returned.getOperands())) {
      auto attributes = function.getResultAttrDict(index);
      std::string fallback =
          returned.getNumOperands() == 1 ? "output" : fmt::format("output{}", index);
      entry->outputs.push_back(port(value.getType(), attributes, fallback));
      // The step that makes the value writes the output itself, unless it is another output too, or
      // writes into other memory.
      Value root = withoutReshapes(value);
      if (!isMade(root) || !outputOf.try_emplace(root, index).second)
        copies.emplace_back(root, index);
    }
  }

  //===- Values and buffers
  //--------------------------------------------------------------------===//

  /// Whether a step writes the value to wherever it is told, so that its place can be chosen.
  bool isMade(Value root) {
    Operation *op = root.getDefiningOp();
    if (auto scan = dyn_cast_or_null<nn::ScanOp>(op))
      return cast<OpResult>(root).getResultNumber() >= scan.getNumCarried();
    return isa_and_nonnull<nn::KernelOp, nn::GemmOp>(op) &&
           !states.overwrittenBy(cast<OpResult>(root)) && !states.targetOf(root);
  }

  /// Whether a step of this body itself does.
  bool isMadeIn(nn::ScanOp scan, Value root) {
    return isMade(root) && root.getParentBlock() == scan.getBody();
  }

  DType elementOf(RankedTensorType type) {
    std::optional<DType> dtype = dtypeOf(type.getElementType());
    if (!dtype)
      fail("a tensor has an element type that models cannot store");
    return dtype.value_or(DType::F32);
  }

  uint32_t addBuffer(Value value, format::BufferKind kind, uint32_t index, std::string name) {
    uint32_t number =
        newBuffer(cast<RankedTensorType>(value.getType()), kind, index, std::move(name));
    buffers[value] = number;
    return number;
  }

  uint32_t newBuffer(RankedTensorType type, format::BufferKind kind, uint32_t index,
                     std::string name) {
    DType dtype = elementOf(type);
    auto buffer = std::make_unique<format::BufferT>();
    buffer->kind = kind;
    buffer->index = index;
    buffer->dtype = uint8_t(dtype);
    buffer->shape = pool.addAll(nn::getDims(type));
    buffer->bytes = pool.add(pool.product(nn::getDims(type), dtypeBytes(dtype)));
    buffer->name = std::move(name);
    entry->buffers.push_back(std::move(buffer));
    types.push_back(type);
    return entry->buffers.size() - 1;
  }

  /// Another buffer like `number`, in the arena.
  uint32_t addLike(uint32_t number) {
    uint32_t made =
        newBuffer(types[number], format::BufferKind::Arena, 0, entry->buffers[number]->name);
    touch(made);
    return made;
  }

  /// The buffer of a value that a step reads; extends its life to this step.
  uint32_t use(Value value) {
    value = withoutReshapes(value);
    auto known = buffers.find(value);
    if (known == buffers.end()) {
      fail("a step reads a value that no step makes");
      return 0;
    }
    touch(known->second);
    return known->second;
  }

  uint32_t define(Value value, StringRef name) {
    if (nn::SetOp set = states.targetOf(value))
      return addStateBuffer(value, set.getName(), set.getValue().getType());
    auto output = outputOf.find(value);
    if (output != outputOf.end())
      return addBuffer(value, format::BufferKind::Output, output->second,
                       entry->outputs[output->second]->name);
    if (auto slot = slots.find(value); slot != slots.end())
      return buffers[value] = slot->second;
    uint32_t number = addBuffer(value, format::BufferKind::Arena, 0, name.str());
    touch(number);
    return number;
  }

  /// The memory of a buffer holds something now.
  void touch(uint32_t buffer) {
    for (uint32_t other : behind.lookup(buffer))
      touch(other);
    if (entry->buffers[buffer]->kind != format::BufferKind::Arena)
      return;
    auto [life, isNew] = lives.try_emplace(buffer, Lifetime{0, now, now});
    life->second.last = now;
  }

  //===- Steps
  //---------------------------------------------------------------------------------===//

  void addOperation(Operation &op) {
    if (auto get = dyn_cast<nn::GetOp>(op))
      return addGlobal(get);
    if (auto kernel = dyn_cast<nn::KernelOp>(op))
      return addLaunch(kernel);
    if (auto gemm = dyn_cast<nn::GemmOp>(op))
      return addGemm(gemm);
    if (auto scan = dyn_cast<nn::ScanOp>(op))
      return addLoop(scan);
    if (!isa<nn::ReshapeOp, nn::SetOp, nn::YieldOp, func::ReturnOp>(op))
      fail(fmt::format("`{}` is not a step", op.getName().getStringRef().str()));
  }

  void addGlobal(nn::GetOp get) {
    StringRef symbol = get.getName();
    if (context.states.contains(symbol))
      addStateBuffer(get.getResult(), symbol, get.getType());
    else if (auto weight = context.weights.find(symbol); weight != context.weights.end())
      addBuffer(get.getResult(), format::BufferKind::Weight, weight->second, symbol.str());
    else
      fail(fmt::format("`{}` has no data", symbol.str()));
  }

  /// A value that lies in the memory of a state, whose type in this entry point is given: the value
  /// may be a reshape of that. The session plans states at the largest sizes of all entry points.
  uint32_t addStateBuffer(Value value, StringRef symbol, RankedTensorType type) {
    uint32_t index = context.states.lookup(symbol);
    format::StateT &state = *model.states[index];
    state.shape.resize(type.getRank());
    state.bytes = dtypeBytes(DType(state.dtype));
    for (auto [axis, dim] : llvm::enumerate(nn::getDims(type))) {
      std::optional<SizeRange> bounds = boundsOf(dim, ranges);
      state.shape[axis] = std::max(state.shape[axis], bounds ? bounds->high : 0);
      if (!bounds || __builtin_mul_overflow(state.bytes, uint64_t(state.shape[axis]), &state.bytes))
        fail(fmt::format("the state `{}` is too large: declare smaller ranges", symbol.str()));
    }
    uint32_t buffer = addBuffer(value, format::BufferKind::State, index, symbol.str());
    entry->buffers[buffer]->shape = pool.addAll(nn::getDims(type));
    return buffer;
  }

  template <typename Step> void finish(Step step, StringRef name, Location loc) {
    auto stored = std::make_unique<format::StepT>();
    stored->what.Set(std::move(step));
    stored->name = name.str();
    stored->location = locationOf(loc);
    steps->push_back(std::move(stored));
    ++now;
  }

  /// Kernels that stand side by side with the same number are parts of the first one's launch.
  void addLaunch(nn::KernelOp kernel) {
    if (Operation *before = kernel->getPrevNode();
        before && nn::areLaunchedTogether(kernel, before))
      return;
    auto info = context.launches.find(kernel.getOperation());
    if (info == context.launches.end())
      return fail(fmt::format("kernel `{}` has no code", kernel.getKernelName().str()));
    format::LaunchT launch;
    launch.kernel = info->second.kernel;
    launch.update = kernel.isUpdate();
    launch.table = info->second.hasTable;
    if (kernel.isUpdate())
      placeUpdate(kernel);
    SmallVector<nn::KernelOp> parts{kernel};
    for (Operation *next = kernel->getNextNode(); nn::areLaunchedTogether(kernel, next);
         next = next->getNextNode())
      parts.push_back(cast<nn::KernelOp>(next));
    for (nn::KernelOp part : parts)
      for (Value operand : part->getOperands())
        launch.buffers.push_back(use(operand));
    if (kernel.isUpdate())
      launch.buffers.front() = use(kernel.getResult(0));
    for (nn::KernelOp part : parts)
      for (OpResult result : part->getResults())
        launch.buffers.push_back(place(result, part.getKernelName()));
    launch.grid = pool.addAll(info->second.grid.getResults());
    launch.block.assign(info->second.block.begin(), info->second.block.end());
    launch.shared_bytes = info->second.sharedBytes;
    launch.work = describeWork(parts);
    launch.shared_elsewhere = info->second.sharedElsewhere;
    launch.persists = info->second.persists;
    for (const MappedTensor &map : info->second.maps)
      launch.maps.push_back(addMap(map));
    if (AffineMap scratch = info->second.scratch)
      launch.scratch = addScratch(scratch.getResult(0), kernel);
    finish(std::move(launch), launchName(kernel, parts.size()), kernel.getLoc());
    if (AffineMap grid = info->second.phaseGrid; depth > 0 && grid)
      launches[steps->back().get()] = {kernel, pool.add(grid.getResult(0))};
  }

  /// Memory that a launch has for itself: so many numbers.
  int32_t addScratch(AffineExpr count, nn::KernelOp kernel) {
    RankedTensorType type = nn::getTensorType(count, Float32Type::get(kernel.getContext()));
    uint32_t buffer =
        newBuffer(type, format::BufferKind::Arena, 0, kernel.getKernelName().str() + ".scratch");
    touch(buffer);
    return static_cast<int32_t>(buffer);
  }

  /// The buffer of a result that a kernel is about to write.
  uint32_t place(OpResult result, StringRef name) {
    if (Value overwritten = states.overwrittenBy(result))
      return buffers[result] = use(overwritten);
    bool isPlaced = cast<nn::KernelOp>(result.getOwner()).isUpdate();
    return isPlaced ? use(result) : define(result, name);
  }

  std::unique_ptr<format::WorkT> describeWork(ArrayRef<nn::KernelOp> parts) {
    KernelWork work = workOf(parts.front());
    for (nn::KernelOp part : parts.drop_front())
      work.add(workOf(part));
    auto add = [&](AffineExpr figure) { // 0 where nobody can count so far
      return boundsOf(figure, ranges) ? figures.add(figure) : figures.constant(0);
    };
    auto stored = std::make_unique<format::WorkT>();
    llvm::append_range(stored->reads, llvm::map_range(work.reads, add));
    llvm::append_range(stored->writes, llvm::map_range(work.writes, add));
    stored->products = add(work.products);
    stored->operations = add(work.operations);
    stored->precision = work.isHalf   ? format::Precision::Half
                        : work.isTf32 ? format::Precision::Tf32
                                      : format::Precision::F32;
    return stored;
  }

  std::unique_ptr<format::CopyMapT> addMap(const MappedTensor &map) {
    auto added = std::make_unique<format::CopyMapT>();
    added->operand = map.operand;
    added->rows = map.rows;
    added->sizes = pool.addAll(map.sizes.getResults());
    added->strides = pool.addAll(map.strides.getResults());
    if (map.window)
      for (const std::array<int, 2> &part :
           {map.window->before, map.window->behind, map.window->steps})
        added->window.insert(added->window.end(), part.begin(), part.end());
    return added;
  }

  /// Gives the result of an update its operand's memory, or else a copy of that.
  void placeUpdate(nn::KernelOp kernel) {
    uint32_t old = use(kernel.getOperand(0));
    if (states.overwrittenBy(kernel->getResult(0))) {
      buffers[kernel.getResult(0)] = old;
      return;
    }
    uint32_t copy = define(kernel.getResult(0), kernel.getKernelName());
    addCopy(old, copy, kernel.getKernelName(), kernel.getLoc());
  }

  void addCopy(uint32_t source, uint32_t target, StringRef name, Location loc) {
    touch(source);
    touch(target);
    format::CopyT copy;
    copy.src = source;
    copy.dst = target;
    copy.bytes = entry->buffers[source]->bytes;
    finish(std::move(copy), name, loc);
  }

  void addGemm(nn::GemmOp gemm);
  void addLoop(nn::ScanOp scan);
  bool isSlotAligned(RankedTensorType type);
  void stack(nn::ScanOp scan, unsigned index, format::StackedT &stacked);
  void carryOn(nn::ScanOp scan, unsigned index, format::CarriedT &carried,
               llvm::SmallDenseSet<uint32_t> &taken);
  void keepAlive(int64_t start, const format::LoopT &loop);
  void copyRemainingOutputs();
  void copyStates();
  uint32_t addSimilar(uint32_t buffer, format::BufferKind kind, uint32_t index);
  void placeArena();
  int64_t upperBytes(uint32_t number);

  func::FuncOp function;
  const PlanContext &context;
  format::ModelT &model;
  LoopLaunches &launches;
  std::unique_ptr<format::EntryT> entry;
  std::vector<std::unique_ptr<format::StepT>> *steps; ///< of the entry, or of the loop being built
  int64_t now = 0;                                    ///< counts steps in the order of the text
  unsigned depth = 0;                                 ///< of loops
  ExprPool pool, figures;
  StatePlan states;
  llvm::SmallVector<SizeRange> ranges;
  llvm::DenseMap<Value, uint32_t> buffers;
  llvm::DenseMap<Value, uint32_t> outputOf;
  llvm::SmallVector<std::pair<Value, uint32_t>> copies; ///< value, output
  llvm::MapVector<uint32_t, Lifetime> lives;            ///< of arena buffers, in steps
  std::vector<RankedTensorType> types;                  ///< by buffer
  llvm::DenseMap<Value, uint32_t> slots;                ///< what is written where it is stacked
  /// The memory on which a loop puts a buffer.
  llvm::DenseMap<uint32_t, llvm::SmallVector<uint32_t, 4>> behind;
  std::string failure;
};

/// The library sees [batch, m, k] x [batch, k, n]; leading axes of a product with one matrix for
/// all are rows.
void EntryBuilder::addGemm(nn::GemmOp gemm) {
  auto a = nn::getDims(cast<RankedTensorType>(gemm.getLhs().getType()));
  auto b = nn::getDims(cast<RankedTensorType>(gemm.getRhs().getType()));
  auto matrixA = ArrayRef(a).take_back(2), matrixB = ArrayRef(b).take_back(2);
  bool shared = b.size() == 2;
  AffineExpr m = matrixA[gemm.getTransposeA() ? 1 : 0];
  AffineExpr k = matrixA[gemm.getTransposeA() ? 0 : 1];
  AffineExpr n = matrixB[gemm.getTransposeB() ? 0 : 1];
  AffineExpr leading = pool.product(ArrayRef(a).drop_back(2));

  format::GemmT step;
  step.a = use(gemm.getLhs());
  step.b = use(gemm.getRhs());
  if (Value bias = gemm.getBias())
    step.bias = use(bias);
  if (Value residual = gemm.getResidual())
    step.residual = use(residual);
  step.d = define(gemm.getResult(), "gemm");
  bool rowsJoin = shared && !gemm.getTransposeA();
  step.m = pool.add(rowsJoin ? leading * m : m);
  step.n = pool.add(n);
  step.k = pool.add(k);
  step.batch = rowsJoin ? pool.constant(1) : pool.add(leading);
  step.stride_a = pool.add(m * k);
  step.stride_b = shared ? pool.constant(0) : pool.add(k * n);
  step.stride_d = pool.add(m * n);
  step.tf32 = gemm->hasAttr(nn::kTf32Attr);
  step.transpose_a = gemm.getTransposeA();
  step.transpose_b = gemm.getTransposeB();
  step.epilogue = gemm.getEpilogue() == "relu"   ? format::Epilogue::Relu
                  : gemm.getEpilogue() == "gelu" ? format::Epilogue::Gelu
                                                 : format::Epilogue::None;
  auto name = dyn_cast<NameLoc>(gemm.getLoc());
  finish(std::move(step), name ? name.getName().getValue() : StringRef("gemm"), gemm.getLoc());
}

void EntryBuilder::copyRemainingOutputs() {
  for (auto [value, output] : copies) {
    uint32_t source = use(value);
    uint32_t target = addSimilar(source, format::BufferKind::Output, output);
    entry->buffers[target]->name = entry->outputs[output]->name;
    addCopy(source, target, "copy", value.getLoc());
  }
}

/// What a state holds after the call, where no kernel put it there. A value that lies in a state
/// that another copy overwrites is put aside first.
void EntryBuilder::copyStates() {
  llvm::SmallVector<uint32_t> sources;
  for (nn::SetOp set : states.copies()) {
    uint32_t source = use(set.getValue());
    const format::BufferT &from = *entry->buffers[source];
    bool isOverwritten = from.kind == format::BufferKind::State &&
                         llvm::any_of(states.copies(), [&](nn::SetOp other) {
                           return context.states.lookup(other.getName()) == from.index;
                         });
    if (isOverwritten) {
      uint32_t aside = addSimilar(source, format::BufferKind::Arena, 0);
      addCopy(source, aside, set.getName(), set.getLoc());
      source = aside;
    }
    sources.push_back(source);
  }
  for (auto [index, source] : llvm::enumerate(sources)) {
    nn::SetOp set = states.copies()[index];
    Value value = set.getValue();
    uint32_t known = buffers.lookup(withoutReshapes(value));
    uint32_t target = addStateBuffer(value, set.getName(), set.getValue().getType());
    buffers[withoutReshapes(value)] = known;
    addCopy(source, target, set.getName(), set.getLoc());
  }
}

/// A buffer of the same type elsewhere.
uint32_t EntryBuilder::addSimilar(uint32_t buffer, format::BufferKind kind, uint32_t index) {
  return newBuffer(types[buffer], kind, index, entry->buffers[buffer]->name);
}

//===- Loops
//-------------------------------------------------------------------------------------===//

/// Whether every part of a stack begins where kernels may begin to write.
bool EntryBuilder::isSlotAligned(RankedTensorType type) {
  constexpr int64_t Alignment = 16;
  int64_t bytes = dtypeBytes(elementOf(type));
  for (AffineExpr dim : nn::getDims(type))
    bytes = bytes * nn::getConstant(dim).value_or(1) % Alignment;
  return model.target == format::Target::Cpu || bytes == 0;
}

/// Gives the stacked value `index` its memory. If a kernel of the body makes the value, it writes
/// there itself.
void EntryBuilder::stack(nn::ScanOp scan, unsigned index, format::StackedT &stacked) {
  stacked.result = define(scan.getResult(index), "stack");
  touch(stacked.result);
  Value yielded = scan.getYield().getOperand(index), root = withoutReshapes(yielded);
  auto type = cast<RankedTensorType>(yielded.getType());
  stacked.slot = newBuffer(type, format::BufferKind::Loop, 0, "slot");
  behind[stacked.slot] = {stacked.result};
  if (isMadeIn(scan, root) && isSlotAligned(type))
    slots.try_emplace(root, stacked.slot);
}

/// What an iteration leaves to the next lies where the loop's kernel wrote it.
void EntryBuilder::carryOn(nn::ScanOp scan, unsigned index, format::CarriedT &carried,
                           llvm::SmallDenseSet<uint32_t> &taken) {
  Value yielded = scan.getYield().getOperand(index), root = withoutReshapes(yielded);
  if (isMadeIn(scan, root) && taken.insert(buffers[root]).second) {
    carried.next = use(root);
  } else {
    carried.next = addLike(carried.argument);
    addCopy(use(yielded), carried.next, "copy", yielded.getLoc());
  }
  // Memory of its own in every iteration needs nobody to take turns with.
  if (entry->buffers[carried.next]->kind == format::BufferKind::Arena)
    carried.spare = static_cast<int32_t>(addLike(carried.next));
  carried.result = addBuffer(scan.getResult(index), format::BufferKind::Loop, 0, "last");
  behind[carried.result] = {carried.init, carried.next};
  if (carried.spare >= 0)
    behind[carried.result].push_back(static_cast<uint32_t>(carried.spare));
}

/// What a loop reads from before it, and what goes from one iteration to the next, lives as long as
/// the loop.
void EntryBuilder::keepAlive(int64_t start, const format::LoopT &loop) {
  auto last = lives.end();
  for (const auto &carried : loop.carried)
    for (int64_t buffer : {int64_t(carried->next), int64_t(carried->spare)})
      if (auto life = buffer < 0 ? last : lives.find(uint32_t(buffer)); life != last) {
        life->second.first = std::min(life->second.first, start);
        life->second.last = now;
      }
  for (auto &[buffer, life] : lives)
    if (life.first <= start && life.last >= start)
      life.last = std::max(life.last, now);
}

void EntryBuilder::addLoop(nn::ScanOp scan) {
  if (++depth > format::MaxLoopDepth)
    fail(fmt::format("more than {} scans are within each other", format::MaxLoopDepth));
  int64_t start = now++; // the body's own values begin after it
  format::LoopT loop;
  loop.counter = scan.getCounter();
  loop.length = pool.add(scan.getLengthExpr());
  loop.reverse = scan.getReverse();
  for (auto [init, argument] : llvm::zip_equal(scan.getInits(), scan.getBody()->getArguments())) {
    auto carried = std::make_unique<format::CarriedT>();
    carried->init = use(init);
    carried->argument = addBuffer(argument, format::BufferKind::Loop, 0, "carried");
    behind[carried->argument] = {carried->init};
    loop.carried.push_back(std::move(carried));
  }
  unsigned numCarried = scan.getNumCarried();
  for (unsigned i = numCarried; i < scan.getNumResults(); ++i) {
    loop.stacked.push_back(std::make_unique<format::StackedT>());
    stack(scan, i, *loop.stacked.back());
  }
  auto *outer = std::exchange(steps, &loop.steps);
  for (Operation &op : *scan.getBody())
    addOperation(op);
  for (auto [i, stacked] : llvm::enumerate(loop.stacked)) {
    uint32_t made = use(scan.getYield().getOperand(numCarried + i));
    if (made != stacked->slot)
      addCopy(made, stacked->slot, "copy", scan.getLoc());
  }
  llvm::SmallDenseSet<uint32_t> taken;
  for (auto [i, carried] : llvm::enumerate(loop.carried))
    carryOn(scan, i, *carried, taken);
  steps = outer;
  --depth;
  keepAlive(start, loop);
  auto name = dyn_cast<NameLoc>(scan.getLoc());
  finish(std::move(loop), name ? name.getName().getValue() : StringRef("scan"), scan.getLoc());
}

/// Bytes at the upper bounds of all dimensions.
int64_t EntryBuilder::upperBytes(uint32_t number) {
  const format::BufferT &buffer = *entry->buffers[number];
  int64_t bytes = dtypeBytes(DType(buffer.dtype));
  for (AffineExpr dim : nn::getDims(types[number])) {
    std::optional<SizeRange> bounds = boundsOf(dim, ranges);
    if (!bounds || __builtin_mul_overflow(bytes, std::max<int64_t>(bounds->high, 0), &bytes) ||
        bytes > INT64_MAX / 4) {
      fail(fmt::format("`{}` has no upper bound below 2^61 bytes: declare smaller ranges",
                       buffer.name));
      return 0;
    }
  }
  return bytes;
}

void EntryBuilder::placeArena() {
  std::vector<Lifetime> lifetimes;
  int64_t total = 0;
  for (auto &[number, life] : lives) {
    life.bytes = upperBytes(number);
    if (__builtin_add_overflow(total, life.bytes, &total))
      fail("its intermediate values exceed 2^63 bytes: declare smaller ranges");
    lifetimes.push_back(life);
  }
  if (!failure.empty())
    return;
  MemoryPlan plan = planMemory(lifetimes, ArenaAlignment);
  for (auto [position, life] : llvm::enumerate(lives))
    entry->buffers[life.first]->offset = plan.offsets[position];
  entry->arena_bytes = plan.arenaBytes;
}

} // namespace

std::string launchName(nn::KernelOp first, size_t parts) {
  std::string name = first.getKernelName().str();
  return parts == 1 ? name : fmt::format("{} and {} more", name, parts - 1);
}

Result<void> buildEntries(ModuleOp module, const PlanContext &context, format::ModelT &model,
                          LoopLaunches &launches) {
  for (auto function : module.getOps<func::FuncOp>()) {
    if (!function->hasAttr("nn.entry") && !function->hasAttr("nn.prepare"))
      continue;
    Result<std::unique_ptr<format::EntryT>> entry =
        EntryBuilder(function, context, model, launches).build();
    if (!entry)
      return entry.error();
    model.entries.push_back(std::move(*entry));
  }
  return {};
}

} // namespace nnc::codegen
