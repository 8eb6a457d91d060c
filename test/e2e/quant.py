#!/usr/bin/env python3
"""Compiles one small network with every kind of @quant and compares it with numpy; checks that model.bin shrinks.

    quant.py --bin DIR --target cpu|cuda

What numpy computes is the definition in docs/language.md, written once more. With NNC_CUDA_TWIN set, cuda runs on the
twin.
"""
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "golden")]
import numpy as np  # noqa: E402
from golden_files import read_safetensors  # noqa: E402
from support import Tools, arguments  # noqa: E402
from weights import write_safetensors  # noqa: E402

SOURCE = """{attributes}
model Net() {{
  table = Embedding(50, 96)
  up = Linear(96, 200)
  down = Conv1D(200, 48)
  fn forward(ids: i32[B, 5]) -> float[B, 5, 48] requires B in 1..=4 {{
    return ids |> table |> up |> relu |> down
  }}
}}
"""
E4M3 = np.array([(-1) ** (b >> 7) * (2.0 ** ((b >> 3 & 15) - 7) * (1 + (b & 7) / 8) if b >> 3 & 15 else (b & 7) * 2.0**-9)
                 for b in range(256) if b & 127 != 127])  # fmt: skip


def nearest_f8(x):
    """Round to nearest, ties to even codes, among the finite numbers of e4m3."""
    grid = np.unique(E4M3)
    high = np.clip(np.searchsorted(grid, x), 1, len(grid) - 1)
    low = high - 1
    below, above = x - grid[low], grid[high] - x
    codes = np.array([np.flatnonzero(E4M3 == v)[0] for v in grid])
    return np.where((below < above) | ((below == above) & (codes[low] % 2 == 0)), grid[low], grid[high])


def one_for_zero(scale):
    return np.where(scale > 0, scale, np.float32(1))


def quantize(w, element, group, zero, axis):
    """What reading the quantized weight gives; `axis` is the input's."""
    w = np.moveaxis(w.astype(np.float32), axis, -1)
    step = group or w.shape[-1]
    parts = []
    for first in range(0, w.shape[-1], step):
        part = w[..., first : first + step]
        low, high = np.minimum(part.min(-1, keepdims=True), 0), np.maximum(part.max(-1, keepdims=True), 0)
        largest = np.maximum(-low, high)
        top = np.float32(7 if element == "i4" else 127)
        if element == "f8e4m3":
            scale = one_for_zero(largest / np.float32(448))
            parts.append(nearest_f8(part / scale).astype(np.float32) * scale)
        elif zero:
            scale = one_for_zero((high - low) / (2 * top + 1))
            shift = np.clip(np.rint(-(top + 1) - low / scale), -top - 1, top)
            parts.append((np.clip(np.rint(part / scale) + shift, -top - 1, top) - shift) * scale)
        else:
            scale = one_for_zero(largest / top)
            parts.append(np.clip(np.rint(part / scale), -top, top) * scale)
    return np.moveaxis(np.concatenate(parts, -1), -1, axis)


def round_rows(x, act):
    largest = np.abs(x).max(-1, keepdims=True)
    scale = np.maximum(largest / np.float32(127 if act == "i8" else 448), np.float32(2**-126))
    return (np.rint(x / scale) if act == "i8" else nearest_f8(x / scale).astype(np.float32)) * scale


def reference(weights, ids, element="", group=0, zero=False, act=""):
    read = lambda key, axis: quantize(weights[key], element, group, zero, axis) if element else weights[key]  # noqa: E731
    rows = lambda x: round_rows(x, act) if act else x  # noqa: E731
    x = read("table.weight", 1)[ids]
    x = np.maximum(rows(x) @ read("up.weight", 1).T + weights["up.bias"], 0)
    return rows(x) @ read("down.weight", 0) + weights["down.bias"]


def main():
    args = arguments(__doc__).parse_args()
    tools = Tools(args.bin)
    random = np.random.RandomState(0)
    shapes = {"table.weight": (50, 96), "up.weight": (200, 96), "up.bias": (200,), "down.weight": (200, 48), "down.bias": (48,)}
    weights = {k: (random.standard_normal(s) / 8).astype(np.float32) for k, s in shapes.items()}
    weights["up.weight"][3] = 0  # a row of zeros stays one
    write_safetensors(tools.at / "w.safetensors", weights)
    ids = random.randint(0, 50, (2, 5)).astype(np.int32)
    np.save(tools.at / "ids.npy", ids)
    arch = ["--arch", "sm_80"] if args.target == "cuda" else []
    sizes, files = {}, {}

    def check(name, attributes, **rule):
        (tools.at / "net.nn").write_text(SOURCE.format(attributes=attributes))
        tools.passes("nnc", "net.nn", "--target", args.target, *arch, "--weights", "w.safetensors", "-o", "net.bin")
        tools.passes("nnc-run", "net.bin", "--input", "ids=ids.npy", "--output", "out.safetensors", out=None)
        got = read_safetensors(tools.at / "out.safetensors")["output"]
        wanted = reference(weights, ids, **rule)
        far = np.abs(got - wanted).max() / np.abs(wanted).max()
        # Rounding activations is a step: an f32 sum in another order may land on its other side.
        if not far <= (1e-2 if "act" in rule else 1e-5):
            tools.expect(f"{name}: the distance from numpy", far, 0)
        info = tools.passes("nnc-run", "net.bin", "--info", out=None)
        number, unit = re.search(r"weights \(([0-9.]+) (B|KiB)\)", info).groups()
        sizes[name] = float(number) * (1024 if unit == "KiB" else 1)
        files[name] = (tools.at / "net.bin").stat().st_size

    check("float", "")
    check("i8", '@quant("**", i8)', element="i8")
    check("i4", '@quant("**", i4)', element="i4")
    check("grouped", '@quant("**.weight", i4, group=40, zero=true)', element="i4", group=40, zero=True)
    check("f8", '@quant("*.weight", f8e4m3, group=32)', element="f8e4m3", group=32)
    check("asymmetric", '@quant("*.weight", i8, zero=true)', element="i8", zero=True)
    check("activations", '@quant("*.weight", i8, act=i8)', element="i8", act="i8")
    check("activations8", '@quant("*.weight", f8e4m3, act=f8e4m3)', element="f8e4m3", act="f8e4m3")
    count = sum(w.size for k, w in weights.items() if k.endswith("weight"))
    for name, bytes_each in {"i8": 1, "i4": 0.5, "f8": 1}.items():
        # Scales, and in the file their names and other code, take some of it back.
        for what, size in {"weights": sizes, "file": files}.items():
            if what == "file" and args.target == "cuda":
                continue  # the float network needs the library only, this one has kernels with their sources
            saved = size["float"] - size[name]
            if saved < count * (4 - bytes_each) * 0.75:
                tools.expect(f"{name}: bytes saved of the {what}", saved, int(count * (4 - bytes_each)))
    tools.finish()


if __name__ == "__main__":
    main()
