"""nnc-train from the command line: a run, resuming it exactly, stopping it, what it writes, and every error.

    train.py BIN [--twin] [--block]

With --twin the cuda target is tested, on what NNC_CUDA_TWIN names. With --block a train block is trained; the gradients of the other
models are written out, so that they test the tool alone.
"""
import fcntl
import json
import math
import os
import pty
import resource
import signal
import struct
import subprocess
import sys
import termios
import time

from support import Tools, npy_bytes, read_safetensors, safetensors_bytes

MODEL = """\
model Softmax(classes: int = 3, side: int = 4) {
  buffer weight: float[classes, side * side] = 0
  buffer bias: float[classes] = 0
  buffer frozen: float[classes] = 1
  state step: i32[] = 0
  state velocity: float[classes, side * side] = 0

  fn forward(image: float[B, 1, side, side]) -> (logits: float[B, classes]) requires B in 1..=64 {
    return reshape(image, [B, side * side]) @ weight.T + bias * frozen
  }
  fn train_step(image: float[B, 1, side, side], label: i32[B]) -> (loss: f32[], accuracy: f32[])
  requires B in 1..=64 {
    x = reshape(image, [B, side * side]) * uniform([B, side * side], 0.5, 1.5)
    logits = x @ weight.T + bias
    g = (softmax(logits, axis=1) - float(label[:, none] == arange(classes)[none, :])) / B
    velocity <- velocity * 0.9 + g.T @ x
    weight <- weight - velocity * 0.1
    bias <- bias - sum(g, axis=0) * 0.1
    step <- step + 1
    return cross_entropy(logits, label), accuracy(logits, label)
  }
  fn eval_step(image: float[B, 1, side, side], label: i32[B]) -> (loss: f32[], accuracy: f32[])
  requires B in 1..=64 {
    logits = forward(image)
    return cross_entropy(logits, label), accuracy(logits, label)
  }
}
"""
COUNT, TEST, SIDE, CLASSES = 50, 23, 4, 3
CPU = ("--target", "cpu")


def idx_bytes(shape, values):
    return b"\0\0\x08" + bytes([len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + bytes(values)


def images(count, seed):
    """Bright in the part of the image that the class says, with some noise."""
    labels = [(i * 7 + seed) % CLASSES for i in range(count)]
    pixels = []
    for i, label in enumerate(labels):
        for at in range(SIDE * SIDE):
            noise = (i * 31 + at * 17 + seed * 13) % 97
            pixels.append(min(255, noise + (140 if at % CLASSES == label else 0)))
    return pixels, labels


def write_digits(folder):
    folder.mkdir()
    for part, count, seed in (("train", COUNT, 1), ("t10k", TEST, 2)):
        pixels, labels = images(count, seed)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx_bytes((count, SIDE, SIDE), pixels))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx_bytes((count,), labels))


def write_wide(folder, pixels, labels):
    """The same with images of another shape."""
    folder.mkdir()
    for part in ("train", "t10k"):
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx_bytes((COUNT, 2, 8), pixels))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx_bytes((COUNT,), labels))


# What a checkpoint of two runs that are the same must have in common: all of it.
def same(tools, what, a, b):
    tools.expect(what, (tools.at / a).read_bytes() == (tools.at / b).read_bytes(), True)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(crc):
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(data):
    """The payloads of a TFRecord file; fails if a checksum is wrong."""
    at = 0
    while at < len(data):
        length, check = struct.unpack_from("<QI", data, at)
        assert check == masked(crc32c(data[at : at + 8]))
        payload = data[at + 12 : at + 12 + length]
        assert struct.unpack_from("<I", data, at + 12 + length)[0] == masked(crc32c(payload))
        yield payload
        at += 16 + length


