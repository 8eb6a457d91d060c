// The subcommands that work on sources: check, fmt, keys, doc, explain.
#pragma once

#include "frontend/syntax/Diagnostics.h"
#include "tools/compiler/Compile.h"

#include <string>
#include <vector>

namespace nnc {

using Paths = std::vector<std::string>;

/// `nnc check`: true if no file has an error.
bool checkSources(syntax::SourceManager &, syntax::Diagnostics &, const Paths &files);

/// `nnc fmt`: prints formatted sources, or edits them, or (`check`) names those that would change.
bool formatSources(syntax::SourceManager &, syntax::Diagnostics &, const Paths &files, bool inPlace,
                   bool check);

/// `nnc keys`: the checkpoint keys of a model with types; with a .safetensors file as second path,
/// how both differ (false if they do).
bool listKeys(syntax::SourceManager &, syntax::Diagnostics &, const Paths &files,
              const CompileOptions &options);

/// `nnc doc`: the reference of a file, or of the prelude (`std`), as Markdown on standard output.
bool documentSource(syntax::SourceManager &, syntax::Diagnostics &, const std::string &path);

/// `nnc explain CODE`.
bool explainCodeText(const std::string &code, syntax::Diagnostics &);

/// How `nnc explain model.nn` shows it.
struct ExplainStyle {
  bool json = false;
  std::string html; ///< a file; empty: text or JSON on standard output
  std::string gpu;
};

/// `nnc explain model.nn`.
bool explainModelFile(syntax::SourceManager &, syntax::Diagnostics &, const std::string &path,
                      const CompileOptions &options, const ExplainStyle &style);

} // namespace nnc
