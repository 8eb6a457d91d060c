#!/usr/bin/env python3
"""Runs all tests of a build folder and adds up what passed: unit tests, lit tests, format, lint.

    python3 test/run.py build/release [--only unit|lit|fuzz|format|tidy]

The last line is `N passed, M failed, K skipped`; the exit status is 1 if anything failed. What was
skipped is listed with what it needs.
"""
import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from tidy import lint

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIT = "/usr/lib/llvm-19/build/utils/lit/lit.py"
FORMATTED = (".cpp", ".h", ".cuh", ".c")


class Totals:
    def __init__(self):
        self.passed = self.failed = 0
        self.skipped = collections.Counter()

    def fail(self, name, output=""):
        self.failed += 1
        print(f"FAILED: {name}\n{output.rstrip()}", flush=True)

    def section(self, name, started, before):
        print(f"{name}: {self.passed - before} passed in {time.time() - started:.0f} s", flush=True)


def sources(*suffixes):
    """Tracked and new files of the repository with one of these endings."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [n for n in names.split() if n.endswith(suffixes) and (ROOT / n).exists()]


def skip_reason(output, name):
    """What GTEST_SKIP() << said last before the test's end: after the line `...: Skipped`."""
    before = output.split(f"[  SKIPPED ] {name.split(' ', 1)[1]}")[0]
    lines = [line for line in before.rsplit(": Skipped", 1)[-1].splitlines() if line.strip()]
    return lines[0] if lines else name


def run_program(build, program):
    """A GoogleTest program, and the JSON that it writes of what passed."""
    environment = {**os.environ, "NNC_CACHE_DIR": str(build / "test/cache")}
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        done = subprocess.run(
            [program, f"--gtest_output=json:{report.name}"],
            cwd=build, capture_output=True, text=True, errors="replace", env=environment,
        )
        return done, pathlib.Path(report.name).read_text()


def run_unit(build, totals):
    """Every GoogleTest program below BUILD/test/unit: as many at a time as there are cores, but one by one on a GPU."""
    programs = sorted(p for p in (build / "test/unit").glob("*") if p.is_file() and os.access(p, os.X_OK))
    at_once = 1 if os.path.exists("/dev/nvidia0") else os.cpu_count()
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        runs = list(pool.map(lambda program: run_program(build, program), programs))
    for program, (done, text) in zip(programs, runs):
        if done.returncode < 0 or not text:
            totals.fail(program.name, (done.stdout + done.stderr)[-4000:])
            continue
        for suite in json.loads(text)["testsuites"]:
            for test in suite["testsuite"]:
                name = f"{program.name} {suite['name']}.{test['name']}"
                if test.get("result") == "SKIPPED":
                    totals.skipped[skip_reason(done.stdout, name)] += 1
                elif "failures" in test:
                    totals.fail(name, "\n".join(f["failure"] for f in test["failures"]))
                else:
                    totals.passed += 1
        if done.returncode != 0 and "failures" not in text:
            totals.fail(f"{program.name} (exit status {done.returncode})", done.stderr[-4000:])


def run_lit(build, totals):
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        done = subprocess.run(
            [sys.executable, LIT, "-q", "--output", report.name, build / "test"],
            capture_output=True, text=True,
        )
        text = pathlib.Path(report.name).read_text()
    if not text:
        totals.fail("lit", done.stdout + done.stderr)
        return
    for test in json.loads(text)["tests"]:
        code = test["code"]
        if code in ("PASS", "XFAIL", "FLAKYPASS"):
            totals.passed += 1
        elif code in ("UNSUPPORTED", "SKIPPED", "EXCLUDED"):
            reason = test["output"].strip().splitlines()
            totals.skipped[reason[-1] if reason else "unsupported"] += 1
        else:
            totals.fail(test["name"], test["output"])


