"""Five training steps as a peer takes them: forward, loss, backward, optimizer, one CUDA graph. Losses of the first steps from
the same weights and batch stand for all that a step computes."""
import copy
import dataclasses
import functools
import time
from typing import Callable

import torch
import torch.nn.functional as F

import clock
import models
import nnc
import torch_peers
from cases import Work, dims, ids, sets
from measure import measured, save

STEPS = 6  # whose losses are compared


@dataclasses.dataclass
class Training:
    """A case; `make` gives the Work of one batch, its inputs in the order image or ids, then labels."""

    name: str
    precision: str  # of nnc; `bf16` is mixed: PyTorch's autocast and f32 weights
    floor: float  # ms on one H200: operations and bytes at the measured rates, 1 us a step
    make: Callable
    optimizer: Callable
    channels_last: bool = False


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.01, momentum=0.9, fused=parameters[0].is_cuda)


def adamw(parameters):
    return torch.optim.AdamW(parameters, lr=1e-4, weight_decay=0.01, fused=parameters[0].is_cuda, capturable=parameters[0].is_cuda)


def work(model, source, inputs, options, mixed=False):
    return Work(model, inputs, ["loss"], [f"../bench/peers/train/{source}.nn", *options], "train_step", mixed=mixed)


def lenet(tiny):
    b = 2 if tiny else 64
    return work(models.MnistNet(), "lenet", {"image": torch.randn(b, 1, 28, 28), "label": ids(10, b)}, dims(B=b))


def cifar(tiny):
    b = 2 if tiny else 64
    return work(models.CifarNet(), "cifar", {"image": torch.randn(b, 3, 32, 32), "label": ids(10, b)}, dims(B=b))


def resnet(name):
    def make(tiny):
        import torchvision
        b, size = (8, 64) if tiny else (128, 224)
        model = models.Library(getattr(torchvision.models, name)())
        return work(model, name, {"image": torch.randn(b, 3, size, size), "label": ids(1000, b)}, dims(B=b, H=size, W=size), mixed=True)
    return make


def gpt2(tiny):
    from transformers import GPT2Config, GPT2LMHeadModel
    b, t = (2, 16) if tiny else (8, 1024)
    small = dict(vocab_size=99, n_embd=32, n_head=4, n_layer=2, n_positions=32, bos_token_id=0, eos_token_id=0) if tiny else {}
    config = GPT2Config(attn_implementation="sdpa", resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, **small)
    sizes = sets(vocab=99, dim=32, heads=4, depth=2, max_len=32) if tiny else []
    model = models.Library(GPT2LMHeadModel(config), lambda out: out.logits, dropped=["lm_head.weight"], use_cache=False)
    inputs = {"ids": ids(config.vocab_size, b, t), "targets": ids(config.vocab_size, b, t)}
    return work(model, "gpt2", inputs, [*sizes, *dims(B=b, T=t)], mixed=True)


TRAINING = [
    Training("lenet_b64_train_f32", "f32", 0.01, lenet, sgd),
    Training("seedcnn_b64_train_f32", "f32", 0.02, cifar, sgd),
    Training("resnet18_b128_train_amp", "bf16", 1.7, resnet("resnet18"), sgd, channels_last=True),
    Training("resnet50_b128_train_amp", "bf16", 4.5, resnet("resnet50"), sgd, channels_last=True),
    Training("gpt2_b8_s1024_train_amp", "bf16", 8, gpt2, adamw),
]


class Trainer:
    """PyTorch's step of a copy of the model; `narrow`: under autocast."""

    def __init__(self, case, model, inputs, peer="eager", narrow=True):
        self.model = copy.deepcopy(model).train().requires_grad_(True)
        device = next(self.model.parameters()).device.type
        self.optimizer = case.optimizer(list(self.model.parameters()))
        self.inputs = inputs

        def forward(x, y):
            with torch.autocast(device, torch.bfloat16, enabled=narrow and case.precision == "bf16"):
                out = self.model(x)
            return F.cross_entropy(out.float().reshape(-1, out.shape[-1]), y.reshape(-1))

        if peer in torch_peers.COMPILE:
            torch._dynamo.reset()
            forward = torch.compile(forward, mode=torch_peers.COMPILE[peer])
        self.forward = forward

    def step(self):
        loss = self.forward(*self.inputs)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    def losses(self):
        return torch.stack([self.step() for _ in range(STEPS)]).double().cpu()


