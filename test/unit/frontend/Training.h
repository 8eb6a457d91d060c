// A network and its loss, for tests of `train` blocks.
#pragma once

#include "test/unit/frontend/Compiling.h"

namespace nnc::frontend::testing {

inline constexpr const char *kNet = R"(model Net {
  fc1 = Linear(4, 8)
  fc2 = Linear(8, 3)
  fn forward(x: float[B, 4]) -> float[B, 3] requires B in 1..=64 = x |> fc1 |> relu |> fc2
}
)";
inline constexpr const char *kLoss =
    "  fn loss(x: float[B, 4], label: i32[B]) -> (loss: f32[]) = cross_entropy(net(x), label)\n";

/// A block that trains `Net`, with these members.
std::string block(const std::string &members);
/// The same with these members and the loss.
std::string withLoss(const std::string &members);

/// What is said of a text, without the lines of the library, which move with it.
std::string messages(const std::string &text);

} // namespace nnc::frontend::testing
