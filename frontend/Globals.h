// The checkpoint side of a model: one `nn.global` per slot, and the list of keys.
#pragma once

#include "frontend/Attributes.h"
#include "frontend/Context.h"
#include "frontend/Frontend.h"
#include "frontend/Module.h"

namespace nnc::frontend {

/// Emits the globals of all slots below `root` at the builder's place and lists them; params that a
/// rule of `quants` matches (the first that does) say so. False after an error: two slots with one
/// key, a rule that matches nothing.
bool emitGlobals(Context &context, const Instance &root, const std::vector<QuantRule> &quants,
                 std::vector<SlotInfo> &slots);

} // namespace nnc::frontend
