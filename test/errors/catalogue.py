"""Every code in the sources is explained, with an example that has it and a fix that has not, and tested with its whole text:
catalogue.py ROOT NNC.
"""
import concurrent.futures
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT, NNC = pathlib.Path(sys.argv[1]), sys.argv[2]
EXPLANATIONS = ROOT / "frontend/syntax/explain"
# Whose examples `nnc check` cannot show.
NOT_SHOWN = {
    "E0109": "too long",
    "E0206": "needs another file",
    "E0511": "needs a configuration",
    "E0512": "needs a configuration",
    "E0701": "needs a checkpoint",
    "E0702": "needs a checkpoint",
    "E0705": "needs a checkpoint",
    "E0703": "needs a checkpoint",
}
# The messages that the language was designed with: each has a file of its own.
DESIGNED = ["E0101", "E0102", "E0201", "E0301", "E0302", "E0303", "E0304", "E0401", "E0501", "E0502", "E0601", "E0701"]
mistakes = []


def used_codes():
    codes = set()
    for folder in ("frontend", "passes", "codegen", "tools"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".cpp", ".h"):
                codes |= set(re.findall(r'"([EW]0\d{3})"', path.read_text()))
    return codes


def tested_codes():
    """Codes whose rendering, with its place or its notes, stands in a test."""
    codes = set()
    for path in (ROOT / "test").rglob("*"):
        if path.suffix in (".test", ".txt", ".cpp", ".py", ".nn") and path.is_file():
            text = path.read_text(errors="replace")
            codes |= set(re.findall(r"(?:error|warning)\[([EW]0\d{3})\]: .+\n +(?:--> |= )", text))
            codes |= set(re.findall(r"^error\[(E0\d{3})\]: .+\n\Z", text, re.M))
    return codes


def check_text(text):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "example.nn"
        path.write_text(text)
        return subprocess.run([NNC, "check", path], capture_output=True, text=True, timeout=60).stderr


def check_entry(code):
    """What is wrong with an explanation."""
    path = EXPLANATIONS / f"{code}.md"
    if not path.exists():
        return [f"{code} has no explanation"]
    blocks = re.findall(r"^```nn\n(.*?)^```", path.read_text(), re.M | re.S)
    if len(blocks) < 2:
        return [f"{code} is explained without an example and its fix"]
    if code in NOT_SHOWN:
        return []
    found = []
    if f"[{code}]" not in check_text(blocks[0]):
        found.append(f"the example of {code} does not have it:\n{check_text(blocks[0])}")
    for block in blocks[1:]:
        messages = check_text(block)
        if set(re.findall(r"error\[(E0\d{3})\]", messages)) - {"E0210", "E0590"}:  # a fragment lacks entry points
            found.append(f"a fix of {code} has errors:\n{messages}")
    return found


used = used_codes()
mistakes += [f"no test has the whole text of {code}" for code in sorted(used - tested_codes())]
mistakes += [f"test/errors/{code}.test is missing" for code in DESIGNED if code in used and not (ROOT / f"test/errors/{code}.test").exists()]
mistakes += [f"{path.stem} is explained but nothing reports it" for path in EXPLANATIONS.glob("[EW]*.md") if path.stem not in used | set(DESIGNED)]
with concurrent.futures.ThreadPoolExecutor(2) as pool:
    for found in pool.map(check_entry, sorted(used)):
        mistakes += found
print("\n".join(mistakes))
sys.exit(1 if mistakes else 0)
