"""The command lines of nnc and nnc-run, as a user sees them: what is printed and what is written.

    cli.py BIN
"""
import json
import math
import re
import struct
import sys

from support import EXAMPLES, Tools, npy_bytes, read_npy, read_safetensors, safetensors_bytes

UGLY = """model  Two(outputs:int=2){fc=Linear( 3,outputs ) # keep
fn forward(x:float[B,3])->(y:float[B,outputs]) requires B in 1..=8 =x|>fc}
"""
NEAT = """model Two(outputs: int = 2) {
  fc = Linear(3, outputs)  # keep
  fn forward(x: float[B, 3]) -> (y: float[B, outputs]) requires B in 1..=8 = x |> fc
}
"""
WEIGHTS = {"fc.weight": ((2, 3), range(6), "<f4"), "fc.bias": ((2,), (0, 1), "<f4")}
CPU = ("--target", "cpu", "--cpu", "x86-64-v3")


def formats(tools):
    (tools.at / "ugly.nn").write_text(UGLY)
    (tools.at / "two.nn").write_text(UGLY)
    tools.passes("nnc", "fmt", "ugly.nn", out=NEAT)
    tools.fails("nnc", "fmt", "--check", "two.nn", "ugly.nn",
                error="error: 'two.nn' is not formatted: run `nnc fmt -i two.nn`\n\n"
                "error: 'ugly.nn' is not formatted: run `nnc fmt -i ugly.nn`\n")
    tools.passes("nnc", "fmt", "-i", "two.nn")
    tools.expect("nnc fmt -i", (tools.at / "two.nn").read_text(), NEAT)
    tools.passes("nnc", "fmt", "--check", "two.nn", *sorted(EXAMPLES.glob("*.nn")))
    tools.passes("nnc", "check", "two.nn", *sorted(EXAMPLES.glob("*.nn")))


def keys(tools):
    def against(tensors, out):
        (tools.at / "w.safetensors").write_bytes(safetensors_bytes(tensors))
        tools.expect("nnc keys", tools.run("nnc", "keys", "two.nn", "w.safetensors"), (int(out[0] in "-+!"), out, ""))

    tools.passes("nnc", "keys", "two.nn", out="fc.weight  float[2, 3]\nfc.bias    float[2]\n8 parameters\n")
    tools.passes("nnc", "keys", "two.nn", "--set", "outputs=5",
                 out="fc.weight  float[5, 3]\nfc.bias    float[5]\n20 parameters\n")
    listing = tools.passes("nnc", "keys", EXAMPLES / "resnet.nn", "--model", "ResNet50", out=None)
    tools.expect("parameters of ResNet-50", listing.splitlines()[-1], "25557032 parameters")
    against({**WEIGHTS, "extra": ((1,), (0,), "<f4")}, "+ extra  f32[1]  not in the model\n"
            "2 of 2 keys agree: 0 missing (-), 1 unused (+), 0 different (!)\n")
    against({"fc.bias": WEIGHTS["fc.bias"]}, "- fc.weight  f32[2, 3]  not in the file\n"
            "1 of 2 keys agree: 1 missing (-), 0 unused (+), 0 different (!)\n")
    against({**WEIGHTS, "fc.weight": ((3, 2), range(6), "<f4")},
            "! fc.weight  f32[3, 2] in the file, f32[2, 3] in the model\n"
            "1 of 2 keys agree: 0 missing (-), 0 unused (+), 1 different (!)\n")
    against(WEIGHTS, "all 2 keys agree\n")


def explains(tools):
    tools.expect("nnc explain", tools.passes("nnc", "explain", "E0301", out=None).splitlines()[0], "E0301: sizes differ")
    tools.fails("nnc", "explain", "E9999", error="error: there is no error code `E9999`\n")
    tools.fails("nnc", "explain", "../E0301", error="error: there is no error code `../E0301`\n")


