"""Uses Keras 3 to load Keras files that Unroll has written. Compares their outputs, and the losses of five training steps,
with the reference values.

    node tools/goldens/formats/keras-export.mjs FOLDER && python tools/goldens/formats/keras_check.py FOLDER
"""

import os

os.environ["KERAS_BACKEND"] = "torch"
os.environ["KERAS_TORCH_DEVICE"] = "cpu"

import base64
import json
import sys
import warnings
from pathlib import Path

import keras
import numpy as np

warnings.filterwarnings("ignore")
folder = Path(sys.argv[1])
failed = 0
is_matrix = any(folder.glob("*-out.keras"))


def decoded(golden):
    return np.frombuffer(base64.b64decode(golden["data"]), "<f4").reshape(golden["shape"])


def one(items):
    return items[0] if len(items) == 1 else items


def error(got, expected):
    expected = np.asarray(expected)
    return float(np.max(np.abs(np.asarray(got) - expected) / np.maximum(1, np.abs(expected)))) if expected.size else 0.0


for name, case in json.loads((folder / "cases.json").read_text()).items():
    for extension in ("keras", "h5"):
        keras.utils.clear_session()
        try:
            exported = folder / f"{name}-out.{extension}"  # by keras-matrix.mjs; the folder also has the file that Keras wrote
            if is_matrix and not exported.exists():
                continue
            model = keras.saving.load_model(exported if exported.exists() else folder / f"{name}.{extension}")
            x = [decoded(a) for a in case["inputs"]]
            outputs = model.predict_on_batch(one(x))
            outputs = keras.tree.flatten(outputs)
            worst = max(error(y, decoded(e)) for y, e in zip(outputs, case["outputs"], strict=True))
            line = f"outputs {worst:.1e}"
            ok = worst <= 1e-5
            # Keras 3 cannot continue training from .h5 files: it builds the optimizer without variables.
            if "losses" in case and extension == "keras":
                y = [decoded(a) for a in case["targets"]]
                losses = [np.atleast_1d(model.train_on_batch(one(x), one(y)))[0] for _ in range(5)]
                loss_error = error(losses, case["losses"])
                line += f", losses of 5 steps {loss_error:.1e}"
                ok = ok and loss_error <= 1e-4
        except Exception as problem:
            line, ok = f"{type(problem).__name__}: {problem}"[:600], False
        failed += not ok
        print("ok  " if ok else "FAIL", f"{name}.{extension}", line)
sys.exit(1 if failed else 0)
