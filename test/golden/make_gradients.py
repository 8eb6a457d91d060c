#!/usr/bin/env python3
"""Makes gradients.safetensors: PyTorch's gradients of activations at some points, and for each function gradients/NAME.mlir arguments, a weight per result,
and PyTorch's gradients of the sum of results times weights, all in f64. Numbers are drawn with ties
where it matters what happens there.

    python3 test/golden/make_gradients.py   # needs torch, safetensors (PyPI)
"""
import pathlib

import torch
from safetensors.torch import save_file
from torch.nn import functional as F

HERE = pathlib.Path(__file__).parent
torch.manual_seed(1)


def draw(*shape):
    return torch.randn(shape, dtype=torch.float64)


def ties(*shape):
    return torch.randint(-2, 3, shape).double()


def lstm(x, wi, wh, b):
    cell = torch.nn.LSTM(3, 2, batch_first=True).double()
    weights = {"weight_ih_l0": wi, "weight_hh_l0": wh, "bias_ih_l0": b, "bias_hh_l0": torch.zeros_like(b)}
    return torch.func.functional_call(cell, weights, x)[0]


def attention(q, k, v):
    k, v = (t.repeat_interleave(2, dim=1) for t in (k, v))
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


CASES = {
    "relu": (torch.relu, [ties(9)]),
    "extrema": (lambda a, b: (torch.maximum(a, b), torch.minimum(a, b)), [ties(12), ties(12)]),
    "amax": (lambda x: (x.amax((0, 2)), x.amin(2)), [ties(3, 4, 5)]),
    "powers": (
        lambda a, b: (a**b, a**3, torch.remainder(b, a + 1)),
        [torch.tensor([0, 0, 0, 1, 2, 0.5, 3, 1.5]).double(), torch.tensor([0, 2, 1, 0, 3.7, 2.2, 5.1, 9.4]).double()],
    ),
    "max_pool": (lambda x: F.max_pool2d(x, 3, 2, 1), [ties(2, 2, 7, 8)]),
    "avg_pool": (lambda x: F.avg_pool2d(x, 3, 2, 1), [draw(1, 2, 7, 8)]),
    "conv": (
        lambda x, w: F.conv2d(F.pad(x, (0, 1, 1, 2)), w, stride=(2, 1), dilation=(2, 3), groups=2),
        [draw(2, 4, 9, 8), draw(6, 2, 3, 2)],
    ),
    "cross_entropy": (F.cross_entropy, [draw(5, 7), torch.randint(0, 7, (5,))]),
    "layer_norm": (lambda x, g, b: F.layer_norm(x, (6,), g, b, eps=0.5), [draw(4, 6), draw(6), draw(6)]),
    "embedding": (lambda t, i: F.embedding(i, t), [draw(6, 4), torch.randint(0, 6, (3, 5))]),
    "attention": (attention, [draw(2, 4, 5, 3), draw(2, 2, 5, 3), draw(2, 2, 5, 3)]),
    "lstm": (lstm, [draw(2, 4, 3), draw(8, 3), draw(8, 2), draw(8)]),
}


POINTS = torch.tensor([-1000, -6, -3, -1, -0.5, 0, 0.5, 1, 3, 6, 1000], dtype=torch.float64)

# What is called in the language, and in PyTorch.
ACTIVATIONS = {
    "relu(x)": F.relu,
    "relu6(x)": F.relu6,
    "leaky_relu(x, 0.2)": lambda x: F.leaky_relu(x, 0.2),
    "elu(x)": F.elu,
    "selu(x)": F.selu,
    "hardsigmoid(x)": F.hardsigmoid,
    "hardswish(x)": F.hardswish,
    "softplus(x)": F.softplus,
    "mish(x)": F.mish,
    "silu(x)": F.silu,
    "sigmoid(x)": F.sigmoid,
    "gelu(x)": F.gelu,
    "gelu_tanh(x)": lambda x: F.gelu(x, approximate="tanh"),
    "tanh(x)": torch.tanh,
    "abs(x)": torch.abs,
    "sign(x)": torch.sign,
    "clamp(x, -3.0, 3.0)": lambda x: x.clamp(-3, 3),
}


def main():
    tensors = {"points": POINTS}
    for call, function in ACTIVATIONS.items():
        x = POINTS.clone().requires_grad_()
        function(x).sum().backward()
        tensors[f"activation/{call}"] = x.grad
    for name, (function, arguments) in CASES.items():
        leaves = [a.requires_grad_() for a in arguments if a.is_floating_point()]
        results = function(*arguments)
        results = results if isinstance(results, tuple) else (results,)
        weights = [draw(*result.shape) for result in results]
        sum((r * w).sum() for r, w in zip(results, weights)).backward()
        for i, tensor in enumerate(arguments + weights):
            tensors[f"{name}/{i}"] = tensor.detach().clone()
        for i, leaf in enumerate(leaves):
            tensors[f"{name}/gradient{i}"] = leaf.grad
    save_file(tensors, HERE / "gradients.safetensors")


if __name__ == "__main__":
    main()
