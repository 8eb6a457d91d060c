// Where names come from: the top level of files, the blocks of a function, and the frame that joins
// them while a body is evaluated.
#pragma once

#include "frontend/Module.h"
#include "frontend/Value.h"
#include "frontend/syntax/AST.h"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace nnc::frontend {

struct FunctionEmission;

/// A name at the top level of a file.
struct Global {
  enum class State { Fresh, InProgress, Done, Failed };
  syntax::Ident name;
  const syntax::Stmt *decl = nullptr; ///< Import for an imported name
  State state = State::Fresh;
  Value value = {}; ///< when Done
};

/// The top level of one file, or of all files of the prelude.
class FileScope {
public:
  /// Of one file; nothing for the prelude.
  syntax::FileId id;
  std::shared_ptr<const syntax::File> tree;
  /// Of the prelude or a package: users are not shown errors in it that are theirs.
  bool isLibrary = false;
  /// Has syntax errors, so that names may be missing.
  bool isBroken = false;

  Global *find(std::string_view name) const;
  /// All names, in order of the text.
  std::vector<std::string_view> names() const;
  /// Enters a name; null if it is there already.
  Global *add(syntax::Ident name, const syntax::Stmt *decl);
  /// The class of a `module` or `model` of this file.
  const ModuleClass *moduleClass(const syntax::ModuleStmt &decl) const;

private:
  mutable std::deque<Global> globals;
  std::unordered_map<std::string_view, Global *> byName;
  mutable std::deque<ModuleClass> classes;
  mutable std::unordered_map<const syntax::ModuleStmt *, const ModuleClass *> classOf;
};

/// `import "./x.nn" as q`.
struct Namespace {
  std::string_view name;
  const FileScope *file;
};

/// The names bound in a function or a comprehension, block by block.
class Locals {
public:
  /// The innermost of that name; null if there is none. It holds nothing after an error.
  const std::optional<Value> *find(std::string_view name) const;
  /// Binds in the innermost block. `place` is where, for messages.
  void define(std::string_view name, std::optional<Value> value, syntax::Span place = {});
  /// Rebinds where the name is bound already, else binds in the innermost block.
  void assign(std::string_view name, std::optional<Value> value, syntax::Span place = {});
  /// Where the innermost of that name was bound last; invalid if nobody said.
  syntax::Span placeOf(std::string_view name) const;
  std::vector<std::string_view> names() const;

  size_t enterBlock() const { return bindings.size(); }
  void leaveBlock(size_t mark) { bindings.resize(mark); }

private:
  struct Binding {
    std::string_view name;
    std::optional<Value> value;
    syntax::Span place;
  };
  std::vector<Binding> bindings;
};

/// The body of a `scan` being evaluated.
struct ScanBody {
  /// What its `yield` gives in each step, and where that stands.
  std::vector<Value> yields = {};
  syntax::Span yieldSpan = {};
  bool yielded = false;
};

/// One body being evaluated.
struct Frame {
  const FileScope *home = nullptr;
  Instance *self = nullptr;
  /// The class whose closed constants are being evaluated, without an instance.
  const ModuleClass *constantsOf = nullptr;
  const syntax::FnStmt *function = nullptr;
  /// The instance whose function called this one.
  const Instance *caller = nullptr;
  /// Null at build time.
  FunctionEmission *emission = nullptr;
  /// What `float` is in it; nothing: as around it.
  std::optional<Precision> precision;
  Locals locals;
  /// The innermost `scan` around what is being evaluated.
  ScanBody *scan = nullptr;
  /// `...` and `...S` of the signature.
  Packs packs;
  /// Whose argument fixed a dimension variable of the signature.
  std::map<std::string_view, syntax::Span> boundAt;
  /// Set by `return`, with the place of each value.
  std::optional<Value> result;
  std::vector<syntax::Span> resultSpans;
  bool returned = false;
  /// An error was reported in this body, so its result means nothing.
  bool failed = false;
};

} // namespace nnc::frontend
