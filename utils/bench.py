"""Times kernels over maps, options, lengths and thread counts; prints a table and writes JSON with machine and commit.

The numbers of a row come from one process of `bochner-run --bench`, which warms up, repeats and measures the FMA peak
itself. `share` is of that peak; for a step of decoding it is the share of the time that memory needs for the state.
`ratio` compares with a baseline that the same run has measured: time for time, or rate for rate where the amounts of
work differ. A problem brings its baseline along. `speedup` is over the first of --threads. A gradient is a forward and
a backward pass in one call; `backward` compares what such a call takes longer than the forward pass alone.
"""
import argparse
import dataclasses
import json
import os
import platform
import random
import subprocess
import sys
import time

import measure

POSITIVE = ["--map", "gmm_prf", "--features", "256"]
TRIGONOMETRIC = ["--map", "rff", "--features", "256", "--smoothing", "none"]
SOFTMAX = ["--attention", "softmax"]
FAVOR = ["--map", "favor", "--features", "256"]
GMM_RKS = ["--map", "gmm_rks", "--features", "257"]
SEQUENCE = 256  # rows of a packed sequence


@dataclasses.dataclass(frozen=True)
class Problem:
    """Options of bochner-gen and bochner-run; what it is compared with, in which measure; the forward pass alone of a
    gradient; what the command line does not choose: sizes, element type, lengths (a number stands for itself, an item
    a: b has the baseline at b)."""

    gen: list
    baseline: str = ""
    measure: str = "time"
    forward: str = ""
    heads: int = 0
    kv_heads: int = 0
    head_dim: int = 0
    dtype: str = ""
    lengths: tuple = ()
    baseline_lengths: dict = dataclasses.field(default_factory=dict)
    run: tuple = ()


def forms():
    """Orders of the sums at short lengths, where they compete."""
    kinds, lengths, found = ("chunked", "auto", "quadratic"), (16, 32, 64, 128, 256, 512), {}
    maps = {"positive": POSITIVE, "positive_causal": [*POSITIVE, "--causal"]}
    maps["trigonometric_causal"] = [*TRIGONOMETRIC, "--causal"]
    for name, options in maps.items():
        for kind in kinds + (("recurrent",) if "--causal" in options else ()):
            against = "" if kind == "chunked" else f"{name}_form_chunked"
            found[f"{name}_form_{kind}"] = Problem([*options, "--form", kind], against, lengths=lengths)
    return found


