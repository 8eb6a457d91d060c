#!/usr/bin/env python3
"""Tunes the sixteen cases of bench/peers on this machine's GPU and writes their lock files.

    python3 bench/tune.py [--bin build/release/bin] [--case resnet50_b32_bf16,..] [--seconds 120] [--locks bench/locks]

Each case has a file of its own, `bench/locks/CASE.tune`, which `bench/peers --locks bench/locks` compiles with; what a file has for
other kernels and architectures stays. f32 cases are tuned exact and in TF32. Needs PyTorch for the cases' definitions only. Exit
status 1 if a case could not be tuned.
"""
import argparse
import pathlib
import subprocess
import sys
import time

import torch

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bench" / "peers"))
from cases import CASES


def options_of(case):
    """The source and options of nnc; nothing of the model in PyTorch is computed."""
    with torch.device("meta"):
        work = case.make(False)
    source, *options = work.options
    return [ROOT / "examples" / source, *options, "--entry", work.entry]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin", help="where nnc is")
    parser.add_argument("--case", help="names with commas (default: all)")
    parser.add_argument("--seconds", type=float, default=120, help="for each case and precision")
    parser.add_argument("--locks", type=pathlib.Path, default=ROOT / "bench/locks", help="folder of the lock files")
    args = parser.parse_args()
    names = args.case.split(",") if args.case else [case.name for case in CASES]
    unknown = set(names) - {case.name for case in CASES}
    if unknown:
        sys.exit(f"error: there is no case {', '.join(sorted(unknown))}")
    args.locks.mkdir(parents=True, exist_ok=True)
    failed = []
    for case in (case for case in CASES if case.name in names):
        for precision in [case.precision] + (["tf32"] if case.precision == "f32" else []):
            command = [args.bin / "nnc", *options_of(case), "--precision", precision, f"--tune={args.seconds:g}"]
            command += ["--lock", args.locks / f"{case.name}.tune", "--emit=nn", "-o", "/dev/null"]  # only tunes
            print(f"== {case.name} {precision}", flush=True)
            start = time.perf_counter()
            done = subprocess.run([str(part) for part in command])
            print(f"   {time.perf_counter() - start:.0f} s", flush=True)
            if done.returncode:
                failed.append(f"{case.name} {precision}")
    if failed:
        sys.exit(f"error: not tuned: {', '.join(failed)}")


if __name__ == "__main__":
    main()
