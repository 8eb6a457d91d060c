// What a condition on one size says of its range.
#ifndef NNC_FRONTEND_DIMBOUNDS_H
#define NNC_FRONTEND_DIMBOUNDS_H

#include "frontend/Dim.h"

#include <optional>
#include <string>

namespace nnc::frontend {

struct DimBound {
  std::string name;
  DimInterval interval;
};

/// What `value >= 0` says of a variable that it is made of alone: `H - 4` that it is at least 4,
/// `64 - H` that it is at most 64. Nothing of all else.
std::optional<DimBound> boundOf(const Dim &value);

/// `range` narrowed to `by`; it may be empty then.
DimInterval intersect(DimInterval range, DimInterval by);

} // namespace nnc::frontend

#endif // NNC_FRONTEND_DIMBOUNDS_H
