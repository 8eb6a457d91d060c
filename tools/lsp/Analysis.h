// What the checker says about one file as an editor holds it: diagnostics, the tree, and what every
// name and expression came to. The compiler's own types stay in Analysis.cpp.
#pragma once

#include "frontend/syntax/Syntax.h"
#include "tools/lsp/Positions.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace nnc::lsp {

/// The texts of a value in the instances in which it was met, each once ("float[B, 64, H, W]").
using Types = std::vector<std::string>;

/// A local whose shape an editor may show behind its name.
struct TypeHint {
  syntax::Span name;
  Types types;
};

/// What a `param`, `buffer` or `state` is in all its instances.
struct SlotFact {
  std::string type; ///< of the first
  uint64_t bytes;   ///< of one
  std::vector<std::string> keys;
};

/// What a binding of a module owns, summed over all its instances.
struct MemberFact {
  std::vector<std::string> keys; ///< of the slots below
  uint64_t parameters = 0, bytes = 0;
};

class Analysis {
public:
  /// The texts that an editor holds, by path.
  using Texts = std::map<std::string, std::string>;

  /// Checks `path`, one of `texts`; what it imports is taken from there too, else from disk.
  Analysis(const std::string &path, const Texts &texts);

  syntax::SourceManager sources;
  /// Of the whole check, in this file and in those that it imports.
  syntax::Diagnostics diags;
  /// Invalid if the text is no source at all.
  syntax::FileId file;
  std::unique_ptr<syntax::File> tree;
  /// The files of the library that are in scope everywhere.
  std::vector<std::shared_ptr<const syntax::File>> prelude;

  std::string_view text() const { return sources.text(file); }
  const LineIndex &lines(syntax::FileId id) const;

  std::vector<TypeHint> hints;
  /// What expressions came to, also stages of pipes, by place.
  std::map<syntax::Span, Types> values;
  /// By the place of the declared name.
  std::map<syntax::Span, SlotFact> slots;
  std::map<syntax::Span, MemberFact> members;
  /// Of expressions that are an instance or a module: the name in its declaration.
  std::map<syntax::Span, syntax::Span> classes;

  /// The tree of a file that was read; null if there is none.
  const syntax::File *treeOf(syntax::FileId id) const;
  /// The file that an import names, if it can be read.
  std::optional<syntax::FileId> imported(const syntax::ImportStmt &import, syntax::FileId from);
  /// The module whose name is declared at a place.
  const syntax::ModuleStmt *moduleAt(syntax::Span name) const;

private:
  mutable std::map<syntax::FileId, std::unique_ptr<syntax::File>> trees;
  mutable std::map<syntax::FileId, LineIndex> indices;
};

/// The functions that the compiler itself knows, with their parameters: "avg_pool(x, kernel,
/// stride?)".
const std::vector<std::string> &knownFunctions();

} // namespace nnc::lsp
