"""What nnc-run says about models, inputs and devices that it cannot use: exit status 1 and one
sentence, however a file is broken.

    bad_input_run.py BIN
"""
import re
import resource
import sys

from support import Tools, npy_bytes, safetensors_bytes

MODEL = """model Two() {
  fc = Linear(3, 2)
  fn forward(x: float[B, 3], ids: i32[B]) -> (y: float[B, 2]) requires B in 1..=1024 {
    return fc(x) * float(ids)[:, none]
  }
}
"""
GOOD = npy_bytes((1, 3), (1, 2, 3))
IDS = npy_bytes((1,), (1,), "<i4")
DAMAGED = re.compile(
    r"nnc-run: error: broken\.bin (is not a model\.bin"
    r"|is truncated: expected \d+ bytes, found \d+"
    r"|was made by an older version of nnc \(format \d+; this one reads 5\): compile it again"
    r"|was made by a newer version of nnc \(format \d+; this one reads 5\)"
    r"|is damaged: the header has changed since it was written"
    r"|is damaged: section `(plan|weights|cpu)` (is not preceded by zeros|has changed since it was written))\n"
)


def broken_models(tools):
    """Cut at every 41st byte, one bit flipped in every 29th; the header's bytes all."""
    good = (tools.at / "two.bin").read_bytes()

    def refused(what, data, pattern=DAMAGED):
        (tools.at / "broken.bin").write_bytes(data)
        status, out, error = tools.run("nnc-run", "broken.bin", "--random", "0")
        if (status, out) != (1, "") or not pattern.fullmatch(error):
            tools.expect(f"broken.bin, {what}", (status, out, error), "refused as damaged")

    for size in [*range(64), *range(64, len(good), 41), len(good) - 1]:
        refused(f"cut to {size} bytes", good[:size])
    for at in [*range(160), *range(160, len(good), 29), len(good) - 1]:
        data = bytearray(good)
        data[at] ^= 1 << at % 8
        refused(f"bit {at % 8} of byte {at} flipped", data)
    refused("longer", good + bytes(8), re.compile(
        r"nnc-run: error: broken\.bin is damaged: 8 bytes follow its end\n"))
    refused("future", good[:8] + b"\6\0\0\0" + good[12:], re.compile(
        r"nnc-run: error: broken\.bin was made by a newer version of nnc \(format 6; this one reads 5\)\n"))


def models(tools):
    def refused(*arguments, error):
        tools.fails("nnc-run", *arguments, error=f"nnc-run: error: {error}\n")

    refused(error="model is required")
    refused("none.bin", error="cannot open none.bin: No such file or directory")
    refused(".", error="cannot read .: not a regular file")
    refused("two.nn", error="two.nn is not a model.bin")
    refused("two.bin", "--random", "0", "--entry", "backward",
            error="there is no entry point `backward`; there is `forward`")


def devices(tools):
    def refused(model, device, error):
        environment = {"CUDA_VISIBLE_DEVICES": ""}
        tools.fails("nnc-run", model, "--random", "0", *device, env=environment, error=f"nnc-run: error: {error}\n")

    refused("two.bin", ["--device", "cuda:0"], "two.bin is compiled for cpu, not for cuda: compile it with --target cuda")
    refused("two.bin", ["--device", "gpu"], "unknown device `gpu`; there are `cpu`, `cuda` and `cuda:N`")
    refused("two.bin", ["--device", "cuda:x"], "unknown device `cuda:x`; there are `cpu`, `cuda` and `cuda:N`")


