// The abstract interpreter: evaluates what is known at build time, checks the shapes of what is
// not, and emits operations for it, in one walk over the tree. One Evaluator serves one model; its
// parts are in the files named below.
#pragma once

#include "frontend/Callable.h"
#include "frontend/Context.h"
#include "frontend/Emission.h"
#include "frontend/Files.h"
#include "frontend/Module.h"
#include "frontend/Observer.h"
#include "frontend/Scope.h"
#include "mlir/IR/BuiltinOps.h"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace nnc::frontend {

/// Bounds that keep any input from hanging the compiler or exhausting memory.
inline constexpr size_t kMaxSteps = 20'000'000;   ///< expressions evaluated
inline constexpr size_t kMaxWeight = 200'000;     ///< values in one list or module, at all depths
inline constexpr unsigned kMaxCallDepth = 64;     ///< calls and instantiations within each other
inline constexpr unsigned kMaxExprDepth = 1'200;  ///< expressions within each other, across calls
inline constexpr size_t kMaxOperations = 200'000; ///< operations and calls emitted

/// Where a call stands.
struct CallSite {
  syntax::Span callee; ///< carets of errors in it
  syntax::Span call;   ///< the whole expression
  std::string name;    ///< what is called, as written or as it would be: `fc1`, `layers.2`
  bool piped = false;  ///< the first argument stands before `|>`
};

/// What the formals of a function or module take.
struct FormalSource {
  const std::vector<syntax::Formal> &formals;
  std::string name;         ///< for messages: "`Linear`"
  syntax::Span declaration; ///< the declared name
};

/// What one formal got.
struct BoundArgument {
  const syntax::Formal *formal = nullptr;
  std::optional<Value> value = {}; ///< none: the default is used
  syntax::Span span = {};
  const syntax::Expr *expr = nullptr;
};

/// An axis of a declared shape, or a pack of them.
struct DeclaredAxis {
  const syntax::Dim *dim;
  std::optional<Dim> size = {}; ///< of what stands in the shape as an element of a list
};

/// A tensor met where a tensor type was declared, to be unified.
struct TensorMatch {
  const syntax::TensorType *type;
  TensorValue tensor;
  std::string_view name; ///< of the formal
  syntax::Span span;     ///< of the value
  std::vector<DeclaredAxis> axes = {};
};

/// What a guard came to: false, or true under conditions left for run time.
struct GuardResult {
  bool isFalse = false;
  std::vector<RuntimeGuard> runtime = {};
};

/// What goes with a declared type, for messages.
struct Taker {
  enum class Kind { Argument, Result, Annotation };
  Kind kind;
  std::string name; ///< of the function or module, or of the annotated variable
  CallSite site = {};
  /// How many formals take a tensor: with several, messages name the one.
  size_t tensorFormals = 1;

  /// "`x` of `f` takes", "`f` is declared to return", "`y` is declared to be".
  std::string takes(std::string_view formal) const;
};

/// Whether a name may introduce a dimension.
bool isCapitalised(std::string_view name);

/// Sets a flag while it lives.
class ScopedFlag {
public:
  explicit ScopedFlag(bool &flag) : flag(flag), before(std::exchange(flag, true)) {}
  ~ScopedFlag() { flag = before; }

private:
  bool &flag;
  bool before;
};

class Evaluator {
public:
  Evaluator(syntax::SourceManager &sources, syntax::Diagnostics &diags,
            mlir::MLIRContext &mlirContext, Files &files);

  Context context;
  Files &files;
  syntax::Diagnostics &diags;

  //===- Expressions.cpp: by kind of expression -----------------------------------------------===//
  std::optional<Value> eval(const syntax::Expr &expr);
  /// `expr as "..."`: also its key.
  std::optional<Value> evalWithKey(const syntax::Value &value, KeyRef &key);
  std::optional<KeyRef> evalKey(const syntax::Key &key);
  /// A condition of `what` ("`if`"), known now. Reports E0502 for one that is not.
  std::optional<bool> evalCondition(const syntax::Expr &expr, std::string_view what);
  /// The elements that `for` walks.
  std::optional<std::vector<Value>> evalSequence(const syntax::Expr &expr);
  /// Binds targets in the innermost block (`define`) or as assignments. False after an error.
  bool bindTargets(const std::vector<syntax::Target> &targets, std::optional<Value> value,
                   syntax::Span span, bool define);

