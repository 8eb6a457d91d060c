#!/usr/bin/env python3
"""Random programs against numpy.

    run.py BIN [--target cpu|cuda] [--seconds N | --count N] [--seed S] [--only S.I] [--keep DIR]

BIN holds nnc and nnc-run. With NNC_CUDA_TWIN set, cuda runs on the twin. The last line says how many programs
agreed; the exit status is 1 after a failure, which is printed, reduced to what it needs.
"""
import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time

import numpy as np

TEST = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TEST / "golden"))
import weights as golden  # noqa: E402

from program import SIZES, Program, model_text, model_weights  # noqa: E402


class Mismatch(Exception):
    pass


class Runner:
    def __init__(self, args, folder):
        self.bin = args.bin.resolve()
        self.target = args.target
        self.folder = folder
        self.tolerance = json.loads((TEST / "tolerances.json").read_text())["property"]

    def call(self, *command):
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, errors="replace", timeout=300)
        if done.returncode:
            raise Mismatch(f"{pathlib.Path(command[0]).name} {' '.join(command[1:3])}: exit status {done.returncode}\n"
                           f"{done.stderr[-3000:] or done.stdout[-3000:]}")

    def compile(self, programs):
        """`programs` are pairs of a program and the outputs that are wanted of it."""
        (self.folder / "model.nn").write_text(model_text(programs))
        golden.write_safetensors(self.folder / "w.safetensors", model_weights(programs))
        target = ["--target", self.target] + (["--arch", "sm_80"] if self.target == "cuda" else [])
        weights = ["--weights", "w.safetensors"] if model_weights(programs) else []
        self.call(self.bin / "nnc", "model.nn", *target, *weights, "-o", "model.bin")

    def run(self, program, outputs, which):
        """The outputs at SIZES[which]."""
        command = [self.bin / "nnc-run", "model.bin", "--entry", program.name]
        for value in program.pool[:program.inputs]:
            array = program.arrays[which][value.name]
            np.save(self.folder / f"{value.name}.npy", array.astype(np.float32 if value.element == "float" else array.dtype))
            command += ["--input", f"{value.name}={value.name}.npy"]
        for value in outputs:
            command += ["--output", f"{program.name}_{value.name}={value.name}.out.npy"]
        self.call(*command)
        return [np.load(self.folder / f"{value.name}.out.npy") for value in outputs]

    def compare(self, program, outputs):
        for which, sizes in enumerate(SIZES):
            for value, found in zip(outputs, self.run(program, outputs, which)):
                wanted = program.arrays[which][value.name]
                if found.shape != wanted.shape:
                    raise Mismatch(f"{value.name} has shape {found.shape}, not {wanted.shape}, at {sizes}")
                allowed = self.tolerance["atol"] + self.tolerance["rtol"] * max(1.0, float(np.abs(wanted).max()))
                if value.element != "float":
                    allowed = 0
                error = np.abs(found.astype(np.float64) - wanted)
                if not np.all(error <= allowed):  # not a number is no agreement
                    at = np.unravel_index(np.nanargmax(np.where(np.isnan(error), np.inf, error)), error.shape)
                    raise Mismatch(f"{value.name}{list(map(int, at))} is {found[at]}, not {wanted[at]}, at {sizes}")

    def check(self, programs):
        self.compile(programs)
        for program, outputs in programs:
            self.compare(program, outputs)


def problem(runner, program, outputs):
    """Why the program fails by itself with these outputs; None if it does not."""
    try:
        runner.check([(program, outputs)])
    except Mismatch as mismatch:
        return str(mismatch)
    return None


def reduce(runner, program):
    """The fewest statements that fail, and why: of all values by themselves the first, then whole outputs."""
    for value in program.pool[program.inputs:]:
        if why := problem(runner, program, [value]):
            return [value], why
    for count in range(1, len(program.outputs) + 1):
        if why := problem(runner, program, program.outputs[:count]):
            return program.outputs[:count], why
    return None, None


def report(runner, program, identity):
    outputs, why = reduce(runner, program)
    if outputs is None:
        return False
    print(f"FAILED: --only {identity} --target {runner.target}\n{why}\n{model_text([(program, outputs)])}", flush=True)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bin", type=pathlib.Path)
    parser.add_argument("--target", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--count", type=int, help="groups of programs, instead of a time")
    parser.add_argument("--group", type=int, default=5, help="programs per model")
    parser.add_argument("--statements", type=int, default=9)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="SEED.NUMBER of one program")
    args = parser.parse_args()
    if args.only:
        args.seed, number = map(int, args.only.split("."))
    start, passed, failed, group = time.time(), 0, 0, 0
    make = lambda i: Program(random.Random(f"{args.seed}.{i}"), f"e{i}", args.statements)  # noqa: E731
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(args, pathlib.Path(folder))
        if args.only:
            program = make(number)
            print(model_text([(program, program.outputs)]))
            sys.exit(report(runner, program, args.only))
        while group < args.count if args.count else time.time() - start < args.seconds:
            programs = [make(i) for i in range(group * args.group, (group + 1) * args.group)]
            group += 1
            try:
                runner.check([(p, p.outputs) for p in programs])
                passed += len(programs)
            except Mismatch as mismatch:
                bad = sum(report(runner, p, f"{args.seed}.{p.name[1:]}") for p in programs)
                if bad == 0:
                    print(f"FAILED: only together, seed {args.seed}: {[p.name for p in programs]}\n{mismatch}", flush=True)
                failed += max(bad, 1)
                passed += len(programs) - max(bad, 1)
    print(f"{passed} programs agree, {failed} fail; seed {args.seed}, {args.target}")
    sys.exit(1 if failed else 0)


main()
