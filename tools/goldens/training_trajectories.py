"""training/trajectories.json: three small models, each trained for 20 steps by each optimizer.

Step s trains on batch s mod 2. The loss of a step is that of its batch before the update. Weights are stored after steps 1 and 20, in
the order of Keras's get_weights. Every run is repeated in float64; `float64Difference` is its difference from the float32 run, which
shows how much two correct results may differ.
"""

from functools import partial

import training_encoding as enc
from training_encoding import float32, keras, normal, np, pack, rng_of, torch
from training_optimizers import keras_optimizer, torch_optimizer

L = keras.layers
STEPS = 20

# ---- models and data ----------------------------------------------------------------------------


def forecaster():
    x = keras.Input((10, 1))
    return keras.Model(x, L.Dense(1)(L.LSTM(8, activation="relu")(x)))


def classifier():
    ids = keras.Input((7,))
    x = L.GRU(8)(L.Embedding(20, 8, mask_zero=True)(ids))
    return keras.Model(ids, L.Dense(3, activation="softmax")(L.Dense(6, activation="relu")(x)))


def encoder_decoder():
    source, target = keras.Input((6, 4), name="source"), keras.Input((5, 7), name="target")
    _, h, c = L.LSTM(6, return_state=True)(source)
    x = L.LSTM(6, return_sequences=True)(target, initial_state=[h, c])
    return keras.Model([source, target], L.Dense(7, activation="softmax")(x))


def windows(rng):
    """Returns windows of a sum of two waves, and the value after each window."""
    t = rng.uniform(0, 60, 6)[:, None] + np.arange(11)
    wave = 0.5 + 0.35 * np.sin(t * 0.6) + 0.1 * np.cos(t * 1.7)
    return [wave[:, :10, None].astype(np.float32)], wave[:, 10:].astype(np.float32)


def sentences(rng):
    """Returns sequences of ids from 1 to 19, padded with 0 at the end. The label is the most frequent value of id mod 3."""
    lengths = rng.permutation([7, 6, 4, 3, 1])
    ids = rng.integers(1, 20, (5, 7)) * (np.arange(7) < lengths[:, None])
    labels = [np.bincount(row[row > 0] % 3, minlength=3).argmax() for row in ids]
    return [ids.astype(np.float32)], np.array(labels, np.float32)


def translations(rng):
    """Returns sequences of vectors, and target sequences of consecutive classes (modulo 6).

    The number of features whose sum over the source is positive determines the first class.
    """
    source = normal(rng, 4, 6, 4)
    first = (source.sum(1) > 0).sum(-1)
    classes = (first[:, None] + np.arange(5)) % 6 + 1
    shifted = np.concatenate([np.zeros((4, 1), int), classes[:, :-1]], 1)  # the decoder reads class 0 at its first step
    one_hot = np.eye(7, dtype=np.float32)
    return [source, one_hot[shifted]], one_hot[classes]


MODELS = {
    "forecaster": (forecaster, "mse", windows),
    "classifier": (classifier, "sparseCategoricalCrossentropy", sentences),
    "encoderDecoder": (encoder_decoder, "categoricalCrossentropy", translations),
}
LOSSES = {
    "mse": keras.losses.MeanSquaredError,
    "sparseCategoricalCrossentropy": keras.losses.SparseCategoricalCrossentropy,
    "categoricalCrossentropy": keras.losses.CategoricalCrossentropy,
}
LAYERS = {
    "forecaster": "LSTM(8, activation relu), Dense(1)",
    "classifier": "Embedding(20, 8, maskZero), GRU(8), Dense(6, relu), Dense(3, softmax)",
    "encoderDecoder": "LSTM(6)(inputs 0) gives h, c; LSTM(6, returnSequences)(inputs 1, initialState [h, c]),"
    " Dense(7, softmax)",
}
NAMES = {
    "forecaster": "lstm/kernel lstm/recurrentKernel lstm/bias dense/kernel dense/bias",
    "classifier": "embedding/embeddings gru/kernel gru/recurrentKernel gru/bias"
    " dense/kernel dense/bias output/kernel output/bias",
    "encoderDecoder": "encoder/kernel encoder/recurrentKernel encoder/bias"
    " decoder/kernel decoder/recurrentKernel decoder/bias dense/kernel dense/bias",
}


