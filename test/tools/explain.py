"""`nnc explain --json` and `--html`: the same data, figures that fit each other, a page that needs nothing else."""
import html.parser
import json
import pathlib
import sys

data = json.loads(pathlib.Path(sys.argv[1]).read_text())
page = pathlib.Path(sys.argv[2]).read_text()
mistakes = []


def expect(what, found, wanted):
    if found != wanted:
        mistakes.append(f"{what}\n  wanted: {wanted!r}\n  found:  {found!r}")


expect("head", [data[key] for key in ("model", "target", "gpu", "measured_rates")], ["Tiny", "cuda", "H200", True])
expect("entries", [entry["entry"] for entry in data["entries"]], ["forward", "push", "attend"])
for entry in data["entries"]:
    operations, steps = entry["operations"], entry["steps"]
    for step in steps:
        where = f"{entry['entry']}, {step['name']}"
        for kind, written in (("bytes_read", False), ("bytes_written", True)):
            total = sum(tensor["bytes"] for tensor in step["tensors"] if tensor["written"] == written)
            expect(f"{where}: {kind}", step[kind], total)
        expect(f"{where}: operations", [number for number in step["operations"] if number >= len(operations)], [])
        expect(f"{where}: inputs come before", [number for number in step["inputs"] if number >= steps.index(step)], [])
        if step["kind"] == "kernel":
            expect(f"{where}: code", step["symbol"] in data["code"], True)
    done = {number for step in steps for number in step["operations"]}
    idle = [operation["op"] for number, operation in enumerate(operations) if number not in done]
    expect(f"{entry['entry']}: operations that no step does", [op for op in idle if op not in ("reshape", "update")], [])
    expect(f"{entry['entry']}: floor", abs(entry["floor_milliseconds"] - sum(s["floor_milliseconds"] for s in steps)) < 1e-9, True)
product = next(step for step in data["entries"][0]["steps"] if step["kind"] == "product")
expect("a product", (product["tactic"], product["products"], product["arithmetic"], product["bound"]),
       ("cuBLASLt m 16 n 1000 k 32 + bias", 2.0 * 16 * 1000 * 32, 16 * 1000.0, "launch"))
causal = data["entries"][2]["steps"][0]
scores = 4 * 64 * 65 // 2
expect("causal attention", (causal["products"], causal["arithmetic"]), (4.0 * 8 * scores, 4.0 * scores))


class Page(html.parser.HTMLParser):
    """Counts what is not in the page itself."""

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("src", "href", "action") or tag in ("link", "iframe", "img"):
                mistakes.append(f"the page refers to {tag} {name}={value}")


Page().feed(page)
start = page.index("const explanation = ") + len("const explanation = ")
expect("the page's data", json.JSONDecoder().raw_decode(page, start)[0], data)
expect("placeholders", [mark for mark in ("/*style*/", "/*script*/", "/*data*/", "<!--title-->") if mark in page], [])
expect("one script may not end early", page.count("</script>"), 2)
print("\n".join(mistakes))
sys.exit(1 if mistakes else 0)
