#include "frontend/Pattern.h"

#include "frontend/PrimitivesErrors.h"
#include "frontend/Suggest.h"

#include <fmt/format.h>
#include <set>

namespace nnc::frontend {

using syntax::PatternAtom;
using syntax::PatternAxis;
using syntax::PatternSide;

Dim PatternBinder::sizeOf(const std::vector<std::string> &keys) const {
  Dim product = 1;
  for (const std::string &key : keys)
    product *= sizeOf(key);
  return product;
}

static bool hasAxis(const PatternSide &side, std::string_view name) {
  for (const PatternAxis &axis : side.axes)
    for (const PatternAtom &atom : axis.atoms)
      if (!atom.isNumber && atom.name.text == name)
        return true;
  return false;
}

bool PatternBinder::giveSize(const std::string &name, const Operand &operand,
                             const syntax::Pattern &pattern) {
  bool isThere = hasAxis(pattern.right, name);
  for (const PatternSide &side : pattern.left)
    isThere = isThere || hasAxis(side, name);
  if (!isThere) {
    context.error("E0303", operand.span,
                  fmt::format("the pattern of {} has no axis `{}`", what, name));
    return false;
  }
  if (!operand.value.isInt()) {
    context.error("E0403", operand.span,
                  fmt::format("the size of axis `{}` needs an int, found {}", name,
                              describeKind(operand.value)));
    return false;
  }
  const Dim &size = operand.value.get<Dim>();
  std::optional<Dim> known = sizeInScope(name);
  if (known && *known != size) {
    context
        .error("E0303", operand.span,
               fmt::format("axis `{}` is {} here and {} in scope", name, size.str(), known->str()))
        .note("a name in a pattern that is an int in scope is that int: choose another name");
    return false;
  }
  given.emplace(name, size);
  return true;
}

std::optional<Dim> PatternBinder::sizeInScope(std::string_view name) const {
  if (auto found = given.find(std::string(name)); found != given.end())
    return found->second;
  std::optional<Value> value = context.lookup ? context.lookup(name) : std::nullopt;
  return value && value->isInt() ? std::optional(value->get<Dim>()) : std::nullopt;
}

/// The size of an atom before its axis is looked at.
std::optional<Dim> PatternBinder::knownSize(const PatternAtom &atom) const {
  if (atom.isNumber)
    return Dim(atom.number);
  if (auto found = sizes.find(std::string(atom.name.text)); found != sizes.end())
    return found->second;
  return sizeInScope(atom.name.text);
}

std::string PatternBinder::keyOf(const PatternAtom &atom) {
  // No name starts with a digit or a dot.
  return atom.isNumber ? fmt::format("{}#{}", atom.number, numbered++)
                       : std::string(atom.name.text);
}

bool PatternBinder::checkRepeats(const PatternSide &side) const {
  std::set<std::string_view> seen;
  for (const PatternAxis &axis : side.axes)
    for (const PatternAtom &atom : axis.atoms)
      if (!atom.isNumber && !seen.insert(atom.name.text).second) {
        context.error("E0303", atom.name.span,
                      fmt::format("axis `{}` stands twice on one side", atom.name.text));
        return false;
      }
  return true;
}

//===- Left sides ----------------------------------------------------------------------------===//

bool PatternBinder::checkSize(const PatternAtom &atom, const Dim &known, const Dim &size) {
  if (known == size)
    return true;
  std::string_view text = atom.name.text;
  bool different = provablyDifferent(known, size, context.facts);
  syntax::Diagnostic &diag =
      different
          ? context.error("E0301", atom.name.span,
                          atom.isNumber
                              ? fmt::format("this axis has {}, not {}", size.str(), known.str())
                              : fmt::format("axis `{}` is {}, this value has {}", text, known.str(),
                                            size.str()))
          : context.error("E0304", atom.name.span,
                          fmt::format("cannot prove that axis `{}`, {}, equals {}", text,
                                      known.str(), size.str()));
  bool isScope = !atom.isNumber && !sizes.count(std::string(text));
  if (auto first = firstUse.find(std::string(text)); first != firstUse.end())
    diag.label(first->second, known.str() + " here");
  if (isScope)
    diag.note(fmt::format("`{}` is the int {} in scope; an axis of another size needs another name",
                          text, known.str()));
  if (!different) {
    if (auto example = findDifference(known, size, context.facts))
      diag.note("they differ when " + formatSizes(*example));
    addGuardFix(context, diag, suggestGuards(known, size));
  }
  return false;
}

void PatternBinder::bindAtom(const PatternAtom &atom, const Dim &size,
                             std::vector<std::string> &keys) {
  std::string key = keyOf(atom);
  sizes[key] = size;
  firstUse.emplace(key, atom.name.span);
  keys.push_back(std::move(key));
}

bool PatternBinder::bindSingle(const PatternAtom &atom, const Dim &size,
                               std::vector<std::string> &keys) {
  std::optional<Dim> known = knownSize(atom);
  if (known && !checkSize(atom, *known, size))
    return false;
  bindAtom(atom, size, keys);
  return true;
}

void PatternBinder::reportUneven(const PatternAxis &axis, const Dim &size, const Dim &known) const {
  bool never = size.isConstant() && known.isConstant();
  syntax::Diagnostic &diag =
      never
          ? context.error("E0301", axis.span,
                          fmt::format("{} does not divide the axis of {}", known.str(), size.str()))
          : context.error("E0304", axis.span,
                          fmt::format("cannot prove that {} divides {}", known.str(), size.str()));
  if (!never)
    addGuardFix(context, diag, suggestGuards(size.floorDiv(known) * known, size));
}

bool PatternBinder::bindGroup(const PatternAxis &axis, const Dim &size,
                              std::vector<std::string> &keys) {
  const PatternAtom *unknown = nullptr;
  Dim product = 1;
  for (const PatternAtom &atom : axis.atoms) {
    std::optional<Dim> known = knownSize(atom);
    if (known) {
      product *= *known;
    } else if (unknown) {
      context
          .error("E0303", axis.span,
                 fmt::format("the sizes of `{}` and `{}` cannot be told apart", unknown->name.text,
                             atom.name.text))
          .help("one of them must be an int in scope");
      return false;
    } else {
      unknown = &atom;
    }
  }
  std::optional<Dim> rest = size.exactDiv(product);
  if (!rest || (!unknown && !(*rest == Dim(1)))) {
    reportUneven(axis, size, product);
    return false;
  }
  for (const PatternAtom &atom : axis.atoms)
    bindAtom(atom, &atom == unknown ? *rest : *knownSize(atom), keys);
  return true;
}

/// Of a side such as `bhtd`, one letter per axis as NumPy and PyTorch write it.
static void helpWithLetters(syntax::Diagnostic &diag, const PatternSide &side, size_t rank) {
  if (side.axes.size() != 1 || side.axes.front().kind != PatternAxis::Single)
    return;
  std::string text;
  for (char letter : side.axes.front().atoms.front().name.text)
    text += (text.empty() ? "" : " ") + std::string(1, letter);
  if (text.size() == 2 * rank - 1 && rank > 1)
    diag.help(fmt::format("spaces stand between axes: `{}`", text));
}

/// As many axes as the tensor has, `...` standing for any number, the same on all left sides.
bool PatternBinder::checkRank(const PatternSide &side, const TensorValue &x) {
  size_t packs = 0;
  for (const PatternAxis &axis : side.axes)
    packs += axis.kind == PatternAxis::Ellipsis;
  size_t named = side.axes.size() - packs;
  if (packs > 1 || x.rank() < named || (packs == 0 && x.rank() != named)) {
    syntax::Diagnostic &diag = context.error(
        "E0306", side.span,
        fmt::format("this side of the pattern has {}{} {}, the value has {}", named,
                    packs ? " or more" : "", named == 1 && !packs ? "axis" : "axes", x.rank()));
    diag.primaryLabel("found " + formatTensorType(x));
    helpWithLetters(diag, side, x.rank());
    return false;
  }
  size_t packed = x.rank() - named;
  if (packs && hasPack && packRank != packed) {
    context.error("E0306", side.span,
                  fmt::format("`...` stands for {} axes on one side and for {} on another",
                              packRank, packed));
    return false;
  }
  if (packs) {
    hasPack = true;
    packRank = packed;
  }
  return true;
}

/// The axes of `...` behave as names of their own.
bool PatternBinder::bindPack(const PatternAxis &axis, const TensorValue &x, PatternAxes &axes) {
  for (size_t i = 0; i < packRank; ++i) {
    std::string key = fmt::format("...{}", i);
    PatternAtom atom;
    atom.name = {key, axis.span};
    const Dim &size = x.shape[axes.size()];
    if (!bindSingle(atom, size, axes.emplace_back()))
      return false;
  }
  return true;
}

std::optional<PatternAxes> PatternBinder::bindLeft(const PatternSide &side, const Operand &operand,
                                                   bool mayRepeat) {
  const TensorValue &x = operand.value.get<TensorValue>();
  if ((!mayRepeat && !checkRepeats(side)) || !checkRank(side, x))
    return std::nullopt;
  PatternAxes axes;
  for (const PatternAxis &axis : side.axes) {
    if (axis.kind == PatternAxis::Ellipsis) {
      if (!bindPack(axis, x, axes))
        return std::nullopt;
      continue;
    }
    const Dim &size = x.shape[axes.size()];
    std::vector<std::string> &keys = axes.emplace_back();
    bool bound = axis.kind == PatternAxis::Single ? bindSingle(axis.atoms[0], size, keys)
                                                  : bindGroup(axis, size, keys);
    if (!bound)
      return std::nullopt;
  }
  return axes;
}

//===- The right side ------------------------------------------------------------------------===//

void PatternBinder::reportUnknown(const PatternAtom &atom) const {
  syntax::Diagnostic &diag = context.error(
      "E0303", atom.name.span, fmt::format("unknown axis `{}` in this pattern", atom.name.text));
  diag.primaryLabel("not on the left side");
  std::vector<std::string_view> names;
  for (const auto &[key, place] : firstUse)
    names.push_back(key);
  if (auto close = closestName(atom.name.text, names))
    diag.help(fmt::format("did you mean `{}`?", *close));
}

bool PatternBinder::addNew(const PatternAtom &atom, bool mayAddAxes,
                           std::vector<std::string> &keys) {
  std::optional<Dim> size = knownSize(atom);
  bool isOne = atom.isNumber && atom.number == 1;
  if (!isOne && !mayAddAxes && atom.isNumber) {
    context
        .error("E0303", atom.name.span,
               fmt::format("{} cannot make an axis of {}", what, atom.number))
        .help(fmt::format("to split an axis, name its parts: `(k c) -> k c` with `k={}`",
                          atom.number))
        .help("to repeat elements, use `repeat`");
    return false;
  }
  if (!size || (!isOne && !mayAddAxes)) {
    reportUnknown(atom);
    return false;
  }
  std::string key = keyOf(atom);
  sizes[key] = *size;
  keys.push_back(std::move(key));
  return requireNonNegative(context, atom.name.span, "the size of this axis", *size);
}

bool PatternBinder::expandPack(const PatternAxis &axis, bool isRepeated, PatternAxes &axes) const {
  if (!hasPack || isRepeated) {
    context
        .error("E0303", axis.span,
               isRepeated ? "`...` stands twice on one side" : "unknown axes `...`")
        .primaryLabel(isRepeated ? "once is enough" : "not on the left side");
    return false;
  }
  for (size_t i = 0; i < packRank; ++i)
    axes.push_back({fmt::format("...{}", i)});
  return true;
}

std::optional<PatternAxes> PatternBinder::bindRight(const PatternSide &side, bool mayAddAxes) {
  if (!checkRepeats(side))
    return std::nullopt;
  PatternAxes axes;
  bool sawPack = false;
  for (const PatternAxis &axis : side.axes) {
    if (axis.kind == PatternAxis::Ellipsis) {
      if (!expandPack(axis, sawPack, axes))
        return std::nullopt;
      sawPack = true;
      continue;
    }
    std::vector<std::string> &keys = axes.emplace_back();
    for (const PatternAtom &atom : axis.atoms) {
      std::string name(atom.name.text);
      if (!atom.isNumber && isOnLeft(name))
        keys.push_back(name);
      else if (!addNew(atom, mayAddAxes, keys))
        return std::nullopt;
    }
  }
  return axes;
}

} // namespace nnc::frontend
