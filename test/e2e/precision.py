#!/usr/bin/env python3
"""Compiles one golden case under @precision and compares its distance from the f64 reference with PyTorch's own.

    precision.py CASE bf16|f16 --bin DIR --target cpu|cuda [--arch sm_80]

The distance of y from r is |y - r| / |r|; the case's JSON holds PyTorch's in each precision (make.py). tolerances.json
says how many times that nnc's may be. With NNC_CUDA_TWIN set, cuda runs on the twin.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TEST = HERE.parent
EXAMPLES = TEST.parent / "examples"
sys.path.insert(0, str(TEST / "golden"))
import numpy as np  # noqa: E402
import weights as golden  # noqa: E402
from golden_files import read_safetensors  # noqa: E402


def with_precision(source, model, precision):
    """The source with `@precision` at the model (the only one if no name is given)."""
    text = (EXAMPLES / source).read_text()
    pattern = rf"^model {model}\b" if model else r"^model \w+"
    changed, count = re.subn(pattern, lambda found: f"@precision({precision})\n{found[0]}", text, flags=re.M)
    assert count == 1, f"{source} has {count} models {model or ''}"
    return changed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case")
    parser.add_argument("precision")
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--target", default="cpu")
    parser.add_argument("--arch", default="sm_80")
    args = parser.parse_args()
    case = json.loads((TEST / "golden" / f"{args.case}.json").read_text())
    tolerance = json.loads((TEST / "tolerances.json").read_text())["narrow_floats"]
    tensors = read_safetensors(TEST / "golden" / f"{args.case}.safetensors")
    source, *options = case["options"]
    model = options[options.index("--model") + 1] if "--model" in options else None
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        checkpoint = EXAMPLES / case["weights"] if "weights" in case else folder / "w.safetensors"
        if "weights" not in case:
            golden.write_safetensors(checkpoint, {k: golden.draw(k, s, t) for k, (s, t) in case["keys"].items()})
        (folder / source).write_text(with_precision(source, model, args.precision))
        command = [args.bin / "nnc", folder / source, *options, "--weights", checkpoint]
        command += ["--target", args.target, "-o", folder / "model.bin"]
        command += ["--arch", args.arch] if args.target == "cuda" else []
        subprocess.run(command, check=True)
        command = [args.bin / "nnc-run", folder / "model.bin", "--output", folder / "out.safetensors"]
        for name in case["inputs"]:
            np.save(folder / f"{name}.npy", tensors[name])
            command += ["--input", f"{name}={folder / name}.npy"]
        subprocess.run(command, check=True)
        outputs = read_safetensors(folder / "out.safetensors")
    failed = False
    for name, theirs in case["distance"][args.precision].items():
        reference = tensors[name].astype(np.float64)
        found = outputs[name] if name in outputs else outputs["output"]  # an only result without a name
        ours = float(np.linalg.norm(found - reference) / np.linalg.norm(reference))
        wrong = not ours <= tolerance["times"] * theirs
        failed |= wrong
        print(f"{args.case} {args.precision} {name}: distance {ours:.3g}, PyTorch's {theirs:.3g}{', too far' if wrong else ''}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
