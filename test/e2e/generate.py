#!/usr/bin/env python3
"""Compiles one generating model and compares with PyTorch: the logits after a prompt, then every token
that examples/generate.cpp writes.

    generate.py CASE --bin DIR --target cpu|cuda [--arch sm_80] [--tolerance NAME] [--tokens N]

DIR holds nnc, nnc-run and generate. With NNC_CUDA_TWIN set, cuda runs on the twin.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import golden as cases
from support import arguments


def write_config(config, folder):
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    return ["--config", folder / "config.json"]


def compile_with_both(compile, config, folder):
    """With the configuration and with that of transformers 4, where the frequencies' base stands outside."""
    scaling = dict(config["rope_parameters"])
    older = config | {"rope_theta": scaling.pop("rope_theta"), "rope_scaling": scaling}
    del older["rope_parameters"]
    models = []
    for each in config, older:
        subprocess.run(compile + write_config(each, folder), check=True)
        models.append((folder / "model.bin").read_bytes())
    if models[0] != models[1]:
        sys.exit("the configurations of transformers 4 and 5 give different models")


def main():
    parser = arguments(__doc__, "case")
    parser.add_argument("--tolerance")
    parser.add_argument("--tokens", type=int)
    args = parser.parse_args()
    case = json.loads((cases.TEST / "golden" / f"{args.case}.json").read_text())
    tolerance = json.loads((cases.TEST / "tolerances.json").read_text())[args.tolerance or f"{args.target}_f32"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        cases.golden.write_safetensors(folder / "w.safetensors", cases.golden.draw_all(case))
        source, *options = case["options"]
        compile = [args.bin / "nnc", cases.EXAMPLES / source, *options, "--weights", folder / "w.safetensors"]
        compile += ["--target", args.target, "-o", folder / "model.bin"]
        compile += ["--arch", args.arch] if args.target == "cuda" else []
        if "config" in case:
            compile_with_both(compile, case["config"], folder)
        else:
            subprocess.run(compile, check=True)
        paths = cases.split_io(case, args.case, folder)
        command = [args.bin / "nnc-run", folder / "model.bin", "--input", f"ids={paths['ids']}"]
        command += ["--compare", paths["output"]]
        command += ["--rtol", str(tolerance["rtol"]), "--atol", str(tolerance["atol"])]
        subprocess.run(command, check=True)
        count = args.tokens or len(case["tokens"])
        command = [args.bin / "generate", folder / "model.bin", str(count), *map(str, case["prompt"])]
        written = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        tokens = list(map(int, written.split()))
        if tokens != case["tokens"][:count]:
            sys.exit(f"expected {case['tokens'][:count]}, found {tokens}")


if __name__ == "__main__":
    main()
