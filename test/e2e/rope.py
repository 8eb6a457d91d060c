#!/usr/bin/env python3
"""The prelude's rotary embedding against rotations of complex numbers in f64: rope.py --bin DIR."""
import argparse
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import numpy as np  # noqa: E402
from support import Tools  # noqa: E402

SOURCE = """model Net {
  fn forward(x: float[B, 2, T, 16], pos: i32[])
    -> (half: float[B, 2, T, 16], pairs: float[B, 2, T, 16], linear: float[B, 2, T, 16],
        llama3: float[B, 2, T, 16])
  requires B in 1..=4, T in 1..=64, pos >= 0 {
    return rope(x, pos), rope(x, pos, 500.0, pairing="interleaved"), rope(x, pos, 500.0, rope_linear(4.0)),
           rope(x, pos, scaling=rope_scaling("llama3", 8.0, 1.0, 4.0, 32), theta=500.0)
  }
}
"""


def llama3(frequencies, factor, low, high, length):
    """As the three cases of Llama 3.1's own code."""
    result = []
    for frequency in frequencies:
        wavelength = 2 * np.pi / frequency
        if wavelength < length / high:
            result.append(frequency)
        elif wavelength > length / low:
            result.append(frequency / factor)
        else:
            smooth = (length / wavelength - low) / (high - low)
            result.append((1 - smooth) * frequency / factor + smooth * frequency)
    return np.array(result)


def rotate(x, first, second, position, frequencies):
    """`first` and `second` are the places of the pairs."""
    turned = (x[..., first] + 1j * x[..., second]) * np.exp(1j * np.outer(position, frequencies))
    result = np.empty_like(x)
    result[..., first], result[..., second] = turned.real, turned.imag
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    tools = Tools(parser.parse_args().bin)
    x = np.random.RandomState(0).standard_normal((2, 2, 5, 16)).astype(np.float32)
    np.save(tools.at / "x.npy", x)
    np.save(tools.at / "pos.npy", np.array(7, np.int32))
    (tools.at / "net.nn").write_text(SOURCE)
    tools.passes("nnc", "net.nn", "--target", "cpu", "-o", "m.bin")
    x, position = x.astype(np.float64), 7 + np.arange(5)
    of = lambda theta: theta ** (-np.arange(8) / 8)  # noqa: E731
    halves, pairs = (np.arange(8), np.arange(8, 16)), (np.arange(0, 16, 2), np.arange(1, 16, 2))
    scaled = llama3(of(500.0), 8, 1, 4, 32)
    assert len({*scaled / of(500.0)} - {1, 1 / 8}) > 0, "each of the three cases occurs"
    wanted = {
        "half": rotate(x, *halves, position, of(1e4)),
        "pairs": rotate(x, *pairs, position, of(500.0)),
        "linear": rotate(x, *halves, position, of(500.0) / 4),
        "llama3": rotate(x, *halves, position, scaled),
    }
    compared = []
    for name, values in wanted.items():
        np.save(tools.at / f"{name}.npy", values.astype(np.float32))
        compared += ["--compare", f"{name}={name}.npy"]
    compared += ["--rtol", "1e-5", "--atol", "1e-5"]
    tools.passes("nnc-run", "m.bin", "--input", "x=x.npy", "--input", "pos=pos.npy", *compared, out=None)
    tools.finish()


if __name__ == "__main__":
    main()
