"""training/losses.json: the value of each loss and its gradient, with masks, weights and reductions.

A loss is a function of its predictions (one tensor, or the named parameters of a distribution) and its target. It returns one number
per row of K features: [B, K] -> [B], [B, T, K] -> [B, T]. Weights, mask and reduction are then applied by Keras's
`reduce_weighted_values`, also for losses that Keras does not have (source "pytorch" and "formula").
"""

import training_encoding as enc
from training_encoding import float32, keras, normal, np, pack, pack_all, rng_of, torch

from keras.src.losses.loss import reduce_weighted_values
from torch.distributions import NegativeBinomial, Normal, StudentT
from torch.nn.functional import softplus

B, T = 3, 5  # unequal: if they were equal, Keras would read weights [B] as weights [T] without an error
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [0, 1, 0, 1, 0]], np.float32)  # rows without padding, with padding, and with gaps

# ---- the losses ---------------------------------------------------------------------------------
# Losses that Keras has.

KERAS = {
    "mse": keras.losses.MeanSquaredError,
    "mae": keras.losses.MeanAbsoluteError,
    "huber": keras.losses.Huber,
    "logCosh": keras.losses.LogCosh,
    "poisson": keras.losses.Poisson,
    "binaryCrossentropy": keras.losses.BinaryCrossentropy,
    "binaryFocalCrossentropy": keras.losses.BinaryFocalCrossentropy,
    "categoricalCrossentropy": keras.losses.CategoricalCrossentropy,
    "categoricalFocalCrossentropy": keras.losses.CategoricalFocalCrossentropy,
    "sparseCategoricalCrossentropy": keras.losses.SparseCategoricalCrossentropy,
}

# The other losses, for each element [.., K], before the mean over K. p: predictions by name, y: target, o: options.


def pinball(p, y, o):
    """Pinball loss. Several quantiles: prediction [.., Q], target [.., 1]; the loss is then the mean over Q."""
    q = torch.tensor(o["quantiles"], dtype=y.dtype) if "quantiles" in o else o["quantile"]
    error = y - p["prediction"]
    return torch.maximum(q * error, (q - 1) * error)


def gaussian_nll(p, y, o):
    """Computes torch.nn.GaussianNLLLoss if p has a variance; otherwise uses a Normal with the scale softplus(rawScale)."""
    if "rawScale" in p:
        return -Normal(p["mean"], softplus(p["rawScale"])).log_prob(y)
    loss_function = torch.nn.GaussianNLLLoss(full=o["full"], eps=o["epsilon"], reduction="none")
    return loss_function(p["mean"], y, p["variance"])


def student_t_nll(p, y, o):
    """Takes df, loc and scale, or raw numbers: df = 2 + softplus(rawDf), scale = softplus(rawScale)."""
    df = 2 + softplus(p["rawDf"]) if "rawDf" in p else p["df"]
    scale = softplus(p["rawScale"]) if "rawScale" in p else p["scale"]
    return -StudentT(df, p["loc"], scale).log_prob(y)


def negative_binomial_nll(p, y, o):
    """The distribution has mean mu, dispersion alpha, variance mu + alpha mu^2: total_count is 1/alpha, odds are mu * alpha."""
    mu = softplus(p["rawMean"]) if "rawMean" in p else p["mean"]
    alpha = softplus(p["rawAlpha"]) if "rawAlpha" in p else p["alpha"]
    return -NegativeBinomial(1 / alpha, logits=torch.log(mu * alpha)).log_prob(y)


OTHERS = {
    "pinball": (pinball, "formula"),
    "gaussianNll": (gaussian_nll, "pytorch"),
    "studentTNll": (student_t_nll, "pytorch"),
    "negativeBinomialNll": (negative_binomial_nll, "pytorch"),
}

# ---- data: (predictions by name, target) of shape [*rows, K] ------------------------------------


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return (e / e.sum(-1, keepdims=True)).astype(np.float32)


def real(rng, rows, K=3):
    return {"prediction": normal(rng, *rows, K, scale=1.5)}, normal(rng, *rows, K)


def binary(rng, rows, logits, K=2):
    p = normal(rng, *rows, K, scale=2) if logits else rng.uniform(0.02, 0.98, (*rows, K)).astype(np.float32)
    return {"prediction": p}, rng.integers(0, 2, (*rows, K)).astype(np.float32)


