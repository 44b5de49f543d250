"""training/metrics.json: metrics, plain, with a mask and with weights.

`value` is computed by scikit-learn if it has the metric, otherwise by Keras, or by a formula if neither has it; `source` names the
library, or is "formula".
Tests compare with `value`. If Keras has the metric, too, `kerasValue` is its result for the entries that are not masked (training.md
says how Keras treats masks).

In every metric, the weight of an entry is w * mask, and a mean is the weighted sum divided by the sum of w * mask. The case
stores the full tensors. Before a metric is computed, masked rows are removed and the others are flattened to [N, K].
"""

import training_encoding as enc
from training_encoding import float32, keras, normal, np, pack, rng_of, torch
from training_losses import MASK, softmax

from sklearn import metrics as sk

M = keras.metrics
B, T, K = *MASK.shape, 4

# ---- data of shape [*rows, K] or [*rows] --------------------------------------------------------


def multiclass(rng, rows):
    """Returns class probabilities that are better than chance, and the true class ids, in which every class occurs."""
    ids = rng.permutation(np.arange(np.prod(rows)) % K).reshape(rows)
    z = normal(rng, *rows, K, scale=1.5) + 1.2 * np.eye(K, dtype=np.float32)[ids]
    return softmax(z), ids.astype(np.float32)


def yes_no(rng, rows):
    """Returns probabilities and labels in {0, 1}; two probabilities are exactly at the threshold."""
    y = rng.permutation(np.arange(np.prod(rows)) % 2).reshape(rows).astype(np.float32)
    p = 1 / (1 + np.exp(-(normal(rng, *rows) + 2 * y - 1)))
    p.flat[:2] = 0.5
    return p.astype(np.float32), y


def tied(rng, rows):
    """Returns scores rounded to a coarse grid, so that some positives and negatives have equal scores."""
    p, y = yes_no(rng, rows)
    return np.round(p * 5).astype(np.float32) / 5, y


def regression(rng, rows):
    y = normal(rng, *rows, 3, scale=2) + np.array([0, 5, -3], np.float32)
    return y + normal(rng, *rows, 3, scale=0.8), y


# ---- metrics: (prediction [N, ..], target [N, ..], weights [N] or None, options) -> value --------


def one_hot(ids):
    return np.eye(K, dtype=np.float32)[ids.astype(int)]


def keras_value(metric, y, p, w):
    metric.update_state(y, p, sample_weight=w)
    return metric.result()


def class_of(p):
    return p.argmax(-1)


def accuracy(p, y, w, o):
    if p.ndim == 1:  # binary: predictions above the threshold, but not at it, are 1
        keras_metric = M.BinaryAccuracy(threshold=o["threshold"])
        return sk.accuracy_score(y, p > o["threshold"], sample_weight=w), keras_value(keras_metric, y, p, w)
    keras_metric = M.SparseCategoricalAccuracy()
    return sk.accuracy_score(y, class_of(p), sample_weight=w), keras_value(keras_metric, y, p, w)


def top_k(p, y, w, o):
    keras_result = keras_value(M.SparseTopKCategoricalAccuracy(k=o["k"]), y, p, w)
    value = sk.top_k_accuracy_score(y, p, k=o["k"], sample_weight=w, labels=range(K))
    return value, keras_result


def top_k_ties(p, y, w, o):
    """Keras counts a class with the same score as the k-th best; scikit-learn breaks ties by the class number."""
    return keras_value(M.SparseTopKCategoricalAccuracy(k=o["k"]), y, p, w), None


def score(sklearn_score, keras_class, average):
    """Returns a function that computes precision, recall or F1, of class 1 or averaged over classes; 0 for a class that is not predicted."""

    def value(p, y, w, o):
        if average is None:
            is_predicted = p > o["threshold"]
            exact = sklearn_score(y, is_predicted, sample_weight=w, zero_division=0)
            if keras_class is M.F1Score:
                return exact, keras_value(keras_class(threshold=o["threshold"]), y[:, None], p[:, None], w)[0]
            return exact, keras_value(keras_class(thresholds=o["threshold"]), y, p, w)
        exact = sklearn_score(y, class_of(p), average=average, sample_weight=w, zero_division=0, labels=range(K))
        if keras_class is not M.F1Score:
            return exact, None  # Keras cannot average these over classes
        return exact, keras_value(keras_class(average=average), one_hot(y), p, w)

    return value


