"""Golden test vectors of the recurrent layers, from Keras 3 (torch backend) and PyTorch.

    python tools/goldens/recurrent.py [name ...]     names of files, such as lstm or gru-table; default: all files

The script writes packages/testkit/goldens/recurrent/*.json; README.md beside this file describes the format. The random
numbers of a case are seeded by its name, so adding a case does not change the others.

Conventions (README.md says more):
  B batch, T time steps, I inputs, H units; every tensor is row-major float32.
  loss = sum over k of sum(outputs[k] * outputWeights[k]), so each output and state gets a different
  random upstream gradient.
  Keras runs eagerly with unroll=False and use_cudnn=False, so it always uses its generic time loop
  (keras/src/backend/torch/rnn.py, function rnn) and never a fused kernel.
"""

import os

os.environ["KERAS_BACKEND"] = "torch"
os.environ["KERAS_TORCH_DEVICE"] = "cpu"  # always compute on the CPU
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import base64
import itertools
import json
import platform
import sys
import zlib
from pathlib import Path

import keras
import numpy as np
import torch

torch.set_num_threads(1)  # the number of threads changes the order of summation, and thereby the last bits
keras.config.set_floatx("float32")

OUT = Path(__file__).resolve().parents[2] / "packages" / "testkit" / "goldens" / "recurrent"
STATES = {"rnn": 1, "lstm": 2, "gru": 1}  # states per direction: h, or h and c
GATES = {"rnn": 1, "lstm": 4, "gru": 3}  # Keras's order: lstm i f c o, gru z r h

# ---- tensors ------------------------------------------------------------------------------------


def rng_of(name):
    return np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))


def normal(rng, *shape):
    return rng.standard_normal(shape).astype(np.float32)


def uniform(rng, shape, fan):
    """Draws weights in [-limit, limit], where a large fan-in gives a smaller limit, so that gates do not stay saturated."""
    limit = min(0.5, 2 / np.sqrt(fan))
    return rng.uniform(-limit, limit, shape).astype(np.float32)


def array(t):
    return t.detach().numpy() if isinstance(t, torch.Tensor) else np.asarray(t)


def pack(t):
    data = np.ascontiguousarray(array(t), dtype="<f4")
    return {"shape": list(data.shape), "data": base64.b64encode(data.tobytes()).decode()}


def leaf(a):
    return torch.tensor(a, requires_grad=True)


def loss_and_gradients(outputs, output_weights, wanted):
    """Returns the gradients of the loss with respect to each tensor of `wanted`; zeros if the loss does not depend on it."""
    loss = sum((y * torch.tensor(w)).sum() for y, w in zip(outputs, output_weights, strict=True))
    grads = torch.autograd.grad(loss, wanted, allow_unused=True)
    return [torch.zeros_like(v) if g is None else g for v, g in zip(wanted, grads)]


# ---- inputs of a recurrent case -----------------------------------------------------------------

DEFAULTS = dict(
    activation="tanh", recurrentActivation="sigmoid", useBias=True, resetAfter=True, returnSequences=True,
    returnState=True, goBackwards=False, zeroOutputForMask=False, bidirectional=None,
)  # fmt: skip


def options_of(cell, **changes):
    options = DEFAULTS | changes
    if cell == "rnn":
        del options["recurrentActivation"]
    if cell != "gru":
        del options["resetAfter"]
    return options


