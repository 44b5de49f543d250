"""Converts models through Keras, PyTorch, ONNX, Unroll and Keras again, each step with the real framework, and compares
the first model with the last.

    python tools/verify/convert_chain.py [FOLDER]

For each model below: Keras saves the model. `unroll convert` writes a PyTorch state dict and its module. PyTorch loads both and exports
them to ONNX, with its `torch.export`-based exporter and with its TorchScript exporter. `unroll convert` converts these files to Keras,
and Keras loads them. The weights must then be bit-identical, and the outputs must agree within 1e-5 max(1, |y|); otherwise the exit
status is 1. Requirements: tools/goldens/formats/requirements-onnx.txt and requirements-keras.txt, and `npm run build`.

    python tools/verify/convert_chain.py --goldens

With --goldens, the script writes the files for the test suite, packages/testkit/goldens/formats/chain.
"""

import os

os.environ["KERAS_BACKEND"] = "torch"
os.environ["KERAS_TORCH_DEVICE"] = "cpu"

import base64
import importlib.util
import io
import json
import logging
import platform
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import keras
import numpy as np
import onnx
import torch
from keras import layers as L

ROOT = Path(__file__).resolve().parents[2]
CLI = ROOT / "packages" / "cli" / "bin" / "unroll.js"
OUT = ROOT / "packages" / "testkit" / "goldens" / "formats" / "chain"
warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
torch.set_num_threads(1)


def sequence(*layers, steps=None, features=3):
    return keras.Sequential([keras.Input((steps, features)), *layers])


def classifier():
    x = keras.Input((None,), dtype="int32")
    y = L.Dense(3, activation="softmax")(L.LSTM(5)(L.Embedding(11, 4)(x)))
    return keras.Model(x, y)


def branches():
    x = keras.Input((None, 3))
    y = L.GRU(4, return_sequences=True)(x)
    z = L.Add()([y, L.SimpleRNN(4, return_sequences=True)(y)])
    pooled = L.Concatenate()([L.GlobalAveragePooling1D()(z), L.GlobalMaxPooling1D()(y)])
    return keras.Model(x, L.Dense(2)(pooled))


def shared():
    x = keras.Input((6, 3))
    dense = L.Dense(3, activation="tanh")
    y = L.LSTM(3, return_sequences=True)(dense(x))
    return keras.Model(x, [L.Multiply()([dense(y), x]), L.Dense(1)(L.Flatten()(y))])


def bidirectional(cell, mode, sequences):
    return L.Bidirectional(cell(4, return_sequences=sequences), merge_mode=mode)


def models():
    """Returns the models by name."""
    seq = dict(return_sequences=True)
    return {
        "classifier": classifier(),
        "stacked": sequence(L.LSTM(5, **seq), L.Dropout(0.2), L.GRU(4), L.Dense(2, activation="gelu")),
        "directions": sequence(bidirectional(L.LSTM, "concat", True), bidirectional(L.GRU, "concat", False), L.Dense(2)),
        "merged": sequence(
            bidirectional(L.LSTM, "sum", True), bidirectional(L.SimpleRNN, "ave", True), bidirectional(L.GRU, "mul", False)
        ),
        "causal": sequence(
            L.Conv1D(4, 3, padding="causal", activation="relu"),
            L.Conv1D(4, 2, padding="same", dilation_rate=2),
            L.GRU(3, **seq),
            L.LayerNormalization(),
            L.TimeDistributed(L.Dense(2, activation="sigmoid")),
        ),
        "branches": branches(),
        "backwards": sequence(L.GRU(4, go_backwards=True, **seq), L.LSTM(3, go_backwards=True)),
        "repeated": sequence(L.LSTM(4), L.RepeatVector(3), L.LSTM(4, **seq), L.Dense(2)),
        "shared": shared(),
        "cells": sequence(L.RNN([L.LSTMCell(4), L.GRUCell(3)], **seq), L.Dense(1, use_bias=False)),
        "normalised": sequence(L.SimpleRNN(4, activation="relu", use_bias=False, **seq), L.BatchNormalization(), L.GRU(2)),
        "pooled": sequence(
            L.Conv1D(4, 3, strides=2, activation="elu"),
            L.MaxPooling1D(2),
            L.LSTM(3, **seq),
            L.AveragePooling1D(2),
            L.Flatten(),
            L.Dense(2, activation="softplus"),
            steps=17,
        ),
        "reshaped": sequence(
            L.Permute((2, 1)), L.LSTM(4, **seq), L.Reshape((4, 3)), L.GRU(2), L.Dense(4, activation="silu"), steps=6
        ),
        "last-sequence": sequence(bidirectional(L.GRU, "ave", False), L.Dense(3, activation="log_softmax")),
        "activations": sequence(
            *[L.Dense(3, activation=name) for name in "relu tanh elu selu softplus softsign silu gelu hard_sigmoid".split()],
            *[L.Dense(3, activation=name) for name in "relu6 leaky_relu mish hard_silu exponential softmax".split()],
            *[L.Activation(name) for name in "celu hard_tanh log_sigmoid tanh_shrink soft_shrink".split()],
        ),
    }


