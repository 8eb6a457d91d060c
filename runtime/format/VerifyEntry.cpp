// What must hold in an entry point of a plan: symbols, expressions, ports, buffers, steps.
#include "runtime/format/Verify.h"

#include <algorithm>
#include <set>

using namespace nnc;
using namespace nnc::format;

namespace {

template <typename T> Result<void> requireUniqueNames(const std::vector<std::unique_ptr<T>> &list) {
  std::set<std::string_view> names;
  for (const std::unique_ptr<T> &item : list)
    NNC_TRY(require(names.insert(item->name).second, "the plan has two things of one name"));
  return {};
}

class EntryVerifier {
public:
  EntryVerifier(const ModelT &model, const EntryT &entry) : model(model), entry(entry) {}

  Result<void> verify() {
    NNC_TRY(verifyDims());
    NNC_TRY(verifyExprs());
    NNC_TRY(requireAll(entry.figures));
    NNC_TRY(verifyGuards());
    NNC_TRY(verifyPorts(entry.inputs));
    NNC_TRY(verifyPorts(entry.outputs));
    NNC_TRY(verifyScalars());
    NNC_TRY(verifyBuffers());
    isPlaced.assign(entry.buffers.size(), true);
    for (size_t i = 0; i < entry.buffers.size(); ++i)
      isPlaced[i] = entry.buffers[i]->kind != BufferKind::Loop;
    return verifySteps(entry.steps, 0);
  }

private:
  Result<void> verifyDims() {
    NNC_TRY(requireAll(entry.dims));
    for (const std::unique_ptr<DimT> &dim : entry.dims) {
      NNC_TRY(require(dim->kind <= SymbolKind::MAX, "the plan has an unknown kind of symbol"));
      bool isScalar = dim->kind == SymbolKind::Scalar;
      NNC_TRY(require(dim->min <= dim->max && (isScalar || dim->min >= 0),
                      "the plan has an empty range"));
      upper.push_back(dim->max);
    }
    return {};
  }

  /// After the ports: scalars are inputs or states of one integer.
  Result<void> verifyScalars() {
    const char *wrong = "the plan has a scalar that is none";
    for (const std::unique_ptr<DimT> &dim : entry.dims) {
      if (dim->kind != SymbolKind::Scalar)
        continue;
      bool isState = dim->source == ScalarSource::State;
      NNC_TRY(require(dim->source <= ScalarSource::MAX, wrong));
      NNC_TRY(require(dim->index < (isState ? model.states.size() : entry.inputs.size()), wrong));
      unsigned dtype = isState ? model.states[dim->index]->dtype : entry.inputs[dim->index]->dtype;
      bool isScalar = isState ? model.states[dim->index]->shape.empty()
                              : entry.inputs[dim->index]->shape.empty();
      DType type = static_cast<DType>(dtype);
      NNC_TRY(require(isScalar && (type == DType::I32 || type == DType::I64), wrong));
    }
    return {};
  }

  bool mentionsScalar(const ExprT &expr) const {
    return std::any_of(expr.nodes.begin(), expr.nodes.end(), [&](const ExprNode &node) {
      auto symbol = static_cast<uint64_t>(node.value());
      return node.op() == ExprOp::Sym && symbol < entry.dims.size() &&
             entry.dims[symbol]->kind == SymbolKind::Scalar;
    });
  }

  /// Every expression has a value at the upper bounds; keeps these values. What is made of scalars,
  /// which have no such bounds, needs one where those are 0: guards refuse the others in a call.
  Result<void> verifyExprs() {
    NNC_TRY(requireAll(entry.exprs));
    std::vector<int64_t> withoutScalars = upper;
    for (size_t symbol = 0; symbol < upper.size(); ++symbol)
      if (entry.dims[symbol]->kind == SymbolKind::Scalar)
        withoutScalars[symbol] = 0;
    for (const std::unique_ptr<ExprT> &expr : entry.exprs) {
      Result<int64_t> value = evaluate(*expr, mentionsScalar(*expr) ? withoutScalars : upper);
      if (!value)
        return Error{value.error().message + " at the upper bounds of its dimensions"};
      atUpper.push_back(*value);
    }
    return {};
  }