  //===- BuildOperators.cpp: operators on build-time values -----------------------------------===//
  std::optional<Value> evalBinary(const syntax::BinaryExpr &expr);
  std::optional<Value> evalUnary(const syntax::UnaryExpr &expr);
  std::optional<Value> evalRange(const syntax::RangeExpr &expr);
  /// Equality of build-time values; nothing if it depends on run-time sizes.
  std::optional<bool> equalValues(const Value &a, const Value &b);

  //===- Names.cpp: what a name or a member is ------------------------------------------------===//
  std::optional<Value> evalName(const syntax::NameExpr &expr);
  std::optional<Value> evalMember(const syntax::MemberExpr &expr);
  std::optional<Value> evalIndex(const syntax::IndexExpr &expr);
  std::optional<Value> readSlot(Slot &slot, syntax::Span span);
  /// Reports an instance whose slots the function that is emitted cannot reach.
  bool requirePlace(const Instance &instance, std::string_view name, syntax::Span use);
  std::optional<Value> globalValue(const FileScope &file, Global &global, syntax::Span use);
  /// The slot that an expression such as `lm_head.weight` names, for `tie`.
  Slot *evalSlot(const syntax::Expr &expr);
  /// Whether a name means something here; dimension variables bind where this is false.
  bool isKnown(std::string_view name);

  //===- Calls.cpp: calling anything ----------------------------------------------------------===//
  std::optional<Value> evalCall(const syntax::CallExpr &expr, const Argument *piped);
  std::optional<Value> evalPipe(const syntax::PipeExpr &expr);
  std::optional<Value> call(const Value &callee, std::vector<Argument> arguments, CallSite site);
  /// `instance.fn(...)`.
  std::optional<Value> callMethod(const InstanceRef &instance, const syntax::FnStmt &fn,
                                  std::vector<Argument> arguments, CallSite site);
  std::optional<Value> callFunction(const FunctionRef &function, std::vector<Argument> arguments,
                                    CallSite site);
  std::optional<Value> callSequence(const ListValue &list, std::vector<Argument> arguments,
                                    CallSite site);
  std::optional<Value> callShape(const std::vector<Argument> &arguments, const CallSite &site);
  std::optional<Value> callInt(const std::vector<Argument> &arguments, const CallSite &site);
  /// Whether this is `sum`, `max` or `min` of a list of numbers, and its value.
  static bool isListFold(const FunctionData &function, const std::vector<Argument> &arguments);
  std::optional<Value> foldList(std::string_view name, const Argument &argument,
                                const CallSite &site);
  std::optional<Value> callBuiltin(std::string_view name, std::vector<Argument> arguments,
                                   CallSite site); // Builtins.cpp
  static bool isBuiltin(std::string_view name);

  //===- Arguments.cpp: which formal gets which argument --------------------------------------===//
  std::optional<std::vector<BoundArgument>>
  bindArguments(const FormalSource &source, std::vector<Argument> arguments, const CallSite &site);

  //===- Types.cpp: values against declared types; Unify.cpp: shapes against shapes -----------===//
  /// Checks a value against a declared type and adapts it (int to float, int to (int, int)).
  /// Tensors are left to unify(). `subject` is what takes it, for messages.
  bool conform(const syntax::TypeExpr &type, Value &value, const Taker &taker,
               std::string_view name, syntax::Span span, std::vector<TensorMatch> &tensors);
  /// Matches tensors with their declared types in the current frame: bare variables bind, left to
  /// right, then all other sizes are compared.
  bool unify(std::vector<TensorMatch> &matches, const Taker &taker);
  /// A number given for a tensor becomes one, once the sizes are known.
  bool adaptNumber(const syntax::TypeExpr &type, Value &value, syntax::Span span);
  /// The sizes of a declared type in the current frame; reports what it does not know.
  std::optional<std::vector<Dim>> evalShape(const syntax::TensorType &type);
  std::optional<Dim> evalDim(const syntax::Dim &dim);
  void reportImpossible(const syntax::Dim &dim, const Dim &size);
  const Hyperparameter *hyperparameterBehind(const syntax::Expr &expr);
  /// `float[..., 256]`, with what is known put in.
  std::string formatDeclared(const syntax::TensorType &type,
                             const syntax::Dim *mismatched = nullptr);
  /// Of one entry of a shape.
  std::string formatAxis(const DeclaredAxis &axis, bool isMismatched);