class LastScore(torch.nn.Module):
    """Applies layers to each step of an LSTM's output, and selects the last step afterwards."""

    def __init__(self):
        super().__init__()
        self.lstm = torch.nn.LSTM(3, 4, batch_first=True)
        self.norm = torch.nn.LayerNorm(4)
        self.head = torch.nn.Linear(4, 2)

    def forward(self, x):
        y, _ = self.lstm(x)
        return torch.log_softmax(self.head(self.norm(y)), -1)[:, -1]


class BothEnds(torch.nn.Module):
    """Reads the output of each direction at the step that this direction processes last."""

    def __init__(self):
        super().__init__()
        self.gru = torch.nn.GRU(3, 4, batch_first=True, bidirectional=True)
        self.head = torch.nn.Linear(8, 2)

    def forward(self, x):
        y, _ = self.gru(x)
        return self.head(torch.cat([y[:, -1, :4], y[:, 0, 4:]], 1))


class LastAndMean(torch.nn.Module):
    """Concatenates the last step of a time-major sequence and the mean over its steps."""

    def __init__(self):
        super().__init__()
        self.gru = torch.nn.GRU(3, 4, num_layers=2)
        self.head = torch.nn.Linear(8, 2)

    def forward(self, x):
        y, _ = self.gru(x)
        return self.head(torch.cat([y[-1], y.mean(0)], 1))


# PyTorch models that read the last step in common ways: the class, the axes of batch and steps, and the layers into which the
# ONNX file must be converted.
IDIOMS = {
    "last-score": (LastScore, [0, 1], "InputLayer LSTM LayerNormalization Dense"),
    "both-ends": (BothEnds, [0, 1], "InputLayer Bidirectional Dense"),
    "last-and-mean": (LastAndMean, [1, 0], "InputLayer GRU GRU GlobalAveragePooling1D Concatenate Dense"),
}

GOLDENS = ["classifier", "stacked", "directions", "merged", "causal", "branches", "backwards", "repeated", "normalised"]


def randomise(model, seed):
    """Sets random weights, so that no two arrays are equal."""
    rng = np.random.default_rng(seed)
    model.set_weights(
        [np.abs(w) + 0.5 if "variance" in v.path else w for v, w in zip(model.weights, (rng.normal(0, 0.4, v.shape) for v in model.weights))]
    )


def inputs_of(model, seed):
    rng = np.random.default_rng(seed)
    shape = [2 if d == 0 else extent or 7 for d, extent in enumerate(model.inputs[0].shape)]
    if "int" in str(model.inputs[0].dtype):
        return rng.integers(0, 11, shape).astype("int32")
    return rng.normal(size=shape).astype("float32")


def convert(source, target):
    result = subprocess.run(["node", CLI, "convert", source, target], capture_output=True, text=True)
    if result.returncode != 0:
        raise RuntimeError(result.stderr.strip())


def module_of(path):
    """Imports the Python file that Unroll wrote, and returns its model with the weights."""
    spec = importlib.util.spec_from_file_location("written", path.with_suffix(".py"))
    written = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(written)
    model = written.Model()
    model.load_state_dict(torch.load(path, weights_only=True))
    return model.eval()


def export(module, x, dynamo, dynamic):
    buffer = io.BytesIO()
    x = torch.from_numpy(x.astype("int64") if x.dtype == np.int32 else x)
    if dynamo:
        try:
            shapes = ({d: torch.export.Dim.DYNAMIC for d in dynamic} or None,)
            program = torch.onnx.export(module, (x,), dynamo=True, dynamic_shapes=shapes, verbose=False)
        except Exception:
            # PyTorch 2.13 cannot export nn.GRU and nn.RNN with dynamic sizes of the batch and of the steps.
            program = torch.onnx.export(module, (x,), dynamo=True, verbose=False)
        buffer.write(program.model_proto.SerializeToString())
    else:
        axes = {"x": {d: ["batch", "steps"][d] for d in dynamic}}
        torch.onnx.export(module, (x,), buffer, dynamo=False, input_names=["x"], dynamic_axes=axes)
    proto = onnx.load_from_string(buffer.getvalue())
    for node in proto.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for value in [*proto.graph.input, *proto.graph.output, *proto.graph.value_info, *proto.graph.initializer]:
        del value.metadata_props[:]
    del proto.graph.metadata_props[:], proto.graph.value_info[:], proto.metadata_props[:]
    return proto.SerializeToString()


def predict(model, x):
    outputs = model(x)
    return [y.detach().numpy() for y in (outputs if isinstance(outputs, (list, tuple)) else [outputs])]


