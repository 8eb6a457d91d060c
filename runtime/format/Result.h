// Errors as values. Everything below the language (files, plans, the runtime) reports failures with
// these two types; nothing in the project throws.
#ifndef NNC_RUNTIME_FORMAT_RESULT_H
#define NNC_RUNTIME_FORMAT_RESULT_H

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace nnc {

/// Why something failed, as one sentence for the user: lower case, no full stop.
struct Error {
  std::string message;
};

namespace detail {
[[noreturn]] inline void accessedError(const std::string &message) {
  std::fprintf(stderr, "nnc: a failed result was used: %s\n", message.c_str());
  std::abort();
}
} // namespace detail

/// A value or an Error. Test it before use; using the value of a failed result ends the program
/// with the error's message.
template <typename T> class [[nodiscard]] Result {
public:
  Result(T value) : storage(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : storage(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return storage.index() == 0; }

  T &operator*() & { return value(); }
  const T &operator*() const & { return const_cast<Result *>(this)->value(); }
  T &&operator*() && { return std::move(value()); }
  T *operator->() { return &value(); }
  const T *operator->() const { return &const_cast<Result *>(this)->value(); }

  /// The error; only of a failed result.
  const Error &error() const & { return *std::get_if<1>(&storage); }
  Error &&error() && { return std::move(*std::get_if<1>(&storage)); }

private:
  T &value() {
    if (Error *failed = std::get_if<1>(&storage))
      detail::accessedError(failed->message);
    return *std::get_if<0>(&storage);
  }

  std::variant<T, Error> storage;
};

/// Success or an Error. `return {};` is success.
template <> class [[nodiscard]] Result<void> {
public:
  Result() = default;
  Result(Error error) : failure(std::move(error)) {}

  explicit operator bool() const { return !failure; }
  const Error &error() const & { return *failure; }
  Error &&error() && { return std::move(*failure); }

private:
  std::optional<Error> failure;
};

} // namespace nnc

#endif