def auc(p, y, w, o):
    return sk.roc_auc_score(y, p, sample_weight=w), keras_value(M.AUC(num_thresholds=200), y, p, w)


def confusion(p, y, w, o):
    """Rows are the true class, columns the predicted one."""
    return sk.confusion_matrix(y, class_of(p), labels=range(K), sample_weight=w).astype(np.float32), None


def mae(p, y, w, o):
    return sk.mean_absolute_error(y, p, sample_weight=w), keras_value(M.MeanAbsoluteError(), y, p, w)


def rmse(p, y, w, o):
    """The root of the mean over all entries. (The function of scikit-learn averages the roots of the columns.)"""
    keras_result = keras_value(M.RootMeanSquaredError(), y, p, None if w is None else w[:, None])
    return np.sqrt(sk.mean_squared_error(y, p, sample_weight=w)), keras_result


def r2(p, y, w, o):
    """The unweighted mean over the columns of 1 - residual sum of squares / total sum of squares."""
    return sk.r2_score(y, p, sample_weight=w), keras_value(M.R2Score(), y, p, w)


def perplexity(p, y, w, o):
    """The exponential of the mean negative log-likelihood of the targets, from probabilities or from logits."""
    p = torch.tensor(p, dtype=torch.float64)
    log_p = torch.log_softmax(p, -1) if o["fromLogits"] else torch.log(p)
    nll = -log_p.numpy()[np.arange(len(y)), y.astype(int)]
    return np.exp(np.average(nll, weights=w)), None


def logits(rng, rows):
    p, ids = multiclass(rng, rows)
    return np.log(p) + normal(rng, *rows, 1), ids


def with_ties(rng, rows):
    p, ids = multiclass(rng, rows)
    return np.round(p * 4).astype(np.float32) / 4, ids


COLUMNS = ("mae", "rmse", "r2")  # targets of these metrics are [*rows, K], of the others [*rows]

# name, metric, options, data, compute, source
METRICS = [
    ("accuracy, binary", "accuracy", {"threshold": 0.5}, yes_no, accuracy, "scikit-learn"),
    ("accuracy, binary, threshold 0.3", "accuracy", {"threshold": 0.3}, yes_no, accuracy, "scikit-learn"),
    ("accuracy, classes", "accuracy", {}, multiclass, accuracy, "scikit-learn"),
    ("topK 1", "topKAccuracy", {"k": 1}, multiclass, top_k, "scikit-learn"),
    ("topK 3", "topKAccuracy", {"k": 3}, multiclass, top_k, "scikit-learn"),
    ("topK 1, ties", "topKAccuracy", {"k": 1}, with_ties, top_k_ties, "keras"),
    ("topK 2, ties", "topKAccuracy", {"k": 2}, with_ties, top_k_ties, "keras"),
    ("auc", "auc", {}, yes_no, auc, "scikit-learn"),
    ("auc, ties", "auc", {}, tied, auc, "scikit-learn"),
    ("confusionMatrix", "confusionMatrix", {"classes": K}, multiclass, confusion, "scikit-learn"),
    ("mae", "mae", {}, regression, mae, "scikit-learn"),
    ("rmse", "rmse", {}, regression, rmse, "scikit-learn"),
    ("r2", "r2", {}, regression, r2, "scikit-learn"),
    ("perplexity", "perplexity", {"fromLogits": False}, multiclass, perplexity, "formula"),
    ("perplexity, logits", "perplexity", {"fromLogits": True}, logits, perplexity, "formula"),
]
FROM_COUNTS = (
    ("precision", sk.precision_score, M.Precision),
    ("recall", sk.recall_score, M.Recall),
    ("f1", sk.f1_score, M.F1Score),
)
for metric, sklearn_score, keras_class in FROM_COUNTS:
    binary = score(sklearn_score, keras_class, None)
    METRICS.append((f"{metric}, binary", metric, {"threshold": 0.5}, yes_no, binary, "scikit-learn"))
    for average in ("macro", "micro"):
        compute = score(sklearn_score, keras_class, average)
        options = {"average": average}
        METRICS.append((f"{metric}, {average}", metric, options, multiclass, compute, "scikit-learn"))

