"""Golden vectors of the decoder with Gaussian attention, step by step in PyTorch.

    pip install keras==3.15.1 torch==2.13.0 numpy==2.4.6
    python tools/goldens/gaussian_attention.py

The script writes packages/testkit/goldens/layers/gaussian-attention.json in the format of attention.py. The equations are
those of V2 in table 1 of Battenberg et al. 2020 (Location-relative attention mechanisms for robust long-form speech
synthesis), with an LSTM in Keras's layout. 0.05 is added to the standard deviations. Tolerances: README.md.
"""

import json
import math
import platform

import numpy as np
import torch
from attention import B, OUT, case

# components, units of the output, units of the LSTM, features of the memory, features of x, hidden units of the attention
K, A, H, M, I, N = 3, 5, 4, 6, 3, 7  # noqa: E741


def run(tensors, given, parameters):
    x, memory = tensors
    W, U, b, V, v, curve_kernel, step_bias, width_bias, Wc = parameters
    h = c = torch.zeros(B, H)
    a = torch.zeros(B, A)
    mean = torch.zeros(B, K)
    positions = torch.arange(memory.shape[1], dtype=torch.float32)
    outputs, alignments = [], []
    for t in range(x.shape[1]):
        i, f, g, o = (torch.cat([x[:, t], a], -1) @ W + h @ U + b).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        weight, step, width = (torch.tanh(h @ V + v) @ curve_kernel).chunk(3, -1)
        mean = mean + torch.nn.functional.softplus(step + step_bias)
        sigma = torch.nn.functional.softplus(width + width_bias) + 0.05
        mixture = torch.softmax(weight, -1) / (math.sqrt(2 * math.pi) * sigma)
        distance = (positions - mean[:, :, None]) / sigma[:, :, None]
        alignment = (mixture[:, :, None] * torch.exp(-0.5 * distance**2)).sum(1)
        if given[1] is not None:
            alignment = alignment * given[1]
        context = (alignment[:, :, None] * memory).sum(1)
        a = torch.tanh(torch.cat([context, h], -1) @ Wc)
        outputs.append(a)
        alignments.append(alignment)
    return torch.stack(outputs, 1), torch.stack(alignments, 1)


def main():
    shapes = [(I + A, 4 * H), (H, 4 * H), (4 * H,), (H, N), (N,), (N, 3 * K), (K,), (K,), (M + H, A)]
    options = {"units": A, "components": K, "hiddenUnits": N}
    cases = [
        case(f"torch/gaussian{' masked' if masked else ''}", "gaussian", options, run, shapes,
             masked=(False, masked), widths=(I, M))
        for masked in (False, True)
    ]  # fmt: skip
    versions = {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()}
    head = json.dumps({"generator": "tools/goldens/gaussian_attention.py", "versions": versions})[:-1]
    out = OUT.parent / "gaussian-attention.json"
    out.write_text(f'{head}, "cases": [\n' + ",\n".join(json.dumps(c) for c in cases) + "\n]}\n")
    print(f"{len(cases)} cases, {versions}")


if __name__ == "__main__":
    main()
