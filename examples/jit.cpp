// Compiles a model in process and runs it: the whole compiler as a library.
//
//   jit
#include <nnc/Compile.h>

#include <array>
#include <cstdio>

namespace {

constexpr const char *Source = R"(
model Smooth(width: int = 3) {
  ## The mean of each window of the signal.
  fn forward(signal: float[B, N]) -> (smooth: float[B, N - width + 1]) requires B in 1..=8, N in width..=64 {
    total = signal[:, 0 : N - width + 1]
    for i in 1..width { total = total + signal[:, i : N - width + 1 + i] }
    return total / width
  }
}
)";

int fail(const std::string &message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  return 1;
}

} // namespace

int main() {
  auto model = nnc::compileText("smooth.nn", Source, {.target = "cpu", .set = {{"width", "2"}}});
  if (!model)
    return fail(model.error().message);
  auto engine = model->engine();
  if (!engine)
    return fail(engine.error().message);
  auto session = engine->session();
  if (!session)
    return fail(session.error().message);

  std::array<float, 5> signal = {1, 3, 5, 9, 1};
  auto input = nnc::Tensor::view(nnc::DType::F32, std::array<int64_t, 2>{1, 5}, signal.data());
  if (!input)
    return fail(input.error().message);
  auto outputs = session->run("forward", {{"signal", *input}});
  if (!outputs)
    return fail(outputs.error().message);
  for (float value : (*outputs)["smooth"].values<float>())
    std::printf("%g ", value);
  std::printf("\n");
  return 0;
}