  //===- Functions.cpp: functions of the user and of the prelude ------------------------------===//
  std::optional<Value> callUser(const FunctionData &function, std::vector<Argument> arguments,
                                CallSite site);
  /// Evaluates the body in `frame`; nothing after an error in it.
  std::optional<Value> runBody(Frame &frame, const syntax::FnStmt &fn);
  /// Checks what a body returns against the declared results.
  bool checkResults(const syntax::FnStmt &fn, Value &result);

  /// Evaluates a body once its formals are bound by name.
  std::optional<Value> callBound(Frame &callee, const FunctionData &function,
                                 std::vector<BoundArgument> &bound, const CallSite &site);

  //===- Emit.cpp: a function of its own per distinct call ------------------------------------===//
  std::optional<Value> callEmitted(Frame &callee, const FunctionData &function,
                                   std::vector<Value> values, const CallSite &site);
  /// The same value with each `float` tensor in it as `float` is here.
  Value castFloats(const Value &value, syntax::Span span);
  void finishFunction(FunctionEmission &emission, const Value &result, syntax::Span span);

  //===- States.cpp: slots at run time, and `<-` ----------------------------------------------===//
  /// What a slot holds here; nothing after an error in the sizes of a state.
  std::optional<SlotValue> slotValue(Slot &slot, syntax::Span span);
  /// The same where the slot has this shape.
  SlotValue &slotValue(Slot &slot, std::vector<Dim> shape, syntax::Span span);
  /// The known value of a scalar state here, before it is read.
  std::optional<Dim> slotScalar(Slot &slot);
  /// The sizes of a slot in the current function; reports a state's variable without a meaning
  /// here.
  std::optional<std::vector<Dim>> slotShape(Slot &slot, syntax::Span span);
  /// Has the slot hold `value` from here on.
  void writeSlot(Slot &slot, SlotValue value);
  void runUpdate(const syntax::UpdateStmt &stmt);

  //===- Statements.cpp -----------------------------------------------------------------------===//
  void runBlock(const syntax::Block &block);
  void runStatement(const syntax::Stmt &stmt);

  //===- Scans.cpp ----------------------------------------------------------------------------===//
  /// Emits the loop and rebinds what it carries. The value is what it yields, stacked: nothing
  /// after an error, none where nobody asked (`isBound`).
  std::optional<Value> evalScan(const syntax::ScanStmt &scan, bool isBound);
  void runYield(const syntax::YieldStmt &stmt);

  //===- Instantiate.cpp: modules -------------------------------------------------------------===//
  /// `packs` is what `...S` in the shapes of its states stands for.
  std::optional<Value> instantiate(const ModuleClass &cls, std::vector<Argument> arguments,
                                   CallSite site, Packs packs = {});
  /// Evaluates the members of an instance, in the frame of its body.
  void runModuleBody(Instance &instance);
  void declareSlot(Instance &instance, const syntax::SlotStmt &decl); // Slots.cpp
  void applyTie(Instance &instance, const syntax::TieStmt &tie);      // Slots.cpp
  /// A member of a module named by itself: `block.expansion`.
  std::optional<Value> classConstant(const ModuleClass &cls, const syntax::Ident &name);

