// The element types of tensors, everywhere outside MLIR: in the plan, in files and in the public
// API. One table; the numbers are part of the model.bin format and of the C ABI.
#ifndef NNC_RUNTIME_FORMAT_DTYPE_H
#define NNC_RUNTIME_FORMAT_DTYPE_H

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace nnc {

// X(enumerator, number, name in .nn, bytes, numpy descr or "", safetensors name or "")
#define NNC_DTYPES(X)                                                                              \
  X(F32, 0, "f32", 4, "<f4", "F32")                                                                \
  X(F16, 1, "f16", 2, "<f2", "F16")                                                                \
  X(BF16, 2, "bf16", 2, "", "BF16")                                                                \
  X(F64, 3, "f64", 8, "<f8", "F64")                                                                \
  X(I8, 4, "i8", 1, "|i1", "I8")                                                                   \
  X(I16, 5, "i16", 2, "<i2", "I16")                                                                \
  X(I32, 6, "i32", 4, "<i4", "I32")                                                                \
  X(I64, 7, "i64", 8, "<i8", "I64")                                                                \
  X(U8, 8, "u8", 1, "|u1", "U8")                                                                   \
  X(Bool, 9, "bool", 1, "|b1", "BOOL")                                                             \
  X(F8E4M3, 10, "f8e4m3", 1, "", "F8_E4M3")                                                        \
  X(F8E5M2, 11, "f8e5m2", 1, "", "F8_E5M2")

/// The type of one element. A bool is one byte, 0 or 1.
enum class DType : uint8_t {
#define NNC_DTYPE(ID, NUMBER, NAME, BYTES, NUMPY, SAFETENSORS) ID = NUMBER,
  NNC_DTYPES(NNC_DTYPE)
#undef NNC_DTYPE
};

/// How many types there are; valid numbers are below it.
constexpr uint8_t NumDTypes = 12;

struct DTypeInfo {
  std::string_view name;        ///< as in `.nn`, e.g. "f32"
  size_t bytes;                 ///< of one element
  std::string_view numpy;       ///< numpy's descr, e.g. "<f4"; empty: numpy has no such type
  std::string_view safetensors; ///< e.g. "F32"
};

/// The table's row; `type` must be one of the enumerators.
const DTypeInfo &dtypeInfo(DType type);

inline std::string_view dtypeName(DType type) { return dtypeInfo(type).name; }
inline size_t dtypeBytes(DType type) { return dtypeInfo(type).bytes; }

std::optional<DType> dtypeFromName(std::string_view name);
std::optional<DType> dtypeFromNumpy(std::string_view descr);
std::optional<DType> dtypeFromSafetensors(std::string_view name);
std::optional<DType> dtypeFromNumber(unsigned number);

} // namespace nnc

#endif
