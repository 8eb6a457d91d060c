/* The C interface from C. CapiTest.cpp runs this; the result is the number of failed parts. */
#include "runtime/nnc.h"

#include <stdio.h>
#include <string.h>

int runFromC(const char *path, const char *checkpoint);

#define CHECK(CONDITION)                                                                           \
  if (!(CONDITION)) {                                                                              \
    printf("%s:%d: %s; last error: %s\n", __FILE__, __LINE__, #CONDITION, nnc_last_error());       \
    return 1;                                                                                      \
  }

static int testErrors(nnc_session *session) {
  int64_t shape[] = {2, 5};
  float data[10] = {0};
  nnc_tensor input = {"x", NNC_F32, 2, shape, data, {NNC_CPU, 0}};
  nnc_tensor nameless = input;
  nameless.name = NULL;
  CHECK(nnc_engine_load("/nowhere") == NULL);
  CHECK(strcmp(nnc_last_error(), "cannot open /nowhere: No such file or directory") == 0);
  CHECK(nnc_engine_from_memory("hello", 5) == NULL);
  CHECK(strcmp(nnc_last_error(), "the model is not a model.bin") == 0);
  CHECK(nnc_run(session, "forward", &input, 1) == NULL);
  CHECK(strcmp(nnc_last_error(),
               "input `x`: axis 1 must be 4; expected f32[B, 4], found f32[2, 5]") == 0);
  CHECK(nnc_run(session, "forward", &nameless, 1) == NULL);
  CHECK(strcmp(nnc_last_error(), "an nnc_tensor lacks its name, type or shape") == 0);
  return 0;
}

static int testRun(nnc_session *session) {
  int64_t shape[] = {1, 4}, narrow[] = {1};
  float data[4] = {1, 1, 1, 1}, scaled[4], sums[1];
  nnc_tensor input = {"x", NNC_F32, 2, shape, data, {NNC_CPU, 0}};
  nnc_outputs *outputs = nnc_run(session, "forward", &input, 1);
  nnc_tensor found;
  CHECK(outputs && nnc_outputs_count(outputs) == 2);
  CHECK(nnc_outputs_find(outputs, "sums", &found) == 0);
  CHECK(found.rank == 1 && found.shape[0] == 1 && found.dtype == NNC_F32);
  CHECK(((float *)found.data)[0] == 10);
  CHECK(nnc_outputs_get(outputs, 0, &found) == 0 && strcmp(found.name, "scaled") == 0);
  CHECK(nnc_outputs_get(outputs, 2, &found) != 0 && nnc_outputs_find(outputs, "x", &found) != 0);
  nnc_outputs_free(outputs);

  nnc_tensor places[] = {{"scaled", NNC_F32, 2, shape, scaled, {NNC_CPU, 0}},
                         {"sums", NNC_F32, 1, narrow, sums, {NNC_CPU, 0}}};
  CHECK(nnc_run_into(session, "forward", &input, 1, places, 2) == 0);
  CHECK(scaled[3] == 4 && sums[0] == 10);
  CHECK(nnc_enqueue(session, "forward", &input, 1, places, 2, NULL) != 0);
  CHECK(strcmp(nnc_last_error(), "only a session on a GPU can queue calls, this one runs on cpu") ==
        0);
  return 0;
}

/* How often the session has called `tick`, this call included; -1 on failure. */
static int64_t count(nnc_session *session) {
  nnc_outputs *outputs = nnc_run(session, "tick", NULL, 0);
  nnc_tensor found;
  if (!outputs || nnc_outputs_get(outputs, 0, &found) != 0)
    return -1;
  int64_t value = *(int64_t *)found.data;
  nnc_outputs_free(outputs);
  return value;
}

static int testStates(const nnc_engine *engine) {
  nnc_session *session = nnc_session_open_with(engine, NULL, 0);
  CHECK(session && count(session) == 1 && count(session) == 2);
  nnc_generator start = nnc_session_generator(session), put = {7, 3};
  CHECK(start.seed == 0 && start.calls == 0);
  nnc_session_set_generator(session, put);
  CHECK(nnc_session_generator(session).seed == 7 && nnc_session_generator(session).calls == 3);
  CHECK(nnc_session_reset(session) == 0 && count(session) == 1);
  CHECK(nnc_session_generator(session).seed == 7 && nnc_session_generator(session).calls == 0);
  nnc_session_free(session);
  nnc_dim wrong = {"B", 2}, nameless = {NULL, 2};
  CHECK(nnc_session_open_with(engine, &wrong, 1) == NULL);
  CHECK(strcmp(nnc_last_error(), "no state has a dimension `B`") == 0);
  CHECK(nnc_session_open_with(engine, &nameless, 1) == NULL);
  CHECK(strcmp(nnc_last_error(), "an nnc_dim lacks its name") == 0);
  return 0;
}

static int testSlots(const nnc_engine *engine, const char *checkpoint) {
  nnc_session *session = nnc_session_open(engine);
  CHECK(session && nnc_session_slots(session) == 1);
  CHECK(strcmp(nnc_session_slot_name(session, 0), "calls") == 0);
  CHECK(nnc_session_slot_name(session, 1) == NULL);
  int64_t value = 41;
  nnc_tensor calls = {"calls", NNC_I64, 0, NULL, &value, {NNC_CPU, 0}};
  CHECK(nnc_session_set_state(session, &calls) == 0 && count(session) == 42);
  CHECK(nnc_session_save(session, checkpoint) == 0 && count(session) == 43);
  CHECK(nnc_session_load(session, checkpoint) == 0 && count(session) == 43);
  nnc_outputs *state = nnc_session_state(session, "calls");
  CHECK(state && nnc_outputs_get(state, 0, &calls) == 0 && *(int64_t *)calls.data == 43);
  nnc_outputs_free(state);
  CHECK(nnc_session_state(session, "step") == NULL);
  CHECK(strcmp(nnc_last_error(), "no call changes `step`; there is `calls`") == 0);
  CHECK(nnc_session_load(session, "/nowhere") != 0);
  CHECK(strcmp(nnc_last_error(), "cannot open /nowhere: No such file or directory") == 0);
  nnc_session_free(session);
  return 0;
}

int runFromC(const char *path, const char *checkpoint) {
  nnc_engine *engine = nnc_engine_load(path);
  CHECK(engine);
  nnc_session *session = nnc_session_open(engine);
  CHECK(session);
  nnc_device cuda = {NNC_CUDA, 0};
  CHECK(nnc_session_open_on(engine, cuda) == NULL);
  if (testStates(engine) != 0 || testSlots(engine, checkpoint) != 0)
    return 1;
  nnc_engine_free(engine); /* the session keeps what it needs */
  int failed = testErrors(session) + testRun(session);
  nnc_session_free(session);
  return failed;
}
