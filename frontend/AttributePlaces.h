// Which attributes there are and where each may stand.
#pragma once

#include "frontend/syntax/AST.h"
#include "frontend/syntax/Diagnostics.h"

namespace nnc::frontend {

/// Reports attributes of a file that nobody knows (E0211) or that stand at a declaration for which
/// they say nothing (E0213). Their arguments are checked where they are read.
void checkAttributePlaces(const syntax::File &file, syntax::Diagnostics &diags);

} // namespace nnc::frontend
