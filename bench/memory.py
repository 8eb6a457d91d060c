#!/usr/bin/env python3
"""Memory of the compiler on a checkpoint of 2.5 GB: a Llama of random weights, written to a temporary folder.

    python3 bench/memory.py [--build build/release] [--folder /tmp] [--arch sm_90a]

Prints one row per target and option: bytes of the checkpoint and of model.bin, the largest resident set of the process
(`ru_maxrss`, which counts the pages of mapped files as well) and its ratio to the checkpoint, and seconds. Needs numpy and
10 GB of disk.
"""
import argparse
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import time

import numpy

ROOT = pathlib.Path(__file__).resolve().parent.parent
VOCAB, DIM, FFN, KEYS = 32_000, 2048, 5632, 256
TYPES = {"F32": 4, "BF16": 2}


def shapes(depth):
    """Hugging Face's keys of examples/llama.nn at its default sizes."""
    yield "model.embed_tokens.weight", (VOCAB, DIM)
    for i in range(depth):
        at = f"model.layers.{i}."
        yield at + "input_layernorm.weight", (DIM,)
        for name, rows in (("q", DIM), ("k", KEYS), ("v", KEYS), ("o", DIM)):
            yield at + f"self_attn.{name}_proj.weight", (rows, DIM)
        yield at + "post_attention_layernorm.weight", (DIM,)
        for name, shape in (("gate", (FFN, DIM)), ("up", (FFN, DIM)), ("down", (DIM, FFN))):
            yield at + f"mlp.{name}_proj.weight", shape
    yield "model.norm.weight", (DIM,)
    yield "lm_head.weight", (VOCAB, DIM)


def write_checkpoint(path, dtype, depth):
    """Random weights of the type; returns the size of the file."""
    header, end = {}, 0
    for name, shape in shapes(depth):
        size = int(numpy.prod(shape)) * TYPES[dtype]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    random = numpy.random.default_rng(0)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, shape in shapes(depth):
            values = random.standard_normal(int(numpy.prod(shape)), dtype=numpy.float32) * 0.02
            if dtype == "BF16":
                values = (values.view(numpy.uint32) >> 16).astype(numpy.uint16)
            file.write(values)
    return path.stat().st_size


def peak_of(command):
    """Largest resident set and seconds of a command that succeeds."""
    started = time.time()
    child = subprocess.Popen(command)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"failed: {' '.join(map(str, command))}")
    return usage.ru_maxrss * 1024, time.time() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--folder")
    parser.add_argument("--arch", default="sm_90a")
    args = parser.parse_args()
    targets = {"cpu": ["--target", "cpu"], "cuda": ["--target", "cuda", "--arch", args.arch]}
    source = (ROOT / "examples/llama.nn").read_text()
    print("| checkpoint | model | target | checkpoint, GB | model.bin, GB | peak, GB | ratio | s |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        at = pathlib.Path(folder)
        attributes = {"f32": "", "bf16": "@precision(bf16)\n", "mlp in i4": '@quant("**.mlp.*.weight", i4, group=128)\n'}
        for name, attribute in attributes.items():
            (at / f"{name}.nn").write_text(source.replace("\nmodel Llama(", f"\n{attribute}model Llama("))
        for dtype, depth, models in (("F32", 11, ["f32", "mlp in i4"]), ("BF16", 25, ["f32", "bf16"])):
            size = write_checkpoint(at / "w.safetensors", dtype, depth)
            for model in models:
                for target, options in targets.items():
                    for external in [[], ["--external-weights"]] if (dtype, model) == ("F32", "f32") else [[]]:
                        command = [args.build / "bin/nnc", at / f"{model}.nn", "--weights", at / "w.safetensors", "--no-cache"]
                        command += ["--set", f"depth={depth}", *options, *external, "-o", at / "out.bin"]
                        peak, seconds = peak_of(command)
                        written = (at / "out.bin").stat().st_size
                        print(f"| {dtype} | {model} | {' '.join([target, *external])} | {size / 1e9:.2f} | {written / 1e9:.3f} "
                              f"| {peak / 1e9:.2f} | {peak / size:.2f} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
