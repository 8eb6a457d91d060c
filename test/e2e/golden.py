#!/usr/bin/env python3
"""Compiles one golden case and compares its outputs with PyTorch's.

    golden.py CASE --bin DIR --target cpu|cuda [--arch sm_80] [--tolerance NAME]

DIR holds nnc and nnc-run. Weights are drawn into a temporary folder by test/golden/weights.py. With
NNC_CUDA_TWIN set, cuda runs on the twin.
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
import weights as golden  # noqa: E402
from support import arguments  # noqa: E402


def split_io(case, name, folder):
    """Writes inputs and expected outputs of NAME.safetensors as .npy files; returns their paths."""
    import numpy as np

    data = (TEST / "golden" / f"{name}.safetensors").read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    paths = {}
    for key, entry in header.items():
        first, last = (8 + size + o for o in entry["data_offsets"])
        dtype = {"F32": np.float32, "I32": np.int32, "BOOL": np.bool_}[entry["dtype"]]
        paths[key] = folder / f"{key}.npy"
        np.save(paths[key], np.frombuffer(data[first:last], dtype).reshape(entry["shape"]))
    return paths


def main():
    parser = arguments(__doc__, "case")
    parser.add_argument("--tolerance")
    args = parser.parse_args()
    case = json.loads((TEST / "golden" / f"{args.case}.json").read_text())
    tolerance = json.loads((TEST / "tolerances.json").read_text())[args.tolerance or f"{args.target}_f32"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        checkpoint = EXAMPLES / case["weights"] if "weights" in case else folder / "w.safetensors"
        if "weights" not in case:
            golden.write_safetensors(checkpoint, {k: golden.draw(k, s, t) for k, (s, t) in case["keys"].items()})
        model = folder / "model.bin"
        source, *options = case["options"]
        sources = TEST / "golden" if source.startswith("ops/") else EXAMPLES
        command = [args.bin / "nnc", sources / source, *options, "--weights", checkpoint]
        command += ["--target", args.target, "-o", model]
        command += ["--arch", args.arch] if args.target == "cuda" else []
        command += ["--entry", case["entry"]] if "entry" in case else []
        subprocess.run(command, check=True)
        paths = split_io(case, args.case, folder)
        command = [args.bin / "nnc-run", model]
        command += ["--entry", case["entry"]] if "entry" in case else []
        for name in case["inputs"]:
            command += ["--input", f"{name}={paths[name]}"]
        for name in case["outputs"]:
            command += ["--compare", f"{name}={paths[name]}"]
        command += ["--rtol", str(tolerance["rtol"]), "--atol", str(tolerance["atol"])]
        sys.exit(subprocess.run(command).returncode)


if __name__ == "__main__":
    main()
