//===- ElfObject.cpp - reads relocatable ELF objects ----------------------===//

#include "runtime/cpu/ElfObject.h"

#include <cstring>
#include <fmt/format.h>

using namespace nnc;
using namespace nnc::rt;

static Error broken(std::string_view what) {
  return Error{fmt::format("the cpu code of the model is damaged: {}", what)};
}

/// The bytes `offset .. offset + size`, or none if they are not all there.
static std::optional<std::span<const std::byte>> slice(std::span<const std::byte> bytes,
                                                       uint64_t offset, uint64_t size) {
  if (offset > bytes.size() || size > bytes.size() - offset)
    return std::nullopt;
  return bytes.subspan(offset, size);
}

template <typename T> static T readAt(std::span<const std::byte> bytes, size_t index) {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

static Result<Elf64_Ehdr> readHeader(std::span<const std::byte> bytes) {
  if (bytes.size() < sizeof(Elf64_Ehdr))
    return broken("it is shorter than its header");
  auto header = readAt<Elf64_Ehdr>(bytes, 0);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    return broken("it is not an ELF object");
  if (header.e_machine != EM_X86_64 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_ident[EI_DATA] != ELFDATA2LSB)
    return Error{
        fmt::format("the cpu code of the model is for another machine (ELF machine {}) and "
                    "not for x86-64",
                    header.e_machine)};
  if (header.e_type != ET_REL)
    return broken("it is not a relocatable object");
  if (header.e_shentsize != sizeof(Elf64_Shdr))
    return broken("its section headers have a wrong size");
  return header;
}

Result<void> ElfObject::readSections(std::span<const std::byte> bytes) {
  Result<Elf64_Ehdr> header = readHeader(bytes);
  if (!header)
    return header.error();
  auto table = slice(bytes, header->e_shoff, uint64_t(header->e_shnum) * sizeof(Elf64_Shdr));
  if (!table)
    return broken("its section headers lie outside");
  for (unsigned i = 0; i < header->e_shnum; ++i) {
    Section section{readAt<Elf64_Shdr>(*table, i), {}};
    if (section.header.sh_type != SHT_NOBITS && section.header.sh_type != SHT_NULL) {
      auto contents = slice(bytes, section.header.sh_offset, section.header.sh_size);
      if (!contents)
        return broken(fmt::format("section {} lies outside", i));
      section.bytes = *contents;
    }
    sections.push_back(section);
  }
  return {};
}

Result<void> ElfObject::readSymbols(const Section &table) {
  if (table.header.sh_entsize != sizeof(Elf64_Sym) || table.header.sh_link >= sections.size())
    return broken("its symbol table is malformed");
  const Section &strings = sections[table.header.sh_link];
  std::string_view text(reinterpret_cast<const char *>(strings.bytes.data()), strings.bytes.size());
  if (strings.header.sh_type != SHT_STRTAB || text.empty() || text.back() != '\0')
    return broken("its string table is malformed");
  for (size_t i = 0; i < table.bytes.size() / sizeof(Elf64_Sym); ++i) {
    auto entry = readAt<Elf64_Sym>(table.bytes, i);
    unsigned type = ELF64_ST_TYPE(entry.st_info);
    Symbol symbol;
    if (entry.st_name >= text.size())
      return broken(fmt::format("the name of symbol {} lies outside", i));
    symbol.name = text.data() + entry.st_name;
    bool isElsewhere = entry.st_shndx == SHN_UNDEF || type == STT_FILE;
    if (!isElsewhere) {
      if (entry.st_shndx >= sections.size() ||
          entry.st_value > sections[entry.st_shndx].header.sh_size)
        return broken(fmt::format("symbol {} lies outside", i));
      symbol.section = entry.st_shndx;
      symbol.value = entry.st_value;
      symbol.isGlobalFunction = type == STT_FUNC && ELF64_ST_BIND(entry.st_info) == STB_GLOBAL &&
                                entry.st_value < sections[entry.st_shndx].header.sh_size;
    }
    symbols.push_back(symbol);
  }
  return {};
}

Result<void> ElfObject::readRelocations(const Section &table) {
  if (table.header.sh_info >= sections.size())
    return broken("relocations belong to no section");
  if (!sections[table.header.sh_info].isLoaded())
    return {};
  if (table.header.sh_type == SHT_REL || table.header.sh_entsize != sizeof(Elf64_Rela))
    return broken("its relocations are of another format");
  for (size_t i = 0; i < table.bytes.size() / sizeof(Elf64_Rela); ++i) {
    auto entry = readAt<Elf64_Rela>(table.bytes, i);
    if (ELF64_R_SYM(entry.r_info) >= symbols.size())
      return broken("a relocation names no symbol");
    relocations.push_back({table.header.sh_info, entry});
  }
  return {};
}

Result<ElfObject> ElfObject::parse(std::span<const std::byte> bytes) {
  ElfObject object;
  if (Result<void> read = object.readSections(bytes); !read)
    return read.error();
  for (const Section &section : object.sections) {
    if (section.header.sh_type != SHT_SYMTAB)
      continue;
    if (!object.symbols.empty())
      return broken("it has two symbol tables");
    if (Result<void> read = object.readSymbols(section); !read)
      return read.error();
  }
  for (const Section &section : object.sections) {
    if (section.header.sh_type != SHT_RELA && section.header.sh_type != SHT_REL)
      continue;
    if (Result<void> read = object.readRelocations(section); !read)
      return read.error();
  }
  return object;
}
