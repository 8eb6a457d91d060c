"""Compares the classes of a TextMate grammar with the compiler's tokens: textmate.py NNC GRAMMAR FILES...

The grammar has rules with `match` only, so an engine for it is small: at every place of a line the rule that matches
first wins, the earlier one of several.
"""
import json
import re
import subprocess
import sys

NNC, GRAMMAR, *FILES = sys.argv[1:]
grammar = json.load(open(GRAMMAR))
# A prefix of the scope for each kind of token; see frontend/syntax/Tokens.def.
KEYWORDS = ("keyword.control", "keyword.operator.logical", "storage.", "constant.language", "support.type")
CLASSES = {
    "Name": ("variable.", "entity.name."), "Int": ("constant.numeric.integer",), "Float": ("constant.numeric.float",),
    "String": ("string.quoted", "punctuation.definition.string"),
    **dict.fromkeys(("LParen", "RParen", "LBracket", "RBracket", "LBrace", "RBrace", "Comma", "Colon", "Dot"), ("punctuation.",)),
    "At": ("punctuation.definition.decorator", "keyword.operator.arithmetic"),
}
WORDS = {"inf": ("constant.language",), "pi": ("constant.language",), "training": ("constant.language",)}
seen = set()


def rules(patterns):
    for pattern in patterns:
        if "include" in pattern:
            yield from rules([grammar["repository"][pattern["include"][1:]]])
        elif "match" in pattern:
            yield pattern, re.compile(pattern["match"])
        else:
            yield from rules(pattern["patterns"])


def paint(scopes, text, begin, end, compiled, first):
    """Writes the scope of every character of text[begin:end]."""
    at = begin
    while at < end:
        best = None
        for rule, regex in compiled:
            if rule["match"].startswith("\\A") and not first:
                continue
            match = regex.search(text, at, end)
            if match and match.end() > match.start() and (best is None or match.start() < best[1].start()):
                best = (rule, match)
        if best is None:
            return
        rule, match = best
        for i in range(match.start(), match.end()):
            scopes[i] = rule.get("name", scopes[i])
        for group, capture in rule.get("captures", {}).items():
            low, high = match.span(int(group))
            for i in range(low, high):
                scopes[i] = capture.get("name", scopes[i])
            if "patterns" in capture and high > low:
                paint(scopes, text, low, high, list(rules(capture["patterns"])), False)
        at = match.end()


def wanted(kind, text, before, after):
    if kind in CLASSES:
        own = WORDS.get(text, CLASSES[kind])
        if text == "axis" and re.match(r"\s+-?\d", after) or text == "reverse" and re.match(r"\s*\{", after):
            own = ("keyword.control",)
        return own
    if kind.startswith("El") and kind != "Ellipsis":
        return ("support.type.element",)
    if kind.startswith("Kw"):
        return KEYWORDS
    return ("keyword.operator", "punctuation.separator")


def check(path):
    compiled = list(rules(grammar["patterns"]))
    lines = open(path).read().split("\n")
    painted = []
    for number, line in enumerate(lines):
        scopes = [None] * len(line)
        paint(scopes, line, 0, len(line), compiled, number == 0)
        painted.append(scopes)
    dump = subprocess.run([NNC, "--emit=tokens", path], capture_output=True, text=True, check=True).stdout
    mistakes = 0
    for entry in dump.splitlines():
        place, kind, *rest = entry.split(" ", 2)
        if not rest or kind in ("Newline", "EndOfFile"):
            continue
        line, col = (int(n) - 1 for n in place.split(":"))
        text = lines[line]
        length = next((n for n in range(len(rest[0]), 0, -1) if text[col:col + n] == rest[0][:n]), 0)
        scopes = set(painted[line][col:col + length])
        expected = wanted(kind, rest[0], text[:col], text[col + length:])
        if kind == "String":
            scopes = {painted[line][col]}
        seen.add(kind)
        if not all(scope and scope.startswith(expected) for scope in scopes):
            mistakes += 1
            print(f"{path}:{line + 1}:{col + 1}: {kind} `{rest[0]}` is {scopes}, not {expected}")
        for i in range(col, col + length):
            painted[line][i] = "done"
    for number, scopes in enumerate(painted):  # what is left is comments
        for col, scope in enumerate(scopes):
            if lines[number][col] not in " \t;" and not (scope or "").startswith(("comment.", "done")):
                mistakes += 1
                print(f"{path}:{number + 1}:{col + 1}: `{lines[number][col:]}` is {scope}, not a comment")
                break
    return mistakes


mistakes = sum(check(path) for path in FILES)
names = re.findall(r"^NNC_(?:TOKEN|KEYWORD|ELEMENT)\((\w+)", open(sys.argv[0].replace("test/tools/textmate.py", "frontend/syntax/Tokens.def")).read(), re.M)
missing = set(names) - seen - {"EndOfFile", "Newline", "BadCharacter", "BadNumber", "BadString"}
if missing:
    print(f"no example has {sorted(missing)}")
sys.exit(1 if mistakes or missing else 0)
