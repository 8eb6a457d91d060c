// Shapes against declared shapes. Bare variables bind on first use, left to right; then every other
// size is compared, and what differs is reported where the value was given: signatures are the
// boundary of errors.
#include "frontend/Evaluator.h"

#include "frontend/PrimitivesErrors.h"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>

namespace nnc::frontend {

static const DeclaredAxis *packOf(const std::vector<DeclaredAxis> &axes) {
  for (const DeclaredAxis &axis : axes)
    if (axis.dim->isPack)
      return &axis;
  return nullptr;
}

/// Which entry of its declared shape an axis of a tensor belongs to; a pack takes what the others
/// leave.
static const DeclaredAxis &declaredAxis(const TensorMatch &match, size_t axis) {
  const DeclaredAxis *pack = packOf(match.axes);
  size_t before = pack ? static_cast<size_t>(pack - match.axes.data()) : match.axes.size();
  if (axis < before)
    return match.axes[axis];
  size_t left = match.tensor.rank() - axis, after = match.axes.size() - before - 1;
  return left > after ? *pack : match.axes[match.axes.size() - left];
}

//===- Reports --------------------------------------------------------------------------------===//

/// Functions of the library take i64 wherever they take i32.
static bool takesElement(Element wanted, Element found, const Frame &frame, const Taker &taker) {
  bool isWiderIndex = wanted == Element::I32 && found == Element::I64;
  return wanted == found ||
         (isWiderIndex && frame.home->isLibrary && taker.kind == Taker::Kind::Argument);
}

bool Evaluator::checkElement(const TensorMatch &match, const Taker &taker) {
  Element wanted = match.type->elem, found = match.tensor.element;
  if (takesElement(wanted, found, *frame, taker))
    return true;
  syntax::Diagnostic &diag =
      error("E0401", match.span,
            taker.kind == Taker::Kind::Argument
                ? fmt::format("`{}` takes {}, this value is {}", taker.site.name,
                              syntax::spelling(wanted), syntax::spelling(found))
                : fmt::format("{} {}, this value is {}", taker.takes(match.name),
                              syntax::spelling(wanted), syntax::spelling(found)));
  diag.primaryLabel(fmt::format("expected {}, found {}", formatDeclared(*match.type),
                                formatTensorType(match.tensor)));
  if (taker.kind != Taker::Kind::Argument)
    diag.label(match.type->elemSpan, "declared here");
  if ((wanted == Element::Float && isFloating(found)) ||
      (found == Element::Float && isFloating(wanted)))
    diag.note(fmt::format("`float` is the working precision; it differs from {} under "
                          "`@precision(bf16)`",
                          syntax::spelling(wanted == Element::Float ? found : wanted)));
  diag.help(fmt::format("cast it with `{}(...)`", syntax::spelling(wanted)));
  return false;
}

bool Evaluator::checkRank(const TensorMatch &match, const Taker &taker) {
  bool hasPack = packOf(match.axes) != nullptr;
  size_t wanted = match.axes.size() - hasPack, found = match.tensor.rank();
  if (hasPack ? found >= wanted : found == wanted)
    return true;
  std::string axes =
      fmt::format("{} ax{}s{}", wanted, wanted == 1 ? "i" : "e", hasPack ? " or more" : "");
  error("E0306", match.span,
        taker.kind == Taker::Kind::Argument
            ? fmt::format("`{}` takes {}{}, this value has {}", taker.site.name, axes,
                          taker.tensorFormals > 1 ? fmt::format(" in `{}`", match.name) : "", found)
            : fmt::format("{} a tensor with {}, this value has {}", taker.takes(match.name), axes,
                          found))
      .primaryLabel(fmt::format("expected {}, found {}", formatDeclared(*match.type),
                                formatTensorType(match.tensor)));
  return false;
}

/// The text of an argument can be replaced by a number: it is one, or arithmetic of some.
static bool isPlainArithmetic(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](unsigned char c) { return std::isalpha(c) || c == '_' || c == '['; });
}

