//===- CheckFuzzer.cpp - Any source through the checker and the emission of IR --------------===//
//
// What must hold for every input: nothing crashes or hangs; a source with errors prints them; what
// is emitted verifies. Mutations keep most of a source meaningful (SourceMutator.h).
//
//===----------------------------------------------------------------------------------------===//

#include "frontend/Frontend.h"
#include "frontend/Primitives.h"
#include "frontend/syntax/Syntax.h"
#include "test/fuzz/SourceMutator.h"

#include "mlir/IR/MLIRContext.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace nnc;

// MLIR is not instrumented: see ASAN_OPTIONS in test/run.py. The rest is for speed; to see more of
// an error, reproduce it with ASAN_OPTIONS=malloc_context_size=30:detect_stack_use_after_return=1.
extern "C" const char *__asan_default_options() {
  return "allow_user_poisoning=0:detect_container_overflow=0:detect_leaks=0"
         ":malloc_context_size=4:detect_stack_use_after_return=0";
}

extern "C" size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t limit);

namespace {

void require(bool condition, const char *what, const std::string &text) {
  if (condition)
    return;
  std::fprintf(stderr, "%s:\n%s\n", what, text.c_str());
  std::abort();
}

/// One context for many inputs, because making one takes longer than checking a small model; not
/// for all, because it keeps every type.
mlir::MLIRContext &sharedContext() {
  static std::unique_ptr<mlir::MLIRContext> context;
  static unsigned uses = 0;
  if (!context || ++uses % 500 == 0) {
    context = std::make_unique<mlir::MLIRContext>(mlir::MLIRContext::Threading::DISABLED);
    context->getDiagEngine().registerHandler([](mlir::Diagnostic &) { return mlir::success(); });
  }
  return *context;
}

/// Files of the machine are no part of an input.
bool readsFiles(std::string_view text) {
  return text.find("/dev") != text.npos || text.find("/proc") != text.npos;
}

const std::vector<std::string_view> &words() {
  static const std::vector<std::string_view> list = [] {
    std::vector<std::string_view> words(frontend::primitiveNames().begin(),
                                        frontend::primitiveNames().end());
    for (std::string_view name :
         {"Linear", "Conv2d", "BatchNorm2d", "LayerNorm",   "Embedding",   "GroupNorm",
          "relu",   "gelu",   "attention",   "split_heads", "merge_heads", "rope",
          "len",    "zip",    "enumerate",   "reverse",     "training",    "inf",
          "B",      "T",      "forward",     "weight"})
      words.push_back(name);
    return words;
  }();
  return list;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string text(reinterpret_cast<const char *>(data), size);
  if (readsFiles(text))
    return 0;
  syntax::SourceManager sources;
  syntax::Diagnostics diags;
  std::optional<syntax::FileId> file = sources.addText("fuzz.nn", text, diags);
  if (!file)
    return 0;
  bool good = frontend::checkFile(sources, *file, {}, diags, sharedContext());
  std::string errors = syntax::render(sources, diags);
  require(good == !diags.hasErrors() && diags.hasErrors() <= !errors.empty(), "errors without text",
          text);
  for (const syntax::Diagnostic &diag : diags.all())
    require(!diag.message.starts_with("internal error"), errors.c_str(), text);
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t limit,
                                          unsigned int seed) {
  fuzz::Random random(seed);
  if (random() % 8 == 0)
    return LLVMFuzzerMutate(data, size, limit);
  std::string text(reinterpret_cast<const char *>(data), size);
  text = fuzz::mutateSource(std::move(text), words(), random);
  size_t length = std::min(text.size(), limit);
  std::memcpy(data, text.data(), length);
  return length;
}

extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t *data1, size_t size1,
                                            const uint8_t *data2, size_t size2, uint8_t *out,
                                            size_t limit, unsigned int seed) {
  fuzz::Random random(seed);
  std::string text =
      fuzz::spliceSources(std::string(reinterpret_cast<const char *>(data1), size1),
                          std::string(reinterpret_cast<const char *>(data2), size2), random);
  size_t length = std::min(text.size(), limit);
  std::memcpy(out, text.data(), length);
  return length;
}
