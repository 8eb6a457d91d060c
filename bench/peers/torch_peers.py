"""PyTorch at its best: each peer is one CUDA graph, so that no Python is in a call."""
import contextlib
import time

import torch

COMPILE = {"inductor": "default", "autotune": "max-autotune-no-cudagraphs"}
NAMES = {"eager": "eager", "inductor": "Inductor", "autotune": "Inductor max-autotune", "jax": "JAX"}


def allow_tf32(allowed):
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allowed


@contextlib.contextmanager
def exact():
    """Without TF32, for references."""
    allow_tf32(False)
    try:
        yield
    finally:
        allow_tf32(True)


def attempt(measure, *arguments):
    """What one contender gives, or why it does not; a GPU that is lost ends the process instead."""
    try:
        return measure(*arguments)
    except Exception as problem:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return {"error": f"{type(problem).__name__}: {str(problem)[:500]}"}


def as_tuple(result):
    return result if isinstance(result, tuple) else (result,)


def capture(function, inputs):
    """The graph of one call and its outputs."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            function(*inputs)
    torch.cuda.current_stream().wait_stream(stream)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        outputs = function(*inputs)
    return graph, as_tuple(outputs)


def start(peer, model, inputs):
    """(queue, outputs, seconds of the first call) of a peer."""
    function = model
    if peer in COMPILE:
        torch._dynamo.reset()
        function = torch.compile(model, mode=COMPILE[peer])
    begin = time.perf_counter()
    # Compiled code checks in every call that the mode is the one it was made for: one mode for all.
    with torch.no_grad():
        function(*inputs)
        torch.cuda.synchronize()
        seconds = time.perf_counter() - begin
        graph, outputs = capture(function, inputs)
    graph.replay()
    torch.cuda.synchronize()
    return graph.replay, outputs, seconds
