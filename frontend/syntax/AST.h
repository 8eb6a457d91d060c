//===- AST.h - The syntax tree --------------------------------------------------------------===//
//
// Three kinds of nodes: Expr (values), TypeExpr (types and shapes) and Stmt (everything that stands
// on a line of its own: declarations, members of modules, statements of functions). Each node has a
// Span; each name in it is an Ident with its own. A node owns its children. Identifiers are views
// into the SourceManager, which outlives the tree.
//
// `node->is<CallExpr>()` tests, `node->as<CallExpr>()` gives null for another class, and
// `node->get<CallExpr>()` asserts. Switching on `kind()` is fine too.
//
//===----------------------------------------------------------------------------------------===//

#ifndef NNC_FRONTEND_SYNTAX_AST_H
#define NNC_FRONTEND_SYNTAX_AST_H

#include "frontend/syntax/Source.h"

#include <cassert>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nnc::syntax {

/// A name where it is written. `_` is a name too; see isDiscard.
struct Ident {
  std::string_view text;
  Span span;
  bool isDiscard() const { return text == "_"; }
  bool isEmpty() const { return text.empty(); }
};

/// The base of Expr, TypeExpr and Stmt: a kind, a place, and checked casts.
template <typename Base, typename KindT> class NodeBase {
public:
  using Kind = KindT;

  Span span;

  KindT kind() const { return nodeKind; }
  template <typename T> bool is() const { return nodeKind == T::kKind; }
  template <typename T> const T *as() const {
    return is<T>() ? static_cast<const T *>(static_cast<const Base *>(this)) : nullptr;
  }
  template <typename T> T *as() {
    return is<T>() ? static_cast<T *>(static_cast<Base *>(this)) : nullptr;
  }
  template <typename T> const T &get() const {
    assert(is<T>() && "node is of another class");
    return *static_cast<const T *>(static_cast<const Base *>(this));
  }

  NodeBase(const NodeBase &) = delete;
  NodeBase &operator=(const NodeBase &) = delete;

protected:
  NodeBase(KindT kind, Span span) : span(span), nodeKind(kind) {}
  ~NodeBase() = default;

private:
  KindT nodeKind;
};

//===----------------------------------------------------------------------------------------===//
// Element types
//===----------------------------------------------------------------------------------------===//

/// The element types that a tensor may name. `Float` is the abstract working float.
enum class Elem : uint8_t { Float, F32, F16, BF16, F8E4M3, F8E5M2, I4, I8, I32, I64, Bool };

/// "float", "f32", ...
std::string_view spelling(Elem elem);

//===----------------------------------------------------------------------------------------===//
// Expressions
//===----------------------------------------------------------------------------------------===//

// clang-format off
enum class ExprKind : uint8_t {
  Int, Float, String, Bool, None, Name, Elem, List, ListComp, Tuple, Unary, Binary, Range, If,
  Pipe, Call, Index, Member,
};
// clang-format on

class Expr : public NodeBase<Expr, ExprKind> {
public:
  /// How many parentheses stand around it. The span includes them.
  unsigned parens = 0;
  /// Levels of the tree below and with this node; at most kMaxHeight (Parser.h).
  unsigned height = 1;
  virtual ~Expr() = default;

protected:
  using NodeBase::NodeBase;
};
using ExprPtr = std::unique_ptr<Expr>;

class TypeExpr;
using TypePtr = std::unique_ptr<TypeExpr>;
class Stmt;
using StmtPtr = std::unique_ptr<Stmt>;

/// A class of node: `class X : public ExprNode<ExprKind::X>`.
template <ExprKind K> class ExprNode : public Expr {
public:
  static constexpr ExprKind kKind = K;
  explicit ExprNode(Span span) : Expr(K, span) {}
};

class IntExpr : public ExprNode<ExprKind::Int> {
public:
  using ExprNode::ExprNode;
  int64_t value = 0; // never negative: `-1` is a Unary
};

class FloatExpr : public ExprNode<ExprKind::Float> {
public:
  using ExprNode::ExprNode;
  double value = 0;
};

class StringExpr : public ExprNode<ExprKind::String> {
public:
  using ExprNode::ExprNode;
  std::string value;     // with escapes resolved
  std::string_view raw;  // as written, without the quotes
  uint32_t rawBegin = 0; // its offset in the file
  /// The place of raw[begin, end) in the file, for errors that point inside the string.
  Span spanOf(size_t begin, size_t end) const;
};

