//===- ModulePath.cpp - Module paths in locations ---------------------------------------------===//
//
// Inlining nests locations as deep as calls nest, so they are walked with a list, not by recursion.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/ModulePath.h"

#include "mlir/IR/Builders.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace nnc {
namespace {

struct FlatLocation {
  std::string path;
  Location source;
  std::string remat = {}; ///< what names the call that is marked so
};

bool isRematMark(FusedLoc loc) {
  auto metadata = dyn_cast_or_null<StringAttr>(loc.getMetadata());
  return metadata && metadata.getValue() == kRematMark;
}

void appendStep(std::string &path, StringRef step) {
  if (step.empty())
    return;
  if (!path.empty())
    path += '.';
  path += step;
}

/// A call by its path and its place.
std::string nameCall(std::string path, Location call) {
  if (auto named = dyn_cast<NameLoc>(call)) {
    appendStep(path, named.getName());
    call = named.getChildLoc();
  }
  if (auto position = dyn_cast<FileLineColLoc>(call))
    llvm::raw_string_ostream(path) << ':' << position.getLine() << ':' << position.getColumn();
  return path;
}

/// Visits callers before callees, so that names are met outermost first. Of the positions the last
/// one in the file of the outermost is kept: what the user wrote closest to the op, rather than a
/// line of the library.
FlatLocation flatten(Location loc) {
  FlatLocation flat{"", UnknownLoc::get(loc.getContext())};
  llvm::SmallVector<Location> pending{loc};
  while (!pending.empty()) {
    Location next = pending.pop_back_val();
    if (auto call = dyn_cast<CallSiteLoc>(next)) {
      pending.push_back(call.getCallee());
      pending.push_back(call.getCaller());
    } else if (auto name = dyn_cast<NameLoc>(next)) {
      appendStep(flat.path, name.getName());
      pending.push_back(name.getChildLoc());
    } else if (auto fused = dyn_cast<FusedLoc>(next)) {
      if (isRematMark(fused) && flat.remat.empty())
        flat.remat = nameCall(flat.path, fused.getLocations().front());
      if (!fused.getLocations().empty())
        pending.push_back(fused.getLocations().front());
    } else if (auto position = dyn_cast<FileLineColLoc>(next)) {
      auto outer = dyn_cast<FileLineColLoc>(flat.source);
      if (!outer || outer.getFilename() == position.getFilename())
        flat.source = position;
    }
  }
  return flat;
}

} // namespace

std::string getModulePath(Location loc) { return flatten(loc).path; }

std::string getRematCall(Location loc) { return flatten(loc).remat; }

Location getFlatLocation(Location loc) {
  FlatLocation flat = flatten(loc);
  if (flat.path.empty())
    return flat.source;
  return NameLoc::get(StringAttr::get(loc.getContext(), flat.path), flat.source);
}

} // namespace nnc
