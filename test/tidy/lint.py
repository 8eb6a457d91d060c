"""clang-tidy over the sources that a build folder compiles, remembering what passed."""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TIDY = "clang-tidy-19"


def plugin(build):
    return build / "test/tidy/nnc-tidy.so"


def dependencies(build):
    """The files of ours that each object was made of, as ninja knows them."""
    listing = subprocess.run(["ninja", "-C", build, "-t", "deps"], capture_output=True, text=True, check=True)
    result, current = {}, []
    for line in listing.stdout.splitlines():
        if line.startswith("    "):
            path = line.strip()
            if path.startswith(str(ROOT)) and not path.endswith(".pch"):
                current.append(path)
        elif ": #deps" in line:
            current = result.setdefault(line.split(": #deps")[0], [])
    return result


class Linter:
    def __init__(self, build):
        self.build = build
        self.memory = build / "test/tidy/passed"
        self.memory.mkdir(exist_ok=True)
        commands = json.loads((build / "compile_commands.json").read_text())
        self.commands = {entry["file"]: entry for entry in commands}
        self.dependencies = dependencies(build)
        self.digests = {}
        version = subprocess.run([TIDY, "--version"], capture_output=True, check=True).stdout
        self.settings = version + (ROOT / ".clang-tidy").read_bytes() + plugin(build).read_bytes()

    def digest(self, path):
        if path not in self.digests:
            self.digests[path] = hashlib.sha256(pathlib.Path(path).read_bytes()).digest()
        return self.digests[path]

    def key(self, entry):
        """A hash of all that the verdict on a source depends on; None if ninja has not built it."""
        arguments = entry["command"].split()
        files = self.dependencies.get(arguments[arguments.index("-o") + 1])
        if not files or not all(os.path.exists(path) for path in files):
            return None
        state = hashlib.sha256(self.settings + entry["command"].encode())
        for path in files:
            state.update(self.digest(path))
        return state.hexdigest()

    def lint(self, name):
        """None if the source passes, else what clang-tidy says."""
        entry = self.commands[str(ROOT / name)]
        key = self.key(entry)
        if key and (self.memory / key).exists():
            return None
        command = [TIDY, f"--load={plugin(self.build)}", "-p", self.build, "--quiet", name]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            return done.stdout or done.stderr
        if key:
            (self.memory / key).touch()
        return None

    def all(self, names):
        """Pairs of a source and what clang-tidy says, of those of `names` that are compiled."""
        names = [name for name in names if str(ROOT / name) in self.commands]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            yield from zip(names, pool.map(self.lint, names))
