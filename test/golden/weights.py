"""Weights and inputs of the golden tests, the same everywhere: numpy's frozen RandomState, seeded
by the tensor's name.

    python3 weights.py CASE.json OUT.safetensors      # the checkpoint of one golden case

A case (`NAME.json`, written by make.py) lists the checkpoint's keys with shapes; numbers are drawn
here, so that the repository holds no large files and the tests need no PyTorch.
"""
import json
import struct
import sys
import zlib

import numpy as np


def draw(key, shape, dtype):
    """The tensor that is called `key`: small, and of the kind that its name promises."""
    random = np.random.RandomState(zlib.crc32(key.encode()))
    if dtype == "int64":
        return np.zeros(shape, np.int64)
    last = key.rsplit(".", 1)[-1]
    if last == "running_var":
        return random.uniform(0.5, 1.5, shape).astype(np.float32)
    if len(shape) < 2 and last == "weight":  # the scale of a norm
        return random.uniform(0.5, 1.5, shape).astype(np.float32)
    fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else 4
    return (random.standard_normal(shape) / np.sqrt(fan_in)).astype(np.float32)


def draw_all(case):
    """The checkpoint of a case; `scales` says by what to multiply tensors whose key ends so."""
    scales = case.get("scales", {})
    factor = {k: next((f for end, f in scales.items() if k.endswith(end)), None) for k in case["keys"]}
    weights = {k: draw(k, s, t) for k, (s, t) in case["keys"].items()}
    return {k: w if factor[k] is None else w * np.float32(factor[k]) for k, w in weights.items()}


def draw_input(name, spec):
    """An input: normal floats, integers below spec["high"], or masks of rows of spec["lengths"]."""
    random = np.random.RandomState(zlib.crc32(name.encode()) ^ 1)
    if "high" in spec:
        return random.randint(0, spec["high"], spec["shape"]).astype(np.int32)
    if "lengths" in spec:
        return np.arange(spec["shape"][-1]) < np.array(spec["lengths"])[..., None]
    return random.standard_normal(spec["shape"]).astype(np.float32)


NAMES = {"bool": "BOOL", "float32": "F32", "int32": "I32", "int64": "I64"}


def write_safetensors(path, tensors):
    """https://huggingface.co/docs/safetensors: length, JSON header, data."""
    header, offset = {}, 0
    for name, tensor in tensors.items():
        header[name] = {
            "dtype": NAMES[str(tensor.dtype)],
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + tensor.nbytes],
        }
        offset += tensor.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors.values():
            file.write(np.ascontiguousarray(tensor).tobytes())


def main():
    case = json.load(open(sys.argv[1]))
    write_safetensors(sys.argv[2], draw_all(case))


if __name__ == "__main__":
    main()