def mask_of(kind, rng, B, T):
    """Returns a mask [B, T], 1 for valid steps. Except for the kind wholeRow, each row has at least one valid step."""
    if kind is None:
        return None
    m = np.ones((B, T), np.float32)
    if kind in ("right", "left"):
        for b in range(B):  # row 0 is short; the last row has no padding
            padding = T - 1 if B == 1 else (T - 2 if b == 0 else 0 if b == B - 1 else int(rng.integers(1, T)))
            if padding:
                m[b, slice(-padding, None) if kind == "right" else slice(padding)] = 0
    elif kind == "holes":
        m = (rng.random((B, T)) < 0.6).astype(np.float32)
        m[:, T // 2] = 0  # every row has a gap
        m[:, T // 2 - 1] = 1  # after a valid step
        m[:, T - 1] = 1
        m[0, 0], m[-1, 0] = 0, 1  # the first row also begins with a masked step, the last row does not
        m[-1, T - 1] = 0  # the last row ends with a masked step
    elif kind == "wholeRow":
        m[0] = 0
        if B > 2:
            m[1, T - 2 :] = 0
        m[-1, T // 2] = 0
    return m


def inputs_of(name, cell, B, T, I, H, options, mask=None, initial=False, dropout=()):
    """Draws the inputs and weights of a case as NumPy arrays. Lists contain the arrays of the directions, one after the other.

    Also returns the generator, which then draws outputWeights.
    """
    rng = rng_of(name)
    directions = 2 if options["bidirectional"] else 1
    drawn = {"x": normal(rng, B, T, I), "mask": mask_of(mask, rng, B, T)}
    weights = []
    for d in ["forward/", "backward/"] if directions == 2 else [""]:
        G = GATES[cell]
        weights.append((d + "kernel", uniform(rng, (I, G * H), I)))
        weights.append((d + "recurrent_kernel", uniform(rng, (H, G * H), H)))
        if options["useBias"]:
            shape = (2, G * H) if cell == "gru" and options["resetAfter"] else (G * H,)
            weights.append((d + "bias", uniform(rng, shape, 1)))
    if initial:
        drawn["initialState"] = [normal(rng, B, H) * np.float32(0.7) for _ in range(directions * STATES[cell])]
    for key, width in (("dropoutMask", I), ("recurrentDropoutMask", H)):
        if key in dropout:  # inverted dropout of rate 1/4: the mask holds 0 and 4/3
            drawn[key] = [(rng.random((B, width)) < 0.75).astype(np.float32) / np.float32(0.75) for _ in range(directions)]
    return drawn, weights, rng


# ---- Keras --------------------------------------------------------------------------------------

KERAS_CLASS = {"rnn": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
KERAS_NAME = {
    "activation": "activation", "recurrentActivation": "recurrent_activation", "useBias": "use_bias",
    "resetAfter": "reset_after", "returnSequences": "return_sequences", "returnState": "return_state",
    "goBackwards": "go_backwards", "zeroOutputForMask": "zero_output_for_mask",
}  # fmt: skip


def keras_layer(cell, I, H, options, weights, dropout):
    kwargs = {KERAS_NAME[k]: v for k, v in options.items() if k != "bidirectional"}
    if cell != "rnn":
        kwargs["use_cudnn"] = False
    # The rates only switch Keras's dropout on; inject_dropout replaces its masks.
    if "dropoutMask" in dropout:
        kwargs["dropout"] = 0.25
    if "recurrentDropoutMask" in dropout:
        kwargs["recurrent_dropout"] = 0.25
    layer = KERAS_CLASS[cell](H, unroll=False, **kwargs)
    if options["bidirectional"]:
        merge = None if options["bidirectional"] == "none" else options["bidirectional"]
        layer = keras.layers.Bidirectional(layer, merge_mode=merge)
        # Bidirectional sets zero_output_for_mask to return_sequences, even if the caller sets another value.
        assert options["zeroOutputForMask"] == options["returnSequences"]
    layer.build((None, None, I))
    assert [w.name for w in layer.weights] == [n.split("/")[-1] for n, _ in weights]
    layer.set_weights([w for _, w in weights])
    return layer


def inject_dropout(layer, drawn):
    """Writes the masks of the case into the attributes in which the cell caches its dropout masks.

    With recurrent dropout, Keras's cells run implementation 1, with one mask per gate in a list. Here all
    gates get the same mask, as in implementation 2. The masks apply only where x and h' (the previous h) are
    multiplied by weights: the term z * h' of the GRU, and masked steps, use h' without dropout.
    """
    cells = [layer.cell] if hasattr(layer, "cell") else [layer.forward_layer.cell, layer.backward_layer.cell]
    for key, attribute in (("dropoutMask", "_dropout_mask"), ("recurrentDropoutMask", "_recurrent_dropout_mask")):
        for cell, m in zip(cells, drawn.get(key, ())):
            gates = getattr(cell, "dropout_mask_count", None)
            setattr(cell, attribute, torch.tensor(m) if gates is None else [torch.tensor(m)] * gates)


def run_keras(cell, I, H, options, drawn, weights):
    """Returns the outputs, and a function that maps outputWeights to the gradients (x, initialState, weights)."""
    layer = keras_layer(cell, I, H, options, weights, [k for k in drawn if "ropout" in k])
    inject_dropout(layer, drawn)
    x, states = leaf(drawn["x"]), [leaf(s) for s in drawn.get("initialState", ())]
    outputs = layer(
        x,
        mask=None if drawn["mask"] is None else torch.tensor(drawn["mask"] > 0),
        initial_state=states or None,
        training=True,  # only switches dropout on
    )
    outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]

    def gradients(output_weights):
        wanted = [x, *states, *(w.value for w in layer.weights)]
        g = loss_and_gradients(outputs, output_weights, wanted)
        return g[0], g[1 : 1 + len(states)], g[1 + len(states) :]

    return outputs, gradients


# ---- PyTorch ------------------------------------------------------------------------------------

TORCH_CLASS = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}


def swap_zr(a, H):
    """Converts Keras's z, r, h to PyTorch's r, z, n along the last axis, or back (the swap is its own inverse)."""
    return np.concatenate([a[..., H : 2 * H], a[..., :H], a[..., 2 * H :]], axis=-1)


def to_torch(cell, H, kernel, recurrent, bias):
    """Converts Keras's weights of one direction to weight_ih, weight_hh, bias_ih, bias_hh.

    The LSTM and the RNN have one bias in Keras: it becomes bias_ih, and bias_hh is zero. The two rows of
    the GRU's bias become bias_ih and bias_hh.
    """
    if cell == "gru":
        kernel, recurrent, bias = swap_zr(kernel, H), swap_zr(recurrent, H), None if bias is None else swap_zr(bias, H)
    if bias is None:
        return [kernel.T, recurrent.T]
    return [kernel.T, recurrent.T, *(bias if cell == "gru" else (bias, np.zeros_like(bias)))]


def from_torch(cell, H, tensors):
    """Converts gradients from PyTorch's layout to Keras's. The bias_hh of the LSTM and the RNN is dropped."""
    ih, hh, *biases = [array(t) for t in tensors]
    result = [ih.T, hh.T]
    if biases:
        result.append(np.stack(biases) if cell == "gru" else biases[0])
    return [swap_zr(a, H) for a in result] if cell == "gru" else result


def torch_can(cell, options, mask, dropout):
    """Returns whether PyTorch can compute the case. PyTorch can mask only right padding, where its outputs are zero."""
    return (
        (options["activation"] == "tanh" or (cell == "rnn" and options["activation"] == "relu"))
        and options.get("recurrentActivation", "sigmoid") == "sigmoid"
        and options.get("resetAfter", True)  # PyTorch's GRU always applies the reset gate after the matrix product
        and not dropout  # PyTorch has dropout only between layers
        # The output of a packed sequence is zero after its end. Without returnSequences, the output of
        # Bidirectional is the final h, which PyTorch returns as h_n.
        and (mask is None or (mask == "right" and (options["zeroOutputForMask"] or options["bidirectional"])))
    )


def torch_module(cell, I, H, options, weights, layers=1):
    """Returns a PyTorch module with the given weights, which are in Keras's layout, and its parameters by layer and direction."""
    bi = bool(options["bidirectional"]) or options["goBackwards"]
    extra = {"nonlinearity": options["activation"]} if cell == "rnn" else {}
    module = TORCH_CLASS[cell](
        I, H, layers, bias=options["useBias"], batch_first=True, bidirectional=bi, **extra,
    )  # fmt: skip
    suffixes = [f"_l{k}{d}" for k in range(layers) for d in (["", "_reverse"] if bi else [""])]
    if options["goBackwards"]:  # PyTorch has no backward layer: use the reverse direction of a bidirectional one
        suffixes = ["_l0_reverse"]
    names = ["weight_ih", "weight_hh"] + (["bias_ih", "bias_hh"] if options["useBias"] else [])
    groups = [[getattr(module, n + s) for n in names] for s in suffixes]
    per = 3 if options["useBias"] else 2
    with torch.no_grad():
        for i, group in enumerate(groups):
            kernel, recurrent, *bias = [w for _, w in weights[i * per : (i + 1) * per]]
            for parameter, value in zip(group, to_torch(cell, H, kernel, recurrent, bias[0] if bias else None), strict=True):
                parameter.copy_(torch.tensor(np.ascontiguousarray(value)))
    return module, groups


def torch_forward(cell, module, x, states, mask, backward_only=False):
    """Returns the output [B, T, directions * H] and the final states, one list [h] or [h, c] per layer and direction.

    states: a flat list in the same order. backward_only: the unused forward direction gets zeros as states
    """
    S = STATES[cell]
    h0 = None
    if states:
        stacked = []
        for s in range(S):  # PyTorch takes [layers * directions, B, H] for h and for c
            own = states[s::S]
            stacked.append(torch.stack([torch.zeros_like(own[0]), *own] if backward_only else own))
        h0 = tuple(stacked) if S == 2 else stacked[0]
    if mask is None:
        y, final = module(x, h0)
    else:
        lengths = torch.tensor(mask.sum(1).astype(np.int64))
        packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        y, final = module(packed, h0)
        y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])
    final = final if S == 2 else (final,)
    return y, [[f[i] for f in final] for i in range(final[0].shape[0])]