def initial_weights(name, model):
    """Draws weights of standard deviation 1/sqrt(inputs) and small biases; 1 is added to the biases of forget gates, as in Keras."""
    rng = rng_of(f"weights of {name}")
    weights = []
    for key, like in zip(NAMES[name].split(), model.get_weights(), strict=True):
        bias = key.endswith("bias")
        fan = 4 if "embedding" in key else like.shape[0]
        w = normal(rng, *like.shape, scale=0.05 if bias else 1 / np.sqrt(max(fan, 4)))
        if bias and ("lstm" in key or "coder" in key):
            units = like.shape[0] // 4
            w[units : 2 * units] += 1
        if name == "forecaster" and key == "lstm/recurrentKernel":
            w *= 0.5  # the candidate and the output of a cell with relu are not bounded
        weights.append(w)
    return weights


# ---- runs ---------------------------------------------------------------------------------------

CLIPS = {"clipValue": 0.01, "clipNorm": 0.05, "globalClipNorm": 0.1}


def runs():
    """Yields (run, optimizer, options), with learning rates that change the losses of all three models."""
    yield "sgd", "sgd", {"learningRate": 0.2}
    yield "sgd momentum", "sgd", {"learningRate": 0.05, "momentum": 0.9}
    yield "sgd nesterov", "sgd", {"learningRate": 0.05, "momentum": 0.9, "nesterov": True}
    yield "rmsprop", "rmsprop", {"learningRate": 0.01}
    yield "adagrad", "adagrad", {"learningRate": 0.1}
    yield "adam", "adam", {"learningRate": 0.02}
    yield "adamw", "adamw", {"learningRate": 0.02, "weightDecay": 0.1}
    yield "nadam", "nadam", {"learningRate": 0.02}
    for clip, limit in CLIPS.items():
        yield f"adam {clip}", "adam", {"learningRate": 0.02, clip: limit}


def floatx(precision):
    keras.config.set_floatx(precision)
    keras.config.set_dtype_policy(precision)


def keras_run(name, optimizer_name, options, precision):
    """Trains with a loop of forward pass, backward pass and update. Returns the 20 losses, and the weights after steps 1 and 20."""
    floatx(precision)
    make, loss, _ = MODELS[name]
    model, loss_function = make(), LOSSES[loss]()
    model.set_weights(INITIAL[name])
    optimizer, options = keras_optimizer(optimizer_name, options)
    losses, after = [], {}
    for step in range(STEPS):
        inputs, target = BATCHES[name][step % 2]
        tensors = [torch.tensor(i.astype(precision)) for i in inputs]
        predicted = model(tensors if len(tensors) > 1 else tensors[0], training=True)
        value = loss_function(torch.tensor(target.astype(precision)), predicted)
        model.zero_grad()
        value.backward()
        losses.append(value.item())
        variables = model.trainable_variables
        with torch.no_grad():
            optimizer.apply([v.value.grad for v in variables], variables)
        if step in (0, STEPS - 1):
            after[step + 1] = [w.copy() for w in model.get_weights()]
    assert after[STEPS][0].dtype == precision
    floatx("float32")
    return losses, after, options


