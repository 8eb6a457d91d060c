// Trains without nnc-train: the same entry points, called from C++.
//
//   train model.train.bin images labels [epochs]
//
// images: an IDX file of bytes [N, 28, 28]; labels: one of bytes [N] (MNIST's format). The model's
// train_step takes image: f32[B, 1, 28, 28] and label: i32[B], and returns the loss first. Writes
// trained.safetensors, which `nnc model.nn --weights trained.safetensors` reads.
#include <nnc/Engine.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <numeric>
#include <random>

namespace {

constexpr size_t Batch = 64, Pixels = 28 * 28;

/// The bytes behind the header of an IDX file with so many axes.
std::vector<unsigned char> readIdx(const char *path, size_t axes) {
  std::ifstream file(path, std::ios::binary);
  std::vector<unsigned char> bytes{std::istreambuf_iterator<char>(file), {}};
  size_t header = 4 + 4 * axes;
  if (bytes.size() < header || bytes[3] != axes)
    return {};
  bytes.erase(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(header));
  return bytes;
}

int fail(const nnc::Error &error) {
  std::fprintf(stderr, "train: %s\n", error.message.c_str());
  return 1;
}

/// Fills the tensors of one batch with these examples.
void fill(const nnc::TensorMap &inputs, const std::vector<unsigned char> &images,
          const std::vector<unsigned char> &labels, const size_t *examples) {
  float *pixel = inputs["image"].values<float>().data();
  int32_t *label = inputs["label"].values<int32_t>().data();
  for (size_t i = 0; i < Batch; ++i) {
    *label++ = labels[examples[i]];
    for (size_t at = 0; at < Pixels; ++at)
      *pixel++ = static_cast<float>(images[examples[i] * Pixels + at]) / 255;
  }
}

} // namespace

int main(int argc, char **argv) {
  if (argc < 4)
    return fail({"usage: train model.train.bin images labels [epochs]"});
  auto engine = nnc::Engine::load(argv[1]);
  if (!engine)
    return fail(engine.error());
  auto session = engine->session({.seed = 1});
  if (!session)
    return fail(session.error());
  std::vector<unsigned char> images = readIdx(argv[2], 3), labels = readIdx(argv[3], 1);
  if (labels.size() < Batch || images.size() != labels.size() * Pixels)
    return fail({"expected an IDX file of 28x28 images and one of as many labels"});

  int64_t imageShape[] = {Batch, 1, 28, 28}, labelShape[] = {Batch};
  auto image = nnc::Tensor::empty(nnc::DType::F32, imageShape);
  auto label = nnc::Tensor::empty(nnc::DType::I32, labelShape);
  if (!image || !label)
    return fail(image ? label.error() : image.error());
  nnc::TensorMap inputs = {{"image", *image}, {"label", *label}};

  std::vector<size_t> order(labels.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::mt19937_64 random(1);
  for (int epoch = 0, epochs = argc > 4 ? std::atoi(argv[4]) : 1; epoch < epochs; ++epoch) {
    std::shuffle(order.begin(), order.end(), random);
    double sum = 0;
    size_t steps = order.size() / Batch;
    for (size_t step = 0; step < steps; ++step) {
      fill(inputs, images, labels, order.data() + step * Batch);
      auto out = session->run("train_step", inputs);
      if (!out)
        return fail(out.error());
      sum += static_cast<double>(out->begin()->tensor.values<float>()[0]);
    }
    std::printf("epoch %d: loss %.4f\n", epoch + 1, sum / static_cast<double>(steps));
  }
  auto saved = session->save("trained.safetensors", {{"made by", "examples/train.cpp"}});
  return saved ? 0 : fail(saved.error());
}
