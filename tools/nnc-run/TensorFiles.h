// Tensors from and to files, and random ones.
#ifndef NNC_TOOLS_NNCRUN_TENSORFILES_H
#define NNC_TOOLS_NNCRUN_TENSORFILES_H

#include "runtime/format/Plan.h"
#include "tools/nnc-run/Options.h"

namespace nnc::run {

/// The tensors of a .npy (one, without a name) or .safetensors file, copied to host memory.
Result<TensorMap> readTensors(const std::string &path);

/// The inputs of a call: from files, and random where allowed.
Result<TensorMap> readInputs(const Options &options, const format::EntryT &entry);

/// The tensors of files, named as the ports: "name=file", a .npy for an only port, or a
/// .safetensors with tensors of their names. `what` is "input" or "output", for errors.
Result<TensorMap> readPorts(const char *what, const std::vector<Place> &places,
                            const std::vector<std::unique_ptr<format::PortT>> &ports);

/// The tensor with other floats in it; both types must be floats (format::isConvertibleFloat).
Result<Tensor> convertTo(DType type, const Tensor &tensor);

/// Writes outputs to where they are asked for: floats that numpy has no type for as f32 into .npy.
Result<void> writeOutputs(const std::vector<Place> &places, const TensorMap &outputs);

} // namespace nnc::run

#endif
