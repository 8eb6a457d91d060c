#!/usr/bin/env python3
"""Makes the golden tensors with PyTorch: for each case NAME.json (keys, shapes, compiler options)
and NAME.safetensors (inputs and PyTorch's outputs, computed in f64 and rounded to f32).

    python3 test/golden/make.py [NAME..]   # needs torch, torchvision, transformers, safetensors (PyPI)

Weights and inputs are drawn by weights.py, which the tests use too.
"""
import copy
import gzip
import json
import pathlib
import sys

import numpy as np
import torch
from safetensors.numpy import load_file
from torch import nn
from torch.nn import functional as F

import attention_zoo
import image_zoo
import ops
from weights import draw, draw_input, write_safetensors

HERE = pathlib.Path(__file__).parent
EXAMPLES = HERE.parent.parent / "examples"


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, image):
        x = F.avg_pool2d(torch.tanh(self.conv1(image)), 2)
        x = F.avg_pool2d(torch.tanh(self.conv2(x)), 2).flatten(1)
        return {"logits": self.fc3(torch.tanh(self.fc2(torch.tanh(self.fc1(x)))))}


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)
        )

    def forward(self, x):
        return {"probabilities": F.softmax(self.layers(x), -1)}


def conv(c_in, c_out):
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU())


class CifarNet(nn.Module):
    def __init__(self):
        super().__init__()
        pool = nn.MaxPool2d(2)
        self.features = nn.Sequential(conv(3, 64), conv(64, 128), pool, conv(128, 256), pool, conv(256, 256))
        self.head = nn.Linear(256, 10)

    def forward(self, image):
        return {"logits": self.head(self.features(image).mean((2, 3)))}


class BasicBlock(nn.Module):
    def __init__(self, c_in, c_out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(c_out)
        self.downsample = nn.Sequential()
        if stride != 1 or c_in != c_out:
            self.downsample = nn.Sequential(
                nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out)
            )

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(self.downsample(x) + y)


class ResNet18(nn.Module):
    """torchvision's resnet18: the same layers and keys."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        widths = [64, 64, 128, 256, 512]
        for i in range(1, 5):
            stride = 1 if i == 1 else 2
            blocks = BasicBlock(widths[i - 1], widths[i], stride), BasicBlock(widths[i], widths[i], 1)
            setattr(self, f"layer{i}", nn.Sequential(*blocks))
        self.fc = nn.Linear(512, 1000)

    def forward(self, image):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(image))), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return {"logits": self.fc(x.mean((2, 3)))}


class FeedForward(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(dim), nn.Linear(dim, hidden), nn.Linear(hidden, dim)

    def forward(self, x):
        return x + self.down(F.gelu(self.up(self.norm(x))))


class TextClassifier(nn.Module):
    def __init__(self, vocab=1000, dim=64):
        super().__init__()
        self.embedding = nn.Embedding(vocab, dim)
        self.blocks = nn.Sequential(FeedForward(dim, 4 * dim), FeedForward(dim, 4 * dim))
        self.score, self.norm, self.fc = nn.Linear(dim, 1), nn.LayerNorm(dim), nn.Linear(dim, 4)

    def forward(self, ids):
        x = self.blocks(self.embedding(ids))
        weight = self.score(x)[:, :, 0].softmax(-1)
        return {"logits": self.fc(self.norm((x * weight[:, :, None]).sum(1)))}


class Recurrent(nn.Module):
    """A classifier on torch.nn's `kind`; `last` reads the last position, else the mean of all."""

    def __init__(self, kind, layers=2, bidirectional=False, last=False, vocab=50, dim=12, hidden=20, classes=3):
        super().__init__()
        self.last, self.name = last, kind.lower()
        self.embedding = nn.Embedding(vocab, dim)
        net = getattr(nn, kind)(dim, hidden, layers, batch_first=True, bidirectional=bidirectional)
        setattr(self, self.name, net)
        self.fc = nn.Linear(hidden * (2 if bidirectional else 1), classes)

    def forward(self, ids):
        y = getattr(self, self.name)(self.embedding(ids))[0]
        return {"logits": self.fc(y[:, -1] if self.last else y.mean(1))}


class Series(nn.Module):
    """An LSTM over measurements; the last step decides."""

    def __init__(self, features=6, hidden=20, classes=3):
        super().__init__()
        self.lstm, self.fc = nn.LSTM(features, hidden, batch_first=True), nn.Linear(hidden, classes)

    def forward(self, x):
        return {"logits": self.fc(self.lstm(x)[0][:, -1])}


