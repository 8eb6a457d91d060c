// The table of primitives, and calls through it.
#include "frontend/Primitives.h"

#include "frontend/PrimitivesCall.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>

namespace nnc::frontend {
namespace {

struct Entry {
  const PrimitiveRow *row;
  std::vector<PrimitiveParameter> formals;
};

/// "x axis keep?" as formals.
std::vector<PrimitiveParameter> parseFormals(std::string_view text) {
  std::vector<PrimitiveParameter> formals;
  while (!text.empty()) {
    std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    bool optional = word.ends_with('?');
    if (optional)
      word.remove_suffix(1);
    formals.push_back({word, !optional});
  }
  return formals;
}

const std::map<std::string_view, Entry> &table() {
  static const std::map<std::string_view, Entry> entries = [] {
    std::map<std::string_view, Entry> result;
    for (auto rows :
         {elementwisePrimitives(), reducePrimitives(), shapePrimitives(), padPrimitives(),
          createPrimitives(), convPrimitives(), poolPrimitives(), adaptivePrimitives(),
          resizePrimitives(), orderPrimitives(), patternPrimitives(), randomPrimitives()})
      for (const PrimitiveRow &row : rows)
        result.emplace(row.name, Entry{&row, parseFormals(row.formals)});
    return result;
  }();
  return entries;
}

const Entry *find(std::string_view name) {
  auto found = table().find(name);
  return found == table().end() ? nullptr : &found->second;
}

/// E0509 where a tensor is asked for at build time; numbers alone may be folded.
bool requireEmission(Context &context, const PrimitiveRow &row, syntax::Span callee) {
  if (context.emitting || row.foldsNumbers)
    return true;
  context
      .error(
          "E0509", callee,
          fmt::format("`{}` makes a tensor, and tensors exist only in tensor functions", row.name))
      .primaryLabel("called at build time")
      .help("make it in the function that uses it, or declare a `buffer` if checkpoints hold it");
  return false;
}

} // namespace

bool isPrimitive(std::string_view name) { return find(name) != nullptr; }

std::span<const std::string_view> primitiveNames() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> result;
    for (const auto &[name, entry] : table())
      result.push_back(name);
    return result;
  }();
  return names;
}

std::span<const PrimitiveParameter> primitiveParameters(std::string_view name) {
  const Entry *entry = find(name);
  return entry ? std::span<const PrimitiveParameter>(entry->formals)
               : std::span<const PrimitiveParameter>();
}

bool primitiveIsStage(std::string_view name, std::span<const Argument> arguments) {
  const Entry *entry = find(name);
  if (!entry || entry->formals.empty() || entry->formals[0].name != "x")
    return false;
  bool hasPositional = !arguments.empty() && arguments[0].name.empty();
  return !(entry->row->foldsNumbers && hasPositional);
}

std::optional<Value> callPrimitive(Context &context, std::string_view name,
                                   std::vector<Argument> arguments, syntax::Span callee,
                                   syntax::Span call) {
  const Entry *entry = find(name);
  if (!entry || !requireEmission(context, *entry->row, callee))
    return std::nullopt;
  PrimitiveCall primitive(context, name, entry->formals, callee, call);
  if (!primitive.bind(std::move(arguments)))
    return std::nullopt;
  primitive.readStored("x", "weight"); // of convolutions
  if (name == "einsum")
    primitive.readStored("a", "b");
  return entry->row->handler(primitive);
}

} // namespace nnc::frontend
