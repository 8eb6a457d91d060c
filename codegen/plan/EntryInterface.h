// What callers of an entry point see: its dimensions, what must hold of them, and its ports.
#pragma once

#include "codegen/plan/EntryDraft.h"

namespace nnc::codegen {

/// Fills the entry's name, dims, guards, inputs and outputs, and the draft's ranges.
void describeInterface(EntryDraft &draft);

} // namespace nnc::codegen
