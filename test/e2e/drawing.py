"""Random numbers from the command line: seeds, calls that follow each other, what --info says.

    drawing.py BIN
"""
import sys

from support import Tools, npy_bytes

SOURCE = """\
model Noise() {
  fn forward(x: float[B, 2]) -> float[B, 2] requires B in 1..=8 = x + uniform([B, 2])
}
"""


def philox(counter, call, seed):
    """The first word of Philox 4x32-10 for the first draw of a call."""
    words, key = [counter, 0, call, 0], [seed % 2 ** 32, seed >> 32]
    for _ in range(10):
        first, second = 0xD2511F53 * words[0], 0xCD9E8D57 * words[2]
        words = [second >> 32 ^ words[1] ^ key[0], second % 2 ** 32, first >> 32 ^ words[3] ^ key[1], first % 2 ** 32]
        key = [(key[0] + 0x9E3779B9) % 2 ** 32, (key[1] + 0xBB67AE85) % 2 ** 32]
    return words[0]


def shown(call, seed):
    numbers = ", ".join(f"{(philox(i, call, seed) >> 8) / 2 ** 24:g}" for i in range(2))
    return f"output: f32[1, 2] = {numbers}\n"


def main():
    tools = Tools(sys.argv[1])
    (tools.at / "noise.nn").write_text(SOURCE)
    (tools.at / "x.npy").write_bytes(npy_bytes((1, 2), [0, 0]))
    tools.passes("nnc", "noise.nn", "--target", "cpu", "-o", "noise.bin", out=None)
    run = ("noise.bin", "--input", "x=x.npy")
    tools.passes("nnc-run", *run, out=shown(0, 0))
    tools.passes("nnc-run", *run, "--seed", "0", "--repeat", "3", out=shown(2, 0))
    tools.passes("nnc-run", *run, "--seed", str(2 ** 64 - 3), out=shown(0, 2 ** 64 - 3))
    tools.passes("nnc-run", *run, "--bench", out=None)
    tools.passes("nnc-run", *run, "--profile", out=None)
    info = tools.passes("nnc-run", "noise.bin", "--info", out=None)
    tools.expect("--info says who draws", "\n  draws random numbers\n" in info, True)
    tools.finish()


if __name__ == "__main__":
    main()