def fields(message):
    """(number, value) of a protobuf message: integers, and bytes of anything longer."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        tag = varint()
        size = {1: 8, 5: 4}.get(tag & 7)
        if tag & 7 == 0:
            yield tag >> 3, varint()
            continue
        size = varint() if size is None else size
        yield tag >> 3, message[at : at + size]
        at += size


def scalars(path):
    """(step, tag, value) of a file that TensorBoard reads."""
    found = []
    for index, payload in enumerate(records(path.read_bytes())):
        event = dict(fields(payload))
        if index == 0:
            assert event[3] == b"brain.Event:2"
            continue
        for _, value in fields(event[5]):
            value = dict(fields(value))
            found.append((event[2], value[1].decode(), struct.unpack("<f", value[2])[0]))
    return found


def train(tools, *arguments, out=None, **options):
    return tools.passes("nnc-train", "softmax.bin", "--data", "mnist:digits", *arguments, out=out, **options)


def whole_run(tools):
    """One run: its files and what they say."""
    said = train(tools, "--epochs", "3", "--batch", "8", "--out", "run", "--log-every", "7")
    tools.expect("files of a run", sorted(p.name.split(".")[0] for p in (tools.at / "run").iterdir()),
                 ["best", "curves", "events", "last", "metrics", "report"])
    lines = [json.loads(line) for line in (tools.at / "run/metrics.jsonl").read_text().splitlines()]
    tools.expect("measured", [(line["part"], line["step"]) for line in lines],
                 [("train", 7), ("eval", 7), ("train", 14), ("eval", 14), ("train", 21), ("eval", 21)])
    report = json.loads((tools.at / "run/report.json").read_text())
    tools.expect("evaluated", report["examples"], TEST)
    # All of it follows from the confusion matrix.
    matrix = report["confusion"]
    right = sum(matrix[i][i] for i in range(CLASSES))
    tools.expect("accuracy", report["accuracy"], right / TEST)
    tools.expect("accuracy of eval_step, weighted by batches", abs(lines[-1]["accuracy"] - right / TEST) < 1e-6, True)
    for i, row in enumerate(report["classes"]):
        taken = sum(matrix[label][i] for label in range(CLASSES))
        precision, recall = matrix[i][i] / taken, matrix[i][i] / sum(matrix[i])
        tools.expect(f"class {i}", (row["name"], row["precision"], row["recall"], row["examples"]),
                     (str(i), precision, recall, sum(matrix[i])))
        tools.expect(f"f1 of class {i}", abs(row["f1"] - 2 * precision * recall / (precision + recall)) < 1e-12, True)
    tools.expect("learned something", report["accuracy"] > 0.6, True)
    tools.expect("said", "evaluation of 23 examples: loss" in said and "examples/s" in said and "left" in said, True)
    events = scalars(next((tools.at / "run").glob("events*")))
    wanted = [(line["step"], f"{line['part']}/{name}", struct.unpack("<f", struct.pack("<f", value))[0])
              for line in lines for name, value in line.items() if name not in ("part", "step", "epoch")]
    tools.expect("TensorBoard's file", events, wanted)
    curves = (tools.at / "run/curves.svg").read_text()
    tools.expect("curves", [f">{name}<" in curves for name in ("loss", "accuracy", "train", "eval")], [True] * 4)
    tools.fails("nnc-train", "softmax.bin", "--data", "mnist:digits", "--out", "run", error=
                "nnc-train: error: run holds a run: go on with --resume run/last.safetensors, or choose another --out\n")


def resuming(tools):
    """A run that stops anywhere goes on as if it had not, whatever the number of threads."""
    options = ("--epochs", "3", "--batch", "8", "--crop-padding", "1", "--flip", "--rotate", "10", "--jitter", "0.2")
    train(tools, *options, "--seed", "5", "--out", "whole", "--workers", "3")
    train(tools, *options, "--seed", "5", "--out", "none", "--workers", "0")
    same(tools, "threads", "whole/last.safetensors", "none/last.safetensors")
    train(tools, *options, "--seed", "5", "--out", "part", "--max-steps", "10")
    said = train(tools, *options, "--out", "part", "--resume", "part/last.safetensors")
    tools.expect("resumed", said.splitlines()[0], "going on from part/last.safetensors after step 10")
    same(tools, "resumed in an epoch", "whole/last.safetensors", "part/last.safetensors")
    train(tools, *options, "--seed", "6", "--out", "other")
    differ = (tools.at / "whole/last.safetensors").read_bytes() != (tools.at / "other/last.safetensors").read_bytes()
    tools.expect("another seed", differ, True)
    said = train(tools, *options, "--out", "part", "--resume", "part/last.safetensors")
    tools.expect("finished", said.splitlines()[1], "nothing is left to do: 21 of 21 steps are done")
    said = train(tools, "--evaluate", "--resume", "part/last.safetensors", "--out", "evaluated")
    tools.expect("evaluated alone", said.splitlines()[1].startswith("evaluation of 23 examples: loss "), True)
    same(tools, "reports", "part/report.json", "evaluated/report.json")
    tensors = read_safetensors(tools.at / "part/last.safetensors")
    tools.expect("a checkpoint is a whole model", sorted(tensors), ["bias", "frozen", "step", "velocity", "weight"])
    tools.expect("steps", tensors["step"][1], (21,))


def weights(tools):
    """A checkpoint of a run is one for the compiler: inside of model.bin or beside it."""
    for place in ((), ("--external-weights",)):
        tools.passes("nnc", "softmax.nn", "--target", "cpu", "--weights", "part/last.safetensors", *place, "-o",
                     "trained.bin", out=None)
        tools.passes("nnc-train", "trained.bin", "--data", "mnist:digits", "--batch", "8", "--evaluate", "--out",
                     "trained", out=None)
        found = json.loads((tools.at / "trained/report.json").read_text())
        tools.expect("of the trained weights", found, json.loads((tools.at / "part/report.json").read_text()))


def on_twin(tools):
    """The same bits after resuming, for the cuda target."""
    tools.passes("nnc", "softmax.nn", "--target", "cuda", "--arch", "sm_80", "-o", "softmax.bin", out=None)
    options = ("--epochs", "2", "--batch", "16", "--seed", "5")
    train(tools, *options, "--out", "whole")
    train(tools, *options, "--out", "part", "--max-steps", "5")
    train(tools, *options, "--out", "part", "--resume", "part/last.safetensors")
    same(tools, "resumed in an epoch", "whole/last.safetensors", "part/last.safetensors")
    same(tools, "reports", "whole/report.json", "part/report.json")
    tools.passes("nnc", "softmax.nn", "--target", "cpu", "-o", "softmax.bin", out=None)
    train(tools, *options, "--out", "cpu")
    found, wanted = (read_safetensors(tools.at / f"{run}/last.safetensors")["weight"][1] for run in ("whole", "cpu"))
    tools.expect("cuda and cpu agree", max(abs(a - b) for a, b in zip(found, wanted)) < 1e-5, True)


def in_a_terminal(tools):
    """A bar that is drawn over itself and is no wider than the terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    process = subprocess.Popen(command(tools, "--epochs", "3", "--out", "terminal"), cwd=tools.at, stdout=theirs)
    os.close(theirs)
    text = b""
    try:
        while part := os.read(ours, 4096):
            text += part
    except OSError:  # its end
        pass
    tools.expect("in a terminal", process.wait(timeout=60), 0)
    bars = [part for part in text.decode().split("\r") if part.startswith("[")]
    tools.expect("a bar", [len(bars) > 0, bars[0].startswith("[....") and "] epoch 1/3  step 1/150" in bars[0],
                           max(map(len, bars)) <= 60], [True] * 3)


