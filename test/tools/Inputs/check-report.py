#!/usr/bin/env python3
"""check-report.py FILE: the object that --bench --json writes has every key, and its numbers agree."""
import json
import math
import sys

with open(sys.argv[1], encoding="utf-8") as f:
    r = json.load(f, parse_constant=lambda name: sys.exit(f"{name} is not JSON"))
assert r["entry"] == "shift" and r["route"] == "fused" and r["device"] == "cpu" and r["threads"] == 1, r
assert r["chip"] is None and r["cache"] == "miss" and r["compile_ms"] > 0, r
assert r["runs"] >= 7 and 0 < r["min_ms"] <= r["median_ms"], r
assert r["peak_gflops"] > 0.1, r
assert math.isclose(r["gflops"], r["gflop"] / r["median_ms"] * 1e3, abs_tol=1e-12), r
assert math.isclose(r["peak_share"], r["gflops"] / r["peak_gflops"], abs_tol=1e-12), r
assert all(isinstance(r[key], int) for key in ("scratch_bytes", "workspace_bytes", "state_bytes")), r
assert r["peak_rss_bytes"] > 1 << 20, r
assert r["start_to_result_ms"] > r["compile_ms"], r
assert "check" not in r, r
