"""Executes docs/tutorial.md: tutorial.py PAGE BIN BUILD.

`nn` blocks are written to files (tiny.nn, or the name behind `nn`); every line of an `sh` block must succeed (`sh fails`: must
not); a `text` block must be in the output of the block before it; `cpp` blocks must compile. A block marked `checkpoint` needs
tiny.safetensors, which is made as the page's PyTorch lines would.
"""
import os
import pathlib
import re
import subprocess
import sys

from support import Tools, safetensors_bytes

PAGE, BIN, BUILD = (pathlib.Path(arg).resolve() for arg in sys.argv[1:])
tools = Tools(BIN)
environment = dict(os.environ, PATH=f"{BIN}:{os.environ['PATH']}")


def shell(command):
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=tools.at, env=environment, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


def make_checkpoint():
    tensors = {"up.weight": (8, 4), "up.bias": (8,), "down.weight": (2, 8), "down.bias": (2,)}
    count = {name: shape[0] * (shape[1] if len(shape) > 1 else 1) for name, shape in tensors.items()}
    (tools.at / "tiny.safetensors").write_bytes(
        safetensors_bytes({name: (shape, [0.5] * count[name], "<f4") for name, shape in tensors.items()}))


def run_block(words, body):
    if "checkpoint" in words:
        make_checkpoint()
    output = ""
    for line in body.splitlines():
        status, text = shell(line)
        tools.expect(f"{line}\n{text}\nfails", status != 0, "fails" in words)
        output += text
    return output


def compile_block(body):
    source = tools.at / "tutorial.cpp"
    source.write_text(body)
    includes = ["-I", BUILD / "include", "-I", PAGE.parent.parent, "-I", BUILD]
    done = subprocess.run(["clang++-19", "-std=c++20", "-fsyntax-only", *includes, source], capture_output=True, text=True)
    tools.expect(f"the C++ of the page\n{done.stderr}", done.returncode, 0)


output, commands = "", 0
for info, body in re.findall(r"^```(.*)\n((?:.*\n)*?)```$", PAGE.read_text(), re.M):
    kind, *words = info.split()
    if kind == "nn":
        (tools.at / (words[0] if words else "tiny.nn")).write_text(body)
    elif kind == "sh":
        output = run_block(words, body)
        commands += len(body.splitlines())
    elif kind == "text":
        tools.expect("the text of the page", body in output or output, True)
    elif kind == "cpp":
        compile_block(body)
tools.expect("commands", commands > 15, True)
tools.finish()
