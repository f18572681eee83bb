"""What demo.py and bench.py share: graphs from bochner-gen, measurements from bochner-run, tables."""
import json
import os
import subprocess


class ToolError(Exception):
    """A tool failed; the text is its first message."""


class Tools:
    def __init__(self, bin_dir, work_dir):
        self.bin, self.work = bin_dir, work_dir
        os.makedirs(work_dir, exist_ok=True)

    def call(self, name, *arguments, accept=(0,)):
        try:
            run = subprocess.run([os.path.join(self.bin, name), *arguments], capture_output=True, text=True)
        except OSError as error:
            raise ToolError(f"{name}: {error.strerror}")
        if run.returncode not in accept:
            lines = (run.stderr or run.stdout).strip().splitlines()
            message = next((line for line in lines if "error" in line), lines[0] if lines else "no message")
            raise ToolError(f"{name} ended with status {run.returncode}: {message}")
        return run

    def graph(self, name, *options):
        """Writes the graph that bochner-gen prints for the options; returns its path."""
        path = os.path.join(self.work, f"{name}.mlir")
        text = self.call("bochner-gen", *options).stdout
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def measure(self, graph, shape, *options, kv_heads=None):
        """One run of bochner-run on random q, k, v of one shape [B, H, N, D], but for the heads of keys and values if
        these are given; the object of --json. A failed check is a result (check.passed is false), any other failure
        an exception."""
        result = os.path.join(self.work, "result.json")
        if os.path.exists(result):
            os.remove(result)
        batch, heads, length, width = shape
        of_keys = kv_heads or heads
        inputs = [
            f"--in={name}=random:{batch}x{count}x{length}x{width}:{seed}"
            for seed, (name, count) in enumerate((("q", heads), ("k", of_keys), ("v", of_keys)))
        ]
        self.call("bochner-run", graph, *inputs, "--no-cache", "--json", result, *options, accept=(0, 2))
        with open(result, encoding="utf-8") as f:
            return json.load(f)


def save_npy(path, descr, shape, data):
    """Writes a .npy file of raw data: the interpreter need not have NumPy."""
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {tuple(shape)!r}, }}"
    header = header.ljust(-(len(header) + 11) % 64 + len(header)) + "\n"
    with open(path, "wb") as f:
        f.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + data)


def size(count):
    for unit in ("B", "KB", "MB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GB"


def milliseconds(value):
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


class Table:
    """Prints rows as they are measured, as Markdown: what it prints can be pasted into a page."""

    def __init__(self, *columns):
        self.columns = columns
        self.widths = [max(len(title), width) for title, width in columns]
        self.row(*(title for title, _ in columns))
        print("|" + "|".join("-" * (w + 1) + (":" if i else "-") for i, w in enumerate(self.widths)) + "|", flush=True)

    def row(self, *cells):
        padded = [str(c).ljust(w) if i == 0 else str(c).rjust(w) for i, (c, w) in enumerate(zip(cells, self.widths))]
        print("| " + " | ".join(padded) + " |", flush=True)
