// The index of a checkpoint in several files (`model.safetensors.index.json`).
#ifndef NNC_RUNTIME_FORMAT_SAFETENSORSINDEX_H
#define NNC_RUNTIME_FORMAT_SAFETENSORSINDEX_H

#include "runtime/format/Result.h"

#include <string>
#include <vector>

namespace nnc::format {

struct IndexEntry {
  std::string tensor;
  std::string shard; ///< the name of a file beside the index
};

/// The entries of `weight_map`; other members are skipped. Errors: unreadable, too large, not JSON,
/// no `weight_map`, a tensor named twice, a shard that is not a file's name ending in .safetensors.
Result<std::vector<IndexEntry>> readSafetensorsIndex(const std::string &path);

} // namespace nnc::format

#endif
