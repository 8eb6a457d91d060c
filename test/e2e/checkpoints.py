"""Checkpoints: `nnc keys` and the errors 07xx whole, shards and folders, ties and alternatives, memory,
and weights that stay outside of model.bin.

    checkpoints.py BIN [--any-memory]
"""
import json
import os
import re
import resource
import struct
import sys

from support import Tools, npy_bytes, safetensors_bytes

MODEL = """@weights("w.safetensors"{more})
model Net(d: int = 2) {{
  norm = LayerNorm(2)
  fc = Linear(2, d) as "out.dense"
  head = Linear(2, d, bias=false)
  tie head.weight = fc.weight
  fn forward(x: float[B, 2]) -> (y: float[B, d]) requires B in 1..=8 = x |> norm |> fc
}}
"""
LINE = '1 | @weights("w.safetensors"{more})\n'
WEIGHTS = {
    "norm.weight": ((2,), (1, 1), "<f4"),
    "norm.bias": ((2,), (0, 0), "<f4"),
    "out.dense.weight": ((2, 2), (1, 2, 3, 4), "<f4"),
    "out.dense.bias": ((2,), (0, 1), "<f4"),
}
CPU = ("--target", "cpu", "--cpu", "x86-64-v3")
SAMPLE = "y: f32[1, 2] = 0.999999, 2\n"


def renamed(tensors, *pairs):
    names = dict(pairs)
    return {names.get(name, name): tensor for name, tensor in tensors.items()}


def without(tensors, *names):
    return {name: tensor for name, tensor in tensors.items() if name not in names}


def prefixed(tensors, prefix):
    return {prefix + name: tensor for name, tensor in tensors.items()}


class Checks:
    def __init__(self, tools):
        self.tools = tools
        (tools.at / "x.npy").write_bytes(npy_bytes((1, 2), (0, 4)))

    def write(self, tensors, more=""):
        (self.tools.at / "net.nn").write_text(MODEL.format(more=more))
        (self.tools.at / "w.safetensors").write_bytes(safetensors_bytes(tensors, aligned=True))

    def loads_of_session(self, tensors, more="", out=SAMPLE):
        """As `loads`, of a file that a session says it has written."""
        data = safetensors_bytes(tensors, aligned=True, metadata={"format": "nnc"})
        self.loads(tensors, more, out=out, data=data)

    def loads(self, tensors, more="", *options, out=SAMPLE, data=None):
        self.write(tensors, more)
        if data:
            (self.tools.at / "w.safetensors").write_bytes(data)
        self.tools.passes("nnc", "net.nn", *CPU, *options, "-o", "net.bin")
        self.tools.passes("nnc-run", "net.bin", "--input", "x=x.npy", out=out)

    def refused(self, tensors, error, more=""):
        self.write(tensors, more)
        self.tools.fails("nnc", "net.nn", *CPU, "-o", "out.bin", error=error)

    def keys(self, tensors, out, more=""):
        self.write(tensors, more)
        found = self.tools.run("nnc", "keys", "net.nn", "w.safetensors")
        self.tools.expect("nnc keys", found, (int(not out.startswith("all") and "\nall" not in out), out, ""))


def at_weights(code, message, label, notes=(), more="", fix=""):
    line = LINE.format(more=more)
    notes = "".join(f"  = note: {note}\n" for note in notes)
    text = f"error[{code}]: {message}\n --> net.nn:1:1\n  |\n{line}  | ^^^^^^^^ {label}\n"
    return text + ("  |\n" if notes or fix else "") + notes + fix


