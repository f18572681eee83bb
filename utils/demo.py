"""Shows what the compiler does: the six maps of the paper, compiled, checked and timed; then scaling with length.

Each map is generated as a graph, compiled by the fused route, compared with the decompose route in f64 and timed on
8 heads of 4096 tokens, f32, D = M = 64. The IR of each phase of each map is left in DUMP_DIR/<map>. The tables are
Markdown. Exit status 1 if a tool failed or a result was wrong.
"""
import argparse
import os
import sys
import time

import measure

HEADS, TOKENS, HEAD_DIM = 8, 4096, 64
COMMON = ["--head-dim", str(HEAD_DIM), "--heads", str(HEADS), "--dtype", "f32"]

# Map of the paper -> its options. F is 256, with the constant feature 257, where it is free.
MAPS = {
    "gmm_prf": ["--features", "256"],
    "gmm_rks": ["--features", "257"],
    "fastfood_prf": ["--features", "64"],
    "fastfood_rks": ["--features", "129"],
    "generator_prf": ["--features", "256", "--noise-dims", "64,256"],
    "generator_rks": ["--features", "257", "--noise-dims", "64,256"],
}
SCALING = ["gmm_prf", "gmm_rks"]
LENGTHS = [1024 << i for i in range(7)]
SOFTMAX_LIMIT_MS = 4000  # softmax stops where the next length would take longer than this


def show_maps(tools, dump_dir):
    print(f"Six maps, {HEADS} heads of {TOKENS} tokens, D = M = {HEAD_DIM}, f32")
    table = measure.Table(
        ("map", 13), ("F", 4), ("ms", 6), ("GFLOP/s", 7), ("of FMA peak", 11), ("largest error", 13), ("scratch", 8),
        ("compile ms", 10),
    )  # fmt: skip
    graphs, failures = {}, []
    for name, options in MAPS.items():
        folder = os.path.join(dump_dir, name)
        os.makedirs(folder, exist_ok=True)
        try:
            graphs[name] = tools.graph(name, "--map", name, *options, *COMMON)
            shape = (1, HEADS, TOKENS, HEAD_DIM)
            r = tools.measure(graphs[name], shape, "--bench", "--check", "--dump-dir", folder)
        except measure.ToolError as error:
            failures.append(f"{name}: {error}")
            table.row(name, *["-"] * 7)
            continue
        check = r["check"]
        if not check["passed"]:
            failures.append(f"{name}: error {check['max_rel']:.1e} above the limit {check['limit']:.1e}")
        table.row(
            name,
            options[1],
            measure.milliseconds(r["median_ms"]),
            f"{r['gflops']:.0f}",
            f"{100 * r['peak_share']:.0f}%",
            f"{check['max_rel']:.1e}",
            measure.size(r["scratch_bytes"]),
            f"{r['compile_ms']:.0f}",
        )
    print(f"\nThe IR of each phase is in {dump_dir}/<map>; utils/ir-diff.py {dump_dir}/gmm_prf shows what changed.\n")
    return graphs, failures


def show_scaling(tools, graphs):
    print(f"Milliseconds by length, {HEADS} heads, beside softmax attention")
    failures = []
    try:
        graphs["softmax"] = tools.graph("softmax", "--attention", "softmax", *COMMON)
    except measure.ToolError as error:
        failures.append(f"softmax: {error}")
    names = [n for n in SCALING + ["softmax"] if n in graphs]
    table = measure.Table(("tokens", 7), *((n, 8) for n in names), ("peak memory", 11))
    stopped, last = set(), {}
    for length in LENGTHS:
        cells, memory = [], 0
        for name in names:
            # Softmax quadruples with each doubling of the length.
            if name in stopped or (name == "softmax" and last.get(name, 0) * 4 > SOFTMAX_LIMIT_MS):
                cells.append("-")
                continue
            try:
                r = tools.measure(graphs[name], (1, HEADS, length, HEAD_DIM), "--bench")
            except measure.ToolError as error:
                failures.append(f"{name}, {length} tokens: {error}")
                stopped.add(name)
                cells.append("-")
                continue
            last[name] = r["median_ms"]
            if name != "softmax":
                memory = max(memory, r["peak_rss_bytes"])
            cells.append(measure.milliseconds(r["median_ms"]))
        table.row(length, *cells, measure.size(memory) if memory else "-")
    print("\nPeak memory is that of the whole process: q, k, v, out and the compiler; no N x F tensor exists.\n")
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default="build/release/bin", help="folder of the tools")
    parser.add_argument("--dump-dir", default="build/demo", help="where graphs and the IR of each phase go")
    options = parser.parse_args()
    start = time.monotonic()
    tools = measure.Tools(options.bin, os.path.join(options.dump_dir, "graphs"))
    graphs, failures = show_maps(tools, options.dump_dir)
    if graphs:
        failures += show_scaling(tools, graphs)
    print(f"demo took {time.monotonic() - start:.0f} s")
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
