#include "tools/compiler/Compile.h"

#include "frontend/syntax/Render.h"
#include "runtime/format/AtomicFile.h"
#include "tools/compiler/Compilation.h"

namespace nnc {
namespace {

/// Runs all phases; a failure's message is the rendered diagnostics.
Result<CompiledModel> compileSource(syntax::SourceManager &sources, syntax::Diagnostics &diags,
                                    std::optional<syntax::FileId> file,
                                    const CompileOptions &options) {
  Compilation compilation(sources, diags, options);
  if (!file || !compilation.run(*file))
    return Error{syntax::render(sources, diags)};
  return CompiledModel(compilation.toMemory(), syntax::render(sources, diags));
}

} // namespace

const char *versionText() { return NNC_VERSION; }

Result<void> CompiledModel::save(const std::string &path) const {
  return format::writeFile(path, bytes);
}

Result<Engine> CompiledModel::engine() const { return Engine::fromMemory(bytes); }

Result<CompiledModel> compile(const std::string &path, const CompileOptions &options) {
  syntax::SourceManager sources;
  syntax::Diagnostics diags;
  return compileSource(sources, diags, sources.load(path, diags), options);
}

Result<CompiledModel> compileText(const std::string &name, const std::string &text,
                                  const CompileOptions &options) {
  syntax::SourceManager sources;
  syntax::Diagnostics diags;
  return compileSource(sources, diags, sources.addText(name, text, diags), options);
}

} // namespace nnc
