"""Milliseconds of one call by CUDA events. The host first queues a kernel that only waits, so that it is ahead of the GPU
and its own work is not measured, for nnc and peers alike; short calls follow each other between two events."""
import time

import torch

WINDOW = 0.25  # ms between two events, at least, where calls are shorter than that
SAMPLES, BUDGET = 100, 1.0  # at most so many windows and seconds of the GPU


def events():
    return torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)


def wait_on_gpu(seconds):
    torch.cuda._sleep(int(seconds * 2e9))  # cycles, at about 2 GHz


def window(queue, calls, host_seconds):
    """Milliseconds of one of `calls` calls in a row."""
    start, end = events()
    wait_on_gpu(2 * calls * host_seconds + 50e-6)
    start.record()
    for _ in range(calls):
        queue()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / calls


def host_time(queue):
    """Seconds that the host needs to queue one call."""
    torch.cuda.synchronize()
    start = time.perf_counter()
    queue()
    seconds = time.perf_counter() - start
    torch.cuda.synchronize()
    return seconds


def milliseconds(queue):
    """The median over windows; `queue` queues one call on the current stream."""
    for _ in range(3):
        queue()
    host = min(host_time(queue) for _ in range(3))
    one = min(window(queue, 1, host) for _ in range(3))
    calls = max(1, min(200, int(WINDOW / one)))
    samples = max(5, min(SAMPLES, int(BUDGET * 1e3 / (calls * one))))
    return median([window(queue, calls, host) for _ in range(samples)])


def median(values):
    return sorted(values)[len(values) // 2]


def milliseconds_of_states(queue, refill, room, rounds=2):
    """The same for calls that use up a state: `room` of them fit after each `refill`."""
    times = []
    for _ in range(rounds):
        refill()
        times += [window(queue, 1, 50e-6) for _ in range(room)]
    return median(times[1:])
