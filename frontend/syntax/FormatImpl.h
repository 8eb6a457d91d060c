//===- FormatImpl.h - From tree to layout ---------------------------------------------------===//
//
// Private to this folder. The formatter walks the tree and the tokens side by side: every piece of
// text that it emits is the next token, so nothing can be lost, and comments are found by where
// they stand between tokens. What it may change: line breaks, spaces, trailing commas, doubled
// parentheses, `;`, and the spacing inside of patterns.
//
//===----------------------------------------------------------------------------------------===//

#ifndef NNC_FRONTEND_SYNTAX_FORMATIMPL_H
#define NNC_FRONTEND_SYNTAX_FORMATIMPL_H

#include "frontend/syntax/AST.h"
#include "frontend/syntax/Doc.h"
#include "frontend/syntax/Lexer.h"

#include <functional>

namespace nnc::syntax {

class Formatter {
public:
  Formatter(const SourceManager &sources, FileId file);
  Doc format(const File &file);

private:
  //--- Tokens and comments (Format.cpp)
  const Token &token() const { return stream.tokens[index]; }
  bool at(Tok kind) const { return token().kind == kind; }
  /// The next token with the comments around it.
  Doc take();
  Doc takeAs(std::string text);
  /// The comments of the next token, which itself is dropped.
  Doc skip();
  Doc takeWord() { return b.concat({take(), b.text(" ")}); }
  void skipNewlines();
  /// Own-line comments before the next token, each followed by a line break.
  Doc leadingComments();
  Doc trailingComments(uint32_t tokenEnd);
  /// Own-line comments before a closing bracket, each on a new line.
  Doc closingComments();
  bool hasCommentBefore(uint32_t offset) const;
  /// Where the next comment or token begins.
  uint32_t nextBegin() const;
  /// Whether the source has an empty line between two offsets.
  bool hasBlankLine(uint32_t begin, uint32_t end) const;
  /// Whether a comment ends the line just taken, so that a line break has to follow.
  bool endedWithComment = false;
  Doc lineAfterComma() { return endedWithComment ? b.hardLine() : b.line(); }

  //--- Lists
  /// `open` a, b, c `close`, filled and aligned behind the bracket.
  Doc filled(size_t count, const std::function<Doc(size_t)> &element);
  /// `a, b, c` without brackets.
  Doc joined(size_t count, const std::function<Doc(size_t)> &element);
  /// A body in braces. On one line if the source has it so and it is a single statement.
  Doc body(const std::vector<StmtPtr> &stmts);
  Doc statements(const std::vector<StmtPtr> &stmts);
  /// The end of the last token or comment that was printed.
  uint32_t previousEnd() const;

  //--- Expressions (FormatExpr.cpp)
  Doc expr(const Expr &expr);
  Doc withoutParens(const Expr &expr);
  Doc list(const ListExpr &list);
  Doc listComp(const ListCompExpr &comp);
  Doc tuple(const TupleExpr &tuple);
  Doc unary(const UnaryExpr &unary);
  Doc binary(const BinaryExpr &binary);
  void flatten(const BinaryExpr &binary, std::vector<Doc> &parts);
  Doc range(const RangeExpr &range);
  Doc choice(const IfExpr &choice);
  Doc pipe(const PipeExpr &pipe);
  Doc call(const CallExpr &call);
  Doc argument(const Argument &arg, bool mayBePattern);
  Doc arguments(const std::vector<Argument> &args, bool mayBePattern);
  Doc patternOr(const Expr &expr);
  Doc access(const IndexExpr &access);
  Doc indexItem(const IndexItem &item);
  Doc value(const Value &value);
  Doc key();

  //--- Types (FormatDecl.cpp)
  Doc type(const TypeExpr &type);
  Doc dim(const Dim &dim);
  Doc target(const Target &target);
  Doc targets(const std::vector<Target> &targets);

  //--- Statements and declarations (FormatDecl.cpp)
  Doc stmt(const Stmt &stmt);
  Doc withoutAttributes(const Stmt &stmt);
  Doc import(const ImportStmt &import);
  Doc module(const ModuleStmt &module);
  Doc train(const TrainStmt &train);
  Doc fn(const FnStmt &fn);
  Doc slot(const SlotStmt &slot);
  Doc tie(const TieStmt &tie);
  Doc bind(const BindStmt &bind);
  Doc update(const UpdateStmt &update);
  Doc values(const std::vector<ExprPtr> &values);
  Doc forLoop(const ForStmt &loop);
  Doc ifStmt(const IfStmt &stmt);
  Doc scan(const ScanStmt &scan);
  Doc formal(const Formal &formal);
  Doc results(const std::vector<Result> &results);
  Doc guards(const std::vector<Guard> &guards);
  Doc optionalCondition(const ExprPtr &condition);

  const SourceManager &sources;
  TokenStream stream;
  std::string_view text;
  size_t index = 0;
  size_t comment = 0; // the next one to print
  DocBuilder b;
};

} // namespace nnc::syntax

#endif // NNC_FRONTEND_SYNTAX_FORMATIMPL_H
