//===- AttentionTiles.h - Which template attention runs on, and its tile ------------*- C++ -*-===//
//
// As the templates in codegen/device lay themselves out. What is chosen changes times, and results
// only by the order of sums.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CUDA_ATTENTIONTILES_H
#define NNC_CODEGEN_CUDA_ATTENTIONTILES_H

#include <cstdint>
#include <string>
#include <vector>

namespace nnc::codegen {

/// What is known of an attention; of sizes that vary, typical ones.
struct AttentionProblem {
  bool isNarrow;           ///< elements have 16 bits
  int64_t headSize, lanes; ///< elements of a head that one load takes
  int64_t heads;           ///< of keys, in all batches
  int64_t rows, keys;      ///< of each
  bool isCausal;
};

/// A way to do all rows, in tiles.
struct AttentionTile {
  std::string function;             ///< "attention<AttentionTile<16, 64, 64, 4, 256>, "
  std::vector<std::string> headers; ///< besides attention.cuh
  int64_t rows;
  unsigned threads, sharedBytes;
  unsigned together = 0; ///< if set: how many blocks a multiprocessor holds, by its registers
  unsigned sharedElsewhere = 0; ///< instead of sharedBytes where there are no groups of warps

  /// "AttentionTile<16, 64, 64, 4, 256>": the function's template argument.
  std::string tactic() const;
};

AttentionTile chooseAttentionTile(const AttentionProblem &problem);
/// Of its gradients: rows of keys or of queries. `lanes` are those of gradients too.
AttentionTile chooseAttentionGradTile(const AttentionProblem &problem);

} // namespace nnc::codegen

#endif // NNC_CODEGEN_CUDA_ATTENTIONTILES_H
