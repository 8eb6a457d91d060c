//===- NameLocations.cpp - Call sites become module paths -------------------------------------===//
//
// Runs right after inlining; afterwards no location of the module is a call site.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/ModulePath.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

#include "llvm/ADT/DenseMap.h"

using namespace mlir;

namespace nnc {
#define GEN_PASS_DEF_NAMELOCATIONS
#include "passes/Passes.h.inc"

namespace {

struct NameLocations : impl::NameLocationsBase<NameLocations> {
  void getDependentDialects(DialectRegistry &registry) const override {
    NameLocationsBase::getDependentDialects(registry);
    addInlining(registry);
  }

  void runOnOperation() override {
    llvm::DenseMap<Location, Location> flat;
    llvm::DenseMap<Location, StringAttr> remat; ///< null: none
    auto rematOf = [&](Location loc) {
      auto [it, isNew] = remat.try_emplace(loc);
      if (std::string call = isNew ? getRematCall(loc) : ""; !call.empty())
        it->second = StringAttr::get(&getContext(), call);
      return it->second;
    };
    auto flatten = [&](Location loc) {
      auto it = flat.find(loc);
      if (it == flat.end())
        it = flat.insert({loc, getFlatLocation(loc)}).first;
      return it->second;
    };
    getOperation().walk([&](Operation *op) {
      if (StringAttr call = rematOf(op->getLoc()); call && !isa<func::CallOp>(op))
        op->setAttr(kRematAttr, call);
      op->setLoc(flatten(op->getLoc()));
      for (Region &region : op->getRegions())
        for (BlockArgument argument : region.getArguments())
          argument.setLoc(flatten(argument.getLoc()));
    });
  }
};

} // namespace
} // namespace nnc
