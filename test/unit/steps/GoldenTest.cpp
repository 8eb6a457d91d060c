// The first steps of training, from the same weights and batches as PyTorch's
// (test/golden/make_train.py): losses, and params after all steps.
#include "Steps.h"
#include "runtime/format/Safetensors.h"

#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

using namespace nnc;

namespace {

double tolerance() {
  std::ifstream file(NNC_TEST_TOLERANCES);
  return nlohmann::json::parse(file)["training_f32"]["rtol"];
}

class Golden : public Steps {
protected:
  bool isCuda() const { return std::string(GetParam()) == "cuda"; }

  void read(const std::string &name) {
    std::string path = std::string(NNC_TEST_GOLDEN) + "/" + name + ".safetensors";
    Result<format::Checkpoint> opened = format::Checkpoint::open(path);
    ASSERT_TRUE(opened) << opened.error().message;
    file.emplace(std::move(*opened));
  }

  /// Compiles a block of `name`.nn and begins with the weights of its file.
  void begin(const std::string &name, const std::string &block = "") {
    CompileOptions options = optionsFor(GetParam());
    options.model = block;
    open(compile(std::string(NNC_TEST_GOLDEN) + "/" + name + ".nn", options));
    for (const format::StoredTensor &stored : file->tensors())
      if (std::string name(stored.name); session && name.starts_with("init."))
        for (const Slot &slot : session->slots())
          if (slot.name == name.substr(5)) {
            Result<void> set = session->setState(slot.name, tensorOf(stored, stored.shape, 0));
            ASSERT_TRUE(set) << set.error().message;
          }
  }

  /// The part of a stored tensor that begins `part` times as many bytes in as it has.
  static Tensor tensorOf(const format::StoredTensor &stored, std::vector<int64_t> shape,
                         size_t part) {
    Result<Tensor> tensor = Tensor::empty(stored.type, shape);
    std::memcpy(tensor->data(), stored.data.data() + part * tensor->bytes(), tensor->bytes());
    return *tensor;
  }

  TensorMap batch(size_t step, const std::vector<std::string> &inputs) {
    TensorMap map;
    for (const std::string &input : inputs) {
      const format::StoredTensor *stored = file->find("in." + input);
      std::vector<int64_t> shape(stored->shape.begin() + 1, stored->shape.end());
      map.add(input, tensorOf(*stored, shape, step % static_cast<size_t>(stored->shape[0])));
    }
    return map;
  }

  std::vector<float> values(const std::string &key) {
    const format::StoredTensor *stored = file->find(key);
    if (!stored)
      return {};
    std::vector<float> result(stored->data.size() / sizeof(float));
    std::memcpy(result.data(), stored->data.data(), stored->data.size());
    return result;
  }

  /// Runs as many steps as there are losses of that name, at most `most`.
  void expectLosses(const std::string &key, const std::vector<std::string> &inputs,
                    size_t most = 10) {
    std::vector<float> wanted = values(key);
    ASSERT_FALSE(wanted.empty());
    double within = tolerance();
    for (size_t step = 0; step < std::min(wanted.size(), most) && session; ++step)
      EXPECT_NEAR(loss(batch(step, inputs)), wanted[step], within * std::abs(wanted[step]))
          << "step " << step;
  }

  /// The twin of a GPU takes its time.
  size_t steps() const { return isCuda() ? 3 : 10; }

  std::optional<format::Checkpoint> file;
};

TEST_P(Golden, CnnBySgd) {
  if (isCuda())
    GTEST_SKIP() << "the other networks have its kernels";
  read("cnn");
  begin("cnn");
  expectLosses("loss", {"image", "label"}, steps());
}

TEST_P(Golden, ResNetByNesterov) {
  read("resnet");
  begin("resnet");
  expectLosses("loss", {"image", "label"}, steps());
}

TEST_P(Golden, LstmByAdam) {
  read("lstm");
  begin("lstm");
  expectLosses("loss", {"ids", "label"}, steps());
}

TEST_P(Golden, GptByAdamWithClipping) {
  read("gpt");
  begin("gpt");
  expectLosses("loss", {"ids", "target"}, steps());
}

TEST_P(Golden, EveryOptimizerScheduleAndLoss) {
  read("optim");
  double within = tolerance();
  std::vector<std::string> blocks{"adam", "accumulated"};
  if (!isCuda())
    blocks.insert(blocks.end(), {"sgd", "dampened", "nesterov", "adamw", "rmsprop", "plain_rmsprop",
                                 "adagrad", "clipped", "averaged"});
  for (const std::string &name : blocks) {
    SCOPED_TRACE(name);
    begin("optim", name);
    if (!session)
      return;
    bool isRegression = name == "adamw" || name == "clipped";
    expectLosses(name + ".loss", {"x", isRegression ? "target" : "label"});
    std::string after = name + ".after.";
    for (const format::StoredTensor &stored : file->tensors()) {
      std::string key(stored.name);
      if (!key.starts_with(after))
        continue;
      std::vector<float> wanted = values(key), found = slot(key.substr(after.size()));
      ASSERT_EQ(found.size(), wanted.size());
      for (size_t i = 0; i < wanted.size(); ++i)
        EXPECT_NEAR(found[i], wanted[i], within) << key << "[" << i << "]";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, Golden, testing::Values("cpu", "cuda"),
                         [](const auto &info) { return std::string(info.param); });

} // namespace
