// What `nnc explain model.nn` shows: for every step of the plan which operations it does, how, and
// what that takes at least on a GPU.
#pragma once

#include "runtime/format/Work.h"
#include "tools/compiler/Compilation.h"

#include <map>
#include <string>
#include <vector>

namespace nnc::explain {

/// An operation of the model as it is before fusion.
struct ModelOp {
  std::string op;                   ///< "conv2d"
  std::string name;                 ///< the module's path: "layer1.0.conv1.conv2d"
  std::string location;             ///< "resnet.nn:12:20"
  std::string type;                 ///< "bf16[32, 56, 56, 64]"
  std::string layout;               ///< "NHWC", "transposed"; empty if there is nothing to say
  std::vector<unsigned> inputs;     ///< numbers of the operations that it reads
  std::vector<std::string> sources; ///< inputs and weights that it reads
  std::string role;                 ///< in fusion: "pointwise", "view", "convolution"...
};

/// What a step reads or writes.
struct Tensor {
  std::string name, type;
  double bytes; ///< that are read or written
  bool isWritten;
  uint32_t buffer;     ///< of the plan
  double size;         ///< in bytes
  bool isIntermediate; ///< neither input, output, weight nor state
};

/// An intermediate value.
struct Kept {
  std::string name; ///< of the step that makes it
  std::string type;
  double bytes;
  unsigned step;                 ///< that makes it
  std::vector<unsigned> readers; ///< steps; of what is kept for the backward pass only its own
};

/// An operation of the forward pass that a step of the backward pass does again.
struct Recomputed {
  unsigned operation, step;
};

/// A step of the plan.
struct Step {
  std::string kind;   ///< "kernel", "product" (cuBLASLt), "copy" or "loop"
  std::string name;   ///< of the step: the module's path
  std::string symbol; ///< of its code
  std::string anchor; ///< "convolution", "pointwise"..., of kernels
  std::string tactic; ///< the template and its parameters
  std::string launch; ///< "grid 784, blocks of 256, 16384 B of shared memory"
  std::string layout; ///< of the anchor
  std::string location;
  std::vector<unsigned> operations; ///< numbers; also of those that others compute too
  std::vector<std::string> refused; ///< "conv1: a kernel has one anchor": neighbours, why not fused
  std::vector<Tensor> tensors;
  std::vector<unsigned> inputs; ///< numbers of the steps that it reads from
  unsigned depth = 0;           ///< of loops around it
  double times = 1;             ///< how often these loops run it
  format::StepWork work;        ///< of one run
  format::Floor floor;          ///< of one run
};

/// An entry point at one set of sizes.
struct Entry {
  std::string name, variant;
  std::vector<std::pair<std::string, int64_t>> sizes;
  std::vector<ModelOp> operations;
  std::vector<Step> steps; ///< in order; those of a loop behind it
  double floor() const;    ///< ms

  // Of a training step.
  std::vector<Kept> kept;             ///< for the backward pass; the largest first
  std::vector<Recomputed> recomputed; ///< instead of being kept
  unsigned peakStep = 0;              ///< when most intermediate values are in memory
  double peakBytes = 0;
  std::vector<Kept> atPeak; ///< the largest first
};

struct Explanation {
  std::string model, target;
  const format::GpuRates *rates;
  std::vector<Entry> entries;
  std::map<std::string, std::string> code; ///< CUDA C++ by symbol
};

/// Compiles a model without weights and explains its plan at the upper bounds of what dimensions
/// are left. Nothing after errors, which are in the diagnostics.
std::optional<Explanation> explainModel(syntax::SourceManager &, syntax::Diagnostics &,
                                        syntax::FileId file, const CompileOptions &,
                                        const format::GpuRates &);

/// As text, as JSON, and as a page without anything outside of it.
std::string toText(const Explanation &);
std::string toJson(const Explanation &);
std::string toHtml(const Explanation &);

} // namespace nnc::explain
