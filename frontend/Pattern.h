// Patterns met by shapes: which axis of a tensor each name of `b c h w -> b (c h w)` stands for,
// and how large it is. A name that is an int in scope is that int; other names are the pattern's
// own.
// A named argument of the call gives a size as well.
#pragma once

#include "frontend/Context.h"
#include "frontend/Primitives.h"
#include "frontend/syntax/Pattern.h"

#include <map>
#include <string>
#include <vector>

namespace nnc::frontend {

/// A side with its groups kept and its `...` expanded: per axis, the keys of its parts. A key is a
/// name, or made up for a number and for an axis of `...`.
using PatternAxes = std::vector<std::vector<std::string>>;

class PatternBinder {
public:
  /// `what` is the primitive in back quotes.
  PatternBinder(Context &context, std::string what) : context(context), what(std::move(what)) {}

  /// The size of an axis as a named argument of the call. False after E0303 (no such axis, or
  /// another size in scope) or E0403.
  bool giveSize(const std::string &name, const Operand &operand, const syntax::Pattern &pattern);

  /// Matches a left side with a tensor and learns the sizes of its names. Reports E0301, E0303,
  /// E0304 or E0306. Only with `mayRepeat` may a name stand twice.
  std::optional<PatternAxes> bindLeft(const syntax::PatternSide &side, const Operand &operand,
                                      bool mayRepeat = false);

  /// Resolves the right side. Names that are on no left side are E0303, unless they may be new:
  /// then they must be ints in scope. Numbers other than 1 are new as well.
  std::optional<PatternAxes> bindRight(const syntax::PatternSide &side, bool mayAddAxes);

  const Dim &sizeOf(const std::string &key) const { return sizes.at(key); }
  Dim sizeOf(const std::vector<std::string> &keys) const;
  /// All keys of the left sides, in order.
  bool isOnLeft(const std::string &key) const { return firstUse.count(key) != 0; }
  /// Where a key was first named.
  syntax::Span placeOf(const std::string &key) const { return firstUse.at(key); }

private:
  std::optional<Dim> knownSize(const syntax::PatternAtom &atom) const;
  std::optional<Dim> sizeInScope(std::string_view name) const;
  std::string keyOf(const syntax::PatternAtom &atom);
  bool checkRank(const syntax::PatternSide &side, const TensorValue &x);
  bool bindPack(const syntax::PatternAxis &axis, const TensorValue &x, PatternAxes &axes);
  bool expandPack(const syntax::PatternAxis &axis, bool isRepeated, PatternAxes &axes) const;
  bool bindSingle(const syntax::PatternAtom &atom, const Dim &size, std::vector<std::string> &keys);
  bool bindGroup(const syntax::PatternAxis &axis, const Dim &size, std::vector<std::string> &keys);
  void bindAtom(const syntax::PatternAtom &atom, const Dim &size, std::vector<std::string> &keys);
  bool checkSize(const syntax::PatternAtom &atom, const Dim &known, const Dim &size);
  bool addNew(const syntax::PatternAtom &atom, bool mayAddAxes, std::vector<std::string> &keys);
  bool checkRepeats(const syntax::PatternSide &side) const;
  void reportUnknown(const syntax::PatternAtom &atom) const;
  void reportUneven(const syntax::PatternAxis &axis, const Dim &size, const Dim &known) const;

  Context &context;
  std::string what;
  std::map<std::string, Dim> sizes;
  std::map<std::string, Dim> given; ///< by named arguments
  std::map<std::string, syntax::Span> firstUse;
  unsigned numbered = 0; ///< keys made up so far
  size_t packRank = 0;   ///< axes of `...`
  bool hasPack = false;
};

} // namespace nnc::frontend
