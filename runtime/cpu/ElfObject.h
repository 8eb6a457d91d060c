//===- ElfObject.h - reads relocatable ELF objects --------------*- C++ -*-===//
//
// A checked view of the bytes of an ELF64 little-endian x86-64 object. Everything that it hands out
// lies within the bytes; the meaning of symbols and relocations is left to the loader.
//
//===----------------------------------------------------------------------===//
#ifndef NNC_RUNTIME_CPU_ELFOBJECT_H
#define NNC_RUNTIME_CPU_ELFOBJECT_H

#include "runtime/format/Result.h"

#include <cstddef>
#include <cstdint>
#include <elf.h>
#include <span>
#include <string_view>
#include <vector>

namespace nnc::rt {

class ElfObject {
public:
  struct Symbol {
    std::string_view name;
    unsigned section = 0; ///< index into sections; 0 for a symbol that is defined elsewhere
    uint64_t value = 0;   ///< offset into the section, at most its size
    bool isGlobalFunction = false;
  };
  struct Section {
    Elf64_Shdr header;
    std::span<const std::byte> bytes; ///< empty for those without bytes in the file

    bool isLoaded() const { return header.sh_flags & SHF_ALLOC; }
    bool isCode() const { return header.sh_flags & SHF_EXECINSTR; }
  };

  static Result<ElfObject> parse(std::span<const std::byte> bytes);

  /// The relocations of all loaded sections: the section that is changed, and how.
  struct Relocation {
    unsigned section;
    Elf64_Rela entry;
  };

  std::vector<Section> sections;
  std::vector<Symbol> symbols;
  std::vector<Relocation> relocations;

private:
  Result<void> readSections(std::span<const std::byte> bytes);
  Result<void> readSymbols(const Section &table);
  Result<void> readRelocations(const Section &table);
};

} // namespace nnc::rt

#endif