# ---- cases --------------------------------------------------------------------------------------


def case(name, metric, options, prediction, target, compute, source, mask=None, weights=None):
    rows = target.shape[:-1] if metric in COLUMNS else target.shape
    keep = np.ones(rows, bool) if mask is None else mask > 0
    drop = lambda a: None if a is None else a[keep]
    value, kerasValue = compute(drop(prediction), drop(target), drop(weights), options)
    return {
        "name": name, "metric": metric, "source": source, "options": options,
        "prediction": pack(prediction), "target": pack(target),
        **({} if mask is None else {"mask": pack(mask)}),
        **({} if weights is None else {"sampleWeights": pack(weights)}),
        "value": pack(value) if np.ndim(value) else float32(value) if source == "keras" else float(value),
        **({} if kerasValue is None else {"kerasValue": float32(kerasValue)}),
    }  # fmt: skip


def cases():
    for name, metric, options, data, compute, source in METRICS:
        for situation in ("rows", "rows weights", "sequence mask", "sequence mask temporal weights"):
            rng = rng_of(f"{name} {situation}")
            rows = (B, T) if "sequence" in situation else (12,)
            prediction, target = data(rng, rows)
            weights = rng.uniform(0.2, 3, rows).astype(np.float32) if "weights" in situation else None
            mask = MASK if "mask" in situation else None
            yield case(f"{name} {situation}", metric, options, prediction, target, compute, source, mask, weights)
    yield from edge_cases()


def edge_cases():
    nothing = np.array([0.1, 0.2, 0.3, 0.4], np.float32)
    some = np.array([0, 1, 0, 1], np.float32)
    for metric, sklearn_score, keras_class in FROM_COUNTS:
        compute = score(sklearn_score, keras_class, None)
        options = {"threshold": 0.5}
        yield case(f"edge: {metric}, nothing predicted", metric, options, nothing, some, compute, "scikit-learn")
        no = np.zeros(4, np.float32)
        yield case(f"edge: {metric}, nothing true", metric, options, 1 - nothing, no, compute, "scikit-learn")
        absent = np.array([0, 0, 1, 1, 1], np.float32)  # classes 2 and 3 neither occur nor are predicted
        p = softmax(np.array([[3, 1, 0, 0], [1, 3, 0, 0], [0, 2, 1, 0], [2, 1, 0, 0], [0, 3, 0, 0]], np.float32))
        compute = score(sklearn_score, keras_class, "macro")
        yield case(f"edge: {metric}, absent classes", metric, {"average": "macro"}, p, absent, compute, "scikit-learn")
    perfect = np.array([0.1, 0.2, 0.8, 0.9], np.float32)
    for word, y in (("perfect", [0, 0, 1, 1]), ("inverted", [1, 1, 0, 0])):
        yield case(f"edge: auc, {word}", "auc", {}, perfect, np.array(y, np.float32), auc, "scikit-learn")
    same = np.full(4, 0.7, np.float32)
    yield case("edge: auc, one score for all", "auc", {}, same, some, auc, "scikit-learn")
    y = np.full((4, 1), 2, np.float32)
    wrong = y + np.array([[0], [1], [0], [-1]], np.float32)
    yield case("edge: r2, constant target", "r2", {}, wrong, y, r2, "scikit-learn")
    yield case("edge: r2, constant target, exact", "r2", {}, y, y, r2, "scikit-learn")


def write():
    enc.write("metrics.json", "training_metrics.py", list(cases()))
