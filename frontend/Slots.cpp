// `param`, `buffer`, `state` and `tie`.
#include "frontend/Evaluator.h"
#include "frontend/Primitives.h"

#include <cmath>
#include <fmt/format.h>

namespace nnc::frontend {

/// More elements than any checkpoint has; keeps the arithmetic of sizes within 64 bits.
static constexpr int64_t kMaxElements = int64_t(1) << 48;

//===- Initial values -------------------------------------------------------------------------===//

static bool isInitializer(std::string_view name) {
  return name == "kaiming_uniform" || name == "normal" || name == "uniform";
}

/// The named numbers of an initializer's call, in order, over their defaults.
bool Evaluator::initializerNumbers(const syntax::CallExpr &call,
                                   std::initializer_list<std::string_view> names, double *values) {
  size_t next = 0;
  for (const syntax::Argument &argument : call.args) {
    size_t index = argument.isNamed() ? 0 : next++;
    if (argument.isNamed())
      while (index < names.size() && names.begin()[index] != argument.name.text)
        ++index;
    if (index >= names.size()) {
      error("E0205", argument.span, "this initializer has no such parameter");
      return false;
    }
    std::optional<Value> value = eval(*argument.value);
    std::optional<double> number = value ? value->asFloat() : std::nullopt;
    if (value && !number)
      error("E0403", argument.value->span, "an initializer takes numbers")
          .primaryLabel(fmt::format("this is {}", describeKind(*value)));
    if (!number)
      return false;
    values[index] = *number;
  }
  return true;
}

/// Whether an element can start as the number; `number` is `value` as a float. Floats take any.
static bool canHold(Element element, const Value &value, double number) {
  if (isIntegral(element))
    return toInteger(value, element).has_value();
  return element != Element::Bool || number == 0 || number == 1;
}

bool Evaluator::evalInit(const syntax::Expr &expr, Slot &slot) {
  auto *call = expr.as<syntax::CallExpr>();
  auto *callee = call ? call->callee->as<syntax::NameExpr>() : nullptr;
  if (!callee || !isInitializer(callee->name)) {
    std::optional<Value> value = eval(expr);
    if (!value)
      return false;
    std::optional<double> number = value->asFloat();
    if (const bool *flag = value->as<bool>(); flag && slot.element == Element::Bool)
      number = *flag;
    if (!number)
      error("E0403", expr.span, "a slot starts as a number or by an initializer")
          .primaryLabel(fmt::format("this is {}", describeKind(*value)))
          .note("initializers are `kaiming_uniform()`, `normal(mean, std)` and "
                "`uniform(low, high)`");
    else if (!canHold(slot.element, *value, *number))
      error("E0402", expr.span,
            fmt::format("{} {}", formatValue(*value),
                        *number == std::floor(*number) ? "does not fit" : "is not an integer"))
          .primaryLabel(fmt::format("the slot holds {}", syntax::spelling(slot.element)));
    slot.init = {SlotInit::Kind::Full, number.value_or(0)};
    return number.has_value();
  }
  double values[2] = {0, 1};
  slot.init.kind = SlotInit::Kind::KaimingUniform;
  bool ok = true;
  if (callee->name == "normal") {
    slot.init.kind = SlotInit::Kind::Normal;
    ok = initializerNumbers(*call, {"mean", "std"}, values);
  } else if (callee->name == "uniform") {
    slot.init.kind = SlotInit::Kind::Uniform;
    ok = initializerNumbers(*call, {"low", "high"}, values);
  } else {
    ok = initializerNumbers(*call, {}, values);
  }
  slot.init.a = values[0];
  slot.init.b = values[1];
  if (isFloating(slot.element))
    return ok;
  error("E0402", expr.span, fmt::format("`{}` makes floats", callee->name))
      .primaryLabel(fmt::format("the slot holds {}", syntax::spelling(slot.element)));
  return false;
}

//===- Declarations ---------------------------------------------------------------------------===//

/// Binds the capitalised names without a meaning in the shape of a state: they are fixed when a
/// session opens. A pack without one leaves the state open.
void Evaluator::bindStateVariables(const syntax::TensorType &type, Slot &slot) {
  for (const syntax::Dim &dim : type.dims) {
    if (dim.isPack) {
      std::string_view pack = dim.packName.text;
      slot.isOpen |=
          frame->packs
              .try_emplace(pack, std::vector<Dim>{Dim::variable(fmt::format("...{}", pack))})
              .second;
      continue;
    }
    auto *name = dim.expr->as<syntax::NameExpr>();
    if (!name || !isCapitalised(name->name) || isKnown(name->name))
      continue;
    slot.variables.emplace_back(name->name);
    frame->locals.define(name->name, Value::integer(Dim::variable(slot.variables.back())));
  }
}

bool Evaluator::evalSlotType(const syntax::SlotStmt &decl, Slot &slot) {
  auto *type = decl.type->as<syntax::TensorType>();
  if (!type || type->optional) {
    error("E0403", decl.type->span, fmt::format("a {} is a tensor", syntax::spelling(decl.slot)))
        .primaryLabel("this is not the type of a tensor");
    return false;
  }
  slot.element = type->elem;
  if (type->elem == Element::I4 && decl.slot == syntax::SlotKind::State) {
    refuse(type->elemSpan, "states of i4 are not supported yet");
    return false;
  }
  if (type->elem == Element::I4 && type->dims.empty()) {
    error("E0306", type->span, "i4 are stored in pairs along the last axis, this has no axis");
    return false;
  }
  size_t mark = frame->locals.enterBlock();
  Packs packs = frame->packs;
  if (decl.slot == syntax::SlotKind::State)
    bindStateVariables(*type, slot);
  std::optional<std::vector<Dim>> shape = evalShape(*type);
  frame->locals.leaveBlock(mark);
  frame->packs = std::move(packs);
  if (!shape)
    return false;
  int64_t elements = 1;
  for (const Dim &dim : *shape)
    if (__builtin_mul_overflow(elements, dim.getConstant().value_or(0), &elements) ||
        elements > kMaxElements) {
      error("E0506", type->span, "this tensor is too large")
          .primaryLabel(formatTensorType(type->elem, *shape));
      return false;
    }
  slot.shape = std::move(*shape);
  slot.stored = slot.element;
  if (slot.element == Element::Float)
    slot.stored = decl.slot == syntax::SlotKind::State ? context.precision.working
                                                       : context.precision.storage();
  return true;
}

void Evaluator::declareSlot(Instance &instance, const syntax::SlotStmt &decl) {
  if (!isNewMember(instance, decl.name))
    return;
  auto slot = std::make_unique<Slot>();
  slot->decl = &decl;
  slot->owner = &instance;
  slot->isFrozen = decl.attribute("frozen") != nullptr;
  bool ok = true;
  if (decl.condition) {
    std::optional<bool> condition = evalCondition(*decl.condition, "if");
    ok = condition.has_value();
    slot->present = condition.value_or(false);
  }
  if (ok && slot->present) {
    ok = evalSlotType(decl, *slot);
    if (ok && decl.init)
      ok = evalInit(*decl.init, *slot);
    if (ok && slot->init.kind != SlotInit::Kind::Full && !slot->variables.empty()) {
      refuse(decl.init->span, "random values of states with a dimension variable are not "
                              "supported yet");
      ok = false;
    }
    if (ok && decl.key) {
      std::optional<KeyRef> key = evalKey(*decl.key);
      ok = key.has_value();
      slot->key = key ? *key : nullptr;
    }
  }
  instance.failed |= !ok;
  instance.weight += 1;
  if (!ok)
    slot.reset(); // a member without a value: using it is silent
  instance.members.push_back({decl.name, std::nullopt, std::move(slot), nullptr});
}

//===- Ties -----------------------------------------------------------------------------------===//

Slot *Evaluator::evalSlot(const syntax::Expr &expr) {
  const Member *member = nullptr;
  if (auto *name = expr.as<syntax::NameExpr>()) {
    member = frame->self->member(name->name);
  } else if (auto *path = expr.as<syntax::MemberExpr>()) {
    std::optional<Value> base = eval(*path->base);
    if (!base)
      return nullptr;
    if (auto *instance = base->as<InstanceRef>())
      member = (*instance)->member(path->name.text);
  }
  if (member && member->slot && member->slot->present)
    return member->slot.get();
  if (!member || member->slot || member->value)
    error("E0209", expr.span, "`tie` joins two slots")
        .primaryLabel(member && member->slot ? "this one does not exist here"
                                             : "this is not a param, buffer or state");
  return nullptr;
}

void Evaluator::applyTie(Instance &instance, const syntax::TieStmt &tie) {
  if (tie.condition) {
    std::optional<bool> condition = evalCondition(*tie.condition, "if");
    if (!condition || !*condition)
      return;
  }
  Slot *left = evalSlot(*tie.left), *right = evalSlot(*tie.right);
  if (!left || !right || left->canonical() == right->canonical())
    return;
  std::string leftType = formatTensorType(left->element, left->shape);
  std::string rightType = formatTensorType(right->element, right->shape);
  if (leftType == rightType) {
    left->canonical()->tied = right->canonical();
    left->isTied = right->isTied = true;
    return;
  }
  error("E0301", tie.span, "tied slots have one type")
      .label(tie.left->span, leftType)
      .label(tie.right->span, rightType);
}

} // namespace nnc::frontend
