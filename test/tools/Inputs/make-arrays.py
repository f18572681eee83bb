#!/usr/bin/env python3
"""make-arrays.py FOLDER: writes the arrays that the tests of bochner-run read."""
import os
import sys

import numpy as np

os.chdir(sys.argv[1])
draw = np.random.default_rng(0)
q = draw.standard_normal((2, 3, 5, 4)).astype(np.float32)
w = draw.standard_normal((3, 4)).astype(np.float32)
np.save("w.npy", w)
np.save("zero.npy", np.zeros((3, 4)))
np.savez("in.npz", q=q, param_w=w, unrelated=np.array(["text"]), lengths=np.array([1, 2]))
np.savez_compressed("odd.npz", q=np.asfortranarray(q.astype(np.float64)), param_w=w.astype(">f4"))
np.savez("bnhd.npz", q=q.swapaxes(1, 2).copy(), param_w=w)
np.savez("empty.npz", q=q[:, :, :0], param_w=w)
# What is refused.
np.savez("rank.npz", q=q[0], param_w=w)
np.savez("width.npz", q=q[..., :3], param_w=w)
np.savez("heads.npz", q=q, param_w=w[:2])
np.savez("integers.npz", q=q.astype(np.int32), param_w=w)
np.savez("complex.npz", q=q.astype(np.complex64), param_w=w)
np.savez("no-q.npz", param_w=w)
with open("in.npz", "rb") as f:
    content = f.read()
with open("truncated.npz", "wb") as f:
    f.write(content[: len(content) // 2])
with open("damaged.npz", "wb") as f:
    at = content.index(q.tobytes()[:16])
    f.write(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