def broken_image(tools):
    """What was learned before an unreadable example is kept."""
    (tools.at / "pictures/a").mkdir(parents=True)
    for name in ("1.png", "2.png"):
        (tools.at / f"pictures/a/{name}").write_bytes(b"no picture")
    status, _, error = tools.run("nnc-train", "softmax.bin", "--data", "images:pictures", "--batch", "1", "--out", "pictures")
    tools.expect("a broken image", (status, error.split("/")[0], error.split(": ")[-1]),
                 (1, "nnc-train: error: cannot read the image pictures", "it is neither a PNG nor a JPEG file\n"))
    tools.expect("what was learned", (tools.at / "pictures/last.safetensors").exists(), True)


BLOCK = """\
model Small(classes: int = 3, side: int = 4) {
  conv = Conv2d(1, 4, 3, padding=1)
  norm = BatchNorm2d(4)
  fc = Linear(4 * side * side, classes)

  fn forward(image: float[B, 1, side, side]) -> float[B, classes] requires B in 1..=64 {
    x = image |> conv |> norm |> relu
    return reshape(x, [B, 4 * side * side]) |> dropout(0.2) |> fc
  }
}

train net = Small() {
  optimizer = AdamW(lr=0.01)
  clip_norm = 1.0

  fn loss(image: float[B, 1, 4, 4], label: i32[B]) -> (loss: f32[], accuracy: f32[]) requires B in 1..=64 {
    logits = net(image)
    return cross_entropy(logits, label), accuracy(logits, label)
  }
}
"""


