#!/usr/bin/env python3
"""Times the compiler on the examples: from `.nn` to `model.bin`, per phase, and start to end.

    python3 bench/compile.py [--build build/release] [--repeat 3] [--target cpu,cuda] [--only bert,llama] [--arch sm_90a]

Prints, as Markdown, one row per example and target: launches of the plan and distinct kernels (equal layers share theirs), the weights,
median milliseconds of each phase as `nnc --timing` reports them, and of the whole process: without the cache of compiled
code, and with what the run before has left in it. Then the phases of a model of 100, 200 and 400 layers, which must grow as
the layers do.
"""
import argparse
import array
import json
import os
import pathlib
import random
import re
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
IMAGES = ["--dim", "H=224", "--dim", "W=224"]
CHECKPOINT = "--weights"  # of models that ask for one: its file is made here
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
    "gpt2": ["gpt2.nn", CHECKPOINT],
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


def write_checkpoint(nnc, source, path):
    """Random f32 weights for the keys that the source declares."""
    keys = subprocess.run([nnc, "keys", source], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    shapes = {k: [int(n) for n in sizes.split(", ")] for k, sizes in re.findall(r"^(\S+) +float\[([\d, ]+)\](?!  state)", keys, re.M)}
    random.seed(0)
    block = array.array("f", (random.gauss(0, 0.02) for _ in range(1 << 18))).tobytes()
    header, offset = {}, 0
    for key, shape in shapes.items():
        size = 4
        for axis in shape:
            size *= axis
        header[key] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _ in range(offset // len(block)):
            file.write(block)
        file.write(block[: offset % len(block)])


def cells(*values):
    return "| " + " | ".join(f"{v:.{1 if v < 1000 else 0}f}" if isinstance(v, float) else str(v) for v in values) + " |"


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
    parser.add_argument("--deep", default="100,200,400", help="layers of the synthetic models")
    parser.add_argument("--only", default=",".join(CASES))
    args = parser.parse_args()
    nnc, nnc_run = (args.build.resolve() / "bin" / name for name in ("nnc", "nnc-run"))
    head = ["model", "target", "launches", "distinct", "weights", *PHASES, "process", "cached"]
    print(cells(*head), cells(*["---"] * len(head)), sep="\n", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in filter(CASES.get, args.only.split(",")):
            source, *options = CASES[name]
            if options == [CHECKPOINT]:
                options.append(f"{folder}/weights.safetensors")
                write_checkpoint(nnc, f"examples/{source}", options[-1])
            for target in args.target.split(","):
                out = f"{folder}/model.bin"
                arguments = [f"examples/{source}", *options, "--target", target, "-o", out]
                arguments += ["--arch", args.arch] if target == "cuda" else []
                kept = tempfile.mkdtemp(dir=folder)
                phases, wall = run(nnc, arguments, args.repeat, lambda: tempfile.mkdtemp(dir=folder))
                if phases is None:
                    print(cells(name, target, wall), flush=True)
                    continue
                run(nnc, arguments, 1, lambda: kept)
                _, cached = run(nnc, arguments, args.repeat, lambda: kept)
                print(cells(name, target, *counts(nnc_run, out), *phases.values(), wall, cached), flush=True)
        deep = pathlib.Path(folder) / "deep.nn"
        deep.write_text(DEEP)
        for depth in map(int, filter(None, args.deep.split(","))):
            arguments = [str(deep), "--set", f"depth={depth}", "--target", "cpu", "-o", f"{folder}/deep.bin"]
            phases, wall = run(nnc, arguments, args.repeat, lambda: "")
            print(cells(f"{depth} layers", "cpu", *[""] * 3, *(phases.values() if phases else []), wall, ""), flush=True)


if __name__ == "__main__":
    main()
