// Modules at build time: classes, instances, their slots, and how the place of a slot in the tree
// of instances becomes its checkpoint key.
#pragma once

#include "frontend/Precision.h"
#include "frontend/Value.h"
#include "frontend/syntax/AST.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace nnc::frontend {

class FileScope;

/// An evaluated `as "weight" | "gamma"`; the first is written, all are read. "" is no step at all.
struct KeySpec {
  std::vector<std::string> alternatives;
  syntax::Span span;
};
using KeyRef = std::shared_ptr<const KeySpec>;

/// A `module` or `model` declaration.
struct ModuleClass {
  const syntax::ModuleStmt *decl;
  const FileScope *home;

  std::string_view name() const { return decl->name.text; }
  /// The function of that name in its body, or null.
  const syntax::FnStmt *function(std::string_view name) const;
  /// The formal of that name, or null.
  const syntax::Formal *hyperparameter(std::string_view name) const;
  /// Whether a train block takes its instances for optimizers: it has a function `update`.
  bool isOptimizer() const { return function("update") != nullptr; }
};

/// How a slot is made where there is no checkpoint.
struct SlotInit {
  enum class Kind { Full, KaimingUniform, Normal, Uniform };
  Kind kind = Kind::Full;
  double a = 0, b = 0; ///< value; -; mean, std; low, high
};

/// A `param`, `buffer` or `state` of one instance.
struct Slot {
  const syntax::SlotStmt *decl;
  Instance *owner;
  bool present = true; ///< false when its `if` does not hold
  Element element = Element::Float;
  /// What it is in memory: `element`, or what `float` is for such a slot.
  Element stored = Element::F32;
  /// Of a state: over its own dimension variables too, which an entry point gives meaning.
  std::vector<Dim> shape;
  std::vector<std::string> variables;
  KeyRef key; ///< of its `as`
  SlotInit init;
  /// Of a state whose shape has a pack that nothing says the meaning of: its module is an
  /// optimizer, of which a train block makes one for every param. The pack is one axis in `shape`.
  bool isOpen = false;
  bool isFrozen = false; ///< `@frozen`, here or on a binding around it
  Slot *tied = nullptr;  ///< the slot whose tensor this one shares
  bool isTied = false;   ///< whether any slot shares this one's tensor, or the reverse
  std::string symbol;    ///< of its nn.global, once that is made

  /// Follows ties.
  Slot *canonical();
  /// A state of one i32 or i64: its value may stand in positions and guards.
  bool isScalarState() const;
};

/// One step of a path: a member's name or a list index, and what stands for it in a key.
struct PathStep {
  std::string shown;
  KeyRef key; ///< null: `shown`
};

/// Where an instance hangs in the tree.
struct Placement {
  Instance *parent;
  std::vector<PathStep> steps;
};

/// A hyperparameter's value, and where that was written.
struct Hyperparameter {
  std::string_view name;
  Value value;
  syntax::Span given; ///< the argument, or the default's expression
  bool isDefault;
  syntax::Span formal;                ///< its name where it is declared
  const syntax::Expr *expr = nullptr; ///< the argument
  bool isDoubtful = false;            ///< a member has its name too
};

/// A binding or a slot of an instance, in order of declaration.
struct Member {
  syntax::Ident name;
  std::optional<Value> value; ///< of a binding; none after an error in it
  std::unique_ptr<Slot> slot; ///< of a slot
  KeyRef key;
};

/// What `...S` stands for.
using Packs = std::map<std::string_view, std::vector<Dim>>;

struct Instance : std::enable_shared_from_this<Instance> {
  const ModuleClass *cls;
  syntax::Span made;         ///< the call that made it
  Instance *maker = nullptr; ///< in whose body it was made; null at the top level of a file
  std::vector<Hyperparameter> hyperparameters;
  std::vector<Member> members;
  std::vector<Placement> placements; ///< the first is its own; more when it is shared
  /// What `float` is in it.
  Precision precision;
  /// Of an optimizer: the shape of its param.
  Packs packs;
  /// Equal for instances of one class with equal hyperparameters and precision: their bodies are
  /// alike.
  unsigned structure = 0;
  size_t weight = 1;   ///< as SequenceData::weight
  bool failed = false; ///< an error was reported in its body

  const Member *member(std::string_view name) const;
  const Hyperparameter *hyperparameter(std::string_view name) const;
  /// All slots below, in order of declaration, as often as they are reachable. Only of a complete
  /// instance; instances of one structure have the same number in the same order.
  const std::vector<Slot *> &slots() const;
  /// "layers.0.attn", as the user bound it; empty for the model itself.
  std::string path() const;

private:
  mutable std::optional<std::vector<Slot *>> allSlots;
};

/// Appends the slots below a value (of instances in lists, functions, ...).
void appendSlots(const Value &value, std::vector<Slot *> &slots);

/// Hangs the instances in `value` that are bound to a member under `parent`.
void placeInstances(Instance &parent, const Value &value, const syntax::Ident &name,
                    const KeyRef &key, bool onlyUnowned = false);

/// All keys of a slot; the first is written. More than `kMaxKeys` are cut.
std::vector<std::string> slotKeys(const Slot &slot);
inline constexpr size_t kMaxKeys = 64;

/// Gives equal build-time values equal texts, and interns those of instances.
class Structures {
public:
  unsigned intern(const Instance &instance);
  /// Appends a text that is equal for values that make a function's body come out the same. Tensors
  /// count by element and shape.
  void append(const Value &value, std::string &text) const;

private:
  std::unordered_map<std::string, unsigned> ids;
};

} // namespace nnc::frontend