def block(tools, target):
    """A train block with dropout, batch norm and AdamW: resumed with the same bits, then the model alone."""
    (tools.at / "block.nn").write_text(BLOCK)
    tools.passes("nnc", "block.nn", *target, "-o", "block.bin", out=None)
    run = ("block.bin", "--data", "mnist:digits", "--epochs", "4", "--batch", "8", "--seed", "3", "--flip")
    tools.passes("nnc-train", *run, "--out", "block", out=None)
    for steps in ("3", "13"):
        more = () if steps == "3" else ("--resume", "parts/last.safetensors")
        tools.passes("nnc-train", *run, "--out", "parts", "--max-steps", steps, *more, out=None)
    tools.passes("nnc-train", *run, "--out", "parts", "--resume", "parts/last.safetensors", out=None)
    same(tools, "resumed twice", "block/last.safetensors", "parts/last.safetensors")
    report = json.loads((tools.at / "block/report.json").read_text())
    tools.expect("learned something", report["accuracy"] > 0.6, True)
    tensors = read_safetensors(tools.at / "block/last.safetensors")
    tools.expect("updates", tensors["optimizer.step"][1], (28,))
    tools.expect("batches", tensors["norm.num_batches_tracked"][1], (28,))
    tools.passes("nnc", "block.nn", "--model", "Small", "--weights", "block/last.safetensors", *target, "-o", "small.bin",
                 out=None)
    for place in ((), ("--external-weights",)):  # params that are set begin as weights of either place
        tools.passes("nnc", "block.nn", *target, "--weights", "block/last.safetensors", *place, "-o", "again.bin", out=None)
        tools.passes("nnc-train", "again.bin", *run[1:], "--evaluate", "--out", "again", out=None)
        found = json.loads((tools.at / "again/report.json").read_text())
        tools.expect("begins with the weights", found, report)


def command(tools, *arguments):
    return [tools.bin / "nnc-train", "softmax.bin", "--data", "mnist:digits", "--batch", "1", *arguments]


def stopping(tools):
    """Ctrl-C leaves a checkpoint; kill -9 at any moment leaves one that can be resumed."""
    long = ("--epochs", "100000", "--out", "stopped", "--save-every", "3", "--log-every", "1000000")
    process = subprocess.Popen(command(tools, *long), cwd=tools.at, stdout=subprocess.PIPE, text=True)
    while not (tools.at / "stopped/last.safetensors").exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[0].splitlines()[-1]
    tools.expect("stopped", process.returncode, 130)
    step = int(said.removeprefix("stopped after step ").split(";")[0])
    tools.expect("said", said, f"stopped after step {step}; go on with --resume stopped/last.safetensors")
    tools.expect("saved", read_safetensors(tools.at / "stopped/last.safetensors")["step"][1], (step,))
    # Steps take less time than saving them, so most of these moments are in the middle of a save.
    for delay in (0, 0.001, 0.002, 0.003, 0.005, 0.008, 0.013, 0.021):
        before = (tools.at / "stopped/last.safetensors").stat().st_ino
        process = subprocess.Popen(command(tools, *long, "--resume", "stopped/last.safetensors"), cwd=tools.at,
                                   stdout=subprocess.DEVNULL)
        while (tools.at / "stopped/last.safetensors").stat().st_ino == before and process.poll() is None:
            time.sleep(0.001)
        time.sleep(delay)
        tools.expect("running", process.poll(), None)
        process.kill()
        process.wait()
        later = read_safetensors(tools.at / "stopped/last.safetensors")["step"][1][0]
        tools.expect("killed, but whole", later > step, True)
        step = later
    (tools.at / "stopped/last.safetensors.a1b2c3").write_bytes(b"half")
    train(tools, "--batch", "1", "--max-steps", "1", "--out", "stopped", "--resume", "stopped/last.safetensors")
    left = [path.name for path in (tools.at / "stopped").iterdir() if "safetensors." in path.name]
    tools.expect("what a killed run leaves is removed", left, [])


