"""compute-sanitizer over a command, told apart by whose kernels it reports."""
import re
import subprocess

# cuBLASLt's kernels: racecheck does not follow the barriers of those that copy by the tensor memory accelerator.
LIBRARY = re.compile(r"^(nvjet|cublas|cutlass|void cublas|void cutlass|sm\d+_xmma)")


def sanitize(tool, *command, timeout=400):
    """Runs `command` under `tool`: what is wrong with it (empty: nothing), and how many reports are of library kernels."""
    done = subprocess.run(["compute-sanitizer", "--tool", tool, "--error-exitcode", "9", "--print-limit", "100000", *map(str, command)],
                          capture_output=True, text=True, timeout=timeout)
    text = done.stdout + done.stderr
    if done.returncode == 0:
        return "", 0
    reports = re.findall(r"=+ (?:Error|Warning): Race reported between (?:Read|Write) access at (.*)", text)
    ours = [report for report in reports if not LIBRARY.match(report)]
    if tool != "racecheck" or done.returncode != 9 or ours or not reports:
        return "; ".join(ours)[:800] or text[-800:], len(reports) - len(ours)
    return "", len(reports)
