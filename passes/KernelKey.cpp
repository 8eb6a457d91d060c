//===- KernelKey.cpp - Which kernels are the same code ----------------------------------------===//
//
// The kernel is written out with values numbered in order and hashed. Only attributes that cannot
// change the code are left out.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/KernelKey.h"

#include "ir/KernelAttrs.h"
#include "ir/NNOps.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#define XXH_INLINE_ALL // no library to link
#include <xxhash.h>

using namespace mlir;

namespace nnc {
namespace {

class KeyWriter {
public:
  std::string write(nn::KernelOp kernel) {
    os << kernel.getAnchor();
    writeTypes(kernel->getOperandTypes());
    writeTypes(kernel->getResultTypes());
    if (kernel.isUpdate()) {
      os << *kernel.getStart();
      llvm::interleaveComma(*kernel.getStep(), os);
    }
    for (NamedAttribute attribute : kernel->getDiscardableAttrs())
      if (attribute.getName() != "nn.refused" && attribute.getName() != nn::kLaunchAttr)
        writeAttribute(attribute);
    writeRegion(kernel.getBodyRegion());
    return std::move(text);
  }

private:
  void writeRegion(Region &region) {
    os << '{';
    for (Block &block : region) {
      os << '^';
      for (BlockArgument argument : block.getArguments())
        define(argument);
      for (Operation &op : block)
        writeOp(op);
    }
    os << '}';
  }

  void writeOp(Operation &op) {
    os << ';' << op.getName().getStringRef() << '(';
    for (Value operand : op.getOperands())
      os << numbers.lookup(operand) << ',';
    os << ')';
    for (Value result : op.getResults())
      define(result);
    for (NamedAttribute attribute : op.getAttrDictionary())
      writeAttribute(attribute);
    for (Region &region : op.getRegions())
      writeRegion(region);
  }

  void define(Value value) {
    numbers[value] = numbers.size() + 1;
    os << ' ' << value.getType();
  }

  void writeTypes(TypeRange types) {
    os << '(';
    for (Type type : types)
      os << type << ',';
    os << ')';
  }

  void writeAttribute(NamedAttribute attribute) {
    os << '[' << attribute.getName().getValue() << '=' << attribute.getValue() << ']';
  }

  std::string text;
  llvm::raw_string_ostream os{text};
  DenseMap<Value, size_t> numbers;
};

} // namespace

std::string kernelKey(nn::KernelOp kernel) {
  std::string text = KeyWriter().write(kernel);
  XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  std::string key;
  llvm::raw_string_ostream os(key);
  os << llvm::format_hex_no_prefix(hash.high64, 16) << llvm::format_hex_no_prefix(hash.low64, 16);
  return key;
}

} // namespace nnc
