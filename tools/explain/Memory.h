// What a training step keeps in memory, and why.
#pragma once

#include "tools/explain/Explanation.h"

namespace nnc::explain {

/// Fills `kept`, `recomputed` and what is said of the peak of an entry point whose steps are known;
/// leaves them empty where there is no backward pass.
void describeMemory(Entry &entry);

} // namespace nnc::explain
