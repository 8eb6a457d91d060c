// The members of a `train` block: which there may be, and what each is.
#include "frontend/TrainBlock.h"

#include "frontend/Attributes.h"
#include "frontend/Entries.h"
#include "frontend/Suggest.h"
#include "frontend/syntax/Lost.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <iterator>

namespace nnc::frontend {

//===- Which members there may be ------------------------------------------------------------===//

static constexpr std::string_view kMembers[] = {"optimizer", "clip_norm", "accumulate", "ema"};

static constexpr std::string_view kMembersNote =
    "its members are `optimizer`, `clip_norm`, `accumulate`, `ema` and functions, of which `loss` "
    "is minimised";

static bool isMemberName(std::string_view name) {
  return std::ranges::find(kMembers, name) != std::end(kMembers);
}

/// The model is a member of the block too, by its name.
static bool checkModelName(Evaluator &evaluator, const syntax::Ident &name) {
  if (!isMemberName(name.text) && name.text != "loss")
    return true;
  evaluator
      .error("E0620", name.span,
             fmt::format("the model of a train block cannot be called `{}`", name.text))
      .note(std::string(kMembersNote))
      .help("call it `net`");
  return false;
}

static bool unknownMember(Evaluator &evaluator, const syntax::Ident &member) {
  syntax::Diagnostic &diag =
      evaluator
          .error("E0620", member.span, fmt::format("a train block has no member `{}`", member.text))
          .note(std::string(kMembersNote));
  std::vector<std::string_view> names(std::begin(kMembers), std::end(kMembers));
  if (auto similar = closestName(member.text, names))
    diag.fixIt(fmt::format("`{}` has a similar name", *similar),
               {{member.span, std::string(*similar)}});
  else if (member.text == "scheduler" || member.text == "schedule" || member.text == "lr")
    diag.help("a schedule is the rate of the optimizer: `AdamW(lr=cosine(peak=1e-3, total=1000))`");
  else
    diag.help("make it a constant of the file, above the block");
  return false;
}

static bool checkMember(Evaluator &evaluator, const syntax::Stmt &stmt) {
  auto refuse = [&](syntax::Span span, std::string what) {
    evaluator.error("E0620", span, fmt::format("a train block has no {}", what))
        .note("what is learned or kept belongs to the model or to the optimizer");
    return false;
  };
  if (auto *slot = stmt.as<syntax::SlotStmt>())
    return refuse(slot->name.span, fmt::format("{} of its own", syntax::spelling(slot->slot)));
  if (auto *tie = stmt.as<syntax::TieStmt>())
    return refuse(tie->span, "ties");
  auto *bind = stmt.as<syntax::BindStmt>();
  if (!bind)
    return true;
  if (bind->targets.size() != 1 || bind->targets.front().isTuple())
    return refuse(bind->span, "bindings of several names");
  const syntax::Ident &name = bind->targets.front().name;
  if (!isMemberName(name.text))
    return unknownMember(evaluator, name);
  if (!bind->value.key)
    return true;
  evaluator.error("E0209", bind->value.key->span, "only members of a module have keys");
  return false;
}

//===- The instance ---------------------------------------------------------------------------===//

InstanceRef makeTrainInstance(Evaluator &evaluator, const syntax::TrainStmt &decl,
                              const ModuleClass &block) {
  bool ok = true;
  std::optional<Precision> own = readPrecision(evaluator, decl, evaluator.context.precision, ok);
  ok &= checkModelName(evaluator, decl.name);
  // What is missing may be what was misspelt.
  for (const syntax::StmtPtr &stmt : decl.block->body)
    ok &= checkMember(evaluator, *stmt);
  if (!ok)
    return nullptr;
  auto self = std::make_shared<Instance>();
  evaluator.instances.push_back(self);
  self->cls = &block;
  self->made = decl.name.span;
  self->precision = own.value_or(evaluator.context.precision);
  Frame body;
  body.home = block.home;
  body.self = self.get();
  body.precision = self->precision;
  Evaluator::EnterFrame enter(evaluator, body);
  std::optional<Value> net;
  {
    Evaluator::BindingPrecision ofNet(evaluator, own);
    net = evaluator.eval(*decl.instance);
  }
  auto *instance = net ? net->as<InstanceRef>() : nullptr;
  if (!instance) {
    if (net)
      evaluator.error("E0403", decl.instance->span, "a train block trains a model")
          .primaryLabel(fmt::format("this is {}", describeKind(*net)))
          .help("write a call of one: `train net = Net() { ... }`");
    return nullptr;
  }
  auto noStep = std::make_shared<const KeySpec>(KeySpec{{""}, {}});
  (*instance)->placements.push_back({self.get(), {{"", noStep}}});
  self->members.push_back({decl.name, net, nullptr, noStep});
  self->structure = evaluator.structures.intern(*self);
  evaluator.runModuleBody(*self);
  return self->failed ? nullptr : self;
}

namespace {

/// The largest number of micro steps that is no mistake.
constexpr int64_t kMaxAccumulate = 1 << 20;

class Reader {
public:
  Reader(Evaluator &evaluator, const InstanceRef &self) : evaluator(evaluator) {
    block.self = self;
    block.net = self->members.front().value->get<InstanceRef>();
  }

