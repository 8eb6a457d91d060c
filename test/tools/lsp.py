"""What an editor asks of `nnc lsp`, and what it gets: lsp.py NNC FOLDER."""
import pathlib
import shutil
import sys

from lspclient import Client, span

NNC = sys.argv[1]
FOLDER = pathlib.Path(sys.argv[2]).resolve()
mistakes = 0

LENET = """\
## LeNet-5 for 28x28 digits.
model LeNet(classes: int = 10) {
  conv1 = Conv2d(1, 6, 5, padding=2)
  conv2 = Conv2d(6, 16, 5)
  fc1 = Linear(16 * 4 * 4, 120)
  fc2 = Linear(120, 84)
  fc3 = Linear(84, classes)

  fn forward(image: float[B, 1, 28, 28]) -> float[B, classes] requires B in 1..=1024 {
    x = image |> conv1 |> tanh |> avg_pool(2) |> conv2 |> tanh |> avg_pool(2)
    x = x |> rearrange("b c h w -> b (c h w)")
    return x |> fc1 |> tanh |> fc2 |> tanh |> fc3
  }
}
"""
FIXED = LENET.replace("16 * 4 * 4", "400")


def expect(what, found, wanted):
    global mistakes
    if found != wanted:
        mistakes += 1
        print(f"{what}\n  wanted: {wanted!r}\n  found:  {found!r}", flush=True)


def uri_of(name):
    return (FOLDER / name).as_uri()


def check_capabilities(client):
    capabilities = client.start()["capabilities"]
    expect("sync", capabilities["textDocumentSync"], {"openClose": True, "change": 2})
    for name in ("hover", "definition", "inlayHint", "documentFormatting", "documentSymbol"):
        expect(name, capabilities[name + "Provider"], True)


def check_diagnostics(client):
    uri = uri_of("lenet.nn")
    client.open(uri, LENET)
    expect("diagnostics", client.diagnostics(uri), [{
        "severity": 1, "source": "nnc", "code": "E0301", "range": span(11, 16, 11, 19),
        "message": "`fc1` takes 256 features, this value has 400\n"
                   "expected float[..., 256], found float[B, 400]\nhelp: make `d_in` 400",
        "relatedInformation": [
            {"location": {"uri": uri, "range": span(4, 15, 4, 25)}, "message": "`d_in` = 256 comes from here"},
            {"location": {"uri": uri, "range": span(10, 13, 10, 22)}, "message": "400 = (c h w) of float[B, 16, 5, 5]"},
        ],
    }])
    actions = client.ask("textDocument/codeAction", textDocument={"uri": uri}, range=span(11, 17, 11, 17), context={})
    expect("code action", actions, [{
        "title": "make `d_in` 400", "kind": "quickfix", "isPreferred": True,
        "edit": {"changes": {uri: [{"range": span(4, 15, 4, 25), "newText": "400"}]}},
    }])
    elsewhere = client.ask("textDocument/codeAction", textDocument={"uri": uri}, range=span(0, 0, 1, 0), context={})
    expect("no code action", elsewhere, [])
    client.change(uri, 2, ((4, 15, 4, 25), "400"))
    expect("no diagnostics", client.diagnostics(uri), [])


def check_hover(client):
    uri = uri_of("lenet.nn")

    def hover(line, character):
        result = client.at("textDocument/hover", uri, line, character)
        return result and result["contents"]["value"]

    expect("hover of a stage", hover(9, 19),
           "```nn\nconv1 = Conv2d(1, 6, 5, padding=2)\nconv1: Conv2d\n-> float[B, 6, 28, 28]\n```\n\n"
           "keys `conv1.weight`, `conv1.bias`  \n156 parameters, 624 bytes")
    expect("hover of a local", hover(10, 8), "```nn\nx: float[B, 16, 5, 5]\n```")
    expect("hover of a binding", hover(10, 4), "```nn\nx: float[B, 400]\n```")
    expect("hover of a parameter", hover(9, 9), "```nn\nimage: float[B, 1, 28, 28]\n```")
    expect("hover of a hyperparameter", hover(6, 20), "```nn\nclasses: int = 10\nclasses: 10\n```")
    expect("hover of a module", hover(2, 11).startswith("```nn\nmodule Conv2d(c_in: int, c_out: int, kernel: (int, int)"), True)
    expect("hover of a primitive", hover(9, 29), "```nn\ntanh(x)\n-> float[B, 6, 28, 28]\n```")
    expect("hover of the library's slots", "conv1.weight" in hover(9, 19), True)
    expect("hover of a bracket", hover(1, 31), None)