MERGE = {
    "concat": lambda a, b: [torch.cat([a, b], -1)],
    "sum": lambda a, b: [a + b],
    "ave": lambda a, b: [(a + b) / 2],
    "mul": lambda a, b: [a * b],
    "none": lambda a, b: [a, b],
}


def run_torch(cell, I, H, options, drawn, weights):
    """Like run_keras, with PyTorch's layer; the results are arranged like Keras's outputs."""
    backward = options["goBackwards"]
    module, groups = torch_module(cell, I, H, options, weights)
    x, states = leaf(drawn["x"]), [leaf(s) for s in drawn.get("initialState", ())]
    y, final = torch_forward(cell, module, x, states, drawn["mask"], backward_only=backward)
    sequences = options["returnSequences"]
    if options["bidirectional"]:
        # Without returnSequences, Keras merges the final h of both directions (that of the backward layer is at step 0).
        ends = (y[..., :H], y[..., H:]) if sequences else (final[0][0], final[1][0])
        outputs = MERGE[options["bidirectional"]](*ends)
    else:
        if backward:  # Keras returns the steps in the order of processing, y has the order of the input
            y, final = torch.flip(y[..., H:], [1]), final[1:]
        outputs = [y if sequences else y[:, -1]]  # zero for padded rows, as with zero_output_for_mask
    if options["returnState"]:
        outputs += [s for direction in final for s in direction]

    def gradients(output_weights):
        wanted = [x, *states, *itertools.chain(*groups)]
        g = loss_and_gradients(outputs, output_weights, wanted)
        per = len(groups[0])
        rest = g[1 + len(states) :]
        converted = [w for i in range(len(groups)) for w in from_torch(cell, H, rest[i * per : (i + 1) * per])]
        return g[0], g[1 : 1 + len(states)], converted

    return outputs, gradients


