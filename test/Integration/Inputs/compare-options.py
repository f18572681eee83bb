"""Linear attention over its options: the route fused in each type against the route decompose in f64.

Usage: compare-options.py SEED. Every pair of values of two options occurs in a case; prints each case that fails, with
what repeats it, and the totals.
"""
import itertools
import random
import sys

import numpy as np

import attention_graph as graph

OPTIONS = {
    "domain": ["log", "linear"], "causality": ["none", "causal", "anticausal"],
    "keys": ["all", "lengths", "mask", "both", "sequences"], "group": [1, 2, 4], "initial": [False, True],
    "final": [False, True], "normalize": [True, False], "policy": ["none", "clamp", "count"],
    "form": ["auto", "chunked", "recurrent", "quadratic"], "dtype": ["f32", "f64", "bf16"], "features": [40, 101],
    "queries": [1, 5, 63, 64, 65, 130, 200], "more_keys": [0, -3, 7], "static": [False, True],
}  # fmt: skip


def is_valid(case):
    has_state = case["initial"] or case["final"]
    return not (
        (case["keys"] == "sequences" and (has_state or case["more_keys"]))
        or (case["policy"] != "none" and (case["domain"] == "log" or not case["normalize"]))
        or (case["keys"] == "sequences" and case["policy"] == "count")
        or (case["form"] == "recurrent" and case["causality"] == "none")
        or (case["form"] == "quadratic" and has_state)
        or (case["more_keys"] and case["causality"] == "anticausal")
        or (case["more_keys"] and case["causality"] == "causal" and not case["initial"])
        or case["queries"] + case["more_keys"] < 1
    )


def pairs(case):
    return set(itertools.combinations(sorted(case.items(), key=lambda item: item[0]), 2))


def draw(rng, wanted=()):
    for _ in range(300):
        case = {name: rng.choice(values) for name, values in OPTIONS.items()}
        case.update(wanted)
        if is_valid(case):
            return case
    return None


def cover(rng):
    """Cases in which every pair that can occur does."""
    names, left = sorted(OPTIONS), []
    for a, b in itertools.combinations(names, 2):
        left += [((a, x), (b, y)) for x in OPTIONS[a] for y in OPTIONS[b]]
    left, cases = set(left), []
    while left:
        wanted = min(left, key=str)
        first = draw(rng, dict(wanted))
        if not first:  # no case can have both
            left.discard(wanted)
            continue
        candidates = [first] + [case for case in (draw(rng, dict(wanted)) for _ in range(20)) if case]
        best = max(candidates, key=lambda case: len(pairs(case) & left))
        left -= pairs(best)
        cases.append(best)
    return cases


def run(case, seed):
    options = {name: case[name] for name in graph.DEFAULTS if name in case}
    options["lengths"] = case["keys"] in ("lengths", "both")
    options["mask"] = case["keys"] in ("mask", "both")
    options["sequences"] = case["keys"] == "sequences"
    if case["static"]:
        options["rows"], options["key_rows"] = case["queries"], case["queries"] + case["more_keys"]
    options["floor"] = 0.0 if case["policy"] == "none" else 50.0
    arrays = graph.inputs(
        options, np.random.default_rng(seed), 2, case["queries"], case["queries"] + case["more_keys"]
    )
    got = graph.call(graph.attention(options), arrays)
    expected = graph.call(graph.attention({**options, "dtype": "f64"}), arrays, route="decompose")
    limit = {"f64": 1e-10, "f32": 3e-5, "bf16": 2.5e-2}[case["dtype"]]
    errors = {name: graph.error(got[name], expected[name]) for name in ("out", "counts") if name in got}
    if case["final"]:
        a, b = graph.unscaled(got), graph.unscaled(expected)
        errors.update({name: graph.error(a[name], b[name]) for name in a})
    return {name: value for name, value in errors.items() if not value <= limit}


def main():
    seed = int(sys.argv[1])
    failed, cases = 0, cover(random.Random(seed))
    for number, case in enumerate(cases):
        wrong = run(case, seed + number)
        if wrong:
            failed += 1
            print(f"failed: case {number} of seed {seed}: {case}: {wrong}")
    print(f"{len(cases) - failed} of {len(cases)} cases agree")
    return failed != 0


sys.exit(main())
