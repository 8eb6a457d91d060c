"""`nnc explain --json` of a training step: every operation is some step's, also of those that share a launch, and what is
kept fits the steps."""
import json
import pathlib
import sys

entry = json.loads(pathlib.Path(sys.argv[1]).read_text())["entries"][0]
operations, steps, memory = entry["operations"], entry["steps"], entry["memory"]
mistakes = []
done = {number for step in steps for number in step["operations"]}
idle = [operation["name"] for number, operation in enumerate(operations)
        if number not in done and operation["role"] != "view"]
if idle:
    mistakes.append(f"operations that no step does: {idle}")
for kept in memory["kept"]:
    if not kept["readers"] or min(kept["readers"]) <= kept["step"]:
        mistakes.append(f"kept for nobody: {kept}")
    if kept["bytes"] not in [tensor["bytes"] for tensor in steps[kept["step"]]["tensors"] if tensor["written"]]:
        mistakes.append(f"not what the step writes: {kept}")
if memory["peak_bytes"] != sum(value["bytes"] for value in memory["at_peak"]):
    mistakes.append("the peak is not the sum of what is there")
if not all(steps[again["step"]]["operations"].count(again["operation"]) for again in memory["recomputed"]):
    mistakes.append("a step does not do what it is said to do again")
print("\n".join(mistakes))
sys.exit(1 if mistakes else 0)
