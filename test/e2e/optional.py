"""Runs a model with and without its optional mask.

    optional.py PREFIX BIN      # PREFIX.bin is the model
"""
import pathlib
import subprocess
import sys

import numpy as np

prefix, bin = sys.argv[1], pathlib.Path(sys.argv[2])


def run(**inputs):
    command = [bin / "nnc-run", prefix + ".bin", "--output", f"y={prefix}.y.npy"]
    for name, value in inputs.items():
        np.save(f"{prefix}.{name}.npy", value)
        command += ["--input", f"{name}={prefix}.{name}.npy"]
    subprocess.run(command, check=True)
    return np.load(f"{prefix}.y.npy")


x = np.random.RandomState(0).standard_normal((2, 5, 8)).astype(np.float32)
plain, all_shown = run(x=x), run(x=x, mask=np.ones((2, 5), bool))
np.testing.assert_allclose(plain, all_shown, rtol=1e-5, atol=1e-6)
shorter = run(x=x, mask=np.arange(5) < np.array([[3], [5]]))
np.testing.assert_allclose(shorter[1], plain[1], rtol=1e-5, atol=1e-6)
assert np.abs(shorter[0] - plain[0]).max() > 1e-3, "the mask hides nothing"
np.testing.assert_allclose(shorter[0, :3], run(x=x[:1, :3])[0], rtol=1e-5, atol=1e-6)
run(x=x, mask=np.arange(5) < np.array([[3], [5]]))  # leaves inputs for what follows