PLAN = """model Two, target cpu (x86_64-unknown-linux-gnu, x86-64-v3), made by nnc 0.1.0
  1 distinct kernel, 2 weights (32 B)
{weights}
entry forward(x: f32[B, 3]) -> (y: f32[B, 2])
  B in 1..=8
  peak memory: 192 B (arena 0 B, inputs 96 B, outputs 64 B, weights 32 B)
{buffers}  steps: 1 (1 kernel, 0 gemms, 0 copies)
    launch k0_fc grid (ceil(B / 256)){operands}  # fc two.nn:3:83
"""


def levels(tools):
    """Every --emit that needs no GPU library; the levels themselves have their own tests."""
    def emit(kind):
        return tools.passes("nnc", "two.nn", *CPU, f"--emit={kind}", out=None)

    tools.expect("tokens", emit("tokens").splitlines()[:3], ["1:1 KwModel model", "1:7 Name Two", "1:10 LParen ("])
    tools.expect("ast", emit("ast").splitlines()[:3], ["Model Two <1:1>", "  Formal outputs <1:11>", "    type: ScalarType int <1:20>"])
    tools.expect("nn", 'nn.global @fc.weight : tensor<2x3xf32>' in emit("nn"), True)
    tools.expect("kernels", 'nn.kernel "fc"' in emit("kernels"), True)
    tools.expect("plan", emit("plan"), PLAN.format(
        weights="  weight fc.weight: f32[2, 3] at 0\n  weight fc.bias: f32[2] at 64\n",
        buffers="  buffers: 4\n    %0 = input x: f32[B, 3], B*12 bytes  # x\n"
        "    %1 = weight fc.weight: f32[2, 3], 24 bytes  # fc.weight\n"
        "    %2 = weight fc.bias: f32[2], 8 bytes  # fc.bias\n    %3 = output y: f32[B, 2], B*8 bytes  # y\n",
        operands=" buffers (%0, %1, %2, %3)"))
    for kind in ("cuda", "ptx"):
        tools.fails("nnc", "two.nn", *CPU, f"--emit={kind}",
                    error="error: there is no CUDA code for the target cpu: add --target cuda\n")
    tools.passes("nnc", "two.nn", *CPU, "--emit=ast", "-o", "tree.txt")
    tools.expect("--emit with -o", (tools.at / "tree.txt").read_text(), emit("ast"))

    tools.passes("nnc", "two.nn", *CPU, "--dump-dir", "dump", "-o", "dumped.bin")
    names = sorted(path.name for path in (tools.at / "dump").iterdir())
    tools.expect("numbers of --dump-dir", [int(name[:3]) for name in names], list(range(len(names))))
    shown = [name[4:] for name in names if "-nn-" in name]
    tools.expect("passes of --dump-dir", {"nn-fold-batch-norm.mlir", "nn-form-kernels.mlir", "nn-lower-to-linalg.mlir"} <= set(shown), True)


def compiles(tools):
    """--weights, --dim, --set, --seed and --model change the model as they say."""
    def forward(*options):
        tools.passes("nnc", "two.nn", *CPU, *options, "-o", "m.bin")
        return tools.passes("nnc-run", "m.bin", "--input", "x=x.npy", out=None)

    (tools.at / "x.npy").write_bytes(npy_bytes((1, 3), (1, 2, 3)))
    tools.expect("--weights", forward("--weights", "w.safetensors"), "y: f32[1, 2] = 8, 27\n")
    tools.expect("--set", forward("--set", "outputs=5").startswith("y: f32[1, 5] = "), True)
    zero, again, one = (forward("--seed", seed) for seed in "001")
    tools.expect("the same --seed", again, zero)
    tools.expect("another --seed differs", one != zero, True)
    tools.passes("nnc", "two.nn", *CPU, "--seed", "1", "-o", "same.bin")
    tools.expect("same bits", (tools.at / "same.bin").read_bytes(), (tools.at / "m.bin").read_bytes())

    tools.passes("nnc", "two.nn", *CPU, "--dim", "B=4", "-o", "four.bin")
    text = tools.passes("nnc-run", "four.bin", "--random", "1", out=None)
    tools.expect("--dim B=4", text.startswith("y: f32[4, 2] = "), True)
    tools.fails("nnc-run", "four.bin", "--input", "x=x.npy",
                error="nnc-run: error: input `x`: axis 0 must be 4; expected f32[4, 3], found f32[1, 3]\n")

    (tools.at / "both.nn").write_text(NEAT + NEAT.replace("Two", "Three").replace("= 2", "= 3"))
    tools.passes("nnc", "both.nn", *CPU, "--model", "Three", "-o", "three.bin")
    text = tools.passes("nnc-run", "three.bin", "--random", "1", "--dim", "B=2", out=None)
    tools.expect("--model Three", text.startswith("y: f32[2, 3] = "), True)
    tools.passes("nnc", "two.nn", *CPU)
    tools.expect("the default of -o", (tools.at / "two.bin").exists(), True)


