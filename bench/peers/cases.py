"""The sixteen inference cases: example and options of nnc beside the same model in PyTorch. `tiny` makes a case small enough
for a machine without a GPU; sources, entry points and keys stay the same."""
import dataclasses
from typing import Callable

import torch

import models


@dataclasses.dataclass
class Work:
    """One case at one size; float inputs and weights are f32 until the case's precision is applied."""

    model: models.Model
    inputs: dict  # by the example's names, in the order of the model's arguments
    outputs: list  # the example's names, in the order of the model's results
    options: list  # of nnc: the source, hyperparameters, dimensions
    entry: str = "forward"
    prompt: torch.Tensor | None = None  # what the states hold before the call
    room: int = 0  # calls that fit into the states after it
    mixed: bool = False  # the source declares the precision of weights and of arithmetic


@dataclasses.dataclass
class Case:
    name: str
    precision: str  # f32, bf16 or f16
    floor: float  # ms on one H200: operations and bytes at the measured rates, 1 us a step
    make: Callable  # of `tiny`: a Work
    channels_last: bool = False  # what is best for the peers


def sets(**values):
    return [part for name, value in values.items() for part in ("--set", f"{name}={value}")]


def dims(**sizes):
    return [part for name, size in sizes.items() for part in ("--dim", f"{name}={size}")]


def ids(high, *shape):
    return torch.randint(0, high, shape)


def mlp(batch):
    def make(tiny):
        b, hidden = (3, 32) if tiny else (batch, 512)
        return Work(models.MLP(hidden), {"x": torch.randn(b, 784)}, ["probabilities"],
                    ["mlp.nn", *sets(hidden=hidden), *dims(B=b)])
    return make


def lenet(tiny):
    b = 2 if tiny else 64
    return Work(models.MnistNet(), {"image": torch.randn(b, 1, 28, 28)}, ["log_probabilities"], ["mnist.nn", *dims(B=b)])


def cifar(batch):
    def make(tiny):
        b = 2 if tiny else batch
        options = ["cifar.nn", "--model", "ConvNet32", *sets(padding=0, max_batch=max(b, 1024)), *dims(B=b)]
        return Work(models.CifarNet(), {"image": torch.randn(b, 3, 32, 32)}, ["logits"], options)
    return make


def resnet(name, model, batch):
    def make(tiny):
        import torchvision
        b, size = (1, 64) if tiny else (batch, 224)
        return Work(models.Library(getattr(torchvision.models, name)()), {"image": torch.randn(b, 3, size, size)}, ["output"],
                    ["resnet.nn", "--model", model, *dims(B=b, H=size, W=size)])
    return make


def vit(tiny):
    from torchvision.models import VisionTransformer
    if tiny:
        b, size, sizes, module = 1, 32, sets(size=32, patch=8, dim=48, heads=4, depth=2, ffn=96), (32, 8, 2, 4, 48, 96)
    else:
        b, size, sizes, module = 32, 224, [], (224, 16, 12, 12, 768, 3072)
    return Work(models.Library(VisionTransformer(*module)), {"image": torch.randn(b, 3, size, size)}, ["logits"],
                ["vit.nn", *sizes, *dims(B=b)])


def bert(batch):
    def make(tiny):
        from transformers import BertConfig, BertModel
        b, t = (2, 16) if tiny else (batch, 128)
        small = dict(vocab_size=99, hidden_size=32, num_attention_heads=4, num_hidden_layers=2, intermediate_size=64)
        config = BertConfig(attn_implementation="sdpa", **(small if tiny else {}))
        sizes = sets(vocab=99, dim=32, heads=4, depth=2, ffn=64) if tiny else []
        return Work(models.Bert(BertModel(config)), {"ids": ids(config.vocab_size, b, t), "kind": ids(2, b, t)}, ["hidden", "pooled"],
                    ["bert.nn", *sizes, *dims(B=b, T=t)])
    return make


def gpt2(tiny):
    from transformers import GPT2Config, GPT2LMHeadModel
    t = 24 if tiny else 1024
    small = dict(vocab_size=99, n_embd=32, n_head=4, n_layer=2, n_positions=32, bos_token_id=0, eos_token_id=0)
    config = GPT2Config(attn_implementation="sdpa", **(small if tiny else {}))
    sizes = sets(vocab=99, dim=32, heads=4, depth=2, max_len=32) if tiny else []
    module = models.Library(GPT2LMHeadModel(config), lambda out: out.logits, dropped=["lm_head.weight"], use_cache=False)
    return Work(module, {"ids": ids(config.vocab_size, 1, t)}, ["logits"], ["gpt2.nn", *sizes, *dims(B=1, T=t)], "score")


def llama(tiny):
    shape = dict(dim=2048, ffn=8192, depth=16, heads=32, kv_heads=8, vocab=128_256)  # Llama-3.2-1B
    length, past = 1024, 1000
    if tiny:
        shape, length, past = dict(dim=64, ffn=96, depth=2, heads=4, kv_heads=2, vocab=99), 32, 20
    options = ["llama.nn", *sets(**shape, max_len=length, theta="500000.0", tied="true"), *dims(B=1, T=1)]
    return Work(models.Decoder(length=length, **shape), {"ids": ids(shape["vocab"], 1, 1)}, ["output"], options,
                prompt=ids(shape["vocab"], 1, past), room=length - past)


def series(tiny):
    b, t, features, hidden = (2, 5, 12, 20) if tiny else (64, 100, 256, 1024)
    return Work(models.Series(features, hidden), {"x": torch.randn(b, t, features)}, ["logits"],
                ["recurrent.nn", "--model", "SeriesClassifier", *sets(features=features, hidden=hidden), *dims(B=b, T=t)])


CASES = [
    Case("mlp_b1_f32", "f32", 0.003, mlp(1)),
    Case("mlp_b1024_bf16", "bf16", 0.004, mlp(1024)),
    Case("lenet_b64_f32", "f32", 0.004, lenet),
    Case("seedcnn_b1_f32", "f32", 0.004, cifar(1)),
    Case("seedcnn_b64_f32", "f32", 0.006, cifar(64)),
    Case("seedcnn_b4096_bf16", "bf16", 0.06, cifar(4096), channels_last=True),
    Case("resnet18_b1_bf16", "bf16", 0.03, resnet("resnet18", "ResNet18", 1), channels_last=True),
    Case("resnet50_b1_bf16", "bf16", 0.05, resnet("resnet50", "ResNet50", 1), channels_last=True),
    Case("resnet50_b32_bf16", "bf16", 0.33, resnet("resnet50", "ResNet50", 32), channels_last=True),
    Case("resnet50_b128_bf16", "bf16", 1.3, resnet("resnet50", "ResNet50", 128), channels_last=True),
    Case("vit_b16_b32_bf16", "bf16", 1.45, vit),
    Case("bert_b1_s128_bf16", "bf16", 0.05, bert(1)),
    Case("bert_b32_s128_bf16", "bf16", 0.90, bert(32)),
    Case("gpt2_prefill_b1_s1024_bf16", "bf16", 0.33, gpt2),
    Case("llama1b_decode_b1_bf16", "bf16", 0.57, llama),
    Case("lstm_b64_s100_f16", "f16", 0.2, series),
]