def compare(first, second, x):
    """Returns the largest difference of the outputs. Raises an error if it is above 1e-5, or if arrays of weights differ."""
    remaining = list(second.get_weights())
    for variable, value in zip(first.weights, first.get_weights()):
        found = next((i for i, other in enumerate(remaining) if np.array_equal(value, other)), None)
        if found is None:
            raise RuntimeError(f"the last model has no array that equals {variable.path} {value.shape}")
        del remaining[found]
    if remaining:
        raise RuntimeError(f"the last model has {len(remaining)} arrays that the first model does not have")
    pairs = zip(predict(first, x), predict(second, x), strict=True)
    errors = [np.max(np.abs(a - b) / np.maximum(1, np.abs(a))) for a, b in pairs]
    if max(errors) > 1e-5:
        raise RuntimeError(f"the outputs differ by {max(errors):.1e}")
    return max(errors)


def chain(name, model, folder, seed):
    """Runs the chain with each exporter. Yields the exporter, the ONNX file, and the largest difference of the outputs; if the
    chain fails, the message of the exception instead of the difference."""
    randomise(model, seed)
    x = inputs_of(model, seed)
    keras_file, torch_file = folder / f"{name}.keras", folder / f"{name}.pt"
    model.save(keras_file)
    convert(keras_file, torch_file)
    module = module_of(torch_file)
    dynamic = [d for d, extent in enumerate(model.inputs[0].shape[:2]) if extent is None]
    # The torch.export-based exporter writes separate nodes for each step of nn.RNN, so the number of steps must be fixed.
    rnns = [part for part in module.modules() if type(part) is torch.nn.RNN]
    has_rnn = len(rnns) > 0
    # If both directions are written as separate nodes for each step, they are not converted to a Bidirectional layer.
    for exporter in ["script"] if any(rnn.bidirectional for rnn in rnns) else ["dynamo", "script"]:
        onnx_file, back = folder / f"{name}-{exporter}.onnx", folder / f"{name}-{exporter}.keras"
        try:
            onnx_file.write_bytes(export(module, x, exporter == "dynamo", [] if has_rnn and exporter == "dynamo" else dynamic))
            convert(onnx_file, back)
            result = compare(model, keras.saving.load_model(back), x)
        except Exception as error:
            result = f"{type(error).__name__} {str(error).strip().splitlines()[-1][:300]}"
        yield exporter, onnx_file, result


def write_idioms(folder):
    """Writes the files of PyTorch models, and yields their cases."""
    for seed, (name, (make, axes, layers)) in enumerate(IDIOMS.items()):
        torch.manual_seed(seed)
        module, x = make().eval(), torch.randn(*[2, 5] if axes[0] == 0 else [5, 2], 3)
        for exporter in ["dynamo", "script"]:
            (folder / f"{name}-{exporter}.onnx").write_bytes(export(module, x.numpy(), exporter == "dynamo", axes))
        with torch.no_grad():
            outputs = [pack(module(x).numpy())]
        batch_major = x.numpy() if axes[0] == 0 else x.numpy().transpose(1, 0, 2)
        files = [f"{name}-dynamo", f"{name}-script"]
        yield {"name": name, "files": files, "layers": layers, "input": pack(batch_major), "outputs": outputs}


def pack(array):
    return {"shape": list(array.shape), "data": base64.b64encode(np.ascontiguousarray(array, "<f4").tobytes()).decode()}


def versions():
    modules = {"keras": keras, "torch": torch, "onnx": onnx, "numpy": np}
    return {**{name: module.__version__ for name, module in modules.items()}, "python": platform.python_version()}


def main():
    writes_goldens = sys.argv[1:2] == ["--goldens"]
    folder = OUT if writes_goldens else Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    cases, count, failed, largest = [], 0, 0, 0.0
    for seed, (name, model) in enumerate(models().items()):
        if writes_goldens and name not in GOLDENS:
            continue
        for exporter, file, result in chain(name, model, folder, seed):
            print(f"{name:14} {exporter:7}", result if isinstance(result, str) else f"equal weights, largest error {result:.1e}", flush=True)
            count += 1
            failed += isinstance(result, str)
            largest = max(largest, 0.0 if isinstance(result, str) else float(result))
        x = inputs_of(model, seed)
        cases.append(
            {
                "name": name,
                "files": [file.stem for file in sorted(folder.glob(f"{name}-*.onnx"))],
                "input": pack(x),
                "outputs": [pack(y) for y in predict(model, x)],
                "weights": [pack(w) for w in model.get_weights()],
            }
        )
    print(f"{count} chains, {failed} failed, largest error {largest:.1e}")
    if writes_goldens:
        cases += write_idioms(OUT)
        for file in [*OUT.glob("*.pt"), *OUT.glob("*.py"), *OUT.glob("*.keras")]:
            file.unlink()
        head = json.dumps({"generator": "tools/verify/convert_chain.py --goldens", "versions": versions()})[:-1]
        (OUT / "cases.json").write_text(f'{head}, "cases": [\n' + ",\n".join(map(json.dumps, cases)) + "\n]}\n")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
