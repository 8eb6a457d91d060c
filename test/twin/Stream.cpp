// What is given to a stream runs at once, in the calling thread; a stream that is being captured
// collects it instead. Errors of what ran stay until the stream is synchronized, as on a GPU.
#include "test/twin/Device.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

using namespace nnc;

struct CUgraph_st {
  std::vector<std::function<CUresult()>> nodes;
};

struct CUgraphExec_st {
  std::vector<std::function<CUresult()>> nodes;
};

struct CUstream_st {
  std::mutex mutex;
  std::unique_ptr<CUgraph_st> capture; ///< while the stream is being captured
  CUresult failure = CUDA_SUCCESS;     ///< of work that has run
};

struct CUevent_st {
  std::chrono::steady_clock::time_point time;
  bool isRecorded = false;
};

namespace {

CUstream_st defaultStream;

CUstream_st &resolve(CUstream stream) { return stream ? *stream : defaultStream; }

} // namespace

CUresult twin::enqueue(CUstream handle, std::function<CUresult()> work) {
  if (!twin::hasContext())
    return CUDA_ERROR_INVALID_CONTEXT;
  CUstream_st &stream = resolve(handle);
  std::lock_guard lock(stream.mutex);
  if (stream.capture) {
    stream.capture->nodes.push_back(std::move(work));
    return CUDA_SUCCESS;
  }
  if (stream.failure == CUDA_SUCCESS)
    stream.failure = work();
  return CUDA_SUCCESS;
}

NNC_TWIN_API CUresult cuStreamCreate(CUstream *stream, unsigned) {
  if (!twin::hasContext())
    return CUDA_ERROR_INVALID_CONTEXT;
  *stream = new CUstream_st;
  return CUDA_SUCCESS;
}

NNC_TWIN_API CUresult cuStreamDestroy(CUstream stream) {
  delete stream;
  return CUDA_SUCCESS;
}

NNC_TWIN_API CUresult cuStreamSynchronize(CUstream handle) {
  if (!twin::hasContext())
    return CUDA_ERROR_INVALID_CONTEXT;
  CUstream_st &stream = resolve(handle);
  std::lock_guard lock(stream.mutex);
  if (stream.capture)
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  if (stream.failure == CUDA_SUCCESS && !twin::guardsAreIntact())
    stream.failure = CUDA_ERROR_ILLEGAL_ADDRESS;
  return std::exchange(stream.failure, CUDA_SUCCESS);
}

NNC_TWIN_API CUresult cuStreamBeginCapture(CUstream stream, CUstreamCaptureMode) {
  if (!stream)
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  std::lock_guard lock(stream->mutex);
  if (stream->capture)
    return CUDA_ERROR_ILLEGAL_STATE;
  stream->capture = std::make_unique<CUgraph_st>();
  return CUDA_SUCCESS;
}

NNC_TWIN_API CUresult cuStreamEndCapture(CUstream stream, CUgraph *graph) {
  std::lock_guard lock(stream->mutex);
  if (!stream->capture)
    return CUDA_ERROR_ILLEGAL_STATE;
  *graph = stream->capture.release();
  return CUDA_SUCCESS;
}

NNC_TWIN_API CUresult cuGraphInstantiateWithFlags(CUgraphExec *exec, CUgraph graph,
                                                  unsigned long long) {
  *exec = new CUgraphExec_st{graph->nodes};
  return CUDA_SUCCESS;
}

NNC_TWIN_API CUresult cuGraphLaunch(CUgraphExec exec, CUstream stream) {
  return twin::enqueue(stream, [exec] {
    for (const auto &node : exec->nodes)
      if (CUresult status = node(); status != CUDA_SUCCESS)
        return status;
    return CUDA_SUCCESS;
  });
}

NNC_TWIN_API CUresult cuGraphExecDestroy(CUgraphExec exec) {
  delete exec;
  return CUDA_SUCCESS;
}

NNC_TWIN_API CUresult cuGraphDestroy(CUgraph graph) {
  delete graph;
  return CUDA_SUCCESS;
}

NNC_TWIN_API CUresult cuEventCreate(CUevent *event, unsigned) {
  *event = new CUevent_st;
  return CUDA_SUCCESS;
}

NNC_TWIN_API CUresult cuEventRecord(CUevent event, CUstream stream) {
  return twin::enqueue(stream, [event] {
    event->time = std::chrono::steady_clock::now();
    event->isRecorded = true;
    return CUDA_SUCCESS;
  });
}

NNC_TWIN_API CUresult cuEventSynchronize(CUevent) { return CUDA_SUCCESS; }

NNC_TWIN_API CUresult cuEventElapsedTime(float *milliseconds, CUevent start, CUevent end) {
  if (!start->isRecorded || !end->isRecorded)
    return CUDA_ERROR_INVALID_VALUE;
  *milliseconds = std::chrono::duration<float, std::milli>(end->time - start->time).count();
  return CUDA_SUCCESS;
}

NNC_TWIN_API CUresult cuEventDestroy(CUevent event) {
  delete event;
  return CUDA_SUCCESS;
}
