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
                             {"num_layers", "layers"},
                             {"hidden_size", "d"},
                             {"nonlinearity", "activation"},
                             {"d_model", "dim"},
                             {"nhead", "heads"},
                             {"dim_feedforward", "ffn"},
                             {"dropout", "p"},
                             {"layer_norm_eps", "eps"},
                             {"elementwise_affine", "affine"},
                             {"in1_features", "d1"},
                             {"in2_features", "d2"},
                             {"num_parameters", "c"},
                             {"negative_slope", "slope"},
                             {"upscale_factor", "factor"},
                             {"downscale_factor", "factor"},
                             {"output_size", "size"},
                             {"label_smoothing", "smoothing"},
                             {"ignore_index", "ignore"},
                             {"is_causal", "causal"},
                             {"attn_mask", "mask"},
                             {"src_mask", "mask"},
                             {"tgt_mask", "mask"},
                             {"group_size", "group"},
                             {"scale_factor", "scale"},
                             {"start_dim", "start"},
                             {"end_dim", "end"},
                             {"low", "min"},
                             {"high", "max"},
                             {"shifts", "shift"}};
  for (const Pair &pair : kPairs)
    if (pair.foreign == foreign &&
        std::find(candidates.begin(), candidates.end(), pair.local) != candidates.end())
      return pair.local;
  return std::nullopt;
}

