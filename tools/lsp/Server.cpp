// Documents, and which message asks for what. A document is checked when something is asked about
// it, or when there is nothing else to do; so a fast typist is not waited for.
#include "tools/lsp/Server.h"

#include "tools/lsp/Features.h"
#include "tools/lsp/Json.h"
#include "tools/lsp/Uri.h"

#include <fmt/format.h>
#include <functional>
#include <set>

namespace nnc::lsp {
namespace {

/// Errors of JSON-RPC and of the protocol.
enum ErrorNumber {
  kParseError = -32700,
  kInvalidRequest = -32600,
  kMethodNotFound = -32601,
  kNotInitialized = -32002,
  kRequestCancelled = -32800,
};

/// Beyond this, a text is no model.
constexpr size_t kMaxTextBytes = size_t(16) << 20;

/// Of a text that came without a version.
constexpr int64_t kNoVersion = INT64_MIN;

struct Document {
  std::string path, text;
  int64_t version = kNoVersion;
  std::unique_ptr<Analysis> analysis; ///< null: the text changed since
  bool published = false;
  /// Other files that were given diagnostics for this one.
  std::set<std::string> touched;
};

class Server {
public:
  Server(std::FILE *in, std::FILE *out, std::string version)
      : inbox(in), out(out), version(std::move(version)) {}

  int run();

private:
  using Answer = std::function<Json(Analysis &, const Json &)>;

  void handle(const Json &message);
  void answer(const Json &id, const std::string &method, const Json &params);
  void notice(const std::string &method, const Json &params);
  Json initialize() const;
  void reply(const Json &id, Json result);
  void refuse(const Json &id, int code, const std::string &why);

  void open(const Json &params);
  void change(const Json &params);
  void close(const Json &params);
  void setText(Document &document, std::string text);
  Analysis &analyse(Document &document);
  void publish(const std::string &uri, Document &document);
  bool publishOne();
  void sendDiagnostics(const std::string &uri, Json list);

