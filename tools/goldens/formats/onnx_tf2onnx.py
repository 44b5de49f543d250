"""Golden files for the ONNX importer: models of tf.keras (Keras 2) that tf2onnx exports.

    pip install -r tools/goldens/formats/requirements-tf2onnx.txt
    python tools/goldens/formats/onnx_tf2onnx.py

The script writes packages/testkit/goldens/formats/onnx/tf2onnx-<case>.onnx, and tf2onnx.json with the inputs and the outputs
of TensorFlow. Tolerance: 1e-5 max(1, |y|). tf2onnx writes SimpleRNN, and GRU with reset_after=False, as Loop nodes, which
Unroll does not read.
"""

import base64
import json
import os
import platform
from pathlib import Path

os.environ.update({"TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""})
import numpy as np  # noqa: E402
import onnx  # noqa: E402
import tensorflow as tf  # noqa: E402
import tf2onnx  # noqa: E402

OUT = Path(__file__).resolve().parents[3] / "packages" / "testkit" / "goldens" / "formats" / "onnx"
layers = tf.keras.layers


def pack(array):
    array = np.asarray(array)
    data = np.ascontiguousarray(array.astype("<f4"))
    return {"shape": list(array.shape), "data": base64.b64encode(data.tobytes()).decode()}


def models():
    """Yields names, models and inputs."""
    x = layers.Input((None, 3))
    sequences = layers.LSTM(5, return_sequences=True)(x)
    yield "lstm", tf.keras.Model(x, layers.Dense(2)(layers.LSTM(4)(sequences))), np.random.randn(2, 6, 3)
    x = layers.Input((None, 3))
    both = layers.Bidirectional(layers.GRU(4, return_sequences=True))(x)
    yield "gru", tf.keras.Model(x, layers.Dense(2, activation="softmax")(both)), np.random.randn(2, 6, 3)
    x = layers.Input((None, 3))
    states = layers.LSTM(4, return_sequences=True, return_state=True)(x)
    yield "states", tf.keras.Model(x, states), np.random.randn(2, 6, 3)
    x = layers.Input((8,))
    y = layers.Embedding(9, 3)(x)
    y = layers.MaxPooling1D(2)(layers.Conv1D(4, 3, padding="same", activation="relu")(y))
    y = layers.TimeDistributed(layers.Dense(3, activation="tanh"))(layers.LSTM(4, return_sequences=True)(y))
    yield "convolution", tf.keras.Model(x, layers.GlobalAveragePooling1D()(y)), np.random.randint(0, 9, (2, 8))


def main():
    tf.keras.utils.set_random_seed(0)
    entries = []
    for name, model, x in models():
        x = x.astype("float32")
        signature = [tf.TensorSpec(tensor.shape, tf.float32, name="x") for tensor in model.inputs]
        proto, _ = tf2onnx.convert.from_keras(model, input_signature=signature, opset=15)
        outputs = model(x)
        outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
        file = f"tf2onnx-{name}"
        (OUT / f"{file}.onnx").write_bytes(proto.SerializeToString())
        entries.append({"name": name, "files": [file], "inputs": [pack(x)], "outputs": [pack(y) for y in outputs]})
    modules = {"tensorflow": tf, "tf2onnx": tf2onnx, "onnx": onnx, "numpy": np}
    versions = {**{name: module.__version__ for name, module in modules.items()}, "python": platform.python_version()}
    head = json.dumps({"generator": "tools/goldens/formats/onnx_tf2onnx.py", "versions": versions})[:-1]
    lines = ",\n".join(json.dumps(entry) for entry in entries)
    (OUT / "tf2onnx.json").write_text(f'{head}, "cases": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
