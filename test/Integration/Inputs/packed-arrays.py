"""Writes rows of three packed sequences and a factor of eps for each head. Usage: packed-arrays.py OUT.npz"""
import sys

import numpy as np

rng = np.random.default_rng(1)
q, k, v = (rng.standard_normal((1, 2, 9, 8)) for _ in range(3))
np.savez(sys.argv[1], q=q, k=k, v=v, sequences=np.array([0, 2, 4, 9]), f=np.array([[1.0, 2.0]]))
