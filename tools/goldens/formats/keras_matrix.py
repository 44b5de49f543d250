"""Random Keras models with random options, to compare the import with Keras once, outside of the tests.

    python tools/goldens/formats/keras_matrix.py FOLDER COUNT [SEED] && node tools/goldens/formats/keras-matrix.mjs FOLDER
"""

import os

os.environ["KERAS_BACKEND"] = "torch"
os.environ["KERAS_TORCH_DEVICE"] = "cpu"

import base64
import json
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import torch
from keras import layers as L

torch.set_num_threads(1)
warnings.filterwarnings("ignore")
folder, count = Path(sys.argv[1]), int(sys.argv[2])
start = int(sys.argv[3]) if len(sys.argv) > 3 else 0
folder.mkdir(parents=True, exist_ok=True)

# Without sparsemax: that of Keras 3.15.1 on torch does not sum to 1.
ACTIVATIONS = (
    "celu elu exponential gelu hard_shrink hard_sigmoid hard_silu hard_tanh leaky_relu linear log_sigmoid log_softmax mish "
    "relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus sparse_sigmoid squareplus tanh "
    "tanh_shrink"
).split()
DTYPES = ["float32", "float32", "float64", "mixed_float16"]


def pick(rng, *values):
    return values[rng.integers(len(values))]


def flag(rng):
    return bool(rng.integers(2))


def recurrent(rng, sequences, cell=False):
    kind = pick(rng, "LSTM", "GRU", "SimpleRNN")
    options = dict(units=int(pick(rng, 1, 2, 3, 5, 8, 17)), activation=pick(rng, "tanh", "relu", "sigmoid", "linear", "softsign"))
    options["use_bias"] = flag(rng)
    if kind != "SimpleRNN":
        options["recurrent_activation"] = pick(rng, "sigmoid", "hard_sigmoid", "tanh")
    if kind == "GRU":
        options["reset_after"] = flag(rng)
    if kind == "LSTM":
        options["unit_forget_bias"] = flag(rng)
    if flag(rng):
        options["kernel_regularizer"] = pick(rng, "l1", "l2", keras.regularizers.L1L2(0.1, 0.2))
        options["recurrent_constraint"] = pick(rng, None, keras.constraints.MaxNorm(2), keras.constraints.UnitNorm())
        options["recurrent_initializer"] = pick(rng, "orthogonal", "identity", "he_normal", keras.initializers.VarianceScaling(0.5, "fan_avg"))
    if cell:
        return getattr(L, kind + "Cell")(**options)
    options["return_sequences"] = sequences
    options["go_backwards"] = flag(rng)
    options["zero_output_for_mask"] = flag(rng)
    options["dropout"] = pick(rng, 0.0, 0.2)
    options["recurrent_dropout"] = pick(rng, 0.0, 0.1)
    return getattr(L, kind)(**options)


def sequence_layer(rng, masked):
    kind = rng.integers(14)
    activation = pick(rng, *ACTIVATIONS)
    if kind < 3:
        layer = recurrent(rng, True)
        layer.go_backwards = layer.go_backwards and not masked
        return layer
    if kind == 3:
        inner = recurrent(rng, True)
        inner.go_backwards = False
        return L.Bidirectional(inner, merge_mode=pick(rng, "concat", "sum", "ave", "mul"))
    if kind == 4:
        return L.RNN([recurrent(rng, True, True) for _ in range(rng.integers(1, 4))], return_sequences=True)
    if kind == 5:
        return L.TimeDistributed(L.Dense(int(rng.integers(1, 6)), activation=activation))
    if kind == 6:
        return L.Conv1D(
            2 * int(rng.integers(1, 4)), int(rng.integers(1, 4)), padding=pick(rng, "valid", "same", "causal"),
            dilation_rate=int(rng.integers(1, 3)), use_bias=flag(rng), activation=activation,
        )
    if kind == 7:
        return pick(rng, L.MaxPooling1D, L.AveragePooling1D)(2, strides=int(rng.integers(1, 3)), padding=pick(rng, "valid", "same"))
    if kind == 8:
        return L.BatchNormalization(center=flag(rng), scale=flag(rng), epsilon=0.01)
    if kind == 9:
        return L.LayerNormalization(center=flag(rng), scale=flag(rng), axis=-1)
    if kind == 10:
        return pick(rng, L.Dropout(0.3), L.SpatialDropout1D(0.2), L.Activation(activation), L.ReLU(), L.Identity())
    if kind == 11:
        return L.Dense(int(rng.integers(1, 6)), activation=activation, use_bias=flag(rng))
    if kind == 12:
        return L.Masking(mask_value=0.0)
    return L.ActivityRegularization(l1=0.1)


