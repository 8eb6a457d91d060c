#include "tools/compiler/Checkpoint.h"

#include "runtime/format/Safetensors.h"

#include "frontend/Suggest.h"

#include <algorithm>
#include <fmt/format.h>

namespace nnc {

codegen::CheckpointNames namesOf(const frontend::ModelInfo &info) {
  if (!info.weights)
    return {};
  return {info.weights->prefix, info.weights->ignore};
}

Result<LoadedCheckpoint> loadCheckpoint(mlir::ModuleOp module, const std::string &path,
                                        const codegen::CheckpointNames &names) {
  Result<format::Checkpoint> file = format::Checkpoint::open(path);
  if (!file)
    return file.error();
  LoadedCheckpoint loaded;
  auto shared = std::make_shared<const format::Checkpoint>(std::move(*file));
  loaded.report = codegen::matchCheckpoint(module, shared, names, loaded.store);
  return loaded;
}

//===- Near misses ----------------------------------------------------------------------------===//

static std::vector<std::string_view> stepsOf(std::string_view key) {
  std::vector<std::string_view> steps;
  for (size_t dot; (dot = key.find('.')) != std::string_view::npos; key.remove_prefix(dot + 1))
    steps.push_back(key.substr(0, dot));
  steps.push_back(key);
  return steps;
}

/// Whether two keys have as many steps and differ in one of them.
static bool differInOneStep(std::string_view a, std::string_view b) {
  std::vector<std::string_view> left = stepsOf(a), right = stepsOf(b);
  if (left.size() != right.size() || left.size() < 2)
    return false;
  size_t differing = 0;
  for (size_t i = 0; i < left.size(); ++i)
    differing += left[i] != right[i];
  return differing == 1;
}

std::optional<std::string> nearestUnused(const codegen::KeyReport::Key &missing,
                                         const codegen::KeyReport &report) {
  constexpr size_t Compared = 512;
  std::vector<std::string_view> sameType;
  for (const codegen::KeyReport::Key &key : report.unused)
    if (key.type.substr(key.type.find('[')) == missing.type.substr(missing.type.find('[')) &&
        sameType.size() < Compared)
      sameType.push_back(key.name);
  if (auto similar = frontend::closestName(missing.name, sameType))
    return std::string(*similar);
  std::optional<std::string> found;
  for (std::string_view name : sameType)
    if (differInOneStep(name, missing.name)) {
      if (found)
        return std::nullopt; // several: which one is a guess
      found = name;
    }
  return found;
}

std::string prefixNote(const codegen::KeyReport &report, const codegen::CheckpointNames &names) {
  if (!report.betterPrefix)
    return "";
  const auto &[prefix, fitting] = *report.betterPrefix;
  size_t missing = report.missing.size();
  std::string which = fitting != missing ? fmt::format("{} of the {} are", fitting, missing)
                      : missing == 1     ? "it is"
                                         : fmt::format("all {} are", missing);
  if (prefix.empty())
    return fmt::format("{} present without `{}`", which, names.prefix);
  return fmt::format("{} present under `{}`", which, prefix);
}

//===- Diagnostics ----------------------------------------------------------------------------===//

namespace {

/// The first few names, and how many more.
std::string listSome(const std::vector<codegen::KeyReport::Key> &keys) {
  constexpr size_t Shown = 3;
  std::string text;
  for (size_t i = 0; i < std::min(keys.size(), Shown); ++i)
    text += fmt::format("{}`{}`", i ? ", " : "", keys[i].name);
  if (keys.size() > Shown)
    text += fmt::format(" and {} more", keys.size() - Shown);
  return text;
}

/// `cls.**` for keys of several steps: what `ignore` would have to list.
std::vector<std::string> globsOf(const std::vector<codegen::KeyReport::Key> &keys) {
  std::vector<std::string> globs;
  for (const codegen::KeyReport::Key &key : keys) {
    size_t dot = key.name.find('.');
    std::string glob = dot == std::string::npos ? key.name : key.name.substr(0, dot) + ".**";
    if (std::ranges::find(globs, glob) == globs.end())
      globs.push_back(std::move(glob));
  }
  return globs;
}

/// Reports for one checkpoint: at the model's @weights if that named it, else without a place.
class Reporter {
public:
  Reporter(const frontend::ModelInfo &info, const std::string &path, syntax::Diagnostics &diags)
      : info(info), path(path), diags(diags) {
    if (info.weights && info.weights->file == path)
      place = info.weights->name;
  }

  void missing(const codegen::KeyReport &report) {
    if (report.missing.empty())
      return;
    auto &diag = error("E0701", fmt::format("{} of {} parameters of `{}` {} missing from `{}`",
                                            report.missing.size(), report.numSlots, info.name,
                                            report.missing.size() == 1 ? "is" : "are", path));
    about(diag, fmt::format("first missing key: `{}`", report.missing.front().name));
    if (report.betterPrefix)
      return suggestPrefix(diag, report);
    constexpr size_t Shown = 3;
    for (size_t i = 0; i < std::min(report.missing.size(), Shown); ++i)
      if (auto near = nearestUnused(report.missing[i], report))
        diag.note(fmt::format("`{}` may be `{}` of the file, which has the same shape",
                              report.missing[i].name, *near));
    if (!report.unused.empty())
      diag.note(fmt::format("of the file, not used: {}", listSome(report.unused)));
  }

