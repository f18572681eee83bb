"""Times forward and backward pass of linear attention against PyTorch's autograd of the unfused formula, in one run.

Each --python is an interpreter with PyTorch, which torch-peer.py runs in: eager, in a plain and a tuned form, and where
PyTorch 2 can, the plain form compiled. The gradients of both sides are compared with autograd in f64 first. Then
Bochner and the peers take turns, --rounds times; a ratio is that of the medians of one round, and the median over the
rounds is printed, with the least and the largest.

The peers' memory comes from malloc, told to keep what is freed, so that no step pays for fresh pages: `faults` counts
how many it still does. OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE, which slow OpenBLAS down, are not handed on. `goal`
stands where one is set: for PyTorch 1.13, eager, one thread, 4096 tokens, the default sizes.

Exit status 1 if a tool or a peer fails or gradients differ; a missed goal is no failure, since machines differ.
"""
import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys

import bench
import measure

# Problem: map, causal, goal. The forms are those of torch-peer.py.
PROBLEMS = {
    "positive": ("gmm_prf", False, 2.0),
    "trigonometric": ("gmm_rks", False, 2.6),
    "positive_causal": ("gmm_prf", True, 3.2),
    "trigonometric_causal": ("gmm_rks", True, 3.2),
}
FORMS = ("plain", "tuned")
FEATURES, HEADS, HEAD_DIM = 256, 8, 64
LIMIT = 1e-4  # of the largest element of a gradient, f32 against f64
PYTHONS = ("/usr/bin/python3", "build/torch-venv/bin/python")
# glibc: everything on the heap, nothing of it given back.
ALLOCATOR = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40), "MALLOC_TOP_PAD_": str(64 << 20)}
MISSING = "install python3-torch and libopenblas0-pthread for Debian's, or torch into a virtual environment"


class PeerError(Exception):
    """A peer failed; the text says how."""


