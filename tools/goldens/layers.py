"""Golden vectors of layers, activations, regularisers, constraints and masks, from Keras 3 on its JAX backend.

    python tools/goldens/layers.py

The script writes packages/testkit/goldens/layers/layers.json; layers.md beside this file describes it. The random numbers of
a case are seeded by its name. All masks begin with a valid step: at masked steps before the first valid one, the JAX backend
outputs the initial state, but the torch backend, which recurrent.py uses, outputs zeros.
"""

import os

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"

import base64
import json
import platform
import zlib
from pathlib import Path

import jax
import jax.numpy as jnp
import keras
import numpy as np

OUT = Path(__file__).resolve().parents[2] / "packages" / "testkit" / "goldens" / "layers" / "layers.json"


def rng_of(name):
    return np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))


def normal(rng, *shape, scale=1.0):
    return (rng.standard_normal(shape) * scale).astype(np.float32)


def pack(t):
    data = np.ascontiguousarray(np.asarray(t), dtype="<f4")  # makes an array of at least one axis
    return {"shape": list(np.shape(t)), "data": base64.b64encode(data.tobytes()).decode()}


def gradient_case(name, kind, options, rng, inputs, weights, run):
    """Returns a case. run(inputs, weights) returns the outputs; the loss is their sum, weighted by outputWeights."""
    inputs, weights = [jnp.asarray(x) for x in inputs], [jnp.asarray(w) for w in weights]
    outputs = run(inputs, weights)
    output_weights = [normal(rng, *y.shape) for y in outputs]

    def loss(inputs, weights):
        return sum((y * w).sum() for y, w in zip(run(inputs, weights), output_weights, strict=True))

    dinputs, dweights = jax.grad(loss, argnums=(0, 1))(inputs, weights)
    return {
        "name": name,
        "kind": kind,
        "options": options,
        "inputs": [pack(x) for x in inputs],
        "weights": [pack(w) for w in weights],
        "outputWeights": [pack(w) for w in output_weights],
        "outputs": [pack(y) for y in outputs],
        "gradients": {"inputs": [pack(g) for g in dinputs], "weights": [pack(g) for g in dweights]},
    }


def stateless(layer, mask=None, **arguments):
    """Returns the layer as a function of inputs and trainable weights."""

    def run(inputs, weights):
        x, *states = inputs
        extra = dict(arguments)
        if states:
            extra["initial_state"] = [states[:2], states[2:]]  # h and c of the LSTM cell, h of the GRU cell
        if mask is not None:
            extra["mask"] = jnp.asarray(mask, bool)
        outputs, _ = layer.stateless_call(weights, layer.non_trainable_variables, x, **extra)
        return [jnp.asarray(y) for y in keras.tree.flatten(outputs)]

    return run


# ---- activations, regularisers, constraints ---------------------------------------------------------------------

ACTIVATIONS = """celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_tanh leaky_relu linear
log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus
sparse_sigmoid squareplus tanh tanh_shrink""".split()  # not sparsemax: see layers.md


def activation_cases():
    for name in ACTIVATIONS:
        rng = rng_of(name)
        x = normal(rng, 5, 8, scale=2.5)
        function = keras.activations.get(name)
        yield gradient_case(f"activation/{name}", "activation", {"activation": name}, rng, [x], [],
                            lambda inputs, _, f=function: [f(inputs[0])])  # fmt: skip


REGULARIZERS = {
    "l1": keras.regularizers.L1(0.02), "l2": keras.regularizers.L2(0.03), "l1l2": keras.regularizers.L1L2(0.02, 0.03),
    "orthogonalRows": keras.regularizers.OrthogonalRegularizer(0.5, "rows"),
    "orthogonalColumns": keras.regularizers.OrthogonalRegularizer(0.5, "columns"),
}  # fmt: skip


def regularizer_cases():
    for name, function in REGULARIZERS.items():
        rng = rng_of(name)
        w = normal(rng, 4, 6)
        yield gradient_case(f"regularizer/{name}", "regularizer", {"regularizer": name}, rng, [w], [],
                            lambda inputs, _, f=function: [jnp.reshape(f(inputs[0]), ())])  # fmt: skip


CONSTRAINTS = {
    "maxNorm": keras.constraints.MaxNorm(1.5), "maxNormRows": keras.constraints.MaxNorm(1.0, axis=1),
    "nonNeg": keras.constraints.NonNeg(), "unitNorm": keras.constraints.UnitNorm(),
    "minMaxNorm": keras.constraints.MinMaxNorm(0.8, 1.2, rate=0.7),
}  # fmt: skip


def constraint_cases():
    for name, function in CONSTRAINTS.items():
        w = normal(rng_of(name), 4, 6)
        yield {"name": f"constraint/{name}", "kind": "constraint", "options": {"constraint": name},
               "inputs": [pack(w)], "outputs": [pack(function(w))]}  # fmt: skip