def refused(tools, error, *arguments, model="softmax.bin"):
    tools.fails("nnc-train", model, *arguments, "--out", "refused", error=f"nnc-train: error: {error}\n")


def write_arrays(tools):
    """Small .npy files: x pixels, l labels, and what is wrong with others."""
    area = SIDE * SIDE
    arrays = {
        "x": ((4, 1, SIDE, SIDE), [0.5] * (4 * area), "<f4"),
        "l": ((4,), [0, 1, 2, 0], "<i8"),
        "float": ((4,), [0, 1, 2, 0], "<f4"),
        "short": ((3,), [0, 1, 2], "<i8"),
        "large": ((4,), [0, 1, 2, 3], "<i8"),
        "huge": ((4,), [0, 1, 2, 1 << 40], "<i8"),
        "nan": ((4, 1, SIDE, SIDE), [0.5] * (3 * area) + [math.nan] * area, "<f4"),
        "one": ((), [1], "<f4"),
    }
    for name, (shape, values, dtype) in arrays.items():
        (tools.at / f"{name}.npy").write_bytes(npy_bytes(shape, values, dtype))


def refused(tools, error, *arguments, model="softmax.bin"):
    tools.fails("nnc-train", model, *arguments, "--out", "refused", error=f"nnc-train: error: {error}\n")


def refuses_models(tools):
    digits = ("--data", "mnist:digits")
    refused(tools, "cannot open nothing.bin: No such file or directory", *digits, model="nothing.bin")
    refused(tools, "plain.bin has no entry point `train_step`, only `forward`: compile a file with a `train` block",
            *digits, model="plain.bin")
    refused(tools, "the first result of `train_step`, `losses`, is f32[B]; it must be the loss, f32[]", *digits,
            model="losses.bin")
    refused(tools, "`train_step` is compiled for batches of 8, not of 32", *digits, model="fixed.bin")
    said = tools.passes("nnc-train", "fixed.bin", *digits, "--batch", "8", "--epochs", "1", "--out", "fixed", out=None)
    tools.expect("what does not divide", said.splitlines()[:2], [
        "training: 2 of 50 examples are left out, for batches have 8",
        "evaluation: 7 of 23 examples are left out, for batches have 8"])


def refuses_options(tools):
    digits = ("--data", "mnist:digits")
    refused(tools, "`train_step` takes B in 1..=64, not 65", *digits, "--batch", "65")
    refused(tools, "`train_step` has no input `x`, which --map names", *digits, "--map", "x=image")
    refused(tools, "digits has no field `imag`; it has `image`, `label`", *digits, "--map", "image=imag")
    refused(tools, "`train_step` has no dimension `T`, which --dim names", *digits, "--dim", "T=3")
    refused(tools, "--dim takes NAME=SIZE, found `B=x`", *digits, "--dim", "B=x")
    refused(tools, "give either --eval-data or --holdout", *digits, "--eval-data", "mnist:digits", "--holdout", "0.5")
    tools.fails("nnc-train", "softmax.bin", *digits, "--best", "f1", "--epochs", "1", "--log-every", "1000", "--out",
                "/dev/null/run", error="nnc-train: error: cannot make the folder /dev/null/run: Not a directory\n")
    status, _, error = tools.run("nnc-train", "softmax.bin", *digits, "--best", "f1", "--epochs", "1", "--out", "best")
    tools.expect("--best", (status, error),
                 (1, "nnc-train: error: `eval_step` has no output `f1`, which --best names\n"))