class BoolExpr : public ExprNode<ExprKind::Bool> {
public:
  using ExprNode::ExprNode;
  bool value = false;
};

class NoneExpr : public ExprNode<ExprKind::None> {
public:
  using ExprNode::ExprNode;
};

class NameExpr : public ExprNode<ExprKind::Name> {
public:
  using ExprNode::ExprNode;
  std::string_view name;
  Ident ident() const { return {name, span}; }
};

/// An element type as a value: `x |> f32`, `zeros([B], bf16)`.
class ElemExpr : public ExprNode<ExprKind::Elem> {
public:
  using ExprNode::ExprNode;
  Elem elem = Elem::Float;
};

/// `as "weight" | "gamma"`: what replaces a step of the checkpoint key.
struct Key {
  /// `encoder_layer_{i}` is two parts: text, then an expression.
  struct Part {
    std::string text; // used when there is no expression
    ExprPtr expr;     // a build-time value, or null
  };
  struct Alternative {
    std::vector<Part> parts; // empty for ""
    Span span;               // the string with its quotes
  };
  std::vector<Alternative> alternatives; // not empty; the first is written, all are read
  Span span;                             // from `as`
};

/// `expr [key]`: the value of a binding or an element of a list.
struct Value {
  ExprPtr expr;
  std::optional<Key> key;
  Span span;
};

class ListExpr : public ExprNode<ExprKind::List> {
public:
  using ExprNode::ExprNode;
  std::vector<Value> elements;
};

/// What is bound by `=`, `for` and `scan`: a name, or targets in parentheses.
struct Target {
  Ident name;                   // empty for a nested one
  TypePtr type;                 // the annotation of a name, or null
  std::vector<Target> elements; // of `(a, b)`
  Span span;
  bool isTuple() const { return name.isEmpty(); }
};

/// `[value for targets in range if condition]`.
class ListCompExpr : public ExprNode<ExprKind::ListComp> {
public:
  using ExprNode::ExprNode;
  Value value;
  std::vector<Target> targets; // not empty; several unpack each item
  ExprPtr range;
  ExprPtr condition; // or null
};

/// `(a, b)` and `(a,)`.
class TupleExpr : public ExprNode<ExprKind::Tuple> {
public:
  using ExprNode::ExprNode;
  std::vector<ExprPtr> elements; // not empty
};

enum class UnaryOp : uint8_t { Neg, Not };

class UnaryExpr : public ExprNode<ExprKind::Unary> {
public:
  using ExprNode::ExprNode;
  UnaryOp op = UnaryOp::Neg;
  Span opSpan;
  ExprPtr operand;
};

// clang-format off
enum class BinaryOp : uint8_t {
  Add, Sub, Mul, Div, FloorDiv, Mod, MatMul, Pow, Eq, Ne, Lt, Le, Gt, Ge, In, And, Or,
};
// clang-format on

/// "+", "//", "and", ...
std::string_view spelling(BinaryOp op);
std::string_view spelling(UnaryOp op);

class BinaryExpr : public ExprNode<ExprKind::Binary> {
public:
  using ExprNode::ExprNode;
  BinaryOp op = BinaryOp::Add;
  Span opSpan;
  ExprPtr lhs, rhs;
};

/// `begin..end` and `begin..=end`.
class RangeExpr : public ExprNode<ExprKind::Range> {
public:
  using ExprNode::ExprNode;
  ExprPtr begin, end;
  bool inclusive = false;
  Span opSpan;
};

/// `if condition then a else b`.
class IfExpr : public ExprNode<ExprKind::If> {
public:
  using ExprNode::ExprNode;
  ExprPtr condition, thenValue, elseValue;
};

/// `head |> stage |> stage`, flat: each stage takes what stands before it as first argument. A
/// stage that is a CallExpr gets it in front of its own arguments.
class PipeExpr : public ExprNode<ExprKind::Pipe> {
public:
  using ExprNode::ExprNode;
  struct Stage {
    Span opSpan; // of `|>`
    ExprPtr expr;
  };
  ExprPtr head;
  std::vector<Stage> stages; // not empty
};

struct Argument {
  Ident name; // empty for a positional one; positional ones come first
  ExprPtr value;
  Span span;
  bool isNamed() const { return !name.isEmpty(); }
};