def runs(tools):
    tools.passes("nnc", "two.nn", *CPU, "--weights", "w.safetensors", "-o", "two.bin")
    tools.passes("nnc-run", "two.bin", "--info", out=PLAN.format(weights="", buffers="", operands=""))
    agrees = "output `y` agrees: largest difference 0\n"
    random = ("--random", "7", "--dim", "B=5")
    tools.passes("nnc-run", "two.bin", *random, "--output", "y=y.npy", "--output", "y.safetensors")
    for option in ("y=y.npy", "y.npy", "y.safetensors", "y=y.safetensors"):
        tools.passes("nnc-run", "two.bin", *random, "--compare", option, "--rtol", "0", "--atol", "0", out=agrees)
    shape, values = read_npy(tools.at / "y.npy")
    tools.expect("--output .npy", shape, (5, 2))
    tools.expect("--output .safetensors", read_safetensors(tools.at / "y.safetensors"), {"y": (shape, values)})
    status, _, error = tools.run("nnc-run", "two.bin", "--random", "8", "--dim", "B=5", "--compare", "y.npy")
    tools.expect("another --random", (status, error.startswith("nnc-run: error: output `y` differs in ")), (1, True))

    (tools.at / "x.safetensors").write_bytes(safetensors_bytes({"x": ((1, 3), (1, 2, 3), "<f4")}))
    for option in ("x.safetensors", "x=x.safetensors", "x=x.npy"):
        tools.passes("nnc-run", "two.bin", "--input", option, out="y: f32[1, 2] = 8, 27\n")

    number = r"\d+\.\d+"
    bench = rf"forward on cpu, tensors on cpu: median {number} ms, min {number} ms, mean {number} ms, \d+ calls\n"
    text = tools.passes("nnc-run", "two.bin", "--random", "7", "--dim", "B=5", "--bench", "--output", "z.npy",
                        "--compare", "y.npy", out=None)
    tools.expect("--bench with --compare", text.startswith(agrees + "forward on cpu"), True)
    tools.expect("--bench with --output", read_npy(tools.at / "z.npy"), (shape, values))
    text = tools.passes("nnc-run", "two.bin", "--random", "0", "--bench", out=None)
    tools.expect(f"--bench: {text!r}", bool(re.fullmatch(bench, text)), True)
    profiles(tools)
    version = tools.passes("nnc", "--version", out=None)
    tools.expect("nnc --version", version.splitlines()[0], "nnc 0.1.0")