std::optional<std::string_view> argumentAdvice(std::string_view foreign) {
  if (foreign == "batch_first")
    return "the batch is always the first axis: leave it out";
  if (foreign == "inplace")
    return "functions make new values, which the compiler puts where it can: leave it out";
  if (foreign == "device")
    return "a model is compiled for a device by `nnc --target`: leave it out";
  if (foreign == "unbiased" || foreign == "correction")
    return "`var` divides by the number of elements n; the unbiased one is that times `n / (n - "
           "1)`";
  if (foreign == "approximate")
    return "the approximation by tanh is a function of its own: `gelu_tanh`";
  if (foreign == "padding_mode")
    return "other paddings are a stage before it: `pad([0, 0, 1, 1], mode=\"reflect\")`";
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
                             kRepeat = "patterns repeat: `x |> repeat(\"b d -> b n d\", n=3)`",
                             kTopk = "`values, places = topk(x, n)` is in descending order; for "
                                     "ascending order, `topk(-x, n)`",
                             kLike = "sizes have names, and `shape(x)` has all: `zeros([B, T])`, "
                                     "`zeros(shape(x))`, `normal(shape(x))`",
                             kPad = "each axis has its width, or a pair: "
                                    "`pad([0, 0, 1, (0, 2)], mode=\"reflect\")`",
                             kMissing = "there is nothing like it here yet",
                             kOperator = "it is written with operators: `a + b`, `a * b`, `a ** 2`",
                             kLogic = "`not`, `and` and `or` are operators on bools too",
                             kLayers = "layers in order are a list: "
                                       "`[TransformerEncoderLayer(512, 8) for _ in 0..6]`",
                             kOptimizer = "an optimizer is a module with a function `update`; SGD, "
                                          "Adam, AdamW, RMSprop and Adagrad are in the library",
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
      {"chunk", "split", {}},
      {"clip", "clamp", {}},
      {"sort", {}, kTopk},
      {"argsort", {}, kTopk},
      {"pow", {}, kOperator},
      {"add", {}, kOperator},
      {"sub", {}, kOperator},
      {"mul", {}, kOperator},
      {"div", {}, kOperator},
      {"std", {}, "the root of the variance: `sqrt(var(x, axis=1))`"},
      {"maximum", "max", {}},
      {"minimum", "min", {}},
      {"ReflectionPad1d", {}, kPad},
      {"ReflectionPad2d", {}, kPad},
      {"ReplicationPad1d", {}, kPad},
      {"ReplicationPad2d", {}, kPad},
      {"ZeroPad1d", {}, kPad},
      {"ZeroPad2d", {}, kPad},
      {"ConstantPad1d", {}, kPad},
      {"ConstantPad2d", {}, kPad},
      {"CircularPad2d", {}, kPad},
      {"ConvTranspose3d", {}, kMissing},
      {"MaxPool3d", "max_pool3d", {}},
      {"AvgPool3d", "avg_pool3d", {}},
      {"AdaptiveAvgPool3d",
       {},
       "that of size 1 is `global_avg_pool`, which takes any number of axes"},
      {"Unflatten", {}, kJoin},
      {"unflatten", {}, kJoin},
      {"embedding", {}, "a tensor of ints gathers rows: `weight[ids]`"},
      {"EmbeddingBag", {}, "rows are gathered and combined: `mean(table(ids), axis=1)`"},
      {"lerp", {}, "it is `a + t * (b - a)`"},
      {"remainder", {}, "it is `a % b`"},
      {"fmod", {}, "it is `a - b * trunc(a / b)`"},
      {"isinf", {}, "it is `abs(x) == inf`"},
      {"isfinite", {}, "it is `abs(x) < inf`"},
      {"nan_to_num", {}, "only NaN differs from itself: `where(x != x, 0, x)`"},
      {"bernoulli", {}, "it is `uniform(shape(p)) < p`"},
      {"tensordot", {}, "`einsum` names the axes: `einsum(\"b i, i j -> b j\", x, w)`"},
      {"rand_like", {}, kLike},
      {"randn_like", {}, kLike},
      {"atan", {}, kMissing},
      {"atan2", {}, kMissing},
      {"asin", {}, kMissing},
      {"acos", {}, kMissing},
      {"fft", {}, kMissing},
      {"rfft", {}, kMissing},
      {"grid_sample", {}, kMissing},
      {"ctc_loss", {}, kMissing},
      {"CTCLoss", {}, kMissing},
      {"fold", {}, kMissing},
      {"Fold", {}, kMissing},
      {"unfold", {}, kMissing},
      {"Unfold", {}, kMissing},
      {"weight_norm",
       {},
       "give the product of both factors as the weight: "
       "`conv2d(x, g * v / sqrt(sum(v ** 2, axis=(1, 2, 3), keep=true)))`"},
      {"spectral_norm", {}, kMissing},
      {"multinomial", {}, kMissing},
      {"norm", {}, "it is `sqrt(sum(x ** 2, axis=1))`; `normalize(x)` divides by it"},
      {"Identity", {}, "the identity is the empty list, `[]`"},
      {"tile", {}, kRepeat},
      {"expand", {}, kRepeat},
      {"repeat_interleave", {}, kRepeat},
      {"masked_fill", {}, "it is `where(mask, value, x)`"},
      {"zeros_like", {}, kLike},
      {"ones_like", {}, kLike},
      {"full_like", {}, kLike},
      {"randn", "normal", {}},
      {"rand", "uniform", {}},
      {"amax", "max", {}},
      {"amin", "min", {}},
      {"swish", "silu", {}},
      {"binary_cross_entropy", "bce_loss", {}},
      {"binary_cross_entropy_with_logits", "bce_with_logits", {}},
      {"BCELoss", "bce_loss", {}},
      {"BCEWithLogitsLoss", "bce_with_logits", {}},
      {"CrossEntropyLoss", "cross_entropy", {}},
      {"KLDivLoss", "kl_div", {}},
      {"LocalResponseNorm", "local_response_norm", {}},
      {"TransformerEncoder", {}, kLayers},
      {"TransformerDecoder", {}, kLayers},
      {"NAdam", {}, kOptimizer},
      {"RAdam", {}, kOptimizer},
      {"Adadelta", {}, kOptimizer},
      {"Adamax", {}, kOptimizer},
      {"LAMB", {}, kOptimizer},
      {"Lion", {}, kOptimizer},
      {"Muon", {}, kOptimizer},
      {"Adafactor", {}, kOptimizer},
      {"logical_not", {}, kLogic},
      {"logical_and", {}, kLogic},
      {"logical_or", {}, kLogic},
      {"isnan", {}, "only NaN differs from itself: `x != x`"},
      {"meshgrid", {}, "`none` adds an axis: `arange(n)[:, none]`, `arange(m)[none, :]`"},
      {"outer", {}, "`none` adds an axis: `a[:, none] * b[none, :]`"},
      {"index_select", "gather", {}},
      {"PixelShuffle", "pixel_shuffle", {}},
      {"AdaptiveMaxPool2d", "adaptive_max_pool", {}},
      {"adaptive_max_pool2d", "adaptive_max_pool", {}},
      {"AdaptiveAvgPool1d", "adaptive_avg_pool", {}},
      {"AvgPool1d", "avg_pool", {}},
      {"MaxPool1d", "max_pool", {}},
      {"scaled_dot_product_attention", "attention", {}},
      {"parameters", {}, "an optimizer takes all params of the model: `Adam(lr=1e-3)`"},
      {"item", {}, "what calls the model reads the number: leave it out"},
      {"detach", {}, "no gradient passes `stop_gradient(x)`"},
      {"range", {}, "a range is written `0..n`, a tensor of its numbers `arange(n)`"},
      {"self", {}, "members are named by themselves: `fc`, not `self.fc`"},
      {"torch", {}, kScope, true},
      {"nn", {}, kScope, true},
      {"np", {}, kScope, true},
      {"numpy", {}, kScope, true},
      {"F", {}, kScope, true},
      {"jnp", {}, kScope, true},
      {"tf", {}, kScope, true},
      {"math", {}, kScope, true},
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
      {"print", {}, "`nnc shapes` prints the shape of every value"},
      {"unsqueeze", {}, "`none` adds an axis: `x[:, none]`"},
      {"squeeze", {}, "an index takes an axis away: `x[:, 0]`"},
      {"to", {}, kCast},
      {"astype", {}, kCast},
      {"shape",
       {},
       "sizes have names in the type of the parameter: `x: float[B, T]`, then `T`; "
       "`shape(x)` is the list of all"},
      {"size", {}, "sizes have names in the type of the parameter: `x: float[B, T]`, then `T`"}};
  for (const ForeignName &known : kNames)
    if (known.foreign == name)
      return &known;
  return nullptr;
}

} // namespace nnc::frontend
