"""Golden vectors of the LSTM variants: coupled, projected and layer-normalised LSTM, zoneout, minGRU and minLSTM.

    pip install -r tools/goldens/requirements.txt
    python tools/goldens/cells.py

The script writes packages/testkit/goldens/layers/cells.json, one case per line, with outputs, states and gradients.

- projected: torch.nn.LSTM(proj_size=...), also bidirectional and with packed sequences.
- layerNorm/torch: the equations of LayerNormLSTMCell in PyTorch's benchmarks/fastrnns, with torch.nn.LayerNorm.
- minGru, minLstm: the parallel scans of the paper (Feng et al. 2024, appendix B), in log space and in the linear domain. The
  layer computes them sequentially.
- coupled, layerNorm/paper, zoneout: the equations of the papers, one step at a time.

All cases are computed in float64, and the gradients by PyTorch's autograd; the loss is the sum over k of
sum(outputs[k] * outputWeights[k]). The numbers are stored as float32. Weights are in Unroll's layout. Tolerances: README.md
beside this file.
"""

import base64
import json
import platform
import zlib
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

OUT = Path(__file__).resolve().parents[2] / "packages" / "testkit" / "goldens" / "layers" / "cells.json"
B, T, I, H, P = 3, 6, 4, 5, 3  # batch, steps, input features, units, units of the projection
torch.set_default_dtype(torch.float64)


def pack(t):
    data = np.ascontiguousarray(t.detach().numpy(), dtype="<f4")
    return {"shape": list(data.shape), "data": base64.b64encode(data.tobytes()).decode()}


class Case:
    """Draws inputs and weights with a seed from the name, runs the equations, and computes the gradients."""

    def __init__(self, name, **options):
        self.name, self.options, self.extra = name, options, {}
        self.rng = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
        self.inputs, self.weights = [], []

    def draw(self, *shape, scale=1.0, positive=False):
        values = self.rng.standard_normal(shape) * scale
        values = (np.abs(values) + 0.1 if positive else values).astype(np.float32)
        return torch.tensor(values.astype(np.float64), requires_grad=True)

    def input(self, *shape, **how):
        self.inputs.append(self.draw(*shape, **how))
        return self.inputs[-1]

    def weight(self, *shape, scale=0.5, offset=0.0):
        values = self.rng.standard_normal(shape) * scale + offset
        self.weights.append(torch.tensor(values.astype(np.float32).astype(np.float64), requires_grad=True))
        return self.weights[-1]

    def finish(self, *outputs):
        factors = [self.draw(*y.shape).detach() for y in outputs]
        loss = sum((y * w).sum() for y, w in zip(outputs, factors))
        grads = torch.autograd.grad(loss, self.inputs + self.weights)
        n = len(self.inputs)
        return {"name": self.name, "options": self.options, "inputs": [pack(v) for v in self.inputs],
                "weights": [pack(v) for v in self.weights], "outputs": [pack(v) for v in outputs],
                "outputWeights": [pack(v) for v in factors],
                "gradients": {"inputs": [pack(v) for v in grads[:n]], "weights": [pack(v) for v in grads[n:]]},
                **self.extra}  # fmt: skip


def steps(x, states, step, backwards=False):
    """Runs step(x_t, states) -> states at every step. Returns h of all steps in the order of processing, and the last states."""
    ys = []
    for t in range(T - 1, -1, -1) if backwards else range(T):
        states = step(x[:, t], states)
        ys.append(states[0])
    return torch.stack(ys, 1), *states


def coupled(backwards):
    case = Case(f"coupled/{'backwards' if backwards else 'forward'}", goBackwards=backwards)
    x, h, c = case.input(B, T, I), case.input(B, H), case.input(B, H)
    W, U, b = case.weight(I, 3 * H), case.weight(H, 3 * H), case.weight(3 * H)

    def step(x, states):
        h, c = states
        f, g, o = (x @ W + h @ U + b).chunk(3, -1)
        f, o = f.sigmoid(), o.sigmoid()
        c = f * c + (1 - f) * g.tanh()
        return o * c.tanh(), c

    return case.finish(*steps(x, (h, c), step, backwards))


def projected(kind):
    """kind: forward, bidirectional, packed or bidirectionalPacked"""
    bidirectional, packed = kind.startswith("bidirectional"), kind.lower().endswith("packed")
    case = Case(f"projected/{kind}", bidirectional=bidirectional)
    directions = 2 if bidirectional else 1
    x = case.input(B, T, I)
    states = [(case.input(B, P), case.input(B, H)) for _ in range(directions)]
    layer = torch.nn.LSTM(I, H, proj_size=P, batch_first=True, bidirectional=bidirectional)
    parameters = {}
    for suffix in ["", "_reverse"][:directions]:
        W, U, b, R = case.weight(I, 4 * H), case.weight(P, 4 * H), case.weight(4 * H), case.weight(H, P)
        parameters |= {f"weight_ih_l0{suffix}": W.T, f"weight_hh_l0{suffix}": U.T, f"bias_ih_l0{suffix}": b,
                       f"bias_hh_l0{suffix}": torch.zeros(4 * H), f"weight_hr_l0{suffix}": R.T}  # fmt: skip
    initial = tuple(torch.stack(parts) for parts in zip(*states))
    lengths = torch.tensor([4, 6, 1])
    given = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False) if packed else x
    y, (h, c) = torch.func.functional_call(layer, parameters, (given, initial))
    if packed:
        y, _ = pad_packed_sequence(y, batch_first=True, total_length=T)
        case.extra["mask"] = pack((torch.arange(T) < lengths[:, None]).double())
    return case.finish(y, *(part for d in range(directions) for part in (h[d], c[d])))


