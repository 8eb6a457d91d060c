#include "codegen/plan/EntryDraft.h"

#include "codegen/ElementType.h"

using namespace mlir;

namespace nnc::codegen {

void EntryDraft::fail(std::string message) {
  if (failure.empty())
    failure = std::move(message);
}

DType EntryDraft::elementOf(RankedTensorType type) {
  std::optional<DType> dtype = dtypeOf(type.getElementType());
  if (!dtype)
    fail("a tensor has an element type that models cannot store");
  return dtype.value_or(DType::F32);
}

std::unique_ptr<format::LocationT> locationOf(Location loc) {
  auto result = std::make_unique<format::LocationT>();
  loc->walk([&](Location inner) {
    auto file = dyn_cast<FileLineColLoc>(inner);
    if (!file)
      return WalkResult::advance();
    result->file = file.getFilename().str();
    result->line = file.getLine();
    result->column = file.getColumn();
    return WalkResult::interrupt();
  });
  return result;
}

} // namespace nnc::codegen