# ---- cases --------------------------------------------------------------------------------------

RUN = {"keras": run_keras, "pytorch": run_torch}


def close(a, b, tolerance):
    a, b = array(a), array(b)
    return a.shape == b.shape and np.abs(a - b).max(initial=0) <= tolerance * max(1, np.abs(b).max(initial=0))


def recurrent_case(source, name, cell, size, mask=None, initial=False, dropout=(), **changes):
    """Returns a case. The name is the seed, so cases of both sources with the same name have the same inputs."""
    B, T, I, H = size
    options = options_of(cell, **changes)
    drawn, weights, rng = inputs_of(name, cell, B, T, I, H, options, mask, initial, dropout)
    outputs, gradients = RUN[source](cell, I, H, options, drawn, weights)
    output_weights = [normal(rng, *y.shape) for y in outputs]
    gx, gs, gw = gradients(output_weights)

    if source == "keras" and torch_can(cell, options, mask, dropout):  # the results of both libraries must agree
        outputs2, gradients2 = run_torch(cell, I, H, options, drawn, weights)
        gx2, gs2, gw2 = gradients2(output_weights)
        pairs = zip([*outputs, gx, *gs, *gw], [*outputs2, gx2, *gs2, *gw2], strict=True)
        assert all(close(a, b, 2e-6) for a, b in pairs), f"{name}: Keras and PyTorch differ"
    if mask and options["returnSequences"] and not options["bidirectional"]:
        # Before the first valid step of a row (in the order of processing), the output is zero even if the
        # initial state is not.
        order = drawn["mask"][:, ::-1] if options["goBackwards"] else drawn["mask"]
        leading = np.cumsum(order, 1) == 0
        assert not array(outputs[0])[leading].any(), f"{name}: a leading masked step is not zero"
    assert all(np.isfinite(array(t)).all() and array(t).any() for t in [*outputs, gx, *gs, *gw]), f"{name}: degenerate"

    per_direction = lambda masks: [pack(m) for m in masks] if options["bidirectional"] else pack(masks[0])
    inputs = {"x": pack(drawn["x"])}
    if mask:
        inputs["mask"] = pack(drawn["mask"])
    if initial:
        inputs["initialState"] = [pack(s) for s in drawn["initialState"]]
    for key in dropout:
        inputs[key] = per_direction(drawn[key])
    inputs["outputWeights"] = [pack(w) for w in output_weights]
    return {
        "name": f"{source}/{cell}/{name}", "source": source, "cell": cell, "B": B, "T": T, "I": I, "H": H,
        "options": options, "maskKind": mask, "inputs": inputs,
        "weights": [{"name": n, "tensor": pack(w)} for n, w in weights],
        "outputs": [pack(y) for y in outputs],
        "gradients": {"x": pack(gx), "initialState": [pack(g) for g in gs], "weights": [pack(g) for g in gw]},
    }  # fmt: skip


def lstm_cases():
    """Returns cases with few options, to test a kernel first."""

    def case(name, size=(3, 5, 4, 6), source="keras", **kw):
        return recurrent_case(source, name, "lstm", size, **kw)

    sizes = [(3, 5, 4, 6), (2, 7, 3, 17), (7, 4, 33, 20), (1, 9, 1, 32), (13, 3, 5, 64)]
    cases = [case("plain-" + "x".join(map(str, s)), s) for s in sizes]
    cases += [
        case("relu", activation="relu"),
        case("hard-sigmoid-gates", recurrentActivation="hard_sigmoid"),
        case("no-bias", useBias=False),
        case("initial-states", initial=True),
        case("go-backwards", initial=True, goBackwards=True),
        case("last-only", returnSequences=False, returnState=False),
    ]
    # With initial states, because without them masked rows and leading masked steps are zero by any rule.
    cases += [case(f"mask-{kind}", initial=True, mask=kind) for kind in ("right", "left", "holes", "wholeRow")]
    cases += [
        case("mask-holes-backwards", initial=True, mask="holes", goBackwards=True),
        case("mask-holes-zero-output", initial=True, mask="holes", zeroOutputForMask=True),
        case("plain-3x5x4x6", source="pytorch"),
        case("plain-2x7x3x17", (2, 7, 3, 17), source="pytorch"),
        case("initial-states", source="pytorch", initial=True),
        case("packed", source="pytorch", initial=True, mask="right", zeroOutputForMask=True),
    ]
    return cases


