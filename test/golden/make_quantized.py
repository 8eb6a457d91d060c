#!/usr/bin/env python3
"""Makes quantized.safetensors with PyTorch: the params of linear layers as the quantizing libraries store
them, an input, and what each layer computes of it, in f64 and rounded to f32. Packing and unpacking follow
AutoAWQ's WQLinear_GEMM, AutoGPTQ's QuantLinear, compressed-tensors and bitsandbytes.

    python3 test/golden/make_quantized.py      # needs torch and safetensors (PyPI)
"""
import pathlib

import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
IN, OUT, GROUP = 48, 24, 16


def pack(numbers, order=range(8), bits=4):
    """32 / bits numbers along the last axis become a word of 32 bits, the first of `order` in its low bits."""
    per_word = 32 // bits
    words = torch.zeros(*numbers.shape[:-1], numbers.shape[-1] // per_word, dtype=torch.int64)
    for place, column in enumerate(list(order)[:per_word]):
        words |= numbers[..., column::per_word].long() << (bits * place)
    return (words - ((words >> 31) << 32)).to(torch.int32)


def draw(rows, groups, bits=4):
    numbers = torch.randint(0, 2**bits, (rows, OUT))
    zeros = torch.randint(0, 2**bits, (groups, OUT))
    scales = (torch.rand(groups, OUT) * 0.1 + 0.01).half()
    return numbers, zeros, scales


def product(x, numbers, zeros, scales, group_of):
    weight = (numbers - zeros[group_of]).double() * scales[group_of].double()
    return x.double() @ weight


def awq(x):
    numbers, zeros, scales = draw(IN, IN // GROUP)
    order = [0, 2, 4, 6, 1, 3, 5, 7]
    bias = torch.randn(OUT).half()
    params = {"qweight": pack(numbers, order), "qzeros": pack(zeros, order), "scales": scales, "bias": bias}
    return params, product(x, numbers, zeros, scales, torch.arange(IN) // GROUP) + bias.double()


def gptq(x, act_order, group=GROUP, offset=1, bits=4):
    groups = -(-IN // group)
    numbers, zeros, scales = draw(IN, groups, bits)
    group_of = torch.arange(IN) // group
    if act_order:
        group_of = group_of[torch.randperm(IN)]
    stored = (zeros - offset) % 2**bits
    params = {"qweight": pack(numbers.T, bits=bits).T.contiguous(), "qzeros": pack(stored, bits=bits),
              "scales": scales, "g_idx": group_of.to(torch.int32)}
    return params, product(x, numbers, zeros, scales, group_of)


def int8(x):
    weight, scale = torch.randint(-127, 128, (OUT, IN)), torch.rand(OUT, 1) * 0.1
    params = {"weight": weight.to(torch.int8), "weight_scale": scale, "bias": torch.randn(OUT)}
    return params, x.double() @ (weight.double() * scale.double()).T + params["bias"].double()


def bitsandbytes(x):
    weight, largest = torch.randint(-127, 128, (OUT, IN)), torch.rand(OUT) * 10
    params = {"weight": weight.to(torch.int8), "SCB": largest, "weight_format": torch.tensor(0, dtype=torch.uint8)}
    return params, x.double() @ (weight.double() * largest.double()[:, None] / 127).T


def main():
    torch.manual_seed(0)
    x = torch.randn(3, IN)
    layers = {
        "awq": awq(x), "gptq": gptq(x, False), "ordered": gptq(x, True), "ragged": gptq(x, True, group=20),
        "whole": gptq(x, False, group=IN), "second": gptq(x, True, offset=0), "int8": int8(x), "bnb": bitsandbytes(x),
        "eight": gptq(x, True, bits=8),
    }  # fmt: skip
    tensors = {"x": x}
    for name, (params, y) in layers.items():
        tensors |= {f"net.{name}.{key}": value for key, value in params.items()} | {name: y.float()}
    save_file(tensors, HERE / "quantized.safetensors")


if __name__ == "__main__":
    main()
