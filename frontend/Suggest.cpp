// Names that people bring along from PyTorch.
#include "frontend/Suggest.h"

#include <algorithm>

namespace nnc::frontend {

std::optional<std::string_view> localName(std::string_view foreign,
                                          const std::vector<std::string_view> &candidates) {
  struct Pair {
    std::string_view foreign, local;
  };
  constexpr Pair kPairs[] = {{"dim", "axis"},
                             {"dims", "axis"},
                             {"keepdim", "keep"},
                             {"keepdims", "keep"},
                             {"dtype", "element"},
                             {"pad", "padding"},
                             {"strides", "stride"},
                             {"in_channels", "c_in"},
                             {"out_channels", "c_out"},
                             {"in_features", "d_in"},
                             {"out_features", "d_out"},
                             {"kernel_size", "kernel"},
                             {"num_embeddings", "rows"},
                             {"embedding_dim", "dim"},
                             {"num_features", "c"},
                             {"num_groups", "groups"},
                             {"num_channels", "c"},
                             {"normalized_shape", "dim"},
                             {"num_heads", "heads"},
                             {"embed_dim", "dim"},
                             {"num_classes", "classes"},
                             {"input_size", "d_in"},
                             {"scale_factor", "scale"}};
  for (const Pair &pair : kPairs)
    if (pair.foreign == foreign &&
        std::find(candidates.begin(), candidates.end(), pair.local) != candidates.end())
      return pair.local;
  return std::nullopt;
}

const ForeignName *findForeignName(std::string_view name) {
  constexpr std::string_view kScope = "the library is in scope without a prefix: `Linear(4, 8)`, "
                                      "`relu(x)`",
                             kList = "a list runs its elements in order: `[Linear(4, 8), relu]`",
                             kMatmul = "matrices are multiplied by `@`: `a @ b`",
                             kMove = "`x.T` swaps the last two axes, patterns move and join any: "
                                     "`x |> rearrange(\"b t d -> b d t\")`",
                             kJoin = "patterns split and join axes: "
                                     "`x |> rearrange(\"b c h w -> b (c h w)\")`",
                             kCast = "types cast: `f32(x)`, `float(x)`, `i32(x)`";
  static constexpr ForeignName kNames[] = {
      {"None", "none", {}},
      {"True", "true", {}},
      {"False", "false", {}},
      {"null", "none", {}},
      {"nil", "none", {}},
      {"cat", "concat", {}},
      {"concatenate", "concat", {}},
      {"avg", "mean", {}},
      {"average", "mean", {}},
      {"MaxPool2d", "max_pool", {}},
      {"max_pool2d", "max_pool", {}},
      {"AvgPool2d", "avg_pool", {}},
      {"avg_pool2d", "avg_pool", {}},
      {"AdaptiveAvgPool2d", "adaptive_avg_pool", {}},
      {"adaptive_avg_pool2d", "adaptive_avg_pool", {}},
      {"interpolate", "upsample", {}},
      {"scaled_dot_product_attention", "attention", {}},
      {"range", {}, "a range is written `0..n`, a tensor of its numbers `arange(n)`"},
      {"self", {}, "members are named by themselves: `fc`, not `self.fc`"},
      {"torch", {}, kScope},
      {"nn", {}, kScope},
      {"np", {}, kScope},
      {"numpy", {}, kScope},
      {"F", {}, kScope},
      {"jnp", {}, kScope},
      {"tf", {}, kScope},
      {"math", {}, kScope},
      {"Sequential", {}, kList},
      {"ModuleList", {}, kList},
      {"Parameter", {}, "a parameter is declared: `param scale: float[64] = 1`"},
      {"matmul", {}, kMatmul},
      {"mm", {}, kMatmul},
      {"bmm", {}, kMatmul},
      {"dot", {}, kMatmul},
      {"permute", {}, kMove},
      {"transpose", {}, kMove},
      {"t", {}, kMove},
      {"view", {}, kJoin},
      {"unsqueeze", {}, "`none` adds an axis: `x[:, none]`"},
      {"squeeze", {}, "an index takes an axis away: `x[:, 0]`"},
      {"to", {}, kCast},
      {"astype", {}, kCast},
      {"shape", {}, "sizes have names in the type of the parameter: `x: float[B, T]`, then `T`"},
      {"size", {}, "sizes have names in the type of the parameter: `x: float[B, T]`, then `T`"}};
  for (const ForeignName &known : kNames)
    if (known.foreign == name)
      return &known;
  return nullptr;
}

} // namespace nnc::frontend
