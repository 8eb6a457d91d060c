#include "runtime/cuda/Arch.h"

#include <charconv>
#include <fmt/format.h>

using namespace nnc;
using namespace nnc::format;

int rt::suitability(std::string_view arch, int capability) {
  constexpr std::string_view Prefix = "sm_";
  if (!arch.starts_with(Prefix))
    return 0;
  arch.remove_prefix(Prefix.size());
  int number = 0;
  auto [end, failure] = std::from_chars(arch.data(), arch.data() + arch.size(), number);
  if (failure != std::errc() || number / 10 != capability / 10 || number > capability)
    return 0;
  std::string_view suffix(end, static_cast<size_t>(arch.data() + arch.size() - end));
  int base = 1 + 10 * (number % 10); // a nearer minor version is better
  if (suffix.empty())
    return base;
  if (suffix == "f")
    return base + 1;
  return suffix == "a" && number == capability ? base + 2 : 0;
}

const ImageT *rt::bestImage(const CudaModuleT &module, int capability) {
  const ImageT *best = nullptr;
  int highest = 0;
  for (const std::unique_ptr<ImageT> &image : module.images) {
    int value = suitability(image->arch, capability);
    if (value > highest) {
      highest = value;
      best = image.get();
    }
  }
  return best;
}

std::string rt::nativeArch(int capability) {
  return fmt::format("sm_{}{}", capability, capability >= 90 ? "a" : "");
}
