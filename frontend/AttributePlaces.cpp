// A table of attributes and places, and a walk over the declarations of a file.
#include "frontend/AttributePlaces.h"

#include "frontend/Suggest.h"

#include <algorithm>
#include <fmt/format.h>

namespace nnc::frontend {
namespace {

enum Place : unsigned {
  OnImport = 1,
  OnModule = 2,
  OnModel = 4,
  OnTrain = 8,
  OnFunction = 16,
  OnMember = 32, ///< a binding in a module
  OnWeight = 64, ///< a param or a buffer
  OnState = 128,
  OnTie = 256,
  OnConstant = 512,
};

struct AttributeRow {
  std::string_view name;
  unsigned places;
  std::string_view where; ///< for messages
  bool repeats = false;   ///< may stand several times at one declaration
  bool hasArguments = true;
};

constexpr AttributeRow rows[] = {
    {"precision", OnModule | OnModel | OnTrain | OnFunction | OnMember,
     "a model, a module, a train block, a function or a binding in a module"},
    {"quant", OnModel, "a model", /*repeats=*/true},
    {"weights", OnModel, "a model"},
    {"frozen", OnMember | OnWeight, "a param, a buffer or a binding in a module", false, false},
    {"remat", OnMember | OnFunction, "a binding in a module or a function", false, false},
    {"kernel", OnFunction, "a function"},
};

std::string_view describe(Place place) {
  switch (place) {
  case OnImport:
    return "an import";
  case OnModule:
    return "a module";
  case OnModel:
    return "a model";
  case OnTrain:
    return "a train block";
  case OnFunction:
    return "a function";
  case OnMember:
    return "a binding";
  case OnWeight:
    return "a param or a buffer";
  case OnState:
    return "a state";
  case OnTie:
    return "a tie";
  case OnConstant:
    return "a constant of the file";
  }
  return "";
}

Place placeOf(const syntax::Stmt &stmt, bool isItem) {
  if (auto *module = stmt.as<syntax::ModuleStmt>())
    return module->isModel ? OnModel : OnModule;
  if (auto *slot = stmt.as<syntax::SlotStmt>())
    return slot->slot == syntax::SlotKind::State ? OnState : OnWeight;
  if (stmt.is<syntax::TrainStmt>())
    return OnTrain;
  if (stmt.is<syntax::FnStmt>())
    return OnFunction;
  if (stmt.is<syntax::TieStmt>())
    return OnTie;
  if (stmt.is<syntax::ImportStmt>())
    return OnImport;
  return isItem ? OnConstant : OnMember;
}

class Checker {
public:
  explicit Checker(syntax::Diagnostics &diags) : diags(diags) {}

  void check(const std::vector<syntax::StmtPtr> &stmts, bool areItems) {
    for (const syntax::StmtPtr &stmt : stmts) {
      for (size_t i = 0; i < stmt->attributes.size(); ++i)
        check(stmt->attributes, i, placeOf(*stmt, areItems));
      if (auto *module = stmt->as<syntax::ModuleStmt>())
        check(module->body, false);
      else if (auto *train = stmt->as<syntax::TrainStmt>())
        check(train->block->body, false);
    }
  }

private:
  void check(const std::vector<syntax::Attribute> &attributes, size_t index, Place place) {
    const syntax::Attribute &attribute = attributes[index];
    std::string_view name = attribute.name.text;
    auto *row = std::find_if(std::begin(rows), std::end(rows),
                             [&](const AttributeRow &known) { return known.name == name; });
    if (row == std::end(rows))
      return reportUnknown(attribute);
    if (!(row->places & place)) {
      diags
          .error("E0213", attribute.span,
                 fmt::format("`@{}` says nothing about {}", name, describe(place)))
          .note(fmt::format("it belongs on {}", row->where));
      return;
    }
    if (!row->hasArguments && !attribute.args.empty())
      diags.error("E0205", attribute.args.front().span,
                  fmt::format("`@{}` takes no arguments", name));
    for (size_t i = 0; i < index && !row->repeats; ++i)
      if (attributes[i].name.text == name) {
        diags.error("E0213", attribute.span, fmt::format("`@{}` stands here twice", name))
            .label(attributes[i].span, "first here");
        return;
      }
  }

  void reportUnknown(const syntax::Attribute &attribute) {
    std::vector<std::string_view> names;
    for (const AttributeRow &row : rows)
      names.push_back(row.name);
    syntax::Diagnostic &diag = diags.error(
        "E0211", attribute.name.span, fmt::format("unknown attribute `@{}`", attribute.name.text));
    if (auto similar = closestName(attribute.name.text, names))
      diag.fixIt(fmt::format("`@{}` has a similar name", *similar),
                 {{attribute.name.span, std::string(*similar)}});
  }

  syntax::Diagnostics &diags;
};

} // namespace

void checkAttributePlaces(const syntax::File &file, syntax::Diagnostics &diags) {
  Checker(diags).check(file.items, true);
}

} // namespace nnc::frontend