  void unused(const codegen::KeyReport &report) {
    if (report.unused.empty())
      return;
    bool one = report.unused.size() == 1;
    auto &diag =
        error("E0702", fmt::format("{} key{} of `{}` {} not used by `{}`", report.unused.size(),
                                   one ? "" : "s", path, one ? "is" : "are", info.name));
    about(diag, fmt::format("unused: {}", listSome(report.unused)));
    std::vector<std::string> globs = globsOf(report.unused);
    constexpr size_t Most = 4;
    std::string title = fmt::format("to leave {} out on purpose", one ? "it" : "them");
    if (globs.size() > Most || !place.isValid() || !info.weights->ignore.empty())
      diag.help(title + ", name " + (one ? "it" : "them") + " in `ignore` of `@weights`");
    else
      diag.fixIt(title,
                 {{closing(), fmt::format(", ignore=[\"{}\"]", fmt::join(globs, "\", \""))}});
  }

  void misshapen(const codegen::KeyReport &report) {
    if (report.misshapen.empty())
      return;
    const codegen::KeyReport::Difference &first = report.misshapen.front();
    auto &diag = error("E0703", describe(first) + fmt::format(" (in `{}`)", path));
    about(diag, "of this checkpoint");
    if (first.expected.substr(0, first.expected.find('[')) !=
        first.found.substr(0, first.found.find('[')))
      diag.note("only floats are converted, and only to floats");
    constexpr size_t Shown = 3;
    size_t more = report.misshapen.size() - 1;
    for (size_t i = 1; i <= std::min(more, Shown); ++i)
      diag.note(describe(report.misshapen[i]));
    if (more > Shown)
      diag.note(fmt::format("{} more do not fit", more - Shown));
  }

  void conflicting(const codegen::KeyReport &report) {
    for (const codegen::KeyReport::Conflict &conflict : report.conflicting)
      about(error("E0704", fmt::format("`{}` and `{}` differ in `{}`, but are one tensor of `{}`",
                                       conflict.first, conflict.second, path, info.name)),
            "of this checkpoint");
  }

  void unreadable(const Error &problem) {
    about(error("E0705", problem.message), "of this checkpoint");
  }

private:
  static std::string describe(const codegen::KeyReport::Difference &difference) {
    return fmt::format("`{}` is {}, the model declares {}", difference.name, difference.found,
                       difference.expected);
  }

  /// Just before the closing parenthesis of @weights.
  syntax::Span closing() const {
    syntax::Span close = info.weights->location;
    close.begin = close.end = close.end - 1;
    return close;
  }

  void suggestPrefix(syntax::Diagnostic &diag, const codegen::KeyReport &report) {
    diag.note(prefixNote(report, namesOf(info)));
    const std::string &prefix = report.betterPrefix->text;
    std::string quoted = fmt::format("\"{}\"", prefix);
    if (!info.weights || !place.isValid())
      diag.help(fmt::format("add the prefix: `@weights(\"{}\", prefix={})`", path, quoted));
    else if (info.weights->prefixValue.isValid())
      diag.fixIt(prefix.empty() ? "remove the prefix" : "change the prefix",
                 {{info.weights->prefixValue, quoted}});
    else if (info.weights->afterFile.isValid())
      diag.fixIt("add the prefix", {{info.weights->afterFile, fmt::format("prefix={}, ", quoted)}});
    else
      diag.fixIt("add the prefix", {{closing(), fmt::format(", prefix={}", quoted)}});
  }

  syntax::Diagnostic &error(std::string_view code, std::string message) {
    return diags.error(code, place, std::move(message));
  }
  /// A label where there is a place, else a note.
  void about(syntax::Diagnostic &diag, std::string text) {
    if (place.isValid())
      diag.primaryLabel(std::move(text));
    else if (text != "of this checkpoint")
      diag.note(std::move(text));
  }

  const frontend::ModelInfo &info;
  const std::string &path;
  syntax::Diagnostics &diags;
  syntax::Span place;
};

} // namespace

void reportCheckpoint(const codegen::KeyReport &report, const frontend::ModelInfo &info,
                      const std::string &path, syntax::Diagnostics &diags) {
  Reporter reporter(info, path, diags);
  reporter.missing(report);
  if (report.missing.empty())
    reporter.unused(report);
  reporter.misshapen(report);
  reporter.conflicting(report);
}

void reportUnreadable(const Error &error, const frontend::ModelInfo &info, const std::string &path,
                      syntax::Diagnostics &diags) {
  Reporter(info, path, diags).unreadable(error);
}

} // namespace nnc