  std::optional<TrainBlock> read();

private:
  bool findLoss();
  bool checkLoss();
  bool readOptimizer();
  bool readRule(const Value &value);
  bool notAnOptimizer(const Value &value);
  bool notARule(const Value &value);
  std::optional<double> number(std::string_view member, std::string_view needs,
                               bool (*fits)(double));
  bool readNumbers();
  void findPrecisions();

  const syntax::ModuleStmt &decl() const { return *block.self->cls->decl; }
  const syntax::Ident &name() const { return decl().name; }
  const syntax::BindStmt *binding(std::string_view member) const;
  /// None where the member is absent, or was reported: given twice, say.
  const Value *given(std::string_view member) const;
  syntax::Span valueSpan(std::string_view member) const {
    return binding(member)->value.expr->span;
  }

  Evaluator &evaluator;
  TrainBlock block;
};

const syntax::BindStmt *Reader::binding(std::string_view member) const {
  for (const syntax::StmtPtr &stmt : decl().body)
    if (auto *bind = stmt->as<syntax::BindStmt>())
      for (const syntax::Target &target : bind->targets)
        if (!target.isTuple() && target.name.text == member)
          return bind;
  return nullptr;
}

const Value *Reader::given(std::string_view member) const {
  const Member *found = block.self->member(member);
  return found && found->value ? &*found->value : nullptr;
}

//===- The loss -------------------------------------------------------------------------------===//

bool Reader::findLoss() {
  block.loss = block.self->cls->function("loss");
  if (block.loss)
    return checkLoss();
  if (syntax::hasSyntaxError(evaluator.diags, decl().span))
    return false; // what could not be read may be it
  syntax::Diagnostic &diag =
      evaluator.error("E0620", name().span, fmt::format("`{}` has no `loss`", name().text))
          .note("`fn loss(...) -> (loss: f32[])` takes a batch; what it returns is minimised");
  std::vector<std::string_view> names;
  for (const syntax::StmtPtr &stmt : decl().body)
    if (auto *fn = stmt->as<syntax::FnStmt>())
      names.push_back(fn->name.text);
  if (auto similar = closestName("loss", names))
    diag.fixIt(fmt::format("`{}` has a similar name", *similar),
               {{block.self->cls->function(*similar)->name.span, "loss"}});
  return false;
}

/// What its signature says: it takes tensors, and a scalar of floats is called `loss`.
bool Reader::checkLoss() {
  const syntax::FnStmt &loss = *block.loss;
  if (!EntryEmitter::isEntry(loss)) {
    evaluator.error("E0621", loss.name.span, "`loss` takes no tensors")
        .note("its parameters are the inputs of `train_step` and `eval_step`: a batch");
    return false;
  }
  if (loss.results.empty())
    return true;
  const syntax::Result *minimised = loss.results.size() == 1 ? &loss.results.front() : nullptr;
  for (const syntax::Result &result : loss.results)
    if (result.name.text == "loss")
      minimised = &result;
  bool isOther = minimised && !minimised->name.isEmpty() && minimised->name.text != "loss";
  if (!minimised || isOther) {
    evaluator
        .error("E0621", loss.results.front().span.to(loss.results.back().span),
               "no result of `loss` is called `loss`")
        .note("that one is minimised, the others are metrics");
    return false;
  }
  auto *type = minimised->type->as<syntax::TensorType>();
  if (type && type->dims.empty() && isFloating(type->elem) && !isStorageOnly(type->elem))
    return true;
  evaluator.error("E0621", minimised->type->span, "the loss is a scalar of floats")
      .primaryLabel(
          fmt::format("this is {}", evaluator.context.sources.text(minimised->type->span)))
      .help("`mean(...)` of a tensor is one");
  return false;
}

//===- Optimizers -----------------------------------------------------------------------------===//

bool Reader::notAnOptimizer(const Value &value) {
  syntax::Span span = valueSpan("optimizer");
  if (auto *cls = value.as<const ModuleClass *>()) {
    evaluator.error("E0622", span, "an optimizer is an instance, this is a module")
        .help(fmt::format("make one: `{}(lr=...)`", (*cls)->name()));
    return false;
  }
  syntax::Diagnostic &diag = evaluator.error("E0622", span, "this is no optimizer")
                                 .primaryLabel(fmt::format("this is {}", describeKind(value)));
  auto *instance = value.as<InstanceRef>();
  if (instance && !(*instance)->cls->isOptimizer())
    diag.note(
        fmt::format("`{}`, which has no function `update`, is declared", (*instance)->cls->name()),
        (*instance)->cls->decl->name.span);
  else
    diag.help("write one, such as `AdamW(lr=1e-3)`");
  return false;
}

bool Reader::notARule(const Value &value) {
  evaluator
      .error("E0622", valueSpan("optimizer"),
             "a list of optimizers holds pairs: a glob of keys, and an optimizer")
      .primaryLabel(fmt::format("in it is {}", describeKind(value)))
      .help("for example `[(\"**.bias\", SGD(lr=0.1)), (\"**\", AdamW(lr=1e-3))]`");
  return false;
}

static bool isOptimizer(const Value &value) {
  auto *instance = value.as<InstanceRef>();
  return instance && (*instance)->cls->isOptimizer();
}

bool Reader::readRule(const Value &value) {
  bool isPair = value.isSequence() && value.elements().size() == 2;
  auto *glob = isPair ? value.elements()[0].as<StringValue>() : nullptr;
  if (!glob)
    return notARule(value);
  if (!isOptimizer(value.elements()[1]))
    return notAnOptimizer(value.elements()[1]);
  block.rules.push_back({glob->text, value.elements()[1].get<InstanceRef>(),
                         glob->literal ? glob->literal->span : valueSpan("optimizer")});
  return true;
}

bool Reader::readOptimizer() {
  const Value *optimizer = given("optimizer");
  bool isReported =
      block.self->member("optimizer") || syntax::hasSyntaxError(evaluator.diags, decl().span);
  if (!optimizer && isReported)
    return false;
  if (!optimizer) {
    evaluator.error("E0620", name().span, fmt::format("`{}` has no `optimizer`", name().text))
        .help("add one: `optimizer = AdamW(lr=1e-3)`");
    return false;
  }
  const Value &value = *optimizer;
  if (isOptimizer(value)) {
    block.rules.push_back({"**", value.get<InstanceRef>(), {}});
    return true;
  }
  if (!value.is<ListValue>() || value.elements().empty())
    return notAnOptimizer(value);
  return std::ranges::all_of(value.elements(), [&](const Value &rule) { return readRule(rule); });
}

//===- Numbers --------------------------------------------------------------------------------===//

/// Nothing where the member is absent or wrong.
std::optional<double> Reader::number(std::string_view member, std::string_view needs,
                                     bool (*fits)(double)) {
  const Value *found = given(member);
  if (!found)
    return std::nullopt;
  const Value &value = *found;
  std::optional<double> number = value.asFloat();
  if (!number)
    evaluator.error("E0403", valueSpan(member), fmt::format("`{}` is a number", member))
        .primaryLabel(fmt::format("this is {}", describeKind(value)));
  else if (!fits(*number))
    evaluator.error("E0623", valueSpan(member), fmt::format("`{}` is {}", member, needs))
        .primaryLabel(fmt::format("this is {}", formatValue(value)));
  else
    return number;
  return std::nullopt;
}

bool Reader::readNumbers() {
  size_t before = evaluator.diags.numErrors();
  block.clipNorm = number("clip_norm", "a norm, greater than 0",
                          [](double norm) { return std::isfinite(norm) && norm > 0; });
  block.ema = number("ema", "what the average keeps in each step, at least 0 and less than 1",
                     [](double decay) { return decay >= 0 && decay < 1; });
  std::optional<double> steps =
      number("accumulate", "a whole number of micro steps, at least 1", [](double steps) {
        return steps >= 1 && steps <= kMaxAccumulate && steps == std::floor(steps);
      });
  block.accumulate = static_cast<int64_t>(steps.value_or(1));
  return evaluator.diags.numErrors() == before;
}

/// Gradients of f16 need a scale, wherever in the model they are.
void Reader::findPrecisions() {
  block.scalesLoss = block.self->precision.working == Element::F16;
  for (const Slot *slot : block.net->slots())
    block.scalesLoss |= slot->owner->precision.working == Element::F16;
}

std::optional<TrainBlock> Reader::read() {
  if (!findLoss() || !readOptimizer() || !readNumbers())
    return std::nullopt;
  findPrecisions();
  return std::move(block);
}

} // namespace

std::optional<TrainBlock> readTrainBlock(Evaluator &evaluator, const InstanceRef &self) {
  return Reader(evaluator, self).read();
}

} // namespace nnc::frontend
