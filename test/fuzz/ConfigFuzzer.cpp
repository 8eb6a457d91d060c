//===- ConfigFuzzer.cpp - Any bytes as a config.json ----------------------------------------===//
//
// What must hold for every input: nothing crashes or hangs; what is no configuration is an error
// that prints; of what is one, every value has its place and is found by its path.
//
//===----------------------------------------------------------------------------------------===//

#include "frontend/Config.h"
#include "frontend/syntax/Syntax.h"

#include <cstdlib>

using namespace nnc;
using frontend::Config;
using frontend::ConfigValue;

namespace {

void require(bool condition) {
  if (!condition)
    std::abort();
}

void walk(const ConfigValue &value, const syntax::SourceManager &sources) {
  require(!sources.text(value.span).empty() && *value.kind());
  if (auto *list = value.as<ConfigValue::List>())
    for (const ConfigValue &element : *list)
      walk(element, sources);
  if (auto *object = value.as<ConfigValue::Object>())
    for (const auto &[name, member] : *object)
      walk(member, sources);
}

/// The longest name goes first, so a path may lead to another member than it was made of.
void findAll(const Config &config, const Config &members, const std::string &before) {
  for (const auto &[name, member] : members) {
    std::string path = before + name;
    if (!member.isNull())
      require(findMember(config, path).value != nullptr);
    if (auto *object = member.as<Config>(); object && path.size() < 64)
      findAll(config, *object, path + ".");
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  syntax::SourceManager sources;
  syntax::Diagnostics diags;
  std::optional<syntax::FileId> file =
      sources.addText("config.json", {reinterpret_cast<const char *>(data), size}, diags);
  if (!file)
    return 0;
  std::optional<Config> config = frontend::parseConfig(sources, *file, diags);
  require(config.has_value() != diags.hasErrors());
  require(diags.hasErrors() != syntax::render(sources, diags).empty());
  if (!config)
    return 0;
  for (const auto &[name, member] : *config)
    walk(member, sources);
  findAll(*config, *config, "");
  return 0;
}
