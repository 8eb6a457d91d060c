#include "tools/nnc/Shapes.h"

#include "tools/Say.h"

#include "frontend/Frontend.h"
#include "frontend/Library.h"
#include "frontend/Observer.h"
#include "frontend/Scope.h"

#include "mlir/IR/MLIRContext.h"

#include <algorithm>
#include <deque>
#include <fmt/format.h>
#include <map>
#include <set>
#include <vector>

namespace nnc {
namespace {

using frontend::Value;

/// One value in a body.
struct Row {
  unsigned line;
  std::string text, type;
  unsigned times = 1;
};

/// One body that was evaluated.
struct Body {
  std::string path, title, place;
  bool inLibrary = false;
  /// Where further instances of the same structure hang.
  std::vector<std::string> alike;
  std::vector<Row> rows;
  std::string result;
};

/// "float[B, 10]", "(float[B, 4], float[B, 4])"; empty for what holds no tensor.
std::string typeText(const Value &value) {
  if (auto *tensor = value.as<frontend::TensorValue>())
    return frontend::formatTensorType(*tensor);
  if (!value.containsTensor())
    return {};
  std::string text;
  for (const Value &element : value.elements()) {
    std::string inner = typeText(element);
    text += (text.empty() ? "" : ", ") + (inner.empty() ? frontend::formatValue(element) : inner);
  }
  return value.is<frontend::ListValue>() ? "[" + text + "]" : "(" + text + ")";
}

/// On one line, at most `limit` characters.
std::string onOneLine(std::string_view text, size_t limit = 48) {
  std::string line;
  for (char c : text) {
    bool space = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    if (!space)
      line += c;
    else if (!line.empty() && line.back() != ' ')
      line += ' ';
  }
  if (line.size() > limit) {
    size_t end = limit - 3;
    while (end > 0 && (line[end] & 0xc0) == 0x80) // within a character
      --end;
    line = line.substr(0, end) + "...";
  }
  return line;
}

class ShapeRecorder : public frontend::Observer {
public:
  explicit ShapeRecorder(const syntax::SourceManager &sources) : sources(sources) {}

  void enterBody(const syntax::FnStmt &fn, const frontend::Frame &frame) override;
  void leaveBody(const syntax::FnStmt &fn, const Value *result) override;
  void shareBody(const syntax::FnStmt &fn, const frontend::Frame &frame) override;
  void evaluated(const syntax::Expr &expr, const Value &value) override;
  void applied(syntax::Span place, std::string_view name, const Value &value) override;
  void bound(const syntax::Ident &name, const Value &value) override;

  std::string text(bool library) const;

private:
  void add(syntax::Span place, std::string text, const Value &value);
  static std::string signature(const syntax::FnStmt &fn, const frontend::Frame &frame);

