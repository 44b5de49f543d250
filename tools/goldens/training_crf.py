"""training/crf.json: losses, gradients and decoded tags of pytorch-crf 0.7.2.

Everything is computed in float64 with inputs that float32 represents exactly. Tolerances, relative to the largest absolute
value of a tensor: 1e-5 for losses, 1e-4 for gradients. Decoded tags must be equal. pytorch-crf returns log-likelihoods; the
losses are their negatives. It requires that the first step of a mask is valid; here, padding is always at the end.
"""

from importlib.metadata import version

import training_encoding as enc
from training_encoding import float32, normal, np, pack, rng_of, torch

from torchcrf import CRF

SHAPES = {"small": (3, 5, 4), "one tag": (2, 4, 1), "one step": (4, 1, 5), "ner": (6, 17, 9), "wide": (2, 6, 33)}
REDUCTIONS = ["none", "sum", "mean", "token_mean"]


def gradient(parameter):
    """Returns the gradient of a parameter; zeros if the loss does not use it (the transitions, for sequences of one step)."""
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def case_of(name, shape, masked, scale):
    B, T, K = shape
    rng = rng_of(name)
    lengths = rng.integers(1, T + 1, B) if masked else np.full(B, T)
    mask = torch.tensor(np.arange(T)[None, :] < lengths[:, None])
    emissions = torch.tensor(normal(rng, B, T, K, scale=scale), dtype=torch.float64, requires_grad=True)
    tags = torch.tensor(rng.integers(0, K, (B, T)))
    crf = CRF(K, batch_first=True).double()
    parts = {"transitions": crf.transitions, "start": crf.start_transitions, "end": crf.end_transitions}
    for parameter in parts.values():
        parameter.data = torch.tensor(normal(rng, *parameter.shape, scale=scale), dtype=torch.float64)
    losses = {reduction: -crf(emissions, tags, mask, reduction=reduction) for reduction in REDUCTIONS}
    losses["mean"].backward()
    return {
        "name": name,
        "source": "pytorch-crf",
        "inputs": {"emissions": pack(emissions), **{key: pack(p) for key, p in parts.items()}},
        "tags": pack(tags),
        **({"mask": pack(mask)} if masked else {}),
        "losses": {key: pack(value) if key == "none" else float32(value) for key, value in losses.items()},
        "gradients": {"emissions": pack(emissions.grad), **{key: pack(gradient(p)) for key, p in parts.items()}},
        "decoded": crf.decode(emissions, mask),
    }


def write():
    cases = [
        case_of(f"pytorch-crf/{name}{', masked' if masked else ''}", shape, masked, 1.5)
        for name, shape in SHAPES.items()
        for masked in (False, True)
    ]
    cases.append(case_of("pytorch-crf/large scores", (3, 8, 5), True, 40))
    enc.write("crf.json", "training_crf.py", cases, versions={**enc.VERSIONS, "pytorch-crf": version("pytorch-crf")})