GROUPS = {
    "maps": {
        "positive": Problem(POSITIVE),
        "positive_257": Problem(["--map", "gmm_prf", "--features", "257", "--smoothing", "1"], "positive"),
        "trigonometric": Problem(TRIGONOMETRIC),
        "trigonometric_257": Problem(["--map", "rff", "--features", "257"], "trigonometric"),
        "favor": Problem(FAVOR, "positive"),
        "fastfood_prf": Problem(["--map", "fastfood_prf", "--features", "64"]),
        "fastfood_rks": Problem(["--map", "fastfood_rks", "--features", "129"]),
        "generator_prf": Problem(["--map", "generator_prf", "--features", "256", "--noise-dims", "64,256"], "positive"),
        "elu": Problem(["--map", "elu", "--features", "64"]),
        "softmax": Problem(SOFTMAX),
        "gaussian_kernel": Problem(["--attention", "gaussian_kernel"], "softmax"),
    },
    "causal": {
        "positive_causal": Problem([*POSITIVE, "--causal"], "positive"),
        "positive_anticausal": Problem([*POSITIVE, "--anticausal"], "positive_causal"),
        "trigonometric_causal": Problem([*TRIGONOMETRIC, "--causal"], "trigonometric"),
        "softmax_causal": Problem([*SOFTMAX, "--causal"], "softmax"),
    },
    "gradients": {
        "positive_grad": Problem([*POSITIVE, "--grad"], "positive", forward="positive"),
        "positive_causal_grad": Problem(
            [*POSITIVE, "--causal", "--grad"], "positive_grad", "backward", forward="positive_causal"
        ),
        "gmm_rks": Problem(GMM_RKS),
        "gmm_rks_grad": Problem([*GMM_RKS, "--grad"], "gmm_rks", forward="gmm_rks"),
        "gmm_rks_causal": Problem([*GMM_RKS, "--causal"], "gmm_rks"),
        "gmm_rks_causal_grad": Problem(
            [*GMM_RKS, "--causal", "--grad"], "gmm_rks_grad", "backward", forward="gmm_rks_causal"
        ),
    },
    "keys": {
        "positive_mask": Problem([*POSITIVE, "--mask"], "positive"),
        "positive_packed": Problem([*POSITIVE, "--packed"], "positive"),
        "positive_grouped": Problem(POSITIVE, "positive", kv_heads=2),
        "positive_causal_mask": Problem([*POSITIVE, "--causal", "--mask"], "positive_causal"),
        "positive_causal_packed": Problem([*POSITIVE, "--causal", "--packed"], "positive_causal"),
        "positive_causal_grouped": Problem([*POSITIVE, "--causal"], "positive_causal", kv_heads=2),
        "softmax_mask": Problem([*SOFTMAX, "--mask"], "softmax"),
        "softmax_causal_mask": Problem([*SOFTMAX, "--causal", "--mask"], "softmax_causal"),
        "softmax_packed": Problem([*SOFTMAX, "--packed"], "softmax"),
    },
    "types": {
        f"{name}_{dtype}": Problem(options, name, dtype=dtype)
        for name, options in (
            ("positive", POSITIVE),
            ("trigonometric", TRIGONOMETRIC),
            ("positive_causal", [*POSITIVE, "--causal"]),
            ("softmax", SOFTMAX),
        )
        for dtype in ("bf16", "f16", "f64")
    },
    "cpus": {
        "positive_avx2": Problem(POSITIVE, "positive", run=("--cpu", "x86-64-v3")),
        "trigonometric_avx2": Problem(TRIGONOMETRIC, "trigonometric", run=("--cpu", "x86-64-v3")),
        "positive_causal_avx2": Problem([*POSITIVE, "--causal"], "positive_causal", run=("--cpu", "x86-64-v3")),
        "softmax_avx2": Problem(SOFTMAX, "softmax", run=("--cpu", "x86-64-v3")),
        "positive_baseline": Problem(POSITIVE, "positive", run=("--cpu", "x86-64")),
    },
    "decode": {
        "decode_favor": Problem([*FAVOR, "--decode"], heads=64, lengths=(1,)),
        "decode_positive": Problem([*POSITIVE, "--decode"], "decode_favor", heads=64, lengths=(1,)),
        "decode_trigonometric": Problem([*TRIGONOMETRIC, "--decode"], "decode_favor", heads=64, lengths=(1,)),
        "decode_grouped": Problem([*FAVOR, "--decode"], "decode_favor", heads=64, kv_heads=8, lengths=(1,)),
        "decode_bf16": Problem([*FAVOR, "--decode"], "decode_favor", heads=64, dtype="bf16", lengths=(1,)),
        "decode_bf16_state": Problem(
            [*FAVOR, "--decode", "--state-dtype", "bf16"], "decode_favor", heads=64, dtype="bf16", lengths=(1,)
        ),
    },
    "sizes": {
        "positive_length": Problem(
            POSITIVE, "positive", "rate", lengths=(1000, 4097), baseline_lengths={1000: 1024, 4097: 4096}
        ),
        "positive_causal_length": Problem(
            [*POSITIVE, "--causal"], "positive_causal", "rate", lengths=(1000, 4097),
            baseline_lengths={1000: 1024, 4097: 4096},
        ),
        "softmax_length": Problem(
            SOFTMAX, "softmax", "rate", lengths=(1000, 4097), baseline_lengths={1000: 1024, 4097: 4096}
        ),
        **{f"positive_d{d}": Problem(POSITIVE, "positive", "rate", head_dim=d) for d in (80, 96, 128)},
        **{f"softmax_d{d}": Problem(SOFTMAX, "softmax", "rate", head_dim=d) for d in (80, 96, 128)},
        "positive_f512": Problem(["--map", "gmm_prf", "--features", "512"], "positive", "rate"),
        "positive_f513": Problem(
            ["--map", "gmm_prf", "--features", "513", "--smoothing", "1"], "positive_f512", "rate"
        ),
        "trigonometric_f512": Problem(
            ["--map", "rff", "--features", "512", "--smoothing", "none"], "trigonometric", "rate"
        ),
        "trigonometric_f513": Problem(["--map", "rff", "--features", "513"], "trigonometric_f512", "rate"),
        "positive_f128": Problem(["--map", "gmm_prf", "--features", "128"], "positive", "rate"),
        "positive_f100": Problem(["--map", "gmm_prf", "--features", "100"], "positive_f128", "rate"),
    },
    "forms": forms(),
    "parameters": {
        "positive_sample": Problem([*POSITIVE, "--sample"], "positive"),
        "positive_orthogonal": Problem([*POSITIVE, "--sample", "--orthogonal"], "positive"),
        "sum": Problem(
            ["--combine", "sum", "--weights", "0.7,0.3", "--map", "gmm_prf", "--features", "128",
             "--map", "favor", "--features", "128"], "positive", "rate",
        ),
        "product": Problem(
            ["--combine", "product", "--map", "favor", "--features", "16", "--map", "elu"], "positive", "rate"
        ),
    },
}  # fmt: skip
PROBLEMS = {name: problem for group in GROUPS.values() for name, problem in group.items()}
DEFAULT = "positive,positive_causal,trigonometric,fastfood_prf,fastfood_rks"