  //===- Guards.cpp: `requires` ---------------------------------------------------------------===//
  /// Checks guards in the current frame; those on run-time sizes are recorded for the entry point.
  bool checkGuards(const std::vector<syntax::Guard> &guards, const std::string &subject,
                   const CallSite &site);
  std::optional<GuardResult> evalGuard(const syntax::Expr &expr);
  /// Puts in what the runtime tells when the condition does not hold.
  void describeGuard(RuntimeGuard &condition, const syntax::Guard &guard);
  void recordGuard(RuntimeGuard guard);
  void requireOnEntry(const Dim &nonNegative, syntax::Span at);
  void reportGuard(const syntax::Guard &guard, const std::string &subject, const CallSite &site);

  //===- Shared state -------------------------------------------------------------------------===//
  Frame *frame = nullptr;
  Observer *observer = nullptr;     ///< may be null
  mlir::ModuleOp module;            ///< where functions go
  std::vector<RuntimeGuard> guards; ///< of the entry point being emitted
  bool inGuard = false;             ///< run-time scalars are ints that are known later

  /// Makes `inner` the current frame while it lives.
  class EnterFrame {
  public:
    EnterFrame(Evaluator &evaluator, Frame &inner);
    ~EnterFrame();

  private:
    Evaluator &evaluator;
    Frame *outer;
    bool wasEmitting;
    Precision outerPrecision;
    std::string outerPath;
  };

  /// Refuses recursion: something that is evaluated within itself, or too deep a nest of calls.
  class ActiveGuard {
  public:
    ActiveGuard(Evaluator &evaluator, const void *what, const void *self = nullptr)
        : evaluator(evaluator), what(what, self) {}
    ~ActiveGuard();
    /// False, and an error, if it is active already.
    bool enter(syntax::Span use, std::string_view name);

  private:
    Evaluator &evaluator;
    std::pair<const void *, const void *> what;
    bool entered = false;
  };

  /// Sets `bindingPrecision` while it lives.
  class BindingPrecision {
  public:
    BindingPrecision(Evaluator &evaluator, std::optional<Precision> inner)
        : evaluator(evaluator), saved(std::exchange(evaluator.bindingPrecision, inner)) {}
    ~BindingPrecision() { evaluator.bindingPrecision = saved; }
    const std::optional<Precision> &outer() const { return saved; }

  private:
    Evaluator &evaluator;
    std::optional<Precision> saved;
  };

  syntax::Diagnostic &error(std::string_view code, syntax::Span span, std::string message) {
    return context.error(code, span, std::move(message));
  }
  std::nullopt_t refuse(syntax::Span span, std::string message);
  /// False once the budget is spent, reported once.
  bool spend(syntax::Span span);
  bool isExhausted() const { return exhausted; }
  bool checkWeight(size_t weight, syntax::Span span);
  /// Before an operation is emitted: names it in locations, and counts it.
  bool startOperation(std::string name, syntax::Span span);
  /// A symbol that is not taken yet.
  std::string uniqueSymbol(std::string wanted);
  /// Forgets the functions emitted for the last entry point: their types name its dimensions.
  void startEntry();

  Structures structures;
  /// Keeps every instance alive: others may point to it.
  std::vector<InstanceRef> instances;
  /// `--set` for the model: replace arguments of the first instantiation of that class.
  std::vector<Argument> overrides;
  const ModuleClass *overridden = nullptr;
  /// `@precision` of the binding being evaluated: for the instances made in it, over their own.
  std::optional<Precision> bindingPrecision;