def agreeing(checks):
    """Everything that loads: alternatives, ties under one or both names, prefixes, ignored keys."""
    tied = {**WEIGHTS, "head.weight": WEIGHTS["out.dense.weight"]}
    gamma = renamed(WEIGHTS, ("norm.weight", "norm.gamma"), ("norm.bias", "norm.beta"))
    checks.loads(WEIGHTS)
    checks.loads(tied)
    checks.loads(without(tied, "out.dense.weight"))
    checks.loads(gamma)
    checks.loads(prefixed(tied, "m."), ', prefix="m."')
    checks.loads({**WEIGHTS, "cls.a.b": ((1,), (0,), "<f4"), "steps": ((), (7,), "<i8")},
                 ', ignore=["cls.**", "steps"]')
    checks.loads({**WEIGHTS, "optimizer.step": ((), (7,), "<i4"), "ema.fc.a": ((1,), (0,), "<f4")})
    checks.loads_of_session(WEIGHTS, ', prefix="m."')
    average = {**renamed(WEIGHTS, ("out.dense.bias", "ema.out.dense.bias")), "out.dense.bias": ((2,), (5, 5), "<f4")}
    checks.loads_of_session(average, ', prefix="ema."')
    checks.loads_of_session(average, out="y: f32[1, 2] = 5.999999, 6\n".replace("5.999999", "6"))
    checks.loads(without(WEIGHTS, "out.dense.bias"), ', ignore=["out.**"]', out=SAMPLE.replace("2\n", "0.999999\n"))
    # A buffer that nothing reads.
    counted = MODEL.format(more="").replace("  norm", "  buffer steps: i64[] = 3\n  norm", 1)
    (checks.tools.at / "counted.nn").write_text(counted)
    checks.write(WEIGHTS)
    checks.tools.passes("nnc", "counted.nn", *CPU, "--weights", "w.safetensors", "-o", "net.bin")
    half = {**WEIGHTS, "out.dense.weight": ((2, 2), (1, 2, 3, 4), "<f2"), "norm.bias": ((2,), (0, 0), "<f8")}
    checks.loads(half)
    checks.loads({**half, "head.weight": WEIGHTS["out.dense.weight"]})
    checks.keys(tied, "all 4 keys agree\n")
    checks.keys(half, "~ norm.bias         f64[2] in the file, converted to f32\n"
                "~ out.dense.weight  f16[2, 2] in the file, converted to f32\nall 4 keys agree\n")


def missing(checks):
    message = "1 of 4 parameters of `Net` is missing from `w.safetensors`"
    checks.refused(without(WEIGHTS, "out.dense.bias"),
                   at_weights("E0701", message, "first missing key: `out.dense.bias`"))
    near = renamed(WEIGHTS, ("out.dense.weight", "out.dnese.weight"))
    checks.refused({**near, "other": ((1,), (0,), "<f4")}, at_weights(
        "E0701", message, "first missing key: `out.dense.weight`",
        ["`out.dense.weight` may be `out.dnese.weight` of the file, which has the same shape",
         "of the file, not used: `other`, `out.dnese.weight`"]))
    step = renamed(WEIGHTS, ("out.dense.weight", "out.dense.kernel_of_it"))
    checks.keys({**step, "other": ((1,), (0,), "<f4")}, """\
- out.dense.weight        f32[2, 2]  not in the file; is it `out.dense.kernel_of_it`?
+ other                   f32[1]  not in the model
+ out.dense.kernel_of_it  f32[2, 2]  not in the model
3 of 4 keys agree: 1 missing (-), 2 unused (+), 0 different (!)
""")


def prefixes(checks):
    def error(count, note, fix, more=""):
        prefix = "x." if "x." in more else ""
        return at_weights("E0701", f"{count} of 4 parameters of `Net` are missing from `w.safetensors`",
                          f"first missing key: `{prefix}norm.weight`", [note], more, fix)

    add = ('help: add the prefix\n1 | @weights("w.safetensors", prefix="m."{0})\n'
           "  |                         {1}\n")
    checks.refused(prefixed(WEIGHTS, "m."),
                   error(4, "all 4 are present under `m.`", add.format("", "+++++++++++++")))
    checks.refused(prefixed(WEIGHTS, "m."),
                   error(4, "all 4 are present under `m.`", 'help: add the prefix\n1 | @weights("w.safetensors", '
                         'prefix="m.", ignore=["a"])\n  |                           ++++++++++++\n', ', ignore=["a"]'),
                   ', ignore=["a"]')
    partly = {**prefixed(without(WEIGHTS, "norm.weight"), "m."), "z": ((1,), (0,), "<f4")}
    checks.refused(partly, error(4, "3 of the 4 are present under `m.`", add.format("", "+++++++++++++")))
    checks.refused(prefixed(WEIGHTS, "m."), error(4, "all 4 are present under `m.`",
                   'help: change the prefix\n1 | @weights("w.safetensors", prefix="m.")\n'
                   '  |                                  ~~~~\n', ', prefix="x."'), ', prefix="x."')
    checks.refused(WEIGHTS, error(4, "all 4 are present without `x.`",
                   'help: remove the prefix\n1 | @weights("w.safetensors", prefix="")\n'
                   '  |                                  ~~\n', ', prefix="x."'), ', prefix="x."')
    found = checks.tools.run("nnc", "keys", "net.nn", "w.safetensors")[1].splitlines()[-1]
    checks.tools.expect("nnc keys", found, 'all 4 are present without `x.`: `@weights("w.safetensors", prefix="")`')


