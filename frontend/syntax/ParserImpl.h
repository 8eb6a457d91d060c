//===- ParserImpl.h - The recursive descent parser ------------------------------------------===//
//
// Private to this folder. One method per rule of the grammar, in files by what they parse:
// ParseExpr.cpp, ParsePrimary.cpp, ParseType.cpp, ParseStmt.cpp, ParseDecl.cpp; ParseErrors.cpp
// says what is wrong, ForeignSyntax.cpp what was meant by those who write it as elsewhere, and
// Recovery.cpp finds the place to go on.
//
// A method that meets an error reports it and returns null (or false, or nothing); its callers pass
// that on in silence up to the statement, which is dropped; parsing goes on behind it. A mistake
// that can be repaired (a missing comma) is reported and the method goes on. Recursion is bounded
// by Nesting, the height of expressions by withHeight.
//
//===----------------------------------------------------------------------------------------===//

#ifndef NNC_FRONTEND_SYNTAX_PARSERIMPL_H
#define NNC_FRONTEND_SYNTAX_PARSERIMPL_H

#include "frontend/syntax/Lexer.h"
#include "frontend/syntax/Parser.h"

#include <functional>

namespace nnc::syntax {

/// What a bracketed list is called in messages.
struct ListWords {
  std::string_view where;   // "this call"
  std::string_view element; // "argument"
  bool trailingComma = false;
};

/// What a pair of braces holds, for parseBody.
struct BodyContext {
  Span head;                      // where the declaration begins; invalid for a file
  bool isFunction = false;        // statements, no declarations
  std::function<StmtPtr()> parse; // one of them
};

class Parser {
public:
  Parser(const SourceManager &sources, TokenStream stream, Diagnostics &diags)
      : sources(sources), stream(std::move(stream)), diags(diags) {}
  /// For an expression in the braces of a key, within what `outer` parses.
  Parser(const Parser &outer, TokenStream stream)
      : sources(outer.sources), stream(std::move(stream)), diags(outer.diags),
        nesting(outer.nesting), isPartOfString(true) {}

  std::unique_ptr<File> parseFile();
  /// The whole stream as one expression.
  ExprPtr parseOnlyExpr();

private:
  //--- Tokens
  const Token &peek(size_t ahead = 0) const {
    return stream.tokens[std::min(index + ahead, stream.tokens.size() - 1)];
  }
  Tok kind(size_t ahead = 0) const { return peek(ahead).kind; }
  bool at(Tok k) const { return kind() == k; }
  void advance() { index += index + 1 < stream.tokens.size(); }
  bool consume(Tok k);
  Span spanOf(const Token &token) const { return {stream.file, token.begin, token.end}; }
  std::string_view textOf(const Token &token) const { return sources.text(spanOf(token)); }
  /// Where the current token is; line ends and the file's end stand just behind the last token.
  Span here() const;
  Span previous() const;
  Span since(Span first) const { return first.to(previous()); }
  bool atWord(std::string_view word) const { return at(Tok::Name) && textOf(peek()) == word; }

  //--- Errors (ParseErrors.cpp)
  /// Reports that `what` was expected here, or what is more probably wrong; always returns null.
  std::nullptr_t expected(std::string_view what);
  std::nullptr_t expectedAxis();
  std::nullptr_t expectedInstance(const Ident &name);
  std::nullptr_t reportBareTuple(Span first);
  bool expect(Tok k);
  bool expectName(Ident &name, std::string_view what);
  std::nullptr_t reportPlace(const Expr &place);
  std::nullptr_t expectedValue(const std::vector<Target> &targets);
  bool reportReservedTarget();
  void reportUnclosed(Span open, std::string_view closing);
  void reportMissingComma(const ListWords &words, std::string_view closing);
  Diagnostic &reportMisplaced(std::string_view where);
  void parseMisplacedStmt();
  void reportUntyped(const Ident &formal);
  void reportUnused(const Expr &value);
  std::string describe(const Token &token) const;

  //--- What is written as elsewhere (ForeignSyntax.cpp)
  bool reportBadToken();
  void reportBadString();
  void reportBadCharacter();
  bool reportSlashComment();
  bool reportForeignContinuation(std::string_view what);
  bool reportForeignStatement();
  bool atCompound() const;
  StmtPtr parseCompound();

  //--- Recovery, lists, nesting (Recovery.cpp)
  unsigned indentOfLine(Span span) const;
  /// Whether the current token cannot stand in such a body and begins a line no deeper than its
  /// head, so that the body was probably forgotten to be closed.
  bool looksUnclosed(const BodyContext &context) const;
  /// Skips to the end of the statement, or of the enclosing block.
  void synchronize();
  /// Skips to the `{` of a declaration whose head has an error; false if there is none.
  bool skipToBody();
  /// `open element, element close`, standing at `open`.
  bool parseList(Tok close, const ListWords &words, const std::function<bool()> &element);
  bool startsElement() const;

