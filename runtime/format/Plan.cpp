#include "runtime/format/Plan.h"

#include <algorithm>
#include <fmt/format.h>

using namespace nnc;
using namespace nnc::format;

std::vector<std::byte> format::packModel(const ModelT &model) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(Model::Pack(builder, &model));
  auto *begin = reinterpret_cast<const std::byte *>(builder.GetBufferPointer());
  return {begin, begin + builder.GetSize()};
}

Result<std::unique_ptr<ModelT>> format::readModel(const Container &container,
                                                  const std::string &name) {
  std::span<const std::byte> plan = container.section(section::Plan);
  auto *bytes = reinterpret_cast<const uint8_t *>(plan.data());
  constexpr unsigned MaxDepth = 16, MaxTables = 100'000'000;
  flatbuffers::Verifier verifier(bytes, plan.size(), MaxDepth, MaxTables);
  if (plan.empty() || !VerifyModelBuffer(verifier))
    return Error{fmt::format("{} is damaged: its plan is malformed", name)};

  std::unique_ptr<ModelT> model = UnPackModel(bytes);
  SectionSizes sizes = {
      container.section(section::Weights).size(), container.section(section::Cpu).size(),
      container.section(section::Cubins).size(), container.section(section::Source).size()};
  if (Result<void> verified = verifyModel(*model, sizes); !verified)
    return Error{fmt::format("{} is damaged: {}", name, verified.error().message)};
  return model;
}

bool format::drawsNumbers(const ModelT &model, const EntryT &entry) {
  return model.generator >= 0 &&
         std::ranges::any_of(entry.buffers, [&](const std::unique_ptr<BufferT> &buffer) {
           return buffer->kind == BufferKind::State &&
                  buffer->index == static_cast<uint32_t>(model.generator);
         });
}

std::vector<bool> format::weightsOfSteps(const ModelT &model) {
  std::vector<bool> isRead(model.weights.size());
  for (const std::unique_ptr<EntryT> &entry : model.entries)
    for (const std::unique_ptr<BufferT> &buffer : entry->buffers)
      if (buffer->kind == BufferKind::Weight)
        isRead[buffer->index] = true;
  return isRead;
}

uint64_t format::maxPortBytes(const PortT &port, const EntryT &entry) {
  std::vector<int64_t> upper;
  for (const std::unique_ptr<DimT> &dim : entry.dims)
    upper.push_back(dim->max);
  uint64_t bytes = dtypeBytes(static_cast<DType>(port.dtype));
  for (uint32_t expr : port.shape) {
    Result<int64_t> size = evaluate(*entry.exprs[expr], upper);
    bytes *= size ? static_cast<uint64_t>(*size) : 0;
  }
  return bytes;
}

std::string format::locationText(const LocationT *location) {
  if (!location || location->file.empty())
    return "";
  if (location->line == 0)
    return location->file;
  if (location->column == 0)
    return fmt::format("{}:{}", location->file, location->line);
  return fmt::format("{}:{}:{}", location->file, location->line, location->column);
}
