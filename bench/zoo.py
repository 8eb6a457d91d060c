#!/usr/bin/env python3
"""The model zoo at full size: nnc's numbers beside PyTorch's from the same weights, and the time.

    python3 bench/zoo.py [--bin build/release/bin] [--target cuda] [--only bert,vit] [--precision bf16]
                         [--peers eager,inductor] [--small] [--sanitize] [--out table.md]

Needs torch, torchvision, transformers and safetensors (PyPI). For each model PyTorch draws random
weights and writes them as a checkpoint with the library's own keys; nnc compiles the example with
it and runs it on the same inputs. The reference is PyTorch in f64 (on the GPU where there is one),
PyTorch's own distance from it is that of its f32, or of `--precision`, without TF32. The table has
both relative errors (largest difference over largest value), milliseconds of one call with tensors
on the device (none where the inputs given are of another float type than the model's), kernels, peak memory and compile time. `--peers` adds milliseconds of PyTorch in CUDA graphs, in the same precision. `--small` uses small batches, for a machine
without a GPU. The exit status is 1 if an error is above its tolerance.
"""
import argparse
import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from peers.models import randomize
from sanitizer import sanitize

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "test/golden"))
TOLERANCES = json.loads((ROOT / "test/tolerances.json").read_text())
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False


def image(*shape):
    return torch.randn(*shape)


def ids(high, *shape):
    return torch.randint(0, high, shape, dtype=torch.int32)


def lengths(batch, steps):
    """A mask of tokens whose lengths fall from `steps` to half of it."""
    last = torch.linspace(steps, steps // 2, batch).long()
    return torch.arange(steps)[None, :] < last[:, None]


class Recurrent(nn.Module):
    """The classifiers of examples/recurrent.nn."""

    def __init__(self, name, layer, bidirectional):
        super().__init__()
        self.embedding = nn.Embedding(20_000, 128)
        self.name = name
        setattr(self, name, layer(128, 256, 2, batch_first=True, bidirectional=bidirectional))
        self.fc = nn.Linear(512 if bidirectional else 256, 2)

    def forward(self, ids):
        return self.fc(getattr(self, self.name)(self.embedding(ids))[0].mean(1))


def torchvision_model(name):
    def build():
        import torchvision

        return getattr(torchvision.models, name)()

    return build


def bert():
    from transformers import BertConfig, BertModel

    return BertModel(BertConfig(attn_implementation="eager"))


def gpt2():
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(GPT2Config(attn_implementation="eager"))


def llama():
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(LlamaConfig(
        vocab_size=32_000, hidden_size=2048, intermediate_size=5632, num_hidden_layers=22, num_attention_heads=32,
        num_key_value_heads=4, max_position_embeddings=2048, rms_norm_eps=1e-5, attn_implementation="eager",
    ))


def from_golden(file, name, *sizes):
    """A module of the golden tests, which have the small configurations."""
    def build():
        return getattr(__import__(file), name)(*sizes)

    return build


def recurrent(name, layer, bidirectional=False):
    return lambda: Recurrent(name, layer, bidirectional)


def last_logits(model, ids):
    return {"logits": model(input_ids=ids.long(), use_cache=False).logits[:, -1]}


def image_logits(model, image):
    return {"logits": model(image)}


def bert_outputs(model, ids, kind, mask):
    out = model(input_ids=ids.long(), token_type_ids=kind.long(), attention_mask=mask.long())
    return {"hidden": out.last_hidden_state, "pooled": out.pooler_output}


def token_logits(model, ids):
    return {"logits": model(ids.long())}


def golden_outputs(model, **inputs):
    return model(**{k: v.long() if v.dtype == torch.int32 else v for k, v in inputs.items()})


IMAGENET = ["--dim", "H=224", "--dim", "W=224"]
CASES = {
    # name: (module, source and options, batch sizes (GPU, small), inputs of a batch, call)
    "resnet18": (torchvision_model("resnet18"), ["resnet.nn", "--model", "ResNet18", *IMAGENET], (64, 1),
                 lambda b: {"image": image(b, 3, 224, 224)}, image_logits),
    "resnet50": (torchvision_model("resnet50"), ["resnet.nn", "--model", "ResNet50", *IMAGENET], (32, 1),
                 lambda b: {"image": image(b, 3, 224, 224)}, image_logits),
    "mobilenet_v2": (torchvision_model("mobilenet_v2"), ["mobilenetv2.nn", *IMAGENET], (32, 1),
                     lambda b: {"image": image(b, 3, 224, 224)}, image_logits),
    "vit_b_16": (torchvision_model("vit_b_16"), ["vit.nn"], (32, 1),
                 lambda b: {"image": image(b, 3, 224, 224)}, image_logits),
    "bert": (bert, ["bert.nn"], (32, 1),
             lambda b: {"ids": ids(30522, b, 128), "kind": ids(2, b, 128), "mask": lengths(b, 128)}, bert_outputs),
    "gpt2": (gpt2, ["gpt2.nn"], (4, 1), lambda b: {"ids": ids(50257, b, 512)}, last_logits),
    "llama": (llama, ["llama.nn"], (2, 1), lambda b: {"ids": ids(32000, b, 256)}, last_logits),
    "rnn": (recurrent("rnn", nn.RNN), ["recurrent.nn", "--model", "RNNClassifier"], (64, 2),
            lambda b: {"ids": ids(20000, b, 100)}, token_logits),
    "lstm": (recurrent("lstm", nn.LSTM), ["recurrent.nn", "--model", "LSTMClassifier"], (64, 2),
             lambda b: {"ids": ids(20000, b, 100)}, token_logits),
    "gru": (recurrent("gru", nn.GRU), ["recurrent.nn", "--model", "GRUClassifier"], (64, 2),
            lambda b: {"ids": ids(20000, b, 100)}, token_logits),
    "bilstm": (recurrent("lstm", nn.LSTM, True),
               ["recurrent.nn", "--model", "LSTMClassifier", "--set", "bidirectional=true"], (64, 2),
               lambda b: {"ids": ids(20000, b, 100)}, token_logits),
    "unet": (from_golden("image_zoo", "UNet", 64), ["unet.nn", "--dim", "H=256", "--dim", "W=256"], (4, 1),
             lambda b: {"image": image(b, 3, 256, 256)}, golden_outputs),
    "translation": (from_golden("attention_zoo", "Translator", 10_000, 512, 8, 6, 2048),
                    ["translation.nn", *(part for size in ("source_vocab=10000", "target_vocab=10000", "dim=512", "heads=8",
                                                           "ffn=2048", "depth=6") for part in ("--set", size))], (16, 1),
                    lambda b: {"source_ids": ids(10_000, b, 64), "mask": lengths(b, 64), "target_ids": ids(10_000, b, 48)},
                    golden_outputs),
    "mnist": (from_golden("image_zoo", "MnistNet"), ["mnist.nn"], (1024, 2),
              lambda b: {"image": image(b, 1, 28, 28)}, golden_outputs),
    "tutorialnet": (from_golden("image_zoo", "TutorialNet"), ["cifar.nn", "--model", "TutorialNet"], (1024, 2),
                    lambda b: {"image": image(b, 3, 32, 32)}, golden_outputs),
    "convnet32": (from_golden("image_zoo", "ConvNet", 32, 3, 128), ["cifar.nn", "--model", "ConvNet32"], (1024, 2),
                  lambda b: {"image": image(b, 3, 32, 32)}, golden_outputs),
    "convnet64": (from_golden("image_zoo", "ConvNet", 64, 3, 128), ["cifar.nn", "--model", "ConvNet64"], (256, 2),
                  lambda b: {"image": image(b, 3, 64, 64)}, golden_outputs),
    "deepnet": (from_golden("image_zoo", "ConvNet", 32, 5, 1024), ["cifar.nn", "--model", "DeepNet"], (256, 2),
                lambda b: {"image": image(b, 3, 32, 32)}, golden_outputs),
}


def evaluate(model, call, inputs, dtype):
    """The outputs in f64, computed in `dtype`."""
    model = model.to(DEVICE, dtype)
    arguments = {k: v.to(DEVICE, dtype) if v.is_floating_point() else v.to(DEVICE) for k, v in inputs.items()}
    with torch.no_grad():
        return {k: v.double().cpu().numpy() for k, v in call(model, **arguments).items()}


def error(found, expected):
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-30))