# ---- recurrent layers ---------------------------------------------------------------------------------------------


def right_mask(B, T):
    mask = np.ones((B, T), np.float32)
    for b in range(B - 1):
        mask[b, T - 1 - b % (T - 1) :] = 0
    return mask


def holed_mask(B, T):
    mask = np.ones((B, T), np.float32)
    mask[0, T // 2], mask[B - 1, T - 1] = 0, 0
    return mask


def stacked_cases():
    """RNN over StackedRNNCells: an LSTM cell of 3 units under a GRU cell of 4."""
    B, T, I = 3, 5, 4
    for name, mask, backwards, reset_after in [
        ("plain", None, False, True), ("right", right_mask(B, T), False, False), ("holes", holed_mask(B, T), False, True),
        ("backwards", None, True, False),
    ]:  # fmt: skip
        rng = rng_of(f"stacked {name}")
        cells = [keras.layers.LSTMCell(3), keras.layers.GRUCell(4, reset_after=reset_after)]
        layer = keras.layers.RNN(cells, return_sequences=True, return_state=True, go_backwards=backwards)
        x = normal(rng, B, T, I)
        layer.build(x.shape)
        weights = [normal(rng, *w.shape, scale=0.4) for w in layer.trainable_variables]
        states = [normal(rng, B, 3), normal(rng, B, 3), normal(rng, B, 4)]
        options = {"goBackwards": backwards, "resetAfter": reset_after, "mask": None if mask is None else pack(mask)}
        yield gradient_case(f"stackedCells/{name}", "stackedCells", options, rng, [x, *states], weights,
                            stateless(layer, mask))  # fmt: skip


def stateful_cases():
    """Two calls, the second of which continues from the states of the first, and a third after reset_state."""
    B, T, I, H = 2, 3, 4, 5
    for name, kind in [("lstm", keras.layers.LSTM), ("gru", keras.layers.GRU), ("rnn", keras.layers.SimpleRNN)]:
        rng = rng_of(f"stateful {name}")
        layer = kind(H, stateful=True, return_sequences=True)
        xs = [normal(rng, B, T, I) for _ in range(2)]
        layer.build(xs[0].shape)
        weights = [normal(rng, *w.shape, scale=0.4) for w in layer.trainable_variables]
        layer.set_weights(weights)
        outputs = [np.asarray(layer(x)) for x in xs]
        layer.reset_state()
        outputs.append(np.asarray(layer(xs[1])))
        yield {"name": f"stateful/{name}", "kind": "stateful", "options": {"cell": name, "units": H},
               "inputs": [pack(x) for x in xs], "weights": [pack(w) for w in weights],
               "outputs": [pack(y) for y in outputs]}  # fmt: skip


def normalization_cases():
    for name, shape, options in [("axis1", (3, 5, 4), {"axis": 1}), ("rank4", (2, 3, 4, 5), {"axis": -1})]:
        rng = rng_of(f"batch {name}")
        layer = keras.layers.BatchNormalization(**options)
        x = normal(rng, *shape)
        layer.build(x.shape)
        weights = [normal(rng, *w.shape) for w in layer.trainable_variables]
        yield gradient_case(f"batchNormalization/{name}", "batchNormalization", options, rng, [x], weights,
                            stateless(layer, training=True))  # fmt: skip


# ---- masks of merging layers, and the order of weights ----------------------------------------------------------------


def mask_cases():
    """The mask after two embedded sequences are merged: ids [3, 4], with zeros as padding."""
    rng = rng_of("masks")
    ids = [rng.integers(0, 3, (3, 4)).astype(np.float32) for _ in range(2)]
    embedded = [keras.layers.Embedding(3, 2, mask_zero=True)(x) for x in ids]
    unmasked = keras.layers.Embedding(3, 2)(ids[1])
    merges = {
        "add": keras.layers.Add(), "multiply": keras.layers.Multiply(), "concatenate": keras.layers.Concatenate(),
        "concatenateTime": keras.layers.Concatenate(axis=1),
    }  # fmt: skip
    for name, layer in merges.items():
        for other, second in [("both", embedded[1]), ("one", unmasked)]:
            mask = keras.src.backend.get_keras_mask(layer([embedded[0], second]))
            yield {"name": f"mask/{name}-{other}", "kind": "mask", "options": {"layer": name, "both": other == "both"},
                   "inputs": [pack(x) for x in ids], "outputs": [] if mask is None else [pack(mask)]}  # fmt: skip


def merge_cases():
    """Outputs and gradients of merging layers with masks: each input has right padding, a mask with gaps, or no mask."""
    B, T, I = 3, 5, 4
    masks = [right_mask(B, T), holed_mask(B, T), right_mask(B, T)[::-1].copy()]
    merges = {
        "add": keras.layers.Add(), "multiply": keras.layers.Multiply(), "concatenate": keras.layers.Concatenate(),
        "concatenateTime": keras.layers.Concatenate(axis=1),
    }  # fmt: skip
    for name, layer in merges.items():
        for which, given in [("two", masks[:2]), ("one", [masks[0], None]), ("three", masks)]:
            rng = rng_of(f"merge {name} {which}")
            xs = [normal(rng, B, T, I) for _ in given]

            def run(inputs, _, layer=layer, given=given):
                # The mask is an attribute of the tensor, from which the layer reads it, so each call needs a new tensor.
                arrays = [jnp.asarray(x) for x in inputs]
                tensors = [keras.ops.add(x, 0.0) for x in arrays]
                for x, mask in zip(tensors, given, strict=True):
                    if mask is not None:
                        keras.src.backend.set_keras_mask(x, jnp.asarray(mask, bool))
                return [jnp.asarray(layer._merge_function(tensors))]

            options = {"layer": name, "masks": [None if mask is None else pack(mask) for mask in given]}
            yield gradient_case(f"merge/{name}-{which}", "merge", options, rng, xs, [], run)


def activity_cases():
    """The penalty, divided by the batch size, that an activity regulariser adds to the loss."""
    for name, shape in [("l1", (5, 3)), ("l2", (4, 6, 3)), ("l1l2", (7, 2))]:
        rng = rng_of(f"activity {name}")
        # The layer is in a model, because stateless_call of a layer leaves its activity regulariser out.
        model = keras.Sequential([keras.layers.Dense(4, activity_regularizer=REGULARIZERS[name])])
        x = normal(rng, *shape)
        model.build(x.shape)
        weights = [normal(rng, *w.shape) for w in model.trainable_variables]

        def run(inputs, weights, model=model):
            _, _, losses = model.stateless_call(weights, [], inputs[0], return_losses=True)
            return [jnp.reshape(loss, ()) for loss in losses]

        yield gradient_case(f"activity/{name}", "activity", {"regularizer": name}, rng, [x], weights, run)


def order_cases():
    """The names of the weights of functional models in Keras's order."""
    layers = keras.layers

    def dense(name, x):
        return layers.Dense(2, name=name)(x)

    def two_towers():
        a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
        left = dense("left_2", dense("left_1", a))
        right = dense("right_1", b)
        return keras.Model([a, b], dense("head", layers.Concatenate(name="join")([left, right])))

    def shared():
        a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
        common = layers.Dense(2, name="common")
        deep = common(layers.Dense(3, name="first")(a))
        return keras.Model([a, b], [dense("out_1", deep), dense("out_2", common(b))])

    def skip():
        a = keras.Input((3,), name="a")
        early = dense("early", a)
        late = dense("late", dense("middle", early))
        return keras.Model(a, layers.Add(name="sum")([early, late]))

    def seq2seq():
        source, target = keras.Input((None, 3), name="source"), keras.Input((None, 2), name="target")
        _, h, c = layers.LSTM(4, return_state=True, name="encoder")(source)
        decoded = layers.LSTM(4, return_sequences=True, name="decoder")(target, initial_state=[h, c])
        return keras.Model([source, target], layers.Dense(2, name="head")(decoded))

    def several_outputs():
        a = keras.Input((3,), name="a")
        x = layers.Dense(3, name="trunk")(a)
        return keras.Model(a, [dense("b_2", dense("b_1", x)), dense("c_1", x)])

    for build in (two_towers, shared, skip, seq2seq, several_outputs):
        model = build()
        names = [layer.name for layer in model.layers]
        weights = [f"{w.path.split('/')[0]} {list(w.shape)}" for w in model.weights]
        yield {"name": f"order/{build.__name__}", "kind": "order", "options": {"graph": build.__name__},
               "layers": names, "order": weights}  # fmt: skip


def main():
    makers = (activation_cases, regularizer_cases, constraint_cases, stacked_cases, stateful_cases,
              normalization_cases, mask_cases, merge_cases, activity_cases, order_cases)  # fmt: skip
    cases = [case for maker in makers for case in maker()]
    versions = {"keras": keras.__version__, "kerasBackend": "jax", "jax": jax.__version__, "numpy": np.__version__,
                "python": platform.python_version()}  # fmt: skip
    OUT.parent.mkdir(parents=True, exist_ok=True)
    head = json.dumps({"generator": "tools/goldens/layers.py", "versions": versions})[:-1]
    lines = ",\n".join(json.dumps(case) for case in cases)
    OUT.write_text(f'{head}, "cases": [\n{lines}\n]}}\n')
    print(f"{len(cases)} cases, {OUT.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