  /// What a name is, without reporting anything; nothing for slots and after errors.
  std::optional<Value> quietLookup(std::string_view name);
  /// Whether no parameter hides a hyperparameter. Reports otherwise.
  bool mayBindFormals(const syntax::FnStmt &fn);

private:
  std::optional<Value> evalKind(const syntax::Expr &expr);
  std::optional<Value> evalTuple(const std::vector<syntax::ExprPtr> &exprs);
  bool bindTarget(const syntax::Target &target, std::optional<Value> value, syntax::Span span,
                  bool define);
  bool mayBind(const syntax::Ident &name, std::string_view what = "local");
  bool checkAnnotation(const syntax::Target &target, Value &value, syntax::Span span);
  bool wrongKind(const syntax::TypeExpr &type, const Value &value, const Taker &taker,
                 std::string_view name, syntax::Span span);
  bool conformTuple(const syntax::TupleType &type, Value &value, const Taker &taker,
                    std::string_view name, syntax::Span span, std::vector<TensorMatch> &tensors);
  bool conformList(const syntax::ListType &type, Value &value, const Taker &taker,
                   std::string_view name, syntax::Span span, std::vector<TensorMatch> &tensors);
  bool knowsNames(const syntax::Expr &expr);
  bool knowsSizes(const syntax::TensorType &type);
  std::optional<std::vector<Dim>> listOfSizes(const syntax::Dim &dim);
  std::vector<DeclaredAxis> declaredAxes(const syntax::TensorType &type);
  bool checkElement(const TensorMatch &match, const Taker &taker);
  bool checkRank(const TensorMatch &match, const Taker &taker);
  void explainWanted(syntax::Diagnostic &diag, const DeclaredAxis &declared, const Dim &wanted,
                     const Dim &found);
  std::string mismatchMessage(const TensorMatch &match, const Taker &taker, size_t axis,
                              const Dim &wanted, const Dim &found, bool different);
  void reportMismatch(const TensorMatch &match, const Taker &taker, size_t axis, const Dim &wanted);
  std::string_view variableOf(const DeclaredAxis &axis, const Taker &taker);
  bool bindVariables(const TensorMatch &match, const Taker &taker);
  bool bindPack(const TensorMatch &match, const Taker &taker);
  bool compareSizes(const TensorMatch &match, const Taker &taker);
  bool mayBecomeTensor(const syntax::TypeExpr &type, const Value &value, const Taker &taker,
                       std::string_view name, syntax::Span span);
  bool takeArguments(const syntax::FnStmt &fn, std::vector<BoundArgument> &bound,
                     const Taker &taker, std::vector<Value> &values,
                     std::vector<TensorMatch> &tensors);
  std::optional<Value> evalBody(Frame &body, const syntax::FnStmt &fn);
  std::optional<Value> placeholderResult(const syntax::FnStmt &fn);
  std::optional<std::vector<Dim>> openShape(const Slot &slot, syntax::Span span);
  Slot *evalPlace(const syntax::Expr &place, syntax::Span op, bool isPart);
  std::optional<Value> asGuardValue(const TensorValue &tensor);
  void emitFunction(EmittedFunction &made, Frame &callee, const FunctionData &function,
                    std::vector<Value> &values, const std::vector<Slot *> &reachable);
  std::string callName(const FunctionData &function, const Instance *caller);
  void poisonTargets(const syntax::Block &block);
  void runBind(const syntax::BindStmt &bind);
  void runReturn(const syntax::ReturnStmt &stmt);
  bool yieldValue(const syntax::Expr &expr);
  void runFor(const syntax::ForStmt &loop);
  void runIf(const syntax::IfStmt &stmt);
  std::optional<Value> instantiateAlias(const ModuleClass &cls, std::vector<Argument> arguments,
                                        const CallSite &site);
  void applyOverrides(const ModuleClass &cls, std::vector<Argument> &arguments);
  Value asSchedule(const syntax::TypeExpr &type, Value value);
  bool takeHyperparameters(Instance &instance, std::vector<BoundArgument> &bound,
                           const CallSite &site);
  bool choosePrecision(Instance &instance, const std::optional<Precision> &ofBinding);
  bool isNewMember(Instance &instance, const syntax::Ident &name);
  void bindMember(Instance &instance, const syntax::BindStmt &bind);
  static void collectNames(const std::vector<syntax::Target> &targets,
                           std::vector<syntax::Ident> &names);
  void checkFunctionName(Instance &instance, const syntax::FnStmt &fn);
  bool initializerNumbers(const syntax::CallExpr &call,
                          std::initializer_list<std::string_view> names, double *values);
  bool evalInit(const syntax::Expr &expr, Slot &slot);
  void bindStateVariables(const syntax::TensorType &type, Slot &slot);
  bool evalSlotType(const syntax::SlotStmt &decl, Slot &slot);
  std::string substituteNames(const syntax::Expr &expr);
  std::string explainFalse(const syntax::Expr &condition);
  const Hyperparameter *originOf(const syntax::NameExpr &name);
  std::optional<GuardResult> compareSizesLater(const syntax::Expr &expr, syntax::BinaryOp op,
                                               const Dim &left, const Dim &right);
  std::optional<GuardResult> evalRangeGuard(const syntax::BinaryExpr &expr,
                                            const syntax::RangeExpr &range);
  std::string calleeName(const syntax::Expr &callee, const Value &value);
  std::optional<Value> evalStage(const syntax::Expr &stage, Argument piped, syntax::Span whole);
  std::optional<Value> callElement(Element element, const std::vector<Argument> &arguments,
                                   const CallSite &site);
  std::optional<Value> callInstance(const InstanceRef &instance, std::vector<Argument> arguments,
                                    CallSite site);
  std::optional<Value> callWhole(const FunctionData &function, std::vector<Argument> arguments,
                                 CallSite site);
  bool isStageCall(const FunctionData &function, const std::vector<Argument> &arguments);
  void unknownArgument(const FormalSource &source, const Argument &argument);
  bool checkComplete(const FormalSource &source, const std::vector<BoundArgument> &bound,
                     const CallSite &site);
  std::optional<Value> compare(const syntax::BinaryExpr &expr, const Value &left,
                               const Value &right);
  std::optional<Value> mismatch(const syntax::BinaryExpr &expr, const Value &left,
                                const Value &right);
  std::optional<Value> contains(const syntax::BinaryExpr &expr, const Value &item,
                                const Value &list);
  std::optional<Value> evalLogic(const syntax::BinaryExpr &expr);
  std::optional<Value> emitBinary(const syntax::BinaryExpr &expr, const Value &left,
                                  const Value &right);
  std::optional<Value> concatLists(const syntax::BinaryExpr &expr, const Value &left,
                                   const Value &right);
  std::string describeRuntime(const syntax::Expr &expr, const Value &value);
  std::optional<Value> evalList(const syntax::ListExpr &expr);
  std::optional<Value> evalComprehension(const syntax::ListCompExpr &expr);
  std::optional<Value> instanceMember(const InstanceRef &instance, const syntax::Ident &name);
  /// A hyperparameter, member or function of `instance`; `known` says whether it has that name.
  std::optional<Value> findInside(Instance &instance, std::string_view name, syntax::Span use,
                                  bool &known);
  std::optional<Value> evaluateGlobal(const FileScope &file, Global &global, syntax::Span use);
  std::optional<Value> exported(const FileScope &file, const syntax::Ident &name);
  bool evalOperand(const syntax::ExprPtr &expr, std::optional<Operand> &operand);
  std::optional<int64_t> evalInt(const syntax::Expr &expr);
  std::optional<Value> evaluateImport(const FileScope &file, const Global &global,
                                      syntax::Span use);
  std::optional<Value> sequenceItem(const Value &sequence, const syntax::IndexItem &item);
  std::optional<std::vector<IndexItem>> evalIndexItems(const syntax::IndexExpr &expr);
  std::optional<Value> tensorIndex(const Value &base, const syntax::IndexExpr &expr);
  std::nullopt_t unknownName(const syntax::NameExpr &expr);
  std::nullopt_t unknownMember(const Value &base, const syntax::Ident &name,
                               const std::vector<std::string_view> &candidates);
  std::vector<std::string_view> namesInScope(bool onlyNumbers);

  std::unordered_map<std::string, EmittedFunction> emitted;
  std::unordered_map<Slot *, std::vector<Dim>> stateShapes; ///< in the entry point being emitted
  std::unordered_set<std::string> symbols;
  /// Functions (with their instance) and classes being evaluated, innermost last.
  std::vector<std::pair<const void *, const void *>> active;
  std::map<std::pair<const ModuleClass *, std::string_view>, Value> classConstants;
  std::set<syntax::Span> impossible; ///< arguments that were reported as sizes
  size_t steps = 0, operations = 0;
  unsigned exprDepth = 0;
  bool exhausted = false;
  /// The size that is being evaluated: no operation computes it, and unknown names get the message
  /// for shapes.
  const syntax::Dim *inShape = nullptr;
};

} // namespace nnc::frontend
