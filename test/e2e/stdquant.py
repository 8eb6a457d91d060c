#!/usr/bin/env python3
"""The layers of std.quant on checkpoints that are quantized already, against PyTorch (test/golden/make_quantized.py).

    stdquant.py --bin DIR --target cpu|cuda

With NNC_CUDA_TWIN set, cuda runs on the twin.
"""
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "golden")]
import numpy as np  # noqa: E402
from golden_files import read_raw  # noqa: E402
from support import Tools, arguments  # noqa: E402

GOLDEN = HERE.parent / "golden/quantized.safetensors"
SOURCE = """import std.quant as q
import std.quant (AWQLinear, GPTQLinear)

@weights("{}", prefix="net.", ignore=["**.weight_format", "x", {}])
{}model Net(n: int = 48, m: int = 24) {{
  awq = AWQLinear(n, m, group=16)
  gptq = GPTQLinear(n, m, bias=false, group=16)
  ordered = GPTQLinear(n, m, bias=false, group=16)
  ragged = GPTQLinear(n, m, bias=false, group=20)
  whole = GPTQLinear(n, m, bias=false, group=-1)
  second = GPTQLinear(n, m, bias=false, group=16, zero_offset=0)
  eight = GPTQLinear(n, m, bias=false, group=16, bits=8)
  int8 = q.Int8Linear(n, m)
  bnb = q.BitsAndBytesLinear(n, m, bias=false)

  fn forward(x: float[B, n])
    -> (awq: float[B, m], gptq: float[B, m], ordered: float[B, m], ragged: float[B, m], whole: float[B, m],
        second: float[B, m], eight: float[B, m], int8: float[B, m], bnb: float[B, m])
  requires B in 1..=8 =
    (awq(x), gptq(x), ordered(x), ragged(x), whole(x), second(x), eight(x), int8(x), bnb(x))
}}
"""
NAMES = ["awq", "gptq", "ordered", "ragged", "whole", "second", "eight", "int8", "bnb"]


def main():
    args = arguments(__doc__).parse_args()
    tools = Tools(args.bin)
    golden = {name: array for name, (_, array) in read_raw(GOLDEN).items()}
    np.save(tools.at / "x.npy", golden["x"])
    arch = ["--arch", "sm_80"] if args.target == "cuda" else []
    ignored = ", ".join(f'"{name}"' for name in NAMES)
    for precision, bound in [("", 1e-5), ("@precision(f16)\n", 5e-3)]:
        (tools.at / "net.nn").write_text(SOURCE.format(GOLDEN, ignored, precision))
        tools.passes("nnc", "net.nn", "--target", args.target, *arch, "-o", "m.bin")
        tools.passes("nnc-run", "m.bin", "--input", "x=x.npy", "--output", "out.safetensors", out=None)
        got = read_raw(tools.at / "out.safetensors")
        for name in NAMES:
            found, wanted = got[name][1].astype(np.float32), golden[name]
            error = np.abs(found - wanted).max() / np.abs(wanted).max()
            if not error < bound:
                tools.expect(f"{name} {precision}", float(error), f"less than {bound}")
    tools.finish()


if __name__ == "__main__":
    main()
