"""The networks of train/*.nn in PyTorch: module names are checkpoint keys. Needs torch."""
import dataclasses
import math
from typing import Callable

import torch
from torch import nn
from torch.nn import functional as F


class Cnn(nn.Module):
    def __init__(self, width=4, size=8, hidden=16, classes=5):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.fc1 = nn.Linear(2 * width * (size // 4) ** 2, hidden)
        self.fc2 = nn.Linear(hidden, classes)

    def forward(self, image):
        x = F.max_pool2d(F.relu(self.conv1(image)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2).flatten(1)
        return self.fc2(F.relu(self.fc1(x)))

    def loss(self, image, label):
        return F.cross_entropy(self(image), label.long())


class BasicBlock(nn.Module):
    def __init__(self, c_in, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = nn.Sequential()
        if stride != 1 or c_in != width:
            self.downsample = nn.Sequential(
                nn.Conv2d(c_in, width, 1, stride=stride, bias=False), nn.BatchNorm2d(width)
            )

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(self.downsample(x) + y)


class ResNet(nn.Module):
    def __init__(self, width=4, stages=2, blocks=1, classes=5, rate=0.1):
        super().__init__()
        self.rate = rate
        self.conv1 = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layers = nn.Sequential()
        for i in range(stages):
            wide = width * 2**i
            first = BasicBlock(wide if i == 0 else wide // 2, wide, 1 if i == 0 else 2)
            self.layers.append(nn.Sequential(first, *[BasicBlock(wide, wide, 1) for _ in range(blocks - 1)]))
        self.fc = nn.Linear(width * 2 ** (stages - 1), classes)

    def forward(self, image):
        x = self.layers(F.relu(self.bn1(self.conv1(image))))
        return self.fc(x.mean((2, 3)))

    def loss(self, image, label):
        return F.cross_entropy(self(image), label.long(), label_smoothing=0.1)


class Classifier(nn.Module):
    def __init__(self, vocab=20, dim=6, hidden=8, classes=3):
        super().__init__()
        self.embedding = nn.Embedding(vocab, dim)
        self.lstm = nn.LSTM(dim, hidden, num_layers=2, batch_first=True)
        self.fc = nn.Linear(hidden, classes)

    def loss(self, ids, label):
        y, _ = self.lstm(self.embedding(ids.long()))
        return F.cross_entropy(self.fc(y[:, -1]), label.long())


class Conv1D(nn.Module):
    def __init__(self, d_in, d_out):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(d_in, d_out) * 0.1)
        self.bias = nn.Parameter(torch.zeros(d_out))

    def forward(self, x):
        return x @ self.weight + self.bias


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.c_attn = Conv1D(dim, 3 * dim)
        self.c_proj = Conv1D(dim, dim)

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = (part.view(b, t, self.heads, -1).transpose(1, 2) for part in self.c_attn(x).split(d, dim=-1))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(y.transpose(1, 2).reshape(b, t, d))


class Mlp(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.c_fc = Conv1D(dim, 4 * dim)
        self.c_proj = Conv1D(4 * dim, dim)

    def forward(self, x):
        return self.c_proj(F.gelu(self.c_fc(x), approximate="tanh"))


class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.ln_1 = nn.LayerNorm(dim)
        self.attn = Attention(dim, heads)
        self.ln_2 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim)

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Gpt(nn.Module):
    def __init__(self, vocab=24, dim=12, heads=2, depth=2, max_len=8):
        super().__init__()
        self.wte = nn.Embedding(vocab, dim)
        self.wpe = nn.Embedding(max_len, dim)
        self.h = nn.Sequential(*[Block(dim, heads) for _ in range(depth)])
        self.ln_f = nn.LayerNorm(dim)
        self.lm_head = nn.Linear(dim, vocab, bias=False)
        self.lm_head.weight = self.wte.weight
        nn.init.normal_(self.wte.weight, std=0.1)
        nn.init.normal_(self.wpe.weight, std=0.1)

    def loss(self, ids, target):
        x = self.wte(ids.long()) + self.wpe(torch.arange(ids.shape[1]))
        logits = self.lm_head(self.ln_f(self.h(x)))
        return F.cross_entropy(logits.flatten(0, 1), target.long().flatten())


def gpt_optimizer(model):
    decay, rest = [], []
    for name, param in model.named_parameters():
        (rest if name.endswith(".bias") or "ln_" in name else decay).append(param)
    return torch.optim.AdamW(
        [{"params": decay, "betas": (0.9, 0.95), "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}], lr=3e-3
    )


def gpt_rate(step):
    return step / 4 if step < 4 else 0.5 * (1 + math.cos(math.pi * (step - 4) / 96))


@dataclasses.dataclass
class Case:
    model: Callable
    optimizer: Callable
    rate: Callable  # by the number of updates before, as a part of the optimizer's
    inputs: Callable  # a batch of a size, by the options of the model
    clip: float | None
    full: dict  # options of the model as the issue has it
    batch: int
    full_batch: int


def images(size, classes, **_):
    return lambda batch: {
        "image": torch.randn(batch, 3, size, size),
        "label": torch.randint(classes, (batch,), dtype=torch.int32),
    }


def texts(vocab, classes, length, **_):
    return lambda batch: {
        "ids": torch.randint(vocab, (batch, length), dtype=torch.int32),
        "label": torch.randint(classes, (batch,), dtype=torch.int32),
    }


def tokens(vocab, max_len, **_):
    return lambda batch: {
        "ids": torch.randint(vocab, (batch, max_len), dtype=torch.int32),
        "target": torch.randint(vocab, (batch, max_len), dtype=torch.int32),
    }


def always(step):
    return 1.0


CASES = {
    "cnn": Case(
        Cnn,
        lambda m: torch.optim.SGD(m.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4),
        always,
        lambda o: images(o.get("size", 8), o.get("classes", 5)),
        None,
        {"width": 32, "size": 32, "hidden": 128, "classes": 10},
        4,
        32,
    ),
    "resnet": Case(
        ResNet,
        lambda m: torch.optim.SGD(m.parameters(), lr=m.rate, momentum=0.9, weight_decay=1e-4, nesterov=True),
        lambda step: 0.5 * (1 + math.cos(math.pi * step / 100)),
        lambda o: images(32 if o else 6, o.get("classes", 5)),
        None,
        # At 0.1 a batch of 16 makes losses jump, and two roundings are 0.01 apart after four steps.
        {"width": 16, "stages": 4, "blocks": 2, "classes": 10, "rate": 0.01},
        4,
        16,
    ),
    "lstm": Case(
        Classifier,
        lambda m: torch.optim.Adam(m.parameters(), lr=1e-2),
        always,
        lambda o: texts(o.get("vocab", 20), o.get("classes", 3), 32 if o else 6),
        None,
        {"vocab": 2000, "dim": 64, "hidden": 128, "classes": 4},
        4,
        32,
    ),
    "gpt": Case(
        Gpt,
        gpt_optimizer,
        gpt_rate,
        lambda o: tokens(o.get("vocab", 24), o.get("max_len", 8)),
        1.0,
        {"vocab": 512, "dim": 64, "heads": 4, "depth": 4, "max_len": 32},
        2,
        8,
    ),
}


def train(case, model, batches, steps, dtype):
    """The losses of the first steps, in a precision. Changes the model."""
    model = model.to(dtype).train()
    optimizer = case.optimizer(model)
    rates = [group["lr"] for group in optimizer.param_groups]
    losses = []
    for step in range(steps):
        for group, rate in zip(optimizer.param_groups, rates):
            group["lr"] = rate * case.rate(step)
        batch = {name: x.to(dtype) if x.is_floating_point() else x for name, x in batches[step % len(batches)].items()}
        optimizer.zero_grad()
        loss = model.loss(**batch)
        loss.backward()
        if case.clip:
            nn.utils.clip_grad_norm_(model.parameters(), case.clip)
        optimizer.step()
        losses.append(loss.item())
    return losses