# ---- all pairs ----------------------------------------------------------------------------------

FACTORS = {
    "activation": ["tanh", "relu", "sigmoid", "hard_sigmoid", "linear"],
    "recurrentActivation": ["sigmoid", "hard_sigmoid", "tanh"],  # gates need bounded functions
    "useBias": [True, False],
    "resetAfter": [True, False],
    "initial": [True, False],
    "mask": [None, "right", "left", "holes", "wholeRow"],
    "direction": ["forward", "goBackwards", "bidirectional"],
    "size": [(3, 5, 4, 6), (2, 6, 3, 17), (5, 4, 7, 9)],  # 17 and 9 units: one more than the floats in a SIMD vector (16 or 8)
    "returns": ["last", "sequences", "last+state", "sequences+state"],
    "merge": ["concat", "sum", "ave", "mul", "none", "-"],
    "zeroOutputForMask": [True, False],
    "dropout": ["none", "input", "recurrent", "both"],
}
DROPOUT = {
    "none": (), "input": ("dropoutMask",), "recurrent": ("recurrentDropoutMask",),
    "both": ("dropoutMask", "recurrentDropoutMask"),
}  # fmt: skip


def allowed(row):
    """Returns whether a row, which may be incomplete, can be a case."""
    have = row.keys()
    # Only bidirectional layers have a merge mode ("-": no merge mode).
    if {"direction", "merge"} <= have and (row["direction"] == "bidirectional") != (row["merge"] != "-"):
        return False
    # Keras's Bidirectional sets zero_output_for_mask to return_sequences, so no other value can occur.
    if {"merge", "returns", "zeroOutputForMask"} <= have and row["merge"] != "-":
        return row["zeroOutputForMask"] == row["returns"].startswith("sequences")
    return True


def cost(row):
    """Estimates the size of a case: weights, their gradients and outputs."""
    B, T, I, H = row.get("size", FACTORS["size"][0])
    return ((I + H + 2) * H + B * T * H) * (2 if row.get("merge", "-") != "-" else 1)


def all_pairs(factors, seed):
    """Returns rows in which every allowed pair of values of two factors occurs (pairwise testing).

    Each round draws 100 candidates and keeps the one with the most new pairs per byte (greedy weighted
    set cover). A candidate begins with a pair that does not occur yet, and fills the other factors in random
    order by the same rule. On a tie, the earlier value is chosen: factors list plain values first.
    """
    rng = rng_of(seed)
    pairs_of = lambda row: {frozenset(p) for p in itertools.combinations(row.items(), 2)}
    values = [[(f, v) for v in vs] for f, vs in factors.items()]
    pairs = [p for a, b in itertools.combinations(values, 2) for p in itertools.product(a, b)]
    uncovered = {frozenset(p): p for p in pairs if allowed(dict(p))}  # a dict, because it has a fixed order

    def candidate():
        row = dict(list(uncovered.values())[rng.integers(len(uncovered))])
        for i in rng.permutation(len(factors)):
            factor = list(factors)[i]
            if factor not in row:
                choices = [c for c in (row | {factor: v} for v in factors[factor]) if allowed(c)]
                if not choices:
                    return None  # no value is allowed together with the others
                gain = lambda c: sum(frozenset([(factor, c[factor]), kv]) in uncovered for kv in row.items())
                row = max(choices, key=lambda c: gain(c) / cost(c))
        return row

    rows = []
    while uncovered:
        drawn = [c for c in (candidate() for _ in range(100)) if c]
        assert drawn, f"no allowed row covers any of {list(uncovered.values())[:5]}"
        best = max(drawn, key=lambda c: len(pairs_of(c) & uncovered.keys()) / cost(c))
        for p in pairs_of(best):
            uncovered.pop(p, None)
        rows.append({f: best[f] for f in factors})
    return rows


def table_row(source, cell, row, number):
    changes = {k: row[k] for k in ("activation", "recurrentActivation", "useBias", "resetAfter") if k in row}
    dropout = row.get("dropout", "none")
    words = [
        f"{number:02}", row.get("activation", ""), row.get("recurrentActivation", ""), row["direction"], row["merge"],
        row["mask"] or "no-mask", row["returns"], "" if dropout == "none" else f"drop-{dropout}",
    ]  # fmt: skip
    return recurrent_case(
        source, "-".join(w for w in words if w not in ("", "-")), cell, row["size"],
        mask=row["mask"], initial=row["initial"], dropout=DROPOUT[dropout],
        returnSequences=row["returns"].startswith("sequences"), returnState=row["returns"].endswith("state"),
        goBackwards=row["direction"] == "goBackwards", bidirectional=None if row["merge"] == "-" else row["merge"],
        zeroOutputForMask=row["zeroOutputForMask"], **changes,
    )  # fmt: skip


