#include "tools/nnc-train/data/Loader.h"

#include <numeric>

using namespace nnc;
using namespace nnc::train;

namespace {

/// Streams of random numbers that have nothing to do with each other.
enum Stream : uint64_t { Order = 1, Augment = 2 };

/// All examples, shuffled (Fisher and Yates) if there is something to shuffle by.
std::vector<size_t> orderOf(size_t count, const LoaderOptions &options) {
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  if (!options.isTraining)
    return order;
  Random random{options.seed, Order, options.epoch};
  for (size_t i = count; i > 1; --i)
    std::swap(order[i - 1], order[random.below(i)]);
  return order;
}

size_t sizeOf(const Dataset &data, const Binding &binding) { return data.size(binding.length); }

} // namespace

size_t train::batchesOf(const Dataset &data, const Binding &binding) {
  auto batch = static_cast<size_t>(binding.batch);
  size_t size = sizeOf(data, binding), rest = size % batch;
  bool hasRest = rest > 0 && binding.leastBatch && rest >= static_cast<size_t>(*binding.leastBatch);
  return size / batch + (hasRest ? 1 : 0);
}

size_t train::examplesLeftOut(const Dataset &data, const Binding &binding) {
  size_t size = sizeOf(data, binding), held = batchesOf(data, binding) * binding.batch;
  return size > held ? size - held : 0;
}

Loader::Loader(const Dataset &data, const Binding &binding, const ImageTransform &transform,
               const LoaderOptions &options)
    : data(data), binding(binding), transform(transform), options(options),
      order(orderOf(sizeOf(data, binding), options)), count(batchesOf(data, binding)),
      ahead(2 * size_t{options.workers} + 1), claimed(options.first), consumed(options.first) {
  for (unsigned i = 0; i < options.workers; ++i)
    threads.emplace_back([this] { work(); });
}

Loader::~Loader() {
  {
    std::lock_guard lock(mutex);
    isStopped = true;
  }
  taken.notify_all();
  for (std::thread &thread : threads)
    thread.join();
}

void Loader::work() {
  std::unique_lock lock(mutex);
  while (true) {
    taken.wait(lock, [&] { return isStopped || claimed >= count || claimed < consumed + ahead; });
    if (isStopped || claimed >= count)
      return;
    size_t number = claimed++;
    lock.unlock();
    Result<Batch> batch = make(number);
    lock.lock();
    ready.emplace(number, std::move(batch));
    made.notify_all();
  }
}

Result<std::optional<Batch>> Loader::next() {
  if (consumed >= count)
    return std::optional<Batch>();
  if (threads.empty()) {
    Result<Batch> batch = make(consumed++);
    return batch ? Result<std::optional<Batch>>(std::move(*batch)) : batch.error();
  }
  std::unique_lock lock(mutex);
  made.wait(lock, [&] { return ready.contains(consumed); });
  Result<Batch> batch = std::move(ready.extract(consumed++).mapped());
  taken.notify_all();
  return batch ? Result<std::optional<Batch>>(std::move(*batch)) : batch.error();
}

Result<Batch> Loader::make(size_t number) const {
  auto size = static_cast<size_t>(binding.batch), first = number * size;
  Batch batch{std::min(size, order.size() - first), {}};
  for (const BoundInput &input : binding.inputs) {
    std::vector<int64_t> shape = input.shape;
    shape.insert(shape.begin(), static_cast<int64_t>(batch.count));
    Result<Tensor> tensor = Tensor::empty(input.dtype, shape);
    if (!tensor)
      return Error{"a batch: " + tensor.error().message};
    batch.tensors.add(input.name, std::move(*tensor));
  }
  for (size_t row = 0; row < batch.count; ++row)
    if (Result<void> filled = fill(batch, row, order[first + row]); !filled)
      return filled.error();
  return batch;
}

Result<void> Loader::fill(const Batch &batch, size_t row, size_t example) const {
  Random random{options.seed, Augment, options.epoch, example};
  auto tensor = batch.tensors.begin();
  for (const BoundInput &input : binding.inputs) {
    const Tensor &whole = (tensor++)->tensor;
    size_t bytes = whole.bytes() / batch.count;
    Target target = {input.dtype,
                     input.shape,
                     {static_cast<std::byte *>(whole.data()) + row * bytes, bytes},
                     transform,
                     options.isTraining ? &random : nullptr};
    if (Result<void> read = data.read(example, input.field, target); !read)
      return read;
  }
  return {};
}
