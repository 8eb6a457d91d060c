// The JSON header of a .safetensors file, as written in it: not yet checked against the data.
#ifndef NNC_RUNTIME_FORMAT_SAFETENSORSHEADER_H
#define NNC_RUNTIME_FORMAT_SAFETENSORSHEADER_H

#include "runtime/format/Result.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace nnc::format {

struct HeaderEntry {
  std::string name;
  std::string dtype;
  std::vector<uint64_t> shape;
  std::vector<uint64_t> offsets;
};

struct SafetensorsHeader {
  std::vector<HeaderEntry> entries;
  std::map<std::string, std::string> metadata; ///< what `__metadata__` says
};

/// Parses without recursion. Errors (a clause about the header): not valid JSON, not the expected
/// structure, doubled names or fields.
Result<SafetensorsHeader> parseSafetensorsHeader(std::string_view json);

} // namespace nnc::format

#endif