def table_cases(cell):
    """Returns Keras cases with all pairs of the options, and PyTorch cases with all pairs of the options that PyTorch has.

    If PyTorch can compute a row of the Keras cases, this row also gives a PyTorch case.
    """
    absent = {"rnn": ["recurrentActivation", "resetAfter"], "lstm": ["resetAfter"], "gru": []}[cell]
    factors = {f: v for f, v in FACTORS.items() if f not in absent}
    cases = []
    for i, row in enumerate(all_pairs(factors, f"{cell} table")):
        cases.append(table_row("keras", cell, row, i))
        changes = {k: row[k] for k in ("activation", "recurrentActivation", "resetAfter") if k in factors}
        options = options_of(cell, **changes) | {k: row[k] for k in ("zeroOutputForMask",)}
        options["bidirectional"] = None if row["merge"] == "-" else row["merge"]
        if torch_can(cell, options, row["mask"], DROPOUT[row["dropout"]]):
            cases.append(table_row("pytorch", cell, row, i))
    factors = {f: FACTORS[f] for f in ("useBias", "initial", "direction")}
    factors |= {  # what PyTorch returns: sequences that are zero after their end, and states; concatenated directions
        "mask": [None, "right"], "zeroOutputForMask": [True], "returns": ["sequences+state"],
        "merge": ["concat", "-"], "size": FACTORS["size"][:1],
    }  # fmt: skip
    if cell == "rnn":
        factors["activation"] = ["tanh", "relu"]
    for i, row in enumerate(all_pairs(factors, f"{cell} pytorch table")):
        cases.append(table_row("pytorch", cell, row, 80 + i))
    return cases


# ---- other layers and small networks ------------------------------------------------------------


def extra(source, name, layer, options, inputs, weights, outputs, gradients, **more):
    """Returns a case of cells-extra.json, with named inputs and gradients of the same names."""
    packed = lambda v: [pack(t) for t in v] if isinstance(v, (list, tuple)) else pack(v)
    return {
        "name": f"{source}/{name}", "source": source, "layer": layer, "options": options,
        "inputs": {k: packed(v) for k, v in inputs.items()},
        "weights": [{"name": n, "tensor": pack(w)} for n, w in weights],
        "outputs": [pack(y) for y in outputs], "gradients": {k: packed(v) for k, v in gradients.items()},
        **{k: packed(v) for k, v in more.items()},
    }  # fmt: skip


def stacked_case(name, cell, bidirectional, mask=None, layers=2, size=(3, 5, 4, 6)):
    """Returns a case of PyTorch with several layers, without dropout between them; weights are in Keras's layout.

    States are a flat list in the order of PyTorch's h_n: layer 0 (forward, backward), layer 1, ...; for an
    LSTM, h and c of each. In Keras, these are consecutive layers that pass the mask on.
    """
    B, T, I, H = size
    rng = rng_of(name)
    options = options_of(cell, bidirectional="concat" if bidirectional else None, zeroOutputForMask=mask is not None)
    x, mask_value = normal(rng, B, T, I), mask_of(mask, rng, B, T)
    weights, G = [], GATES[cell]
    directions = ["forward/", "backward/"] if bidirectional else [""]
    for k, d in itertools.product(range(layers), directions):
        width = I if k == 0 else H * len(directions)
        weights.append((f"layer{k}/{d}kernel", uniform(rng, (width, G * H), width)))
        weights.append((f"layer{k}/{d}recurrent_kernel", uniform(rng, (H, G * H), H)))
        weights.append((f"layer{k}/{d}bias", uniform(rng, (2, G * H) if cell == "gru" else (G * H,), 1)))
    states = [normal(rng, B, H) for _ in range(layers * len(directions) * STATES[cell])]

    module, groups = torch_module(cell, I, H, options, weights, layers)
    xt, st = leaf(x), [leaf(s) for s in states]
    y, final = torch_forward(cell, module, xt, st, mask_value)
    outputs = [y, *(s for one in final for s in one)]
    output_weights = [normal(rng, *t.shape) for t in outputs]
    g = loss_and_gradients(outputs, output_weights, [xt, *st, *itertools.chain(*groups)])
    gw = g[1 + len(st) :]
    converted = [w for i in range(len(groups)) for w in from_torch(cell, H, gw[4 * i : 4 * i + 4])]
    inputs = {"x": x} | ({} if mask is None else {"mask": mask_value})
    inputs |= {"initialState": states, "outputWeights": output_weights}
    gradients = {"x": g[0], "initialState": g[1 : 1 + len(st)], "weights": converted}
    return extra("pytorch", name, "stacked", options | {"cell": cell, "layers": layers}, inputs, weights, outputs, gradients)


