#!/usr/bin/env python3
"""Makes examples/lenet.safetensors: LeNet of lenet.nn, trained on Fashion-MNIST with PyTorch.

    python3 examples/train_lenet.py [--epochs 14] [--data /usr/share/datasets/fashion-mnist]

Images are scaled to [0, 1]; the data set is Debian's package `dataset-fashion-mnist` (IDX files).
Needs: torch, numpy, safetensors (PyPI). The file that is shipped was made with --epochs 14.
"""
import argparse
import gzip
import pathlib

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F


class LeNet(nn.Module):
    """The network of lenet.nn; attribute names are its checkpoint keys."""

    def __init__(self, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, classes)

    def forward(self, image):
        x = F.avg_pool2d(torch.tanh(self.conv1(image)), 2)
        x = F.avg_pool2d(torch.tanh(self.conv2(x)), 2).flatten(1)
        x = torch.tanh(self.fc1(x))
        return self.fc3(torch.tanh(self.fc2(x)))


def read_idx(path):
    """An IDX file (http://yann.lecun.com/exdb/mnist) of bytes as an array."""
    data = gzip.open(path, "rb").read() if path.suffix == ".gz" else path.read_bytes()
    rank = data[3]
    shape = np.frombuffer(data, ">i4", rank, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def load(folder, part):
    def find(name):
        return next(p for p in (folder / f"{name}.gz", folder / name) if p.exists())

    images = read_idx(find(f"{part}-images-idx3-ubyte")).astype(np.float32) / 255
    labels = read_idx(find(f"{part}-labels-idx1-ubyte")).astype(np.int64)
    return torch.tensor(images)[:, None], torch.tensor(labels)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--data", type=pathlib.Path, default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--out", default=pathlib.Path(__file__).parent / "lenet.safetensors")
    args = parser.parse_args()
    torch.manual_seed(0)
    images, labels = load(args.data, "train")
    test_images, test_labels = load(args.data, "t10k")
    model = LeNet()
    steps = args.epochs * len(images) // 128
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps + 1)
    step = 0
    while step < steps:
        for batch in torch.randperm(len(images)).split(128):
            if step == steps:
                break
            x = images[batch]
            if torch.rand(()) < 0.5:
                x = x.flip(-1)
            optimizer.zero_grad()
            F.cross_entropy(model(x), labels[batch]).backward()
            optimizer.step()
            schedule.step()
            step += 1
    with torch.no_grad():
        accuracy = (model(test_images).argmax(1) == test_labels).float().mean().item()
    save_file(model.state_dict(), args.out)
    print(f"{args.out}: {100 * accuracy:.2f} % of the test images")


if __name__ == "__main__":
    main()
