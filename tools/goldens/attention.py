"""Golden vectors of attention: Keras 3 on its torch backend, and PyTorch for the scores that Keras lacks.

    pip install keras==3.15.1 torch==2.13.0 numpy==2.4.6
    python tools/goldens/attention.py

The script writes packages/testkit/goldens/layers/attention.json, one case per line: inputs (query, value and, if given, key),
masks of query and value, weights, the outputs (context, alignment), and the gradients of the following loss with respect to
inputs and weights: sum(context * outputWeights[0]) + sum(alignment * outputWeights[1]). Tolerances: README.md. The
scores that Keras lacks are written in PyTorch: additive attention with `units` (Bahdanau's v tanh(Wq q + Wk k)), `general`
(Luong's q (k W)) and `scaledDot`. A case of kind `decoder` is a decoder with an LSTM cell, computed step by step in PyTorch;
its inputs are x [B, T, I] and memory [B, S, D].
"""

import base64
import json
import os
import platform
import zlib
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"
import keras  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402

OUT = Path(__file__).resolve().parents[2] / "packages" / "testkit" / "goldens" / "layers" / "attention.json"
B, Q, S, D, U = 3, 4, 5, 6, 7  # batch, query steps, value steps, features, units of the score
keras.utils.set_random_seed(1)
torch.set_num_threads(1)


def pack(t):
    data = np.ascontiguousarray(t, dtype="<f4")
    return {"shape": list(np.shape(t)), "data": base64.b64encode(data.tobytes()).decode()}


def all_masks():
    query = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 1, 0]], np.float32)
    value = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 0, 1, 1, 0]], np.float32)
    return query, value


def case(name, kind, options, run, weights=(), key=False, masked=(False, False), widths=(D, D)):
    rng = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    draw = lambda *shape: rng.standard_normal(shape).astype(np.float32)  # noqa: E731
    inputs = [draw(B, Q, widths[0]), draw(B, S, widths[1])] + ([draw(B, S, widths[0])] if key else [])
    masks = [m if use else None for m, use in zip(all_masks(), masked)]
    values = [draw(*shape) for shape in weights]
    tensors = [torch.tensor(x, requires_grad=True) for x in inputs]
    parameters = [torch.tensor(w, requires_grad=True) for w in values]
    outputs = run(tensors, [None if m is None else torch.tensor(m) for m in masks], parameters)
    output_weights = [draw(*o.shape) for o in outputs]
    loss = sum((o * torch.tensor(w)).sum() for o, w in zip(outputs, output_weights))
    loss.backward()
    return {
        "name": name, "kind": kind, "options": options,
        "inputs": [pack(x) for x in inputs], "masks": [None if m is None else pack(m) for m in masks],
        "weights": [pack(w) for w in values], "outputs": [pack(o.detach().numpy()) for o in outputs],
        "outputWeights": [pack(w) for w in output_weights],
        "gradients": [pack(t.grad.numpy()) for t in [*tensors, *parameters]],
    }  # fmt: skip


def keras_run(layer, causal):
    def run(tensors, masks, parameters):
        layer.build([tuple(t.shape) for t in tensors])
        # The layer computes with these tensors, so that their gradients can be read.
        mapping = [(v, p.reshape(tuple(v.shape))) for v, p in zip(layer.trainable_variables, parameters)]
        with keras.StatelessScope(state_mapping=mapping):
            mask = [m if m is None else m.bool() for m in masks]
            mask += [mask[1]] * (len(tensors) - 2)
            return layer(tensors, mask=mask, return_attention_scores=True, use_causal_mask=causal)

    return run


def torch_run(score):
    def run(tensors, masks, parameters):
        query, value = tensors
        scores = score(query, value, parameters)
        if masks[1] is not None:
            scores = scores - 1e9 * (1 - masks[1][:, None, :])
        alignment = torch.softmax(scores, -1)
        context = alignment @ value
        return (context if masks[0] is None else context * masks[0][:, :, None]), alignment

    return run


def bahdanau(query, value, parameters):
    wq, wk, v = parameters
    return torch.tanh((query @ wq)[:, :, None] + (value @ wk)[:, None]) @ v


def general(query, value, parameters):
    return query @ (value @ parameters[0]).transpose(1, 2)


def scaled(query, value, _):
    return query @ value.transpose(1, 2) / query.shape[-1] ** 0.5


