"""Golden vectors of convolution and pooling over time and over images, from Keras 3 on its torch backend.

    pip install -r tools/goldens/requirements.txt
    python tools/goldens/convolution.py

The script writes packages/testkit/goldens/layers/convolution.json, in the form of layers.json (layers.md): cases in
which all pairs of the options of Conv1D, MaxPooling1D and AveragePooling1D occur, and cases of global pooling (the average also
with masks). It also writes images-2d.json: cases in which all pairs of the options of Conv2D, MaxPooling2D and
AveragePooling2D occur. The random numbers of a case are seeded by its name. Tolerances as in README.md.
"""

import os

os.environ["KERAS_BACKEND"] = "torch"
os.environ["KERAS_TORCH_DEVICE"] = "cpu"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import base64
import itertools
import json
import platform
import zlib
from pathlib import Path

import keras
import numpy as np
import torch

torch.set_num_threads(1)
keras.config.disable_traceback_filtering()

OUT = Path(__file__).resolve().parents[2] / "packages" / "testkit" / "goldens" / "layers" / "convolution.json"


def rng_of(name):
    return np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))


def normal(rng, *shape, scale=1.0):
    return (rng.standard_normal(shape) * scale).astype(np.float32)


def pack(t):
    array = t.detach().cpu().numpy() if isinstance(t, torch.Tensor) else np.asarray(t)
    data = np.ascontiguousarray(array, dtype="<f4")
    return {"shape": list(array.shape), "data": base64.b64encode(data.tobytes()).decode()}


def gradient_case(name, kind, options, layer, shape, mask=None):
    """Runs a layer and returns its case. The loss is the sum of the outputs, weighted by outputWeights."""
    rng = rng_of(name)
    x = torch.tensor(normal(rng, *shape), requires_grad=True)
    layer.build(x.shape)
    weights = [normal(rng, *w.shape, scale=0.5) for w in layer.trainable_variables]
    layer.set_weights(weights)
    y = layer(x, mask=torch.tensor(mask, dtype=torch.bool)) if mask is not None else layer(x)
    output_weights = normal(rng, *y.shape)
    (y * torch.tensor(output_weights)).sum().backward()
    gradients = [v.value.grad for v in layer.trainable_variables]
    assert torch.isfinite(y).all() and all(g.any() for g in [x.grad, *gradients]), f"{name}: degenerate"
    return {
        "name": name,
        "kind": kind,
        "options": options if mask is None else options | {"mask": pack(mask)},
        "inputs": [pack(x)],
        "weights": [pack(w) for w in weights],
        "outputWeights": [pack(output_weights)],
        "outputs": [pack(y)],
        "gradients": {"inputs": [pack(x.grad)], "weights": [pack(g) for g in gradients]},
    }


def all_pairs(factors, allowed):
    """Returns rows in which every allowed pair of values of two factors occurs (pairwise testing, chosen greedily)."""
    rows = [dict(zip(factors, values)) for values in itertools.product(*factors.values())]
    rows = [row for row in rows if allowed(row)]
    pairs_of = lambda row: {frozenset(p) for p in itertools.combinations(row.items(), 2)}  # noqa: E731
    uncovered = set().union(*map(pairs_of, rows))
    while uncovered:
        best = max(rows, key=lambda row: len(pairs_of(row) & uncovered))  # the first one if several are equally good
        uncovered -= pairs_of(best)
        yield best


def name_of(kind, row):
    return f"{kind}/" + "-".join(f"{key}={value}" for key, value in row.items())


CONVOLUTION = {
    "kernelSize": [3, 1, 2, 4],
    "strides": [1, 2, 3],
    "padding": ["valid", "same", "causal"],
    "dilationRate": [1, 2],
    "groups": [1, 2],
    "useBias": [True, False],
    "activation": ["linear", "tanh"],
    "steps": [7, 10],
}


def convolution_cases():
    # Keras does not support dilation together with strides.
    for row in all_pairs(CONVOLUTION, lambda row: row["strides"] == 1 or row["dilationRate"] == 1):
        options = {k: v for k, v in row.items() if k != "steps"}
        layer = keras.layers.Conv1D(
            6, row["kernelSize"], strides=row["strides"], padding=row["padding"], dilation_rate=row["dilationRate"],
            groups=row["groups"], use_bias=row["useBias"], activation=row["activation"],
        )  # fmt: skip
        yield gradient_case(name_of("conv1d", row), "conv1d", options, layer, (2, row["steps"], 4))


POOLING = {"poolSize": [2, 3, 4], "strides": [1, 2, 3, None], "padding": ["valid", "same"], "steps": [7, 10]}


