"""Runs golden cases through bochner-gen and bochner-run and compares the results with the stored ones.

Each case runs twice on each route: as it is, and with gradients. Route `decompose` lowers what both share alike, so
that its graphs with gradients stand for those without. Cases that share a graph share its kernels, by a cache of their
own. The longest cases start first, so that no core waits for them at the end.

Input: a folder with index.json and its .npz files (never written to). Output: one line per case, route and array,
    case route array error limit PASS|FAIL|SKIP reason
then `N passed, N failed, N skipped`. Exit status 1 if anything failed. A tool that crashes fails its own lines only.

Stored arrays are [N, L, H, D]; graphs are [B, H, N, D]. `bochner-run --layout bnhd` binds the arrays as strided views,
so the kernels see the very strides that such callers have.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile

import compare
import numpy as np
from compare import CaseError

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Route of the report -> (element type of the graph, options of bochner-run).
ROUTES = {
    "fused-f32": ("f32", ["--route", "fused"]),
    "fused-f64": ("f64", ["--route", "fused"]),
    "decompose-f64": ("f64", ["--route", "decompose"]),
    # Kernels for GPUs, simulated; what has none runs on the host.
    "sim-f32": ("f32", ["--device", "sim"]),
}
DEFAULT_ROUTES = ["fused-f32", "fused-f64", "decompose-f64"]

# attention of the index -> (--attention, causal).
ATTENTIONS = {
    "linear": ("linear", False),
    "causal_linear": ("linear", True),
    "softmax": ("softmax", False),
    "causal_softmax": ("softmax", True),
    "gaussian_kernel": ("gaussian_kernel", False),
    "mixture_linear": ("mixture", False),
    "generalized_linear": ("generalized", False),
    "features_only": ("features", False),
    "encoder_layer": ("linear", False),
}

TIMEOUT_SECONDS = 300


# Case -> command line ------------------------------------------------------------------------------------------------


def map_features(case, feature_map):
    """F of one map, from the shapes of its arrays: they decide, whatever n_dims says."""
    kind, attrs, prefix = feature_map["kind"], feature_map["attrs"], feature_map["prefix"]
    arrays, head_dim = case["arrays"], case["shapes"]["D"]
    constant = 0 if attrs.get("smoothing") is None else 1

    def columns(name, axis=-1):
        if prefix + name not in arrays:
            raise CaseError(f"the case has no array '{prefix}{name}'")
        return arrays[prefix + name]["shape"][axis]

    if kind == "elu":
        return head_dim
    if kind == "fastfood_prf":
        return head_dim
    if kind == "fastfood_rks":
        return 2 * head_dim + constant
    if kind == "generator_prf":
        return columns("rand_noise", 0)
    if kind == "generator_rks":
        return 2 * columns("rand_noise", 0) + constant
    per_frequency = {
        "gmm_prf": 1, "relu": 1, "favor": 2, "gaussian_prf": 2, "gmm_prf_hyperbolic": 2,
        "rff": 2, "gmm_rks": 4, "gauss_rks": 4, "alacarte": 4,
    }  # fmt: skip
    if kind not in per_frequency:
        raise CaseError(f"unknown feature map '{kind}'")
    return per_frequency[kind] * columns("rand_omega") + constant


def map_options(case, feature_map):
    """The options of one --map, in the order of the maps: each may be given once per map."""
    attrs, prefix, arrays = feature_map["attrs"], feature_map["prefix"], case["arrays"]
    options = ["--map", feature_map["kind"], "--features", str(map_features(case, feature_map))]
    if attrs.get("n_dims") is not None:
        options += ["--n-dims", str(attrs["n_dims"])]
    if "smoothing" in attrs:
        options += ["--smoothing", "none" if attrs["smoothing"] is None else repr(float(attrs["smoothing"]))]
    if attrs.get("stabilize"):
        options += ["--stabilize"]
    if feature_map["kind"].startswith("fastfood"):
        options += ["--learnable", "".join(c for c in "SGB" if f"{prefix}param_{c}" in arrays) or "none"]
    if attrs.get("noise_dims"):
        options += ["--noise-dims", ",".join(str(d) for d in attrs["noise_dims"])]
    if attrs.get("training") is False:
        options += ["--eval"]
    if feature_map["kind"] == "alacarte":
        options += ["--components", str(arrays[prefix + "param_mean"]["shape"][0])]
    if attrs.get("norm_factor") is not None:
        options += ["--norm-factor", repr(float(attrs["norm_factor"]))]
    if attrs.get("covariance") is not None:
        options += ["--covariance", attrs["covariance"]]
    return options


def merged_map_options(case):
    """Options of all maps. What a flag or a common value says for all of them is said once."""
    per_map = [map_options(case, m) for m in case["feature_maps"]]
    if len(per_map) <= 1:
        return per_map[0] if per_map else []
    merged = []
    for options in per_map:
        merged += options
    for flag in ("--stabilize", "--eval"):
        if flag in merged:
            merged = [o for o in merged if o != flag] + [flag]
    return merged


def generator_command(case, element_type):
    if case["attention"] not in ATTENTIONS:
        raise CaseError(f"unknown attention '{case['attention']}'")
    attention, causal = ATTENTIONS[case["attention"]]
    shapes, attrs = case["shapes"], case["attrs"]
    command = ["bochner-gen", "--attention", attention, *merged_map_options(case)]
    command += ["--head-dim", str(shapes["D"]), "--heads", str(shapes["H"]), "--dtype", element_type]
    if attention != "features":
        command += ["--value-dim", str(shapes["M"])]
        if "lengths" in case["arrays"]:
            command += ["--lengths"]
        if attention != "softmax" and attrs.get("eps") is not None:
            command += ["--eps", repr(float(attrs["eps"]))]
    temperatures = [attrs.get("softmax_temp")] + [m["attrs"].get("softmax_temp") for m in case["feature_maps"]]
    temperatures = sorted({t for t in temperatures if t is not None})
    if len(temperatures) > 1:
        raise CaseError(f"maps with different temperatures {temperatures}; bochner-gen takes one")
    if temperatures:
        command += ["--temp", repr(float(temperatures[0]))]
    if causal:
        command += ["--causal"]
    if case["attention"] == "encoder_layer":
        command += ["--model", "encoder-layer", "--feed-forward", str(shapes["d_ff"])]
    return command


# Running -------------------------------------------------------------------------------------------------------------


def call(bin_dir, command, folder, output=None):
    """Runs a tool in `folder`; any way to fail becomes a CaseError that names the tool and its first error message."""
    tool = os.path.join(bin_dir, command[0])
    try:
        run = subprocess.run(
            [tool, *command[1:]],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
        )
    except OSError as error:
        raise CaseError(f"{command[0]}: {error.strerror}")
    except subprocess.TimeoutExpired:
        raise CaseError(f"{command[0]}: no result after {TIMEOUT_SECONDS} s")
    if run.returncode:
        lines = run.stderr.decode(errors="replace").strip().splitlines()
        message = next((m for m in lines if "error" in m), lines[0] if lines else "no message")
        how = f"signal {-run.returncode}" if run.returncode < 0 else f"status {run.returncode}"
        raise CaseError(f"{command[0]}: {how}: {message}")
    if output:
        with open(os.path.join(folder, output), "wb") as f:
            f.write(run.stdout)


def produced_arrays(path):
    try:
        with np.load(path) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except Exception as error:  # whatever a broken file makes of numpy is the tool's failure, not ours
        raise CaseError(f"bochner-run: cannot read its output: {error}")


# Cases ----------------------------------------------------------------------------------------------------------------


class Runner:
    def __init__(self, golden_dir, bin_dir, routes, cache_dir):
        self.golden_dir, self.bin_dir, self.routes = os.path.abspath(golden_dir), os.path.abspath(bin_dir), routes
        self.cache_dir = cache_dir
        self.checksums = self.read_checksums()

    def read_checksums(self):
        path = os.path.join(self.golden_dir, "SHA256SUMS")
        if not os.path.exists(path):
            return {}
        with open(path, encoding="utf-8") as f:
            return {name: digest for digest, name in (line.split() for line in f if line.strip())}

    def verify_checksum(self, name):
        if name in self.checksums:
            with open(os.path.join(self.golden_dir, name), "rb") as f:
                if hashlib.sha256(f.read()).hexdigest() != self.checksums[name]:
                    raise CaseError(f"{name} differs from its checksum in SHA256SUMS")

    def run_graph(self, case, route, graphs, folder, grad):
        """The arrays that a graph returns, and the exception that says why there are none."""
        element_type, run_options = ROUTES[route]
        name = element_type + ("-grad" if grad else "")
        graph, result = f"{name}.mlir", f"{route}-{name}.npz"
        try:
            self.verify_checksum(case["file"])
            if name not in graphs:
                command = generator_command(case, element_type) + (["--grad"] if grad else [])
                call(self.bin_dir, command, folder, graph)
                graphs.add(name)
            # Not the user's cache: the kernels under test are those of this build.
            command = ["bochner-run", graph, *run_options, "--layout", "bnhd", "--cache-dir", self.cache_dir]
            command += ["--npz", os.path.join(self.golden_dir, case["file"]), "--out-npz", result]
            call(self.bin_dir, command, folder)
            return produced_arrays(os.path.join(folder, result))
        except KeyError as failure:
            raise CaseError(f"the index lacks {failure}")
        except OSError as failure:
            raise CaseError(str(failure))

    def run_route(self, case, route, graphs, folder):
        """Yields the fields of the report behind case and route."""
        gradients = sorted(n for n in case["arrays"] if n.startswith("grad_"))
        results, failures = {}, {}
        # Without gradients last, for decompose needs it only if the other failed.
        for grad in (True, False) if gradients else (False,):
            if route.startswith("decompose") and results:
                break
            try:
                results[grad] = self.run_graph(case, route, graphs, folder, grad)
            except CaseError as failure:
                failures[grad] = str(failure)
        if not results:
            yield "out", "-", "-", "FAIL", failures[False]
        else:
            with np.load(os.path.join(self.golden_dir, case["file"])) as stored:
                yield from compare.compare(case, stored, list(results.values()), ROUTES[route][0], True in results)
        if True in failures:
            yield from ((name, "-", "-", "FAIL", failures[True]) for name in gradients)
        if results and False in failures:
            yield "out", "-", "-", "FAIL", failures[False]

    def run_case(self, case):
        lines, graphs = [], set()
        with tempfile.TemporaryDirectory(prefix="bochner-golden-") as folder:
            for route in self.routes:
                try:
                    lines += [(case["name"], route, *fields) for fields in self.run_route(case, route, graphs, folder)]
                except Exception as error:  # a malformed case must not take the others down
                    lines.append((case["name"], route, "out", "-", "-", "FAIL", f"{type(error).__name__}: {error}"))
        return lines


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("golden_dir", help="folder with index.json")
    parser.add_argument("--bin", default=os.path.join(ROOT, "build", "release", "bin"), help="folder of the tools")
    parser.add_argument("--filter", default="", metavar="REGEX", help="only cases whose name matches")
    parser.add_argument("--routes", default=",".join(DEFAULT_ROUTES), help="comma-separated")
    parser.add_argument("--jobs", type=int, default=2, help="cases at a time (default: 2)")
    parser.add_argument("--quiet", action="store_true", help="print failures, skips and progress only")
    parser.add_argument("--log", metavar="FILE", help="write every line here as well")
    parser.add_argument("--commands", action="store_true", help="print the bochner-gen commands instead of running")
    options = parser.parse_args()
    options.routes = options.routes.split(",")
    for route in options.routes:
        if route not in ROUTES:
            parser.error(f"unknown route '{route}'; known are {', '.join(ROUTES)}")
    return parser, options


def main():
    parser, options = parse_options()
    try:
        with open(os.path.join(options.golden_dir, "index.json"), encoding="utf-8") as f:
            cases = json.load(f)["cases"]
        pattern = re.compile(options.filter)
    except (OSError, ValueError, KeyError, re.error) as error:
        parser.error(f"cannot read the cases: {error}")
    cases = [c for c in cases if pattern.search(c["name"])]
    if options.commands:
        for case in cases:
            print(" ".join(generator_command(case, ROUTES[options.routes[0]][0])))
        return 0

    count = {"PASS": 0, "FAIL": 0, "SKIP": 0}
    log = open(options.log, "w", encoding="utf-8") if options.log else None
    with (
        tempfile.TemporaryDirectory(prefix="bochner-golden-") as cache_dir,
        concurrent.futures.ThreadPoolExecutor(max(1, options.jobs)) as pool,
    ):
        runner = Runner(options.golden_dir, options.bin, options.routes, cache_dir)
        longest_first = sorted(cases, key=lambda case: -len(case.get("arrays", ())))
        for done, lines in enumerate(pool.map(runner.run_case, longest_first), 1):
            for fields in lines:
                text = " ".join(fields).rstrip()
                count[fields[5]] += 1
                if log:
                    print(text, file=log)
                if not options.quiet or fields[5] != "PASS":
                    print(text, flush=True)
            if options.quiet and (done % 20 == 0 or done == len(cases)):
                print(f"   {done} of {len(cases)} cases", flush=True)
    if log:
        log.close()
    print(f"{count['PASS']} passed, {count['FAIL']} failed, {count['SKIP']} skipped")
    return 1 if count["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