  Result<void> verifyGuards() {
    NNC_TRY(requireAll(entry.guards));
    for (const std::unique_ptr<GuardT> &guard : entry.guards) {
      NNC_TRY(requireExpr(guard->expr));
      NNC_TRY(require(guard->kind <= GuardKind::MAX, "the plan has an unknown guard"));
    }
    return {};
  }

  Result<void> verifyPorts(const std::vector<std::unique_ptr<PortT>> &ports) {
    NNC_TRY(requireAll(ports));
    NNC_TRY(requireUniqueNames(ports));
    for (const std::unique_ptr<PortT> &port : ports)
      NNC_TRY(verifyType(port->dtype, port->shape));
    return {};
  }

  Result<void> verifyType(unsigned dtype, const std::vector<uint32_t> &shape) {
    NNC_TRY(require(dtype < NumDTypes, "the plan has an unknown element type"));
    NNC_TRY(require(shape.size() <= MaxRank, "the plan has a tensor of too many axes"));
    for (uint32_t expr : shape)
      NNC_TRY(requireSize(expr));
    return {};
  }

  Result<void> verifyBuffers() {
    NNC_TRY(requireAll(entry.buffers));
    for (const std::unique_ptr<BufferT> &buffer : entry.buffers) {
      NNC_TRY(verifyType(buffer->dtype, buffer->shape));
      NNC_TRY(requireSize(buffer->bytes));
      NNC_TRY(require(atUpper[buffer->bytes] >= 0, "the plan has a negative size"));
      NNC_TRY(verifyPlace(*buffer, static_cast<uint64_t>(atUpper[buffer->bytes])));
    }
    return {};
  }

  Result<void> verifyPlace(const BufferT &buffer, uint64_t bytes) {
    const char *outside = "the plan has a buffer of something that does not exist";
    const char *small = "the plan has a buffer that is larger than its memory";
    switch (buffer.kind) {
    case BufferKind::Arena:
      NNC_TRY(require(buffer.offset % 64 == 0, "the plan has a misaligned buffer"));
      return requireWithin(buffer.offset, bytes, entry.arena_bytes, small);
    case BufferKind::Weight:
      NNC_TRY(require(buffer.index < model.weights.size(), outside));
      return require(bytes <= model.weights[buffer.index]->bytes, small);
    case BufferKind::Input:
      return require(buffer.index < entry.inputs.size(), outside);
    case BufferKind::Output:
      return require(buffer.index < entry.outputs.size(), outside);
    case BufferKind::State:
      NNC_TRY(require(buffer.index < model.states.size(), outside));
      NNC_TRY(require(buffer.shape.size() == model.states[buffer.index]->shape.size() &&
                          buffer.dtype == model.states[buffer.index]->dtype,
                      "the plan has a buffer that is not of its state's type"));
      return require(bytes <= model.states[buffer.index]->bytes, small);
    case BufferKind::Loop:
      return {};
    }
    return Error{outside};
  }

  Result<void> verifySteps(const std::vector<std::unique_ptr<StepT>> &steps, unsigned depth) {
    NNC_TRY(requireAll(steps));
    for (const std::unique_ptr<StepT> &step : steps)
      NNC_TRY(verifyStep(*step, depth));
    return {};
  }

  Result<void> verifyStep(const StepT &step, unsigned depth) {
    if (const LoopT *loop = step.what.AsLoop())
      return verifyLoop(*loop, depth + 1);
    if (const LaunchT *launch = step.what.AsLaunch())
      return verifyLaunch(*launch);
    if (const GemmT *gemm = step.what.AsGemm())
      return verifyGemm(*gemm);
    if (const CopyT *copy = step.what.AsCopy()) {
      NNC_TRY(requireBuffer(copy->src));
      NNC_TRY(requireBuffer(copy->dst));
      return requireSize(copy->bytes);
    }
    return Error{"the plan has an unknown step"};
  }