  Inbox inbox;
  std::FILE *out;
  std::string version;
  std::map<std::string, Document> documents; ///< by URI
  bool initialized = false, isShutDown = false;
};

//===- Documents ------------------------------------------------------------------------------===//

/// A text may be imported by any other, so all are checked again.
void Server::setText(Document &document, std::string text) {
  document.text = std::move(text);
  for (auto &[uri, other] : documents) {
    other.analysis.reset();
    other.published = false;
  }
}

void Server::open(const Json &params) {
  const Json &item = at(params, "textDocument");
  std::string uri = stringAt(item, "uri");
  if (uri.empty() || !at(item, "text").is_string())
    return;
  Document &document = documents[uri];
  document.path = pathOf(uri);
  document.version =
      at(item, "version").is_number_integer() ? at(item, "version").get<int64_t>() : kNoVersion;
  setText(document, stringAt(item, "text").substr(0, kMaxTextBytes));
}

/// Versions only grow; a change that comes late is not applied to a text that it was not made for.
void Server::change(const Json &params) {
  const Json &item = at(params, "textDocument");
  auto found = documents.find(stringAt(item, "uri"));
  const Json &changes = at(params, "contentChanges");
  if (found == documents.end() || !changes.is_array())
    return;
  Document &document = found->second;
  if (const Json &number = at(item, "version"); number.is_number_integer()) {
    if (number.get<int64_t>() <= document.version)
      return;
    document.version = number.get<int64_t>();
  }
  std::string text = document.text;
  for (const Json &change : changes) {
    if (!at(change, "text").is_string())
      continue;
    std::string by = stringAt(change, "text");
    text = at(change, "range").is_object() ? replaceRange(text, readRange(at(change, "range")), by)
                                           : std::move(by);
    if (text.size() > kMaxTextBytes)
      text.resize(kMaxTextBytes);
  }
  setText(document, std::move(text));
}

void Server::close(const Json &params) {
  auto found = documents.find(stringAt(at(params, "textDocument"), "uri"));
  if (found == documents.end())
    return;
  std::string closed = found->first;
  for (const std::string &uri : found->second.touched)
    if (!documents.count(uri))
      sendDiagnostics(uri, Json::array());
  documents.erase(found);
  sendDiagnostics(closed, Json::array());
  for (auto &[uri, other] : documents) {
    other.analysis.reset();
    other.published = false;
  }
}

Analysis &Server::analyse(Document &document) {
  if (!document.analysis) {
    Analysis::Texts texts;
    for (const auto &[uri, other] : documents)
      texts[other.path] = other.text;
    document.analysis = std::make_unique<Analysis>(document.path, texts);
  }
  return *document.analysis;
}

//===- Diagnostics ----------------------------------------------------------------------------===//

/// Says of an open text which version was judged: an editor may be ahead of it.
void Server::sendDiagnostics(const std::string &uri, Json list) {
  Json params = {{"uri", uri}, {"diagnostics", std::move(list)}};
  if (auto open = documents.find(uri);
      open != documents.end() && open->second.version != kNoVersion)
    params["version"] = open->second.version;
  writeMessage(out, {{"jsonrpc", "2.0"},
                     {"method", "textDocument/publishDiagnostics"},
                     {"params", std::move(params)}});
}

/// A file that is open itself is told only what its own check says.
void Server::publish(const std::string &uri, Document &document) {
  document.published = true;
  std::map<std::string, Json> byUri = diagnosticsOf(analyse(document));
  std::string own = document.analysis->file ? uriOfFile(*document.analysis, document.analysis->file)
                                            : std::string();
  std::set<std::string> touched;
  sendDiagnostics(uri, isLibraryPath(document.path) ? Json::array() : std::move(byUri[own]));
  for (auto &[other, list] : byUri) {
    if (other == own || other.empty() || documents.count(other))
      continue;
    touched.insert(other);
    sendDiagnostics(other, std::move(list));
  }
  for (const std::string &before : document.touched)
    if (!touched.count(before) && !documents.count(before))
      sendDiagnostics(before, Json::array());
  document.touched = std::move(touched);
}

bool Server::publishOne() {
  for (auto &[uri, document] : documents)
    if (!document.published) {
      publish(uri, document);
      return true;
    }
  return false;
}

//===- Requests -------------------------------------------------------------------------------===//

Json Server::initialize() const {
  Json legend = {{"tokenTypes", semanticTokenTypes()}, {"tokenModifiers", Json::array()}};
  return {{"capabilities",
           {{"positionEncoding", "utf-16"},
            {"textDocumentSync", {{"openClose", true}, {"change", 2}}},
            {"hoverProvider", true},
            {"definitionProvider", true},
            {"inlayHintProvider", true},
            {"documentFormattingProvider", true},
            {"documentSymbolProvider", true},
            {"codeActionProvider", {{"codeActionKinds", {"quickfix"}}}},
            {"completionProvider", {{"triggerCharacters", {".", "@", "("}}}},
            {"semanticTokensProvider", {{"legend", std::move(legend)}, {"full", true}}}}},
          {"serverInfo", {{"name", "nnc"}, {"version", version}}}};
}

void Server::reply(const Json &id, Json result) {
  writeMessage(out, {{"jsonrpc", "2.0"}, {"id", id}, {"result", std::move(result)}});
}

void Server::refuse(const Json &id, int code, const std::string &why) {
  writeMessage(out,
               {{"jsonrpc", "2.0"}, {"id", id}, {"error", {{"code", code}, {"message", why}}}});
}

void Server::answer(const Json &id, const std::string &method, const Json &params) {
  if (method == "initialize") {
    initialized = true;
    return reply(id, initialize());
  }
  if (!initialized)
    return refuse(id, kNotInitialized, "`initialize` comes first");
  if (isShutDown)
    return refuse(id, kInvalidRequest, "the server is shut down");
  if (method == "shutdown") {
    isShutDown = true;
    return reply(id, nullptr);
  }
  static const std::map<std::string, Answer, std::less<>> answers = {
      {"textDocument/hover",
       [](Analysis &a, const Json &p) { return hover(a, readPosition(at(p, "position"))); }},
      {"textDocument/definition",
       [](Analysis &a, const Json &p) { return definition(a, readPosition(at(p, "position"))); }},
      {"textDocument/completion",
       [](Analysis &a, const Json &p) { return completion(a, readPosition(at(p, "position"))); }},
      {"textDocument/inlayHint",
       [](Analysis &a, const Json &p) { return inlayHints(a, readRange(at(p, "range"))); }},
      {"textDocument/codeAction",
       [](Analysis &a, const Json &p) { return codeActions(a, readRange(at(p, "range"))); }},
      {"textDocument/documentSymbol", [](Analysis &a, const Json &) { return documentSymbols(a); }},
      {"textDocument/formatting", [](Analysis &a, const Json &) { return formatting(a); }},
      {"textDocument/semanticTokens/full",
       [](Analysis &a, const Json &) { return semanticTokens(a); }},
  };
  auto found = answers.find(method);
  if (found == answers.end())
    return refuse(id, kMethodNotFound, fmt::format("`{}` is not supported", method));
  if (inbox.isCancelled(id))
    return refuse(id, kRequestCancelled, "cancelled");
  auto document = documents.find(stringAt(at(params, "textDocument"), "uri"));
  if (document == documents.end())
    return reply(id, nullptr);
  Analysis &analysis = analyse(document->second);
  reply(id, analysis.file ? found->second(analysis, params) : Json());
}

void Server::notice(const std::string &method, const Json &params) {
  if (!initialized || isShutDown)
    return;
  if (method == "textDocument/didOpen")
    open(params);
  else if (method == "textDocument/didChange")
    change(params);
  else if (method == "textDocument/didClose")
    close(params);
}

void Server::handle(const Json &message) {
  const Json &id = at(message, "id");
  bool isRequest = id.is_string() || id.is_number_integer();
  std::string method = stringAt(message, "method");
  if (!method.empty() && isRequest)
    answer(id, method, at(message, "params"));
  else if (!method.empty())
    notice(method, at(message, "params"));
  else if (!message.is_object() || !isRequest) // with an id it is an answer, which nobody waits for
    refuse(nullptr, kInvalidRequest, "this is neither a request nor a notification");
}

int Server::run() {
  while (true) {
    if (!inbox.hasMore() && publishOne())
      continue;
    std::optional<Incoming> next = inbox.take();
    if (!next)
      return 1;
    if (!next->problem.empty()) {
      refuse(nullptr, kParseError, next->problem);
      continue;
    }
    if (stringAt(next->message, "method") == "exit")
      return isShutDown ? 0 : 1;
    handle(next->message);
  }
}

} // namespace

int serve(std::FILE *in, std::FILE *out, const std::string &version) {
  return Server(in, out, version).run();
}

} // namespace nnc::lsp