  const syntax::SourceManager &sources;
  std::deque<Body> bodies; ///< in the order in which they were entered
  std::vector<Body *> open;
  std::map<std::pair<const syntax::FnStmt *, unsigned>, Body *> byStructure;
};

std::string ShapeRecorder::signature(const syntax::FnStmt &fn, const frontend::Frame &frame) {
  std::string text = frame.self ? std::string(frame.self->cls->name()) + "." : "";
  text += std::string(fn.name.text) + "(";
  const char *separator = "";
  for (const syntax::Formal &formal : fn.params) {
    const std::optional<Value> *value = frame.locals.find(formal.name.text);
    std::string type = value && *value ? typeText(**value) : "";
    text += fmt::format("{}{}{}{}", separator, formal.name.text, type.empty() ? " = " : ": ",
                        !type.empty()     ? type
                        : value && *value ? frontend::formatValue(**value)
                                          : "?");
    separator = ", ";
  }
  return text + ")";
}

void ShapeRecorder::enterBody(const syntax::FnStmt &fn, const frontend::Frame &frame) {
  bool isTensorFunction = frame.emission != nullptr;
  if (!isTensorFunction) {
    open.push_back(nullptr);
    return;
  }
  Body &body = bodies.emplace_back();
  body.path = frame.self ? frame.self->path() : "";
  body.title = signature(fn, frame);
  body.place = fmt::format("{}:{}", sources.name(fn.span.file), sources.lineCol(fn.name.span).line);
  body.inLibrary = frontend::isLibrary(fn.span.file);
  if (frame.self)
    byStructure[{&fn, frame.self->structure}] = &body;
  open.push_back(&body);
}

void ShapeRecorder::leaveBody(const syntax::FnStmt &fn, const Value *result) {
  if (open.back())
    open.back()->result = result ? typeText(*result) : "";
  open.pop_back();
}

void ShapeRecorder::shareBody(const syntax::FnStmt &fn, const frontend::Frame &frame) {
  if (!frame.self)
    return;
  auto found = byStructure.find({&fn, frame.self->structure});
  if (found == byStructure.end())
    return;
  std::vector<std::string> &alike = found->second->alike;
  std::string path = frame.self->path();
  if (path != found->second->path && std::find(alike.begin(), alike.end(), path) == alike.end())
    alike.push_back(std::move(path));
}

void ShapeRecorder::add(syntax::Span place, std::string text, const Value &value) {
  std::string type = typeText(value);
  if (open.empty() || !open.back() || type.empty())
    return;
  unsigned line = sources.lineCol(place).line;
  for (Row &row : open.back()->rows)
    if (row.line == line && row.text == text && row.type == type) {
      ++row.times;
      return;
    }
  open.back()->rows.push_back({line, std::move(text), std::move(type)});
}

void ShapeRecorder::evaluated(const syntax::Expr &expr, const Value &value) {
  using syntax::ExprKind;
  switch (expr.kind()) {
  case ExprKind::Call:
  case ExprKind::Binary:
  case ExprKind::Unary:
  case ExprKind::Index:
  case ExprKind::Member:
    return add(expr.span, onOneLine(sources.text(expr.span)), value);
  default: // names hold what was shown before; of a pipe, the stages are shown
    return;
  }
}

void ShapeRecorder::applied(syntax::Span place, std::string_view name, const Value &value) {
  add(place, "|> " + onOneLine(name), value);
}

void ShapeRecorder::bound(const syntax::Ident &name, const Value &value) {
  add(name.span, std::string(name.text) + " =", value);
}

/// "layers.0, and 11 alike: layers.1 ... layers.11".
std::string pathText(const Body &body) {
  std::string text = body.path;
  if (body.alike.empty())
    return text;
  text += fmt::format(" and {} alike: {}", body.alike.size(), body.alike.front());
  if (body.alike.size() == 2)
    text += ", " + body.alike.back();
  else if (body.alike.size() > 2)
    text += " ... " + body.alike.back();
  return text;
}

std::string bodyText(const Body &body) {
  std::string text = body.path.empty() ? "" : fmt::format("# {}\n", pathText(body));
  text += fmt::format("{} -> {}  at {}\n", body.title, body.result.empty() ? "?" : body.result,
                      body.place);
  size_t width = 0;
  for (const Row &row : body.rows)
    width = std::max(width, row.text.size());
  for (const Row &row : body.rows) {
    text += fmt::format("{:>5} | {:<{}}  {}", row.line, row.text, width, row.type);
    text += row.times > 1 ? fmt::format("  ({} times)\n", row.times) : "\n";
  }
  return text;
}

std::string ShapeRecorder::text(bool library) const {
  std::string text;
  std::set<std::string> shown; // what trains and what evaluates are mostly alike
  for (const Body &body : bodies)
    if (library || !body.inLibrary)
      if (auto [it, isNew] = shown.insert(bodyText(body)); isNew)
        text += (text.empty() ? "" : "\n") + *it;
  return text;
}

} // namespace

bool printShapes(syntax::SourceManager &sources, syntax::Diagnostics &diags,
                 const std::string &path, const CompileOptions &options, bool library) {
  std::optional<syntax::FileId> file = sources.load(path, diags);
  if (!file)
    return false;
  ShapeRecorder recorder(sources);
  frontend::FrontendOptions wanted;
  wanted.model = options.model;
  wanted.sets = options.set;
  wanted.dims = {options.dims.begin(), options.dims.end()};
  wanted.observer = &recorder;
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  frontend::emitModel(sources, *file, wanted, diags, context);
  say("{}", recorder.text(library));
  return !diags.hasErrors();
}

} // namespace nnc