class CallExpr : public ExprNode<ExprKind::Call> {
public:
  using ExprNode::ExprNode;
  ExprPtr callee;
  std::vector<Argument> args;
  Span parensSpan; // `(...)`
};

struct IndexItem {
  enum Kind : uint8_t { Value, Slice, Ellipsis } kind = Value;
  ExprPtr value;            // of Value
  ExprPtr begin, end, step; // of Slice; each may be null
  Span span;
};

class IndexExpr : public ExprNode<ExprKind::Index> {
public:
  using ExprNode::ExprNode;
  ExprPtr base;
  std::vector<IndexItem> items; // not empty
};

class MemberExpr : public ExprNode<ExprKind::Member> {
public:
  using ExprNode::ExprNode;
  ExprPtr base;
  Ident name;
};

//===----------------------------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------------------------===//

enum class TypeKind : uint8_t { Tensor, Scalar, List, Tuple };

class TypeExpr : public NodeBase<TypeExpr, TypeKind> {
public:
  virtual ~TypeExpr() = default;

protected:
  using NodeBase::NodeBase;
};

template <TypeKind K> class TypeNode : public TypeExpr {
public:
  static constexpr TypeKind kKind = K;
  explicit TypeNode(Span span) : TypeExpr(K, span) {}
};

/// One entry of a shape: an expression, or the pack `...` / `...S`.
struct Dim {
  bool isPack = false;
  Ident packName; // empty for the bare `...`
  ExprPtr expr;   // null for a pack
  Span span;
};

/// `float[B, 10]`, `f32[]`, `bool[...M]?`: run-time tensors.
class TensorType : public TypeNode<TypeKind::Tensor> {
public:
  using TypeNode::TypeNode;
  Elem elem = Elem::Float;
  Span elemSpan;
  std::vector<Dim> dims; // at most one pack
  bool optional = false;
};

/// The types of build-time values.
enum class ScalarKind : uint8_t { Int, Float, Bool, Str, DType, Fn, Module };
std::string_view spelling(ScalarKind kind);

class ScalarType : public TypeNode<TypeKind::Scalar> {
public:
  using TypeNode::TypeNode;
  ScalarKind scalar = ScalarKind::Int;
};

/// `[int]`.
class ListType : public TypeNode<TypeKind::List> {
public:
  using TypeNode::TypeNode;
  TypePtr element;
};

/// `(int, int)`: two or more.
class TupleType : public TypeNode<TypeKind::Tuple> {
public:
  using TypeNode::TypeNode;
  std::vector<TypePtr> elements;
};

//===----------------------------------------------------------------------------------------===//
// Declarations, members, statements
//===----------------------------------------------------------------------------------------===//

// clang-format off
enum class StmtKind : uint8_t {
  Import, Module, Train, Fn, Bind, Slot, Tie, Update, Return, Yield, For, If, Scan,
};
// clang-format on

/// `@name(args)`.
struct Attribute {
  Ident name;
  bool hasArgs = false; // whether parentheses were written
  std::vector<Argument> args;
  Span span; // with the `@`
};

/// Anything with a line of its own. Where which kind may stand:
///   a file:              Import Module Train Fn Bind
///   a module or train:   Slot Tie Fn Bind
///   a block:             Bind Update Return Yield For If Scan
class Stmt : public NodeBase<Stmt, StmtKind> {
public:
  /// Of items and members only.
  std::vector<Attribute> attributes;
  /// The text of the `##` lines directly above, without the marks, one line each.
  std::string doc;
  virtual ~Stmt() = default;

  /// The attribute of that name, or null.
  const Attribute *attribute(std::string_view name) const;

protected:
  using NodeBase::NodeBase;
};

template <StmtKind K> class StmtNode : public Stmt {
public:
  static constexpr StmtKind kKind = K;
  explicit StmtNode(Span span) : Stmt(K, span) {}
};

/// `{ ... }` of a function, a loop, a branch.
struct Block {
  std::vector<StmtPtr> stmts;
  Span span; // with the braces
};

/// A hyperparameter of a module or a parameter of a function.
struct Formal {
  Ident name;
  TypePtr type;
  std::optional<Key> key; // of hyperparameters: the name in a `--config` file
  ExprPtr defaultValue;   // or null
  Span span;
};

/// One condition of `requires`.
struct Guard {
  ExprPtr condition;
  std::unique_ptr<StringExpr> message; // or null
  Span span;
};