def model_of(rng):
    T, I = int(rng.integers(10, 14)), int(rng.integers(1, 6))
    is_ids = rng.integers(4) == 0
    dtype = pick(rng, *DTYPES)
    keras.config.set_dtype_policy(dtype)
    x = keras.Input((T,) if is_ids else (T, I), name="x")
    masked = False
    y = x
    if is_ids:
        masked = flag(rng)
        y = L.Embedding(11, int(rng.integers(1, 6)), mask_zero=masked)(x)
    for _ in range(rng.integers(1, 5)):
        layer = sequence_layer(rng, masked)
        if isinstance(layer, (L.MaxPooling1D, L.AveragePooling1D, L.Conv1D)) and y.shape[1] < 6:
            continue
        before = y
        y = layer(y)
        masked = getattr(y, "_keras_mask", None) is not None
        if rng.integers(4) == 0 and y.shape == before.shape:
            y = pick(rng, L.Add, L.Multiply)()([y, before])
            masked = getattr(y, "_keras_mask", None) is not None
    end = rng.integers(6)
    if end == 0:
        y = pick(rng, L.GlobalMaxPooling1D, L.GlobalAveragePooling1D)()(y)
    elif end == 1:
        y = L.Flatten()(y)
    elif end == 2:
        y = pick(rng, L.Attention, L.AdditiveAttention)()([y, y])
    elif end < 5:
        y = recurrent(rng, False)(y)
    y = L.Dense(3, activation=pick(rng, "linear", "softmax", "tanh"))(y)
    return keras.Model(x, y), is_ids, dtype


def encoded(array):
    array = np.ascontiguousarray(np.asarray(array), dtype="<f4")
    return {"shape": list(array.shape), "data": base64.b64encode(array.tobytes()).decode()}


records = {}
for number in range(start, start + count):
    rng = np.random.Generator(np.random.PCG64(number))
    keras.utils.clear_session()
    try:
        model, is_ids, dtype = model_of(rng)
        for v in model.weights:
            value = rng.standard_normal(v.shape) * 0.4
            v.assign(np.abs(value) + 0.5 if "variance" in v.name else value)
        if dtype != "float32":
            keras.config.set_dtype_policy("float32")
            config = json.loads(model.to_json())
            text = json.dumps(config).replace(f'"{dtype}"', '"float32"')
            twin = keras.models.model_from_json(text)
            twin.set_weights([np.asarray(w, "float32") for w in model.get_weights()])
        else:
            twin = model
        shape = (3, *model.inputs[0].shape[1:])
        x = rng.integers(0, 11, shape) if is_ids else rng.standard_normal(shape)
        x = x.astype("float32")
        x[1, -3:] = 0
        y = twin.predict_on_batch(x)
    except Exception as problem:
        print(number, type(problem).__name__, str(problem)[:100])
        continue
    if not np.isfinite(y).all():
        continue
    for extension in ("keras", "h5"):
        model.save(folder / f"{number}.{extension}")
    records[number] = {"inputs": [encoded(x)], "outputs": [encoded(y)], "layers": [f"{l.__class__.__name__}" for l in model.layers], "dtype": dtype}
(folder / "cases.json").write_text(json.dumps(records))
print(len(records), "models")
