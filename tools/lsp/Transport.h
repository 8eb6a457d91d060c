// Messages over a pair of streams: `Content-Length: N`, an empty line, N bytes of JSON. A thread
// reads ahead, so that a request can be cancelled while it waits. Whatever bytes come in, reading
// goes on with the next header.
#pragma once

#include <nlohmann/json.hpp>

#include <condition_variable>
#include <cstdio>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace nnc::lsp {

using Json = nlohmann::json;

/// Longer messages are skipped: no source file is as long.
inline constexpr size_t kMaxMessageBytes = size_t(64) << 20;

/// What stands where a message was expected.
struct Incoming {
  Json message;
  /// Why there is none; empty if there is one.
  std::string problem;
};

/// Reads one message; nothing at the end of the stream.
std::optional<Incoming> readMessage(std::FILE *in);
/// Writes one message and flushes it.
void writeMessage(std::FILE *out, const Json &message);

/// What was read and not yet taken.
class Inbox {
public:
  explicit Inbox(std::FILE *in);
  /// Waits for the reader, which ends with the stream or after the notification `exit`: callers
  /// leave only then.
  ~Inbox();
  Inbox(const Inbox &) = delete;
  Inbox &operator=(const Inbox &) = delete;

  /// The next one, waited for; nothing at the end of the stream.
  std::optional<Incoming> take();
  /// Whether take() would return at once.
  bool hasMore();
  /// Whether `$/cancelRequest` for this request waits further behind.
  bool isCancelled(const Json &id);

private:
  void readAll(std::FILE *in);

  std::mutex mutex;
  std::condition_variable arrived;
  std::deque<Incoming> waiting;
  bool ended = false;
  std::thread reader;
};

} // namespace nnc::lsp
