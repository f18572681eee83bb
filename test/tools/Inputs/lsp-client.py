"""Opens a file with a mistake in a language server, repairs it, and asks about an operation.

Usage: lsp-client.py SERVER FILE WRONG RIGHT OPERATION: FILE holds RIGHT, which is replaced by WRONG at first.
"""
import json
import subprocess
import sys

server_path, path, wrong, right, operation = sys.argv[1:]
URI = "file:///graph.mlir"
server = subprocess.Popen([server_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def send(method, params=None, **more):
    body = json.dumps({"jsonrpc": "2.0", "method": method, "params": params or {}, **more}).encode()
    server.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
    server.stdin.flush()


def receive():
    length = 0
    while line := server.stdout.readline().strip():
        if line.startswith(b"Content-Length"):
            length = int(line.split(b":")[1])
    return json.loads(server.stdout.read(length))


with open(path) as file:
    source = file.read()
assert right in source
row, column = next((i, t.index(operation)) for i, t in enumerate(source.split("\n")) if operation in t)

send("initialize", {"processId": None, "rootUri": None, "capabilities": {}}, id=1)
assert "hoverProvider" in receive()["result"]["capabilities"]
document = {"uri": URI, "languageId": "mlir", "version": 1, "text": source.replace(right, wrong)}
send("textDocument/didOpen", {"textDocument": document})
print("wrong:", [d["message"] for d in receive()["params"]["diagnostics"]])
send("textDocument/didChange", {"textDocument": {"uri": URI, "version": 2}, "contentChanges": [{"text": source}]})
print("right:", receive()["params"]["diagnostics"])
send("textDocument/hover", {"textDocument": {"uri": URI}, "position": {"line": row, "character": column + 2}}, id=2)
print("hover:", receive()["result"]["contents"]["value"].split("\n")[0])
send("shutdown", id=3)
receive()
send("exit")
print("exit:", server.wait(10))
