"""Results of one call, and of the same call in parts: equal bits under equal names.

usage: compare-prepared.py WHOLE.npz PART.npz ...
"""
import sys

import numpy as np

whole = np.load(sys.argv[1])
parts = {name: array for path in sys.argv[2:] for name, array in np.load(path).items()}
for name in whole.files:
    if name not in parts or whole[name].tobytes() != parts[name].tobytes():
        sys.exit(f"{name} differs")
