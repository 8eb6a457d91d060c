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
    tools.finish()


if __name__ == "__main__":
    main()
