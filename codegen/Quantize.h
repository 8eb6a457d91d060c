// Weights in fewer bits: the data of the globals that nn-quantize-weights has declared.
#pragma once

#include "codegen/Weights.h"

namespace nnc::codegen {

/// Computes values, scales and zeros of every quantized weight of `module` from the floats in
/// `store`, and adds them there. Per cell, which is what one scale holds for:
///
///   i8, i4       scale = max |w| / qmax,             q = round(w / scale)         in -qmax..qmax
///   zero=true    scale = (max(w, 0) - min(w, 0)) / (qmax - qmin),
///                zero = round(qmin - min(w, 0) / scale), q = round(w / scale) + zero
///   f8e4m3       scale = max |w| / 448,              q = f8(w / scale)
///
/// with qmax = 127 or 7, qmin = -qmax - 1, halves rounded to even. A cell of zeros has scale 1.
Result<void> quantizeWeights(mlir::ModuleOp module, WeightStore &store);

} // namespace nnc::codegen
