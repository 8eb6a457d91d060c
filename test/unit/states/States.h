// What tests of sessions share: small models compiled from text for the cpu and for the twin of a
// GPU, and tensors for their inputs.
#pragma once

#include "tools/compiler/Compile.h"

#include <array>
#include <cstdlib>
#include <gtest/gtest.h>
#include <numeric>

namespace nnc {

using Floats = std::vector<float>;

inline Tensor floats(std::vector<int64_t> shape, Floats values) {
  Result<Tensor> tensor = Tensor::empty(DType::F32, shape);
  std::copy(values.begin(), values.end(), tensor->values<float>().begin());
  return *tensor;
}

/// 1, 2, 3, ... times `scale`.
inline Tensor counting(std::vector<int64_t> shape, float scale = 1) {
  Result<Tensor> tensor = Tensor::empty(DType::F32, shape);
  for (size_t i = 0; i < tensor->elements(); ++i)
    tensor->values<float>()[i] = static_cast<float>(i + 1) * scale;
  return *tensor;
}

inline Tensor scalar(int32_t value) {
  Result<Tensor> tensor = Tensor::empty(DType::I32, {});
  tensor->values<int32_t>()[0] = value;
  return *tensor;
}

class States : public testing::TestWithParam<const char *> {
protected:
  static void SetUpTestSuite() { setenv("NNC_CUDA_TWIN", NNC_TEST_TWIN, 1); }

  bool isCuda() const { return std::string(GetParam()) == "cuda"; }

  /// Compiles a model with these members and functions and opens a session.
  void open(const std::string &body, CompileOptions options = {}, SessionOptions session = {}) {
    options.target = GetParam();
    if (isCuda())
      options.archs = {"sm_80"};
    Result<CompiledModel> compiled =
        compileText("model.nn", "model M() {\n" + body + "\n}\n", options);
    ASSERT_TRUE(compiled) << compiled.error().message;
    Result<Engine> loaded = compiled->engine();
    ASSERT_TRUE(loaded) << loaded.error().message;
    engine = std::make_unique<Engine>(*loaded);
    reopen(session);
  }

  void reopen(SessionOptions options = {}) {
    Result<Session> opened = engine->session(options);
    ASSERT_TRUE(opened) << opened.error().message;
    session = std::make_unique<Session>(std::move(*opened));
  }

  /// The first output of a call.
  Floats call(const TensorMap &inputs, const char *entry = "forward") {
    if (!session)
      return {};
    Result<TensorMap> outputs = session->run(entry, inputs);
    if (!outputs) {
      ADD_FAILURE() << outputs.error().message;
      return {};
    }
    auto values = outputs->begin()->tensor.values<float>();
    return {values.begin(), values.end()};
  }

  std::string failure(const TensorMap &inputs, const char *entry = "forward") {
    Result<TensorMap> outputs = session->run(entry, inputs);
    return outputs ? "" : outputs.error().message;
  }

  std::unique_ptr<Engine> engine;
  std::unique_ptr<Session> session;
};

} // namespace nnc
