#!/usr/bin/env python3
"""Times the cpu target beside onnxruntime: the same weights, on this machine, in one run.

    venv/bin/python bench/cpu.py [--build build/release] [--pairs 15] [--threads 2] [MODEL ...]

Needs torch, torchvision, onnx and onnxruntime (PyPI). PyTorch makes weights and ONNX files. Outputs
are compared first. Then bursts of calls of both alternate, because other work on the machine comes
and goes; a row gives the median call of each, the median of the ratios pair by pair, and the
processor time of a call (all threads), which says more than the clock where the machine is shared.
"""
import argparse
import ctypes
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "test/golden"))
BURST = 0.15  # seconds


def cases():
    """Name to: .nn file, compiler options, PyTorch model, shape of an image, batch sizes."""
    import make
    import torchvision

    return {
        "mlp": ("mlp.nn", [], make.MLP, (784,), (1, 64)),
        "lenet": ("lenet.nn", [], make.LeNet, (1, 28, 28), (1, 64)),
        "cifarnet": ("cifarnet.nn", [], make.CifarNet, (3, 32, 32), (1, 64)),
        "resnet18": ("resnet.nn", ["--model", "ResNet18", "--dim", "H=224", "--dim", "W=224"],
                     torchvision.models.resnet18, (3, 224, 224), (1,)),
        "resnet50": ("resnet.nn", ["--model", "ResNet50", "--dim", "H=224", "--dim", "W=224"],
                     torchvision.models.resnet50, (3, 224, 224), (1,)),
    }


class TensorC(ctypes.Structure):
    """nnc_tensor of runtime/nnc.h."""

    _fields_ = [("name", ctypes.c_char_p), ("dtype", ctypes.c_int), ("rank", ctypes.c_size_t),
                ("shape", ctypes.POINTER(ctypes.c_int64)), ("data", ctypes.c_void_p),
                ("device_kind", ctypes.c_int), ("device_index", ctypes.c_int)]


def tensors(arrays):
    """An array of nnc_tensor for f32 arrays by name, which must live as long."""
    result = (TensorC * len(arrays))()
    for at, (name, array) in zip(result, arrays.items()):
        shape = (ctypes.c_int64 * array.ndim)(*array.shape)
        at.name, at.rank, at.shape, at.data = name.encode(), array.ndim, shape, array.ctypes.data
    return result


class Nnc:
    """A session of a model.bin through the C interface; memory is bound once, as onnxruntime's is."""

    def __init__(self, build, path, entry="forward"):
        self.api = ctypes.CDLL(str(build / "lib/libnnc_runtime.so"))
        for name in ("nnc_engine_load", "nnc_session_open"):
            getattr(self.api, name).restype = ctypes.c_void_p
        self.api.nnc_last_error.restype = ctypes.c_char_p
        self.engine = ctypes.c_void_p(self.api.nnc_engine_load(str(path).encode()))
        self.session = ctypes.c_void_p(self.api.nnc_session_open(self.engine))
        self.entry = entry.encode()

    def bind(self, inputs, outputs):
        first, second = tensors(inputs), tensors(outputs)

        def call():
            status = self.api.nnc_run_into(self.session, self.entry, first, len(inputs), second, len(outputs))
            if status:
                sys.exit(self.api.nnc_last_error().decode())

        return call


class Onnx:
    def __init__(self, path, threads):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # A thread that spins after a burst would take the processor from the other side.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def bind(self, inputs, outputs):
        binding = self.session.io_binding()
        for port, array in zip(self.session.get_inputs(), inputs.values()):
            binding.bind_cpu_input(port.name, array)
        for port, array in zip(self.session.get_outputs(), outputs.values()):
            binding.bind_output(port.name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        return lambda: self.session.run_with_iobinding(binding)


def burst(call):
    """Median seconds of a call, and the processor time of one."""
    call()
    times, used, end = [], time.process_time(), time.perf_counter() + BURST
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    used = (time.process_time() - used) / len(times)
    time.sleep(0.01)  # threads go to sleep
    return statistics.median(times), used


def single(model, x):
    """The only output, also of the goldens' models, which name theirs."""
    y = model(x)
    return next(iter(y.values())) if isinstance(y, dict) else y


def build_models(folder, build, name, case):
    """model.bin and model.onnx of a case, with the same weights."""
    import torch
    from weights import write_safetensors

    class Single(torch.nn.Module):
        def __init__(self, model):
            super().__init__()
            self.model = model

        def forward(self, x):
            return single(self.model, x)

    file, options, make, shape, _ = case
    torch.manual_seed(0)
    model = make().eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    state = {k: v.numpy() for k, v in model.state_dict().items()}
    write_safetensors(folder / f"{name}.safetensors", state)
    command = [build / "bin/nnc", ROOT / "examples" / file, *options, "--target", "cpu",
               "--weights", folder / f"{name}.safetensors", "-o", folder / f"{name}.bin"]
    subprocess.run(command, check=True)
    torch.onnx.export(Single(model).eval(), (torch.zeros(2, *shape),), str(folder / f"{name}.onnx"), dynamo=False,
                      input_names=["x"], output_names=["y"], dynamic_axes={"x": {0: "B"}, "y": {0: "B"}})
    return model


def entry_names(build, path):
    """The names of the input and the output, from --info."""
    info = subprocess.run([build / "bin/nnc-run", path, "--info"], capture_output=True, text=True, check=True)
    return re.search(r"^entry \w+\((\w+):.*\) -> \((\w+):", info.stdout, re.M).groups()


def compare(name, case, build, folder, args):
    import numpy as np
    import torch

    model = build_models(folder, build, name, case)
    ours, theirs = Nnc(build, folder / f"{name}.bin"), Onnx(folder / f"{name}.onnx", args.threads)
    source, target = entry_names(build, folder / f"{name}.bin")
    for batch in case[4]:
        x = np.random.default_rng(0).random((batch, *case[3]), dtype=np.float32)
        with torch.no_grad():
            wanted = single(model, torch.from_numpy(x)).numpy()
        a, b = np.zeros_like(wanted), np.zeros_like(wanted)
        calls = ours.bind({source: x}, {target: a}), theirs.bind({"x": x}, {"y": b})
        for call in calls:
            call()
        scale = np.abs(wanted).max()
        errors = [np.abs(y - wanted).max() / scale for y in (a, b)]
        if max(errors) > 1e-4:
            sys.exit(f"{name}: outputs differ from PyTorch's by {errors}")
        pairs = [(burst(calls[0]), burst(calls[1])) for _ in range(args.pairs)]
        medians = [statistics.median(p[i][0] for p in pairs) * 1e3 for i in (0, 1)]
        used = [min(p[i][1] for p in pairs) * 1e3 for i in (0, 1)]
        ratio = statistics.median(p[0][0] / p[1][0] for p in pairs)
        print(f"| {name} | {batch} | {medians[0]:.4g} | {medians[1]:.4g} | {ratio:.2f} "
              f"| {used[0]:.4g} | {used[1]:.4g} | {used[0] / used[1]:.2f} | {errors[0]:.1e} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", metavar="MODEL")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    args = parser.parse_args()
    os.environ["NNC_NUM_THREADS"] = str(args.threads)
    known = cases()
    print("| model | B | nnc, ms | onnxruntime, ms | ratio | nnc, cpu ms | onnxruntime, cpu ms | ratio | error |")
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name in args.models or known:
            compare(name, known[name], args.build.resolve(), pathlib.Path(folder), args)


if __name__ == "__main__":
    main()