def classes(rng, rows, logits, sparse, K=4):
    z = normal(rng, *rows, K, scale=2)
    ids = rng.integers(0, K, rows)
    target = ids.astype(np.float32) if sparse else np.eye(K, dtype=np.float32)[ids]
    return {"prediction": z if logits else softmax(z)}, target


def counts(rng, rows, K=2):
    return rng.poisson(3, (*rows, K)).astype(np.float32)


def positive(rng, rows, low, high, K=2):
    return rng.uniform(low, high, (*rows, K)).astype(np.float32)


def poisson_data(rng, rows):
    return {"prediction": positive(rng, rows, 0.2, 6)}, counts(rng, rows)


def quantile_data(rng, rows, Q):
    return {"prediction": normal(rng, *rows, Q or 2)}, normal(rng, *rows, 1 if Q else 2)


def gaussian_data(rng, rows, raw):
    mean, y = normal(rng, *rows, 2), normal(rng, *rows, 2)
    if raw:
        return {"mean": mean, "rawScale": normal(rng, *rows, 2, scale=2)}, y
    return {"mean": mean, "variance": positive(rng, rows, 0.1, 3)}, y


def student_data(rng, rows, raw):
    loc, y = normal(rng, *rows, 2), normal(rng, *rows, 2, scale=2)
    if raw:
        return {"rawDf": normal(rng, *rows, 2, scale=2), "loc": loc, "rawScale": normal(rng, *rows, 2)}, y
    return {"df": positive(rng, rows, 1.5, 9), "loc": loc, "scale": positive(rng, rows, 0.3, 2)}, y


def negative_binomial_data(rng, rows, raw):
    y = counts(rng, rows)
    if raw:
        return {"rawMean": normal(rng, *rows, 2, scale=2), "rawAlpha": normal(rng, *rows, 2)}, y
    return {"mean": positive(rng, rows, 0.3, 6), "alpha": positive(rng, rows, 0.1, 1.5)}, y


# ---- one case -----------------------------------------------------------------------------------


def case(name, loss, options, data, mask=None, weights=None, reduction=None):
    predictions, target = data
    # Keras's losses in float32, because its clipping depends on the type; the others in float64, to avoid cancellation in lgamma.
    dtype = torch.float32 if loss in KERAS else torch.float64
    leaves = {k: torch.tensor(v, dtype=dtype, requires_grad=True) for k, v in predictions.items()}
    y = torch.tensor(target, dtype=dtype)
    reduction = reduction or "sumOverBatchSize"
    w = for_keras(weights, rows=next(iter(predictions.values())).shape[:-1])
    if loss in KERAS:
        source = "keras"
        loss_function = KERAS[loss](**enc.snake_options(options), reduction=enc.snake(reduction))
        p = leaves["prediction"]
        per_row = loss_function.call(y, p.detach())
        if mask is not None:
            keras.src.backend.set_keras_mask(p, torch.tensor(mask) > 0)
        value = loss_function(y, p, sample_weight=w)
    else:
        elements, source = OTHERS[loss]
        per_row = elements(leaves, y, options).mean(-1)
        m = None if mask is None else torch.tensor(mask) > 0
        value = reduce_weighted_values(per_row, w, m, reduction=enc.snake(reduction))
    value.sum().backward()  # with the reduction none, the gradient is that of the sum
    if options.get("ignoreClass") is None:
        check(value, per_row, mask, w, reduction)
    return {
        "name": name, "loss": loss, "source": source,
        "options": options | ({} if reduction == "sumOverBatchSize" else {"reduction": reduction}),
        "predictions": pack_all(predictions), "target": pack(target),
        **({} if mask is None else {"mask": pack(mask)}),
        **({} if weights is None else {"sampleWeights": pack(weights)}),
        "perRow": pack(per_row),
        "value": pack(value) if reduction == "none" else float32(value),
        "gradients": {k: pack(v.grad) for k, v in leaves.items()},
    }  # fmt: skip


