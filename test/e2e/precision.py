#!/usr/bin/env python3
"""Compiles one golden case in another precision and compares its distance from the f64 reference with PyTorch's own.

    precision.py CASE bf16|f16 --bin DIR --target cpu|cuda [--arch sm_80]

The distance of y from r is |y - r| / |r|; the case's JSON holds PyTorch's in each precision (make.py). tolerances.json
says how many times that nnc's may be. With NNC_CUDA_TWIN set, cuda runs on the twin.
"""
import json
import pathlib
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
from support import arguments  # noqa: E402


def main():
    args = arguments(__doc__, "case", "precision").parse_args()
    case = json.loads((TEST / "golden" / f"{args.case}.json").read_text())
    tolerance = json.loads((TEST / "tolerances.json").read_text())["narrow_floats"]
    tensors = read_safetensors(TEST / "golden" / f"{args.case}.safetensors")
    source, *options = case["options"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        checkpoint = EXAMPLES / case["weights"] if "weights" in case else folder / "w.safetensors"
        if "weights" not in case:
            golden.write_safetensors(checkpoint, {k: golden.draw(k, s, t) for k, (s, t) in case["keys"].items()})
        command = [args.bin / "nnc", EXAMPLES / source, *options, "--weights", checkpoint]
        command += ["--precision", args.precision]
        command += ["--target", args.target, "-o", folder / "model.bin"]
        command += ["--arch", args.arch] if args.target == "cuda" else []
        subprocess.run(command, check=True)
        command = [args.bin / "nnc-run", folder / "model.bin", "--output", folder / "out.safetensors"]
        command += ["--entry", case["entry"]] if "entry" in case else []
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
