// What must hold in a plan beyond its FlatBuffers schema, so that the runtime can index without
// checking: all indices in range, all expressions well formed, everything within its section.
#include "runtime/format/Verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

using namespace nnc;
using namespace nnc::format;

namespace {

/// A dense tensor of constant shape has exactly `bytes` bytes.
Result<void> verifyStored(unsigned dtype, std::span<const int64_t> shape, uint64_t bytes) {
  NNC_TRY(require(dtype < NumDTypes, "the plan has an unknown element type"));
  NNC_TRY(require(shape.size() <= MaxRank, "the plan has a tensor of too many axes"));
  uint64_t product = dtypeBytes(static_cast<DType>(dtype));
  for (int64_t size : shape) {
    NNC_TRY(require(size >= 0, "the plan has a negative size"));
    NNC_TRY(require(!__builtin_mul_overflow(product, static_cast<uint64_t>(size), &product),
                    "the plan has a tensor that is too large"));
  }
  return require(product == bytes, "the plan has a tensor whose bytes do not fit its shape");
}

/// A session writes two numbers there.
Result<void> verifyGenerator(const ModelT &model) {
  if (model.generator == -1)
    return {};
  NNC_TRY(
      require(model.generator >= 0 && static_cast<size_t>(model.generator) < model.states.size(),
              "the plan lacks the state of its generator"));
  const StateT &state = *model.states[static_cast<size_t>(model.generator)];
  return require(state.dtype == static_cast<uint8_t>(DType::I64) &&
                     state.shape == std::vector<int64_t>{2} && state.weight < 0 && state.value == 0,
                 "the plan has a generator of another type");
}

Result<void> verifyWeights(const ModelT &model, const SectionSizes &sizes) {
  NNC_TRY(requireAll(model.weights));
  NNC_TRY(requireAll(model.weight_files));
  for (const std::unique_ptr<WeightT> &weight : model.weights) {
    NNC_TRY(verifyStored(weight->dtype, weight->shape, weight->bytes));
    bool isInside = weight->file < 0;
    auto file = static_cast<size_t>(weight->file);
    NNC_TRY(require(isInside || file < model.weight_files.size(), "the plan lacks a weight file"));
    size_t alignment = isInside ? 64 : dtypeBytes(static_cast<DType>(weight->dtype));
    NNC_TRY(require(weight->offset % alignment == 0, "the plan has a misaligned weight"));
    NNC_TRY(requireWithin(weight->offset, weight->bytes,
                          isInside ? sizes.weights : model.weight_files[file]->size,
                          isInside ? "the plan has a weight outside its section"
                                   : "the plan has a weight outside its file"));
  }
  NNC_TRY(requireAll(model.states));
  for (const std::unique_ptr<StateT> &state : model.states) {
    NNC_TRY(verifyStored(state->dtype, state->shape, state->bytes));
    NNC_TRY(
        require(state->weight >= -1 && state->weight < static_cast<int64_t>(model.weights.size()),
                "the plan has a state that starts as nothing"));
    NNC_TRY(require(state->weight < 0 ||
                        model.weights[static_cast<size_t>(state->weight)]->bytes == state->bytes,
                    "the plan has a state that starts as something of another size"));
  }
  return verifyGenerator(model);
}

Result<void> verifyCode(const ModelT &model, const SectionSizes &sizes) {
  bool cuda = model.target == Target::Cuda;
  NNC_TRY(require(cuda || model.target == Target::Cpu, "the plan is for an unknown target"));
  NNC_TRY(requireAll(model.kernels));
  if (!cuda)
    return require(model.cpu && (model.kernels.empty() || sizes.cpu > 0),
                   "the plan has no code for its target");
  NNC_TRY(require(model.cuda != nullptr, "the plan has no code for its target"));
  NNC_TRY(requireAll(model.cuda->modules));
  for (const std::unique_ptr<KernelT> &kernel : model.kernels)
    NNC_TRY(require(kernel->cuda_module < model.cuda->modules.size(), "the plan lacks a module"));
  for (const std::unique_ptr<CudaModuleT> &module : model.cuda->modules) {
    NNC_TRY(requireWithin(module->source.offset(), module->source.size(), sizes.source,
                          "the plan has source text outside its section"));
    NNC_TRY(requireAll(module->images));
    for (const std::unique_ptr<ImageT> &image : module->images)
      NNC_TRY(requireWithin(image->blob.offset(), image->blob.size(), sizes.cubins,
                            "the plan has a cubin outside its section"));
  }
  return {};
}

/// Whether two lists of ports have the same names, types and ranks.
bool haveSamePorts(const std::vector<std::unique_ptr<PortT>> &a,
                   const std::vector<std::unique_ptr<PortT>> &b) {
  return std::ranges::equal(a, b, [](const auto &x, const auto &y) {
    return x && y && x->name == y->name && x->dtype == y->dtype &&
           x->shape.size() == y->shape.size();
  });
}

/// Entries of one name differ in their inputs (the same function without some of them) or are
/// variants for some sizes, which follow the general entry that they are called like.
Result<void> verifyVariants(const std::vector<std::unique_ptr<EntryT>> &entries) {
  using Signature = std::pair<std::string_view, std::set<std::string_view>>;
  std::map<Signature, const EntryT *> general;
  std::set<std::pair<Signature, std::string_view>> known;
  for (const std::unique_ptr<EntryT> &entry : entries) {
    NNC_TRY(requireAll(entry->inputs));
    Signature signature{entry->name, {}};
    for (const std::unique_ptr<PortT> &input : entry->inputs)
      signature.second.insert(input->name);
    NNC_TRY(require(known.insert({signature, entry->variant}).second,
                    "the plan has two things of one name"));
    const EntryT *&first = general[signature];
    if (entry->variant.empty())
      first = entry.get();
    else
      NNC_TRY(require(first && haveSamePorts(first->inputs, entry->inputs) &&
                          haveSamePorts(first->outputs, entry->outputs),
                      "the plan has a variant that is called otherwise"));
  }
  return {};
}

} // namespace

Result<void> format::verifyModel(const ModelT &model, const SectionSizes &sizes) {
  NNC_TRY(verifyWeights(model, sizes));
  NNC_TRY(verifyCode(model, sizes));
  NNC_TRY(requireAll(model.entries));
  NNC_TRY(verifyVariants(model.entries));
  for (const std::unique_ptr<EntryT> &entry : model.entries) {
    Result<void> verified = verifyEntry(model, *entry);
    if (!verified)
      return Error{fmt::format("in `{}` {}", entry->name, verified.error().message)};
  }
  return {};
}
