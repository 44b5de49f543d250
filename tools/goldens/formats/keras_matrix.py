"""Writes Keras models with which Unroll's import and export are compared. Not part of the test suite.

    python tools/goldens/formats/keras_matrix.py FOLDER pairs && node tools/goldens/formats/keras-matrix.mjs FOLDER
    python tools/goldens/formats/keras_check.py FOLDER     loads the files that the second command wrote

With `pairs`, every possible pair of the options in PAIRS occurs in the models. With a number instead of `pairs`, the
script writes this number of models with random layers; a further number is the seed of the first model.
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
from covering import covering_rows, summary
from keras import layers as L

torch.set_num_threads(1)
warnings.filterwarnings("ignore")
folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)

# Without sparsemax, whose outputs do not sum to 1 in Keras 3.15.1 on torch.
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


# The options of a recurrent layer, the layers before and after it, and how the model is built and stored.
PAIRS = {
    "cell": ["LSTM", "GRU", "GRU reset before", "SimpleRNN", "stacked cells"],
    "direction": ["forward", "backward", "concat", "sum", "ave", "mul"],
    "output": ["sequence", "last", "states"],
    "units": [1, 2, 5, 17],
    "features": [1, 3, 8],
    "activation": ["tanh", "relu", "sigmoid", "softsign", "linear"],
    "gates": ["sigmoid", "hard_sigmoid", "tanh"],
    "bias": [True, False],
    "mask": ["none", "Masking", "Embedding", "ids"],
    "zeros": [False, True],
    "stateful": [False, True],
    "dropout": [(0.0, 0.0), (0.2, 0.0), (0.0, 0.1)],
    "dtype": ["float32", "float64", "mixed_float16", "bfloat16"],
    "model": ["sequential", "functional", "nested", "shared"],
    "before": ["none", "Dense", "Conv1D causal", "Conv1D same", "BatchNormalization", "LayerNormalization", "TimeDistributed"],
    "after": ["none", "Dense", "LayerNormalization", "LSTM", "pooling", "Flatten", "Attention", "Add"],
}


# Number of pairs of levels that `possible` forbids.
IMPOSSIBLE = 20


def possible(row):
    """Returns whether Keras can build the model of a row, and whether its masks and states are well defined."""
    masked = row["mask"] in ("Masking", "Embedding")
    if row["after"] == "LSTM" and row["dtype"] == "bfloat16":
        return False  # PyTorch has no orthogonal matrices of this type
    if row["cell"] == "stacked cells" and row["dropout"] != (0.0, 0.0):
        return False  # rates of stacked cells belong to the cells, not to the layer
    if row["output"] == "states" and (row["model"] in ("sequential", "nested") or row["direction"] in ("concat", "sum", "ave", "mul")):
        return False  # these need a single output
    if row["output"] == "last" and row["after"] in ("LSTM", "pooling", "Flatten", "Attention"):
        return False  # these layers need a sequence
    if row["model"] == "sequential" and row["after"] in ("Attention", "Add"):
        return False  # these layers have two inputs
    # Keras ignores the mask in convolutions; masks of backward sequences are in the order of the input.
    if masked and (row["before"].startswith("Conv") or (row["direction"] == "backward" and row["output"] != "last")):
        return False
    if row["stateful"] and row["model"] == "shared":
        return False  # both calls would share the states
    return True


def paired_recurrent(row):
    cell = row["cell"].split()[0]
    options = {"units": row["units"], "activation": row["activation"], "use_bias": row["bias"]}
    options["recurrent_initializer"] = "glorot_uniform"  # PyTorch has no orthogonal matrices of type bfloat16
    if cell != "SimpleRNN":
        options["recurrent_activation"] = row["gates"]
    if cell == "GRU":
        options["reset_after"] = row["cell"] == "GRU"
    sequence = {
        "return_sequences": row["output"] != "last",
        "return_state": row["output"] == "states",
        "stateful": row["stateful"],
        "zero_output_for_mask": row["zeros"],
        "go_backwards": row["direction"] == "backward",
    }
    if cell == "stacked":
        layer = L.RNN([L.LSTMCell(**options), L.GRUCell(**options)], **sequence)
    else:
        rates = dict(zip(["dropout", "recurrent_dropout"], row["dropout"]))
        layer = getattr(L, cell)(**options, **sequence, **rates)
    both = row["direction"] not in ("forward", "backward")
    return L.Bidirectional(layer, merge_mode=row["direction"]) if both else layer


def paired_layers(row):
    """Returns the layers before the recurrent layer, and a function that applies the layers after it."""
    first = {"Masking": [L.Masking(0.0)], "Embedding": [L.Embedding(11, row["features"], mask_zero=True)]}
    first["ids"] = [L.Embedding(11, row["features"])]
    before = {
        "none": [],
        "Dense": [L.Dense(3, activation="gelu")],
        "Conv1D causal": [L.Conv1D(4, 3, padding="causal", activation="relu")],
        "Conv1D same": [L.Conv1D(4, 2, padding="same", dilation_rate=2, groups=1)],
        "BatchNormalization": [L.BatchNormalization()],
        "LayerNormalization": [L.LayerNormalization()],
        "TimeDistributed": [L.TimeDistributed(L.Dense(2, activation="silu"))],
    }[row["before"]]
    masked = row["mask"] in ("Masking", "Embedding")
    after = {
        "none": lambda y: y,
        "Dense": L.Dense(3, activation="softmax"),
        "LayerNormalization": L.LayerNormalization(),
        "LSTM": L.LSTM(2),
        "pooling": L.GlobalAveragePooling1D() if masked else L.GlobalMaxPooling1D(),
        "Flatten": L.Flatten(),
        "Attention": lambda y: L.Attention()([y, y]),
        "Add": lambda y: L.Add()([y, y]),
    }[row["after"]]
    return first.get(row["mask"], []) + before, after


def paired_model(row):
    """Returns the model of a row, whether its inputs are ids, and its data type."""
    keras.config.set_dtype_policy(row["dtype"])
    is_ids = row["mask"] in ("Embedding", "ids")
    before, after = paired_layers(row)
    recurrent_layer = paired_recurrent(row)
    shape = (3, 10) if is_ids else (3, 10, row["features"])
    if row["model"] == "sequential":
        tail = [] if row["after"] == "none" else [after]
        return keras.Sequential([keras.Input(batch_shape=shape), *before, recurrent_layer, *tail]), is_ids, row["dtype"]
    x = keras.Input(batch_shape=shape, name="x")
    y = x
    for layer in before[:1] if row["model"] == "nested" else before:
        y = layer(y)
    rest = before[1:] if row["model"] == "nested" else []
    if row["model"] == "nested":
        y = keras.Sequential([keras.Input(batch_shape=y.shape), *rest, recurrent_layer])(y)
        return keras.Model(x, after(y)), is_ids, row["dtype"]
    results = recurrent_layer(y)
    y, *states = keras.tree.flatten(results)
    if row["model"] == "shared":
        z = x
        for layer in before:
            z = layer(z)
        return keras.Model(x, [after(y), *states, *keras.tree.flatten(recurrent_layer(z))]), is_ids, row["dtype"]
    return keras.Model(x, [after(y), *states]), is_ids, row["dtype"]


def twin_of(model, dtype):
    """Returns a model with the same (rounded) weights that computes in float64."""
    keras.config.set_dtype_policy("float64")
    twin = keras.models.model_from_json(model.to_json().replace(f'"{dtype}"', '"float64"'))
    twin.set_weights([keras.ops.convert_to_numpy(keras.ops.cast(v.value, "float64")) for v in model.weights])
    return twin


def record(number, rng, model, is_ids, dtype):
    """Saves a model with random weights in both formats. Returns its case; None if the outputs are not finite."""
    for v in model.weights:
        if "seed" in v.path:
            continue
        # With larger weights, the states of wide linear cells grow until float32 has no correct digits.
        width = v.shape[-2] if len(v.shape) > 1 else 1
        value = rng.standard_normal(v.shape) * 0.4 * min(1, 2 / width**0.5)
        v.assign(np.abs(value) + 0.5 if "variance" in v.name else value)
    shape = (3, *model.inputs[0].shape[1:])
    x = rng.integers(0, 11, shape) if is_ids else rng.standard_normal(shape)
    x = x.astype("float32")
    x[1, -3:] = 0
    y = keras.tree.flatten(twin_of(model, dtype).predict_on_batch(x))
    if not all(np.isfinite(part).all() for part in y):
        return None
    for extension in ("keras", "h5"):
        model.save(folder / f"{number}.{extension}")
    layers = [layer.__class__.__name__ for layer in model.layers]
    return {"inputs": [encoded(x)], "outputs": [encoded(part) for part in y], "layers": layers, "dtype": dtype}


def main():
    pairs = sys.argv[2] == "pairs"
    start = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    rows = covering_rows(PAIRS, possible, impossible=IMPOSSIBLE) if pairs else range(start, start + int(sys.argv[2]))
    records, failed = {}, 0
    for number, row in enumerate(rows, 0 if pairs else start):
        rng = np.random.Generator(np.random.PCG64(number))
        keras.utils.clear_session()
        try:
            case = record(number, rng, *(paired_model(row) if pairs else model_of(rng)))
            if case:
                records[number] = {**case, **({"options": str(row)} if pairs else {})}
        except Exception as problem:
            failed += 1
            print(number, type(problem).__name__, str(problem)[:100], row if pairs else "")
    (folder / "cases.json").write_text(json.dumps(records))
    print(len(records), "models;", failed, "more could not be built by Keras")
    if pairs:
        print(summary(PAIRS, rows))


main()