def inputs(tools):
    (tools.at / "good.npy").write_bytes(GOOD)
    (tools.at / "ids.npy").write_bytes(IDS)

    def refused(*arguments, error):
        tools.fails("nnc-run", "two.bin", *arguments, error=f"nnc-run: error: {error}\n")

    def wrong(data, error, name="x"):
        (tools.at / "in.npy").write_bytes(data)
        other = "ids=ids.npy" if name == "x" else "x=good.npy"
        refused("--input", f"{name}=in.npy", "--input", other, error=error)

    refused(error="`forward` needs the input `x`: f32[B, 3]")
    refused("--input", "x=good.npy", error="`forward` needs the input `ids`: i32[B]")
    refused("--input", "y=good.npy", error="`forward` has no input `y`; did you mean `x`?")
    refused("--input", "x=good.npy", "--input", "x=good.npy", error="input `x` is given twice")
    refused("--input", "x=none.npy", error="cannot open none.npy: No such file or directory")
    refused("--input", "x=in.txt", error="unknown kind of file `in.txt`; there are .npy and .safetensors")
    wrong(npy_bytes((1, 3), (1, 2, 3), "<i4"), "input `x`: expected f32[B, 3], found i32[1, 3]")
    wrong(npy_bytes((1,), (1,)), "input `ids`: expected i32[B], found f32[1]", "ids")
    wrong(npy_bytes((3,), (1, 2, 3)), "input `x`: expected f32[B, 3], found f32[3]")
    wrong(npy_bytes((1, 4), range(4)), "input `x`: axis 1 must be 3; expected f32[B, 3], found f32[1, 4]")
    wrong(npy_bytes((2, 3), range(6)), "input `ids`: axis 0 must be 2, since B = 2 (axis 0 of `x`); expected i32[B], found i32[1]")
    for size in (0, 1025):
        wrong(npy_bytes((size, 3), range(3 * size)), f"`forward`: B = {size} (axis 0 of `x`) is outside 1..=1024")
        refused("--random", "0", "--dim", f"B={size}",
                error=f"`forward`: B = {size} (axis 0 of `x`) is outside 1..=1024")
    refused("--random", "0", "--dim", "C=1", error="`forward` has no dimension `C`; did you mean `B`?")
    refused("--random", "0", "--dim", "B=x", error="--dim takes NAME=SIZE, found `B=x`")
    wrong(b"", "in.npy is not an .npy file")
    wrong(b"hello", "in.npy is not an .npy file")
    wrong(GOOD[:40], "in.npy is truncated: its header has 118 bytes, but only 30 are there")
    wrong(GOOD[:-1], "cannot read in.npy: f32[1, 3] needs 12 bytes of data, found 11")
    wrong(GOOD + b"x", "cannot read in.npy: f32[1, 3] needs 12 bytes of data, found 13")
    wrong(GOOD.replace(b"False", b"True "), "cannot read in.npy: it is in Fortran order; save numpy.ascontiguousarray(x)")
    wrong(GOOD.replace(b"<f4", b">f4"), "cannot read in.npy: its elements are big endian (`>f4`)")
    wrong(GOOD.replace(b"<f4", b"|O8"), "cannot read in.npy: its element type `|O8` is not supported")
    wrong(GOOD.replace(b"(1, 3, )", b"(1,-3, )"), "cannot read in.npy: its header is malformed")
    (tools.at / "in.safetensors").write_bytes(safetensors_bytes({"z": ((1, 3), (1, 2, 3), "<f4")}))
    refused("--input", "in.safetensors", error="`forward` needs the input `x`: f32[B, 3]")


def outputs(tools):
    def refused(*arguments, error, **more):
        tools.fails("nnc-run", "two.bin", "--input", "x=good.npy", "--input", "ids=ids.npy", *arguments,
                    error=f"nnc-run: error: {error}\n", **more)

    (tools.at / "want.npy").write_bytes(npy_bytes((1, 2), (8, 26)))
    (tools.at / "wide.npy").write_bytes(npy_bytes((1, 3), (8, 27, 0)))
    refused("--compare", "want.npy",
            error="output `y` differs in 1 of 2 elements (rtol 1e-05, atol 1e-06): largest difference 1 at [0, 1]: "
            "27 instead of 26")
    refused("--compare", "y=wide.npy", error="output `y` is f32[1, 2], expected f32[1, 3]")
    refused("--compare", "z=want.npy", error="there is no output `z` to compare")
    refused("--output", "z=out.npy", error="there is no output `z`")
    refused("--output", "y=out.txt", error="unknown kind of file `out.txt`; there are .npy and .safetensors")
    refused("--output", "y=none/out.npy", error="cannot write none/out.npy: No such file or directory")
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
    refused("--output", "y=out.npy", error="cannot write out.npy: File too large", preexec_fn=limit)
    tools.expect("nothing was written", list(tools.at.glob("out*")), [])
    for option in ("--info", "--bench"):
        tools.fails_to_print("nnc-run", "two.bin", "--random", "0", option,
                             error="nnc-run: error: cannot write to standard output\n")


def main():
    tools = Tools(sys.argv[1])
    (tools.at / "two.nn").write_text(MODEL)
    weights = {"fc.weight": ((2, 3), range(6), "<f4"), "fc.bias": ((2,), (0, 1), "<f4")}
    (tools.at / "w.safetensors").write_bytes(safetensors_bytes(weights))
    tools.passes("nnc", "two.nn", "--target", "cpu", "--weights", "w.safetensors", "-o", "two.bin")
    for part in (models, broken_models, devices, inputs, outputs):
        part(tools)
    tools.finish()


if __name__ == "__main__":
    main()
