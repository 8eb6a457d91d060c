#!/usr/bin/env python3
"""Times the cpu target beside onnxruntime: the same weights, on this machine, in one run.

    venv/bin/python bench/cpu.py [--build build/release] [--pairs 15] [--threads 2] [MODEL ...]

Needs torch, torchvision, transformers, onnx and onnxruntime (PyPI). PyTorch makes weights and ONNX files. Outputs
are compared first. Then bursts of calls of both alternate, because other work on the machine comes
and goes; a row gives the median call of each, the median of the ratios pair by pair, and the
processor time of a call (all threads), which says more than the clock where the machine is shared.
"""
import argparse
import ctypes
import dataclasses
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "test/golden"))
from weights import write_safetensors  # noqa: E402

BURST = 0.15  # seconds


@dataclasses.dataclass
class Case:
    """What to compile, and PyTorch's form of it."""

    source: str  # in examples/
    options: list  # of nnc
    model: callable  # makes the torch.nn.Module
    inputs: dict  # name to the shape of one sample, and the type
    batches: tuple = (1, 64)

    def draw(self, batch):
        """Inputs as nnc takes them."""
        random = np.random.default_rng(0)
        kinds = {"float": lambda shape: random.random(shape, dtype=np.float32),
                 "token": lambda shape: random.integers(0, 1000, shape, dtype=np.int32),
                 "kind": lambda shape: random.integers(0, 2, shape, dtype=np.int32),
                 "mask": lambda shape: np.ones(shape, dtype=bool)}
        return {name: kinds[kind]((batch, *shape)) for name, (shape, kind) in self.inputs.items()}


def bert():
    """BERT-base with the arguments of examples/bert.nn."""
    from transformers import BertConfig, BertModel

    class Bert(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = BertModel(BertConfig(), add_pooling_layer=True)

        def forward(self, ids, kind, mask):
            return self.model(input_ids=ids, token_type_ids=kind, attention_mask=mask)[:2]

        def checkpoint(self):
            return {k: v for k, v in self.model.state_dict().items() if not k.endswith("_ids")}

    return Bert()


def cases():
    import make
    import torchvision

    image = lambda *shape: {"image": (shape, "float")}
    tokens = {name: ((128,), kind) for name, kind in [("ids", "token"), ("kind", "kind"), ("mask", "mask")]}
    sized = ["--dim", "H=224", "--dim", "W=224"]
    return {
        "mlp": Case("mlp.nn", [], make.MLP, {"x": ((784,), "float")}),
        "lenet": Case("lenet.nn", [], make.LeNet, image(1, 28, 28)),
        "cifarnet": Case("cifarnet.nn", [], make.CifarNet, image(3, 32, 32)),
        "resnet18": Case("resnet.nn", ["--model", "ResNet18", *sized], torchvision.models.resnet18,
                         image(3, 224, 224), (1,)),
        "resnet50": Case("resnet.nn", ["--model", "ResNet50", *sized], torchvision.models.resnet50,
                         image(3, 224, 224), (1,)),
        "bert": Case("bert.nn", [], bert, tokens, (1,)),
    }


class TensorC(ctypes.Structure):
    """nnc_tensor of runtime/nnc.h."""

    _fields_ = [("name", ctypes.c_char_p), ("dtype", ctypes.c_int), ("rank", ctypes.c_size_t),
                ("shape", ctypes.POINTER(ctypes.c_int64)), ("data", ctypes.c_void_p),
                ("device_kind", ctypes.c_int), ("device_index", ctypes.c_int)]


DTYPES = {"float32": 0, "int32": 6, "bool": 9}


def tensors(arrays):
    """An array of nnc_tensor for arrays by name, which must live as long."""
    result = (TensorC * len(arrays))()
    for at, (name, array) in zip(result, arrays.items()):
        shape = (ctypes.c_int64 * array.ndim)(*array.shape)
        at.name, at.dtype, at.rank = name.encode(), DTYPES[str(array.dtype)], array.ndim
        at.shape, at.data = shape, array.ctypes.data
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
        for port in self.session.get_inputs():
            binding.bind_cpu_input(port.name, inputs[port.name])
        for port, array in zip(self.session.get_outputs(), outputs):
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


def of_torch(inputs):
    """Inputs as PyTorch and its ONNX files take them: whole numbers are int64."""
    return {n: torch.from_numpy(a if a.dtype == np.float32 else a.astype(np.int64)) for n, a in inputs.items()}


def listed(outputs):
    return [*(outputs.values() if isinstance(outputs, dict) else
              outputs if isinstance(outputs, (tuple, list)) else [outputs])]


class Exported(torch.nn.Module):
    """With a list of outputs, also for the goldens' models, which name theirs."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, *inputs):
        return listed(self.model(*inputs))


def build_models(folder, build, name, case):
    """model.bin and model.onnx of a case, with the same weights."""
    torch.manual_seed(0)
    model = Exported(case.model()).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    checkpoint = getattr(model.model, "checkpoint", model.model.state_dict)
    state = {k: v.numpy() for k, v in checkpoint().items()}
    write_safetensors(folder / f"{name}.safetensors", state)
    command = [build / "bin/nnc", ROOT / "examples" / case.source, *case.options, "--target", "cpu",
               "--weights", folder / f"{name}.safetensors", "-o", folder / f"{name}.bin"]
    subprocess.run(command, check=True)
    inputs = of_torch(case.draw(2))
    torch.onnx.export(model, tuple(inputs.values()), str(folder / f"{name}.onnx"), dynamo=False,
                      input_names=[*inputs], dynamic_axes={n: {0: "B"} for n in inputs})
    return model


def output_names(build, path):
    info = subprocess.run([build / "bin/nnc-run", path, "--info"], capture_output=True, text=True, check=True)
    results = re.search(r"^entry \w+\(.*\) -> \((.*)\)$", info.stdout, re.M)[1]
    return re.findall(r"(\w+): \w+\[", results)


def compare(name, case, build, folder, args):
    model = build_models(folder, build, name, case)
    ours, theirs = Nnc(build, folder / f"{name}.bin"), Onnx(folder / f"{name}.onnx", args.threads)
    names = output_names(build, folder / f"{name}.bin")
    for batch in case.batches:
        inputs = case.draw(batch)
        with torch.no_grad():
            wanted = [y.numpy() for y in model(*of_torch(inputs).values())]
        a, b = ([np.zeros_like(y) for y in wanted] for _ in range(2))
        as_int64 = {n: x.numpy() for n, x in of_torch(inputs).items()}
        calls = ours.bind(inputs, dict(zip(names, a))), theirs.bind(as_int64, b)
        for call in calls:
            call()
        errors = [max(np.abs(y - w).max() / np.abs(w).max() for y, w in zip(ys, wanted)) for ys in (a, b)]
        if not max(errors) < 1e-4:
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
