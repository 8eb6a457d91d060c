//===- Features.cpp - the machine that the cpu target emits for -----------===//

#include "codegen/cpu/Features.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"
#include "llvm/TargetParser/X86TargetParser.h"

#include <fmt/format.h>

using namespace nnc;
using namespace nnc::codegen;

bool CpuFeatures::has(const std::string &feature) const {
  return llvm::is_contained(features, feature);
}

/// The names of the features of `cpu` that are enabled.
static Result<llvm::StringMap<bool>> listFeatures(const std::string &cpu) {
  if (cpu == "native") {
    if (!llvm::Triple(llvm::sys::getProcessTriple()).isX86())
      return Error{
          "the cpu target generates x86-64 code only, and this machine is not x86-64; name "
          "a cpu such as x86-64-v3 instead of native"};
    return llvm::sys::getHostCPUFeatures();
  }
  llvm::SmallVector<llvm::StringRef> known, names;
  llvm::X86::fillValidCPUArchList(known, /*Only64Bit=*/true);
  if (!llvm::is_contained(known, cpu))
    return Error{fmt::format("'{}' is not an x86-64 cpu that is known here; examples are native, "
                             "x86-64, x86-64-v3, x86-64-v4",
                             cpu)};
  llvm::X86::getFeaturesForCPU(cpu, names);
  llvm::StringMap<bool> result;
  for (llvm::StringRef name : names)
    result[name] = true;
  return result;
}

Result<CpuFeatures> codegen::getCpuFeatures(const std::string &cpu) {
  Result<llvm::StringMap<bool>> available = listFeatures(cpu);
  if (!available)
    return available.error();
  CpuFeatures result;
  result.cpu = cpu == "native" ? llvm::sys::getHostCPUName().str() : cpu;
#define NNC_CPU_FEATURE(name, leaf, subleaf, reg, bit, state)                                      \
  if (available->lookup(name))                                                                     \
    result.features.push_back(name);
#include "runtime/cpu/CpuFeatures.def"
#undef NNC_CPU_FEATURE
  result.fma = result.has("fma");
  result.halfConversions = result.has("f16c");
  if (result.has("avx2")) {
    result.vectorBytes = 32;
    result.maskBytes = 4;
  }
  if (result.has("avx512f") && result.has("avx512vl") && result.has("avx512dq")) {
    result.vectorBytes = 64;
    result.vectorRegisters = 32;
    result.maskBytes = result.has("avx512bw") ? 1 : 4;
  }
  return result;
}
