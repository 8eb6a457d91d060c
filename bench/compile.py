#!/usr/bin/env python3
"""Times the compiler on the examples: from `.nn` to `model.bin`, per phase, and start to end.

    python3 bench/compile.py [--build build/release] [--repeat 5] [--target cpu,cuda]

Prints one row per example and target: kernels, median milliseconds of each phase as `nnc --timing`
reports them, and of the whole process. A synthetic model of 200 layers times the front end.
"""
import argparse
import pathlib
import re
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
CASES = {
    "lenet": ["examples/lenet.nn", "--weights", "examples/lenet.safetensors"],
    "mlp": ["examples/mlp.nn"],
    "cifarnet": ["examples/cifarnet.nn"],
    "textclassifier": ["examples/textclassifier.nn"],
    "resnet18": ["examples/resnet.nn", "--model", "ResNet18"],
    "resnet50": ["examples/resnet.nn", "--model", "ResNet50"],
}
DEEP = """
model Deep(depth: int = 200) {
  layers = [[Linear(64, 64), relu, LayerNorm(64)] for _ in 0..depth]
  fn forward(x: float[B, 64]) -> float[B, 64] requires B in 1..=64 = layers(x)
}
"""
PHASES = ["check", "weights", "optimize", "prepare", "kernels", "assemble"]


def run(nnc, arguments, repeat):
    """Median milliseconds per phase and of the process."""
    rows, walls = [], []
    for _ in range(repeat):
        start = time.perf_counter()
        done = subprocess.run([nnc, *arguments, "--timing"], cwd=ROOT, capture_output=True, text=True)
        walls.append((time.perf_counter() - start) * 1e3)
        if done.returncode:
            return None, done.stderr.strip().splitlines()[0]
        rows.append({m[0]: float(m[1]) for m in re.findall(r"^(\w+) +([\d.]+) ms$", done.stderr, re.M)})
    return {p: statistics.median(r.get(p, 0) for r in rows) for p in PHASES}, statistics.median(walls)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--target", default="cpu,cuda")
    args = parser.parse_args()
    nnc, nnc_run = (args.build.resolve() / "bin" / name for name in ("nnc", "nnc-run"))
    print(f"{'model':<16}{'target':<7}{'kernels':>8}" + "".join(f"{p:>10}" for p in PHASES) + f"{'process':>10}")
    with tempfile.TemporaryDirectory() as folder:
        deep = pathlib.Path(folder) / "deep.nn"
        deep.write_text(DEEP)
        for name, options in CASES.items():
            for target in args.target.split(","):
                out = f"{folder}/{name}.bin"
                phases, wall = run(nnc, [*options, "--target", target, "-o", out], args.repeat)
                if phases is None:
                    print(f"{name:<16}{target:<7} {wall}")
                    continue
                info = subprocess.run([nnc_run, out, "--info"], capture_output=True, text=True).stdout
                kernels = re.search(r"(\d+) kernels", info)
                print(f"{name:<16}{target:<7}{kernels[1] if kernels else '?':>8}"
                      + "".join(f"{phases[p]:>10.1f}" for p in PHASES) + f"{wall:>10.1f}")
        phases, wall = run(nnc, [str(deep), "--emit", "nn", "-o", f"{folder}/deep.mlir"], args.repeat)
        print(f"front end of 200 layers: {phases['check']:.1f} ms" if phases else wall)


if __name__ == "__main__":
    main()
