//===- Heaviest.h - What fills the memory of a call ---------------------------------*- C++ -*-===//
//
// For who has too little of it: which values weigh most, and for which sizes memory was planned.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_RUNTIME_HEAVIEST_H
#define NNC_RUNTIME_HEAVIEST_H

#include <string>

namespace nnc::format {
struct EntryT;
}

namespace nnc::rt {

/// "the largest values of `train_step` are `conv1` (1.5 GiB) and `bn1` (0.7 GiB) at B = 256; `nnc
/// --dim` fixes sizes": of the entry point's arena, at the upper bounds of its dimensions, in
/// bytes.
std::string heaviestOf(const format::EntryT &entry);

} // namespace nnc::rt

#endif // NNC_RUNTIME_HEAVIEST_H