def check_definition(client):
    uri = uri_of("lenet.nn")
    expect("definition of a member", client.at("textDocument/definition", uri, 9, 20),
           {"uri": uri, "range": span(2, 2, 2, 7)})
    found = client.at("textDocument/definition", uri, 2, 12)
    library = pathlib.Path(found["uri"].removeprefix("file://"))
    line = library.read_text().splitlines()[found["range"]["start"]["line"]]
    expect("definition in the library", (library.name, line.startswith("module Conv2d(")), ("conv.nn", True))
    found = client.at("textDocument/definition", uri, 2, 28)
    line = library.read_text().splitlines()[found["range"]["start"]["line"]]
    expect("definition of a named argument", line.strip().startswith("padding: (int, int)"), True)
    client.open(found["uri"], library.read_text())
    expect("the library is not judged", client.diagnostics(found["uri"]), [])
    client.notify("textDocument/didClose", textDocument={"uri": found["uri"]})


def check_hints(client):
    uri = uri_of("lenet.nn")
    hints = client.ask("textDocument/inlayHint", textDocument={"uri": uri}, range=span(9, 0, 10, 60))
    expect("hints", hints, [
        {"position": {"line": 9, "character": 5}, "label": ": float[B, 16, 5, 5]", "kind": 1},
        {"position": {"line": 10, "character": 5}, "label": ": float[B, 400]", "kind": 1},
    ])
    loops = uri_of("loops.nn")
    client.open(loops, "model M {\n  a = [Linear(4, 8), Linear(8, 2)]\n  fn forward(x: float[B, 4]) -> float[B, 2] "
                       "requires B in 1..=4 {\n    for m in a { y = m(x)\n      x = y }\n    return x\n  }\n}\n")
    hints = client.ask("textDocument/inlayHint", textDocument={"uri": loops}, range=span(3, 0, 3, 60))
    expect("hints of a loop", hints, [{"position": {"line": 3, "character": 18}, "label": ": float[B, 8] ...",
                                       "kind": 1, "tooltip": "float[B, 8]\nfloat[B, 2]"}])


def check_completion(client):
    uri = uri_of("complete.nn")
    text = FIXED.replace("    return x |> fc1", "    y = conv1.\n    z = avg_pool(\n    return x |> fc1")
    client.open(uri, text)

    def labels(line, character):
        return [item["label"] for item in client.at("textDocument/completion", uri, line, character)]

    members = labels(11, 14)
    expect("members", [n for n in ("kernel", "weight", "b", "forward") if n not in members], [])
    expect("only members", "conv2" in members, False)
    scope = labels(11, 5)
    expect("scope", [n for n in ("image", "x", "classes", "conv1", "B", "relu", "tanh", "return", "Linear")
                     if n not in scope], [])
    expect("not yet bound", "y" in scope, False)
    expect("hyperparameters of a call", [n for n in ("c_in=", "padding=") if n not in labels(2, 26)], [])
    client.change(uri, 2, "@\nmodel M {}\n")
    expect("attributes", "precision" in labels(0, 1), True)


def check_symbols(client):
    symbols = client.ask("textDocument/documentSymbol", textDocument={"uri": uri_of("lenet.nn")})
    expect("symbols", [(s["name"], [c["name"] for c in s["children"]]) for s in symbols],
           [("LeNet", ["conv1", "conv2", "fc1", "fc2", "fc3", "forward"])])
    data = client.ask("textDocument/semanticTokens/full", textDocument={"uri": uri_of("lenet.nn")})["data"]
    expect("semantic tokens", data[:15], [0, 0, 28, 4, 0, 1, 0, 5, 0, 0, 0, 6, 5, 7, 0])


