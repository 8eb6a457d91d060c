#!/usr/bin/env python3
"""All examples on a GPU: compared with the cpu target, under compute-sanitizer, and timed.

    python3 bench/gpu.py [--bin build/release/bin] [--only lenet,mlp] [--sanitize] [--out table.md]

Compiles each example for cpu and cuda on this machine, runs both on the same random inputs at each
batch size, and prints a table in Markdown: milliseconds of one call (median, inputs on the device,
one CUDA graph), kernels, peak device memory, compile time. `--sanitize` also runs memcheck,
racecheck and synccheck at batch 3. The exit status is 1 if anything disagrees.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

from sanitizer import sanitize

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOLERANCE = json.loads((ROOT / "test/tolerances.json").read_text())["cuda_f32"]
IMAGENET = ["--dim", "H=224", "--dim", "W=224", "--set", "max_batch=1024"]
CASES = {
    # name: (compiler arguments, sizes of run-time dimensions, batch sizes)
    "lenet": (["examples/lenet.nn", "--weights", "examples/lenet.safetensors"], {}, [1, 64, 1024]),
    "mlp": (["examples/mlp.nn"], {}, [1, 64, 1024]),
    "cifarnet": (["examples/cifarnet.nn"], {}, [1, 64, 1024]),
    "textclassifier": (["examples/textclassifier.nn"], {"T": 128}, [1, 64, 1024]),
    "resnet18": (["examples/resnet.nn", "--model", "ResNet18", *IMAGENET], {}, [1, 64, 1024]),
    "resnet50": (["examples/resnet.nn", "--model", "ResNet50", *IMAGENET], {}, [1, 64, 1024]),
}


class Runner:
    def __init__(self, folder, binaries, sanitize):
        self.folder, self.bin, self.sanitize = folder, binaries, sanitize
        self.failures = []

    def call(self, *command, timeout=400):
        done = subprocess.run([str(c) for c in command], cwd=ROOT, capture_output=True, text=True, timeout=timeout)
        return done.returncode, done.stdout + done.stderr

    def expect(self, what, *command):
        status, text = self.call(*command)
        if status:
            self.failures.append(f"{what}: {text.strip()[-600:]}")
            print(f"FAILED {what}: {text.strip()[-600:]}", flush=True)
        return status == 0, text

    def compile(self, name, arguments, target):
        path = self.folder / f"{name}.{target}.bin"
        start = time.perf_counter()
        done, _ = self.expect(f"compile {name} for {target}", self.bin / "nnc", *arguments, "--target", target, "-o", path)
        return (path if done else None), time.perf_counter() - start

    def compare(self, name, cpu, cuda, options):
        """The same random inputs on both; true if they agree."""
        output = self.folder / "expected.npy"
        done, _ = self.expect(f"{name} on cpu", self.bin / "nnc-run", cpu, *options, "--output", f"={output}")
        return done and self.expect(
            f"{name} {' '.join(options)} against cpu", self.bin / "nnc-run", cuda, *options, "--compare", output,
            "--rtol", TOLERANCE["rtol"], "--atol", TOLERANCE["atol"],
        )[0]

    def check(self, name, cuda, options):
        for tool in ("memcheck", "racecheck", "synccheck"):
            problem, library = sanitize(tool, self.bin / "nnc-run", cuda, *options)
            print(f"{name} {tool}: {problem or 'clean'}{f' ({library} reports in library kernels)' if library else ''}", flush=True)
            if problem:
                self.failures.append(f"{name} {tool}: {problem}")


def sizes_of(sizes, batch):
    options = ["--random", "1"]
    for key, value in {"B": batch, **sizes}.items():
        options += ["--dim", f"{key}={value}"]
    return options


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin")
    parser.add_argument("--only")
    parser.add_argument("--sanitize", action="store_true")
    parser.add_argument("--out", type=pathlib.Path)
    args = parser.parse_args()
    rows = ["| model | B | ms | kernels | peak memory | compile, s |", "|---|---|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as temporary:
        runner = Runner(pathlib.Path(temporary), args.bin.resolve(), args.sanitize)
        for name, (arguments, sizes, batches) in CASES.items():
            if args.only and name not in args.only.split(","):
                continue
            cpu, _ = runner.compile(name, arguments, "cpu")
            cuda, seconds = runner.compile(name, arguments, "cuda")
            if not cpu or not cuda:
                continue
            info = runner.call(runner.bin / "nnc-run", cuda, "--info")[1]
            kernels = re.search(r"(\d+) kernels?", info)
            memory = re.search(r"peak memory:? +([\d.]+ \w+)", info)
            if args.sanitize:
                runner.check(name, cuda, sizes_of(sizes, 3))
            for batch in batches:
                options = sizes_of(sizes, batch)
                agrees = runner.compare(name, cpu, cuda, options)
                done, text = runner.expect(f"bench {name}", runner.bin / "nnc-run", cuda, *options, "--bench")
                time_ms = re.search(r"tensors on cuda:\d+: median ([\d.]+) ms", text)
                rows.append(
                    f"| {name} | {batch} | {time_ms[1] if done and time_ms else '?'}{'' if agrees else ' (wrong)'} "
                    f"| {kernels[1] if kernels else '?'} | {memory[1] if memory else '?'} | {seconds:.2f} |"
                )
                print(rows[-1], flush=True)
        failures = runner.failures
    print("\n".join(rows))
    if args.out:
        args.out.write_text("\n".join(rows) + "\n" + "".join(f"\nFAILED {f}\n" for f in failures))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
