/* The C interface of the runtime: load a model.bin, open a session, run entry points by name.
 *
 * Every function that can fail returns NULL or a non-zero value then, and nnc_last_error() of the
 * same thread says why in one sentence. Nothing throws or exits. Pointers passed in are only read
 * during the call, except the memory of a session's tensors, which is read and written by
 * nnc_run_into and, until its stream is past the call, nnc_enqueue.
 */
#ifndef NNC_H
#define NNC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define NNC_API __attribute__((visibility("default")))
#else
#define NNC_API
#endif

/* Element types; the numbers never change. A bool is one byte, 0 or 1. */
typedef enum nnc_dtype {
  NNC_F32 = 0,
  NNC_F16 = 1,
  NNC_BF16 = 2,
  NNC_F64 = 3,
  NNC_I8 = 4,
  NNC_I16 = 5,
  NNC_I32 = 6,
  NNC_I64 = 7,
  NNC_U8 = 8,
  NNC_BOOL = 9,
  NNC_F8E4M3 = 10,
  NNC_F8E5M2 = 11
} nnc_dtype;

typedef enum nnc_device_kind { NNC_CPU = 0, NNC_CUDA = 1 } nnc_device_kind;

typedef struct nnc_device {
  nnc_device_kind kind;
  int index; /* of the GPU */
} nnc_device;

/* Dense row-major memory that belongs to someone else. */
typedef struct nnc_tensor {
  const char *name; /* of an input or output of the entry point */
  nnc_dtype dtype;
  size_t rank; /* at most 16 */
  const int64_t *shape;
  void *data;
  nnc_device device;
} nnc_tensor;

typedef struct nnc_engine nnc_engine;   /* a loaded model; threads may share it */
typedef struct nnc_session nnc_session; /* one caller's use of it; one thread at a time */
typedef struct nnc_outputs nnc_outputs; /* the results of one call, on the host */

/* Why the last failed call of this thread failed; "" if none did. Valid until the next one does. */
NNC_API const char *nnc_last_error(void);

/* Maps and verifies a model.bin. NULL on failure. */
NNC_API nnc_engine *nnc_engine_load(const char *path);
/* The same from memory, which is copied. NULL on failure. */
NNC_API nnc_engine *nnc_engine_from_memory(const void *bytes, size_t size);
/* Sessions may outlive their engine. NULL is allowed. */
NNC_API void nnc_engine_free(nnc_engine *engine);

/* Opens a session where the model's target is (the first GPU for cuda). NULL on failure. */
NNC_API nnc_session *nnc_session_open(const nnc_engine *engine);
/* Opens a session on a device. NULL on failure. */
NNC_API nnc_session *nnc_session_open_on(const nnc_engine *engine, nnc_device device);
/* A dimension of the model's states, for nnc_session_open_with. */
typedef struct nnc_dim {
  const char *name;
  int64_t size;
} nnc_dim;
/* Opens a session where the model's target is, with fixed sizes of its states. NULL on failure. */
NNC_API nnc_session *nnc_session_open_with(const nnc_engine *engine, const nnc_dim *dims,
                                           size_t num_dims);
/* Sets all states to their initial values; the next call may fix other sizes. 0 on success. */
NNC_API int nnc_session_reset(nnc_session *session);
/* Where the session's random numbers are: what calls draw depends on nothing else. A session starts
 * with the seed 0 and no calls. */
typedef struct nnc_generator {
  uint64_t seed;
  uint64_t calls; /* how many calls of the session have drawn */
} nnc_generator;
/* What to keep to go on later. */
NNC_API nnc_generator nnc_session_generator(const nnc_session *session);
/* The next call that draws goes on from there: `{seed, 0}` starts over with a seed. */
NNC_API void nnc_session_set_generator(nnc_session *session, nnc_generator generator);
NNC_API void nnc_session_free(nnc_session *session);

/* Memory that a session keeps between calls: states, and buffers and params that an entry point
 * sets. How many there are; their names, which are their keys in checkpoints, or NULL beyond the
 * last. A name is valid as long as the session. */
NNC_API size_t nnc_session_slots(const nnc_session *session);
NNC_API const char *nnc_session_slot_name(const nnc_session *session, size_t index);
/* A copy of a slot's value on the host, as outputs with one tensor of that name. NULL on failure.
 */
NNC_API nnc_outputs *nnc_session_state(nnc_session *session, const char *name);
/* What the next call finds in the slot of the tensor's name. 0 on success. */
NNC_API int nnc_session_set_state(nnc_session *session, const nnc_tensor *value);
/* Writes all of it, the weights that no entry point sets and the generator to a .safetensors file,
 * whole or not at all. 0 on success. */
NNC_API int nnc_session_save(nnc_session *session, const char *path);
/* Goes on from such a file. 0 on success; else nothing has changed. */
NNC_API int nnc_session_load(nnc_session *session, const char *path);

/* Runs an entry point. NULL on failure. */
NNC_API nnc_outputs *nnc_run(nnc_session *session, const char *entry, const nnc_tensor *inputs,
                             size_t num_inputs);
/* The same into memory of the caller, one tensor for each output, in host memory or that of the
 * session's GPU. 0 on success. */
NNC_API int nnc_run_into(nnc_session *session, const char *entry, const nnc_tensor *inputs,
                         size_t num_inputs, const nnc_tensor *outputs, size_t num_outputs);

/* Queues a call on a stream of the session's GPU (a CUstream or cudaStream_t; NULL is the default
 * stream) and returns without waiting for it. All tensors are in memory of that GPU and stay until
 * the stream has come past the call. Two calls wait for the one queued before: one on another
 * stream, and one whose guards read states. 0 on success. */
NNC_API int nnc_enqueue(nnc_session *session, const char *entry, const nnc_tensor *inputs,
                        size_t num_inputs, const nnc_tensor *outputs, size_t num_outputs,
                        void *stream);

NNC_API size_t nnc_outputs_count(const nnc_outputs *outputs);
/* Describes an output; its pointers are valid until nnc_outputs_free. 0 on success. */
NNC_API int nnc_outputs_get(const nnc_outputs *outputs, size_t index, nnc_tensor *tensor);
NNC_API int nnc_outputs_find(const nnc_outputs *outputs, const char *name, nnc_tensor *tensor);
NNC_API void nnc_outputs_free(nnc_outputs *outputs);

#ifdef __cplusplus
}
#endif

#endif
