"""Times kernels over maps, lengths and thread counts; prints a table and writes JSON with the machine and the commit.

The numbers of a row come from one process of `bochner-run --bench`, which warms up, repeats and measures the FMA peak
itself. `share` is of that peak.
"""
import argparse
import json
import os
import platform
import subprocess
import sys
import time

import measure

# Name -> options of bochner-gen.
PROBLEMS = {
    "positive": ["--map", "gmm_prf", "--features", "256"],
    "positive_causal": ["--map", "gmm_prf", "--features", "256", "--causal"],
    "positive_257": ["--map", "gmm_prf", "--features", "257", "--smoothing", "1"],
    "trigonometric": ["--map", "rff", "--features", "256", "--smoothing", "none"],
    "trigonometric_257": ["--map", "rff", "--features", "257"],
    "trigonometric_causal": ["--map", "rff", "--features", "256", "--smoothing", "none", "--causal"],
    "fastfood_prf": ["--map", "fastfood_prf", "--features", "64"],
    "fastfood_rks": ["--map", "fastfood_rks", "--features", "129"],
    "generator_prf": ["--map", "generator_prf", "--features", "256", "--noise-dims", "64,256"],
    "elu": ["--map", "elu", "--features", "64"],
    "softmax": ["--attention", "softmax"],
}


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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default="build/release/bin", help="folder of the tools")
    parser.add_argument("--json", metavar="FILE", help="write the measurements here")
    parser.add_argument("--problems", default="positive,positive_causal,trigonometric,fastfood_prf,fastfood_rks")
    parser.add_argument("--lengths", default="1024,4096,16384")
    parser.add_argument("--threads", default=f"1,{os.cpu_count()}")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--heads", type=int, default=8)
    parser.add_argument("--head-dim", type=int, default=64)
    parser.add_argument("--dtype", default="f32")
    options = parser.parse_args()
    names = options.problems.split(",")
    for name in names:
        if name not in PROBLEMS:
            parser.error(f"unknown problem '{name}'; known are {', '.join(PROBLEMS)}")

    work = os.path.join(os.path.dirname(os.path.abspath(options.json or "build/bench.json")), "bench")
    tools = measure.Tools(options.bin, work)
    common = ["--head-dim", str(options.head_dim), "--heads", str(options.heads), "--dtype", options.dtype]
    table = measure.Table(
        ("problem", 20), ("tokens", 6), ("threads", 7), ("ms", 7), ("GFLOP/s", 7), ("peak", 6), ("share", 5)
    )
    rows, failures = [], []
    for name in names:
        try:
            graph = tools.graph(name, *PROBLEMS[name], *common)
            for threads in dict.fromkeys(int(t) for t in options.threads.split(",")):
                for length in (int(n) for n in options.lengths.split(",")):
                    shape = (options.batch, options.heads, length, options.head_dim)
                    r = tools.measure(graph, shape, "--bench", "--threads", str(threads))
                    rows.append({"problem": name, "shape": shape, **r})
                    table.row(
                        name, length, threads, measure.milliseconds(r["median_ms"]), f"{r['gflops']:.0f}",
                        f"{r['peak_gflops']:.0f}", f"{100 * r['peak_share']:.0f}%",
                    )  # fmt: skip
        except measure.ToolError as error:
            failures.append(f"{name}: {error}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as f:
            json.dump({"machine": machine(), "rows": rows}, f, indent=1)
        print(f"== write {options.json}")
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
