// Which formal gets which argument.
#include "frontend/Evaluator.h"

#include "frontend/Suggest.h"

#include <fmt/format.h>

namespace nnc::frontend {

void Evaluator::unknownArgument(const FormalSource &source, const Argument &argument) {
  std::vector<std::string_view> names;
  for (const syntax::Formal &formal : source.formals)
    names.push_back(formal.name.text);
  syntax::Diagnostic &diag =
      error("E0205", argument.nameSpan.isValid() ? argument.nameSpan : argument.span,
            fmt::format("`{}` has no parameter `{}`", source.name, argument.name));
  diag.note(fmt::format("`{}` is declared", source.name), source.declaration);
  if (auto local = localName(argument.name, names); local && argument.nameSpan.isValid())
    diag.fixIt(fmt::format("here it is called `{}`", *local),
               {{argument.nameSpan, std::string(*local)}});
  else if (auto advice = argumentAdvice(argument.name))
    diag.help(std::string(*advice));
  else if (auto similar = closestName(argument.name, names))
    if (argument.nameSpan.isValid())
      diag.fixIt(fmt::format("`{}` has a similar name", *similar),
                 {{argument.nameSpan, std::string(*similar)}});
}

/// "2 arguments", "1 argument".
static std::string count(size_t number) {
  return fmt::format("{} argument{}", number, number == 1 ? "" : "s");
}

std::optional<std::vector<BoundArgument>> Evaluator::bindArguments(const FormalSource &source,
                                                                   std::vector<Argument> arguments,
                                                                   const CallSite &site) {
  std::vector<BoundArgument> bound;
  for (const syntax::Formal &formal : source.formals)
    bound.push_back({&formal});
  size_t next = 0;
  bool known = true;
  for (Argument &argument : arguments) {
    size_t index = next;
    if (argument.name.empty()) {
      ++next;
    } else {
      index = 0;
      while (index < bound.size() && bound[index].formal->name.text != argument.name)
        ++index;
      if (index == bound.size()) {
        unknownArgument(source, argument);
        known = false;
        continue;
      }
    }
    if (index >= bound.size()) {
      error("E0205", argument.span,
            fmt::format("`{}` takes {}, this is one more", source.name, count(bound.size())))
          .note(fmt::format("`{}` is declared", source.name), source.declaration);
      return std::nullopt;
    }
    if (bound[index].value) {
      error("E0205", argument.span,
            fmt::format("`{}` of `{}` is given twice", bound[index].formal->name.text, source.name))
          .label(bound[index].span, "given first here");
      return std::nullopt;
    }
    bound[index].value = std::move(argument.value);
    bound[index].span = argument.span;
    bound[index].expr = argument.expr;
  }
  if (!known || !checkComplete(source, bound, site))
    return std::nullopt;
  return bound;
}

bool Evaluator::checkComplete(const FormalSource &source, const std::vector<BoundArgument> &bound,
                              const CallSite &site) {
  std::string missing;
  size_t number = 0;
  for (const BoundArgument &argument : bound)
    if (!argument.value && !argument.formal->defaultValue) {
      missing += fmt::format("{}`{}`", number++ ? ", " : "", argument.formal->name.text);
    }
  if (number == 0)
    return true;
  error("E0205", site.callee, fmt::format("`{}` also needs {}", source.name, missing))
      .primaryLabel(fmt::format("{} missing", count(number)))
      .note(fmt::format("`{}` is declared", source.name), source.declaration);
  return false;
}

} // namespace nnc::frontend
