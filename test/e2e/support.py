"""What the end-to-end tests share: running the tools, and tensors in files without numpy."""
import argparse
import json
import math
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "examples"
KINDS = {"<f4": ("f", "F32"), "<f2": ("e", "F16"), "<i4": ("i", "I32"), "<i8": ("q", "I64"), "<f8": ("d", "F64")}


def arguments(doc, *positional):
    """A parser of what every test is told: where the programs are, and what to compile for."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    for name in positional:
        parser.add_argument(name)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--target", default="cpu")
    parser.add_argument("--arch", default="sm_80")
    return parser


class Tools:
    """The programs in a folder, run inside a temporary folder `at`; counts what was checked."""

    def __init__(self, bin):
        self.bin = pathlib.Path(bin).resolve()
        self.temporary = tempfile.TemporaryDirectory()
        self.at = pathlib.Path(self.temporary.name)
        self.mistakes = 0

    def run(self, program, *arguments, **options):
        """Exit status, stdout and stderr; a signal is a negative status."""
        command = [self.bin / program, *arguments]
        done = subprocess.run(command, cwd=self.at, capture_output=True, text=True, errors="replace", timeout=120, **options)
        return done.returncode, done.stdout, done.stderr

    def expect(self, what, found, wanted):
        if found != wanted:
            self.mistakes += 1
            print(f"{what}\n  wanted: {wanted!r}\n  found:  {found!r}", flush=True)

    def passes(self, program, *arguments, out="", **options):
        """The command succeeds, says nothing on stderr and exactly `out` (None: anything) on stdout."""
        status, text, errors = self.run(program, *arguments, **options)
        wanted = text if out is None else out
        self.expect(describe(program, arguments), (status, text, errors), (0, wanted, ""))
        return text

    def fails(self, program, *arguments, error, **options):
        """The command exits with 1, prints nothing on stdout and exactly `error` on stderr."""
        found = self.run(program, *arguments, **options)
        self.expect(describe(program, arguments), found, (1, "", error))

    def fails_to_print(self, program, *arguments, error):
        """As `fails`, with standard output, and with standard error too, on a disk that is full."""
        with open("/dev/full", "w") as full:
            command = [self.bin / program, *arguments]
            done = subprocess.run(command, cwd=self.at, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
            silent = subprocess.run(command, cwd=self.at, stdout=full, stderr=full, timeout=120)
        self.expect(describe(program, arguments), (done.returncode, done.stderr, silent.returncode), (1, error, 1))

    def finish(self):
        sys.exit(1 if self.mistakes else 0)


def describe(program, arguments):
    return " ".join([program, *map(str, arguments)])


def npy_bytes(shape, values, dtype="<f4"):
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({''.join(f'{n}, ' for n in shape)}), }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    data = struct.pack(f"<{math.prod(shape)}{KINDS[dtype][0]}", *values)
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + data


def read_npy(path):
    """Shape and values of a version 1 file."""
    data = path.read_bytes()
    end = 10 + struct.unpack_from("<H", data, 8)[0]
    header = eval(data[10:end].decode(), {"__builtins__": {}})
    count = math.prod(header["shape"])
    return header["shape"], struct.unpack_from(f"<{count}{KINDS[header['descr']][0]}", data, end)


def safetensors_bytes(tensors, size=None, aligned=False, metadata=None):
    """`tensors` is {name: (shape, values, dtype)}; `size` is what the file claims its header takes; `aligned` pads it,
    as the format's own library does."""
    header, data = {"__metadata__": metadata} if metadata else {}, b""
    for name, (shape, values, dtype) in tensors.items():
        packed = struct.pack(f"<{math.prod(shape)}{KINDS[dtype][0]}", *values)
        offsets = [len(data), len(data) + len(packed)]
        header[name] = {"dtype": KINDS[dtype][1], "shape": list(shape), "data_offsets": offsets}
        data += packed
    text = json.dumps(header).encode()
    if aligned:
        text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text) if size is None else size) + text + data


def read_safetensors(path):
    """{name: (shape, values)} of a file of the types above."""
    data = path.read_bytes()
    start = 8 + struct.unpack_from("<Q", data)[0]
    codes = {name: code for code, name in KINDS.values()}
    tensors = {}
    for name, entry in json.loads(data[8:start]).items():
        if name != "__metadata__":
            count = math.prod(entry["shape"])
            code = f"<{count}{codes[entry['dtype']]}"
            tensors[name] = (tuple(entry["shape"]), struct.unpack_from(code, data, start + entry["data_offsets"][0]))
    return tensors


def is_root():
    return os.geteuid() == 0
