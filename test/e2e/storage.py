#!/usr/bin/env python3
"""Params, inputs and results of the storage types (f8e4m3, f8e5m2, i8, i4) against numpy.

    storage.py --bin DIR --target cpu|cuda

With NNC_CUDA_TWIN set, cuda runs on the twin.
"""
import json
import pathlib
import struct
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "golden")]
import numpy as np  # noqa: E402
from golden_files import read_raw  # noqa: E402
from support import Tools, arguments  # noqa: E402

SOURCE = """model Storage() {
  param a: f8e4m3[40, 24]
  param b: f8e5m2[24, 40]
  param c: i8[24, 40]
  param d: i4[24, 33]
  param e: i4[6, 24, 1, 1]
  param t: i4[30, 24]
  param words: i4[3, 5, 8]  # i32[3, 5] in the file
  fn forward(x: float[B, 24], ids: i32[B], small: f8e4m3[B, 24])
    -> (a: float[B, 40], b: float[B, 40], c: float[B, 40], d: float[B, 33], e: float[B, 6],
        t: float[B, 24], u: f8e5m2[B, 24], v: i8[B, 24], w: i32[24, 24], y: f8e4m3[B, 24],
        z: float[B, 5])
  requires B in 1..=8 {
    image = x[:, :, none, none]
    return x @ a.T, x @ b, einsum("b k, k n -> b n", x, c), x @ d, conv2d(image, e)[:, :, 0, 0],
           float(t[ids]), f8e5m2(x * 1000), i8(x * 50), c @ c.T, f8e4m3(float(small) * 3),
           x @ rearrange(words, "k n e -> (k e) n")
  }
}
"""


def f8_values(exponent_bits, fraction_bits, has_infinity):
    """The value of each of the 256 codes."""
    bias, values = 2 ** (exponent_bits - 1) - 1, []
    for code in range(256):
        exponent, fraction = code >> fraction_bits & (2**exponent_bits - 1), code & (2**fraction_bits - 1)
        value = 2.0 ** (exponent - bias) * (1 + fraction / 2**fraction_bits) if exponent else fraction * 2.0 ** (1 - bias - fraction_bits)
        if has_infinity and exponent == 2**exponent_bits - 1:
            value = np.nan if fraction else np.inf
        if not has_infinity and code & 127 == 127:
            value = np.nan
        values.append(-value if code >> 7 else value)
    return np.array(values, np.float32)


E4M3, E5M2 = f8_values(4, 3, False), f8_values(5, 2, True)


def to_f8(x, values, too_large):
    """The nearest code, ties to even; from `too_large` on the code of what is beyond the largest."""
    positive = values[:128][np.isfinite(values[:128])]
    magnitude = np.abs(x)
    high = np.clip(np.searchsorted(positive, magnitude), 1, len(positive) - 1)
    low = high - 1
    below, above = magnitude - positive[low], positive[high] - magnitude
    code = np.where((below < above) | ((below == above) & (low % 2 == 0)), low, high)
    code = np.where(magnitude >= too_large, len(positive), code)
    return (code | np.where(np.signbit(x), 128, 0)).astype(np.uint8)


def unpack(bytes, columns):
    both = np.stack([(bytes.astype(np.int8) << 4).astype(np.int8) >> 4, bytes.astype(np.int8) >> 4], -1)
    return both.reshape(*bytes.shape[:-1], -1)[..., :columns].astype(np.float32)


def write(path, tensors):
    header, offset = {}, 0
    for name, (dtype, array) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(a.tobytes() for _, a in tensors.values()))


def main():
    args = arguments(__doc__).parse_args()
    tools = Tools(args.bin)
    random = np.random.RandomState(0)
    codes = lambda *shape: random.randint(0, 256, shape).astype(np.uint8)  # noqa: E731
    a, b = codes(40, 24) & 0xBF, codes(24, 40) & 0xBF  # no huge numbers, no NaN
    c, d = codes(24, 40).view(np.int8), codes(24, 17)
    e, t = codes(6, 24, 1, 1) & 15, codes(30, 12).view(np.int8)
    checkpoint = {"a": ("F8_E4M3", a), "b": ("F8_E5M2", b), "c": ("I8", c), "d": ("U8", d), "e": ("U8", e), "t": ("I8", t)}
    words = random.randint(-(2**31), 2**31, (3, 5)).astype(np.int32)
    checkpoint["words"] = ("I32", words)
    nibbles = unpack(words.view(np.uint8).reshape(3, 5, 4), 8)  # little-endian: the low bits first
    x = random.standard_normal((3, 24)).astype(np.float32)
    write(tools.at / "w.safetensors", checkpoint)
    x[0, :6] = [0.3, 0.0625, 61.44, -100, 2**-16, 1e-9]
    ids, small = np.array([0, 29, 7], np.int32), codes(3, 24) & 0xBF
    write(tools.at / "in.safetensors", {"x": ("F32", x), "ids": ("I32", ids), "small": ("F8_E4M3", small)})
    (tools.at / "storage.nn").write_text(SOURCE)
    arch = ["--arch", "sm_80"] if args.target == "cuda" else []
    tools.passes("nnc", "storage.nn", "--target", args.target, *arch, "--weights", "w.safetensors", "-o", "m.bin")
    tools.passes("nnc-run", "m.bin", "--input", "in.safetensors", "--output", "out.safetensors", out=None)
    got = read_raw(tools.at / "out.safetensors")
    small_values = E4M3[small]
    wanted = {
        "a": ("F32", x @ E4M3[a].T),
        "b": ("F32", x @ E5M2[b]),
        "c": ("F32", x @ c.astype(np.float32)),
        "d": ("F32", x @ unpack(d, 33)),
        "e": ("F32", x @ unpack(e, 1).reshape(6, 24).T),
        "t": ("F32", unpack(t, 24)[ids]),
        "u": ("F8_E5M2", to_f8(x * np.float32(1000), E5M2, 61440)),
        "v": ("I8", np.clip(np.trunc(x * np.float32(50)), -128, 127).astype(np.int8)),
        "w": ("I32", c.astype(np.int32) @ c.astype(np.int32).T),
        "z": ("F32", x @ nibbles.transpose(0, 2, 1).reshape(24, 5)),
        "y": ("F8_E4M3", to_f8(small_values * np.float32(3), E4M3, 464.0001)),
    }
    inside = np.abs(x * 50) < 127  # what does not fit is unspecified
    for name, (dtype, values) in wanted.items():
        kind, found = got[name]
        tools.expect(f"type of {name}", kind, dtype)
        if name == "v":
            found, values = found[inside], values[inside]
        same = np.allclose(found, values, rtol=1e-5, atol=1e-5 * np.abs(values).max()) if dtype == "F32" else (found == values).all()
        if not same:
            tools.expect(f"values of {name}", found.tolist(), values.tolist())
    tools.finish()


if __name__ == "__main__":
    main()
