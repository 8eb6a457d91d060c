// `nnc lsp`: the Language Server Protocol over a pair of streams.
#pragma once

#include <cstdio>
#include <string>

namespace nnc::lsp {

/// Serves until `exit` or the end of the input. Whatever comes in, it answers or ignores it.
/// \return the exit status that the protocol asks for: 0 after `shutdown`, else 1.
int serve(std::FILE *in, std::FILE *out, const std::string &version);

} // namespace nnc::lsp
