// What tests of training steps share: a train block compiled for one target, and its session.
#pragma once

#include "tools/compiler/Compile.h"

#include <cmath>
#include <cstdlib>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

namespace nnc {

class Steps : public testing::TestWithParam<const char *> {
protected:
  static void SetUpTestSuite() { setenv("NNC_CUDA_TWIN", NNC_TEST_TWIN, 1); }

  void open(const Result<CompiledModel> &compiled) {
    ASSERT_TRUE(compiled) << compiled.error().message;
    Result<Engine> loaded = compiled->engine();
    ASSERT_TRUE(loaded) << loaded.error().message;
    engine = std::make_unique<Engine>(*loaded);
    Result<Session> opened = engine->session();
    ASSERT_TRUE(opened) << opened.error().message;
    session = std::make_unique<Session>(std::move(*opened));
  }

  CompileOptions optionsFor(const std::string &target) {
    CompileOptions options;
    options.target = target;
    if (target == "cuda")
      options.archs = {"sm_80"};
    return options;
  }

  void openText(const std::string &text) {
    open(compileText("model.nn", text, optionsFor(GetParam())));
  }

  /// The loss of one call; NaN after an error.
  float loss(const TensorMap &inputs, const char *entry = "train_step") {
    Result<TensorMap> outputs = session->run(entry, inputs);
    EXPECT_TRUE(outputs) << outputs.error().message;
    return outputs ? outputs->find("loss")->values<float>()[0] : NAN;
  }

  std::vector<float> slot(const std::string &name) {
    Result<Tensor> value = session->state(name);
    EXPECT_TRUE(value) << value.error().message;
    return value ? std::vector<float>(value->values<float>().begin(), value->values<float>().end())
                 : std::vector<float>();
  }

  int count(const std::string &name) {
    Result<Tensor> value = session->state(name);
    EXPECT_TRUE(value) << value.error().message;
    return value ? value->values<int32_t>()[0] : -1;
  }

  std::unique_ptr<Engine> engine;
  std::unique_ptr<Session> session;
};

} // namespace nnc
