// `nnc shapes`: every intermediate value of a model with its shape, function by function.
#pragma once

#include "frontend/syntax/Diagnostics.h"
#include "tools/compiler/Compile.h"

#include <string>

namespace nnc {

/// Prints the bodies that make up the entry points of a model: a section per function and distinct
/// instance, a line per value. With `library`, those of the prelude too. False after errors; what
/// was found before them is printed.
bool printShapes(syntax::SourceManager &, syntax::Diagnostics &, const std::string &path,
                 const CompileOptions &options, bool library);

} // namespace nnc
