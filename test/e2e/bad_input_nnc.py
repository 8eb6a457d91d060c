"""What nnc says about sources, checkpoints, options and outputs that it cannot use: exit status 1,
one sentence, no output file, whatever was there before untouched.

    bad_input_nnc.py BIN
"""
import contextlib
import os
import resource
import struct
import subprocess
import sys

from support import EXAMPLES, Tools, is_root, safetensors_bytes

MODEL = """model Two(outputs: int = 2) {
  fc = Linear(3, outputs)
  fn forward(x: float[B, 3]) -> (y: float[B, outputs]) requires B in 1..=8 = fc(x)
}
"""
WEIGHTS = {"fc.weight": ((2, 3), range(6), "<f4"), "fc.bias": ((2,), (0, 1), "<f4")}


def sources(tools):
    def refused(text, error):
        (tools.at / "m.nn").write_bytes(text)
        tools.fails("nnc", "m.nn", "--target", "cpu", "-o", "out.bin", error=error)

    tools.fails("nnc", "none.nn", error="error: cannot read 'none.nn': No such file or directory\n")
    tools.fails("nnc", ".", error="error: cannot read '.': Is a directory\n")
    tools.fails("nnc", error="error: no model: `nnc model.nn -o model.bin`, or see `nnc --help`\n")
    refused(b"", "error: m.nn declares no model\n")
    refused(b"model M() {\n  # \xff\n}\n", "error: 'm.nn' is not UTF-8: byte 0xff at offset 16, in line 2\n")
    (tools.at / "secret.nn").write_text(MODEL)
    os.chmod(tools.at / "secret.nn", 0)
    # Root may read everything, so nobody reads, where nobody may run what root has built.
    os.chmod(tools.at, 0o755)
    user = {"user": 65534, "group": 65534, "extra_groups": []} if is_root() else {}
    try:
        tools.run("nnc", "--version", **user)
    except PermissionError:
        return
    tools.fails("nnc", "secret.nn", error="error: cannot read 'secret.nn': Permission denied\n", **user)


def excerpt(line, before, after, width):
    """The window of 160 columns that errors show of a long line."""
    return f"  |\n{line} | ...{before}{after}...\n  | {'   ' + ' ' * len(before)}{'^' * width}"


def big_sources(tools):
    """Depth and length are bounded, in the compiler and in the formatter."""

    def refused(text, error):
        (tools.at / "big.nn").write_text(text)
        tools.fails("nnc", "big.nn", "--target", "cpu", "-o", "out.bin", error=error)
        tools.fails("nnc", "fmt", "big.nn", error=error)
        tools.fails("nnc", "check", "big.nn", error=error)

    def nested(where, picture):
        return (f"error[E0109]: nested more than 200 levels deep\n --> big.nn:{where}\n{picture}\n"
                "  |\nhelp: give inner parts names of their own\n")

    for bracket in "([-":
        picture = excerpt(1, bracket * 60, bracket * 100, 1)
        refused("a = " + bracket * 100_000 + "\n", nested("1:204" if bracket == "-" else "1:205", picture))
    block = "if true {"
    before, after = (block * 20 + "if ")[-60:], ("true {if " * 20)[:100]
    refused("fn f(x: f32[B]) {\n" + block * 100_000 + "\n", nested("2:1795", excerpt(2, before, after, 4)))
    before, after = ("1 + " * 20 + "1 ")[-60:], "+ 1 " * 25
    refused("a = " + "1 + " * 2_500_000 + "\n",
            "error[E0109]: this expression has more than 1000 levels\n --> big.nn:1:4007\n"
            + excerpt(1, before, after, 1) + "\n  |\nhelp: give parts of it names of their own\n")
    refused('a = "' + "x" * 10_000_000 + "\n",
            'error[E0104]: this string is never closed\n --> big.nn:1:5\n  |\n1 | a = "' + "x" * 155
            + "...\n  |     " + "^" * 156 + ' expected `"` before the end of the line\n')


