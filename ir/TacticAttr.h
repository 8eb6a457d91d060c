//===- TacticAttr.h - A tactic that is given --------------------------------------*- C++ -*-===//
//
// Which of several ways to compute the same an operation takes is the cost model's choice, unless
// this attribute names one that it has.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_IR_TACTICATTR_H
#define NNC_IR_TACTICATTR_H

namespace nnc::nn {

/// A string on `nn.matmul` ("library" or "kernel"), or on `nn.kernel` (a tile as its template is
/// written).
inline constexpr const char *kTacticAttr = "nn.tactic";

} // namespace nnc::nn

#endif // NNC_IR_TACTICATTR_H
