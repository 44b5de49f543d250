"""Golden vectors of the peephole LSTM, from ONNX Runtime, because Keras 3 and PyTorch do not have this layer.

    pip install numpy==2.4.6 onnx==1.23.2 onnxruntime==1.31.1
    python tools/goldens/peephole.py

The script writes packages/testkit/goldens/layers/peephole.json: the directions forward and reverse, with initial states, one
case per line. Weights are in Unroll's layout: gates i f g o and peepholes i f o. The ONNX operator has the orders i o f g and
i o f.
"""

import base64
import json
import platform
import zlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

OUT = Path(__file__).resolve().parents[2] / "packages" / "testkit" / "goldens" / "layers" / "peephole.json"
B, T, I, H = 3, 5, 4, 6  # batch, steps, input features, units


def pack(t):
    data = np.ascontiguousarray(t, dtype="<f4")
    return {"shape": list(data.shape), "data": base64.b64encode(data.tobytes()).decode()}


def onnx_gates(m):
    """Reorders blocks of H columns from i f g o to i o f g, and transposes the matrix as ONNX stores it."""
    i, f, g, o = np.split(m, 4, axis=-1)
    return np.concatenate([i, o, f, g], axis=-1).T


def run(direction, x, W, U, b, p, h, c):
    node = helper.make_node("LSTM", ["X", "W", "R", "B", "", "h0", "c0", "P"], ["Y", "Yh", "Yc"],
                            hidden_size=H, direction=direction)  # fmt: skip
    feeds = {
        "X": x.transpose(1, 0, 2), "W": onnx_gates(W)[None], "R": onnx_gates(U)[None],
        "B": np.concatenate([onnx_gates(b[None]).ravel(), np.zeros(4 * H, np.float32)])[None],
        "h0": h[None], "c0": c[None], "P": np.concatenate([p[0], p[2], p[1]])[None],
    }  # fmt: skip
    feeds = {name: np.ascontiguousarray(value, np.float32) for name, value in feeds.items()}
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape) for name, value in feeds.items()]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("Y", "Yh", "Yc")]
    model = helper.make_model(helper.make_graph([node], "g", inputs, outputs), opset_imports=[helper.make_opsetid("", 14)])
    model.ir_version = 10
    y, yh, yc = onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds)
    return y[:, 0].transpose(1, 0, 2), yh[0], yc[0]


def main():
    cases = []
    for direction in ("forward", "reverse"):
        rng = np.random.Generator(np.random.PCG64(zlib.crc32(direction.encode())))
        draw = lambda *shape, scale=1.0: (rng.standard_normal(shape) * scale).astype(np.float32)  # noqa: E731
        x, h, c = draw(B, T, I), draw(B, H), draw(B, H)
        W, U, b, p = draw(I, 4 * H, scale=0.5), draw(H, 4 * H, scale=0.4), draw(4 * H), draw(3, H, scale=0.5)
        y, yh, yc = run(direction, x, W, U, b, p, h, c)
        if direction == "reverse":
            y = y[:, ::-1]  # in the order of processing, in which goBackwards returns the steps
        cases.append({"name": f"onnxruntime/peephole/{direction}", "inputs": [pack(v) for v in (x, h, c)],
                      "weights": [pack(v) for v in (W, U, b, p)], "outputs": [pack(v) for v in (y, yh, yc)]})  # fmt: skip
    versions = {"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__, "numpy": np.__version__,
                "python": platform.python_version()}  # fmt: skip
    head = json.dumps({"generator": "tools/goldens/peephole.py", "versions": versions})[:-1]
    OUT.write_text(f'{head}, "cases": [\n' + ",\n".join(json.dumps(case) for case in cases) + "\n]}\n")
    print(f"{len(cases)} cases, {versions}")


if __name__ == "__main__":
    main()
