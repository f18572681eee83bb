#!/usr/bin/env python3
"""compare-arrays.py FOLDER: compares what bochner-run wrote with what numpy computes."""
import os
import sys

import numpy as np

os.chdir(sys.argv[1])
given = np.load("in.npz")
q, w = given["q"], given["param_w"]
expected = q + w[:, None, :]


def check(path, want):
    with np.load(path) as arrays:
        assert arrays.files == ["out"], (path, arrays.files)
        got = arrays["out"]
    assert got.dtype == np.float32 and got.shape == want.shape, (path, got.dtype, got.shape)
    assert np.array_equal(got, want), (path, np.abs(got - want).max())


check("out.npz", expected)
check("odd-out.npz", expected)
check("zero-out.npz", q)
check("bnhd-out.npz", expected.swapaxes(1, 2))
check("empty-out.npz", expected[:, :, :0])
drawn = np.load("random.npz")["out"] - w[:, None, :]
assert drawn.shape == (2, 3, 5, 4) and 0.7 < drawn.std() < 1.3