def recurrent(model, layers, bidirectional):
    sizes = ["vocab=50", "dim=12", "hidden=20", "classes=3", f"layers={layers}"]
    sizes += ["bidirectional=true"] if bidirectional else []
    return ["recurrent.nn", "--model", model] + [part for size in sizes for part in ("--set", size)]


def fashion_images(count):
    data = gzip.open("/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz").read(16 + 784 * count)
    return np.frombuffer(data, np.uint8, offset=16).reshape(count, 1, 28, 28).astype(np.float32) / 255


CASES = {
    # name: (module, source and options, inputs)
    "lenet": (LeNet, ["lenet.nn"], {"image": {"fashion": 5}}),
    "mlp": (MLP, ["mlp.nn"], {"x": {"shape": [7, 784]}}),
    "cifarnet": (CifarNet, ["cifarnet.nn"], {"image": {"shape": [3, 3, 32, 32]}}),
    "resnet18": (ResNet18, ["resnet.nn", "--model", "ResNet18"], {"image": {"shape": [2, 3, 64, 96]}}),
    "lstm": (
        lambda: Recurrent("LSTM", last=True),
        ["lstm.nn", "--set", "vocab=50", "--set", "dim=12", "--set", "hidden=20", "--set", "classes=3"],
        {"ids": {"shape": [3, 9], "high": 50}},
    ),
    "rnn": (lambda: Recurrent("RNN"), recurrent("RNNClassifier", 2, False), {"ids": {"shape": [2, 7], "high": 50}}),
    "bilstm": (
        lambda: Recurrent("LSTM", bidirectional=True),
        recurrent("LSTMClassifier", 2, True),
        {"ids": {"shape": [3, 6], "high": 50}},
    ),
    "bigru": (
        lambda: Recurrent("GRU", bidirectional=True),
        recurrent("GRUClassifier", 2, True),
        {"ids": {"shape": [1, 8], "high": 50}},
    ),
    "series": (
        Series,
        ["recurrent.nn", "--model", "SeriesClassifier", "--set", "features=6", "--set", "hidden=20", "--set", "classes=3"],
        {"x": {"shape": [3, 9, 6]}},
    ),
    "textclassifier": (TextClassifier, ["textclassifier.nn"], {"ids": {"shape": [3, 17], "high": 1000}}),
} | attention_zoo.CASES | image_zoo.CASES | ops.CASES

ENTRIES = {"scores": "score"}  # where it is not `forward`


def distances(model, arguments, references):
    """How far PyTorch itself is from the f64 reference in 16 bits: per precision and float output |y - r| / |r|."""
    result = {}
    for name, dtype in {"bf16": torch.bfloat16, "f16": torch.float16}.items():
        narrow = copy.deepcopy(model).to(dtype)
        with torch.no_grad():
            outputs = narrow(*[a.to(dtype) if a.is_floating_point() else a.long() for a in arguments])
        result[name] = {
            k: float((outputs[k].double() - r).norm() / r.norm())
            for k, r in references.items()
            if r.is_floating_point()
        }
    return result


def make(name, module, options, inputs):
    torch.manual_seed(0)
    model = module()
    state = model.state_dict()
    if name == "lenet":
        weights = load_file(EXAMPLES / "lenet.safetensors")
    else:
        weights = {k: draw(k, list(v.shape), str(v.dtype).removeprefix("torch.")) for k, v in state.items()}
    keys = {k: [list(v.shape), str(v.dtype).removeprefix("torch.")] for k, v in state.items()}
    model.load_state_dict({k: torch.tensor(v) for k, v in weights.items()})
    model = model.double().eval()
    tensors = {k: fashion_images(s["fashion"]) if "fashion" in s else draw_input(k, s) for k, s in inputs.items()}
    with torch.no_grad():
        arguments = [torch.tensor(t) for t in tensors.values()]
        outputs = model(*[a.double() if a.is_floating_point() else a.long() for a in arguments])
    distance = distances(model, arguments, outputs)
    for key, value in outputs.items():
        tensors[key] = value.numpy().astype(np.float32 if value.is_floating_point() else np.int32)
    write_safetensors(HERE / f"{name}.safetensors", tensors)
    case = {"options": options, "inputs": list(inputs), "outputs": list(outputs), "distance": distance, "keys": keys}
    if name == "lenet":
        case["weights"] = "lenet.safetensors"
    if name in ENTRIES:
        case["entry"] = ENTRIES[name]
    (HERE / f"{name}.json").write_text(json.dumps(case, indent=1) + "\n")
    print(name, {k: list(v.shape) for k, v in tensors.items()})


if __name__ == "__main__":
    for name in sys.argv[1:] or CASES:
        make(name, *CASES[name])