def run_format(build, totals):
    """clang-format over every C++ file, `nnc fmt --check` over the example models."""
    def check(names):
        return subprocess.run(["clang-format-19", "--dry-run", "-Werror", *names], cwd=ROOT, capture_output=True, text=True)

    names = sources(*FORMATTED)
    parts = [names[i : i + 50] for i in range(0, len(names), 50)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for part, together in zip(parts, pool.map(check, parts)):
            for name in part:
                done = check([name]) if together.returncode else together
                if done.returncode:
                    totals.fail(f"clang-format {name}", done.stderr[:600])
                else:
                    totals.passed += 1
    for name in [n for n in sources(".nn") if n.startswith(("examples/", "frontend/library/"))]:
        done = subprocess.run([build / "bin/nnc", "fmt", "--check", name], cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            totals.fail(f"nnc fmt {name}", done.stderr)
        else:
            totals.passed += 1


def run_tidy(build, totals):
    """clang-tidy over every compiled source that is not a test."""
    if not lint.plugin(build).exists():
        totals.skipped["clang-tidy: needs a build without sanitizers"] += 1
        return
    names = [name for name in sources(".cpp") if not name.startswith("test/")]
    for name, said in lint.Linter(build).all(names):
        if said:
            totals.fail(f"clang-tidy {name}", said[-3000:])
        else:
            totals.passed += 1


def fuzz(build, name, seconds):
    """Runs one libFuzzer program on its corpus and on all models; its output if it found something."""
    folders = [ROOT / "test/fuzz/corpus" / name, ROOT / "examples", ROOT / "frontend/library/prelude", ROOT / "frontend/library/std", ROOT / "test/unit/syntax/data"]
    folders = [folder for folder in (folders[:1] if name in ("format", "config", "data") else folders) if folder.exists()]
    with tempfile.TemporaryDirectory() as found:
        command = [build / f"bin/{name}-fuzzer", f"-max_total_time={seconds}", "-max_len=2000", "-timeout=30", "-rss_limit_mb=4000"]
        command += [f"-dict={ROOT / 'test/fuzz/nn.dict'}"] if name == "syntax" else []
        done = subprocess.run([*command, f"-artifact_prefix={build}/", found, *folders], capture_output=True, text=True, errors="replace")
    return (done.stdout + done.stderr)[-6000:] if done.returncode else ""


def run_fuzz(build, totals):
    """Every libFuzzer program for its FUZZ_SECONDS; inputs that crash one are left in the build folder."""
    names = [name for name in FUZZ_SECONDS if (build / f"bin/{name}-fuzzer").exists()]
    if not names:
        totals.skipped["fuzzers: need Clang and -DNNC_FUZZERS=ON"] += 1
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, said in zip(names, pool.map(lambda name: fuzz(build, name, FUZZ_SECONDS[name]), names)):
            if said:
                totals.fail(f"{name}-fuzzer", said)
            else:
                totals.passed += 1


FUZZ_SECONDS = {"check": 60, "syntax": 20, "format": 20, "config": 20, "data": 20}  # the longest first
SECTIONS = {"unit": run_unit, "lit": run_lit, "fuzz": run_fuzz, "format": run_format, "tidy": run_tidy}


# Debian's LLVM is not instrumented: what its allocators and containers poison or forget to, in
# headers that our instrumented code shares with them, is no error of ours.
ASAN_OPTIONS = "allow_user_poisoning=0:detect_container_overflow=0"


def main():
    os.environ.setdefault("ASAN_OPTIONS", ASAN_OPTIONS)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--only", choices=SECTIONS)
    args = parser.parse_args()
    totals = Totals()
    for name, section in SECTIONS.items():
        if args.only in (None, name):
            started, before = time.time(), totals.passed
            section(args.build.resolve(), totals)
            totals.section(name, started, before)
    for reason, count in totals.skipped.items():
        print(f"skipped {count}: {reason}")
    skipped = sum(totals.skipped.values())
    print(f"{totals.passed} passed, {totals.failed} failed, {skipped} skipped")
    sys.exit(1 if totals.failed else 0)


if __name__ == "__main__":
    main()
