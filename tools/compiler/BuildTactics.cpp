#include "tools/compiler/BuildTactics.h"

#include "ir/NNOps.h"
#include "ir/TacticAttr.h"
#include "passes/TacticRules.h"

#include <filesystem>
#include <fmt/format.h>

using namespace mlir;

namespace nnc {

std::string BuildTactics::pathBeside(const std::string &source) {
  return std::filesystem::path(source).replace_extension(".tune").string();
}

bool BuildTactics::load(syntax::SourceManager &sources, syntax::Diagnostics &diags,
                        const std::string &path, const std::string &arch) {
  file = sources.load(path, diags);
  if (!file)
    return false;
  std::vector<codegen::LockMistake> mistakes;
  book = codegen::TacticBook(codegen::LockFile::parse(sources.text(*file), mistakes), arch);
  for (const codegen::LockMistake &mistake : mistakes)
    diags.error("", sources.lineSpan(*file, mistake.line), mistake.message);
  return mistakes.empty();
}

void BuildTactics::chooseProducts(ModuleOp module) {
  module.walk([&](nn::MatmulOp product) {
    if (!hasTwoTactics(product))
      return;
    std::vector<std::string> candidates = {"rule", "library", "kernel"};
    if (size_t chosen = book.choose(product, productKey(product), candidates))
      product->setAttr(nn::kTacticAttr, StringAttr::get(module.getContext(), candidates[chosen]));
  });
}

void BuildTactics::reportUnused(const syntax::SourceManager &sources,
                                syntax::Diagnostics &diags) const {
  if (!file)
    return;
  std::vector<codegen::LockMistake> unused = book.unused();
  constexpr size_t Shown = 3; // a file may serve many sizes
  for (size_t i = 0; i < std::min(unused.size(), Shown); ++i) {
    syntax::Diagnostic &warning =
        diags.warning("", sources.lineSpan(*file, unused[i].line), unused[i].message);
    if (unused.size() > Shown && i + 1 == Shown)
      warning.note(fmt::format("{} more lines changed nothing", unused.size() - Shown));
  }
}

} // namespace nnc
