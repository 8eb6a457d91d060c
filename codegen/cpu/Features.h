//===- Features.h - the machine that the cpu target emits for ---*- C++ -*-===//
//
// Which instruction set extensions are used, and what follows from them for vectors. Only
// extensions of runtime/cpu/CpuFeatures.def are used, because only those can be checked when a
// model is loaded.
//
//===----------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CPU_FEATURES_H
#define NNC_CODEGEN_CPU_FEATURES_H

#include "runtime/format/Result.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nnc::codegen {

struct CpuFeatures {
  std::string cpu;                   ///< as LLVM names it; tunes, but adds no instructions
  std::vector<std::string> features; ///< in the order of CpuFeatures.def
  int64_t vectorBytes = 16;          ///< the widest register
  int64_t vectorRegisters = 16;
  bool fma = false;
  bool halfConversions = false;  ///< f16 to f32 and back in hardware
  int64_t maskBytes = INT64_MAX; ///< masked memory access is cheap for elements at least this big

  bool has(const std::string &feature) const;
};

/// `cpu` is "native" or a name that LLVM knows; fails for any other.
Result<CpuFeatures> getCpuFeatures(const std::string &cpu);

} // namespace nnc::codegen

#endif
