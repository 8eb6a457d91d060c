#!/usr/bin/env python3
"""Makes train/*.safetensors: weights, batches, and what PyTorch makes of them. Needs torch, safetensors.

    python3 test/golden/make_train.py [CASE ...]

`init.KEY` are the weights, `in.NAME` four batches behind each other, which steps take in turn, `loss` the losses of ten
steps in double precision. `optim` has per train block `BLOCK.loss` and, after its steps, `BLOCK.after.KEY`.
"""
import copy
import pathlib
import sys

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F
from torch.optim import swa_utils

from train_zoo import CASES, train

HERE = pathlib.Path(__file__).parent / "train"
STEPS, BATCHES = 10, 4


def save(name, tensors):
    tensors = {key: (x.float() if x.is_floating_point() else x).contiguous().clone() for key, x in tensors.items()}
    save_file(tensors, HERE / f"{name}.safetensors")
    print(f"{name}: {sum(x.numel() for x in tensors.values())} numbers")


def make_case(name):
    case = CASES[name]
    torch.manual_seed(1)
    model = case.model()
    batches = [case.inputs({})(case.batch) for _ in range(BATCHES)]
    tensors = {f"init.{key}": x for key, x in model.state_dict().items()}
    for field in batches[0]:
        tensors[f"in.{field}"] = torch.stack([batch[field] for batch in batches])
    tensors["loss"] = torch.tensor(train(case, copy.deepcopy(model), batches, STEPS, torch.float64))
    save(name, tensors)


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 2)

    def forward(self, x):
        return self.fc(x)


def entropy(model, b):
    return F.cross_entropy(model(b["x"]), b["label"].long())


def smoothed(model, b):
    return F.cross_entropy(model(b["x"]), b["label"].long(), label_smoothing=0.2, ignore_index=1)


def falling(step):
    return min(step / 2, 1) if step < 2 else 1 + (0.2 - 1) * min((step - 2) / 6, 1)


# Per block: the optimizer, the rate as a part of the first, the loss, and micro steps, norm and decay.
BLOCKS = {
    "sgd": (lambda m: torch.optim.SGD(m.parameters(), 0.2, weight_decay=0.1), lambda t: 0.5 ** (t // 2), entropy, {}),
    "dampened": (
        lambda m: torch.optim.SGD(m.parameters(), 0.1, momentum=0.9, weight_decay=0.1, dampening=0.3),
        None,
        entropy,
        {},
    ),
    "nesterov": (lambda m: torch.optim.SGD(m.parameters(), 0.1, momentum=0.9, nesterov=True), None, entropy, {}),
    "adam": (
        lambda m: torch.optim.Adam(m.parameters(), 0.1, betas=(0.8, 0.99), weight_decay=0.1, amsgrad=True),
        falling,
        smoothed,
        {},
    ),
    "adamw": (
        lambda m: torch.optim.AdamW(m.parameters(), 0.05),
        None,
        lambda m, b: F.binary_cross_entropy_with_logits(m(b["x"]), b["target"]),
        {},
    ),
    "rmsprop": (
        lambda m: torch.optim.RMSprop(m.parameters(), 0.02, alpha=0.9, weight_decay=0.1, momentum=0.5, centered=True),
        None,
        entropy,
        {},
    ),
    "plain_rmsprop": (lambda m: torch.optim.RMSprop(m.parameters(), 0.03), None, entropy, {}),
    "adagrad": (
        lambda m: torch.optim.Adagrad(m.parameters(), 0.1, lr_decay=0.2, weight_decay=0.1, initial_accumulator_value=0.5),
        None,
        entropy,
        {},
    ),
    "clipped": (
        None,  # two
        lambda t: min(t / 3, 1),
        lambda m, b: F.mse_loss(m(b["x"]), b["target"]),
        {"clip": 0.1},
    ),
    "accumulated": (
        lambda m: torch.optim.SGD(m.parameters(), 0.3, momentum=0.5),
        None,
        entropy,
        {"micro": 3, "clip": 0.2},
    ),
    "averaged": (lambda m: torch.optim.SGD(m.parameters(), 0.3), None, entropy, {"ema": 0.8}),
}


def run_block(model, batches, optimizer, rate, loss_of, micro=1, clip=None, ema=None):
    """Losses, and the values after the steps."""
    optimizers = [optimizer(model)] if optimizer else [
        torch.optim.SGD([model.fc.weight], 0.5), torch.optim.AdamW([model.fc.bias], 0.01)
    ]  # fmt: skip
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizers[0], rate) if rate else None
    average = swa_utils.AveragedModel(model, multi_avg_fn=swa_utils.get_ema_multi_avg_fn(ema)) if ema else None
    losses = []
    for step in range(STEPS):
        loss = loss_of(model, batches[step % BATCHES])
        losses.append(loss.item())
        (loss / micro).backward()
        if (step + 1) % micro:
            continue
        if clip:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        for each in optimizers:
            each.step()
            each.zero_grad()
        if scheduler:
            scheduler.step()
        if average:
            average.update_parameters(model)
    after = {key: x.detach() for key, x in model.state_dict().items()}
    if average:
        after |= {f"ema.{key}": x.detach() for key, x in average.module.state_dict().items()}
    return losses, after


def make_optim():
    torch.manual_seed(2)
    model = Small().double()
    batches = [
        {
            "x": torch.randn(5, 3).double(),
            "label": torch.tensor([0, 1, step % 2, 0, 1], dtype=torch.int32),
            "target": torch.rand(5, 2).double(),
        }
        for step in range(BATCHES)
    ]
    tensors = {f"init.{key}": x for key, x in model.state_dict().items()}
    # As they are in the file.
    model.load_state_dict({key: x.float().double() for key, x in model.state_dict().items()})
    for field in batches[0]:
        tensors[f"in.{field}"] = torch.stack([batch[field] for batch in batches])
        for batch in batches:
            if batch[field].is_floating_point():
                batch[field] = batch[field].float().double()
    for block, (optimizer, rate, loss, options) in BLOCKS.items():
        losses, after = run_block(copy.deepcopy(model), batches, optimizer, rate, loss, **options)
        tensors[f"{block}.loss"] = torch.tensor(losses, dtype=torch.float64)
        tensors |= {f"{block}.after.{key}": x for key, x in after.items()}
    save("optim", tensors)


if __name__ == "__main__":
    for wanted in sys.argv[1:] or [*CASES, "optim"]:
        make_optim() if wanted == "optim" else make_case(wanted)