def layer_norm(kind):
    """kind: paper or torch"""
    case = Case(f"layerNorm/{kind}", normalizeState=kind == "torch")
    x, h, c = case.input(B, T, I), case.input(B, H), case.input(B, H)
    W, U, b = case.weight(I, 4 * H), case.weight(H, 4 * H), case.weight(4 * H)
    gx, gh, gc = case.weight(4 * H, offset=1), case.weight(4 * H, offset=1), case.weight(H, offset=1)
    bc = case.weight(H)

    def ln(v):
        return (v - v.mean(-1, keepdim=True)) / torch.sqrt(v.var(-1, keepdim=True, unbiased=False) + 1e-5)

    def paper(x, states):
        h, c = states
        i, f, g, o = (gx * ln(x @ W) + gh * ln(h @ U) + b).chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * (gc * ln(c) + bc).tanh(), c

    norms = [torch.nn.LayerNorm(n) for n in (4 * H, 4 * H, H)]
    call = lambda n, v, gain, bias: torch.func.functional_call(norms[n], {"weight": gain, "bias": bias}, v)  # noqa: E731

    def fastrnns(x, states):
        h, c = states
        # The cell has two biases, whose sum is b.
        a = call(0, x @ W, gx, 0.25 * b) + call(1, h @ U, gh, 0.75 * b)
        i, f, g, o = a.chunk(4, -1)
        c = call(2, f.sigmoid() * c + i.sigmoid() * g.tanh(), gc, bc)
        return o.sigmoid() * c.tanh(), c

    return case.finish(*steps(x, (h, c), paper if kind == "paper" else fastrnns))


def zoneout(training):
    rates = {"h": 0.25, "c": 0.5}
    case = Case(f"zoneout/{'training' if training else 'inference'}", rates=rates)
    x, h, c = case.input(B, T, I), case.input(B, H), case.input(B, H)
    W, U, b = case.weight(I, 4 * H), case.weight(H, 4 * H), case.weight(4 * H)
    # Uniform numbers, in the order in which the cell draws them: for h and c of the first step, then of the second step, and so on.
    uniform = torch.tensor(case.rng.random((T, 2, B, H)).astype(np.float32).astype(np.float64))
    if training:
        case.extra["uniform"] = pack(uniform)
    draws = iter(uniform)

    def step(x, states):
        h, c = states
        i, f, g, o = (x @ W + h @ U + b).chunk(4, -1)
        new_c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        new_h = o.sigmoid() * new_c.tanh()
        result = []
        for u, (old, new, rate) in zip(next(draws), [(h, new_h, rates["h"]), (c, new_c, rates["c"])]):
            zoned = torch.where(u < rate, old, new) if training else rate * old + (1 - rate) * new
            result.append(zoned)
        return tuple(result)

    return case.finish(*steps(x, (h, c), step))


def log_g(x):
    return torch.where(x >= 0, (F.relu(x) + 0.5).log(), -F.softplus(-x))


def log_scan(log_a, log_b, h0):
    """Returns all h_t = a_t h_{t-1} + b_t, computed from logarithms as in appendix B of the paper."""
    total = log_a.cumsum(1)
    terms = log_b - total
    if h0 is not None:
        terms = torch.cat([h0.log()[:, None], terms], 1)
    return (total + torch.logcumsumexp(terms, 1)[:, -T:]).exp()


def linear_scan(a, b, h0):
    total = a.cumprod(1)
    return total * ((b / total).cumsum(1) + (0 if h0 is None else h0[:, None]))


def minimal(cell, version, with_state):
    case = Case(f"{cell}/{version}{'/state' if with_state else ''}", activation=version)
    x = case.input(B, T, I)
    h0 = case.input(B, H, positive=True) if with_state else None
    n = 2 if cell == "minGru" else 3
    *gates, k = (x @ case.weight(I, n * H) + case.weight(n * H)).chunk(n, -1)
    if cell == "minGru":
        log_a, log_i = -F.softplus(gates[0]), -F.softplus(-gates[0])
        a, i = 1 - gates[0].sigmoid(), gates[0].sigmoid()
    else:
        difference = F.softplus(-gates[0]) - F.softplus(-gates[1])
        log_a, log_i = -F.softplus(difference), -F.softplus(-difference)
        f, i = gates[0].sigmoid(), gates[1].sigmoid()
        a, i = f / (f + i), i / (f + i)
    if version == "logSpace":
        y = log_scan(log_a, log_i + log_g(k), h0)
    else:
        y = linear_scan(a, i * k, h0)
    return case.finish(y, y[:, -1])


def main():
    cases = [coupled(False), coupled(True)]
    cases += [projected(kind) for kind in ("forward", "bidirectional", "packed", "bidirectionalPacked")]
    cases += [layer_norm("paper"), layer_norm("torch"), zoneout(False), zoneout(True)]
    cases += [minimal(cell, version, state) for cell in ("minGru", "minLstm") for version in ("logSpace", "linear")
              for state in (False, True)]  # fmt: skip
    versions = {"torch": torch.__version__.split("+")[0], "numpy": np.__version__, "python": platform.python_version()}
    head = json.dumps({"generator": "tools/goldens/cells.py", "versions": versions})[:-1]
    OUT.write_text(f'{head}, "cases": [\n' + ",\n".join(json.dumps(case) for case in cases) + "\n]}\n")
    print(f"{len(cases)} cases, {versions}")


if __name__ == "__main__":
    main()
