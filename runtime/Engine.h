// The C++ API of the runtime: load a model.bin, open a session, run entry points by name.
//
//   auto engine = nnc::Engine::load("lenet.bin");
//   auto session = engine->session();
//   auto out = session->run("forward", {{"image", image}});
//
// Every call returns a Result: test it before use. Nothing throws.
#ifndef NNC_RUNTIME_ENGINE_H
#define NNC_RUNTIME_ENGINE_H

#include "runtime/Tensor.h"

#include <cstddef>
#include <map>
#include <optional>
#include <string>

namespace nnc {

namespace format {
struct ModelT; // runtime/format/model.fbs
}
namespace rt {
class EngineState;
class SessionState;
} // namespace rt

/// What a step has to do at least, whatever its code does. Zeros where nothing is known.
struct StepCost {
  /// How exact the factors of products are, which decides how fast a GPU multiplies them.
  enum class Factors { F32, Tf32, Half };

  double bytesRead = 0, bytesWritten = 0; ///< each tensor once
  double products = 0;                    ///< operations of products, two a multiplication
  double operations = 0;                  ///< all other arithmetic
  Factors factors = Factors::F32;
  double launches = 0; ///< of kernels, library calls and copies
};

/// The time of one step of a plan.
struct StepTime {
  std::string name;     ///< module path, e.g. "conv1.tanh"
  std::string what;     ///< kernel symbol, "gemm" or "copy"
  std::string location; ///< "lenet.nn:12:15", or empty
  double milliseconds;  ///< mean over the iterations
  std::string tactic;   ///< of a kernel: its template and parameters, if it has one
  StepCost cost;
};

/// Where a session's random numbers are: what calls draw depends on nothing else.
struct Generator {
  uint64_t seed = 0;
  uint64_t calls = 0; ///< how many calls of the session have drawn
  bool operator==(const Generator &) const = default;
};

/// Memory that a session keeps between calls: a state, or a buffer or param that an entry point
/// sets.
struct Slot {
  std::string name; ///< its key in checkpoints
  DType dtype;
  std::vector<int64_t> shape; ///< the largest, while no call has fixed it
  bool isFixed;               ///< false: its sizes depend on a dimension that no call has fixed
};

/// Texts by name, of a checkpoint.
using Metadata = std::map<std::string, std::string>;

/// Where a call first has something that is not a number.
struct NanSource {
  enum class Kind { Input, Slot, Step };
  Kind kind;
  std::string name;     ///< of the input or slot, which the call finds so; of the step that made it
  std::string location; ///< of a step: "lenet.nn:12:15", or empty
};

/// What a session may be opened with.
struct SessionOptions {
  std::optional<Device> device = {}; ///< where the model's target is: the cpu, or the first GPU
  /// Dimensions of states, by name. Others are fixed by the first call.
  std::map<std::string, int64_t> dims = {};
  /// Of the random numbers that entry points draw: equal seeds give equal numbers.
  uint64_t seed = 0;
};

/// One caller's use of a model: its arena, its states and, on a GPU, its stream and graphs. Use it
/// from one thread at a time; open a session per thread.
class Session {
public:
  Session(Session &&) noexcept;
  Session &operator=(Session &&) noexcept;
  ~Session();

  /// Runs an entry point and returns fresh host tensors by name. Inputs are host tensors, or
  /// tensors of the session's GPU, used in place. f32 is converted for ports of f16 or bf16; no
  /// other type is. Errors: unknown, missing or doubled names, wrong types, ranks or sizes, sizes
  /// outside the declared ranges, failed guards, CUDA's errors.
  Result<TensorMap> run(std::string_view entry, const TensorMap &inputs);

  /// The same into the caller's tensors, one for each output, on the host or on the session's GPU.
  /// After the first call with given sizes this allocates nothing.
  Result<void> runInto(std::string_view entry, const TensorMap &inputs, const TensorMap &outputs);