def refuses_data(tools):
    """Data that is missing, broken, or of another shape than the model."""
    kinds = "`mnist`, `fashion-mnist`, `cifar10`, `cifar100`, `images`, `tensors`, `arrays`, `text`"
    refused(tools, f"there is no kind of data `pictures`; there is {kinds}", "--data", "pictures:digits")
    refused(tools, "there is no kind of data `mnst`; did you mean `mnist`?", "--data", "mnst:digits")
    refused(tools, "`mnist` names no files: write `mnist:PATH`", "--data", "mnist")
    refused(tools, "cannot open nowhere/train-images-idx3-ubyte: No such file or directory", "--data", "mnist:nowhere")
    refused(tools, "the input `image` takes f32[1, 4, 4] per example, but `image` of wide is f32[1, 2, 8]",
            "--data", "mnist:wide")
    refused(tools, "digits has no folders: images of each class are in a folder of their own, which is the name of "
            "the class", "--data", "images:digits")
    refused(tools, "cannot read the folder nowhere: No such file or directory", "--data", "images:nowhere")
    arrays = {
        "image=x.npy,label=float.npy": "the input `label` takes i32[] per example, but `label` of {} is f32[]",
        "image=x.npy,label=short.npy": "{}: `image` has 4 examples, but `label` has 3",
        "image=x.npy,label=large.npy": "{}: the label of example 3 is 3, but `forward` tells 3 classes apart, 0 to 2",
        "image=x.npy,label=one.npy": "{}: `label` is f32[], which holds no examples",
        "image=x.npy,image=x.npy": "the array `image` is listed twice",
        "x.npy": "arrays are listed as NAME=FILE.npy,NAME=FILE.npy; found `x.npy`",
        "image=nowhere.npy": "cannot open nowhere.npy: No such file or directory",
        "pixel=x.npy,label=l.npy": "`train_step` takes the input `image`, and {} has `pixel`, `label`: name the field "
                                   "with --map image=FIELD",
        "image=l.npy,label=l.npy": "the input `image` of `train_step` is f32[B, 1, 4, 4]; the examples of {}, one "
                                   "after the other, have 1 axes",
    }
    for data, error in arrays.items():
        refused(tools, error.format(data), "--data", f"arrays:{data}")
    refused(tools, "image=x.npy,label=huge.npy: the label of example 3 is 1099511627776, but `forward` tells 3 classes "
            "apart, 0 to 2", "--data", "arrays:image=x.npy,label=huge.npy")


def refuses_checkpoints(tools):
    digits = ("--data", "mnist:digits")
    best = ("--resume", "whole/best.safetensors")
    refused(tools, "whole/best.safetensors does not fit other.bin: it has `frozen`, the model has not", *digits,
            *best, model="other.bin")
    refused(tools, "the run of whole/best.safetensors had --seed 5, not 4: it would not go on as it began", *digits,
            *best, "--seed", "4")
    refused(tools, "the run of whole/best.safetensors had --batch 8, not 9: it would not go on as it began", *digits,
            *best, "--batch", "9")
    refused(tools, "the run of whole/best.safetensors had 50 examples to train with, now there are 4: it would not go "
            "on as it began", "--data", "arrays:image=x.npy,label=l.npy", *best)
    (tools.at / "weights.safetensors").write_bytes(safetensors_bytes({"weight": ((1,), (0,), "<f4")}))
    refused(tools, "weights.safetensors is no checkpoint of nnc-train: it lacks `train.seed` (to begin with its "
            "weights, compile the model with --weights)", *digits, "--resume", "weights.safetensors")
    whole = (tools.at / "whole/last.safetensors").read_bytes()
    (tools.at / "short.safetensors").write_bytes(whole[:-1])
    refused(tools, "short.safetensors is malformed: tensor `weight` ends at byte 448 of 447 bytes of data"
            .replace("448 of 447", f"{len(whole) - 8 - header(whole)} of {len(whole) - 9 - header(whole)}"), *digits,
            "--resume", "short.safetensors")


def header(data):
    return struct.unpack_from("<Q", data)[0]


def full_disk(tools):
    """A file that cannot be written whole leaves the one before; limits on the size of files stand in for a full disk."""
    train(tools, "--epochs", "1", "--batch", "8", "--out", "full")
    before = (tools.at / "full/last.safetensors").read_bytes()
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))
    status, _, error = tools.run("nnc-train", "softmax.bin", "--data", "mnist:digits", "--epochs", "2", "--out", "full",
                                 "--resume", "full/last.safetensors", "--log-every", "1000", preexec_fn=limit)
    tools.expect("full", (status, error.startswith("nnc-train: error: cannot write full/")), (1, True))
    tools.expect("the checkpoint before", (tools.at / "full/last.safetensors").read_bytes() == before, True)


