// `@kernel`: which calls become the kernel's operation, and what is refused.
#include "Compiling.h"

#include <algorithm>
#include <gtest/gtest.h>

namespace nnc::frontend::testing {
namespace {

/// A model that calls the prelude's attention on q[2, 4, T, 8] and keys [2, K, S, 8].
std::string attentionModel(const std::string &arguments, const std::string &mask = "bool[2, S]") {
  return "model Net {\n  fn forward(q: float[2, 4, T, 8], k: float[2, 2, S, 8], m: " + mask +
         ", pos: i32[]) requires T in 1..=9, S in 1..=9 {\n    return attention(" + arguments +
         ")\n  }\n}\n";
}

std::string irOf(const std::string &text) {
  Compilation compilation(text);
  compilation.emit();
  EXPECT_EQ(compilation.messages(), "");
  return compilation.ir();
}

bool has(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

TEST(Kernels, AttentionBecomesOneOperation) {
  std::string ir = irOf(attentionModel("q, k, k"));
  EXPECT_TRUE(has(ir, "nn.attention %arg0, %arg1, %arg2 :")) << ir;
  EXPECT_FALSE(has(ir, "nn.softmax")) << ir;
}

TEST(Kernels, MasksStretchAndCausalTakesTheOffset) {
  std::string ir = irOf(attentionModel("q, k, k, m[:, none, none, :], true, pos"));
  EXPECT_TRUE(has(ir, "nn.broadcast")) << ir;
  EXPECT_TRUE(has(ir, " offset %arg4 {causal} :")) << ir;
  ir = irOf(attentionModel("q, k, k, m", "bool[T, S]"));
  EXPECT_TRUE(has(ir, "{dims = array<i64: 2, 3>}")) << ir;
  ir = irOf(attentionModel("q, k, k, m", "bool[2, 4, T, S]"));
  EXPECT_FALSE(has(ir, "nn.broadcast")) << ir;
  // Without causal the offset means nothing.
  EXPECT_FALSE(has(irOf(attentionModel("q, k, k, offset=pos")), " offset ")) << ir;
}

TEST(Kernels, TheBodyDoesSizesWithoutAKernel) {
  std::string ir = irOf("model Net {\n  fn forward(q: float[1, 2, T, 320]) requires T in 1..=9 = "
                        "attention(q, q, q)\n}\n");
  EXPECT_FALSE(has(ir, "nn.attention")) << ir;
  EXPECT_TRUE(has(ir, "nn.softmax")) << ir;
}

TEST(Kernels, TheBodyIsStillChecked) {
  std::string messages =
      compiled("model Net {\n  fn forward(q: float[1, 3, T, 8], k: float[1, 2, T, 8]) "
               "requires T in 1..=9 =\n    attention(q, k, k)\n}\n");
  // Where in the library it is required changes with the library.
  messages.erase(std::min(messages.find("prelude/attention.nn:"), messages.size()));
  EXPECT_EQ(
      messages,
      R"(error[E0501]: `attention` requires `H % K == 0`: query heads must be a multiple of key/value heads, but 3 % 2 is 1
 --> model.nn:3:5
  |
3 |     attention(q, k, k)
  |     ^^^^^^^^^ H = 3, K = 2
  |
  = note: required at )");
}

const std::string kParameters = "(q: float[B, H, T, D], k: float[B, H, S, D], v: float[B, H, S, D],"
                                " mask: bool[...M]?, causal: bool, offset: i32[])";

std::string withKernel(const std::string &attribute, const std::string &parameters) {
  return attribute + "\nfn f" + parameters + " = q\nmodel Net {\n" +
         "  fn forward(x: float[1, 2, 3, 4]) = f(x, x, x, none, false, 0)\n}\n";
}

TEST(Kernels, AnUnknownKernel) {
  EXPECT_EQ(compiled(withKernel("@kernel(\"flash_atention\")", kParameters)),
            R"(error[E0212]: unknown kernel `flash_atention`
 --> model.nn:1:9
  |
1 | @kernel("flash_atention")
  |         ^^^^^^^^^^^^^^^^
  |
help: `flash_attention` has a similar name
1 | @kernel("flash_attention")
  |         ~~~~~~~~~~~~~~~~~
)");
  EXPECT_EQ(compiled(withKernel("@kernel(\"fft\")", kParameters)),
            R"(error[E0212]: unknown kernel `fft`
 --> model.nn:1:9
  |
1 | @kernel("fft")
  |         ^^^^^
  |
  = note: the kernels are `flash_attention`
)");
}

TEST(Kernels, NoName) {
  EXPECT_EQ(compiled(withKernel("@kernel(3)", kParameters)),
            R"(error[E0212]: `@kernel` takes the name of a kernel
 --> model.nn:1:1
  |
1 | @kernel(3)
  | ^^^^^^^^^^
  |
help: write it as a string: `@kernel("flash_attention")`
)");
}

TEST(Kernels, AnotherSignature) {
  EXPECT_EQ(compiled("@kernel(\"flash_attention\")\nfn f(q: float[B, D]) = q\nmodel Net {\n"
                     "  fn forward(x: float[1, 2]) = f(x)\n}\n"),
            R"(error[E0212]: `f` is no function for the kernel `flash_attention`
 --> model.nn:1:1
  |
1 | @kernel("flash_attention")
  | ^^^^^^^^^^^^^^^^^^^^^^^^^^
2 | fn f(q: float[B, D]) = q
  |     ---------------- its parameters are others
  |
  = note: the kernel is for `(q: float[B, H, T, D], k: float[B, K, S, D], v: float[B, K, S, D], mask: bool[...M]?, causal: bool, offset: i32[])`
)");
}

} // namespace
} // namespace nnc::frontend::testing
