"""Nothing that comes in ends `nnc lsp` but its end: lspbroken.py NNC FOLDER."""
import json
import pathlib
import random
import shutil
import sys

from lspclient import Client, span

NNC = sys.argv[1]
FOLDER = pathlib.Path(sys.argv[2]).resolve()
URI = (FOLDER / "a.nn").as_uri()
MODEL = "model M {\n  fc = Linear(4, 4)\n  fn forward(x: float[B, 4]) -> float[B, 4] requires B in 1..=4 = x |> fc\n}\n"
METHODS = ["hover", "definition", "completion", "inlayHint", "codeAction", "documentSymbol", "formatting",
           "semanticTokens/full", "didOpen", "didChange", "didClose"]
mistakes = 0


def expect(what, found, wanted):
    global mistakes
    if found != wanted:
        mistakes += 1
        print(f"{what}\n  wanted: {wanted!r}\n  found:  {found!r}", flush=True)


def error_of(client, id):
    return client.answer(id).get("error", {}).get("code")


def check_order(client):
    """Requests before `initialize` are refused, notifications ignored."""
    client.open(URI, MODEL)
    expect("too early", error_of(client, client.post("textDocument/hover")), -32002)
    client.start()
    expect("not open", client.at("textDocument/hover", URI, 0, 0), None)
    client.change(URI, 5, "model")
    client.notify("textDocument/didClose", textDocument={"uri": URI})
    expect("unknown method", error_of(client, client.post("textDocument/implementation")), -32601)
    client.notify("window/whatever")
    client.open(URI, MODEL, 7)
    expect("opened", client.diagnostics(URI), [])
    client.change(URI, 6, "model {")  # older than what is there
    client.change(URI, 7, "model {")
    expect("late changes are ignored", client.at("textDocument/hover", URI, 0, 7)["contents"]["value"], "```nn\nmodel M\n```")


def check_frames(client):
    """What is no message is answered with an error without an id, and the next one is read."""
    frames = [
        (b"Content-Length: 3\r\n\r\n{]x", -32700),
        (b"Content-Length: 0\r\n\r\n", -32700),
        (b"Content-Length: -5\r\n\r\n", -32700),
        (b"Content-Length: many\r\n\r\n", -32700),
        (b"X-Other: 1\r\n\r\n", -32700),
        (b"Content-Length: 2\r\nContent-Type: x\r\n\r\n[]", -32600),
        (b"content-length: 4\n\nnull", -32600),
        (b"Content-Length: 2\r\n\r\n{}", -32600),
        (b"Content-Length: 30\r\n\r\n" + b"[" * 30, -32700),
        (b"Content-Length: 200000\r\n\r\n" + b"[" * 100_000 + b"]" * 100_000, -32600),
        (b"Content-Length: %d\r\n\r\n" % (65 << 20) + b" " * (65 << 20), -32700),
        (b"A" * 100_000 + b": 1\r\nContent-Length: 2\r\n\r\n{}", -32600),
        (b"Content-Length: 11\r\n\r\n{\"id\":\"\xff\xfe\"}", -32700),
    ]
    for frame, code in frames:
        client.send_bytes(frame)
        expect(frame[:40], error_of(client, None), code)
    client.send({"jsonrpc": "2.0", "id": 99, "result": None})  # an answer to nothing
    client.send({"id": {"a": 1}, "method": "shutdown"})  # no id: a notification
    expect("still there", client.ask("textDocument/documentSymbol", textDocument={"uri": URI})[0]["name"], "M")


def check_parameters(client):
    """Parameters of any shape: every request is answered."""
    values = [None, 1, -1, 1e300, 2**64, "x", [], {}, [[]], {"uri": URI}, {"uri": 5}, {"line": -1, "character": 2**40},
              {"line": 1, "character": 3}, span(0, 0, 9, 9), {"start": 5}, {"textDocument": {"uri": URI}}, True]
    numbers = random.Random(1)
    for _ in range(300):
        method = "textDocument/" + numbers.choice(METHODS)
        params = {key: numbers.choice(values) for key in ("textDocument", "position", "range", "contentChanges", "context")}
        if numbers.random() < 0.7:
            params["textDocument"] = {"uri": URI, "version": numbers.choice(values), "text": numbers.choice([MODEL, None])}
        if numbers.random() < 0.3:
            params["contentChanges"] = [{"range": numbers.choice(values), "text": numbers.choice(values)}]
        if "did" in method:
            client.send({"method": method, "params": numbers.choice([params, params, None, []])})
        else:
            client.answer(client.post(method, **params))


def check_edits(client):
    """Random edits of a model: an editor's text, known here too, gives the same answers at the end."""
    numbers = random.Random(2)
    uri = (FOLDER / "edits.nn").as_uri()
    text = MODEL
    client.open(uri, text)
    for version in range(2, 150):
        begin = numbers.randrange(len(text) + 1)
        end = min(len(text), begin + numbers.choice([0, 0, 1, 3, 40]))
        by = numbers.choice(["", " ", "\n", "(", "]", "{", '"', "|> ", ".", "é", "\U0001F600", "fc", "forward", "@", "0..", "##", "\r\n"])
        start, stop = position(text, begin), position(text, end)
        client.change(uri, version, ((*start, *stop), by))
        text = text[:begin] + by + text[end:]
        line, character = position(text, numbers.randrange(len(text) + 1))
        client.answer(client.post("textDocument/" + numbers.choice(METHODS[:8]), textDocument={"uri": uri},
                                  position={"line": line, "character": character}, range=span(0, 0, line, character)))
        if numbers.random() < 0.1:
            text = MODEL
            client.open(uri, text, version)
    other = (FOLDER / "same.nn").as_uri()
    client.open(other, text)
    same = [client.ask("textDocument/semanticTokens/full", textDocument={"uri": each}) for each in (uri, other)]
    expect("the same text", same[0], same[1])


def position(text, offset):
    """Line and UTF-16 character; CR, LF and CR LF end lines."""
    before = text[:offset].replace("\r\n", "\n") if not (text[:offset].endswith("\r") and text[offset:].startswith("\n")) \
        else text[:offset - 1].replace("\r\n", "\n")
    lines = before.replace("\r", "\n").split("\n")
    return len(lines) - 1, len(lines[-1].encode("utf-16-le")) // 2


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    client = Client(NNC, FOLDER)
    for check in (check_order, check_frames, check_parameters, check_edits):
        check(client)
    expect("exit status", client.stop(), 0)
    hung_up = Client(NNC, FOLDER)
    hung_up.start()
    hung_up.send_bytes(b"Content-Length: 50\r\n\r\n{")
    hung_up.server.stdin.close()
    expect("the end within a message", hung_up.server.wait(), 1)
    hung_up.timer.cancel()
    sys.exit(1 if mistakes else 0)


main()
