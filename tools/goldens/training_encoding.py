"""Shared by the scripts training_*.py: settings of Keras and PyTorch, random numbers, and the encoding of tensors.

Import this module first: it selects Keras's backend and makes PyTorch deterministic.
"""

import os

os.environ["KERAS_BACKEND"] = "torch"
os.environ["KERAS_TORCH_DEVICE"] = "cpu"  # always compute on the CPU
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import base64
import json
import platform
import re
import zlib
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np
import torch

torch.set_num_threads(1)  # the number of threads changes the order of summation, and thereby the last bits
torch.use_deterministic_algorithms(True)
keras.config.set_floatx("float32")

OUT = Path(__file__).resolve().parents[2] / "packages" / "testkit" / "goldens" / "training"

VERSIONS = {
    "python": platform.python_version(),
    "keras": keras.__version__,
    "kerasBackend": keras.config.backend(),
    "torch": torch.__version__.split("+")[0],
    "numpy": np.__version__,
    "scikit-learn": version("scikit-learn"),
}


def rng_of(name):
    """Returns a generator whose seed is a name, so that adding a case does not change the others."""
    return np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))


def normal(rng, *shape, scale=1.0):
    return (scale * rng.standard_normal(shape)).astype(np.float32)


def array(t):
    return t.detach().numpy() if isinstance(t, torch.Tensor) else np.asarray(t)


def pack(t):
    """Returns a tensor as {shape, data}, where data is base64 of little-endian float32, row-major."""
    data = np.asarray(array(t), dtype="<f4")
    return {"shape": list(data.shape), "data": base64.b64encode(data.tobytes()).decode()}


def pack_all(named):
    return {name: pack(t) for name, t in named.items()}


def float32(x):
    """Returns a float32 as the shortest decimal number from which Math.fround recovers it.

    NaN and infinities, which JSON does not have, become the strings "NaN", "Infinity", "-Infinity".
    """
    x = np.float32(array(x))
    if np.isnan(x):
        return "NaN"
    if np.isinf(x):
        return "Infinity" if x > 0 else "-Infinity"
    return float(np.format_float_scientific(x, unique=True))


def snake(option):
    """Converts fromLogits to from_logits and beta1 to beta_1. The three clip options have irregular names in Keras."""
    one_word = {"clipNorm": "clipnorm", "clipValue": "clipvalue", "globalClipNorm": "global_clipnorm"}
    return one_word.get(option) or re.sub(r"([A-Z]|\d+)", r"_\1", option).lower()


def snake_options(options):
    return {snake(name): value for name, value in options.items()}


def write(file, generator, cases, **more):
    """Writes one case per line, so that a diff shows which cases have changed."""
    dump = lambda value: json.dumps(value, separators=(",", ":"), allow_nan=False)
    names = [case["name"] for case in cases]
    assert len(set(names)) == len(names), "two cases share a name"
    head = {"generator": f"tools/goldens/{generator}", "versions": VERSIONS, **more}
    lines = [f"{dump(key)}:{dump(value)}" for key, value in head.items()]
    body = ",\n".join(dump(case) for case in cases)
    OUT.mkdir(parents=True, exist_ok=True)
    text = "{" + ",\n".join(lines) + f',\n"cases":[\n{body}\n]}}\n'
    json.loads(text)
    (OUT / file).write_text(text)
    print(f"{file}: {len(cases)} cases, {len(text) / 1024:.0f} KiB")
