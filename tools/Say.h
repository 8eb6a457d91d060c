// What tools print. fmt::print throws when a disk is full or a reader has gone; here that is an
// error to report at the end, like any other.
#pragma once

#include "runtime/format/Result.h"

#include <cstdio>
#include <fmt/format.h>

namespace nnc {

/// Like fmt::print, but whether it could be written is found by flushOutput.
template <typename... T>
void say(std::FILE *file, fmt::format_string<T...> format, T &&...arguments) {
  std::string text = fmt::format(format, std::forward<T>(arguments)...);
  std::fwrite(text.data(), 1, text.size(), file); // the stream remembers a failure
}

/// On standard output.
template <typename... T> void say(fmt::format_string<T...> format, T &&...arguments) {
  say(stdout, format, std::forward<T>(arguments)...);
}

/// Whether all that was printed on standard output is written.
inline Result<void> flushOutput() {
  if (std::fflush(stdout) == 0 && !std::ferror(stdout))
    return {};
  return Error{"cannot write to standard output"};
}

} // namespace nnc