def unused(checks):
    extra = {**WEIGHTS, "cls.a.b": ((1,), (0,), "<f4"), "steps": ((), (7,), "<i8")}
    checks.refused(extra, at_weights(
        "E0702", "2 keys of `w.safetensors` are not used by `Net`", "unused: `cls.a.b`, `steps`", fix=
        'help: to leave them out on purpose\n1 | @weights("w.safetensors", ignore=["cls.**", "steps"])\n'
        "  |                         ++++++++++++++++++++++++++++\n"))
    checks.refused(extra, at_weights(
        "E0702", "1 key of `w.safetensors` is not used by `Net`", "unused: `steps`", more=', ignore=["cls.*.b"]', fix=
        "help: to leave it out on purpose, name it in `ignore` of `@weights`\n"), ', ignore=["cls.*.b"]')


def different(checks):
    turned = {**WEIGHTS, "out.dense.weight": ((4, 1), (1, 2, 3, 4), "<f4")}
    message = "`out.dense.weight` is f32[4, 1], the model declares f32[2, 2] (in `w.safetensors`)"
    checks.refused(turned, at_weights("E0703", message, "of this checkpoint"))
    checks.keys(turned, "! out.dense.weight  f32[4, 1] in the file, f32[2, 2] in the model\n"
                "3 of 4 keys agree: 0 missing (-), 0 unused (+), 1 different (!)\n")
    integers = {**WEIGHTS, "norm.bias": ((2,), (0, 0), "<i4"), "norm.weight": ((3,), (1, 1, 1), "<f4")}
    checks.refused(without(integers, "norm.weight") | {"norm.weight": WEIGHTS["norm.weight"]}, at_weights(
        "E0703", "`norm.bias` is i32[2], the model declares f32[2] (in `w.safetensors`)", "of this checkpoint",
        ["only floats are converted, and only to floats"]))
    checks.refused(integers, at_weights(
        "E0703", "`norm.weight` is f32[3], the model declares f32[2] (in `w.safetensors`)", "of this checkpoint",
        ["`norm.bias` is i32[2], the model declares f32[2]"]))
    untied = {**WEIGHTS, "head.weight": ((2, 2), (1, 2, 3, 5), "<f4")}
    checks.refused(untied, at_weights(
        "E0704", "`out.dense.weight` and `head.weight` differ in `w.safetensors`, but are one tensor of `Net`",
        "of this checkpoint"))
    checks.keys(untied, "! out.dense.weight and head.weight differ, but are one tensor of the model\n"
                "3 of 4 keys agree: 0 missing (-), 0 unused (+), 1 different (!)\n")
    both = {**WEIGHTS, "norm.gamma": ((2,), (1, 2), "<f4")}
    checks.refused(both, at_weights(
        "E0704", "`norm.weight` and `norm.gamma` differ in `w.safetensors`, but are one tensor of `Net`",
        "of this checkpoint"))


def unreadable(checks):
    checks.write(WEIGHTS)
    os.remove(checks.tools.at / "w.safetensors")
    checks.tools.fails("nnc", "net.nn", *CPU, "-o", "out.bin", error=at_weights(
        "E0705", "cannot open w.safetensors: No such file or directory", "of this checkpoint"))


def shards(checks):
    """A Hugging Face folder: named itself, by its index, and without an index."""
    at = checks.tools.at / "hub"
    at.mkdir()
    parts = {"model-00001-of-00002.safetensors": ("norm.weight", "norm.bias"),
             "model-00002-of-00002.safetensors": ("out.dense.weight", "out.dense.bias")}
    for file, names in parts.items():
        (at / file).write_bytes(safetensors_bytes({name: WEIGHTS[name] for name in names}, aligned=True))
    index = {"metadata": {"total_size": 40}, "weight_map": {name: file for file, names in parts.items() for name in names}}
    (at / "model.safetensors.index.json").write_text(json.dumps(index))
    for path in ("hub", "hub/", "hub/model.safetensors.index.json"):
        checks.loads(WEIGHTS, "", "--weights", path)
        checks.tools.passes("nnc", "keys", "net.nn", path, out="all 4 keys agree\n")
    checks.loads(WEIGHTS, "", "--weights", "hub", "--external-weights")
    (at / "model-00002-of-00002.safetensors").rename(at / "away")
    missing_shard = "cannot open hub/model-00002-of-00002.safetensors: No such file or directory"
    checks.tools.fails("nnc-run", "net.bin", "--input", "x=x.npy", error=f"nnc-run: error: cannot load net.bin: its "
                       f"weights are in another file: {missing_shard}\n")
    checks.tools.fails("nnc", "net.nn", *CPU, "--weights", "hub", "-o", "out.bin", error=f"error[E0705]: {missing_shard} "
                       "(a shard of hub/model.safetensors.index.json)\n")


