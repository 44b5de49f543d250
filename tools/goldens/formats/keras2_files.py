"""Model files of Keras 2 (tf-keras) with inputs and outputs, for the import of Keras models.

    python tools/goldens/formats/keras2_files.py

The script writes packages/testkit/goldens/formats/keras/files2.zip and cases2.json, in the format of keras_files.py. Versions:
requirements-keras2.txt (TensorFlow needs its own environment). The layers CuDNNLSTM and CuDNNGRU run only on GPUs. Their
outputs are therefore computed by LSTM and GRU layers whose weights tf-keras has converted from theirs.
"""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import base64
import json
import tempfile
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras as keras
from tf_keras.src.saving.legacy import hdf5_format

L = keras.layers
warnings.filterwarnings("ignore")
tf.config.threading.set_intra_op_parallelism_threads(1)

OUT = Path(__file__).resolve().parents[3] / "packages" / "testkit" / "goldens" / "formats" / "keras"
CASES = {}


def case(*, formats=("h5",), vocabulary_size=0, padded=False):
    def register(make):
        CASES[make.__name__] = dict(make=make, formats=formats, vocabulary_size=vocabulary_size, padded=padded)
        return make

    return register


@case(formats=("h5", "keras", "weights.h5"))
def tf_sequential():
    m = keras.Sequential([keras.Input((6, 3)), L.LSTM(4), L.Dense(2)])
    m.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    return m


@case(formats=("h5", "keras"), padded=True)
def tf_functional():
    x = keras.Input((7, 3), name="x")
    y = L.Masking()(x)
    y = L.Bidirectional(L.LSTM(4, return_sequences=True, name="enc"))(y)
    y, h = L.GRU(5, return_state=True, return_sequences=True)(y)
    shared = L.Dense(5)
    z = L.Add()([shared(h), shared(h)])
    y2 = L.GRU(5, reset_after=False)(y, initial_state=z)
    inner = keras.Sequential(
        [keras.Input((5,)), L.Dense(3, use_bias=False), L.BatchNormalization(), L.Dense(2, trainable=False)], name="inner"
    )
    m = keras.Model(x, inner(y2), name="demo")
    m.compile(keras.optimizers.RMSprop(0.01, momentum=0.5), "mae")
    return m


@case()
def tf_legacy_optimizer():
    m = keras.Sequential([keras.Input((5, 3)), L.SimpleRNN(3, return_sequences=True), L.Conv1D(2, 2), L.Flatten(), L.Dense(1)])
    m.compile(keras.optimizers.legacy.Adam(0.01), keras.losses.Huber(0.5))
    return m


@case(formats=("h5", "keras"))
def tf_sgd():
    m = keras.Sequential([keras.Input((4, 3)), L.GRU(2), L.Dense(1)])
    m.compile(keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True), "mse")
    return m


@case()
def tf_legacy_rmsprop():
    m = keras.Sequential([keras.Input((4, 3)), L.GRU(2), L.Dense(1)])
    m.compile(keras.optimizers.legacy.RMSprop(0.01), "mse")
    return m


@case(formats=("h5", "keras"))
def tf_hard_sigmoid():
    return keras.Sequential(
        [
            keras.Input((6, 3)),
            L.LSTM(4, recurrent_activation="hard_sigmoid", return_sequences=True),
            L.GRU(3, recurrent_activation="hard_sigmoid", return_sequences=True),
            L.GRU(3, recurrent_activation="hard_sigmoid", reset_after=False),
            L.Dense(2, activation="hard_sigmoid"),
        ]
    )


@case()
def tf_old_sequential():
    """A model without InputLayer: the config of the first layer contains the input shape."""
    m = keras.Sequential([L.Embedding(9, 4, mask_zero=True, input_length=6), L.LSTM(3), L.Dropout(0.2), L.Dense(2)])
    m.build((None, 6))
    return m


CASES["tf_old_sequential"]["vocabulary_size"] = 9


@case()
def tf_cudnn():
    m = keras.Sequential(
        [
            keras.Input((5, 3)),
            tf_cudnn_layer("CuDNNLSTM", 4, return_sequences=True),
            tf_cudnn_layer("CuDNNGRU", 2),
            L.Dense(2),
        ]
    )
    return m