def keras_case(name, layer_name, layer, options, inputs, call, trained=("x",), after=None):
    """Returns a case of a Keras layer or model, which must be built.

    call(tensors) returns the outputs. trained: names of the inputs whose gradients are computed. after()
    returns further tensors for the case, after the call.
    """
    rng = rng_of(name)
    for w in layer.weights:
        if w.path.endswith("moving_variance"):
            value = rng.uniform(0.5, 2, w.shape)
        elif w.path.endswith(("gamma", "moving_mean")):
            value = rng.uniform(0.5, 1.5, w.shape)
        else:
            value = uniform(rng, w.shape, w.shape[0] if len(w.shape) == 2 else 1)
        w.assign(value.astype(np.float32))
    # The call may update moving statistics, so the weights before it are copied.
    short = lambda path: path.removeprefix("layer/").replace("lstm_cell/", "")
    weights = [(short(w.path), array(w.value).copy()) for w in layer.weights]
    tensors = {k: leaf(v) if k in trained else torch.tensor(v) for k, v in inputs.items()}
    outputs = call(tensors)
    outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    output_weights = [normal(rng, *y.shape) for y in outputs]
    variables = layer.trainable_variables
    wanted = [*(tensors[k] for k in trained), *(v.value for v in variables)]
    g = loss_and_gradients(outputs, output_weights, wanted)
    gradients = dict(zip(trained, g)) | {"weights": g[len(trained) :]}
    # Frozen weights (moving statistics) are the last of layer.weights, so gradients and weights have the same order.
    assert [short(v.path) for v in variables] == [n for n, _ in weights[: len(variables)]]
    inputs = inputs | {"outputWeights": output_weights}
    return extra("keras", name, layer_name, options, inputs, weights, outputs, gradients, **(after() if after else {}))


def encoder_decoder(name, mask=None):
    """Returns a case of an LSTM decoder that starts from the states of an LSTM encoder, with Dense(softmax)."""
    B, T, S, I, J, H, K = 3, 5, 4, 4, 3, 6, 5  # steps and features: T, I of the source, S, J of the target; K classes
    rng = rng_of(name + " inputs")
    keras.utils.clear_session()
    source, target = keras.Input((T, I), name="source"), keras.Input((S, J), name="target")
    sources, encoded = [source], source
    if mask:
        sources.append(keras.Input((T,), dtype="bool", name="mask"))
    _, h, c = keras.layers.LSTM(H, return_state=True, use_cudnn=False, name="encoder")(
        encoded, mask=sources[1] if mask else None
    )
    decoded = keras.layers.LSTM(H, return_sequences=True, use_cudnn=False, name="decoder")(target, initial_state=[h, c])
    probabilities = keras.layers.Dense(K, activation="softmax", name="dense")(decoded)
    model = keras.Model([*sources, target], probabilities)
    inputs = {"source": normal(rng, B, T, I), "target": normal(rng, B, S, J)}
    if mask:
        inputs["mask"] = mask_of(mask, rng, B, T)

    def call(t):
        return model([t["source"], *([t["mask"] > 0] if mask else []), t["target"]])

    return keras_case(name, "encoderDecoder", model, {"units": H, "classes": K}, inputs, call, ("source", "target"))


def one_layer(name, layer_name, make, options, x, mask=None, training=False, keep=()):
    """Returns a case of a Keras layer with one input and, if given, a mask. keep: weights to store after the call."""
    keras.utils.clear_session()  # so that earlier layers do not change the paths of the weights
    layer = make(name="layer")
    layer.build(x.shape)
    inputs = {"x": x} | ({} if mask is None else {"mask": mask})

    def call(t):
        kwargs = {"training": training} if layer._call_has_training_arg else {}
        return layer(t["x"], **kwargs, **({"mask": t["mask"] > 0} if mask is not None else {}))

    def after():
        # Unroll's names: movingMean, movingVariance
        return {n: array(getattr(layer, p).value).copy() for n, p in keep}

    return keras_case(name, layer_name, layer, options, inputs, call, after=after)


def embedding_case(name):
    """Returns a case of Embedding(mask_zero=True), with the mask that it outputs; only the table has a gradient."""
    keras.utils.clear_session()
    layer = keras.layers.Embedding(7, 4, mask_zero=True, name="layer")
    layer.build()
    ids = rng_of(name + " inputs").integers(0, 7, (3, 5)).astype(np.int32)
    ids[0, :2] = ids[1, 3:] = 0  # padding before and after the sequence
    mask = lambda: {"outputMask": layer.compute_mask(torch.tensor(ids)).float()}
    options = {"inputDim": 7, "outputDim": 4, "maskZero": True}
    return keras_case(name, "embedding", layer, options, {"ids": ids}, lambda t: layer(t["ids"]), (), mask)