def profiles(tools):
    """--profile: beside the time of a step what it has to do, and the least time of a GPU for that where its rates are known."""
    number = r"\d+\.\d+"
    heads = r" +read +written +operations  step  kernel  source\n"
    figures = r" +\d+ B +16 B +\d+  fc +k0_fc +two\.nn:3:83\n"
    end = rf" +{number}  total of 1 steps, mean of 20 calls without a graph\n"
    run = ("nnc-run", "two.bin", "--random", "0", "--dim", "B=2", "--profile")
    text = tools.passes(*run, out=None)
    tools.expect(f"--profile: {text!r}", bool(re.fullmatch(rf" +ms +share{heads} +{number} +100\.0%{figures}{end}", text)), True)
    text = tools.passes(*run, "--gpu", "h200", out=None)
    known = rf" +ms +share +floor, ms +of floor{heads} +{number} +100\.0% +0\.0010 +{number}%{figures}{end} +0\.0010  floor of all on H200 \(measured rates\)\n"
    tools.expect(f"--gpu: {text!r}", bool(re.fullmatch(known, text)), True)

    data = json.loads(tools.passes(*run, "--gpu", "h200", "--json", "--trace", "trace.json", out=None))
    step = data["steps"][0]
    tools.expect("--json", (data["entry"], data["device"], data["calls"], data["gpu"], len(data["steps"])), ("forward", "cpu", 20, "H200", 1))
    tools.expect("a step", (step["step"], step["kernel"], step["source"], step["bytes_written"], step["bound"]),
                 ("fc", "k0_fc", "two.nn:3:83", 16.0, "launch"))
    tools.expect("a step's share", abs(step["share_of_floor"] * step["milliseconds"] - step["floor_milliseconds"]) < 1e-12, True)
    events = json.loads((tools.at / "trace.json").read_text())["traceEvents"]
    tools.expect("threads", [e["args"]["name"] for e in events if e["ph"] == "M"], ["forward on cpu", "steps", "floor on H200"])
    spans = [e for e in events if e["ph"] == "X"]
    tools.expect("spans", [(e["name"], e["cat"], e["tid"], e["ts"]) for e in spans], [("fc", "k0_fc", 1, 0.0), ("fc", "k0_fc", 2, 0.0)])
    tools.expect("a span", spans[0]["dur"], step["milliseconds"] * 1000)
    data = json.loads(tools.passes(*run, "--json", out=None))
    tools.expect("without rates", ("gpu" in data, "bound" in data["steps"][0]), (False, False))

    unknown = "nnc-run: error: the rates of the GPU `T4` are not known: there are those of `H200`, `H100`, `A100`\n"
    tools.fails(*run, "--gpu", "T4", error=unknown)
    tools.fails(*run, "--trace", "none/trace.json", error="nnc-run: error: cannot write none/trace.json: No such file or directory\n")


def narrow(tools):
    """Floats that numpy has no type for are f32 in a .npy, and keep their type elsewhere; f32 inputs are converted."""
    (tools.at / "narrow.nn").write_text(
        "@precision(bf16)\nmodel Narrow {\n"
        "  fn forward(x: float[B, 3]) -> (y: float[B, 3], z: f8e5m2[B, 3]) requires B in 1..=4 =\n"
        "    (x + x, f8e5m2(x))\n}\n")
    (tools.at / "x.npy").write_bytes(npy_bytes((1, 3), (1.00390625, -2.5, 1e30)))  # half way between two of bf16
    tools.passes("nnc", "narrow.nn", *CPU, "-o", "narrow.bin")
    inputs = ("narrow.bin", "--input", "x=x.npy")
    tools.passes("nnc-run", *inputs, "--output", "y=y.npy", "--output", "z=z.npy", "--output", "all.safetensors")
    rounded = struct.unpack("<f", struct.pack("<I", 0x714A0000))[0]  # 1e30 in bf16
    tools.expect("bf16 as .npy", read_npy(tools.at / "y.npy"), ((1, 3), (2.0, -5.0, 2 * rounded)))
    tools.expect("f8 as .npy", read_npy(tools.at / "z.npy"), ((1, 3), (1.0, -2.5, math.inf)))
    header = (tools.at / "all.safetensors").read_bytes()
    tools.expect("types in .safetensors", (b"BF16" in header, b"F8_E5M2" in header), (True, True))
    text = tools.passes("nnc-run", *inputs, "--bench", out=None)
    tools.expect("--bench of 16 bits", text.startswith("forward on cpu, tensors on cpu: median "), True)
    (tools.at / "x.npy").write_bytes(npy_bytes((1, 3), (1, 2, 3), "<f8"))
    wrong = "nnc-run: error: input `x`: expected bf16[B, 3], found f64[1, 3]\n"
    for option in ((), ("--bench",)):
        tools.fails("nnc-run", *inputs, *option, error=wrong)


def main():
    tools = Tools(sys.argv[1])
    for part in (formats, keys, explains, levels, compiles, runs, narrow):
        part(tools)
    tools.finish()


if __name__ == "__main__":
    main()