def for_keras(weights, rows):
    """Repeats weights [B] to [B, T]. Returns a copy, because Keras multiplies the mask into the array (see training.md)."""
    if weights is None:
        return None
    per_row = weights if weights.ndim == len(rows) else weights[:, None]
    return np.broadcast_to(per_row, rows).copy()


def check(value, per_row, mask, weights, reduction):
    """Checks that the rule of training.md, computed in float64, gives Keras's value."""
    x = enc.array(per_row).astype(np.float64)
    w = np.ones_like(x) if weights is None else np.broadcast_to(weights, x.shape)
    m = np.ones_like(x) if mask is None else mask
    divisor = {"sumOverBatchSize": m.sum(), "meanWithSampleWeight": (w * m).sum(), "sum": 1, "none": 1}[reduction]
    total = x * w * m if reduction == "none" else (x * w * m).sum()
    expected = total / divisor if divisor else 0 * total
    np.testing.assert_allclose(enc.array(value), expected, rtol=3e-6, atol=1e-7)


# ---- situations: shape, mask and weights --------------------------------------------------------

SITUATIONS = {
    "rows": {},
    "rows weights": {"weights": "B"},
    "sequence": {"T": True},
    "sequence mask": {"T": True, "mask": True},
    "sequence weights": {"T": True, "weights": "B"},
    "sequence temporal weights": {"T": True, "weights": "BT"},
    "sequence mask weights": {"T": True, "mask": True, "weights": "B"},
    "sequence mask temporal weights": {"T": True, "mask": True, "weights": "BT"},
}
FEW = ("rows", "rows weights", "sequence mask", "sequence mask temporal weights")


def in_situation(name, loss, options, data, situation, reduction=None):
    rng = rng_of(f"{name} {situation}")
    s = SITUATIONS[situation]
    rows = (B, T) if "T" in s else (4,)
    shape = {"B": rows[:1], "BT": rows}.get(s.get("weights"))
    weights = None if shape is None else rng.uniform(0.2, 3, shape).astype(np.float32)
    if weights is not None and weights.ndim == 2:
        weights[0, 1] = 0  # a row of weight zero still counts in the divisor
    full = f"{name} {situation}" + (f" {reduction}" if reduction else "")
    return case(full, loss, options, data(rng, rows), MASK if "mask" in s else None, weights, reduction)


def configurations():
    """Yields (name, loss, options, data, situations)."""
    yield "mse", "mse", {}, real, SITUATIONS
    yield "mae", "mae", {}, real, FEW
    yield "huber delta 1", "huber", {"delta": 1.0}, real, SITUATIONS
    yield "huber delta 0.4", "huber", {"delta": 0.4}, real, FEW
    yield "logCosh", "logCosh", {}, real, FEW
    yield "poisson", "poisson", {}, poisson_data, FEW
    for logits in (False, True):
        kind = "logits" if logits else "probabilities"
        yes_no = lambda rng, rows, logits=logits: binary(rng, rows, logits)
        one_hot = lambda rng, rows, logits=logits: classes(rng, rows, logits, False)
        ids = lambda rng, rows, logits=logits: classes(rng, rows, logits, True)
        for smoothing in (0.0, 0.1):
            options = {"fromLogits": logits, "labelSmoothing": smoothing}
            some = FEW if smoothing else SITUATIONS
            more = f"{kind}, smoothing {smoothing}" if smoothing else kind
            yield f"binaryCrossentropy {more}", "binaryCrossentropy", options, yes_no, some
            yield f"categoricalCrossentropy {more}", "categoricalCrossentropy", options, one_hot, some
        options = {"fromLogits": logits}
        yield f"sparseCategoricalCrossentropy {kind}", "sparseCategoricalCrossentropy", options, ids, SITUATIONS
        focal = {"fromLogits": logits, "labelSmoothing": 0.0, "gamma": 2.0, "alpha": 0.25}
        loss, unbalanced = "binaryFocalCrossentropy", focal | {"applyClassBalancing": False}
        balanced = focal | {"applyClassBalancing": True, "gamma": 1.5, "alpha": 0.7}
        yield f"binaryFocal {kind}", loss, unbalanced, yes_no, FEW
        yield f"binaryFocal {kind}, balanced", loss, balanced, yes_no, ("rows",)
        yield f"binaryFocal {kind}, smoothing 0.2", loss, unbalanced | {"labelSmoothing": 0.2}, yes_no, ("rows",)
        loss, per_class = "categoricalFocalCrossentropy", focal | {"alpha": [0.1, 0.2, 0.3, 0.9], "gamma": 1.0}
        yield f"categoricalFocal {kind}", loss, focal, one_hot, FEW
        yield f"categoricalFocal {kind}, alpha per class", loss, per_class, one_hot, ("rows",)
        yield f"categoricalFocal {kind}, smoothing 0.2", loss, focal | {"labelSmoothing": 0.2}, one_hot, ("rows",)
    single = lambda rng, rows: quantile_data(rng, rows, None)
    yield "pinball 0.9", "pinball", {"quantile": 0.9}, single, FEW
    yield "pinball 0.5", "pinball", {"quantile": 0.5}, single, ("rows",)
    several = lambda rng, rows: quantile_data(rng, rows, 3)
    yield "pinball 0.1 0.5 0.9", "pinball", {"quantiles": [0.1, 0.5, 0.9]}, several, FEW
    for raw in (False, True):
        how = ", raw" if raw else ""
        normals = lambda rng, rows, raw=raw: gaussian_data(rng, rows, raw)
        full = {"full": True} if raw else {"full": True, "epsilon": 1e-6}
        yield f"gaussianNll{how}", "gaussianNll", full, normals, FEW
        students = lambda rng, rows, raw=raw: student_data(rng, rows, raw)
        yield f"studentTNll{how}", "studentTNll", {}, students, FEW
        nb = lambda rng, rows, raw=raw: negative_binomial_data(rng, rows, raw)
        yield f"negativeBinomialNll{how}", "negativeBinomialNll", {}, nb, FEW
    with_variance = lambda rng, rows: gaussian_data(rng, rows, False)
    yield "gaussianNll not full", "gaussianNll", {"full": False, "epsilon": 1e-6}, with_variance, ("rows",)


