// The C interface, on top of the C++ one. No exception and no C++ type crosses it.
#include "runtime/Engine.h"
#include "runtime/nnc.h"

#include <fmt/format.h>
#include <new>

using namespace nnc;

struct nnc_engine {
  Engine engine;
};

struct nnc_session {
  explicit nnc_session(Session opened) : session(std::move(opened)), slots(session.slots()) {}

  Session session;
  std::vector<Slot> slots; // for their names
};

struct nnc_outputs {
  TensorMap tensors;
};

static_assert(static_cast<int>(DType::F8E5M2) == NNC_F8E5M2 && NumDTypes == NNC_F8E5M2 + 1);

namespace {

thread_local std::string lastError;

void fail(const Error &error) { lastError = error.message; }

/// 0 on success, else 1 after noting the error.
int done(const Result<void> &result) {
  if (!result)
    fail(result.error());
  return result ? 0 : 1;
}

/// The C++ object behind a handle, or null after noting the error.
template <typename Handle, typename Value> Handle *makeHandle(Result<Value> value) {
  if (!value) {
    fail(value.error());
    return nullptr;
  }
  return new Handle{std::move(*value)};
}

Result<Tensor> toTensor(const nnc_tensor &tensor) {
  std::optional<DType> type = dtypeFromNumber(static_cast<unsigned>(tensor.dtype));
  if (!tensor.name || !type || (tensor.rank > 0 && !tensor.shape))
    return Error{"an nnc_tensor lacks its name, type or shape"};
  Device device =
      tensor.device.kind == NNC_CUDA ? Device::cuda(tensor.device.index) : Device::cpu();
  return Tensor::view(*type, {tensor.shape, tensor.rank}, tensor.data, device);
}

Result<TensorMap> toMap(const nnc_tensor *tensors, size_t count) {
  TensorMap map;
  for (size_t i = 0; i < count; ++i) {
    Result<Tensor> tensor = toTensor(tensors[i]);
    if (!tensor)
      return tensor.error();
    map.add(tensors[i].name, std::move(*tensor));
  }
  return map;
}

/// Calls `run` with the tensors of both lists; 0 if all goes well.
template <typename Run>
int withTensors(const nnc_tensor *inputs, size_t numInputs, const nnc_tensor *outputs,
                size_t numOutputs, Run run) {
  Result<TensorMap> in = toMap(inputs, numInputs);
  Result<TensorMap> out = toMap(outputs, numOutputs);
  return done(!in ? Result<void>(in.error()) : !out ? Result<void>(out.error()) : run(*in, *out));
}

void describe(const NamedTensor &item, nnc_tensor &out) {
  const Tensor &tensor = item.tensor;
  out = {item.name.c_str(), static_cast<nnc_dtype>(tensor.dtype()),
         tensor.rank(),     tensor.shape().data(),
         tensor.data(),     {NNC_CPU, 0}};
}

} // namespace

const char *nnc_last_error(void) { return lastError.c_str(); }

nnc_engine *nnc_engine_load(const char *path) { return makeHandle<nnc_engine>(Engine::load(path)); }

nnc_engine *nnc_engine_from_memory(const void *bytes, size_t size) {
  return makeHandle<nnc_engine>(Engine::fromMemory({static_cast<const std::byte *>(bytes), size}));
}

void nnc_engine_free(nnc_engine *engine) { delete engine; }

nnc_session *nnc_session_open(const nnc_engine *engine) {
  return makeHandle<nnc_session>(engine->engine.session());
}

nnc_session *nnc_session_open_on(const nnc_engine *engine, nnc_device device) {
  return makeHandle<nnc_session>(
      engine->engine.session(device.kind == NNC_CUDA ? Device::cuda(device.index) : Device::cpu()));
}

nnc_session *nnc_session_open_with(const nnc_engine *engine, const nnc_dim *dims, size_t num_dims) {
  SessionOptions options;
  for (size_t i = 0; i < num_dims; ++i) {
    if (!dims[i].name) {
      fail({"an nnc_dim lacks its name"});
      return nullptr;
    }
    options.dims[dims[i].name] = dims[i].size;
  }
  return makeHandle<nnc_session>(engine->engine.session(options));
}

int nnc_session_reset(nnc_session *session) { return done(session->session.reset()); }

nnc_generator nnc_session_generator(const nnc_session *session) {
  Generator generator = session->session.generator();
  return {generator.seed, generator.calls};
}

void nnc_session_set_generator(nnc_session *session, nnc_generator generator) {
  session->session.setGenerator({generator.seed, generator.calls});
}

size_t nnc_session_slots(const nnc_session *session) { return session->slots.size(); }

const char *nnc_session_slot_name(const nnc_session *session, size_t index) {
  return index < session->slots.size() ? session->slots[index].name.c_str() : nullptr;
}

nnc_outputs *nnc_session_state(nnc_session *session, const char *name) {
  Result<Tensor> value = session->session.state(name);
  if (!value) {
    fail(value.error());
    return nullptr;
  }
  return new nnc_outputs{TensorMap{{name, std::move(*value)}}};
}

int nnc_session_set_state(nnc_session *session, const nnc_tensor *value) {
  Result<Tensor> tensor = toTensor(*value);
  return done(tensor ? session->session.setState(value->name, *tensor)
                     : Result<void>(tensor.error()));
}

int nnc_session_save(nnc_session *session, const char *path) {
  return done(session->session.save(path));
}

int nnc_session_load(nnc_session *session, const char *path) {
  Result<Metadata> loaded = session->session.load(path);
  return done(loaded ? Result<void>() : Result<void>(loaded.error()));
}

void nnc_session_free(nnc_session *session) { delete session; }

nnc_outputs *nnc_run(nnc_session *session, const char *entry, const nnc_tensor *inputs,
                     size_t num_inputs) {
  Result<TensorMap> map = toMap(inputs, num_inputs);
  if (!map) {
    fail(map.error());
    return nullptr;
  }
  return makeHandle<nnc_outputs>(session->session.run(entry, *map));
}

int nnc_run_into(nnc_session *session, const char *entry, const nnc_tensor *inputs,
                 size_t num_inputs, const nnc_tensor *outputs, size_t num_outputs) {
  return withTensors(inputs, num_inputs, outputs, num_outputs,
                     [&](const TensorMap &in, const TensorMap &out) {
                       return session->session.runInto(entry, in, out);
                     });
}

int nnc_enqueue(nnc_session *session, const char *entry, const nnc_tensor *inputs,
                size_t num_inputs, const nnc_tensor *outputs, size_t num_outputs, void *stream) {
  return withTensors(inputs, num_inputs, outputs, num_outputs,
                     [&](const TensorMap &in, const TensorMap &out) {
                       return session->session.enqueue(entry, in, out, stream);
                     });
}

size_t nnc_outputs_count(const nnc_outputs *outputs) { return outputs->tensors.size(); }

int nnc_outputs_get(const nnc_outputs *outputs, size_t index, nnc_tensor *tensor) {
  if (index >= outputs->tensors.size()) {
    fail({fmt::format("there is no output {}; there are {}", index, outputs->tensors.size())});
    return 1;
  }
  describe(outputs->tensors.begin()[static_cast<ptrdiff_t>(index)], *tensor);
  return 0;
}

int nnc_outputs_find(const nnc_outputs *outputs, const char *name, nnc_tensor *tensor) {
  for (const NamedTensor &item : outputs->tensors)
    if (item.name == name) {
      describe(item, *tensor);
      return 0;
    }
  fail({fmt::format("there is no output `{}`", name)});
  return 1;
}

void nnc_outputs_free(nnc_outputs *outputs) { delete outputs; }