def decoder_run(score, feeds, out):
    """Returns a decoder with an LSTM in Keras's layout and the attentional vector tanh([context; h] Wc) of Luong et al. 2015.

    feeds: whether the LSTM also reads the previous attentional vector (input feeding)
    """

    def run(tensors, masks, parameters):
        x, memory = tensors
        W, U, b, *rest = parameters
        *score_weights, Wc = rest
        h = c = torch.zeros(B, U.shape[0])
        a = torch.zeros(B, out)
        outputs, alignments = [], []
        for t in range(x.shape[1]):
            joined = torch.cat([x[:, t], a], -1) if feeds else x[:, t]
            i, f, g, o = (joined @ W + h @ U + b).chunk(4, -1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            scores = score(h[:, None], memory, score_weights)
            if masks[1] is not None:
                scores = scores - 1e9 * (1 - masks[1][:, None, :])
            alignment = torch.softmax(scores, -1)
            a = torch.tanh(torch.cat([(alignment @ memory)[:, 0], h], -1) @ Wc)
            outputs.append(a)
            alignments.append(alignment[:, 0])
        return torch.stack(outputs, 1), torch.stack(alignments, 1)

    return run


def decoder_cases():
    # features of x, units of the LSTM, units of the output, features of the memory
    I, H, A, M = 3, 4, 5, 6  # noqa: E741
    for feeds in (False, True):
        for masked in (False, True):
            cell = [(I + feeds * A, 4 * H), (H, 4 * H), (4 * H,)]
            for name, score, shapes in (("additive", bahdanau, [(H, U), (M, U), (U,)]), ("general", general, [(M, H)])):
                yield case(
                    f"torch/decoder {name}{' fed' if feeds else ''}{' masked' if masked else ''}", "decoder",
                    {"attention": name, "units": A, "inputFeeding": feeds}, decoder_run(score, feeds, A),
                    [*cell, *shapes, (M + H, A)], masked=(False, masked), widths=(I, M),
                )  # fmt: skip


def main():
    cases = [*decoder_cases()]
    for key in (False, True):
        for masked in ((True, True),) if key else ((False, False), (True, False), (False, True)):
            for causal in (False, True):
                suffix = f"{'key ' if key else ''}{'q' if masked[0] else ''}{'v' if masked[1] else ''}{' causal' if causal else ''}"
                common = {"key": key, "masked": masked}
                option = {"useCausalMask": True} if causal else {}
                for mode, scale in (("dot", False), ("dot", True), ("concat", False), ("concat", True)):
                    weights = [()] * (scale + (mode == "concat"))
                    cases.append(case(
                        f"keras/attention {mode} {scale} {suffix}", "attention",
                        {"scoreMode": mode, "useScale": scale, **option},
                        keras_run(keras.layers.Attention(use_scale=scale, score_mode=mode), causal), weights, **common,
                    ))  # fmt: skip
                for scale in (False, True):
                    cases.append(case(
                        f"keras/additive {scale} {suffix}", "additiveAttention", {"useScale": scale, **option},
                        keras_run(keras.layers.AdditiveAttention(use_scale=scale), causal), [(D,)] * scale, **common,
                    ))  # fmt: skip
    for masked in ((False, False), (True, True)):
        suffix = "masked" if masked[0] else ""
        cases.append(case(f"torch/bahdanau {suffix}", "additiveAttention", {"units": U}, torch_run(bahdanau),
                          [(D, U), (D + 1, U), (U,)], masked=masked, widths=(D, D + 1)))  # fmt: skip
        cases.append(case(f"torch/general {suffix}", "attention", {"scoreMode": "general"}, torch_run(general),
                          [(D + 1, D)], masked=masked, widths=(D, D + 1)))  # fmt: skip
        cases.append(case(f"torch/scaledDot {suffix}", "attention", {"scoreMode": "scaledDot"}, torch_run(scaled), masked=masked))  # fmt: skip
    versions = {"keras": keras.__version__, "torch": torch.__version__, "numpy": np.__version__,
                "python": platform.python_version()}  # fmt: skip
    head = json.dumps({"generator": "tools/goldens/attention.py", "versions": versions})[:-1]
    OUT.write_text(f'{head}, "cases": [\n' + ",\n".join(json.dumps(c) for c in cases) + "\n]}\n")
    print(f"{len(cases)} cases, {versions}")


if __name__ == "__main__":
    main()