def external(checks):
    """model.bin refers to the checkpoint by relative path; what is not the same is refused."""
    tools = checks.tools
    (tools.at / "a/b").mkdir(parents=True)
    checks.write({**WEIGHTS, "norm.bias": ((2,), (0, 0), "<f2")})
    tools.passes("nnc", "net.nn", *CPU, "--external-weights", "-o", "a/b/net.bin")
    tools.passes("nnc-run", "a/b/net.bin", "--input", "x=x.npy", out=SAMPLE)
    info = tools.passes("nnc-run", "a/b/net.bin", "--info", out=None)
    tools.expect("--info", "  weights in ../../w.safetensors: 32 B\n" in info, True)
    (tools.at / "moved").mkdir()
    for name in ("a", "w.safetensors"):
        (tools.at / name).rename(tools.at / "moved" / name)
    tools.passes("nnc-run", "moved/a/b/net.bin", "--input", "x=x.npy", out=SAMPLE)

    file = tools.at / "moved/w.safetensors"
    path = "moved/a/b/../../w.safetensors"
    good = file.read_bytes()
    start = "nnc-run: error: cannot load moved/a/b/net.bin: "
    run = ("nnc-run", "moved/a/b/net.bin", "--input", "x=x.npy")
    file.write_bytes(good[:-1] + b"\1")
    tools.fails(*run, error=start + f"{path} has changed since the model was compiled with it: compile it again\n")
    file.write_bytes(good[:-1])
    tools.fails(*run, error=start + f"{path} has {len(good) - 1} bytes, but had {len(good)} when the model was "
                "compiled with it: compile it again\n")
    file.unlink()
    tools.fails(*run, error=start + f"its weights are in another file: cannot open {path}: No such file or directory\n")
    (tools.at / "fresh.nn").write_text(MODEL.format(more="").split("\n", 1)[1])
    tools.fails("nnc", "fresh.nn", *CPU, "--external-weights", "-o", "out.bin",
                error="error: `--external-weights` needs a checkpoint: `Net` has fresh weights\n")


BIG = """model Big(n: int = 24, d: int = 1024) {
  layers = [Linear(d, d, bias=false) for _ in 0..n]
  fn forward(x: float[B, d]) -> (y: float[B, d]) requires B in 1..=2 = layers(x)
}
"""


def memory(checks):
    """A checkpoint is read where it is mapped: 96 MB of weights compile in less than their size of own
    memory, written out, converted, or left outside. The tensors are a hole in the file: zeros."""
    tools = checks.tools
    (tools.at / "big.nn").write_text(BIG)

    def write(dtype, bytes):
        header = {f"layers.{i}.weight": {"dtype": dtype, "shape": [1024, 1024],
                                         "data_offsets": [i * 2**20 * bytes, (i + 1) * 2**20 * bytes]} for i in range(24)}
        text = json.dumps(header).encode()
        with open(tools.at / "big.safetensors", "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            file.truncate(8 + len(text) + 24 * 2**20 * bytes)

    def limited(size):
        return lambda: resource.setrlimit(resource.RLIMIT_DATA, (size, size))

    def peak(*options):
        """The least limit of own memory, in steps, under which it compiles."""
        for megabytes in range(48, 400, 16):
            status = tools.run("nnc", *options, "--target", "cpu", "--cpu", "x86-64-v3", "-o", "big.bin",
                               preexec_fn=limited(megabytes << 20))[0]
            if status == 0:
                return megabytes
        return 400

    least = peak("big.nn", "--set", "n=1", "--set", "d=8")
    for dtype, bytes in (("F32", 4), ("BF16", 2)):
        write(dtype, bytes)
        for more in ((), ("--external-weights",)):
            used = peak("big.nn", "--weights", "big.safetensors", *more)
            tools.expect(f"{dtype} {more}: memory beyond {least} MB of the compiler itself", used - least <= 16, True)
    size = os.path.getsize(tools.at / "big.bin")
    tools.expect("converted weights are inside", size > 96 << 20, True)
    write("F32", 4)
    tools.passes("nnc", "big.nn", *CPU, "--weights", "big.safetensors", "--external-weights", "-o", "big.bin")
    tools.expect("external weights are outside", os.path.getsize(tools.at / "big.bin") < 1 << 20, True)
    text = tools.passes("nnc-run", "big.bin", "--random", "0", "--dim", "B=1", out=None)
    tools.expect("zeros", bool(re.fullmatch(r"y: f32\[1, 1024\] = 0, 0, 0, 0, 0, 0, 0, 0, \.\.\.\n", text)), True)


def main():
    tools = Tools(sys.argv[1])
    checks = Checks(tools)
    for part in (agreeing, missing, prefixes, unused, different, unreadable, shards, external):
        part(checks)
    if "--any-memory" not in sys.argv:
        memory(checks)
    tools.expect("refused models", (tools.at / "out.bin").exists(), False)
    tools.finish()


if __name__ == "__main__":
    main()
