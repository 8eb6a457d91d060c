//===- LockFile.h - Which tactic each kernel uses, as text --------------------------*- C++ -*-===//
//
// What `nnc --tune` measured, one line per kernel and architecture, sorted, so that later builds on
// any machine make the same choices:
//
//   # nnc tune 1
//   # kernel | architecture | GPU | choice | microseconds
//   convolution bf16 100352x64x576 kk | sm_90a | NVIDIA H200 | MmaTile<128, 64, 2, 4, 3, 1> | 26.31
//
// Files come from anywhere: every line is checked.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CUDA_LOCKFILE_H
#define NNC_CODEGEN_CUDA_LOCKFILE_H

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nnc::codegen {

struct LockLine {
  std::string key;         ///< what the kernel does, with its sizes
  std::string arch;        ///< "sm_90a": what the choice is for
  std::string gpu;         ///< where it was measured, for people
  std::string choice;      ///< the tactic as its template is written
  double microseconds = 0; ///< of the kernel with it, for people
  unsigned line = 0;       ///< in the file; 0: from no file
};

/// What is wrong with a line of a file.
struct LockMistake {
  unsigned line; ///< from 1
  std::string message;
};

class LockFile {
public:
  /// Reads what can be read of any bytes; `mistakes` gets one for each line that cannot, in order.
  static LockFile parse(std::string_view text, std::vector<LockMistake> &mistakes);
  /// Sorted by kernel, then architecture; parse gives the same lines again.
  std::string text() const;

  /// Null if there is none for this kernel and architecture.
  const LockLine *find(const std::string &key, const std::string &arch) const;
  /// Adds a line, or puts it where that of the same kernel and architecture is.
  void set(LockLine line);
  void erase(const std::string &key, const std::string &arch) { lines.erase({key, arch}); }
  /// By kernel and architecture.
  const std::map<std::pair<std::string, std::string>, LockLine> &all() const { return lines; }

private:
  std::map<std::pair<std::string, std::string>, LockLine> lines;
};

} // namespace nnc::codegen

#endif // NNC_CODEGEN_CUDA_LOCKFILE_H
