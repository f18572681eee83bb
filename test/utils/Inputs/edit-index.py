"""Writes an index with two cases: one whose file is another's, one of an unknown kind."""
import json
import sys

with open(sys.argv[1], encoding="utf-8") as f:
    index = json.load(f)
cases = {case["name"]: case for case in index["cases"]}
cases["relu_t"].update(attention="telepathic", file="softmax_t.npz")
index["cases"] = [cases[name] for name in ("elu_t", "relu_t")]
with open(sys.argv[2], "w", encoding="utf-8") as f:
    json.dump(index, f)