  /// The loop's buffers are placed where its steps may use them, and nowhere else.
  Result<void> verifyLoop(const LoopT &loop, unsigned depth) {
    NNC_TRY(require(depth <= MaxLoopDepth, "the plan has too many loops within each other"));
    NNC_TRY(require(loop.counter < entry.dims.size() &&
                        entry.dims[loop.counter]->kind == SymbolKind::Loop,
                    "the plan has a loop without a counter"));
    NNC_TRY(requireExpr(loop.length));
    NNC_TRY(verifyLoopKernel(loop, depth));
    NNC_TRY(requireAll(loop.carried));
    NNC_TRY(requireAll(loop.stacked));
    std::vector<uint32_t> inside;
    for (const std::unique_ptr<CarriedT> &carried : loop.carried) {
      NNC_TRY(requireBuffer(carried->init));
      NNC_TRY(requireMoving(carried->argument));
      NNC_TRY(requireMoving(carried->result));
      inside.push_back(carried->argument);
    }
    for (const std::unique_ptr<StackedT> &stacked : loop.stacked) {
      NNC_TRY(requireBuffer(stacked->result));
      NNC_TRY(requireMoving(stacked->slot));
      inside.push_back(stacked->slot);
    }
    for (uint32_t buffer : inside) {
      NNC_TRY(require(!isPlaced[buffer], "the plan has a buffer of two loops"));
      isPlaced[buffer] = true;
    }
    NNC_TRY(verifySteps(loop.steps, depth));
    for (const std::unique_ptr<CarriedT> &carried : loop.carried) {
      NNC_TRY(requireBuffer(carried->next));
      NNC_TRY(require(carried->spare >= -1, "the plan lacks a buffer"));
      if (carried->spare >= 0)
        NNC_TRY(requireBuffer(static_cast<uint32_t>(carried->spare)));
    }
    for (uint32_t buffer : inside)
      isPlaced[buffer] = false;
    for (const std::unique_ptr<CarriedT> &carried : loop.carried)
      isPlaced[carried->result] = true;
    return {};
  }

  Result<void> verifyLoopKernel(const LoopT &loop, unsigned depth) {
    if (loop.kernel == -1)
      return {};
    NNC_TRY(require(model.target == Target::Cuda && depth == 1 && loop.threads > 0,
                    "the plan has a malformed loop kernel"));
    NNC_TRY(require(loop.kernel >= 0 && static_cast<size_t>(loop.kernel) < model.kernels.size(),
                    "the plan lacks a kernel"));
    for (uint32_t buffer : loop.buffers)
      NNC_TRY(requireBuffer(buffer));
    for (const std::vector<uint32_t> *list : {&loop.grids, &loop.values})
      for (uint32_t expr : *list)
        NNC_TRY(requireExpr(expr));
    return {};
  }

  /// A buffer that loops put somewhere.
  Result<void> requireMoving(uint32_t index) {
    NNC_TRY(require(index < entry.buffers.size(), "the plan lacks a buffer"));
    return require(entry.buffers[index]->kind == BufferKind::Loop,
                   "the plan has a loop that moves a buffer of another kind");
  }

