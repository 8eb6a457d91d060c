// Holds the text that CMake made of prelude/std.nn.
#include "frontend/Prelude.h"

namespace nnc::frontend {

static constexpr char kText[] =
#include "frontend/prelude/std.nn.inc"
    ;

std::string_view preludeText() { return {kText, sizeof(kText) - 1}; }

} // namespace nnc::frontend
