"""States from the command line: calls that follow each other, what --info says of them, and guards.

    states.py BIN
"""
import sys

from support import Tools, npy_bytes

SOURCE = """\
model Recent() {
  state kept: f32[B, 4]
  state pos: i32[] = 0

  fn forward(x: f32[B, T]) -> f32[B, 4]
  requires B in 1..=8, T in 1..=4, pos + T <= 4: "nothing more fits" {
    kept[:, pos : pos + T] <- x
    pos <- pos + T
    return kept
  }
}
"""


def main():
    tools = Tools(sys.argv[1])
    (tools.at / "recent.nn").write_text(SOURCE)
    (tools.at / "one.npy").write_bytes(npy_bytes((1, 1), [5]))
    (tools.at / "two.npy").write_bytes(npy_bytes((1, 2), [7, 8]))
    (tools.at / "batch.npy").write_bytes(npy_bytes((2, 1), [1, 2]))
    tools.passes("nnc", "recent.nn", "--target", "cpu", "-o", "recent.bin", out=None)
    run = ("recent.bin", "--input", "x=one.npy")
    tools.passes("nnc-run", *run, out="output: f32[1, 4] = 5, 0, 0, 0\n")
    tools.passes("nnc-run", *run, "--repeat", "3", out="output: f32[1, 4] = 5, 5, 5, 0\n")
    tools.passes("nnc-run", *run, "--then", "x=two.npy", out="output: f32[1, 4] = 5, 7, 8, 0\n")
    tools.passes(
        "nnc-run", *run, "--then", "x=two.npy", "--then", "x=one.npy", out="output: f32[1, 4] = 5, 7, 8, 5\n"
    )
    full = "`forward` requires `pos + T <= 4` with B = 1, T = 1, pos = 4: nothing more fits (recent.nn:6)"
    tools.fails("nnc-run", *run, "--repeat", "5", error=f"nnc-run: error: {full}\n")
    other = "`forward`: the state `kept` was begun with B = 1, this call has 2; reset the session first"
    tools.fails("nnc-run", *run, "--then", "x=batch.npy", error=f"nnc-run: error: {other}\n")
    tools.passes("nnc-run", *run, "--bench", out=None)
    tools.passes("nnc-run", *run, "--profile", out=None)
    info = tools.passes("nnc-run", "recent.bin", "--info", out=None)
    for part in ("pos is the value of state pos", "updates state kept in place", "states 132 B"):
        tools.expect(f"--info says: {part}", part in info, True)
    tools.finish()


if __name__ == "__main__":
    main()
