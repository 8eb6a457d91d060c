// The checkpoint side of a model: one `nn.global` per slot, and the list of keys.
#pragma once

#include "frontend/Context.h"
#include "frontend/Frontend.h"
#include "frontend/Module.h"

namespace nnc::frontend {

/// Emits the globals of all slots below `root` at the builder's place and lists them. False after
/// an error: two slots with one key.
bool emitGlobals(Context &context, const Instance &root, std::vector<SlotInfo> &slots);

} // namespace nnc::frontend