/// `import "./blocks.nn" (Block)`, `import std.quant as q`.
class ImportStmt : public StmtNode<StmtKind::Import> {
public:
  using StmtNode::StmtNode;
  std::unique_ptr<StringExpr> path; // or null, then:
  std::vector<Ident> package;       // `std`, `vision`
  std::vector<Ident> names;         // of `(A, B)`
  Ident alias;                      // of `as q`, or empty
};

/// `module M(params) requires ... { ... }`, `model M(...) {...}`, `model A = M(...)`.
class ModuleStmt : public StmtNode<StmtKind::Module> {
public:
  using StmtNode::StmtNode;
  bool isModel = false;
  Ident name;
  bool hasParams = false; // whether parentheses were written
  std::vector<Formal> params;
  std::vector<Guard> guards;
  ExprPtr instance; // of `= expr`, or null, then:
  std::vector<StmtPtr> body;
  Span bodySpan;
};

/// `train net = expr { ... }`.
class TrainStmt : public StmtNode<StmtKind::Train> {
public:
  using StmtNode::StmtNode;
  Ident name;
  ExprPtr instance;
  /// The part in braces, as a module of that name without hyperparameters.
  std::unique_ptr<ModuleStmt> block;
};

/// What a function declares to return: one unnamed result, or named ones.
struct Result {
  Ident name; // empty for the unnamed one
  TypePtr type;
  Span span;
};

class FnStmt : public StmtNode<StmtKind::Fn> {
public:
  using StmtNode::StmtNode;
  Ident name;
  std::vector<Formal> params;
  Span paramsSpan;             // with the parentheses
  std::vector<Result> results; // empty: inferred
  std::vector<Guard> guards;
  ExprPtr expr; // of `= expr`, or null, then:
  std::optional<Block> block;
};

class ScanStmt;

/// `a, b = value` at build time or in a function. Exactly one of value.expr and scan is set.
class BindStmt : public StmtNode<StmtKind::Bind> {
public:
  using StmtNode::StmtNode;
  std::vector<Target> targets; // not empty
  Value value;
  std::unique_ptr<ScanStmt> scan;
};

enum class SlotKind : uint8_t { Param, Buffer, State };
std::string_view spelling(SlotKind kind);

/// `param b: float[d] as "bias" = 0 if bias`.
class SlotStmt : public StmtNode<StmtKind::Slot> {
public:
  using StmtNode::StmtNode;
  SlotKind slot = SlotKind::Param;
  Ident name;
  TypePtr type;
  std::optional<Key> key;
  ExprPtr init;      // or null
  ExprPtr condition; // or null
};

/// `tie left = right if condition`.
class TieStmt : public StmtNode<StmtKind::Tie> {
public:
  using StmtNode::StmtNode;
  ExprPtr left, right;
  ExprPtr condition; // or null
};

/// `place <- value`.
class UpdateStmt : public StmtNode<StmtKind::Update> {
public:
  using StmtNode::StmtNode;
  ExprPtr place; // a postfix expression
  Span opSpan;
  ExprPtr value;
};

class ReturnStmt : public StmtNode<StmtKind::Return> {
public:
  using StmtNode::StmtNode;
  std::vector<ExprPtr> values; // not empty
};

class YieldStmt : public StmtNode<StmtKind::Yield> {
public:
  using StmtNode::StmtNode;
  std::vector<ExprPtr> values; // not empty
};

class ForStmt : public StmtNode<StmtKind::For> {
public:
  using StmtNode::StmtNode;
  std::vector<Target> targets; // not empty; several unpack each item
  ExprPtr range;
  Block body;
};

class IfStmt : public StmtNode<StmtKind::If> {
public:
  using StmtNode::StmtNode;
  struct Branch {
    ExprPtr condition;
    Block body;
  };
  std::vector<Branch> branches; // `if` and each `else if`
  std::optional<Block> elseBody;
};

/// `scan x in xs axis 1 reverse { ... yield y }`, on its own or as the value of a binding.
class ScanStmt : public StmtNode<StmtKind::Scan> {
public:
  using StmtNode::StmtNode;
  Span keyword;
  std::vector<Target> targets;
  std::vector<ExprPtr> sequences; // not empty
  int64_t axis = 0;
  Span axisSpan;
  bool reverse = false;
  Block body;
};

/// A parsed file.
struct File {
  FileId id;
  std::vector<StmtPtr> items;
};

} // namespace nnc::syntax

#endif // NNC_FRONTEND_SYNTAX_AST_H
