"""The table of measured rows: nnc beside the best peer, the floor, and what nnc needs."""
import math

import torch_peers

HEAD = [
    "case", "nnc, ms", "best peer, ms", "which", "ratio", "floor, ms", "share", "launches", "memory, MiB", "peer's", "compile, s",
    "peer's", "load, ms", "error", "peer's",
]


def best_peer(row):
    """(name, result) of the fastest peer that ran, or none."""
    ran = [(name, found) for name, found in row["peers"].items() if "ms" in found]
    return min(ran, key=lambda item: item[1]["ms"], default=(None, None))


def number(value, digits=3):
    return "" if value is None else f"{value:.{digits}g}" if value < 1000 else f"{value:.0f}"


def cells(row, precision, found):
    name = row["case"] + (f" in {precision}" if precision == "tf32" else "")
    which, peer = best_peer(row)
    peer = peer or {}
    if "error" in found:
        return [name, found["error"], number(peer.get("ms")), torch_peers.NAMES.get(which, "")] + [""] * (len(HEAD) - 4)
    ms = found.get("ms")
    return [
        name, number(ms), number(peer.get("ms")), torch_peers.NAMES.get(which, ""),
        number(peer["ms"] / ms) if ms and peer else "", number(row["floor_ms"]),
        f"{100 * row['floor_ms'] / ms:.0f} %" if ms else "", str(found["launches"]), number(found["memory_mib"]),
        number(peer.get("memory_mib")), number(found["compile_s"]), number(peer.get("first_call_s")),
        number(found["load_ms"]), f"{found['difference']:.1e}" + ("" if found["right"] else " (wrong)"),
        f"{row['peer_error']:.1e}",
    ]


def ratio(row, precision):
    """Best peer's time over nnc's; none where either did not run."""
    _, peer = best_peer(row)
    found = row["nnc"].get(precision, {})
    return peer["ms"] / found["ms"] if peer and "ms" in found else None


def means(rows):
    """Geometric means of the ratios: as the examples are, and with TF32 where the peers may use it."""
    lines = []
    for what, pick in {
        "f32 exact": lambda row: next(iter(row["nnc"]), "f32"),
        "f32 cases in TF32, as the peers": lambda row: next(reversed(row["nnc"]), "f32"),
    }.items():
        ratios = [r for r in (ratio(row, pick(row)) for row in rows) if r]
        if ratios:
            mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
            faster = sum(r > 1 for r in ratios)
            lines.append(
                f"geometric mean of {len(ratios)} ratios, {what}: {mean:.3f}; {faster} faster than the best peer, "
                f"smallest ratio {min(ratios):.3f}"
            )
    return lines


def lines_of(row):
    if "error" in row:
        return [[row["case"], row["error"]] + [""] * (len(HEAD) - 2)]
    return [cells(row, precision, found) for precision, found in row["nnc"].items()]


def render(rows, markdown):
    body = [line for row in rows for line in lines_of(row)]
    if markdown:
        text = ["| " + " | ".join(line) + " |" for line in [HEAD, ["---"] * len(HEAD), *body]]
        return "\n".join(text + [""] + means(rows))
    widths = [max(len(line[i]) for line in [HEAD, *body]) for i in range(len(HEAD))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in [HEAD, *body]]
    return "\n".join(text + means(rows))


def peer_lines(rows):
    """Every peer's time, and why one did not run."""
    for row in rows:
        for name, found in row.get("peers", {}).items():
            yield f"{row['case']}: {torch_peers.NAMES[name]} " + (
                f"{number(found['ms'])} ms, error {found['difference']:.1e}" if "ms" in found else found["error"]
            )


def failed(rows):
    """Cases of which nnc has no right result."""
    return [row["case"] for row in rows if "error" in row or not all(f.get("right") for f in row["nnc"].values())]
