// Generates text with a compiled language model: the runtime alone, no compiler.
//
//   generate llama.bin 16 1 15043 3186
//
// Takes the number of tokens to generate and the tokens of the prompt; prints those that follow,
// each the most likely one. The model keeps what it has read (its key-value cache and position) in
// the session, so the prompt goes in once and then every new token by itself.
#include <nnc/Engine.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

int fail(const std::string &message) {
  std::fprintf(stderr, "error: %s\n", message.c_str());
  return 1;
}

/// Feeds tokens to the session; returns the one that is most likely to follow.
nnc::Result<int32_t> next(nnc::Session &session, std::vector<int32_t> tokens) {
  std::array<int64_t, 2> shape = {1, static_cast<int64_t>(tokens.size())};
  auto ids = nnc::Tensor::view(nnc::DType::I32, shape, tokens.data());
  if (!ids)
    return ids.error();
  auto outputs = session.run("forward", {{"ids", *ids}});
  if (!outputs)
    return outputs.error();
  auto logits = outputs->begin()->tensor.values<float>();
  return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

} // namespace

int main(int argc, char **argv) {
  if (argc < 4)
    return fail("usage: generate model.bin count token...");
  auto engine = nnc::Engine::load(argv[1]);
  if (!engine)
    return fail(engine.error().message);
  auto session = engine->session();
  if (!session)
    return fail(session.error().message);

  std::vector<int32_t> prompt;
  for (int i = 3; i < argc; ++i)
    prompt.push_back(std::atoi(argv[i]));
  auto start = std::chrono::steady_clock::now();
  auto token = next(*session, prompt);
  for (int count = std::atoi(argv[2]); count > 0; --count) {
    if (!token)
      return fail(token.error().message);
    std::printf("%d%s", *token, count > 1 ? " " : "\n");
    std::fflush(stdout);
    if (count > 1)
      token = next(*session, {*token});
  }
  std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  std::fprintf(stderr, "%.2f s on %s\n", time.count(), session->device().text().c_str());
  return 0;
}
