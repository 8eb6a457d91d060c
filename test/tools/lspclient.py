"""A client of `nnc lsp`: messages over pipes, answers by id, what the server publishes."""
import json
import os
import subprocess
import threading


class Client:
    def __init__(self, nnc, folder):
        environment = dict(os.environ, XDG_CACHE_HOME=str(folder / "cache"))
        self.server = subprocess.Popen([nnc, "lsp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        self.next_id = 0
        self.published = {}  # the last diagnostics by URI
        self.versions = {}  # of the text last sent, by URI
        self.judged = {}  # the version that the last diagnostics are of, by URI
        self.answers = {}
        self.timer = threading.Timer(60, self.server.kill)
        self.timer.start()

    def send_bytes(self, data):
        self.server.stdin.write(data)
        self.server.stdin.flush()

    def send(self, message):
        body = json.dumps(message).encode() if not isinstance(message, bytes) else message
        self.send_bytes(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def notify(self, method, **params):
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def post(self, method, **params):
        """Sends a request and gives its id."""
        self.next_id += 1
        self.send({"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params})
        return self.next_id

    def receive(self):
        """The next message of the server; published diagnostics and answers are kept too."""
        length = None
        while line := self.server.stdout.readline().strip():
            name, value = line.split(b":")
            assert name == b"Content-Length", line
            length = int(value)
        assert length is not None, "the server ended"
        message = json.loads(self.server.stdout.read(length))
        if message.get("method") == "textDocument/publishDiagnostics":
            params = message["params"]
            sent = self.versions.get(params["uri"], 0)
            if params.get("version", sent) == sent:  # else of a text that was changed since
                self.published[params["uri"]] = params["diagnostics"]
                self.judged[params["uri"]] = params.get("version")
        elif "id" in message:
            self.answers[message["id"]] = message
        return message

    def answer(self, id):
        """The whole answer to a request."""
        while id not in self.answers:
            self.receive()
        return self.answers.pop(id)

    def ask(self, method, **params):
        """The result of a request."""
        answer = self.answer(self.post(method, **params))
        assert "result" in answer, answer
        return answer["result"]

    def start(self):
        result = self.ask("initialize", processId=None, rootUri=None, capabilities={})
        self.notify("initialized")
        return result

    def open(self, uri, text, version=1):
        self.published.pop(uri, None)
        self.versions[uri] = version
        self.notify("textDocument/didOpen", textDocument={"uri": uri, "languageId": "nn", "version": version, "text": text})

    def change(self, uri, version, *changes):
        """Each change is a text, or a range (line, character, line, character) and a text."""
        self.published.pop(uri, None)
        self.versions[uri] = max(version, self.versions.get(uri, version))  # a late change is not applied
        items = []
        for change in changes:
            if isinstance(change, str):
                items.append({"text": change})
            else:
                (a, b, c, d), text = change
                items.append({"range": span(a, b, c, d), "text": text})
        self.notify("textDocument/didChange", textDocument={"uri": uri, "version": version}, contentChanges=items)

    def diagnostics(self, uri):
        while uri not in self.published:
            self.receive()
        return self.published[uri]

    def at(self, method, uri, line, character):
        return self.ask(method, textDocument={"uri": uri}, position={"line": line, "character": character})

    def stop(self):
        """The exit status after an orderly end."""
        self.ask("shutdown")
        self.notify("exit")
        status = self.server.wait()
        self.timer.cancel()
        return status


def span(a, b, c, d):
    return {"start": {"line": a, "character": b}, "end": {"line": c, "character": d}}