/// Says where the wanted size comes from: a hyperparameter, or an argument that fixed a variable.
void Evaluator::explainWanted(syntax::Diagnostic &diag, const DeclaredAxis &declared,
                              const Dim &wanted, const Dim &found) {
  auto *name = declared.dim->isPack ? nullptr : declared.dim->expr->as<syntax::NameExpr>();
  if (!name)
    return;
  if (auto bound = frame->boundAt.find(name->name); bound != frame->boundAt.end()) {
    diag.label(bound->second, fmt::format("`{}` = {} comes from here", name->name, wanted.str()));
    return;
  }
  const Hyperparameter *hyper = frame->self ? frame->self->hyperparameter(name->name) : nullptr;
  if (!hyper || !hyper->given.isValid())
    return;
  bool isOfMany = declared.size && hyper->value.elements().size() > 1;
  std::string origin =
      fmt::format("`{}` = {}", name->name, isOfMany ? formatValue(hyper->value) : wanted.str());
  if (hyper->isDefault) {
    diag.note(origin + " is the default", hyper->given);
    return;
  }
  diag.label(hyper->given, origin + " comes from here");
  if (found.isConstant() && isPlainArithmetic(context.sources.text(hyper->given)))
    diag.fixIt(fmt::format("make `{}` {}", name->name, found.str()), {{hyper->given, found.str()}});
}

std::string Evaluator::mismatchMessage(const TensorMatch &match, const Taker &taker, size_t axis,
                                       const Dim &wanted, const Dim &found, bool different) {
  if (!different)
    return fmt::format("cannot prove that these sizes are equal in `{}` along axis {}",
                       taker.kind == Taker::Kind::Argument ? taker.site.name : taker.name, axis);
  if (taker.kind != Taker::Kind::Argument)
    return fmt::format("{} {} along axis {}, this value has {}", taker.takes(match.name),
                       wanted.str(), axis, found.str());
  bool isLast = match.tensor.rank() > 1 && axis + 1 == match.tensor.rank();
  return fmt::format("`{}` takes {} {}{}, this value has {}", taker.site.name, wanted.str(),
                     isLast ? "features" : fmt::format("along axis {}", axis),
                     taker.tensorFormals > 1 ? fmt::format(" in `{}`", match.name) : "",
                     found.str());
}

void Evaluator::reportMismatch(const TensorMatch &match, const Taker &taker, size_t axis,
                               const Dim &wanted) {
  const Dim &found = match.tensor.shape[axis];
  const DeclaredAxis &declared = declaredAxis(match, axis);
  bool different = provablyDifferent(wanted, found, context.facts);
  std::string expected = formatDeclared(*match.type, declared.dim);
  syntax::Diagnostic &diag = error(different ? "E0301" : "E0304", match.span,
                                   mismatchMessage(match, taker, axis, wanted, found, different));
  diag.primaryLabel(fmt::format("expected {}, found {}", expected, formatTensorType(match.tensor)));
  if (taker.kind != Taker::Kind::Argument)
    diag.label(match.type->span, "declared here");
  explainWanted(diag, declared, wanted, found);
  if (!match.tensor.sizeNotes.empty())
    if (const SizeNoteRef &note = match.tensor.sizeNotes[axis])
      diag.note(fmt::format("{} = {},", note->size.str(), note->text), note->place);
  if (different)
    return;
  std::optional<DimSizes> sizes = findDifference(wanted, found, context.facts);
  diag.note(fmt::format("{} is expected, this value has {}{}", wanted.str(), found.str(),
                        sizes ? "; they differ when " + formatSizes(*sizes) : ""));
  addGuardFix(context, diag, suggestGuards(wanted, found));
}

//===- Matching -------------------------------------------------------------------------------===//

