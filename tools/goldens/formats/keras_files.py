"""Model files of Keras 3 with inputs and outputs, for the import of Keras models.

    python tools/goldens/formats/keras_files.py [--out FOLDER] [case ...]

The script writes packages/testkit/goldens/formats/keras/files.zip (the files as Keras wrote them, compressed because HDF5 is
mostly empty) and cases.json: for each case the inputs and the outputs of predict_on_batch. If the model is compiled, the case
also has the results of five training steps on the same batch, from the weights and the optimizer state in the file: the loss
of each step, the gradients of the first step, and all weights after the last step. Arrays are base64 of little-endian float32.

Versions: requirements-keras.txt. Tolerances: outputs 1e-5 * max(1, |y|); gradients and weights after training 1e-4.
All weights, including biases, are drawn from a random generator whose seed is the name of the case.
"""

import os

os.environ["KERAS_BACKEND"] = "torch"
os.environ["KERAS_TORCH_DEVICE"] = "cpu"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import base64
import json
import sys
import tempfile
import warnings
import zipfile
import zlib
from pathlib import Path

import keras
import numpy as np
import torch
from keras import layers as L

torch.set_num_threads(1)
warnings.filterwarnings("ignore")

OUT = Path(__file__).resolve().parents[3] / "packages" / "testkit" / "goldens" / "formats" / "keras"
CASES = {}


def case(*, formats=("keras",), steps=0, vocabulary_size=0, padded=False):
    """Registers a function that returns a model.

    formats: the extensions of the files. vocabulary_size: if not 0, the inputs are ids below this number. padded: whether some
    time steps of the inputs are zeros. steps: the number of time steps (for the reader; the script does not use it)
    """

    def register(make):
        CASES[make.__name__] = dict(make=make, formats=formats, steps=steps, vocabulary_size=vocabulary_size, padded=padded)
        return make

    return register


# ---- models ---------------------------------------------------------------------------------------


@case(formats=("keras", "h5", "weights.h5"))
def sequential_lstm():
    m = keras.Sequential([keras.Input((6, 3)), L.LSTM(4, name="lstm"), L.Dense(2, name="out")])
    m.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    return m


@case(formats=("keras", "h5"))
def sequential_gru_options():
    m = keras.Sequential(
        [
            keras.Input((6, 3)),
            L.GRU(4, return_sequences=True, reset_after=False, recurrent_activation="hard_sigmoid", go_backwards=True),
            L.GRU(3, use_bias=False, activation="relu", return_sequences=True),
            L.SimpleRNN(3, activation="softsign", kernel_regularizer=keras.regularizers.L2(0.01)),
            L.Dense(3, activation="softmax", kernel_constraint=keras.constraints.MaxNorm(1.5), bias_regularizer="l1"),
        ]
    )
    m.compile(keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True), "categorical_crossentropy", metrics=["accuracy"])
    return m


@case(formats=("keras", "h5"), padded=True)
def functional_masked():
    x = keras.Input((7, 3), name="x")
    y = L.Masking(name="masking")(x)
    y = L.Bidirectional(L.LSTM(4, return_sequences=True, name="enc"))(y)
    y, h = L.GRU(5, return_state=True, return_sequences=True)(y)
    shared = L.Dense(5)
    z = L.Add()([shared(h), shared(h)])
    y2 = L.GRU(5)(y, initial_state=z)
    m = keras.Model(x, [L.Dense(2, activation="tanh", kernel_regularizer=keras.regularizers.L2(0.1))(y2)], name="demo")
    m.compile(keras.optimizers.AdamW(0.01, clipnorm=1.0), "mse", metrics=["mae"])
    return m


