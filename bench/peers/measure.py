"""One case: the same weights and inputs for nnc and every peer, outputs against a reference of higher precision, times."""
import copy
import functools
import gc
import json
import pathlib
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import save_file

import clock
import models
import nnc
import torch_peers

HERE = pathlib.Path(__file__).resolve().parent
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}


def narrowed(tensors, device, dtype):
    return {k: v.to(device, dtype if v.is_floating_point() else None) for k, v in tensors.items()}


def save(folder, name, tensors):
    save_file({k: v.contiguous().clone() for k, v in tensors.items()}, folder / f"{name}.safetensors")


class Measurement:
    def __init__(self, case, args, folder):
        self.case, self.args, self.folder = case, args, folder
        self.device = "cuda" if args.target == "cuda" else "cpu"
        torch.manual_seed(0)
        with torch.device(self.device):
            self.work = case.make(args.dry)
        self.model = models.randomize(self.work.model).to(self.device, DTYPES[case.precision])
        self.inputs = narrowed(self.work.inputs, self.device, DTYPES[case.precision])
        save(self.folder, "weights", self.model.checkpoint())
        self.reference = self.evaluate_reference()
        if case.channels_last and self.device == "cuda":
            self.model = self.model.to(memory_format=torch.channels_last)
            self.inputs = {k: v.contiguous(memory_format=torch.channels_last) for k, v in self.inputs.items()}
        self.row = {"case": case.name, "floor_ms": case.floor, "nnc": {}, "peers": {}}

    def named(self, outputs):
        return dict(zip(self.work.outputs, torch_peers.as_tuple(outputs), strict=True))

    def filled(self, model):
        if self.work.prompt is not None:
            model.fill(self.work.prompt)
        return model

    def evaluate_reference(self):
        """f32 for 16 bits, f64 for f32, without TF32; on the host f64 for all."""
        wide = torch.float32 if self.case.precision != "f32" and self.device == "cuda" else torch.float64
        model = copy.deepcopy(self.model).to(wide)
        model.refine()
        with torch_peers.exact(), torch.no_grad():
            outputs = self.filled(model)(*narrowed(self.inputs, self.device, wide).values())
        return {k: v.float() if wide == torch.float32 else v for k, v in self.named(outputs).items()}

    def run(self):
        with torch.no_grad():
            own = self.named(self.filled(self.model)(*self.inputs.values()))
        self.row["peer_error"] = nnc.error(own, self.reference)
        self.row["allowed_distance"] = self.distance_of_half() if self.case.precision == "f32" else self.row["peer_error"]
        precisions = [self.case.precision] + (["tf32"] if self.case.precision == "f32" and self.device == "cuda" else [])
        for precision in precisions:
            self.row["nnc"][precision] = torch_peers.attempt(self.measure_nnc, precision, own)
        for peer in self.args.peers if self.device == "cuda" else []:
            found = torch_peers.attempt(self.measure_jax if peer == "jax" else self.measure_torch, peer)
            if found:
                self.row["peers"][peer] = found
        return self.row

    def distance_of_half(self):
        """What TF32 is measured by: eager PyTorch in f16, whose fraction is as long."""
        model = copy.deepcopy(self.model).half()
        with torch.no_grad():
            outputs = model(*narrowed(self.inputs, self.device, torch.float16).values())
        return nnc.error(self.named(outputs), self.reference)

    def measure_nnc(self, precision, own):
        program, found = nnc.start(self.args, self.case.name, self.work, precision, self.folder, self.inputs, own)
        found["difference"] = nnc.error(program.outputs, self.reference)
        found["limit"] = nnc.limit(precision, self.args.target, self.row["allowed_distance"])
        found["right"] = found["difference"] <= found["limit"]
        if self.device == "cuda":
            found["ms"] = (
                clock.milliseconds_of_states(program.queue, program.refill, self.work.room)
                if self.work.room
                else clock.milliseconds(program.queue)
            )
        program.close()
        return found

    def measure_torch(self, peer):
        torch.cuda.reset_peak_memory_stats()
        queue, outputs, seconds = torch_peers.start(peer, self.model, list(self.inputs.values()))
        found = {"first_call_s": seconds, "difference": nnc.error(self.named(outputs), self.reference)}
        found["ms"] = clock.milliseconds(queue)
        found["memory_mib"] = torch.cuda.max_memory_allocated() / 2**20
        return found

    def measure_jax(self, _):
        """In a process of its own; nothing where JAX is not installed or the case is not written in it."""
        save(self.folder, "inputs", self.inputs)
        save(self.folder, "reference", self.reference)
        done = subprocess.run([sys.executable, HERE / "jax_peer.py", self.case.name, self.folder], capture_output=True,
                              text=True, timeout=self.args.timeout)
        if done.returncode:
            raise RuntimeError(done.stderr.strip()[-300:])
        return json.loads(done.stdout.strip().splitlines()[-1])


def measured(kind, case, args):
    """The row of a case that `kind` measures, in a folder of its own; the GPU's memory is free afterwards."""
    with tempfile.TemporaryDirectory(dir=args.tmp) as folder:
        row = kind(case, args, pathlib.Path(folder)).run()
    gc.collect()
    if args.target == "cuda":
        torch.cuda.empty_cache()
    return row


measure = functools.partial(measured, Measurement)