def symmetric(row):
    """Returns whether `same` padding is equal on both sides. If it is not, the averages of Keras's torch backend count the last step
    twice. Keras's JAX backend, TensorFlow and Unroll average over the steps of the sequence only."""
    size, steps = row["poolSize"], row["steps"]
    strides = row["strides"] or size
    return row["padding"] == "valid" or max((-(-steps // strides) - 1) * strides + size - steps, 0) % 2 == 0


def pooling_cases():
    for kind, cls, allowed in [
        ("maxPooling1d", keras.layers.MaxPooling1D, lambda row: True),
        ("averagePooling1d", keras.layers.AveragePooling1D, symmetric),
    ]:
        for row in all_pairs(POOLING, allowed):
            options = {k: v for k, v in row.items() if k != "steps" and v is not None}
            layer = cls(row["poolSize"], strides=row["strides"], padding=row["padding"])
            yield gradient_case(name_of(kind, row), kind, options, layer, (2, row["steps"], 3))


def global_cases():
    for keep in [False, True]:
        for kind, cls in [
            ("globalMaxPooling1d", keras.layers.GlobalMaxPooling1D),
            ("globalAveragePooling1d", keras.layers.GlobalAveragePooling1D),
        ]:
            layer = cls(keepdims=keep)
            yield gradient_case(f"{kind}/keepDims={keep}", kind, {"keepDims": keep}, layer, (3, 5, 4))
    mask = np.array([[1, 1, 1, 0, 0], [1, 0, 1, 1, 0], [0, 0, 0, 0, 1]], np.float32)
    for keep in [False, True]:
        layer = keras.layers.GlobalAveragePooling1D(keepdims=keep)
        yield gradient_case(f"globalAveragePooling1d/masked-keepDims={keep}", "globalAveragePooling1d", {"keepDims": keep},
                            layer, (3, 5, 4), mask)  # fmt: skip


CONVOLUTION_2D = {
    "kernelSize": [3, 1, [2, 3], [4, 1]],
    "strides": [1, 2, [1, 3]],
    "padding": ["valid", "same"],
    "dilationRate": [1, 2, [2, 1]],
    "useBias": [True, False],
    "activation": ["linear", "tanh"],
    "size": [[7, 6], [8, 9]],
}


def tuples(row):
    """Converts lists to tuples, which can be hashed."""
    return {key: [tuple(v) if isinstance(v, list) else v for v in values] for key, values in row.items()}


def plain(options):
    return {k: list(v) if isinstance(v, tuple) else v for k, v in options.items() if k != "size" and v is not None}


def convolution_2d_cases():
    for row in all_pairs(tuples(CONVOLUTION_2D), lambda row: row["strides"] == 1 or row["dilationRate"] == 1):
        layer = keras.layers.Conv2D(
            3, row["kernelSize"], strides=row["strides"], padding=row["padding"], dilation_rate=row["dilationRate"],
            use_bias=row["useBias"], activation=row["activation"],
        )  # fmt: skip
        yield gradient_case(name_of("conv2d", row), "conv2d", plain(row), layer, (2, *row["size"], 2))


POOLING_2D = {
    "poolSize": [2, 3, [1, 2], [3, 2]],
    "strides": [1, 2, [2, 1], None],
    "padding": ["valid", "same"],
    "size": [[7, 6], [4, 5]],
}


def symmetric_2d(row):
    pair = lambda v: v if isinstance(v, tuple) else (v, v)  # noqa: E731
    sizes, strides = pair(row["poolSize"]), pair(row["strides"] or row["poolSize"])
    rows = [{"poolSize": p, "strides": s, "padding": row["padding"], "steps": n}
            for p, s, n in zip(sizes, strides, row["size"])]  # fmt: skip
    return all(map(symmetric, rows))


def pooling_2d_cases():
    for kind, cls, allowed in [
        ("maxPooling2d", keras.layers.MaxPooling2D, lambda row: True),
        ("averagePooling2d", keras.layers.AveragePooling2D, symmetric_2d),
    ]:
        for row in all_pairs(tuples(POOLING_2D), allowed):
            layer = cls(row["poolSize"], strides=row["strides"], padding=row["padding"])
            yield gradient_case(name_of(kind, row), kind, plain(row), layer, (2, *row["size"], 2))


def write(path, makers):
    cases = [case for maker in makers for case in maker()]
    versions = {"keras": keras.__version__, "kerasBackend": "torch", "torch": torch.__version__, "numpy": np.__version__,
                "python": platform.python_version()}  # fmt: skip
    head = json.dumps({"generator": "tools/goldens/convolution.py", "versions": versions})[:-1]
    lines = ",\n".join(json.dumps(case) for case in cases)
    path.write_text(f'{head}, "cases": [\n{lines}\n]}}\n')
    print(f"{len(cases)} cases, {path.stat().st_size // 1024} KiB")


def main():
    write(OUT, (convolution_cases, pooling_cases, global_cases))
    write(OUT.with_name("images-2d.json"), (convolution_2d_cases, pooling_2d_cases))


if __name__ == "__main__":
    main()
