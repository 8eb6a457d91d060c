// Where the numbers of a loaded model's weights are: in its model.bin, in checkpoints beside it, or
// in memory of the process that compiled it.
#ifndef NNC_RUNTIME_WEIGHTDATA_H
#define NNC_RUNTIME_WEIGHTDATA_H

#include "runtime/format/Plan.h"

#include <vector>

namespace nnc::rt {

class WeightData {
public:
  using Bytes = std::span<const std::byte>;

  /// Maps what is outside of `container` and compares its size and hash with what the model was
  /// compiled with. `name` is the model's path: relative paths start in its folder. `given` is the
  /// memory of weights of a file without a path, by index of Model.weights.
  static Result<WeightData> open(const format::ModelT &model, const format::Container &container,
                                 const std::string &name, std::vector<Bytes> given = {});

  /// By index of Model.weights.
  Bytes operator[](size_t index) const { return weights[index]; }

private:
  std::vector<format::MappedFile> files;
  std::vector<Bytes> weights;
};

} // namespace nnc::rt

#endif