ACTIVATIONS = [
    "linear", "relu", "tanh", "sigmoid", "hard_sigmoid", "softmax", "log_softmax", "elu", "selu", "softplus", "softsign",
    "exponential", "gelu", "silu", "leaky_relu", "relu6", "mish",
]  # fmt: skip


def extra_cases():
    L = keras.layers
    draw = lambda key, *shape: normal(rng_of(key), *shape)
    cases = [
        stacked_case("stacked-lstm", "lstm", False),
        stacked_case("stacked-lstm-packed", "lstm", False, mask="right"),
        stacked_case("stacked-bidirectional-gru", "gru", True),
        stacked_case("stacked-bidirectional-gru-packed", "gru", True, mask="right"),
        encoder_decoder("encoder-decoder"),
        encoder_decoder("encoder-decoder-masked", mask="right"),
    ]

    def norm(name, make, options, x, **kw):
        is_batch = make is L.BatchNormalization
        defaults = {"axis": -1, "epsilon": 1e-3, "center": True, "scale": True} | ({"momentum": 0.99} if is_batch else {})
        options = defaults | options
        kwargs = {k: v for k, v in options.items() if k != "training"}
        keep = [("movingMean", "moving_mean"), ("movingVariance", "moving_variance")] if is_batch else []
        layer_name = "batchNormalization" if is_batch else "layerNormalization"
        training = options.get("training", False)
        layer = lambda **n: make(**kwargs, **n)
        cases.append(one_layer(name, layer_name, layer, options, x, training=training, keep=keep, **kw))

    # with mean 1 and deviation 2, so that a wrong mean, variance or epsilon changes the results
    flat, sequence = draw("flat", 6, 5) * 2 + 1, draw("sequence", 3, 5, 4) * 2 + 1
    mask = mask_of("holes", rng_of("normalization mask"), 3, 5)
    norm("layer-normalization", L.LayerNormalization, {}, flat)
    norm("layer-normalization-sequence", L.LayerNormalization, {"epsilon": 0.1}, sequence)
    norm("layer-normalization-plain", L.LayerNormalization, {"center": False, "scale": False}, flat)
    norm("layer-normalization-two-axes", L.LayerNormalization, {"axis": [1, 2]}, sequence)
    for training in (True, False):
        word = "training" if training else "inference"
        norm(f"batch-normalization-{word}", L.BatchNormalization, {"training": training}, flat)
        norm(f"batch-normalization-{word}-sequence", L.BatchNormalization, {"training": training, "momentum": 0.9}, sequence)
        norm(f"batch-normalization-{word}-mask", L.BatchNormalization, {"training": training}, sequence, mask=mask)
    plain = {"training": True, "center": False, "scale": False, "epsilon": 0.1}
    norm("batch-normalization-training-plain", L.BatchNormalization, plain, flat)

    cases.append(embedding_case("embedding-mask-zero"))
    timed = lambda **n: L.TimeDistributed(L.Dense(3, activation="tanh", name="dense"), **n)
    options = {"units": 3, "activation": "tanh"}
    cases.append(one_layer("time-distributed-dense", "timeDistributedDense", timed, options, sequence))
    cases.append(one_layer("time-distributed-dense-mask", "timeDistributedDense", timed, options, sequence, mask=mask))
    for activation in ACTIVATIONS:
        options = {"units": 4, "activation": activation, "useBias": True}
        make = lambda activation=activation, **n: L.Dense(4, activation=activation, **n)
        cases.append(one_layer(f"dense-{activation}", "dense", make, options, flat * 2))
    no_bias = {"units": 4, "activation": "linear", "useBias": False}
    cases.append(one_layer("dense-no-bias", "dense", lambda **n: L.Dense(4, use_bias=False, **n), no_bias, sequence))
    return cases


FILES = {"lstm": lstm_cases, "cells-extra": extra_cases}
FILES |= {f"{cell}-table": lambda cell=cell: table_cases(cell) for cell in GATES}

# ---- main ---------------------------------------------------------------------------------------


def write(name, cases):
    names = [c["name"] for c in cases]
    assert len(set(names)) == len(names), f"{name}: two cases share a name"
    versions = {
        "keras": keras.__version__, "kerasBackend": keras.backend.backend(), "torch": torch.__version__,
        "numpy": np.__version__, "python": platform.python_version(),
    }  # fmt: skip
    # One line per case, so that a diff shows which cases have changed.
    lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
    head = json.dumps({"generator": "tools/goldens/recurrent.py", "versions": versions})
    path = OUT / f"{name}.json"
    path.write_text(f'{head[:-1]}, "cases": [\n{lines}\n]}}\n')
    print(f"{path.name}: {len(cases)} cases, {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    for file in sys.argv[1:] or FILES:
        write(file, FILES[file]())
