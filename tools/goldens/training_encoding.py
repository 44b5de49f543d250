"""What the generators of the training goldens share: the framework's settings, seeds, the encoding.

Import this module first: it chooses the backend and pins the arithmetic.
"""

import os

os.environ["KERAS_BACKEND"] = "torch"
os.environ["KERAS_TORCH_DEVICE"] = "cpu"  # the reference is the CPU on every machine
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

torch.set_num_threads(1)  # the order of summation, and so the last bit, depends on it
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
    """A generator seeded by a name, so that adding a case changes no other one."""
    return np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))


def normal(rng, *shape, scale=1.0):
    return (scale * rng.standard_normal(shape)).astype(np.float32)


def array(t):
    return t.detach().numpy() if isinstance(t, torch.Tensor) else np.asarray(t)


def pack(t):
    """A tensor as {shape, data}: data is base64 of little-endian float32, row-major."""
    data = np.asarray(array(t), dtype="<f4")
    return {"shape": list(data.shape), "data": base64.b64encode(data.tobytes()).decode()}


def pack_all(named):
    return {name: pack(t) for name, t in named.items()}


def float32(x):
    """A float32 as the shortest decimal that reads back as it: Math.fround(value) is exact.

    JSON has no NaN and no infinity; they are the strings "NaN", "Infinity", "-Infinity".
    """
    x = np.float32(array(x))
    if np.isnan(x):
        return "NaN"
    if np.isinf(x):
        return "Infinity" if x > 0 else "-Infinity"
    return float(np.format_float_scientific(x, unique=True))


def snake(option):
    """fromLogits -> from_logits, beta1 -> beta_1; Keras writes its three clip options as one word."""
    one_word = {"clipNorm": "clipnorm", "clipValue": "clipvalue", "globalClipNorm": "global_clipnorm"}
    return one_word.get(option) or re.sub(r"([A-Z]|\d+)", r"_\1", option).lower()


def snake_options(options):
    return {snake(name): value for name, value in options.items()}


def write(file, generator, cases, **more):
    """One case a line, so that a difference shows which case moved."""
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