class Call(nn.Module):
    """A model with the arguments and results of its example, by position."""

    def __init__(self, model, call, names):
        super().__init__()
        self.model, self.call, self.names = model, call, names

    def forward(self, *arguments):
        return tuple(self.call(self.model, **dict(zip(self.names, arguments))).values())


def peer_times(peers, model, call, inputs, dtype, tf32):
    """Milliseconds of each peer in a CUDA graph, images channels last; - where it does not run."""
    sys.path.insert(0, str(ROOT / "bench/peers"))
    import clock
    import torch_peers

    torch_peers.allow_tf32(tf32)
    layout = torch.channels_last if any(v.dim() == 4 for v in inputs.values()) else torch.preserve_format
    model = Call(model, call, list(inputs)).to(DEVICE, dtype, memory_format=layout).eval()
    arguments = [v.to(DEVICE, dtype) if v.is_floating_point() else v.to(DEVICE) for v in inputs.values()]
    texts = []
    for peer in peers:
        try:
            queue, _, _ = torch_peers.start(peer, model, arguments)
            texts.append(f"{clock.milliseconds(queue):.3g}")
        except Exception as problem:  # of PyTorch's, which is only a peer here
            print(f"{peer} does not run: {str(problem)[:200]}", file=sys.stderr)
            texts.append("-")
    torch_peers.allow_tf32(False)
    return texts


