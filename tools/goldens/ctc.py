"""training/ctc.json: losses and gradients of connectionist temporal classification, and label error rates.

Losses are those of torch.nn.functional.ctc_loss on log_softmax(logits) in float64, and of keras.losses.CTC. PyTorch's reduction
`mean` divides each loss by the length of its target (at least 1). Label error rates are computed by jiwer.wer with the labels as
words, after greedy decoding with itertools.groupby. Inputs are exact in float32. Tolerances as in training.md: values 1e-5,
gradients 1e-4 of the largest.

A case has `name`, `source`, `options` of Unroll's loss, `logits` [B, T, C], `lengths`, `target` [B, L] padded with
`options.padding`, `value`, and `gradient` of the sum of `value` with respect to the logits.
"""

from importlib.metadata import version
from itertools import groupby

import jiwer
import training_encoding as enc
from training_encoding import keras, normal, np, pack, rng_of, torch

REDUCTIONS = {
    "none": {"reduction": "none"},
    "sum": {"reduction": "sum"},
    "mean": {"reduction": "sumOverBatchSize", "normalize": "targetLength"},
}


def padded(targets, padding):
    width = max(1, max(map(len, targets)))
    return np.array([list(t) + [padding] * (width - len(t)) for t in targets], np.float32)


def torch_case(name, T, C, targets, lengths=None, reduction="none", blank=0, zero_infinity=False, scale=1.0):
    name = f"{name}, {reduction}"
    lengths = lengths or [T] * len(targets)
    logits = normal(rng_of(name), len(targets), T, C, scale=scale)
    x = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    value = torch.nn.functional.ctc_loss(
        x.log_softmax(-1).transpose(0, 1),
        torch.tensor(padded(targets, 0), dtype=torch.long),
        torch.tensor(lengths),
        torch.tensor([len(t) for t in targets]),
        blank=blank,
        reduction=reduction,
        zero_infinity=zero_infinity,
    )
    value.sum().backward()
    options = {"blank": blank, "padding": -1, "zeroInfinity": zero_infinity, **REDUCTIONS[reduction]}
    return {
        **{"name": name, "source": "pytorch", "options": options},
        **{"logits": pack(logits), "lengths": lengths, "target": pack(padded(targets, -1))},
        **{"value": pack(value), "gradient": pack(x.grad)},
    }


def keras_case(name, T, C, targets):
    logits = normal(rng_of(name), len(targets), T, C)
    x = torch.tensor(logits, requires_grad=True)
    value = keras.losses.CTC()(torch.tensor(padded(targets, 0)), x)
    value.backward()
    return {
        **{"name": name, "source": "keras", "options": {"blank": 0, "padding": 0}},
        **{"logits": pack(logits), "lengths": [T] * len(targets), "target": pack(padded(targets, 0))},
        **{"value": pack(value), "gradient": pack(x.grad)},
    }


def losses():
    ragged = [[1, 2, 3], [4, 4], [], [2, 1, 2, 1]]
    for reduction in REDUCTIONS:
        yield torch_case("different lengths", 9, 5, ragged, [9, 4, 2, 6], reduction)
        yield torch_case("as many labels as steps", 5, 7, [[1, 2, 3, 4, 5], [6, 5, 4, 3, 1]], None, reduction)
        yield torch_case("empty targets", 4, 3, [[], []], [4, 1], reduction)
        long = [[1, 1, 2], [1, 2, 1, 2, 1], [2], [2, 2]]
        yield torch_case("too long targets become 0", 4, 3, long, [4, 4, 1, 2], reduction, zero_infinity=True)
        yield torch_case("the last class is the blank", 8, 4, [[0, 0, 1], [2]], [8, 5], reduction, blank=3)
    rng = rng_of("labels")
    many = [list(map(int, rng.integers(1, 20, n))) for n in (25, 17)]
    yield torch_case("20 classes and 80 steps", 80, 20, many, [80, 50], "mean")
    yield torch_case("large logits", 40, 6, [[1, 2, 3, 4, 5], [5, 5, 5]], None, "none", scale=20)
    yield keras_case("the loss of Keras", 10, 6, [[1, 2, 3], [5], [4, 4, 1, 2]])


def rate_case(name, T, C, targets, lengths, blank=0):
    scores = normal(rng_of(name), len(targets), T, C)
    paths = [scores[b, :n].argmax(-1) for b, n in enumerate(lengths)]
    decoded = [[k for k, _ in groupby(path) if k != blank] for path in paths]
    words = [[" ".join(map(str, labels)) for labels in rows] for rows in (targets, decoded)]
    return {
        **{"name": name, "options": {"blank": blank, "padding": -1}},
        **{"logits": pack(scores), "lengths": lengths, "target": pack(padded(targets, -1))},
        "value": jiwer.wer(*words),
    }


def rates():
    rng = rng_of("rates")
    targets = [list(map(int, rng.integers(1, 4, n))) for n in (5, 1, 9, 4)]
    yield rate_case("4 classes", 10, 4, targets, [10, 3, 10, 6])
    yield rate_case("the last class is the blank", 12, 5, [[0, 1, 2], [3, 3, 0, 1]], [12, 7], blank=4)


enc.write("ctc.json", "ctc.py", list(losses()), rates=list(rates()), jiwer=version("jiwer"))
