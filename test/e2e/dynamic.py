"""One model.bin at several sizes: a row's numbers do not depend on how many rows there are.

    dynamic.py BIN
"""
import json
import math
import random
import sys

from support import EXAMPLES, ROOT, Tools, npy_bytes, read_npy

BATCHES = (1, 2, 63, 64, 1000)


def close(tools, what, found, wanted):
    tolerance = json.loads((ROOT / "test/tolerances.json").read_text())["cpu_f32"]
    for at, (a, b) in enumerate(zip(found, wanted, strict=True)):
        if not abs(a - b) <= tolerance["atol"] + tolerance["rtol"] * abs(b):
            tools.expect(f"{what}, element {at}", a, b)
            return


def batches(tools, model, name, shape, draw, dtype, output):
    """Runs the first B of 1000 rows for every B, and five rows one by one."""
    width = math.prod(shape)
    rows = [[draw() for _ in range(width)] for _ in range(max(BATCHES))]

    def run(some):
        values = [value for one in some for value in one]
        (tools.at / "in.npy").write_bytes(npy_bytes((len(some), *shape), values, dtype))
        tools.passes("nnc-run", model, "--input", f"{name}=in.npy", "--output", f"{output}=out.npy")
        found, numbers = read_npy(tools.at / "out.npy")
        columns = found[1]
        tools.expect(f"{model} at {len(some)} rows", found, (len(some), columns))
        return [numbers[i : i + columns] for i in range(0, len(numbers), columns)]

    results = {count: run(rows[:count]) for count in BATCHES}
    alone = {at: run([rows[at]])[0] for at in (0, 1, 62, 63, 999)}
    for count, result in results.items():
        for at, wanted in alone.items():
            if at < count:
                close(tools, f"{model} {shape}, row {at} of {count}", result[at], wanted)
        for at in range(count):
            close(tools, f"{model} {shape}, row {at} of {count} and of 1000", result[at], results[1000][at])


SUMS = """model Sums(d: int = 8) {
  a = Linear(d, d)
  fn forward(x: float[B, T, d]) -> (y: float[B, T, d]) requires B in 1..=16, T in 1..=64 = a(softmax(a(x), axis=1))
  fn rows(x: float[R, d]) -> (y: float[R, d]) requires R in 1..=99 = a(x)
}
"""


def variants(tools):
    """--dim B=1,4 --dim T=8,32: four variants beside the general code, chosen by the sizes of a call; they give the
    same numbers, and share weights."""
    (tools.at / "sums.nn").write_text(SUMS)
    options = ("--target", "cpu", "--seed", "1")
    tools.passes("nnc", "sums.nn", *options, "-o", "general.bin")
    tools.passes("nnc", "sums.nn", *options, "--dim", "B=1,4", "--dim", "T=8,32", "-o", "special.bin")
    info = tools.passes("nnc-run", "special.bin", "--info", out=None)
    entries = [line for line in info.splitlines() if line.startswith("entry ")]
    tools.expect("entries", entries, [
        "entry forward(x: f32[B, T, 8]) -> (y: f32[B, T, 8])",
        *(f"entry forward(x: f32[{b}, {t}, 8]) -> (y: f32[{b}, {t}, 8]) for B={b}, T={t}" for b in (1, 4) for t in (8, 32)),
        "entry rows(x: f32[R, 8]) -> (y: f32[R, 8])"])
    tools.expect("weights", info.splitlines()[1].endswith("2 weights (288 B)"), True)
    general = tools.passes("nnc-run", "general.bin", "--info", out=None)
    tools.expect("the general entry", info.split("\nentry ")[1].splitlines()[3], general.split("\nentry ")[1].splitlines()[3])

    def profiled(b, t):
        """The kernels that run; the outputs are those of the general code."""
        sizes = ("--random", "3", "--entry", "forward", "--dim", f"B={b}", "--dim", f"T={t}")
        tools.passes("nnc-run", "general.bin", *sizes, "--output", "y.npy")
        text = tools.passes("nnc-run", "special.bin", *sizes, "--compare", "y.npy", "--profile", "--json", out=None)
        tools.expect(f"agrees at {b}, {t}", text.startswith("output `y` agrees"), True)
        steps = json.loads(text[text.index("{"):])["steps"]
        return sorted(step["kernel"] for step in steps if "sums.nn" in step["source"])

    kernels = {size: profiled(*size) for size in ((1, 8), (1, 32), (4, 8), (4, 32), (2, 8), (1, 9), (16, 64))}
    tools.expect("sizes without a variant", kernels[2, 8] == kernels[1, 9] == kernels[16, 64], True)
    tools.expect("sizes with a variant", len({tuple(names) for size, names in kernels.items()}), 5)
    tools.fails("nnc-run", "special.bin", "--random", "3", "--entry", "forward", "--dim", "B=17",
                error="nnc-run: error: `forward`: B = 17 (axis 0 of `x`) is outside 1..=16\n")
    tools.fails("nnc-run", "special.bin", "--random", "3", "--entry", "foward",
                error="nnc-run: error: there is no entry point `foward`; did you mean `forward`?\n")
    text = tools.passes("nnc-run", "special.bin", "--random", "3", "--entry", "rows", "--dim", "R=7", out=None)
    tools.expect("another entry", text.startswith("y: f32[7, 8] = "), True)
    tools.fails("nnc", "sums.nn", *options, "--dim", "B=1,17", "-o", "out.bin", error=(
        "error[E0501]: `forward` requires `B in 1..=16`, but B is 17\n --> sums.nn:3:65\n  |\n"
        "3 |   fn forward(x: float[B, T, d]) -> (y: float[B, T, d]) requires B in 1..=16, T in 1..=64 = "
        "a(softmax(a(x), axis=1))\n  |                                                                 ^^^^^^^^^^^ B = 17\n"))


def main():
    tools = Tools(sys.argv[1])
    numbers = random.Random(0)
    for name in ("lenet", "textclassifier"):
        tools.passes("nnc", EXAMPLES / f"{name}.nn", "--target", "cpu", "--seed", "1", "-o", f"{name}.bin")
    batches(tools, "lenet.bin", "image", (1, 28, 28), lambda: numbers.gauss(0, 1), "<f4", "output")
    for length in (1, 2, 31, 128):
        batches(tools, "textclassifier.bin", "ids", (length,), lambda: numbers.randrange(1000), "<i4", "logits")
    tools.fails("nnc-run", "textclassifier.bin", "--random", "0", "--dim", "T=129",
                error="nnc-run: error: `forward`: T = 129 (axis 1 of `ids`) is outside 1..=128\n")
    variants(tools)
    tools.finish()


if __name__ == "__main__":
    main()