@case(formats=("keras", "h5"), vocabulary_size=11, steps=5)
def nested():
    inner = keras.Sequential([keras.Input((5, 4)), L.Conv1D(4, 3, padding="causal", activation="gelu"), L.LSTM(3)], name="inner")
    part_in = keras.Input((3,), name="part_in")
    part = keras.Model(part_in, [L.Dense(2)(part_in), L.Dense(3, name="d")(part_in)], name="part")
    ids = keras.Input((5,), dtype="int32", name="ids")
    e = L.Embedding(11, 4)(ids)
    a, b = part(inner(e))
    c, d = part(L.LayerNormalization()(b))
    m = keras.Model(ids, L.Concatenate()([a, b, c, d]))
    m.compile(keras.optimizers.RMSprop(0.01, momentum=0.5, centered=True), keras.losses.Huber())
    return m


@case(formats=("keras", "h5"))
def nested_last():
    """A functional model as the last layer, called twice, and a model inside TimeDistributed."""
    a = keras.Input((3,))
    head = keras.Model(a, L.Dense(2, activation="tanh")(L.Dense(3)(a)), name="head")
    x, y = keras.Input((4, 3), name="first"), keras.Input((3,), name="second")
    steps = L.TimeDistributed(keras.Sequential([keras.Input((3,)), L.Dense(3, activation="relu")], name="step"))(x)
    m = keras.Model([x, y], [head(L.LSTM(3)(steps)), head(y)])
    m.compile(keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.01, 2, 0.5)), ["mse", "mae"], loss_weights=[1.0, 0.5])
    return m