/// The variable that a size of a parameter or an annotation binds, or empty.
std::string_view Evaluator::variableOf(const DeclaredAxis &axis, const Taker &taker) {
  if (axis.dim->isPack || axis.size || taker.kind == Taker::Kind::Result)
    return {};
  auto *name = axis.dim->expr->as<syntax::NameExpr>();
  if (!name || !isCapitalised(name->name))
    return {};
  return frame->boundAt.count(name->name) || !isKnown(name->name) ? name->name : std::string_view();
}

bool Evaluator::bindVariables(const TensorMatch &match, const Taker &taker) {
  for (size_t axis = 0; axis < match.tensor.rank(); ++axis) {
    std::string_view name = variableOf(declaredAxis(match, axis), taker);
    if (name.empty())
      continue;
    const Dim &found = match.tensor.shape[axis];
    if (!frame->boundAt.count(name) || !frame->locals.find(name)) {
      frame->boundAt[name] = match.span;
      frame->locals.define(name, Value::integer(found));
      continue;
    }
    const std::optional<Value> *bound = frame->locals.find(name);
    const Dim *wanted = bound && *bound ? (*bound)->as<Dim>() : nullptr;
    if (wanted && !(*wanted == found)) {
      reportMismatch(match, taker, axis, *wanted);
      return false;
    }
  }
  return true;
}

bool Evaluator::bindPack(const TensorMatch &match, const Taker &taker) {
  const DeclaredAxis *entry = packOf(match.axes);
  if (!entry)
    return true;
  const syntax::Dim *pack = entry->dim;
  const std::vector<Dim> &shape = match.tensor.shape;
  size_t first = entry - match.axes.data();
  std::vector<Dim> found(shape.begin() + first, shape.end() - (match.axes.size() - first - 1));
  auto [bound, isNew] = frame->packs.try_emplace(pack->packName.text, found);
  if (isNew && taker.kind != Taker::Kind::Result)
    return true;
  for (size_t i = 0; i < found.size() && found.size() == bound->second.size(); ++i)
    if (!(found[i] == bound->second[i])) {
      reportMismatch(match, taker, first + i, bound->second[i]);
      return false;
    }
  if (found.size() == bound->second.size())
    return true;
  error("E0301", match.span,
        fmt::format("`...{}` is {} here and {} before", pack->packName.text, formatShape(found),
                    formatShape(bound->second)))
      .label(pack->span, "this pack");
  return false;
}

bool Evaluator::compareSizes(const TensorMatch &match, const Taker &taker) {
  for (size_t axis = 0; axis < match.tensor.rank(); ++axis) {
    const DeclaredAxis &declared = declaredAxis(match, axis);
    if (declared.dim->isPack || !variableOf(declared, taker).empty())
      continue;
    if (declared.size && declared.size->getConstant().value_or(0) < 0) {
      reportImpossible(*declared.dim, *declared.size);
      return false;
    }
    std::optional<Dim> wanted = declared.size ? declared.size : evalDim(*declared.dim);
    if (!wanted)
      return false;
    if (!(*wanted == match.tensor.shape[axis])) {
      reportMismatch(match, taker, axis, *wanted);
      return false;
    }
  }
  return true;
}

bool Evaluator::unify(std::vector<TensorMatch> &matches, const Taker &taker) {
  std::vector<const TensorMatch *> good;
  for (TensorMatch &match : matches) {
    match.axes = declaredAxes(*match.type);
    if (checkElement(match, taker) && checkRank(match, taker))
      good.push_back(&match);
  }
  bool ok = good.size() == matches.size();
  std::erase_if(good, [&](const TensorMatch *match) {
    bool bound = bindVariables(*match, taker) && bindPack(*match, taker);
    ok &= bound;
    return !bound;
  });
  for (const TensorMatch *match : good)
    ok &= compareSizes(*match, taker);
  return ok;
}

} // namespace nnc::frontend