  Result<void> verifyLaunch(const LaunchT &launch) {
    bool cuda = model.target == Target::Cuda;
    NNC_TRY(require(launch.kernel < model.kernels.size(), "the plan lacks a kernel"));
    for (uint32_t buffer : launch.buffers)
      NNC_TRY(requireBuffer(buffer));
    NNC_TRY(require(!launch.grid.empty() && launch.grid.size() <= (cuda ? 3 : 1),
                    "the plan has a malformed grid"));
    NNC_TRY(
        require(!launch.update || launch.table ||
                    (launch.buffers.size() >= 2 && launch.buffers.front() == launch.buffers.back()),
                "the plan has an update of nothing"));
    for (uint32_t expr : launch.grid)
      NNC_TRY(requireSize(expr));
    for (const std::unique_ptr<CopyMapT> &map : launch.maps)
      NNC_TRY(verifyMap(launch, *map));
    NNC_TRY(require(launch.scratch >= -1 && (cuda || launch.scratch == -1),
                    "the plan has a launch with malformed memory of its own"));
    if (launch.scratch >= 0)
      NNC_TRY(requireBuffer(static_cast<uint32_t>(launch.scratch)));
    if (launch.work)
      NNC_TRY(verifyWork(*launch.work, launch.buffers.size()));
    return require(!cuda || launch.block.size() == 3, "the plan has a malformed block");
  }

  Result<void> verifyWork(const WorkT &work, size_t numBuffers) {
    NNC_TRY(require(work.reads.size() + work.writes.size() == numBuffers &&
                        work.precision <= Precision::MAX,
                    "the plan has a kernel that does malformed work"));
    auto isThere = [&](uint32_t figure) { return figure < entry.figures.size(); };
    return require(std::ranges::all_of(work.reads, isThere) &&
                       std::ranges::all_of(work.writes, isThere) && isThere(work.products) &&
                       isThere(work.operations),
                   "the plan lacks a figure");
  }

  Result<void> verifyMap(const LaunchT &launch, const CopyMapT &map) {
    bool isImage = !map.window.empty();
    size_t rank = map.sizes.size();
    NNC_TRY(require(model.target == Target::Cuda && map.operand < launch.buffers.size() &&
                        (isImage ? rank == 4 : rank == 2 || rank == 5) &&
                        map.strides.size() == rank - 1 && (!isImage || map.window.size() == 6),
                    "the plan has a malformed tensor map"));
    for (const std::vector<uint32_t> *list : {&map.sizes, &map.strides})
      for (uint32_t expr : *list)
        NNC_TRY(requireSize(expr));
    return {};
  }

  Result<void> verifyGemm(const GemmT &gemm) {
    NNC_TRY(require(model.target == Target::Cuda, "the plan has a gemm that is not for a GPU"));
    for (uint32_t buffer : {gemm.a, gemm.b, gemm.d})
      NNC_TRY(requireBuffer(buffer));
    for (int32_t buffer : {gemm.bias, gemm.residual})
      NNC_TRY(require(buffer >= -1, "the plan lacks a buffer"));
    for (int32_t buffer : {gemm.bias, gemm.residual})
      if (buffer >= 0)
        NNC_TRY(requireBuffer(static_cast<uint32_t>(buffer)));
    for (uint32_t expr :
         {gemm.m, gemm.n, gemm.k, gemm.batch, gemm.stride_a, gemm.stride_b, gemm.stride_d})
      NNC_TRY(requireExpr(expr));
    return require(gemm.epilogue <= Epilogue::MAX, "the plan has an unknown epilogue");
  }

  Result<void> requireExpr(uint32_t index) {
    return require(index < entry.exprs.size(), "the plan lacks a size expression");
  }
  /// An expression that does not depend on what only guards bound.
  Result<void> requireSize(uint32_t index) {
    NNC_TRY(requireExpr(index));
    return require(!mentionsScalar(*entry.exprs[index]),
                   "the plan has a size that depends on a scalar");
  }
  Result<void> requireBuffer(uint32_t index) {
    NNC_TRY(require(index < entry.buffers.size(), "the plan lacks a buffer"));
    return require(isPlaced[index], "the plan uses a buffer outside of its loop");
  }

  const ModelT &model;
  const EntryT &entry;
  std::vector<int64_t> upper, atUpper;
  std::vector<bool> isPlaced; // by buffer: whether steps may use it now
};

} // namespace

Result<void> format::verifyEntry(const ModelT &model, const EntryT &entry) {
  return EntryVerifier(model, entry).verify();
}