@keras.saving.register_keras_serializable("demo")
class Scale(L.Layer):
    """A custom layer: x * gain + shift * offset_factor."""

    def __init__(self, offset_factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.offset_factor = offset_factor

    def build(self, shape):
        self.gain = self.add_weight(name="gain", shape=(shape[-1],))
        self.shift = self.add_weight(name="shift", shape=(shape[-1],))

    def call(self, x):
        return x * self.gain + self.shift * self.offset_factor

    def get_config(self):
        return {**super().get_config(), "offset_factor": self.offset_factor}


@case(formats=("keras", "h5"))
def custom_layer():
    return keras.Sequential([keras.Input((4, 3)), L.SimpleRNN(3), Scale(0.5, name="scale"), L.Dense(2)])


@case(vocabulary_size=9, steps=6, formats=("keras", "h5"))
def embedding_mask():
    ids = keras.Input((6,), name="ids")
    e = L.Embedding(9, 4, mask_zero=True)(ids)
    y = L.TimeDistributed(L.Dense(4, activation="relu"))(L.SpatialDropout1D(0.0)(e))
    y = L.BatchNormalization()(y)
    r = L.LSTM(4, return_sequences=True, zero_output_for_mask=True)(y)
    att = L.Attention(use_scale=True, score_mode="concat")([r, y])
    pooled = L.GlobalAveragePooling1D()(L.Add()([r, att]))
    m = keras.Model(ids, L.Dense(3, activation="softmax")(pooled))
    m.compile(keras.optimizers.Nadam(0.01), "sparse_categorical_crossentropy")
    return m


@case()
def stacked_cells():
    m = keras.Sequential(
        [
            keras.Input((5, 3)),
            L.RNN([L.LSTMCell(4), L.GRUCell(3), L.SimpleRNNCell(2)], return_sequences=True),
            L.Bidirectional(L.RNN(L.StackedRNNCells([L.GRUCell(2, reset_after=False), L.LSTMCell(3)])), merge_mode="ave"),
            L.Dense(1),
        ]
    )
    m.compile(keras.optimizers.Adagrad(0.05), "mae")
    return m


@case()
def every_other_layer():
    """Layer types that the other cases lack, besides some that they have."""
    x = keras.Input((8, 4), name="x")
    c = L.Conv1D(6, 3, strides=2, padding="same", groups=2, activation="silu")(x)
    p = L.MaxPooling1D(2)(c)
    q = L.AveragePooling1D(2, strides=1, padding="same")(x)
    g = L.GlobalMaxPooling1D()(q)
    f = L.Flatten()(p)
    r = L.RepeatVector(3)(L.ReLU()(f))
    r = L.Permute((2, 1))(r)
    r = L.Reshape((4, 9))(r)
    r = L.Bidirectional(L.SimpleRNN(2, return_sequences=True), merge_mode="mul")(r)
    a = L.AdditiveAttention()([r, r])
    s = L.Softmax()(L.Activation("mish")(a))
    s = L.ELU()(L.LayerNormalization(axis=-1, epsilon=0.01, center=False)(s))
    s = L.ActivityRegularization(l2=0.01)(s)
    m = L.Multiply()([L.GlobalAveragePooling1D()(s), L.Dense(2)(g)])
    n = L.BatchNormalization(scale=False, momentum=0.8)(m) + L.Dense(2)(f)
    return keras.Model(x, [n, L.Concatenate(axis=1)([s, r])])


@case()
def mask_dropped():
    """In Keras, Conv1D and GlobalMaxPooling1D drop the mask; GlobalAveragePooling1D uses it."""
    x = keras.Input((6, 2), name="x")
    y = L.Masking(mask_value=0.0)(x)
    y = L.LSTM(3, return_sequences=True)(y)
    y = L.Conv1D(2, 2)(y)
    return keras.Model(x, [L.GlobalMaxPooling1D()(y), L.GlobalAveragePooling1D()(L.Masking()(x))])


def model_of_type(name, dtype):
    """Returns a model that computes in a data type. For 16-bit types it has no LSTM, which Keras cannot build on this backend."""
    layers = (
        [L.Dense(3, activation="tanh", dtype=dtype), L.Flatten(dtype=dtype)]
        if name in ("policy_float16", "policy_bfloat16")
        else [L.LSTM(3, dtype=dtype)]
    )
    m = keras.Sequential([keras.Input((4, 3)), *layers, L.Dense(2, dtype=dtype)], name=name)
    m.build((None, 4, 3))
    return m


@case(vocabulary_size=7, formats=("keras", "h5"))
def embedding_conv():
    return keras.Sequential([keras.Input((6,)), L.Embedding(7, 3, mask_zero=True), L.Conv1D(2, 2), L.LSTM(2)])


@case(vocabulary_size=7)
def embedding_pooling():
    ids = keras.Input((6,))
    e = L.Dropout(0.1)(L.Embedding(7, 3, mask_zero=True)(ids))
    return keras.Model(ids, L.Dense(2)(L.Concatenate()([L.GlobalMaxPooling1D()(e), L.GlobalAveragePooling1D()(e)])))


def policy(name):
    def make():
        return model_of_type(f"policy_{name}", name)

    make.__name__ = f"policy_{name}"
    case(formats=("keras",) if name == "bfloat16" else ("keras", "h5"))(make)


def float32_twin(model):
    """Returns a model with the same weights that computes in float32, like Unroll."""
    if not model.name.startswith("policy_"):
        return model
    twin = model_of_type(model.name, "float32")
    for own, other in zip(twin.weights, model.weights, strict=True):
        own.assign(other.value.to(torch.float32))
    return twin


for name in ("float16", "float64", "bfloat16", "mixed_float16"):
    policy(name)


# ---- writing --------------------------------------------------------------------------------------


def rng_of(name):
    return np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))


def encoded(array):
    array = np.ascontiguousarray(np.asarray(array), dtype="<f4")
    return {"shape": list(array.shape), "data": base64.b64encode(array.tobytes()).decode()}


def set_weights(model, rng):
    for v in model.weights:
        scale = 0.5 if "moving_variance" not in v.name else 0.1
        value = rng.standard_normal(v.shape).astype("float32") * scale
        v.assign(np.abs(value) + 0.5 if "moving_variance" in v.name else value)


