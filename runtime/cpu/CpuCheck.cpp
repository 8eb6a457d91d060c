//===- CpuCheck.cpp - does this machine have what the code needs ----------===//

#include "runtime/cpu/ObjectLoader.h"

#include <fmt/format.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

using namespace nnc;

#if defined(__x86_64__)

namespace {

enum class Register { Eax, Ebx, Ecx, Edx };
/// Registers beyond SSE that the operating system has to save when it switches threads.
enum class State { None, Avx, Avx512 };

struct Feature {
  std::string_view name;
  unsigned leaf, subleaf;
  Register reg;
  unsigned bit;
  State state;
};

constexpr Feature knownFeatures[] = {
#define NNC_CPU_FEATURE(name, leaf, subleaf, reg, bit, state)                                      \
  {name, leaf, subleaf, Register::reg, bit, State::state},
#include "runtime/cpu/CpuFeatures.def"
#undef NNC_CPU_FEATURE
};

} // namespace

static bool isSaved(State state) {
  if (state == State::None)
    return true;
  unsigned regs[4];
  if (!__get_cpuid(1, &regs[0], &regs[1], &regs[2], &regs[3]) || !(regs[2] & (1u << 27)))
    return false;
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  unsigned wanted = state == State::Avx ? 0x06 : 0xe6;
  return (low & wanted) == wanted;
}

static bool isPresent(const Feature &feature) {
  unsigned regs[4] = {};
  return __get_cpuid_count(feature.leaf, feature.subleaf, &regs[0], &regs[1], &regs[2], &regs[3]) &&
         (regs[static_cast<int>(feature.reg)] >> feature.bit & 1) && isSaved(feature.state);
}

static Result<void> checkFeature(const std::string &name) {
  for (const Feature &feature : knownFeatures) {
    if (feature.name != name)
      continue;
    if (isPresent(feature))
      return {};
    return Error{fmt::format("the model was compiled for cpus with {}, which this machine does not "
                             "have; compile it again here or with a smaller --cpu",
                             name)};
  }
  return Error{
      fmt::format("the model needs the cpu feature '{}', which this version does not know", name)};
}

#endif

Result<void> rt::checkCpuFeatures(std::span<const std::string> features) {
#if defined(__x86_64__)
  for (const std::string &name : features)
    if (Result<void> checked = checkFeature(name); !checked)
      return checked.error();
  return {};
#else
  return Error{"the cpu target runs on x86-64 only, and this machine is not x86-64"};
#endif
}