  class Nesting {
  public:
    explicit Nesting(Parser &parser) : parser(parser) { ++parser.nesting; }
    ~Nesting() { --parser.nesting; }
    /// Reports when the limit is passed.
    bool isTooDeep();

  private:
    Parser &parser;
  };
  ExprPtr withHeight(ExprPtr expr, unsigned childHeight);

  //--- Expressions (ParseExpr.cpp)
  ExprPtr parseExpr();
  ExprPtr parseIfExpr();
  ExprPtr parsePipeStages(ExprPtr head);
  ExprPtr parseBinary(int minPrecedence);
  ExprPtr parseBinaryTail(ExprPtr lhs, int minPrecedence);
  ExprPtr parseNot();
  ExprPtr parseUnary();
  ExprPtr parsePostfix();
  ExprPtr parseCall(ExprPtr callee);
  ExprPtr parseIndex(ExprPtr base);
  ExprPtr parseMember(ExprPtr base);
  ExprPtr parsePrimary();
  ExprPtr parseInt();
  ExprPtr parseFloat();
  std::unique_ptr<StringExpr> parseString();
  ExprPtr parseParens();
  ExprPtr parseListExpr();
  ExprPtr parseListComp(Span open, Value first);
  bool parseArgs(std::vector<Argument> &args);
  bool parseArg(std::vector<Argument> &args);
  bool parseIndexItem(IndexItem &item);
  bool parseValue(Value &value);
  bool parseOptionalKey(std::optional<Key> &key);
  bool parseKeyAlternative(Key::Alternative &alternative);
  bool reportChain(const Expr &lhs, int precedence);
  bool reportOperatorAfterPipe(const PipeExpr &pipe);

  //--- Types and targets (ParseType.cpp)
  TypePtr parseType();
  TypePtr parseTensorType();
  TypePtr parseScalarType(ScalarKind scalar);
  TypePtr parseListType();
  TypePtr parseTupleType();
  bool parseDim(std::vector<Dim> &dims);
  void reportNoType();
  bool parseTargets(std::vector<Target> &targets);
  bool parseTarget(Target &target);

  //--- Statements (ParseStmt.cpp)
  /// `head` is where the statement that has the block begins.
  bool parseBlock(Block &block, Span head);
  bool parseMembers(Span &span, Span head, std::vector<StmtPtr> &body);
  /// Statements up to `}` or the end of the file; what stands there is left.
  void parseBody(const BodyContext &context, std::vector<StmtPtr> &body);
  bool parseBraced(Span &span, const BodyContext &context, std::vector<StmtPtr> &body);
  StmtPtr parseStmt();
  StmtPtr parseBindOrUpdate();
  bool startsBinding() const;
  StmtPtr parseBind();
  StmtPtr parseUpdate(ExprPtr place);
  bool parseExprs(std::vector<ExprPtr> &list);
  template <typename T> StmtPtr parseValues();
  StmtPtr parseFor();
  StmtPtr parseIf();
  std::unique_ptr<ScanStmt> parseScan();

  //--- Items and members (ParseDecl.cpp)
  StmtPtr parseItem();
  StmtPtr parseMember();
  StmtPtr parseBinding();
  StmtPtr parseDeclaration(const std::function<StmtPtr()> &parseOne);
  bool parseAttributes(std::vector<Attribute> &attributes);
  std::string docBefore(uint32_t offset) const;
  StmtPtr parseImport();
  StmtPtr parseModule();
  StmtPtr parseTrain();
  StmtPtr parseFn();
  bool parseFnHead(FnStmt &fn);
  StmtPtr parseSlot();
  StmtPtr parseTie();
  bool parseFormals(std::vector<Formal> &formals);
  bool parseFormal(Formal &formal);
  bool parseResults(std::vector<Result> &results);
  bool parseOptionalGuards(std::vector<Guard> &guards);
  void checkVersion();

  const SourceManager &sources;
  TokenStream stream;
  Diagnostics &diags;
  size_t index = 0;
  unsigned nesting = 0;
  bool isPartOfString = false;
  unsigned openBrackets = 0;  // `(` and `[` being parsed
  unsigned assumedClosed = 0; // blocks taken as closed, whose `}` may still come
  bool reportedEnd = false;   // an unclosed block, or too deep nesting, explains further ones
  bool reportedDeep = false;
  Span doubtfulBlock;        // a `{` whose `}` stands further left than its head
  bool skipOnlyLine = false; // how synchronize() goes on after the last error
};

} // namespace nnc::syntax

#endif // NNC_FRONTEND_SYNTAX_PARSERIMPL_H