def inputs_of(model, options, rng):
    arrays = []
    for tensor in model.inputs:
        shape = (4, *tensor.shape[1:])
        if options["vocabulary_size"]:
            ids = rng.integers(1, options["vocabulary_size"], shape)
            ids[1, 3:] = 0
            arrays.append(ids.astype("float32"))
            continue
        x = rng.standard_normal(shape).astype("float32")
        if options["padded"] or "mask" in model.name:
            x[1, 4:] = 0
            x[2, :1] = 0
        arrays.append(x)
    return arrays


def targets_of(model, outputs, rng):
    loss = str(model.loss)
    targets = []
    for y in outputs:
        if "sparse" in loss:
            targets.append(rng.integers(0, y.shape[-1], y.shape[:-1]).astype("float32"))
        elif "crossentropy" in loss:
            targets.append(np.eye(y.shape[-1], dtype="float32")[rng.integers(0, y.shape[-1], y.shape[:-1])])
        else:
            targets.append(rng.standard_normal(y.shape).astype("float32"))
    return targets


def one(items):
    return items[0] if len(items) == 1 else items


def gradients_of(model, x, y):
    model.zero_grad()
    before = [keras.ops.convert_to_numpy(v).copy() for v in model.non_trainable_variables]
    prediction = model(one([torch.tensor(a) for a in x]), training=True)
    loss = model.compute_loss(x=one(x), y=one([torch.tensor(a) for a in y]), y_pred=prediction, training=True)
    loss.backward()
    for v, value in zip(model.non_trainable_variables, before, strict=True):
        v.assign(value)
    return [v.value.grad.numpy().copy() if v.value.grad is not None else np.zeros(v.shape) for v in model.trainable_variables]


def write_case(name, folder, archive):
    options = CASES[name]
    keras.utils.clear_session()
    keras.utils.set_random_seed(1)
    rng = rng_of(name)
    model = options["make"]()
    set_weights(model, rng)
    x = inputs_of(model, options, rng)
    outputs = float32_twin(model).predict_on_batch(one(x))
    outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    record = {"formats": list(options["formats"])}
    compiled = getattr(model, "optimizer", None) is not None
    if compiled:
        y = targets_of(model, outputs, rng)
        for _ in range(2):
            model.train_on_batch(one(x), one(y))
        outputs = model.predict_on_batch(one(x))
        outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    for extension in options["formats"]:
        path = folder / f"{name}.{extension}"
        (model.save_weights if extension == "weights.h5" else model.save)(path)
        archive.write(path, path.name)
    record["inputs"] = [encoded(a) for a in x]
    record["outputs"] = [encoded(a) for a in outputs]
    if compiled and not any(getattr(layer, "rate", 0) for layer in model.layers):
        record["targets"] = [encoded(a) for a in y]
        record["gradients"] = [encoded(g) for g in gradients_of(model, x, y)]
        model.zero_grad()
        record["losses"] = [float(np.atleast_1d(model.train_on_batch(one(x), one(y)))[0]) for _ in range(5)]
        record["weights"] = [encoded(keras.ops.convert_to_numpy(v)) for v in model.weights]
    return record


def main():
    arguments = sys.argv[1:]
    out = OUT
    if "--out" in arguments:
        at = arguments.index("--out")
        out = Path(arguments[at + 1])
        del arguments[at : at + 2]
    out.mkdir(parents=True, exist_ok=True)
    names = arguments or list(CASES)
    with tempfile.TemporaryDirectory() as temporary, zipfile.ZipFile(
        out / "files.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9
    ) as archive:
        records = {name: write_case(name, Path(temporary), archive) for name in names}
    versions = {"keras": keras.__version__, "torch": torch.__version__, "numpy": np.__version__}
    (out / "cases.json").write_text(json.dumps({"versions": versions, "cases": records}) + "\n")
    print(len(records), "cases", (out / "files.zip").stat().st_size, (out / "cases.json").stat().st_size, "bytes")


main()
