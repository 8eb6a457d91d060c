// Classifies images with a compiled model: the runtime alone, no compiler.
//
//   classify lenet.bin t10k-images-idx3-ubyte t10k-labels-idx1-ubyte
//
// Files are in the IDX format of MNIST and Fashion-MNIST, unpacked. Prints the accuracy, the time,
// and a few images with their classes.
#include <nnc/Engine.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <unistd.h>
#include <vector>

namespace {

constexpr int Side = 28, Pixels = Side * Side, Batch = 1000;
constexpr std::array<const char *, 10> Classes = {
    "T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"};

/// The bytes of an IDX file after its header of `header` bytes; empty if it is too short.
std::vector<unsigned char> readIdx(const std::string &path, size_t header) {
  std::ifstream file(path, std::ios::binary);
  std::vector<unsigned char> bytes(std::istreambuf_iterator<char>(file), {});
  if (bytes.size() < header)
    return {};
  bytes.erase(bytes.begin(), bytes.begin() + header);
  return bytes;
}

/// One character for two rows of pixels: ten shades of letters, for what is no terminal.
void drawText(const unsigned char *image) {
  for (int row = 0; row < Side; row += 2) {
    std::printf("  ");
    for (int column = 0; column < Side; ++column)
      std::putchar(" .:-=+*#%@"[image[row * Side + column] * 9 / 255]);
    std::printf("\n");
  }
}

/// Two pixels per character: upper and lower half blocks in grey.
void draw(const unsigned char *image) {
  if (!isatty(STDOUT_FILENO))
    return drawText(image);
  auto shade = [](int value) { return 232 + value * 23 / 255; };
  for (int row = 0; row < Side; row += 2) {
    std::printf("  ");
    for (int column = 0; column < Side; ++column)
      std::printf("\x1b[38;5;%dm\x1b[48;5;%dm\u2580", shade(image[row * Side + column]),
                  shade(image[(row + 1) * Side + column]));
    std::printf("\x1b[0m\n");
  }
}

int fail(const std::string &message) {
  std::fprintf(stderr, "error: %s\n", message.c_str());
  return 1;
}

struct Outcome {
  std::vector<int> predicted;
  double seconds = 0;
};

/// Runs all images in batches; pixels go from 0..255 to 0..1.
nnc::Result<Outcome> classify(nnc::Session &session, const std::vector<unsigned char> &images) {
  Outcome outcome;
  int count = images.size() / Pixels;
  auto start = std::chrono::steady_clock::now();
  for (int first = 0; first < count; first += Batch) {
    int size = std::min(Batch, count - first);
    auto batch = nnc::Tensor::empty(nnc::DType::F32, std::array<int64_t, 4>{size, 1, Side, Side});
    if (!batch)
      return batch.error();
    std::transform(images.begin() + first * Pixels, images.begin() + (first + size) * Pixels,
                   batch->values<float>().begin(),
                   [](unsigned char pixel) { return pixel / 255.f; });
    auto outputs = session.run("forward", {{"image", *batch}});
    if (!outputs)
      return outputs.error();
    auto logits = outputs->begin()->tensor.values<float>();
    for (int i = 0; i < size; ++i) {
      auto row = logits.subspan(i * Classes.size(), Classes.size());
      outcome.predicted.push_back(std::max_element(row.begin(), row.end()) - row.begin());
    }
  }
  outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return outcome;
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 4)
    return fail("usage: classify model.bin images labels");
  auto engine = nnc::Engine::load(argv[1]);
  if (!engine)
    return fail(engine.error().message);
  auto session = engine->session();
  if (!session)
    return fail(session.error().message);
  std::vector<unsigned char> images = readIdx(argv[2], 16), labels = readIdx(argv[3], 8);
  if (images.empty() || images.size() != labels.size() * Pixels)
    return fail("the files of images and labels do not belong together");

  auto warm = classify(*session, {images.begin(), images.begin() + Pixels});
  auto outcome = warm ? classify(*session, images) : warm;
  if (!outcome)
    return fail(outcome.error().message);

  for (int i : {0, 1, 4}) {
    draw(&images[i * Pixels]);
    std::printf("  %s (label: %s)\n\n", Classes[outcome->predicted[i]], Classes[labels[i] % 10]);
  }
  size_t correct = 0;
  for (size_t i = 0; i < labels.size(); ++i)
    correct += outcome->predicted[i] == labels[i];
  std::printf("accuracy: %.2f %% of %zu images\n", 100.0 * correct / labels.size(), labels.size());
  std::printf("time: %.1f ms on %s, %.1f us per image\n", outcome->seconds * 1e3,
              session->device().text().c_str(), outcome->seconds * 1e6 / labels.size());
  return 0;
}