class Bench:
    def __init__(self, args, folder):
        self.args, self.folder, self.failed = args, folder, False

    def run(self, *command):
        return subprocess.run([str(c) for c in command], cwd=ROOT, capture_output=True, text=True, timeout=580)

    def case(self, name):
        build, (example, *options), batches, inputs_of, call = CASES[name]
        torch.manual_seed(0)
        model = randomize(build())
        weights = self.folder / f"{name}.safetensors"
        save_file({k: v.contiguous().clone() for k, v in model.state_dict().items()}, weights)
        program = self.folder / f"{name}.bin"
        start = time.perf_counter()
        precision = ["--precision", self.args.precision] if self.args.precision else []
        done = self.run(self.args.bin / "nnc", ROOT / "examples" / example, *options, *precision,
                        "--weights", weights, "--target", self.args.target, "-o", program)
        seconds = time.perf_counter() - start
        if done.returncode:
            self.failed = True
            return f"| {name} | does not compile: {done.stderr.strip()[-300:]} |"
        inputs = inputs_of(batches[self.args.small])
        arguments = []
        for key, value in inputs.items():
            np.save(self.folder / f"{key}.npy", value.numpy())
            arguments += ["--input", f"{key}={self.folder / key}.npy"]
        expected = evaluate(model, call, inputs, torch.float64)
        narrow = {"bf16": torch.bfloat16, "f16": torch.float16}.get(self.args.precision, torch.float32)
        own = evaluate(model, call, inputs, narrow)
        outputs = [a for k in expected for a in ("--output", f"{k}={self.folder / k}.safetensors")]
        done = self.run(self.args.bin / "nnc-run", program, *arguments, *outputs)
        if done.returncode:
            self.failed = True
            return f"| {name} | does not run: {done.stderr.strip()[-300:]} |"
        theirs = max(error(own[k], expected[k]) for k in expected)
        ours = max(error(self.output(k), expected[k]) for k in expected)
        limit = 2 * theirs if self.args.precision in ("bf16", "f16") else TOLERANCES[f"{self.args.target}_f32"]["rtol"]
        wrong = not ours <= limit
        self.failed |= wrong
        info = self.run(self.args.bin / "nnc-run", program, "--info").stdout
        bench = self.run(self.args.bin / "nnc-run", program, *arguments, "--bench").stdout
        milliseconds = re.findall(r"tensors on cuda:\d+: median ([\d.]+) ms", bench)
        kernels = re.search(r"(\d+) (?:distinct )?kernels?", info)
        memory = re.search(r"peak memory:? +([\d.]+ \w+)", info)
        if self.args.sanitize:
            self.sanitize(name, program, arguments)
        peers = peer_times(self.args.peers, model, call, inputs, narrow, self.args.precision == "tf32") if self.args.peers else []
        return (f"| {name} | {batches[self.args.small]} | {ours:.1e}{' (wrong)' if wrong else ''} | {theirs:.1e} "
                f"| {milliseconds[-1] if milliseconds else ''} | {kernels[1] if kernels else '?'} "
                f"| {memory[1] if memory else '?'} | {seconds:.1f} |{''.join(f' {text} |' for text in peers)}")

    def output(self, name):
        (tensor,) = load_file(self.folder / f"{name}.safetensors").values()
        return tensor.double().numpy()

    def sanitize(self, name, program, arguments):
        for tool in ("memcheck", "racecheck", "synccheck"):
            problem, library = sanitize(tool, self.args.bin / "nnc-run", program, *arguments)
            self.failed |= bool(problem)
            print(f"{name} {tool}: {'FAILED ' + problem if problem else 'clean'}"
                  f"{f' ({library} reports in library kernels)' if library else ''}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin")
    parser.add_argument("--target", default=DEVICE, choices=["cpu", "cuda"])
    parser.add_argument("--only")
    parser.add_argument("--precision", choices=["bf16", "f16", "tf32"])
    parser.add_argument("--peers", default="", help="of eager, inductor, autotune")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--sanitize", action="store_true")
    parser.add_argument("--out", type=pathlib.Path)
    args = parser.parse_args()
    args.bin = args.bin.resolve()
    args.peers = [peer for peer in args.peers.split(",") if peer]
    rows = ["| model | B | error | PyTorch's | ms | kernels | peak memory | compile, s |" + "".join(f" {p}, ms |" for p in args.peers),
            "|---|---|---|---|---|---|---|---|" + "---|" * len(args.peers)]
    print("\n".join(rows))
    with tempfile.TemporaryDirectory() as temporary:
        bench = Bench(args, pathlib.Path(temporary))
        for name in args.only.split(",") if args.only else CASES:
            try:
                rows.append(bench.case(name))
            except Exception as problem:  # one model's trouble is not the others'
                bench.failed = True
                rows.append(f"| {name} | {type(problem).__name__}: {str(problem)[:300]} |")
            print(rows[-1], flush=True)
            for file in pathlib.Path(temporary).iterdir():
                with contextlib.suppress(OSError):
                    os.remove(file)
    if args.out:
        args.out.write_text("\n".join(rows) + "\n")
    sys.exit(bench.failed)


if __name__ == "__main__":
    main()