def checkpoints(tools):
    good = safetensors_bytes(WEIGHTS)
    (tools.at / "two.nn").write_text(MODEL)

    def refused(data, error):
        (tools.at / "w.safetensors").write_bytes(data)
        tools.fails("nnc", "two.nn", "--weights", "w.safetensors", "--target", "cpu", "-o", "out.bin", error=error)

    def header(text):
        return struct.pack("<Q", len(text)) + text

    tools.fails("nnc", "two.nn", "--weights", "none.safetensors", "--target", "cpu", "-o", "out.bin",
                error="error[E0705]: cannot open none.safetensors: No such file or directory\n")
    refused(b"", "error[E0705]: w.safetensors is not a safetensors file: it has only 0 bytes\n")
    refused(good[:5], "error[E0705]: w.safetensors is not a safetensors file: it has only 5 bytes\n")
    refused(good[:50], "error[E0705]: w.safetensors is truncated: its header has 142 bytes, but only 42 are there\n")
    refused(good[:-1], "error[E0705]: w.safetensors is malformed: tensor `fc.bias` ends at byte 32 of 31 bytes of data\n")
    refused(safetensors_bytes(WEIGHTS, size=10**6),
            "error[E0705]: w.safetensors is truncated: its header has 1000000 bytes, but only 174 are there\n")
    refused(safetensors_bytes(WEIGHTS, size=2**64 - 1),
            "error[E0705]: w.safetensors is not a safetensors file: it says that its header has 18446744073709551615 bytes\n")
    refused(safetensors_bytes(WEIGHTS, size=20),
            "error[E0705]: the header of w.safetensors is malformed: it is not valid JSON at byte 21\n")
    refused(header(b"[" * 1_000_000), "error[E0705]: the header of w.safetensors is malformed: it is not a table of tensors\n")
    refused(good.replace(b"[24, 32]", b"[24, 99]"),
            "error[E0705]: w.safetensors is malformed: tensor `fc.bias` ends at byte 99 of 32 bytes of data\n")
    refused(good.replace(b"[24, 32]", b"[16, 24]"),
            "error[E0705]: w.safetensors is malformed: tensor `fc.bias` overlaps another one\n")
    refused(good.replace(b"[2, 3]", b"[2,-3]"),
            "error[E0705]: the header of w.safetensors is malformed: tensor `fc.weight` is malformed\n")
    refused(safetensors_bytes({"fc.bias": WEIGHTS["fc.bias"]}),
            "error[E0701]: 1 of 2 parameters of `Two` is missing from `w.safetensors`\n"
            "  = note: first missing key: `fc.weight`\n")
    refused(safetensors_bytes({**WEIGHTS, "a": ((1,), (1,), "<f4"), "b": ((1,), (1,), "<f4")}),
            "error[E0702]: 2 keys of `w.safetensors` are not used by `Two`\n  = note: unused: `a`, `b`\n"
            "help: to leave them out on purpose, name them in `ignore` of `@weights`\n")
    refused(safetensors_bytes({**WEIGHTS, "fc.weight": ((3, 2), range(6), "<f4")}),
            "error[E0703]: `fc.weight` is f32[3, 2], the model declares f32[2, 3] (in `w.safetensors`)\n")
    refused(safetensors_bytes({**WEIGHTS, "fc.bias": ((2,), (0, 1), "<i4")}),
            "error[E0703]: `fc.bias` is i32[2], the model declares f32[2] (in `w.safetensors`)\n"
            "  = note: only floats are converted, and only to floats\n")