  /// Queues a call on a stream of the session's GPU (a CUstream or cudaStream_t; null is the
  /// default stream) and returns without waiting for it. All tensors are of that GPU and of exactly
  /// the ports' types, and stay until the stream has come past the call. Two calls wait, on the
  /// host, for the one queued before: one on another stream, and one whose guards read states.
  /// Run-time scalars among the inputs are read at once, so what writes them must be done. Errors:
  /// those of runInto, tensors elsewhere, a session that is not on a GPU; what goes wrong on the
  /// GPU is told by whoever waits for the stream.
  Result<void> enqueue(std::string_view entry, const TensorMap &inputs, const TensorMap &outputs,
                       void *stream);

  /// Uninitialized tensors for runInto: of the sizes that these inputs give, on `where`.
  Result<TensorMap> makeOutputs(std::string_view entry, const TensorMap &inputs, Device where);

  /// Runs `iterations` times, each step timed by itself (so without a CUDA graph). States change as
  /// in any call; where a guard on them fails, they start over.
  Result<std::vector<StepTime>> profile(std::string_view entry, const TensorMap &inputs,
                                        unsigned iterations);

  /// Makes a call step by step and finds what is first not a number: an input, a slot as the call
  /// finds it, or what a step of the plan makes (then the call ends there). Nothing if all is well.
  Result<std::optional<NanSource>> findNan(std::string_view entry, const TensorMap &inputs);

  /// Sets all states to their initial values, frees the dimensions that the first call fixed, and
  /// starts random numbers over.
  Result<void> reset();

  /// Where random numbers are now: what to keep with the values of states to go on later.
  Generator generator() const;
  /// The next call that draws goes on from there.
  void setGenerator(const Generator &generator);

  /// All memory that calls change, in the model's order.
  std::vector<Slot> slots() const;
  /// A copy of a slot's value, on the host. Errors: no such slot; no call has fixed its sizes.
  Result<Tensor> state(std::string_view name);
  /// What the next call finds in a slot; from the host or the session's device. Sizes that no call
  /// has fixed are fixed by it. Errors: no such slot, another type, other sizes.
  Result<void> setState(std::string_view name, const Tensor &value);

  /// Writes one .safetensors file, whole or not at all, with every param and buffer of the model,
  /// every state whose sizes are fixed, the generator and `metadata`. What `load` and `nnc
  /// --weights` read. Errors: not writable, disk full, the device's.
  Result<void> save(const std::string &path, const Metadata &metadata = {});
  /// Continues where `save` was called: resets the session, then sets all slots and the generator.
  /// Returns the metadata. Errors, before anything has changed: unreadable, slots that are missing,
  /// unknown, or of another type or size, weights that calls cannot change and that differ.
  Result<Metadata> load(const std::string &path);

  /// A copy of a host tensor on the session's device (on the cpu: the tensor itself).
  Result<Tensor> toDevice(const Tensor &host);
  /// The other way.
  Result<Tensor> toHost(const Tensor &onDevice);

  Device device() const;
  /// "NVIDIA H200"; "cpu".
  std::string deviceName() const;

private:
  friend class Engine;
  explicit Session(std::unique_ptr<rt::SessionState> state);
  std::unique_ptr<rt::SessionState> self;
};

/// A loaded model. Copies share it, and threads may. Weights are mapped from the file; on a GPU
/// they are copied to it once, by the first session.
class Engine {
public:
  /// Maps and verifies a model.bin. Errors say what is wrong with the file, or that it was compiled
  /// for another machine.
  static Result<Engine> load(const std::string &path);
  /// The same from memory (copied); `name` stands for the file in messages.
  static Result<Engine> fromMemory(std::span<const std::byte> bytes,
                                   const std::string &name = "the model");

  /// Opens a session. Errors: the model is compiled for the other kind of device, no such GPU, too
  /// little memory, no code for this GPU and no NVRTC to compile it, no state with such a
  /// dimension.
  Result<Session> session(const SessionOptions &options = {}) const;
  Result<Session> session(Device device) const { return session(SessionOptions{device}); }

  /// What `nnc-run --info` prints: entry points with their ranges, memory, kernels, steps.
  std::string info() const;
  /// The plan; it lives as long as the engine.
  const format::ModelT &plan() const;

private:
  explicit Engine(std::shared_ptr<rt::EngineState> state) : state(std::move(state)) {}
  std::shared_ptr<rt::EngineState> state;
};

} // namespace nnc

#endif