def check_formatting(client):
    uri = uri_of("format.nn")
    client.open(uri, "model M{\n fn forward(x:float[B,4])->float[B,4]=x}\n")
    edits = client.ask("textDocument/formatting", textDocument={"uri": uri}, options={"tabSize": 8, "insertSpaces": True})
    expect("formatting", edits, [{"range": span(0, 0, 2, 0),
                                  "newText": "model M {\n  fn forward(x: float[B, 4]) -> float[B, 4] = x\n}\n"}])
    client.change(uri, 2, edits[0]["newText"])
    expect("formatted", client.ask("textDocument/formatting", textDocument={"uri": uri}, options={}), [])
    client.change(uri, 3, "model {")
    expect("not formatted", client.ask("textDocument/formatting", textDocument={"uri": uri}, options={}), None)


def check_positions(client):
    """Characters beyond ASCII count as UTF-16 code units; CR LF ends a line."""
    uri = uri_of("wide.nn")
    client.open(uri, 'fn f(x: int) = x\r\ns = "\U0001F600é" + dmi  # \u4e2d\r\n')
    expect("wide, in a constant", [(d["code"], d["range"]) for d in client.diagnostics(uri)], [("E0201", span(1, 12, 1, 15))])
    client.open(uri, 'model M {\r\n  a = len("\U0001F600é") + dmi\r\n  fn forward(x: float[B]) -> float[B] requires B in 1..=2 = x\r\n}\r\n', 2)
    expect("wide", [d["range"] for d in client.diagnostics(uri) if d.get("code") == "E0201"], [span(1, 19, 1, 22)])
    client.change(uri, 3, ((1, 19, 1, 22), "1"), ((1, 11, 1, 13), "a"))
    client.change(uri, 4, ((1, 10, 1, 13), '"\U0001F600'), ((1, 0, 1, 0), "  a = 1 #"))
    expect("edited", [d.get("code") for d in client.diagnostics(uri)], [])
    expect("the version that was judged", client.judged[uri], 4)


def check_imports(client):
    (FOLDER / "blocks.nn").write_text("module Block(dim: int) {\n  fc = Linear(dim, dimm)\n  fn forward(x: float[..., dim]) = fc(x)\n}\n")
    uri, blocks = uri_of("uses.nn"), uri_of("blocks.nn")
    client.open(uri, 'import "./blocks.nn" (Block)\nmodel M {\n  block = Block(4)\n  fn forward(x: float[B, 4]) -> float[B, 4] requires B in 1..=2 = block(x)\n}\n')
    expect("the file itself", client.diagnostics(uri), [])
    expect("what it imports", [d["code"] for d in client.diagnostics(blocks)], ["E0201"])
    expect("no version of a text that is not open", client.judged[blocks], None)
    expect("definition in another file", client.at("textDocument/definition", uri, 2, 12),
           {"uri": blocks, "range": span(0, 7, 0, 12)})
    client.open(blocks, (FOLDER / "blocks.nn").read_text().replace("dimm", "dim"))
    expect("the editor's text counts", client.diagnostics(blocks), [])
    expect("for importers too", client.diagnostics(uri), [])
    client.notify("textDocument/didClose", textDocument={"uri": blocks})
    client.published.pop(blocks)
    expect("the file's text counts again", [d["code"] for d in client.diagnostics(blocks)], [])
    while not client.published[blocks]:
        client.receive()
    client.notify("textDocument/didClose", textDocument={"uri": uri})
    client.published.pop(blocks)
    expect("nothing is left behind", client.diagnostics(blocks), [])


def check_cancelling(client):
    uri = uri_of("lenet.nn")
    body = b""
    for message in (
        b'{"jsonrpc":"2.0","id":"a","method":"textDocument/hover","params":{"textDocument":{"uri":"%s"},"position":{"line":9,"character":19}}}' % uri.encode(),
        b'{"jsonrpc":"2.0","id":"b","method":"textDocument/documentSymbol","params":{"textDocument":{"uri":"%s"}}}' % uri.encode(),
        b'{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":"b"}}',
        b'{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":"never sent"}}',
    ):
        body += b"Content-Length: %d\r\n\r\n" % len(message) + message
    client.send_bytes(body)
    expect("not cancelled", "result" in client.answer("a"), True)
    answer = client.answer("b")
    expect("cancelled or done", answer.get("error", {}).get("code", -32800), -32800)


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    client = Client(NNC, FOLDER)
    for check in (check_capabilities, check_diagnostics, check_hover, check_definition, check_hints, check_completion,
                  check_symbols, check_formatting, check_positions, check_imports, check_cancelling):
        check(client)
    expect("exit status", client.stop(), 0)
    sys.exit(1 if mistakes else 0)


main()
