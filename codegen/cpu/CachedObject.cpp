//===- CachedObject.cpp - Objects that were compiled before ---------------===//
//
// LLVM takes most of the time of the cpu target, and what it makes depends on nothing but the IR,
// the features and this very program.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Lower.h"

#include "runtime/format/FileCache.h"
#include "runtime/format/Hash.h"

#include "llvm/IR/Module.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/TargetParser/Host.h"

#include <dlfcn.h>

using namespace nnc;
using namespace nnc::codegen;
using namespace nnc::format;

namespace {

/// Hashes what is printed.
class HashStream : public llvm::raw_ostream {
public:
  ~HashStream() override { flush(); }
  uint64_t digest() {
    flush();
    return hasher.digest();
  }

private:
  void write_impl(const char *text, size_t size) override {
    hasher.add(std::as_bytes(std::span(text, size)));
    position += size;
  }
  uint64_t current_pos() const override { return position; }

  Hasher hasher;
  uint64_t position = 0;
};

/// The file that holds a function: this program, or a library of it.
uint64_t identityOf(void *function) {
  Dl_info info;
  return dladdr(function, &info) && info.dli_fname ? fileIdentity(info.dli_fname) : 0;
}

/// This program with its LLVM.
uint64_t compilerIdentity() {
  static const uint64_t identity =
      hash(CacheKey()
               .add(fileIdentity("/proc/self/exe"))
               .add(identityOf(reinterpret_cast<void *>(&emitObject)))
               .add(identityOf(reinterpret_cast<void *>(&llvm::sys::getDefaultTargetTriple)))
               .text());
  return identity;
}

} // namespace

Result<std::string> codegen::emitObjectCached(llvm::Module &module, const CpuFeatures &features) {
  FileCache &cache = FileCache::shared();
  if (!cache.isOn())
    return emitObject(module, features);
  HashStream text;
  module.print(text, nullptr);
  CacheKey key;
  key.add("cpu").add(compilerIdentity()).add(text.digest()).add(features.cpu);
  key.add(uint64_t(features.vectorBytes));
  for (const std::string &feature : features.features)
    key.add(feature);
  if (std::optional<std::string> known = cache.find(key.text()))
    return std::move(*known);
  Result<std::string> object = emitObject(module, features);
  if (object)
    cache.store(key.text(), *object);
  return object;
}