# ---- special cases ------------------------------------------------------------------------------


def reduction_cases():
    ids = lambda rng, rows: classes(rng, rows, True, True)
    for reduction in ("sum", "meanWithSampleWeight", "none"):
        for situation in ("rows", "rows weights", "sequence mask", "sequence mask temporal weights"):
            yield in_situation("mse", "mse", {}, real, situation, reduction)
        situation = "sequence mask temporal weights"
        loss = "sparseCategoricalCrossentropy"
        yield in_situation(f"{loss} logits", loss, {"fromLogits": True}, ids, situation, reduction)


def edge_cases():
    def one(name, loss, options, prediction, target, **more):
        data = ({"prediction": np.array(prediction, np.float32)}, np.array(target, np.float32))
        return case(f"edge: {name}", loss, options, data, **more)

    rng = rng_of("edge")
    big = [[50], [-50], [1000], [-1000], [0]]
    yes, no = [[1]] * 5, [[0]] * 5
    for target, word in ((yes, "target 1"), (no, "target 0")):
        yield one(f"binary logits, {word}", "binaryCrossentropy", {"fromLogits": True}, big, target)
        certain = [[0], [1], [1e-8], [1e-6], [0.5]]
        yield one(f"binary probabilities, {word}", "binaryCrossentropy", {"fromLogits": False}, certain, target)
        for logits, p in ((True, big), (False, certain)):
            options = {"fromLogits": logits, "gamma": 2.0, "alpha": 0.25, "applyClassBalancing": False}
            kind = "logits" if logits else "probabilities"
            yield one(f"binary focal {kind}, {word}", "binaryFocalCrossentropy", options, p, target)

    logits = [[1000, -1000, 0], [-1000, 1000, 0], [50, -50, 0], [-50, 50, 0], [1000, 1000, 1000], [0, 0, 0]]
    certain = [[1, 0, 0], [0, 1, 0], [0.5, 0.5, 0], [0, 0.5, 0.5], [0.2, 0.2, 0.2], [2, 1, 1]]
    one_hot, ids = [[1, 0, 0]] * 6, [0] * 6
    for from_logits, p in ((True, logits), (False, certain)):
        options, kind = {"fromLogits": from_logits}, "logits" if from_logits else "probabilities"
        yield one(f"categorical {kind}", "categoricalCrossentropy", options, p, one_hot)
        yield one(f"sparse {kind}", "sparseCategoricalCrossentropy", options, p, ids)
        focal = options | {"gamma": 2.0, "alpha": 0.25}
        yield one(f"categorical focal {kind}", "categoricalFocalCrossentropy", focal, p, one_hot)
        smooth = options | {"labelSmoothing": 0.1}
        yield one(f"categorical {kind}, smoothing", "categoricalCrossentropy", smooth, p, one_hot)

    errors = [[0.0], [1.0], [-1.0], [1e-4], [-25.0], [1e3], [-1e3]]
    zeros = [[0.0]] * 7
    for loss, options in (("mse", {}), ("mae", {}), ("huber", {"delta": 1.0}), ("logCosh", {})):
        yield one(f"{loss}, errors from 0 to 1000", loss, options, errors, zeros)
    yield one("poisson, prediction 0", "poisson", {}, [[0.0], [0.0], [1e-8], [1e3]], [[0], [3], [3], [3]])

    mean, y = normal(rng, 4, 1), normal(rng, 4, 1)
    variance = np.array([[0], [1e-9], [1e-6], [1e4]], np.float32)
    options = {"full": True, "epsilon": 1e-6}
    yield case("edge: gaussianNll, variance at and below epsilon", "gaussianNll", options,
               ({"mean": mean, "variance": variance}, y))  # fmt: skip
    wide = {"mean": np.zeros((4, 1), np.float32), "rawScale": np.array([[-15], [-4], [4], [50]], np.float32)}
    yield case("edge: gaussianNll, raw scale from -15 to 50", "gaussianNll", {"full": True},
               (wide, np.array([[1e-6], [0.1], [-3], [20]], np.float32)))  # fmt: skip
    large = {"mean": np.array([[0.01], [1], [50], [400]], np.float32),
             "alpha": np.array([[1e-3], [2], [0.01], [0.5]], np.float32)}  # fmt: skip
    yield case("edge: negativeBinomialNll, from rare to many", "negativeBinomialNll", {},
               (large, np.array([[0], [0], [60], [500]], np.float32)))  # fmt: skip
    heavy = {"df": np.array([[0.5], [1], [2], [200]], np.float32), "loc": np.zeros((4, 1), np.float32),
             "scale": np.array([[1], [0.1], [5], [1]], np.float32)}  # fmt: skip
    yield case("edge: studentTNll, df from 0.5 to 200", "studentTNll", {},
               (heavy, np.array([[100], [-1], [0], [2]], np.float32)))  # fmt: skip