class Measurement:
    def __init__(self, case, args, folder):
        self.case, self.args, self.folder = case, args, folder
        self.device = "cuda" if args.target == "cuda" else "cpu"
        torch.manual_seed(0)
        with torch.device(self.device):
            self.work = case.make(args.dry)
        self.model = self.work.model.to(self.device)
        save(folder, "weights", self.model.checkpoint())
        self.inputs = list(self.work.inputs.values())
        with torch_peers.exact():
            self.reference = Trainer(case, self.model, self.inputs, narrow=False).losses()
        if case.channels_last and self.device == "cuda":
            self.model = self.model.to(memory_format=torch.channels_last)
            self.inputs[0] = self.inputs[0].contiguous(memory_format=torch.channels_last)
        self.row = {"reference": self.reference.tolist(), "case": case.name, "floor_ms": case.floor, "nnc": {}, "peers": {}}

    def distance(self, losses):
        return float(((losses - self.reference) / self.reference).abs().max())

    def run(self):
        own = self.distance(Trainer(self.case, self.model, self.inputs).losses())
        self.row["peer_error"] = own
        wide = self.case.precision == "f32"
        for precision in [self.case.precision] + (["tf32"] if wide and self.device == "cuda" else []):
            self.row["nnc"][precision] = torch_peers.attempt(self.measure_nnc, precision, own)
        for peer in self.args.peers if self.device == "cuda" else []:
            if peer != "jax":
                self.row["peers"][peer] = torch_peers.attempt(self.measure_torch, peer)
        return self.row

    def limit(self, precision, own):
        """f32 as the golden tests have it on each target; else twice PyTorch's distance, or what single roundings may make."""
        if precision == "f32":
            return nnc.TOLERANCES["training_f32" if self.device == "cpu" else "cuda_f32"]["rtol"]
        return max(nnc.TOLERANCES["narrow_floats"]["times"] * own, nnc.TOLERANCES["training_steps"][precision])

    def measure_nnc(self, precision, own):
        dtype = torch.bfloat16 if self.work.mixed else torch.float32
        inputs = {k: v.to(dtype) if v.is_floating_point() else v for k, v in self.work.inputs.items()}
        outputs = {"loss": torch.zeros((), device=self.device)}
        program, found = nnc.start(self.args, self.case.name, self.work, precision, self.folder, inputs, outputs)
        losses = []
        for step in range(STEPS):
            if step > 0:  # the first one is that of the start
                program.step()
            losses.append(program.outputs["loss"].double().cpu().clone())
        found |= {"difference": self.distance(torch.stack(losses)), "limit": self.limit(precision, own)}
        found["right"] = found["difference"] <= found["limit"]
        found["losses"] = torch.stack(losses).tolist()
        if self.device == "cuda":
            found["ms"] = clock.milliseconds(program.queue)
        program.close()
        return found

    def measure_torch(self, peer):
        torch.cuda.reset_peak_memory_stats()
        begin = time.perf_counter()
        trainer = Trainer(self.case, self.model, self.inputs, peer)
        first = float(trainer.step())
        found = {"first_call_s": time.perf_counter() - begin}
        graph, _ = torch_peers.capture(trainer.step, [])
        found |= {"difference": abs(first / float(self.reference[0]) - 1), "ms": clock.milliseconds(graph.replay)}
        found["memory_mib"] = torch.cuda.max_memory_allocated() / 2**20
        return found


measure = functools.partial(measured, Measurement)
