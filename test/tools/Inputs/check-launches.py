#!/usr/bin/env python3
"""check-launches.py FOLDER --device sim|cuda: launch.json and the files beside it describe every launch completely.

Reads them as an independent interpreter of PTX would: parameters against the text of the entry, pointers against
buffers. Prints the number of calls and launches.
"""
import json
import os
import re
import sys

folder, device = sys.argv[1], sys.argv[3]
with open(os.path.join(folder, "launch.json")) as file:
    launches = json.load(file)
assert launches["chip"] == "sm_80", launches["chip"]
kernels = {kernel["kernel"]: kernel for kernel in launches["kernels"]}
SIZES = {"pointer": 8, "i64": 8, "f64": 8, "i32": 4, "f32": 4, "i16": 2, "f16": 2, "bf16": 2, "i8": 1, "i1": 1}
for kernel in kernels.values():
    with open(os.path.join(folder, kernel["file"])) as file:
        text = file.read()
    assert re.search(r"^\.target sm_80", text, re.M), text[:200]
    entry = re.search(rf"\.entry {kernel['entry']}\((.*?)\)\s*[.{{]", text, re.S)
    assert entry and text.count(".entry") == 1, kernel["entry"]
    parameters = re.findall(r"\.param \.[a-z]*?(\d+)", entry.group(1))
    assert [int(bits) // 8 for bits in parameters] == [p["size"] for p in kernel["parameters"]], parameters
    assert all(SIZES[p["type"]] == p["size"] for p in kernel["parameters"])

count = 0
for number, call in enumerate(launches["calls"]):
    assert call["number"] == number
    for buffer in call["buffers"]:
        readable = device == "sim" and buffer["kind"] != "workspace"
        assert (buffer["file"] is not None) == readable, buffer
        if readable:
            assert os.path.getsize(os.path.join(folder, buffer["file"])) == buffer["bytes"], buffer
    for launch in call["launches"]:
        kernel = kernels[launch["kernel"]]
        assert all(size > 0 for size in launch["grid"] + launch["block"])
        assert kernel["block"] in (None, launch["block"])
        for value, static in zip(launch["parameters"], kernel["parameters"], strict=True):
            assert value["size"] == static["size"] and len(value["bytes"]) == 2 * value["size"]
            if static["type"] == "pointer" and value["value"]:
                assert value["offset"] < call["buffers"][value["buffer"]]["bytes"], value
        assert launch["workspace"] is None or device == "sim"
        if launch["workspace"]:
            sizes = {buffer["bytes"] for buffer in call["buffers"] if buffer["kind"] == "workspace"}
            assert os.path.getsize(os.path.join(folder, launch["workspace"])) in sizes
        count += 1
calls = len(launches["calls"])
print(f"{calls} call{'' if calls == 1 else 's'}, {count} launches")
