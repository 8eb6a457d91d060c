// What a tool can learn of an evaluation beside its diagnostics: `nnc shapes` and `nnc lsp` listen.
// What is handed over lives only during the call, or as long as the evaluation: an observer takes
// texts and spans from it.
#pragma once

#include "frontend/Value.h"

#include <string_view>

namespace nnc::frontend {

struct Frame;
struct ModelInfo;

class Observer {
public:
  virtual ~Observer() = default;

  /// The body of `fn` begins, its arguments bound in `frame`. Bodies nest.
  virtual void enterBody(const syntax::FnStmt &fn, const Frame &frame) {}
  /// It ends; `result` is null after an error in it.
  virtual void leaveBody(const syntax::FnStmt &fn, const Value *result) {}
  /// A call whose body was evaluated before, for an instance of the same structure.
  virtual void shareBody(const syntax::FnStmt &fn, const Frame &frame) {}
  /// An expression came to a value.
  virtual void evaluated(const syntax::Expr &expr, const Value &value) {}
  /// A stage of a pipe, or one element of a list that is called, came to a value. `name` is what
  /// was applied ("conv1", "features[2]"), `place` where that is written.
  virtual void applied(syntax::Span place, std::string_view name, const Value &value) {}
  /// A local, a loop variable or a member got a value.
  virtual void bound(const syntax::Ident &name, const Value &value) {}
  /// All instances of a model are made, and its slots declared.
  virtual void built(const Instance &root, const ModelInfo &info) {}
};

} // namespace nnc::frontend
