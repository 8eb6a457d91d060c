"""nnc's side of a case: compile cold, load, run on the peers' own tensors."""
import json
import os
import pathlib
import re
import subprocess
import tempfile
import time

import torch

from runtime import Session

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOLERANCES = json.loads((ROOT / "test" / "tolerances.json").read_text())


def compile_model(args, name, work, precision, weights, out):
    """Seconds of the whole process with an empty cache of compiled code."""
    source, *options = work.options
    command = [args.bin / "nnc", ROOT / "examples" / source, *options, "--weights", weights, "--entry", work.entry]
    command += ["--target", args.target, "-o", out, *args.nnc]
    if not work.mixed:  # else the source says
        command += ["--precision", precision]
    lock = args.locks / f"{name}.tune"
    if args.target == "cuda" and lock.exists():
        command += ["--lock", lock]
    with tempfile.TemporaryDirectory() as cache:
        start = time.perf_counter()
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=args.timeout,
                              env={**os.environ, "NNC_CACHE_DIR": cache})
        seconds = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError("does not compile: " + " / ".join(done.stderr.strip().splitlines()[:3]))
    return seconds


def steps_of(info, entry, inputs):
    """The text of the entry point, of those with and without optional inputs the one with just these."""
    for text in info.split("\nentry ")[1:]:
        name, _, ports = text.split(" -> ")[0].partition("(")
        if name == entry and set(re.findall(r"(\w+): ", ports)) == set(inputs):
            return text
    raise RuntimeError(f"there is no entry point {entry}({', '.join(inputs)})")


def launches(args, path, work):
    """What one call gives the GPU to do: kernels, library products and copies, loops counted out."""
    info = subprocess.run([str(args.bin / "nnc-run"), str(path), "--info"], capture_output=True, text=True).stdout
    text = steps_of(info, work.entry, work.inputs)
    count, repeat = 0, 1
    for indent, kind, rest in re.findall(r"^( {4,})(launch|gemm|copy|loop) (.*)$", text, re.M):
        if len(indent) == 4:
            loop = re.match(r"\S+ (\d+) times(.*)", rest) if kind == "loop" else None
            one = kind != "loop" or "in one launch" in rest
            count, repeat = count + one, 0 if one else int(loop[1]) if loop else 1
        else:
            count += repeat
    return count


class Program:
    """A compiled case that is loaded; `memory` is what the GPU's free memory went down by."""

    def __init__(self, args, work, path, inputs, outputs):
        self.work, self.args = work, args
        before = torch.cuda.mem_get_info()[0] if args.target == "cuda" else 0
        start = time.perf_counter()
        self.session = Session(args.bin, path)
        self.load_seconds = time.perf_counter() - start
        self.inputs = {k: (v if v.is_floating_point() else v.int()).contiguous() for k, v in inputs.items()}
        self.outputs = {k: torch.empty_like(v, memory_format=torch.contiguous_format) for k, v in outputs.items()}
        self.call = self.session.call(work.entry, self.inputs, self.outputs)
        self.refill()
        self.step()
        self.memory = before - torch.cuda.mem_get_info()[0] if args.target == "cuda" else 0

    def refill(self):
        """The states as they are before the call that is measured: the prompt goes in token by token."""
        if self.work.prompt is None:
            return
        self.session.reset()
        (given,) = self.inputs.values()
        last = given.clone()
        for token in self.work.prompt[0]:
            given.copy_(token)
            self.queue()
        given.copy_(last)

    def queue(self):
        """On the cpu it is done at once."""
        if self.args.target == "cuda":
            self.call.queue()
        else:
            self.call.run()

    def step(self):
        self.queue()
        if self.args.target == "cuda":
            torch.cuda.synchronize()

    def close(self):
        self.session.close()


def start(args, name, work, precision, folder, inputs, outputs):
    """The case compiled with the weights in `folder`, after its first call, and what that took."""
    path = folder / "model.bin"
    found = {"compile_s": compile_model(args, name, work, precision, folder / "weights.safetensors", path)}
    found["launches"] = launches(args, path, work)
    program = Program(args, work, path, inputs, outputs)
    return program, found | {"load_ms": program.load_seconds * 1e3, "memory_mib": program.memory / 2**20}


def relative(found, expected):
    """The largest difference over the largest value."""
    expected = expected.double()
    return float((found.double() - expected).abs().max() / expected.abs().max().clamp(min=1e-30))


def error(found, reference):
    return max(relative(found[name], value) for name, value in reference.items())


def limit(precision, target, theirs):
    """f32 as the golden tests have it; else twice the distance of eager PyTorch from the reference."""
    return TOLERANCES[f"{target}_f32"]["rtol"] if precision == "f32" else TOLERANCES["narrow_floats"]["times"] * theirs
