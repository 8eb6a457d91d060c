#include "tools/nnc/Commands.h"

#include "frontend/Library.h"
#include "frontend/syntax/Syntax.h"
#include "runtime/format/AtomicFile.h"
#include "runtime/format/Safetensors.h"
#include "tools/Say.h"
#include "tools/compiler/Checkpoint.h"
#include "tools/compiler/Compilation.h"
#include "tools/explain/Explanation.h"

#include <filesystem>
#include <fmt/format.h>

namespace nnc {

bool checkSources(syntax::SourceManager &sources, syntax::Diagnostics &diags, const Paths &files) {
  mlir::MLIRContext context;
  for (const std::string &path : files)
    if (std::optional<syntax::FileId> file = sources.load(path, diags))
      frontend::checkFile(sources, *file, {}, diags, context);
  return !diags.hasErrors();
}

namespace {

bool formatOne(syntax::SourceManager &sources, syntax::Diagnostics &diags, const std::string &path,
               bool inPlace, bool check) {
  std::optional<syntax::FileId> file = sources.load(path, diags);
  std::optional<std::string> text =
      file ? syntax::formatSource(sources, *file, diags) : std::nullopt;
  if (!text)
    return false;
  bool changes = *text != sources.text(*file);
  if (check) {
    if (changes)
      diags.error(fmt::format("'{}' is not formatted: run `nnc fmt -i {}`", path, path));
    return !changes;
  }
  if (!inPlace) {
    say("{}", *text);
    return true;
  }
  Result<void> done = changes ? format::writeFile(path, *text) : Result<void>();
  if (!done)
    diags.error(done.error().message);
  return bool(done);
}

} // namespace

bool formatSources(syntax::SourceManager &sources, syntax::Diagnostics &diags, const Paths &files,
                   bool inPlace, bool check) {
  bool done = true;
  for (const std::string &path : files)
    done &= formatOne(sources, diags, path, inPlace, check);
  return done;
}

namespace {

void printKeys(const frontend::ModelInfo &info) {
  size_t width = 0;
  for (const frontend::SlotInfo &slot : info.slots)
    width = std::max(width, slot.key.size());
  for (const frontend::SlotInfo &slot : info.slots) {
    std::string line = fmt::format("{:<{}}  {}", slot.key, width, slot.type);
    if (slot.kind != "param")
      line += fmt::format("  {}", slot.kind);
    for (const std::string &alternative : slot.alternatives)
      line += fmt::format("  or {}", alternative);
    say("{}\n", line);
  }
  say("{} parameters\n", info.parameterCount());
}

/// One line for each key on which the sides differ, then the sum.
void printReport(const codegen::KeyReport &report, const codegen::CheckpointNames &names,
                 const std::string &path) {
  size_t width = 0;
  for (const auto *keys : {&report.missing, &report.unused})
    for (const codegen::KeyReport::Key &key : *keys)
      width = std::max(width, key.name.size());
  for (const auto *keys : {&report.misshapen, &report.converted})
    for (const codegen::KeyReport::Difference &key : *keys)
      width = std::max(width, key.name.size());
  constexpr size_t Guessed = 100;
  for (size_t i = 0; i < report.missing.size(); ++i) {
    const codegen::KeyReport::Key &key = report.missing[i];
    auto near = i < Guessed && !report.betterPrefix ? nearestUnused(key, report) : std::nullopt;
    say("- {:<{}}  {}  not in the file{}\n", key.name, width, key.type,
        near ? fmt::format("; is it `{}`?", *near) : "");
  }
  for (const codegen::KeyReport::Key &key : report.unused)
    say("+ {:<{}}  {}  not in the model\n", key.name, width, key.type);
  for (const codegen::KeyReport::Difference &key : report.misshapen)
    say("! {:<{}}  {} in the file, {} in the model\n", key.name, width, key.found, key.expected);
  for (const codegen::KeyReport::Conflict &pair : report.conflicting)
    say("! {} and {} differ, but are one tensor of the model\n", pair.first, pair.second);
  for (const codegen::KeyReport::Difference &key : report.converted)
    say("~ {:<{}}  {} in the file, converted to {}\n", key.name, width, key.found,
        key.expected.substr(0, key.expected.find('[')));
  if (report.isClean())
    say("all {} keys agree\n", report.numSlots);
  else
    say("{} of {} keys agree: {} missing (-), {} unused (+), {} different (!)\n",
        report.numAgreeing, report.numSlots, report.missing.size(), report.unused.size(),
        report.misshapen.size() + report.conflicting.size());
  if (report.betterPrefix)
    say("{}: `@weights(\"{}\", prefix=\"{}\")`\n", prefixNote(report, names), path,
        report.betterPrefix->text);
}

bool compareKeys(Compilation &compilation, const std::string &path, syntax::Diagnostics &diags) {
  codegen::CheckpointNames names = namesOf(compilation.info());
  Result<LoadedCheckpoint> loaded = loadCheckpoint(compilation.module(), path, names);
  if (!loaded) {
    reportUnreadable(loaded.error(), compilation.info(), path, diags);
    return false;
  }
  printReport(loaded->report, names, path);
  return loaded->report.isClean();
}

} // namespace

bool listKeys(syntax::SourceManager &sources, syntax::Diagnostics &diags, const Paths &files,
              const CompileOptions &options) {
  if (files.size() > 2) {
    diags.error("`nnc keys` takes a model and at most one checkpoint");
    return false;
  }
  std::optional<syntax::FileId> file = sources.load(files[0], diags);
  if (!file)
    return false;
  Compilation compilation(sources, diags, options);
  if (!compilation.run(*file, Phase::Check))
    return false;
  if (files.size() == 2)
    return compareKeys(compilation, files[1], diags);
  printKeys(compilation.info());
  return true;
}

bool documentSource(syntax::SourceManager &sources, syntax::Diagnostics &diags,
                    const std::string &path) {
  const frontend::LibraryFile *package = nullptr;
  if (path.starts_with("std."))
    package = frontend::findPackage(std::string_view(path).substr(4));
  std::vector<std::shared_ptr<const syntax::File>> trees;
  std::string title = path;
  if (path == "std") {
    trees = frontend::preludeTrees();
    title = "The library that is always in scope";
  } else if (package) {
    trees.push_back(frontend::parseLibraryFile(*package).tree);
  } else if (std::optional<syntax::FileId> file = sources.load(path, diags)) {
    trees.push_back(syntax::parseFile(sources, *file, diags));
    title = std::filesystem::path(path).filename().string();
  } else {
    return false;
  }
  if (diags.hasErrors())
    return false;
  say("{}", syntax::referenceMarkdown(sources, trees, title));
  return true;
}

bool explainCodeText(const std::string &code, syntax::Diagnostics &diags) {
  const syntax::Explanation *explanation = syntax::explain(code);
  if (!explanation) {
    diags.error(fmt::format("there is no error code `{}`", code));
    return false;
  }
  say("{}: {}\n\n{}\n", explanation->code, explanation->title, explanation->text);
  return true;
}

bool explainModelFile(syntax::SourceManager &sources, syntax::Diagnostics &diags,
                      const std::string &path, const CompileOptions &options,
                      const ExplainStyle &style) {
  const format::GpuRates *rates = format::findGpuRates(style.gpu);
  if (!rates) {
    diags.error(fmt::format("the rates of the GPU `{}` are not known: there are those of {}",
                            style.gpu, format::knownGpus()));
    return false;
  }
  std::optional<syntax::FileId> file = sources.load(path, diags);
  std::optional<explain::Explanation> explanation =
      file ? explain::explainModel(sources, diags, *file, options, *rates) : std::nullopt;
  if (!explanation)
    return false;
  if (style.json || style.html.empty())
    say("{}", style.json ? explain::toJson(*explanation) : explain::toText(*explanation));
  if (style.html.empty())
    return true;
  Result<void> written = format::writeFile(style.html, explain::toHtml(*explanation));
  if (!written)
    diags.error(written.error().message);
  return bool(written);
}

} // namespace nnc