def tf_cudnn_layer(name, units, **options):
    from tf_keras.src.layers.rnn import cudnn_gru, cudnn_lstm

    return {"CuDNNLSTM": cudnn_lstm.CuDNNLSTM, "CuDNNGRU": cudnn_gru.CuDNNGRU}[name](units, **options)


def without_cudnn(model):
    """Returns the same model with LSTM and GRU layers."""
    if not any("CuDNN" in layer.__class__.__name__ for layer in model.layers):
        return model
    layers = []
    for layer in model.layers:
        config = layer.get_config()
        kind = layer.__class__.__name__.replace("CuDNN", "")
        keep = ("name", "units", "return_sequences", "return_state", "go_backwards", "activation", "use_bias")
        layers.append(getattr(L, kind)(**{k: config[k] for k in keep if k in config}))
    twin = keras.Sequential([keras.Input(model.input_shape[1:]), *layers])
    for own, other in zip(twin.layers, model.layers, strict=True):
        own.set_weights(hdf5_format.preprocess_weights_for_loading(own, other.get_weights()))
    return twin


def rng_of(name):
    return np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))


def encoded(array):
    array = np.ascontiguousarray(np.asarray(array), dtype="<f4")
    return {"shape": list(array.shape), "data": base64.b64encode(array.tobytes()).decode()}


def set_weights(model, rng):
    values = []
    for v in model.weights:
        value = rng.standard_normal(v.shape).astype("float32") * 0.5
        values.append(np.abs(value) + 0.5 if "moving_variance" in v.name else value)
    model.set_weights(values)


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
        if options["padded"]:
            x[1, 4:] = 0
        arrays.append(x)
    return arrays


def write_case(name, folder, archive):
    options = CASES[name]
    keras.backend.clear_session()
    rng = rng_of(name)
    model = options["make"]()
    set_weights(model, rng)
    (x,) = inputs_of(model, options, rng)
    record = {"formats": list(options["formats"])}
    compiled = getattr(model, "optimizer", None) is not None
    if compiled:
        y = rng.standard_normal(model.predict_on_batch(x).shape).astype("float32")
        for _ in range(2):
            model.train_on_batch(x, y)
    for extension in options["formats"]:
        path = folder / f"{name}.{extension}"
        (model.save_weights if extension == "weights.h5" else model.save)(path)
        archive.write(path, path.name)
    record["inputs"] = [encoded(x)]
    record["outputs"] = [encoded(without_cudnn(model).predict_on_batch(x))]
    if compiled:
        before = [v.numpy() for v in model.non_trainable_weights]
        with tf.GradientTape() as tape:
            loss = model.compute_loss(x, tf.constant(y), model(x, training=True), None)
        gradients = tape.gradient(loss, model.trainable_weights)
        for v, value in zip(model.non_trainable_weights, before, strict=True):
            v.assign(value)
        record["targets"] = [encoded(y)]
        record["gradients"] = [encoded(g) for g in gradients]
        record["losses"] = [float(np.atleast_1d(model.train_on_batch(x, y))[0]) for _ in range(5)]
        record["weights"] = [encoded(v.numpy()) for layer in model.layers for v in ordered(layer)]
    return record


def ordered(layer):
    """Returns the weights in Unroll's order: layer by layer, with trainable and frozen weights together."""
    inner = getattr(layer, "layers", None)
    return [v for part in inner for v in ordered(part)] if inner else layer.weights


def main():
    with tempfile.TemporaryDirectory() as temporary, zipfile.ZipFile(
        OUT / "files2.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9
    ) as archive:
        records = {name: write_case(name, Path(temporary), archive) for name in CASES}
    versions = {"tf-keras": keras.__version__, "tensorflow": tf.__version__, "numpy": np.__version__}
    (OUT / "cases2.json").write_text(json.dumps({"versions": versions, "cases": records}) + "\n")
    print(len(records), "cases", (OUT / "files2.zip").stat().st_size, (OUT / "cases2.json").stat().st_size, "bytes")


main()
