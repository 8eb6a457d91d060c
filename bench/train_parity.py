#!/usr/bin/env python3
"""Losses of the first training steps beside PyTorch's, from the same weights and batches, on the cpu target.

    bench/train_parity.py [--bin build/release] [--steps 100] [--small] [CASE ...]

Prints, per case: the largest relative difference from PyTorch's f32 over the first ten steps, and over all steps the
distance from PyTorch's f64 run as a multiple of the distance of PyTorch's own f32 run (of the largest so far, for the
two wander apart). Exits with 1 where the first is above 1e-5 or the second above 4. Needs torch and safetensors.
"""
import argparse
import copy
import ctypes
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
from safetensors.torch import save_file

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "test/golden"))
from train_zoo import CASES, train  # noqa: E402


class Tensor(ctypes.Structure):
    """`nnc_tensor` of runtime/nnc.h."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("dtype", ctypes.c_int),
        ("rank", ctypes.c_size_t),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("data", ctypes.c_void_p),
        ("device", ctypes.c_int * 2),
    ]


class Session:
    """A session of a model.bin, by the C interface of the runtime."""

    def __init__(self, library, path):
        self.lib = ctypes.CDLL(str(library))
        for name in ("nnc_engine_load", "nnc_session_open", "nnc_run"):
            getattr(self.lib, name).restype = ctypes.c_void_p
        self.lib.nnc_last_error.restype = ctypes.c_char_p
        engine = self.check(self.lib.nnc_engine_load(str(path).encode()))
        self.session = self.check(self.lib.nnc_session_open(ctypes.c_void_p(engine)))

    def check(self, pointer):
        if not pointer:
            raise RuntimeError(self.lib.nnc_last_error().decode())
        return pointer

    def loss(self, inputs):
        tensors, kept = (Tensor * len(inputs))(), []
        for at, (name, value) in zip(tensors, inputs.items()):
            array = np.ascontiguousarray(value.numpy())
            shape = (ctypes.c_int64 * array.ndim)(*array.shape)
            kept += [array, shape]
            at.name, at.dtype = name.encode(), 0 if array.dtype == np.float32 else 6
            at.rank, at.shape, at.data = array.ndim, shape, array.ctypes.data
        outputs = ctypes.c_void_p(
            self.check(self.lib.nnc_run(ctypes.c_void_p(self.session), b"train_step", tensors, ctypes.c_size_t(len(inputs))))
        )
        found = Tensor()
        self.lib.nnc_outputs_find(outputs, b"loss", ctypes.byref(found))
        loss = ctypes.cast(found.data, ctypes.POINTER(ctypes.c_float))[0]
        self.lib.nnc_outputs_free(outputs)
        return loss


def compile_case(bin, name, options, model, folder):
    weights = {key: value.contiguous().clone() for key, value in model.state_dict().items()}
    save_file(weights, folder / "init.safetensors")
    sets = [part for key, value in options.items() for part in ("--set", f"{key}={value}")]
    source = ROOT / f"test/golden/train/{name}.nn"
    command = [bin / "bin/nnc", source, "--target", "cpu", "--weights", folder / "init.safetensors", *sets]
    subprocess.run([*command, "-o", folder / "train.bin"], check=True)
    return Session(bin / "lib/libnnc_runtime.so", folder / "train.bin")


def compare(bin, name, steps, small):
    case, torch_seed = CASES[name], 3
    options = {} if small else case.full
    torch.manual_seed(torch_seed)
    model = case.model(**options)
    batches = [case.inputs(options)(case.batch if small else case.full_batch) for _ in range(4)]
    with tempfile.TemporaryDirectory() as folder:
        session = compile_case(bin, name, options, model, pathlib.Path(folder))
        ours = np.array([session.loss(batches[step % 4]) for step in range(steps)])
    single = np.array(train(case, copy.deepcopy(model), batches, steps, torch.float32))
    double = np.array(train(case, copy.deepcopy(model), batches, steps, torch.float64))
    first = np.max(np.abs(ours - single)[:10] / np.abs(single[:10]))
    # What two roundings of one number may differ by is no distance.
    floor = 2**-23 * np.abs(double)
    own = np.maximum.accumulate(np.maximum(np.abs(single - double), floor))
    ratio = np.max(np.abs(ours - double) / own)
    good = first <= 1e-5 and ratio <= 4
    print(
        f"{name:8} first 10 within {first:.1e} of f32; {ratio:.2f} times PyTorch's distance from f64 over {steps}; "
        f"loss {ours[0]:.4f} to {ours[-1]:.4f}{'' if good else '  <-- too far'}",
        flush=True,
    )
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--small", action="store_true", help="the sizes of the golden tests")
    parser.add_argument("cases", nargs="*", default=list(CASES))
    args = parser.parse_args()
    torch.set_num_threads(2)
    good = [compare(args.bin, name, args.steps, args.small) for name in args.cases]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
