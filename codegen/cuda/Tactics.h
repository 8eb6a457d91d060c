//===- Tactics.h - Who decides between ways to do the same --------------------------*- C++ -*-===//
//
// Every choice that changes times and not results passes through TacticBook::choose: what the
// attribute nn.tactic says, else what the lock file says, else what the cost model ranks first.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CUDA_TACTICS_H
#define NNC_CODEGEN_CUDA_TACTICS_H

#include "codegen/cuda/LockFile.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace mlir {
class Operation;
}

namespace nnc::codegen {

/// The choices of one build.
class TacticBook {
public:
  /// What there was to choose for one key.
  struct Decision {
    std::vector<std::string> candidates; ///< the best by the cost model first
    size_t chosen = 0;
    mlir::Operation *op = nullptr;   ///< the first that asked
    mlir::Operation *last = nullptr; ///< and the last
    unsigned count = 0;              ///< how many asked, each as often as it likes
  };

  /// By the cost model alone.
  TacticBook() = default;
  /// By a lock file for one architecture.
  TacticBook(LockFile lock, std::string arch) : lock(std::move(lock)), arch(std::move(arch)) {}

  /// Which of `candidates` to use for `op`, whose sizes and types `key` says.
  size_t choose(mlir::Operation *op, const std::string &key, std::vector<std::string> candidates);

  const std::map<std::string, Decision> &decisions() const { return made; }
  /// Whether the file's line for `key` was followed.
  bool isUsed(const std::string &key) const { return used.contains(key); }
  /// Lines for the architecture that changed nothing: nobody asked, or there is no such choice.
  std::vector<LockMistake> unused() const;

private:
  LockFile lock;
  std::string arch;
  std::map<std::string, Decision> made;
  std::set<std::string> used; ///< keys whose line was followed
};

} // namespace nnc::codegen

#endif // NNC_CODEGEN_CUDA_TACTICS_H
