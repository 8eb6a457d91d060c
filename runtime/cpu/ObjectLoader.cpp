//===- ObjectLoader.cpp - loads the cpu code of a model -------------------===//
//
// One mapping holds code, then stubs that jump to externs, then read-only data. It is filled while
// it is writable and then sealed.
//
//===----------------------------------------------------------------------===//

#include "runtime/cpu/ObjectLoader.h"

#include "runtime/cpu/ElfObject.h"
#include "runtime/format/Half.h"

#include <bit>
#include <cstring>
#include <fmt/format.h>
#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace nnc;
using namespace nnc::rt;

static float halfToFloat(_Float16 value) {
  return format::floatFromF16(std::bit_cast<uint16_t>(value));
}

static _Float16 floatToHalf(float value) {
  return std::bit_cast<_Float16>(format::f16FromFloat(value));
}

/// The address of an extern, 0 if there is none of that name.
static uintptr_t findExtern(std::string_view name) {
#define NNC_CPU_EXTERN(symbol, type, function)                                                     \
  if (name == #symbol)                                                                             \
    return reinterpret_cast<uintptr_t>(static_cast<std::add_pointer_t<type>>(function));
#include "runtime/cpu/Externs.def"
#undef NNC_CPU_EXTERN
  return 0;
}

namespace {

/// jmp *0(%rip), followed by the address.
constexpr size_t stubBytes = 16;
constexpr uint64_t maxImage = uint64_t(256) << 20;

/// The image of an object in memory while it is put together.
class Image {
public:
  explicit Image(ElfObject object) : object(std::move(object)) {}
  ~Image() {
    if (memory)
      munmap(memory, bytes);
  }

  Result<void> build();

  ElfObject object;
  std::byte *memory = nullptr;
  size_t bytes = 0;

  uintptr_t addressOf(const ElfObject::Symbol &symbol) const {
    return reinterpret_cast<uintptr_t>(memory) + places[symbol.section] + symbol.value;
  }

private:
  Result<void> place(bool code);
  Result<void> resolveExterns();
  Result<void> fill();
  Result<void> relocate(const ElfObject::Relocation &relocation);
  Result<void> seal();

  std::vector<uint64_t> places;   ///< per section: offset in memory
  std::vector<uintptr_t> externs; ///< per symbol: the function, or 0
  std::vector<uint64_t> stubs;    ///< per symbol: offset of its stub
  uint64_t end = 0;               ///< of what has been placed
  uint64_t codeEnd = 0;
};

} // namespace

static uint64_t alignUp(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

static uint64_t pageBytes() { return static_cast<uint64_t>(sysconf(_SC_PAGESIZE)); }

/// Gives the sections of code, or those of data, their offsets.
Result<void> Image::place(bool code) {
  for (size_t i = 0; i < object.sections.size(); ++i) {
    const ElfObject::Section &section = object.sections[i];
    if (!section.isLoaded() || section.isCode() != code)
      continue;
    uint64_t alignment = std::max<uint64_t>(section.header.sh_addralign, 1);
    if (!std::has_single_bit(alignment) || alignment > pageBytes())
      return Error{fmt::format("the cpu code of the model is damaged: section {} has alignment {}",
                               i, alignment)};
    if (section.header.sh_flags & (SHF_WRITE | SHF_TLS))
      return Error{"the cpu code of the model has writable data, which is not supported"};
    places[i] = alignUp(end, alignment);
    if (section.header.sh_size > maxImage || places[i] + section.header.sh_size > maxImage)
      return Error{"the cpu code of the model is damaged: it would take more than 256 MiB"};
    end = places[i] + section.header.sh_size;
  }
  return {};
}

Result<void> Image::resolveExterns() {
  externs.assign(object.symbols.size(), 0);
  stubs.assign(object.symbols.size(), 0);
  for (const ElfObject::Relocation &relocation : object.relocations) {
    size_t number = ELF64_R_SYM(relocation.entry.r_info);
    const ElfObject::Symbol &symbol = object.symbols[number];
    if (symbol.section != 0 || externs[number] != 0)
      continue;
    externs[number] = findExtern(symbol.name);
    if (externs[number] == 0)
      return Error{fmt::format("the cpu code of the model calls '{}', which this runtime does not "
                               "offer",
                               symbol.name)};
    stubs[number] = alignUp(end, stubBytes);
    end = stubs[number] + stubBytes;
  }
  return {};
}

Result<void> Image::fill() {
  bytes = alignUp(std::max<uint64_t>(end, 1), pageBytes());
  void *mapped = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED)
    return Error{fmt::format("there is no memory for {} bytes of code", bytes)};
  memory = static_cast<std::byte *>(mapped);
  for (size_t i = 0; i < object.sections.size(); ++i) {
    std::span<const std::byte> contents = object.sections[i].bytes;
    if (object.sections[i].isLoaded() && !contents.empty())
      std::memcpy(memory + places[i], contents.data(), contents.size());
  }
  for (size_t i = 0; i < externs.size(); ++i) {
    if (externs[i] == 0)
      continue;
    const unsigned char jump[6] = {0xff, 0x25, 0, 0, 0, 0};
    std::memcpy(memory + stubs[i], jump, sizeof(jump));
    std::memcpy(memory + stubs[i] + sizeof(jump), &externs[i], sizeof(uintptr_t));
  }
  return {};
}

Result<void> Image::relocate(const ElfObject::Relocation &relocation) {
  const Elf64_Rela &entry = relocation.entry;
  const ElfObject::Section &section = object.sections[relocation.section];
  size_t number = ELF64_R_SYM(entry.r_info);
  const ElfObject::Symbol &symbol = object.symbols[number];
  unsigned type = ELF64_R_TYPE(entry.r_info);
  size_t width = type == R_X86_64_64 || type == R_X86_64_PC64 ? 8 : 4;
  if (entry.r_offset > section.header.sh_size || section.header.sh_size - entry.r_offset < width)
    return Error{"the cpu code of the model is damaged: a relocation lies outside its section"};
  if (symbol.section != 0 && !object.sections[symbol.section].isLoaded())
    return Error{"the cpu code of the model is damaged: a relocation refers to what is not loaded"};
  uint64_t place =
      reinterpret_cast<uintptr_t>(memory) + places[relocation.section] + entry.r_offset;
  uint64_t target =
      symbol.section == 0 ? reinterpret_cast<uintptr_t>(memory) + stubs[number] : addressOf(symbol);
  uint64_t value = target + static_cast<uint64_t>(entry.r_addend);
  switch (type) {
  case R_X86_64_64:
    break;
  case R_X86_64_PC64:
  case R_X86_64_PC32:
  case R_X86_64_PLT32:
    value -= place;
    break;
  default:
    return Error{fmt::format("the cpu code of the model has a relocation of type {}, which is not "
                             "supported",
                             type)};
  }
  auto distance = static_cast<int64_t>(value);
  if (width == 4 && distance != static_cast<int32_t>(distance))
    return Error{"the cpu code of the model is damaged: a relocation reaches too far"};
  std::memcpy(reinterpret_cast<std::byte *>(place), &value, width);
  return {};
}

Result<void> Image::seal() {
  if (codeEnd > 0 && mprotect(memory, codeEnd, PROT_READ | PROT_EXEC) != 0)
    return Error{"this system does not allow memory to be made executable, which the cpu target "
                 "needs"};
  if (bytes > codeEnd && mprotect(memory + codeEnd, bytes - codeEnd, PROT_READ) != 0)
    return Error{"read-only data of the model could not be protected"};
  return {};
}

Result<void> Image::build() {
  places.assign(object.sections.size(), 0);
  if (Result<void> placed = place(/*code=*/true); !placed)
    return placed;
  if (Result<void> resolved = resolveExterns(); !resolved)
    return resolved;
  codeEnd = end = alignUp(end, pageBytes());
  if (Result<void> placed = place(/*code=*/false); !placed)
    return placed;
  if (Result<void> filled = fill(); !filled)
    return filled;
  for (const ElfObject::Relocation &relocation : object.relocations)
    if (Result<void> applied = relocate(relocation); !applied)
      return applied;
  return seal();
}

Result<LoadedObject> LoadedObject::load(std::span<const std::byte> elf) {
#if !defined(__x86_64__)
  return Error{"the cpu target runs on x86-64 only, and this machine is not x86-64"};
#endif
  Result<ElfObject> object = ElfObject::parse(elf);
  if (!object)
    return object.error();
  Image image(std::move(*object));
  if (Result<void> built = image.build(); !built)
    return built.error();
  LoadedObject loaded;
  for (const ElfObject::Symbol &symbol : image.object.symbols)
    if (symbol.isGlobalFunction && image.object.sections[symbol.section].isLoaded() &&
        image.object.sections[symbol.section].isCode())
      loaded.functions.emplace(symbol.name, image.addressOf(symbol));
  loaded.memory = std::exchange(image.memory, nullptr);
  loaded.bytes = image.bytes;
  return loaded;
}

LoadedObject::LoadedObject(LoadedObject &&other) noexcept
    : memory(std::exchange(other.memory, nullptr)), bytes(other.bytes),
      functions(std::move(other.functions)) {}

LoadedObject &LoadedObject::operator=(LoadedObject &&other) noexcept {
  std::swap(memory, other.memory);
  std::swap(bytes, other.bytes);
  std::swap(functions, other.functions);
  return *this;
}

LoadedObject::~LoadedObject() {
  if (memory)
    munmap(memory, bytes);
}

CpuKernelFn LoadedObject::find(std::string_view symbol) const {
  auto at = functions.find(std::string(symbol));
  return at == functions.end() ? nullptr : reinterpret_cast<CpuKernelFn>(at->second);
}