class Peer:
    """A process that answers requests."""

    def __init__(self, python, threads, work, compiled=False):
        self.python, self.compiled = python, compiled
        environment = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
        environment.update(ALLOCATOR, TORCHINDUCTOR_CACHE_DIR=os.path.join(work, "inductor"))
        environment.update(TORCHINDUCTOR_COMPILE_THREADS="1")
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            environment[name] = str(threads)
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "torch-peer.py")
        self.log = open(os.path.join(work, "peer.log"), "a", encoding="utf-8")
        try:
            self.process = subprocess.Popen(
                [python, script, "--threads", str(threads)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, env=environment, text=True,
            )  # fmt: skip
        except OSError as error:
            raise PeerError(f"{python}: {error.strerror}")
        about = self.ask(do="about")
        self.version, self.blas = about["torch"], about["blas"]

    @property
    def name(self):
        return f"PyTorch {self.version} {'compiled' if self.compiled else 'eager'}"

    def ask(self, **request):
        try:
            print(json.dumps(request), file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = self.process.stdout.readline()
        answer = json.loads(line) if line else {"error": f"ended; its last words are in {self.log.name}"}
        if "error" in answer:
            raise PeerError(f"{self.python}: {answer['error']}")
        return answer

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()
        self.log.close()


def interpreters(options, work):
    """(interpreter, compiled) of the peers that there are; says what is missing."""
    found = []
    for python in options.python or [p for p in PYTHONS if os.path.exists(p)]:
        try:
            peer = Peer(python, 1, work)
        except PeerError as error:
            print(f"warning: {error}; {MISSING}", file=sys.stderr)
            continue
        print(f"{python}: PyTorch {peer.version}, products by {peer.blas}")
        if peer.blas == "reference":
            print("warning: the reference BLAS is slow; install libopenblas0-pthread", file=sys.stderr)
        found.append((python, False))
        if options.compile and int(peer.version.split(".")[0]) >= 2:
            found.append((python, True))
        peer.close()
    return found


class Comparison:
    def __init__(self, options, work, pythons):
        self.options, self.work, self.pythons = options, work, pythons
        self.tools = measure.Tools(options.bin, work)
        self.rows, self.errors, self.failures = [], [], []
        self.table = measure.Table(
            ("problem", 20), ("tokens", 6), ("threads", 7), ("peer", 23), ("form", 5), ("Bochner, ms", 11),
            ("peer, ms", 8), ("ratio", 5), ("rounds", 11), ("goal", 4), ("faults", 6),
        )  # fmt: skip

    def ours(self, graph, inputs, threads, *words):
        result = os.path.join(self.work, "result.json")
        self.tools.call("bochner-run", graph, "--npz", inputs, "--threads", str(threads), "--json", result, *words)
        with open(result, encoding="utf-8") as f:
            return json.load(f)

    def check(self, peer, problem, form, file):
        found = peer.ask(do="check", file=file)
        worst = {side: max(errors.items(), key=lambda item: item[1]) for side, errors in found.items()}
        of_sides = (f"{side} {error:.1e} in {name}" for side, (name, error) in worst.items())
        self.errors.append(f"{problem} ({form}): largest error, relative to autograd in f64: {', '.join(of_sides)}")
        name, error = worst["ours"]
        if not error < LIMIT:
            self.failures.append(f"{problem}: {name} differs by {error:.1e} of the largest element")

    def run(self, problem, form, length, threads):
        """One problem and form of the peers; adds a row for each peer."""
        kind, causal, goal = PROBLEMS[problem]
        sizes = ["--features", str(FEATURES), "--head-dim", str(HEAD_DIM), "--heads", str(HEADS)]
        words = ["--map", kind, *sizes, "--smoothing", "none", *["--causal"] * causal, "--grad"]
        graph = self.tools.graph(problem, *words)
        inputs, outputs = (os.path.join(self.work, name) for name in ("inputs.npz", "outputs.npz"))
        peers = []
        try:
            for python, compiled in self.pythons:
                if compiled and form == "tuned":
                    continue  # the compiler fuses by itself, and unrolls the loop over chunks, which takes minutes
                peer = Peer(python, threads, self.work, compiled)
                peers.append(peer)
                if len(peers) == 1:
                    shape = (1, HEADS, length, HEAD_DIM)
                    peer.ask(do="draw", kind=kind, features=FEATURES, shape=shape, file=inputs)
                    self.ours(graph, inputs, threads, "--out-npz", outputs)
                try:
                    peer.ask(do="load", kind=kind, causal=causal, form=form, compiled=compiled, file=inputs)
                except PeerError as error:
                    self.failures.append(f"{problem}: {peer.name}: {error}")
                    peers.pop().close()
                    continue
                if len(peers) == 1:
                    self.check(peer, problem, form, outputs)
            self.rounds(problem, form, goal, graph, inputs, length, threads, peers)
        finally:
            for peer in peers:
                peer.close()

    def rounds(self, problem, form, goal, graph, inputs, length, threads, peers):
        medians, faults = {None: []}, dict.fromkeys(peers, 0)
        for number in range(self.options.rounds):
            turns = [None, *peers]
            for peer in turns if number % 2 == 0 else reversed(turns):
                if peer:
                    told = peer.ask(do="time", steps=self.options.steps)
                    medians.setdefault(peer, []).append(statistics.median(told["ms"]))
                    faults[peer] += told["faults"]
                else:
                    medians[peer].append(self.ours(graph, inputs, threads, "--bench")["median_ms"])
        for peer in peers:
            ratios = sorted(theirs / ours for theirs, ours in zip(medians[peer], medians[None]))
            aimed = peer.version.startswith("1.13") and not peer.compiled and (length, threads) == (4096, 1)
            row = {
                "problem": problem, "tokens": length, "threads": threads, "peer": peer.name, "form": form,
                "ours_ms": statistics.median(medians[None]), "peer_ms": statistics.median(medians[peer]),
                "ratio": statistics.median(ratios), "least": ratios[0], "most": ratios[-1],
                "goal": goal if aimed else None,
                "faults": faults[peer] / (self.options.rounds * self.options.steps),
            }  # fmt: skip
            self.rows.append(row)
            self.table.row(
                problem, length, threads, peer.name, form, measure.milliseconds(row["ours_ms"]),
                measure.milliseconds(row["peer_ms"]), f"{row['ratio']:.2f}", f"{row['least']:.2f}-{row['most']:.2f}",
                row["goal"] or "", f"{row['faults']:.0f}",
            )  # fmt: skip

    def finish(self):
        for line in self.errors:
            print(line)
        aimed = [row for row in self.rows if row["goal"]]
        missed = [f"{row['problem']} ({row['form']})" for row in aimed if row["ratio"] < row["goal"]]
        if aimed:
            print(f"below the goal: {', '.join(missed)}" if missed else "every goal is reached")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default="build/release/bin", help="folder of the tools")
    parser.add_argument("--python", action="append", help=f"an interpreter with PyTorch (default: {' '.join(PYTHONS)})")
    parser.add_argument("--json", default="build/bench-torch.json", help="write the measurements here (%(default)s)")
    parser.add_argument("--problems", default=",".join(PROBLEMS), help="of %(default)s")
    parser.add_argument("--forms", default=",".join(FORMS), help="of the peers' code, of %(default)s")
    parser.add_argument("--lengths", default="4096")
    parser.add_argument("--threads", default="1")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=5, help="of a peer, each round (%(default)s)")
    parser.add_argument("--no-compile", dest="compile", action="store_false", help="leave torch.compile out")
    options = parser.parse_args()
    problems = options.problems.split(",")
    for problem in problems:
        if problem not in PROBLEMS:
            parser.error(f"unknown problem '{problem}'; there are {', '.join(PROBLEMS)}")
    forms = options.forms.split(",")
    if not set(forms) <= set(FORMS):
        parser.error(f"expected --forms to be of {', '.join(FORMS)}, but got '{options.forms}'")
    lengths = bench.numbers(options.lengths, "--lengths", parser)
    work = os.path.join(os.path.dirname(os.path.abspath(options.json)), "bench-torch")
    os.makedirs(work, exist_ok=True)
    os.environ["BOCHNER_CACHE_DIR"] = os.path.join(work, "cache")
    pythons = interpreters(options, work)
    if not pythons:
        sys.exit(f"error: no interpreter has PyTorch; {MISSING}, and name interpreters with --python")
    comparison = Comparison(options, work, pythons)
    for threads in bench.numbers(options.threads, "--threads", parser):
        for length in lengths:
            for problem, form in itertools.product(problems, forms):
                try:
                    comparison.run(problem, form, length, threads)
                except (measure.ToolError, PeerError) as error:
                    comparison.failures.append(f"{problem}: {error}")
    comparison.finish()
    with open(options.json, "w", encoding="utf-8") as f:
        json.dump({"machine": bench.machine(), "rows": comparison.rows}, f, indent=1)
    print(f"== write {options.json}")
    for failure in comparison.failures:
        print(f"error: {failure}", file=sys.stderr)
    sys.exit(1 if comparison.failures else 0)


if __name__ == "__main__":
    main()
