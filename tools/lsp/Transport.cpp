#include "tools/lsp/Transport.h"

#include "tools/Say.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <fmt/format.h>

namespace nnc::lsp {

static constexpr size_t kMaxHeaderBytes = 4096;

/// One line of a header without its line break, cut at kMaxHeaderBytes; nothing at the end.
static std::optional<std::string> readLine(std::FILE *in) {
  std::string line;
  int c = std::fgetc(in);
  if (c == EOF)
    return std::nullopt;
  for (; c != EOF && c != '\n'; c = std::fgetc(in))
    if (line.size() < kMaxHeaderBytes)
      line += static_cast<char>(c);
  if (line.ends_with('\r'))
    line.pop_back();
  return line;
}

/// The value of `Content-Length: N`; none in another line or where N is no number.
static std::optional<size_t> contentLength(std::string_view line) {
  constexpr std::string_view kName = "content-length:";
  auto sameLetter = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
  if (line.size() <= kName.size() ||
      !std::equal(kName.begin(), kName.end(), line.begin(),
                  [&](char name, char c) { return sameLetter(c, name); }))
    return std::nullopt;
  line.remove_prefix(std::min(line.find_first_not_of(" \t", kName.size()), line.size()));
  size_t length = 0;
  auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), length);
  bool whole = std::string_view(end, line.data() + line.size() - end).find_first_not_of(" \t") ==
               std::string_view::npos;
  if (error == std::errc::result_out_of_range)
    return SIZE_MAX;
  return error == std::errc() && whole ? std::optional(length) : std::nullopt;
}

/// Reads past `length` bytes; false at the end of the stream.
static bool skip(std::FILE *in, size_t length) {
  char chunk[1 << 16];
  while (length > 0) {
    size_t n = std::fread(chunk, 1, std::min(length, sizeof(chunk)), in);
    if (n == 0)
      return false;
    length -= n;
  }
  return true;
}

static std::optional<std::string> readBody(std::FILE *in, size_t length) {
  std::string body;
  char chunk[1 << 16];
  while (body.size() < length) { // grows with what arrives, not with what is announced
    size_t n = std::fread(chunk, 1, std::min(length - body.size(), sizeof(chunk)), in);
    if (n == 0)
      return std::nullopt;
    body.append(chunk, n);
  }
  return body;
}

std::optional<Incoming> readMessage(std::FILE *in) {
  std::optional<size_t> length;
  bool any = false;
  while (std::optional<std::string> line = readLine(in)) {
    if (line->empty() && any)
      break;
    any |= !line->empty();
    if (std::optional<size_t> found = contentLength(*line))
      length = found;
  }
  if (!any)
    return std::nullopt;
  if (!length)
    return Incoming{nullptr, "a header without Content-Length"};
  if (*length > kMaxMessageBytes) {
    if (!skip(in, *length))
      return std::nullopt;
    return Incoming{
        nullptr, fmt::format("a message of {} bytes is longer than {}", *length, kMaxMessageBytes)};
  }
  std::optional<std::string> body = readBody(in, *length);
  if (!body)
    return std::nullopt;
  Json message = Json::parse(*body, nullptr, /*allow_exceptions=*/false);
  if (message.is_discarded())
    return Incoming{nullptr, "a message that is not JSON"};
  return Incoming{std::move(message), {}};
}

void writeMessage(std::FILE *out, const Json &message) {
  std::string body = message.dump(-1, ' ', false, Json::error_handler_t::replace);
  say(out, "Content-Length: {}\r\n\r\n{}", body.size(), body);
  std::fflush(out);
}

//===- The inbox ------------------------------------------------------------------------------===//

Inbox::Inbox(std::FILE *in) : reader([this, in] { readAll(in); }) {}

Inbox::~Inbox() { reader.join(); }

void Inbox::readAll(std::FILE *in) {
  bool isExit = false;
  while (!isExit) {
    std::optional<Incoming> next = readMessage(in);
    if (!next)
      break;
    isExit = next->message.is_object() && next->message.value("method", Json()) == "exit";
    std::lock_guard lock(mutex);
    waiting.push_back(std::move(*next));
    arrived.notify_one();
  }
  std::lock_guard lock(mutex);
  ended = true;
  arrived.notify_one();
}

std::optional<Incoming> Inbox::take() {
  std::unique_lock lock(mutex);
  arrived.wait(lock, [this] { return ended || !waiting.empty(); });
  if (waiting.empty())
    return std::nullopt;
  Incoming next = std::move(waiting.front());
  waiting.pop_front();
  return next;
}

bool Inbox::hasMore() {
  std::lock_guard lock(mutex);
  return ended || !waiting.empty();
}

bool Inbox::isCancelled(const Json &id) {
  std::lock_guard lock(mutex);
  return std::any_of(waiting.begin(), waiting.end(), [&](const Incoming &incoming) {
    const Json &message = incoming.message;
    if (!message.is_object() || message.value("method", Json()) != "$/cancelRequest")
      return false;
    auto params = message.find("params");
    return params != message.end() && params->is_object() && params->value("id", Json()) == id;
  });
}

} // namespace nnc::lsp