def machine():
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as f:
            model = next(line.split(":")[1].strip() for line in f if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    describe = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True)
    return {
        "cpu": model,
        "threads": os.cpu_count(),
        "system": platform.platform(),
        "commit": describe.stdout.strip(),
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def select(text, parser):
    """Names of problems for a list of problems and groups, each once."""
    names = []
    for word in text.split(","):
        if word == "all":
            names += PROBLEMS
        elif word in GROUPS:
            names += GROUPS[word]
        elif word in PROBLEMS:
            names.append(word)
        else:
            parser.error(f"unknown problem '{word}'; --list prints problems and groups")
    return list(dict.fromkeys(names))


def numbers(text, option, parser):
    try:
        found = [int(n) for n in text.split(",")]
    except ValueError:
        found = [0]
    if min(found) < 1:
        parser.error(f"expected {option} to be positive numbers joined by commas, but got '{text}'")
    return list(dict.fromkeys(found))


class Bench:
    def __init__(self, options, threads, lengths):
        self.options, self.threads, self.lengths = options, threads, lengths
        work = os.path.join(os.path.dirname(os.path.abspath(options.json or "build/bench.json")), "bench")
        self.tools = measure.Tools(options.bin, work)
        self.results, self.graphs, self.rows = {}, {}, []

    def sizes(self, problem):
        """Batch, heads, heads of keys, head dimension."""
        heads = problem.heads or self.options.heads
        return self.options.batch, heads, problem.kv_heads or heads, problem.head_dim or self.options.head_dim

    def plan(self, names):
        """(name, length, threads) of all that is measured, baselines first."""
        cases = {}

        def add(name, length, threads):
            problem = PROBLEMS[name]
            if problem.forward:
                add(problem.forward, length, threads)
            if problem.baseline:
                add(problem.baseline, problem.baseline_lengths.get(length, length), threads)
            cases[name, length, threads] = True

        for name in names:
            for threads in self.threads:
                for length in PROBLEMS[name].lengths or self.lengths:
                    add(name, length, threads)
        # All of a problem together, in the order of first use.
        order = {name: i for i, name in enumerate(dict.fromkeys(name for name, _, _ in cases))}
        return sorted(cases, key=lambda case: order[case[0]])

    def gen_words(self, problem):
        _, heads, kv_heads, head_dim = self.sizes(problem)
        words = [*problem.gen, "--head-dim", str(head_dim), "--heads", str(heads)]
        words += ["--kv-heads", str(kv_heads)] if kv_heads != heads else []
        return [*words, "--dtype", problem.dtype or self.options.dtype]

    def inputs(self, problem, length):
        """Arrays besides q, k and v."""
        words = []
        if "--mask" in problem.gen:
            kept = random.Random(length).sample(range(length), (length + 1) // 2)
            row = bytearray(length)
            for position in kept:
                row[position] = 1
            path = os.path.join(self.tools.work, f"mask-{length}.npy")
            measure.save_npy(path, "|b1", (self.options.batch, length), bytes(row) * self.options.batch)
            words.append(f"--in=mask={path}")
        if "--packed" in problem.gen:
            ends = [*range(0, length, min(SEQUENCE, length)), length]
            path = os.path.join(self.tools.work, f"sequences-{length}.npy")
            measure.save_npy(path, "<i8", (len(ends),), b"".join(n.to_bytes(8, "little") for n in ends))
            words.append(f"--in=sequences={path}")
        return words

    def graph(self, name):
        if name not in self.graphs:
            self.graphs[name] = self.tools.graph(name, *self.gen_words(PROBLEMS[name]))
        return self.graphs[name]

    def measure(self, name, length, threads):
        problem, graph = PROBLEMS[name], self.graph(name)
        batch, heads, kv_heads, head_dim = self.sizes(problem)
        words = [*self.inputs(problem, length), "--bench", "--threads", str(threads), *problem.run]
        r = self.tools.measure(graph, (batch, heads, length, head_dim), *words, kv_heads=kv_heads)
        self.results[name, length, threads] = r
        forward = self.results.get((problem.forward, length, threads))
        if forward:
            r["backward_ms"] = r["median_ms"] - forward["median_ms"]
        row = {"problem": name, "shape": (batch, heads, length, head_dim), "kv_heads": kv_heads, **r}
        against = ""
        if problem.baseline:
            other = self.results.get((problem.baseline, problem.baseline_lengths.get(length, length), threads))
            key = {"time": "median_ms", "rate": "gflops", "backward": "backward_ms"}[problem.measure]
            if other and key in r and key in other:
                row["ratio"] = r[key] / other[key]
                against = f"{row['ratio']:.2f} {problem.measure} {problem.baseline}"
                row["baseline"], row["ratio_of"] = problem.baseline, problem.measure
        first = self.results.get((name, length, self.threads[0]))
        if first and threads != self.threads[0]:
            row["speedup"] = first["median_ms"] / r["median_ms"]
        self.rows.append(row)
        return row, against


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default="build/release/bin", help="folder of the tools")
    parser.add_argument("--json", metavar="FILE", help="write the measurements here")
    parser.add_argument("--problems", default=DEFAULT, help=f"problems or groups, or all (default: {DEFAULT})")
    parser.add_argument("--list", action="store_true", help="print groups, problems and baselines, and end")
    parser.add_argument("--plan", action="store_true", help="write the graphs, print what would be measured, and end")
    parser.add_argument("--lengths", default="1024,4096,16384", help="where the problem does not say (%(default)s)")
    parser.add_argument("--threads", default=f"1,{os.cpu_count()}")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--heads", type=int, default=8)
    parser.add_argument("--head-dim", type=int, default=64)
    parser.add_argument("--dtype", default="f32")
    options = parser.parse_args()
    if options.list:
        for group, problems in GROUPS.items():
            print(f"{group}:")
            for name, problem in problems.items():
                print(f"  {name}" + (f" ({problem.measure} against {problem.baseline})" if problem.baseline else ""))
        return
    names = select(options.problems, parser)
    threads = numbers(options.threads, "--threads", parser)
    bench = Bench(options, threads, numbers(options.lengths, "--lengths", parser))
    cases = bench.plan(names)
    if options.plan:
        for name, length, count in cases:
            try:
                bench.graph(name)
            except measure.ToolError as error:
                sys.exit(f"{name}: {error}")
            words = " ".join([*bench.gen_words(PROBLEMS[name]), *PROBLEMS[name].run])
            print(f"{name}: {length} tokens, {count} thread{'s' if count > 1 else ''}: {words}")
        return

    measured = {name for name, _, _ in cases}
    table = measure.Table(
        ("problem", max(map(len, measured))), ("tokens", 6), ("threads", 7), ("ms", 7), ("GFLOP/s", 7), ("peak", 6),
        ("share", 5), ("speedup", 7), ("ratio", 14 + max(len(PROBLEMS[name].baseline) for name in measured)),
    )  # fmt: skip
    failed = {}
    for name, length, count in cases:
        if name in failed:
            continue
        try:
            row, against = bench.measure(name, length, count)
        except measure.ToolError as error:
            failed[name] = str(error)
            continue
        share = row.get("state_share") or row["peak_share"]
        table.row(
            name, length, count, measure.milliseconds(row["median_ms"]), f"{row['gflops']:.0f}",
            f"{row['peak_gflops']:.0f}", f"{100 * share:.0f}%",
            f"{row['speedup']:.2f}" if "speedup" in row else "", against,
        )  # fmt: skip
    if options.json:
        with open(options.json, "w", encoding="utf-8") as f:
            json.dump({"machine": machine(), "rows": bench.rows}, f, indent=1)
        print(f"== write {options.json}")
    for name, error in failed.items():
        print(f"error: {name}: {error}", file=sys.stderr)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