def mask_cases():
    """Yields cases in which a mask or weights exclude all rows, and cases with an ignored class."""
    none = np.zeros((B, T), np.float32)
    data = lambda name: real(rng_of(name), (B, T))
    yield case("mse, everything masked", "mse", {}, data("all masked"), mask=none)
    yield case("mse, weights all zero", "mse", {}, data("no weight"), weights=none)
    yield case("mse, weights all zero, mean", "mse", {}, data("no weight"), weights=none,
               reduction="meanWithSampleWeight")  # fmt: skip
    yield case("mse, a mask of ones", "mse", {}, data("ones"), mask=np.ones((B, T), np.float32))

    loss, options = "sparseCategoricalCrossentropy", {"fromLogits": True, "ignoreClass": -1}
    predictions, ids = classes(rng_of("ignored"), (B, T), True, True)
    ids[0, 0] = ids[0, 4] = ids[1, 3] = ids[2, 1] = -1
    yield case("ignoreClass", loss, options, (predictions, ids))
    yield case("ignoreClass with a mask", loss, options, (predictions, ids), mask=MASK)
    weights = rng_of("ignored weights").uniform(0.2, 3, (B, T)).astype(np.float32)
    yield case("ignoreClass with weights", loss, options, (predictions, ids), weights=weights)


def cases():
    for name, loss, options, data, situations in configurations():
        for situation in situations:
            yield in_situation(name, loss, options, data, situation)
    yield from reduction_cases()
    yield from edge_cases()
    yield from mask_cases()


def write():
    enc.write("losses.json", "training_losses.py", list(cases()))
