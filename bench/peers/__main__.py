#!/usr/bin/env python3
"""nnc beside PyTorch and JAX on the sixteen inference cases: same weights, shapes, precision and work, one machine, one run.

    python3 bench/peers [--bin build/release/bin] [--case mlp_b1_f32,..] [--peers eager,inductor,autotune,jax]
                        [--json rows.json] [--markdown] [--nnc=--arch=sm_90a] [--locks bench/locks] [--timeout 300]
    python3 bench/peers --training   # five training steps
    python3 bench/peers --dry        # on the cpu, tiny: compares outputs, times nothing

Needs torch, torchvision, transformers and safetensors (PyPI); JAX is measured where it is installed. PyTorch draws weights and
writes them as a checkpoint that nnc compiles the example with; nnc then runs on PyTorch's own tensors and stream through the
runtime's C interface. Times are of the GPU alone (clock.py). Outputs of all are compared with PyTorch's in higher precision:
f32 within the tolerance `cuda_f32`, other precisions within twice eager PyTorch's distance (TF32: within that of f16). Peers may use TF32 for f32; nnc
is measured as the example is, and once more with `--precision tf32`. Exit status 1 if nnc is wrong or missing anywhere.
"""
import argparse
import json
import pathlib
import selectors
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin", help="nnc, nnc-run; ../lib has the runtime")
    parser.add_argument("--training", action="store_true", help="the five training steps instead")
    parser.add_argument("--case", help="names with commas (default: all)")
    parser.add_argument("--peers", default="eager,inductor,jax", help="of eager, inductor, autotune, jax")
    parser.add_argument("--nnc", action="append", default=[], help="a further option of nnc")
    parser.add_argument("--locks", type=pathlib.Path, default=ROOT / "bench/locks", help="folder with lock files of bench/tune.py")
    parser.add_argument("--json", type=pathlib.Path, help="write all that was measured")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--timeout", type=float, default=300, help="seconds that one case may take")
    parser.add_argument("--tmp", type=pathlib.Path, help="folder for checkpoints and programs")
    parser.add_argument("--dry", action="store_true", help="tiny, on the cpu, without times")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    args.bin, args.target = args.bin.resolve(), "cpu" if args.dry else "cuda"
    args.peers = [p for p in args.peers.split(",") if p]
    return args


def cases_of(args):
    """By name: (case, what measures it)."""
    if args.training:
        import training

        return {case.name: (case, training.measure) for case in training.TRAINING}
    import cases
    import measure

    return {case.name: (case, measure.measure) for case in cases.CASES}


def names_of(args):
    known = list(cases_of(args))
    wanted = args.case.split(",") if args.case else known
    for name in wanted:
        if name not in known:
            sys.exit(f"error: there is no case `{name}`; there are {', '.join(known)}")
    return wanted


def work(args):
    """Measures the cases in this process; one line of JSON each."""
    import torch
    if args.target == "cuda":
        torch.backends.cudnn.benchmark = True
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        torch.cuda.init()
    cases = cases_of(args)
    for name in names_of(args):
        case, measure = cases[name]
        print(json.dumps(measure(case, args)), flush=True)


def lines(process, timeout):
    """The lines that a worker prints; ends when it does, or when one takes too long."""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(timeout):
            line = process.stdout.readline()
            if not line:
                return
            yield line
    process.kill()


def measure_all(names, arguments, timeout, report):
    """A worker measures one case after another; when it dies, its case has failed and a new one goes on with the rest."""
    rows = []
    while len(rows) < len(names):
        left = names[len(rows) :]
        with tempfile.TemporaryFile("w+") as log:
            command = [sys.executable, HERE, *arguments, "--worker", "--case", ",".join(left)]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
            done = 0
            for line in lines(process, timeout):
                if line.startswith("{"):
                    rows.append(json.loads(line))
                    report(rows)
                    done += 1
            process.wait()
            if done < len(left):
                log.seek(0)
                tail = " / ".join(log.read().strip().splitlines()[-3:])[-500:]
                error = f"exit status {process.returncode}: {tail}"
                rows.append({"case": left[done], "error": error, "nnc": {}, "peers": {}})
                report(rows)
    return rows


def machine(args):
    import torch

    version = subprocess.run([args.bin / "nnc", "--version"], capture_output=True, text=True).stdout.strip().splitlines()
    return {
        "date": time.strftime("%Y-%m-%d"), "nnc": version[0] if version else "", "torch": torch.__version__,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
    }


def main(arguments):
    args = parse(arguments)
    if args.worker:
        return work(args)
    import table

    names = names_of(args)
    if not (args.bin / "nnc").exists():
        sys.exit(f"error: there is no nnc in {args.bin}: build it, or say `--bin`")
    about = machine(args)
    if not args.dry and about["gpu"] == "none":
        sys.exit("error: PyTorch finds no GPU; `--dry` compares outputs on the cpu")
    print(", ".join(f"{k} {v}" for k, v in about.items()), flush=True)

    def report(rows):
        """What there is so far: a run that is ended early has not been for nothing."""
        print("\n".join("  ".join(line) for line in table.lines_of(rows[-1])), flush=True)
        if args.json:
            args.json.write_text(json.dumps({"machine": about, "rows": rows}, indent=1) + "\n")

    rows = measure_all(names, arguments, args.timeout, report)
    print("\n".join(["", table.render(rows, args.markdown), "", *table.peer_lines(rows)]))
    failed = table.failed(rows)
    if failed:
        print(f"nnc is wrong or missing: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
