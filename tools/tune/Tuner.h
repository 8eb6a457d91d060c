// `nnc --tune`: measures the tactics of a model's kernels on the GPU of this machine, and keeps the
// best in a lock file.
#pragma once

#include "tools/compiler/Compile.h"

#include "frontend/syntax/Diagnostics.h"
#include "frontend/syntax/Source.h"

#include <string>

namespace nnc::tune {

struct TuneOptions {
  double seconds = 60; ///< nothing new is begun after them
  std::string lock;    ///< where choices go; those for other kernels that are there stay
};

/// Measures each kernel that has several tactics, those first that take longest at least; `lock` is
/// a whole file after each. Dimensions that are open are tuned at the sizes that the cost model
/// takes for them. Prints a table on standard output. False after errors, which are in the
/// diagnostics: those of compiling, and no GPU.
bool tuneModel(syntax::SourceManager &, syntax::Diagnostics &, syntax::FileId file,
               const CompileOptions &, const TuneOptions &);

} // namespace nnc::tune
