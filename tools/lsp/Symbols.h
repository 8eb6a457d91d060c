// What stands under the cursor: which name, and where it is declared.
#pragma once

#include "tools/lsp/Analysis.h"

#include <optional>
#include <string_view>
#include <vector>

namespace nnc::lsp {

/// A name in use, or where it is declared.
struct Symbol {
  syntax::Span use;
  syntax::VisibleName declared;
};

/// The tokens of a file; asks about the names among them.
class SymbolFinder {
public:
  explicit SymbolFinder(Analysis &analysis);

  /// The name under an offset, declared or not; invalid on other tokens.
  syntax::Span nameAt(uint32_t offset) const;
  /// The declared name under an offset; nothing on other tokens, or if nothing declares it.
  std::optional<Symbol> find(uint32_t offset);
  /// What may follow at an offset: the members of what stands before a `.`, or the names in scope,
  /// of the library too. Of the names that are equal the one that is meant.
  std::vector<syntax::VisibleName> candidates(uint32_t offset);
  /// The parameters that the call around an offset takes; empty outside of calls.
  std::vector<syntax::Formal const *> formalsAround(uint32_t offset);
  /// Whether the name being typed at an offset stands behind a `.` or an `@`.
  bool isBehind(uint32_t offset, syntax::Tok kind) const;

private:
  /// The index of the token that ends at or contains an offset; -1 if there is none.
  int tokenAt(uint32_t offset) const;
  /// The token that the name being typed at an offset follows.
  int tokenBefore(uint32_t offset) const;
  std::string_view textOf(int token) const;
  syntax::Span spanOf(int token) const;
  std::optional<syntax::VisibleName> lookup(std::string_view name, uint32_t offset);
  std::vector<syntax::VisibleName> visible(uint32_t offset);
  /// What the expression that ends with a token has inside.
  std::vector<syntax::VisibleName> membersOf(int lastToken);
  const syntax::ModuleStmt *classOf(int lastToken);
  /// The `(` of the innermost call around a token; -1 if there is none.
  int callAround(int token) const;
  std::vector<syntax::Formal const *> formalsOf(int callee);
  /// Follows imports to what they name.
  syntax::VisibleName resolve(syntax::VisibleName name);

  Analysis &analysis;
  syntax::TokenStream stream;
};

} // namespace nnc::lsp
