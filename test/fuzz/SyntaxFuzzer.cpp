//===- SyntaxFuzzer.cpp - Any bytes through the lexer, the parser and the formatter ---------===//
//
// What must hold for every input: nothing crashes; a source with errors prints them; a source
// without errors is formatted to one that says the same, and formatting that changes nothing.
//
//===----------------------------------------------------------------------------------------===//

#include "frontend/syntax/Syntax.h"

#include <cstdio>
#include <cstdlib>

using namespace nnc::syntax;

namespace {

void require(bool condition, const char *what, const std::string &text) {
  if (condition)
    return;
  std::fprintf(stderr, "%s:\n%s\n", what, text.c_str());
  std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  SourceManager sources;
  Diagnostics diags;
  std::string text(reinterpret_cast<const char *>(data), size);
  std::optional<FileId> file = sources.addText("fuzz.nn", text, diags);
  if (!file)
    return 0;
  dumpTokens(sources, lex(sources, *file));
  std::unique_ptr<File> tree = parseFile(sources, *file, diags);
  dumpAst(sources, *tree);
  std::string errors = render(sources, diags, {.color = true});
  require(diags.hasErrors() != errors.empty(), "errors without text", text);
  render(sources, diags, {.json = true});
  if (diags.hasErrors())
    return 0;
  std::optional<std::string> once = formatSource(sources, *file, diags);
  require(once.has_value(), "not formatted", text);
  FileId again = *sources.addText("again.nn", *once, diags);
  std::optional<std::string> twice = formatSource(sources, again, diags);
  require(twice == once, "formatting is not idempotent",
          text + "\n=== once\n" + *once + "\n=== twice\n" + twice.value_or("-"));
  return 0;
}
