"""`nnc --tune` from measuring to replaying, and lock files that are wrong.

    tune.py BIN TWIN
"""
import os
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from support import Tools

MODEL = """model Tiny() {
  fc = Linear(32, 24)
  head = Linear(24, 10)

  fn forward(x: float[B, 32]) -> float[B, 10] requires B in 1..=64 {
    return x |> fc |> tanh |> head
  }
}
"""
HEAD = "# nnc tune 1\n# kernel | architecture | GPU | choice | microseconds\n"


def main():
    tools = Tools(sys.argv[1])
    twin = {"env": {**os.environ, "NNC_CUDA_TWIN": str(pathlib.Path(sys.argv[2]).resolve())}}
    (tools.at / "tiny.nn").write_text(MODEL)
    lock = tools.at / "tiny.tune"

    # Measured: a table, a sorted file, and the model that it leads to.
    table = tools.passes("nnc", "tiny.nn", "--tune=600", "-o", "tuned.bin", out=None, **twin)
    lines = table.splitlines()
    tools.expect("sizes", lines[0], "tuned at B = 64: say `--dim` for other sizes")
    keys = ["contraction f32 64x10x24 kk", "contraction f32 64x24x32 kk", "product f32 64x10x24 nt", "product f32 64x24x32 nt"]
    tools.expect("kernels in the table", sorted(line[:56].strip() for line in lines[2:]), keys)
    text = lock.read_text()
    tools.expect("head", text.startswith(HEAD), True)
    rows = [line.split(" | ") for line in text[len(HEAD):].splitlines()]
    done = {row[0]: row[3] for row in rows}
    used = [keys[tile] for tile in (0, 1) if done.get(keys[tile + 2]) == "kernel"] + keys[2:]
    tools.expect("lines: products, and tiles of those that are kernels", [row[0] for row in rows], used)
    tools.expect("architectures", {row[1] for row in rows}, {"sm_90a"})
    for key, choice in done.items():
        tools.expect(key, bool(re.fullmatch("library|kernel" if key in keys[2:] else r"GemmTile<\d+(, \d+){4}>|FmaTile<\d+(, \d+){5}>", choice)), True)

    # Replayed: beside the model and by name, bit for bit, and the same code without a GPU.
    fixed = ("tiny.nn", "--target", "cuda", "--arch", "sm_90a", "--dim", "B=64")
    tools.passes("nnc", *fixed, "--tune=0.001", "-o", "first.bin", out=None, **twin)
    tools.passes("nnc", *fixed, "-o", "second.bin", **twin)
    tools.expect("replayed model.bin", (tools.at / "first.bin").read_bytes() == (tools.at / "second.bin").read_bytes(), True)
    with_gpu = tools.passes("nnc", *fixed, "--emit=cuda", "-o", "-", out=None, **twin)
    tools.expect("code without a GPU", tools.passes("nnc", *fixed, "--emit=cuda", "-o", "-", out=None), with_gpu)

    # Choices are followed: every tile, and who does a product.
    def emitted(choices, *options):
        (tools.at / "chosen.tune").write_text(HEAD + "".join(f"{key} | sm_90a | G | {choice} | 1\n" for key, choice in choices))
        return tools.passes("nnc", *fixed, "--lock", "chosen.tune", *options, "-o", "-", out=None)

    own = [(keys[2], "kernel"), (keys[3], "kernel")]
    code = emitted([(keys[0], "GemmTile<8, 64, 8, 2, 4>"), (keys[1], "FmaTile<32, 32, 2, 1, 4, 2>"), *own], "--emit=cuda")
    tools.expect("tiles that are asked for", re.findall(r"using Tile = (\w+<[\d, ]*\d)", code),
                 ["FmaTile<32, 32, 2, 1, 4, 2", "GemmTile<8, 64, 8, 2, 4"])
    tools.expect("no library", "gemm m" in emitted(own, "--emit=plan"), False)
    tools.expect("the library alone", emitted([(keys[2], "library"), (keys[3], "library")], "--emit=plan").count("gemm m"), 2)

    # Lines that do nothing are warnings, lines that are no lines are errors.
    def warned(line, warning):
        (tools.at / "wrong.tune").write_text(HEAD + line + "\n")
        caret = "^" * len(line)
        text = f"warning: {warning}\n --> wrong.tune:3:1\n  |\n3 | {line}\n  | {caret}\n"
        status, _, errors = tools.run("nnc", *fixed, "--lock", "wrong.tune", "--emit=plan", "-o", "-")
        tools.expect(line, (status, errors), (0, text))

    warned("contraction f32 1x2x3 kk | sm_90a | G | GemmTile<8, 64, 8, 2, 4> | 1",
           "there is no kernel `contraction f32 1x2x3 kk` in this build")
    warned(f"{keys[3]} | sm_90a | G | somebody | 1", f"the kernel `{keys[3]}` has no tactic `somebody` any more")
    (tools.at / "wrong.tune").write_text(HEAD + f"{keys[0]} | sm_80 | G | GemmTile<8, 64, 8, 2, 4> | 1\n")
    tools.passes("nnc", *fixed, "--lock", "wrong.tune", "--emit=plan", "-o", "plan.txt")  # for another GPU
    (tools.at / "wrong.tune").write_text(HEAD + "x | sm_90a | G | c\n")
    wrong = "error: expected 5 fields with ` | ` between them, found 4\n --> wrong.tune:3:1\n  |\n3 | x | sm_90a | G | c\n  | ^^^^^^^^^^^^^^^^^^\n"
    tools.fails("nnc", *fixed, "--lock", "wrong.tune", "-o", "x.bin", error=wrong)
    tools.fails("nnc", *fixed, "--lock", "none.tune", "-o", "x.bin", error="error: cannot read 'none.tune': No such file or directory\n")
    tools.fails("nnc", "tiny.nn", "--target", "cpu", "--lock", "chosen.tune", "-o", "x.bin", error="error: `--lock` is for the target cuda\n")
    tools.fails("nnc", *fixed, "--tune=soon", "-o", "x.bin", error="error: `--tune=soon` is not a number of seconds\n")
    none = {"env": {**os.environ, "NNC_CUDA_TWIN": "/nowhere"}}
    tools.fails("nnc", "tiny.nn", "--tune", "-o", "x.bin", error="error: `--tune` needs a GPU, and there is none\n", **none)
    tools.expect("nothing is written by failures", (tools.at / "x.bin").exists(), False)
    tools.finish()


if __name__ == "__main__":
    main()
