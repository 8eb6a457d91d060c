#!/usr/bin/env python3
"""Times the compiler on the examples: from `.nn` to `model.bin`, per phase, and start to end.

    python3 bench/compile.py [--build build/release] [--repeat 3] [--target cpu,cuda] [--only bert,llama] [--arch sm_90a]

Prints one row per example and target: launches of the plan and distinct kernels (equal layers share theirs), the weights,
median milliseconds of each phase as `nnc --timing` reports them, and of the whole process: without the cache of compiled
code, and with what the run before has left in it. Then the phases of a model of 100, 200 and 400 layers, which must grow as
the layers do.
"""
import argparse
import os
import pathlib
import re
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
IMAGES = ["--dim", "H=224", "--dim", "W=224"]
CASES = {
    "lenet": ["lenet.nn", "--weights", "examples/lenet.safetensors"],
    "mlp": ["mlp.nn"],
    "cifarnet": ["cifarnet.nn"],
    "textclassifier": ["textclassifier.nn"],
    "resnet18": ["resnet.nn", "--model", "ResNet18", *IMAGES],
    "resnet50": ["resnet.nn", "--model", "ResNet50", *IMAGES],
    "resnet50, any size": ["resnet.nn", "--model", "ResNet50"],
    "vit": ["vit.nn"],
    "bert": ["bert.nn"],
    "gpt2": ["gpt2.nn"],
    "llama": ["llama.nn"],
    "translation": ["translation.nn"],
}
DEEP = """
model Deep(depth: int = 200) {
  layers = [[Linear(64, 64), relu, LayerNorm(64)] for _ in 0..depth]
  fn forward(x: float[B, 64]) -> float[B, 64] requires B in 1..=64 = layers(x)
}
"""
PHASES = ["check", "weights", "optimize", "prepare", "kernels", "assemble"]


def run(nnc, arguments, repeat, cache):
    """Median milliseconds per phase and of the process, in the cache that `cache` makes for each run."""
    rows, walls = [], []
    for _ in range(repeat):
        environment = {**os.environ, "NNC_CACHE_DIR": cache()}
        start = time.perf_counter()
        done = subprocess.run([nnc, *arguments, "--timing"], cwd=ROOT, capture_output=True, text=True, env=environment)
        walls.append((time.perf_counter() - start) * 1e3)
        if done.returncode:
            return None, done.stderr.strip().splitlines()[0]
        rows.append({m[0]: float(m[1]) for m in re.findall(r"^(\w+) +([\d.]+) ms$", done.stderr, re.M)})
    return {p: statistics.median(r.get(p, 0) for r in rows) for p in PHASES}, statistics.median(walls)


def counts(nnc_run, path):
    """Launches of all entry points, distinct kernels, and what the weights take."""
    info = subprocess.run([nnc_run, path, "--info"], capture_output=True, text=True).stdout
    launches = sum(map(int, re.findall(r"\((\d+) kernels?,", info)))
    head = re.search(r"(\d+) distinct kernels?, \d+ weights? \((.*?)\)", info)
    return launches, head[1] if head else "?", head[2] if head else "?"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--target", default="cpu,cuda")
    parser.add_argument("--arch", default="sm_90a,sm_80")
    parser.add_argument("--only", default=",".join(CASES))
    args = parser.parse_args()
    nnc, nnc_run = (args.build.resolve() / "bin" / name for name in ("nnc", "nnc-run"))
    print(f"{'model':<20}{'target':<7}{'launches':>9}{'distinct':>9}{'weights':>11}" + "".join(f"{p:>10}" for p in PHASES)
          + f"{'process':>10}{'cached':>10}")
    with tempfile.TemporaryDirectory() as folder:
        for name in filter(CASES.get, args.only.split(",")):
            for target in args.target.split(","):
                out = f"{folder}/model.bin"
                arguments = [f"examples/{CASES[name][0]}", *CASES[name][1:], "--target", target, "-o", out]
                arguments += ["--arch", args.arch] if target == "cuda" else []
                kept = tempfile.mkdtemp(dir=folder)
                phases, wall = run(nnc, arguments, args.repeat, lambda: tempfile.mkdtemp(dir=folder))
                if phases is None:
                    print(f"{name:<20}{target:<7} {wall}", flush=True)
                    continue
                run(nnc, arguments, 1, lambda: kept)
                _, cached = run(nnc, arguments, args.repeat, lambda: kept)
                launches, distinct, weights = counts(nnc_run, out)
                print(f"{name:<20}{target:<7}{launches:>9}{distinct:>9}{weights:>11}"
                      + "".join(f"{phases[p]:>10.1f}" for p in PHASES) + f"{wall:>10.1f}{cached:>10.1f}", flush=True)
        deep = pathlib.Path(folder) / "deep.nn"
        deep.write_text(DEEP)
        for depth in (100, 200, 400):
            phases, wall = run(nnc, [str(deep), "--set", f"depth={depth}", "--target", "cpu", "-o", f"{folder}/deep.bin"],
                               args.repeat, lambda: "")
            print(f"{f'{depth} layers':<20}{'cpu':<36}" + ("".join(f"{phases[p]:>10.1f}" for p in PHASES) + f"{wall:>10.1f}"
                                                      if phases else str(wall)), flush=True)


if __name__ == "__main__":
    main()
