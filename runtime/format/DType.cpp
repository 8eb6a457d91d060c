#include "runtime/format/DType.h"

using namespace nnc;

static constexpr DTypeInfo table[] = {
#define NNC_DTYPE(ID, NUMBER, NAME, BYTES, NUMPY, SAFETENSORS) {NAME, BYTES, NUMPY, SAFETENSORS},
    NNC_DTYPES(NNC_DTYPE)
#undef NNC_DTYPE
};
static_assert(std::size(table) == NumDTypes);

const DTypeInfo &nnc::dtypeInfo(DType type) { return table[static_cast<uint8_t>(type)]; }

std::optional<DType> nnc::dtypeFromNumber(unsigned number) {
  if (number >= NumDTypes)
    return std::nullopt;
  return static_cast<DType>(number);
}

static std::optional<DType> find(std::string_view DTypeInfo::*column, std::string_view text) {
  for (unsigned number = 0; number < NumDTypes; ++number)
    if (!text.empty() && table[number].*column == text)
      return static_cast<DType>(number);
  return std::nullopt;
}

std::optional<DType> nnc::dtypeFromName(std::string_view name) {
  return find(&DTypeInfo::name, name);
}

std::optional<DType> nnc::dtypeFromNumpy(std::string_view descr) {
  return find(&DTypeInfo::numpy, descr);
}

std::optional<DType> nnc::dtypeFromSafetensors(std::string_view name) {
  return find(&DTypeInfo::safetensors, name);
}
