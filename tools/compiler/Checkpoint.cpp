#include "tools/compiler/Checkpoint.h"

#include "runtime/format/Safetensors.h"

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

namespace {

/// The first few names, and how many more.
std::string listSome(const std::vector<std::string> &names) {
  constexpr size_t Shown = 3;
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), Shown); ++i)
    text += fmt::format("{}`{}`", i ? ", " : "", names[i]);
  if (names.size() > Shown)
    text += fmt::format(" and {} more", names.size() - Shown);
  return text;
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
    auto &diag =
        error("E0701", fmt::format("{} of {} parameters of `{}` are missing from `{}`",
                                   report.missing.size(), report.numSlots, info.name, path));
    about(diag, fmt::format("first missing key: `{}`", report.missing.front()));
    if (!report.suggestedPrefix.empty())
      suggestPrefix(diag, report);
  }

  void unused(const codegen::KeyReport &report) {
    if (report.unused.empty())
      return;
    auto &diag = error("E0702", fmt::format("{} keys of `{}` are not used by `{}`",
                                            report.unused.size(), path, info.name));
    about(diag, fmt::format("unused: {}", listSome(report.unused)));
    diag.help("to leave them out on purpose, list them in `ignore` of `@weights`");
  }

  void misshapen(const codegen::KeyReport &report) {
    for (const codegen::KeyReport::Difference &difference : report.misshapen)
      about(error("E0703", fmt::format("`{}` is {} in `{}`, the model declares {}", difference.key,
                                       difference.found, path, difference.expected)),
            "of this checkpoint");
  }

  void conflicting(const codegen::KeyReport &report) {
    for (const std::string &key : report.conflicting)
      about(
          error("E0704", fmt::format("the names of `{}` hold different values in `{}`", key, path)),
          "of this checkpoint");
  }

private:
  void suggestPrefix(syntax::Diagnostic &diag, const codegen::KeyReport &report) {
    diag.note(fmt::format("all {} are present under `{}`", report.missing.size(),
                          report.suggestedPrefix));
    std::string argument = fmt::format("prefix=\"{}\"", report.suggestedPrefix);
    if (!place.isValid()) {
      diag.help(fmt::format("add the prefix: `@weights(\"{}\", {})`", path, argument));
    } else if (info.weights->afterFile.isValid()) {
      diag.fixIt("add the prefix", {{info.weights->afterFile, argument + ", "}});
    } else {
      syntax::Span close = info.weights->location;
      close.begin = close.end = close.end - 1; // before the parenthesis
      diag.fixIt("add the prefix", {{close, ", " + argument}});
    }
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
  if (report.suggestedPrefix.empty())
    reporter.unused(report);
  reporter.misshapen(report);
  reporter.conflicting(report);
}

} // namespace nnc
