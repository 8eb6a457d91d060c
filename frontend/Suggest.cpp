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

} // namespace nnc::frontend
