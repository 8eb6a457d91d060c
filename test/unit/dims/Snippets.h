// Runs snippets of `.nn` through the whole front end.
#pragma once

#include <string>

namespace nnc::frontend::test {

/// A whole file called `test.nn`. Gives its errors as they are shown, or, where there are none, the
/// `nn` operations of the entry function, one per line, without names of values and locations:
/// `nn.exp tensor<4xf32>`.
std::string runFile(const std::string &source);

/// One function, `signature = body`, as the entry point of a model; `fn forward` is put before it.
std::string run(const std::string &function);

} // namespace nnc::frontend::test
