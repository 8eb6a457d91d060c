// What the checks of a plan share.
#ifndef NNC_RUNTIME_FORMAT_VERIFY_H
#define NNC_RUNTIME_FORMAT_VERIFY_H

#include "runtime/format/Plan.h"

#define NNC_TRY(EXPRESSION)                                                                        \
  if (Result<void> tried = (EXPRESSION); !tried)                                                   \
  return tried

namespace nnc::format {

inline Result<void> require(bool holds, const char *what) {
  if (holds)
    return {};
  return Error{what};
}

template <typename T> Result<void> requireAll(const std::vector<std::unique_ptr<T>> &list) {
  for (const std::unique_ptr<T> &item : list)
    NNC_TRY(require(item != nullptr, "the plan has a hole"));
  return {};
}

/// [offset, offset + size) lies in a section of `limit` bytes.
inline Result<void> requireWithin(uint64_t offset, uint64_t size, uint64_t limit,
                                  const char *what) {
  return require(offset <= limit && size <= limit - offset, what);
}

/// One entry point: all that the runtime does with it without checking.
Result<void> verifyEntry(const ModelT &model, const EntryT &entry);

} // namespace nnc::format

#endif
