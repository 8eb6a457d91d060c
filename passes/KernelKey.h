//===- KernelKey.h - Which kernels are the same code --------------------------------*- C++ -*-===//
//
// Models repeat their layers, so equal kernels are compiled once. Both code generators use this
// key.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_PASSES_KERNELKEY_H
#define NNC_PASSES_KERNELKEY_H

#include <string>

namespace nnc {
namespace nn {
class KernelOp;
}

/// 32 hexadecimal digits that are equal for kernels that differ only in name, locations and
/// diagnostic attributes, and different (but for collisions of 128 bits) otherwise. Types with
/// their dimensions, all attributes of the body and the order of operands and results count.
std::string kernelKey(nn::KernelOp kernel);

} // namespace nnc

#endif // NNC_PASSES_KERNELKEY_H