def options(tools):
    def refused(*options, error):
        tools.fails("nnc", "two.nn", *options, "-o", "out.bin", error=error)

    refused("--target", "gpu", error="error: unknown target `gpu`: expected `cpu` or `cuda`\n")
    refused("--cpu", "z80", "--target", "cpu",
            error="error: 'z80' is not an x86-64 cpu that is known here; examples are native, x86-64, "
            "x86-64-v3, x86-64-v4\n")
    refused("--model", "Tow", error="error: two.nn declares no model `Tow`, did you mean `Two`?\n")
    tools.fails("nnc", EXAMPLES / "resnet.nn", "-o", "out.bin",
                error=f"error: {EXAMPLES}/resnet.nn declares several models, choose one with `--model`: "
                "`ResNet18`, `ResNet50`\n")
    refused("--dim", "C=3", error="error: --dim: no entry point has a dimension `C`\n")
    for text in ("B", "=3", "B=", "B=x", "B=-1", "B=3x"):
        refused("--dim", text, error=f"error: `--dim {text}` is not of the form NAME=size or NAME=size,size\n")
    for text in ("B=1,", "B=,1", "B=1,,8", "B=1,x"):
        refused("--dim", text, error=f"error: `--dim {text}` is not of the form NAME=size or NAME=size,size\n")
    refused("--dim", "B=1,8,1", error="error: `--dim B=1,8,1`: a size is there twice\n")
    refused("--dim", "B=1", "--dim", "B=8",
            error="error: `--dim B=8`: the sizes of a dimension stand in one option\n")
    refused("--dim", "C=1,3", error="error: --dim: no entry point has a dimension `C`\n")
    refused("--dim", "B=" + ",".join(map(str, range(1, 67))),
            error="error: --dim: `forward` would have 66 variants; at most 64 are possible\n")
    refused("--dim", "B=9",
            error="error[E0501]: `forward` requires `B in 1..=8`, but B is 9\n --> two.nn:3:65\n  |\n"
            "3 |   fn forward(x: float[B, 3]) -> (y: float[B, outputs]) requires B in 1..=8 = fc(x)\n"
            "  |                                                                 ^^^^^^^^^^ B = 9\n")
    refused("--set", "outputs", error="error: `--set outputs` is not of the form name=value\n")
    refused("--set", "output=3", error="error: --set: `Two` has no hyperparameter `output`, did you mean `outputs`?\n")
    refused("--set", "outputs=three",
            error="error[E0201]: unknown name `three`\n --> --set outputs:1:1\n  |\n1 | three\n"
            "  | ^^^^^ not defined here\n  |\nhelp: `where` has a similar name\n1 | where\n  | ~~~~~\n")
    refused("--diagnostics", "xml", error="error: unknown style `xml` of --diagnostics: expected `text` or `json`\n")


def outputs(tools):
    def refused(path, error, **more):
        tools.fails("nnc", "two.nn", "--target", "cpu", "-o", path, error=f"error: cannot write {path}: {error}\n", **more)

    refused("none/out.bin", "No such file or directory")
    (tools.at / "folder").mkdir(exist_ok=True)
    refused("folder", "it is a directory")

    # A disk that is full, and a limit on the size of files: the old file stays, no new one appears.
    (tools.at / "old.bin").write_bytes(b"old")
    before = sorted(tools.at.iterdir())
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))
    refused("old.bin", "File too large", preexec_fn=limit)
    refused("new.bin", "File too large", preexec_fn=limit)
    tools.expect("the old file", (tools.at / "old.bin").read_bytes(), b"old")
    tools.expect("no other file", sorted(tools.at.iterdir()), before)
    tiny = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
    tools.fails("nnc", "two.nn", "--emit=kernels", "--dump-dir", "dumps", preexec_fn=tiny,
                error="error: cannot write dumps/000-inline.mlir: File too large\n")
    with full_disk(tools.at / "folder") as has_mounted:
        if has_mounted:
            (tools.at / "folder/old.bin").write_bytes(b"old")
            refused("folder/old.bin", "No space left on device")
            refused("folder/new.bin", "No space left on device")
            tools.expect("the old file", (tools.at / "folder/old.bin").read_bytes(), b"old")
            tools.expect("no other file", os.listdir(tools.at / "folder"), ["old.bin"])


def printing(tools):
    """Standard output on a full disk: few lines, which wait in a buffer, and many."""
    for command in (["keys", "two.nn"], ["keys", EXAMPLES / "llama.nn"], ["shapes", EXAMPLES / "bert.nn"],
                    ["doc", "std"], ["explain", "E0301"], ["fmt", "two.nn"], ["two.nn", "--emit=plan"]):
        tools.fails_to_print("nnc", *command, error="error: cannot write to standard output\n")


@contextlib.contextmanager
def full_disk(folder):
    """A file system of two pages; false where this user may not mount one."""
    command = ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", folder]
    has_mounted = is_root() and subprocess.run(command, capture_output=True).returncode == 0
    try:
        yield has_mounted
    finally:
        if has_mounted:
            subprocess.run(["umount", folder], check=True)


def main():
    tools = Tools(sys.argv[1])
    for part in (sources, big_sources, checkpoints, options, outputs, printing):
        part(tools)
        tools.expect(f"{part.__name__} wrote", list(tools.at.glob("out*")), [])
    tools.finish()


if __name__ == "__main__":
    main()