def torch_run(options, precision):
    """Like keras_run for the forecaster, but without Keras: the equations in PyTorch, with updates by PyTorch's Adam."""
    dtype = getattr(torch, precision)
    weights = [torch.nn.Parameter(torch.tensor(w, dtype=dtype)) for w in INITIAL["forecaster"]]
    W, U, b, V, v = weights
    optimizer, options = torch_optimizer("adam", options, weights)
    losses, after = [], {}
    for step in range(STEPS):
        (x,), target = BATCHES["forecaster"][step % 2]
        x, target = torch.tensor(x, dtype=dtype), torch.tensor(target, dtype=dtype)
        h = c = torch.zeros(len(x), 8, dtype=dtype)
        for t in range(x.shape[1]):
            i, f, g, o = (x[:, t] @ W + h @ U + b).chunk(4, dim=1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.relu(g)
            h = torch.sigmoid(o) * torch.relu(c)
        value = ((h @ V + v - target) ** 2).mean()
        optimizer.zero_grad()
        value.backward()
        losses.append(value.item())
        optimizer.step()
        if step in (0, STEPS - 1):
            after[step + 1] = [w.detach().numpy().copy() for w in weights]
    return losses, after, options


def check_train_on_batch(name, losses, after):
    """Checks that Keras's train_on_batch gives the same losses and weights."""
    make, loss, _ = MODELS[name]
    model = make()
    model.set_weights(INITIAL[name])
    model.compile(keras_optimizer("adam", {"learningRate": 0.02})[0], LOSSES[loss]())
    own = []
    for step in range(STEPS):
        inputs, target = BATCHES[name][step % 2]
        own.append(float(model.train_on_batch(inputs if len(inputs) > 1 else inputs[0], target)))
    np.testing.assert_allclose(own, losses, rtol=1e-5)
    for a, b in zip(model.get_weights(), after[STEPS]):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def case(name, model, source, optimizer, run):
    losses, after, options = run("float32")
    losses64, after64, _ = run("float64")
    assert losses[-2] < losses[0] and losses[-1] < losses[1], f"{name} does not learn"
    difference = lambda step: max(np.abs(a - b).max() for a, b in zip(after[step], after64[step]))
    loss_difference = np.max(np.abs(np.subtract(losses, losses64)) / np.abs(losses64))
    print(f"  {name:34} loss {losses[0]:.5f} {losses[1]:.5f} .. {losses[-2]:.5f} {losses[-1]:.5f}"
          f"  float64: {loss_difference:.1e} {difference(1):.1e} {difference(STEPS):.1e}")  # fmt: skip
    return losses, after, {
        "name": name, "model": model, "optimizer": optimizer, "source": source, "options": options,
        "losses": pack(losses),
        "afterStep1": [pack(w) for w in after[1]], "afterStep20": [pack(w) for w in after[STEPS]],
        "float64Difference": {
            "losses": float32(loss_difference), "afterStep1": float32(difference(1)),
            "afterStep20": float32(difference(STEPS)),
        },
    }  # fmt: skip


INITIAL = {name: initial_weights(name, make()) for name, (make, _, _) in MODELS.items()}
BATCHES = {name: [data(rng_of(f"{name} batch {i}")) for i in (0, 1)] for name, (_, _, data) in MODELS.items()}


def write():
    cases, first_loss = [], {}
    for model in MODELS:
        for run, optimizer, options in runs():
            train = partial(keras_run, model, optimizer, options)
            losses, after, record = case(f"{model} {run}", model, "keras", optimizer, train)
            cases.append(record)
            if run == "adam":
                check_train_on_batch(model, losses, after)
                plain, first_loss[model] = losses, losses[0]
            if run.removeprefix("adam ") in CLIPS:
                assert np.max(np.abs(np.subtract(losses, plain))) > 1e-3, f"{run} clips nothing"
    options = {"learningRate": 0.02, "epsilon": 1e-8}
    train = partial(torch_run, options)
    losses, _, record = case("forecaster pytorch adam", "forecaster", "pytorch", "adam", train)
    cases.append(record)
    np.testing.assert_allclose(losses[0], first_loss["forecaster"], rtol=1e-6)

    models = {}
    for name, (_, loss, _) in MODELS.items():
        batches = [{"inputs": [pack(x) for x in inputs], "target": pack(y)} for inputs, y in BATCHES[name]]
        weights = [{"name": n, **pack(w)} for n, w in zip(NAMES[name].split(), INITIAL[name])]
        models[name] = {"layers": LAYERS[name], "loss": loss, "weights": weights, "batches": batches}
    enc.write("trajectories.json", "training_trajectories.py", cases, models=models)