def not_a_number(tools):
    """A step whose loss is not a number ends the run, or is undone."""
    run = ("softmax.bin", "--data", "arrays:image=nan.npy,label=l.npy", "--batch", "1", "--epochs", "1")
    status, _, error = tools.run("nnc-train", *run, "--out", "nan")
    step = error.split(" in step ")[-1].split(",")[0]
    said = f"the loss is nan in step {step}, batch {step} of epoch 1"
    source = ": the data has it, in the input `image`"
    tools.expect("stopped", (status, error), (1, f"nnc-train: error: {said}{source}; --nan=skip leaves such steps out\n"))
    lines = tools.passes("nnc-train", *run, "--out", "skip", "--nan", "skip", out=None).splitlines()
    tools.expect("skipped", lines[0], f"{said}: skipped")
    tools.expect("undone", read_safetensors(tools.at / "skip/last.safetensors")["step"][1], (3,))


def not_a_number_inside(tools, target):
    """The kernel and its line are found, from the beginning and from a checkpoint. The root is fused with one of the sums."""
    kernel = "mean" if "cuda" in target else "sum"
    line = next(i for i, text in enumerate(ROOTS.splitlines(), 1) if f"{kernel}(" in text)
    column = ROOTS.splitlines()[line - 1].index(f"{kernel}(") + 1
    (tools.at / "roots.nn").write_text(ROOTS)
    tools.passes("nnc", "roots.nn", *target, "-o", "roots.bin", out=None)
    data = ("--data", "arrays:x=x.npy", "--batch", "1", "--log-every", "1000")
    for name, more in (("roots", ()), ("saved", ("--save-every", "2"))):
        status, said, error = tools.run("nnc-train", "roots.bin", *data, "--out", name, "--epochs", "2", *more)
        hint = "; saved/last.safetensors is from before it" if more else "; roots/last.safetensors is from before it"
        tools.expect("the operation", (status, error), (1, (
            f"nnc-train: error: the loss is nan in step 7, batch 3 of epoch 2: the first kernel that makes one is `{kernel}` at "
            f"roots.nn:{line}:{column}{hint}; --nan=skip leaves such steps out\n")))
        tools.expect("said", said.splitlines()[-1].startswith("looking for what made it: from "), True)


ROOTS = """\
model Roots() {
  state left: float[] = 6.5
  fn train_step(x: float[B, 1, 4, 4]) -> (loss: f32[]) requires B in 1..=4 {
    left <- left - 1
    y = sqrt(left + mean(x) * 0)
    z = y * 2 + sum(x)
    return f32(z)
  }
}
"""


def other_models(tools):
    """What is refused: no train_step, another number of classes, a loss that is no number, batches of one size."""
    variants = {
        "plain": MODEL[: MODEL.index("  fn train_step")] + "}\n",
        "other": MODEL.replace("frozen", "scale"),
        "losses": MODEL.replace("-> (loss: f32[], accuracy", "-> (losses: f32[B], accuracy", 1).replace(
            "return cross_entropy(logits, label), accuracy", "return f32(logits[:, 0]), accuracy", 1),
    }
    for name, text in variants.items():
        (tools.at / f"{name}.nn").write_text(text)
        tools.passes("nnc", f"{name}.nn", "--target", "cpu", "-o", f"{name}.bin", out=None)
    tools.passes("nnc", "softmax.nn", "--target", "cpu", "--dim", "B=8", "-o", "fixed.bin", out=None)


def all_on_cpu(tools):
    other_models(tools)
    for part in (whole_run, resuming, weights, stopping, in_a_terminal, broken_image, refuses_models, refuses_options,
                 refuses_data, refuses_checkpoints, full_disk, not_a_number):
        part(tools)
    not_a_number_inside(tools, CPU)


def main():
    tools = Tools(sys.argv[1])
    target = ("--target", "cuda", "--arch", "sm_80") if "--twin" in sys.argv else CPU
    write_digits(tools.at / "digits")
    write_wide(tools.at / "wide", *images(COUNT, 1))
    write_arrays(tools)
    (tools.at / "softmax.nn").write_text(MODEL)
    tools.passes("nnc", "softmax.nn", *CPU, "-o", "softmax.bin", out=None)
    if "--block" in sys.argv:
        block(tools, target)
    elif target == CPU:
        all_on_cpu(tools)
    else:
        on_twin(tools)
        not_a_number_inside(tools, target)
    tools.finish()


if __name__ == "__main__":
    main()
