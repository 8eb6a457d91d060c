// --profile: the time of every step beside the least that a GPU needs for it.
#ifndef NNC_TOOLS_NNCRUN_PROFILE_H
#define NNC_TOOLS_NNCRUN_PROFILE_H

#include "runtime/Engine.h"
#include "tools/nnc-run/Options.h"

namespace nnc::run {

/// Prints the time of every step as a table, the slowest first, or as JSON in the order of the
/// plan, and writes a trace, as the options say. Errors: those of Session::profile, an unknown GPU,
/// a file that cannot be written.
Result<void> profile(Session &session, const Options &options, const std::string &entry,
                     const TensorMap &inputs);

} // namespace nnc::run

#endif
